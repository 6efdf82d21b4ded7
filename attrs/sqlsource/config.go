package sqlsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/attrs"
)

// A Driver says what kind of database a source is. The zero Driver is none.
type Driver uint8

// The drivers.
const (
	PostgreSQL Driver = iota + 1
	SQLite
)

// String gives the name of the driver in configurations.
func (d Driver) String() string {
	switch d {
	case PostgreSQL:
		return "postgres"
	case SQLite:
		return "sqlite"
	}
	return "no driver"
}

// ParseDriver reads the name of a driver.
func ParseDriver(name string) (Driver, error) {
	for _, d := range []Driver{PostgreSQL, SQLite} {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("driver %q: want postgres or sqlite", name)
}

// A Query is one statement: what it is asked by, what it answers, its text.
type Query struct {
	// Subject is the type of subject whose number is the parameter, $1 or ?1. A relation such as nihii/ssin has two, in
	// the order of its name.
	Subject attrs.SubjectType

	// Attributes are those that the query answers, by their names in the database: cells of the column attribute of long
	// rows, or columns of wide rows. Each is the name, canonical or an alias, of a certified attribute.
	Attributes map[string]string

	// Text is one SELECT. It is prepared as it stands.
	Text string
}

// Config says where a database is and what it is asked.
type Config struct {
	ID        string // of the source, in answers, errors and the audit trail
	Catalogue *attrs.Catalogue
	Driver    Driver
	Queries   []Query

	// TTL bounds every answer: it ends this long after it was retrieved, or earlier where the rows say so. It must be positive
	// for queries without a column not_on_or_after, and may be zero for others.
	TTL time.Duration

	// Timeout bounds a look-up, whatever its context allows. DefaultTimeout if zero.
	Timeout time.Duration

	// MaxRows bounds the rows of one query about one subject; more are a bad answer. DefaultMaxRows if zero.
	MaxRows int

	// MaxConns bounds the connections for look-ups. DefaultMaxConns if zero.
	MaxConns int

	// Of PostgreSQL only.
	Postgres Postgres

	// Of SQLite only: the path of the file, and how often to look whether it has changed (DefaultPollInterval if zero).
	File         string
	PollInterval time.Duration

	// Now gives the time of retrieval; time.Now if nil.
	Now func() time.Time
}

// Postgres is what is configured of PostgreSQL.
type Postgres struct {
	// DSN is a connection string of libpq, a URL or keys and values, with one host or several in order of preference. The
	// environment variables of libpq fill in what it leaves out.
	DSN string

	// PasswordFile holds the password, a newline at its end aside. It is read for each new connection, so that a password
	// can be changed without a restart. Empty: as the DSN says.
	PasswordFile string

	// UnverifiedServer admits a server that is neither proven by its certificate (sslmode=verify-full) nor on this
	// machine (loopback or a Unix socket).
	UnverifiedServer bool

	// Channel is one on which the database notifies of changes (NOTIFY). Empty: none.
	Channel string

	// ConnectTimeout bounds connecting to one host. DefaultConnectTimeout if zero. With several hosts, keep it well below
	// Timeout, so that there is time for the next.
	ConnectTimeout time.Duration

	// ConnLifetime ends connections that are older, ConnIdle those that were not used for so long; defaults if zero.
	ConnLifetime, ConnIdle time.Duration

	// Heartbeat is how often the connection that listens on Channel is tried while it is silent: half of the longest time for
	// which its loss can stay unnoticed. DefaultHeartbeat if zero.
	Heartbeat time.Duration
}

// Defaults of Config.
const (
	DefaultTimeout        = 5 * time.Second
	DefaultMaxRows        = 1000
	DefaultMaxConns       = 8
	DefaultPollInterval   = 500 * time.Millisecond
	DefaultConnectTimeout = 2 * time.Second
	DefaultConnLifetime   = 30 * time.Minute
	DefaultConnIdle       = 5 * time.Minute
	DefaultHeartbeat      = 2 * time.Second
)

func (c *Config) defaults() {
	or := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	or(&c.Timeout, DefaultTimeout)
	or(&c.PollInterval, DefaultPollInterval)
	or(&c.Postgres.ConnectTimeout, DefaultConnectTimeout)
	or(&c.Postgres.ConnLifetime, DefaultConnLifetime)
	or(&c.Postgres.ConnIdle, DefaultConnIdle)
	or(&c.Postgres.Heartbeat, DefaultHeartbeat)
	if c.MaxRows == 0 {
		c.MaxRows = DefaultMaxRows
	}
	if c.MaxConns == 0 {
		c.MaxConns = DefaultMaxConns
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// maxConns bounds MaxConns: the pools count in 32 bits, and no server has that many.
const maxConns = 10_000

func (c *Config) check() error {
	switch {
	case c.ID == "":
		return errors.New("no ID")
	case c.Catalogue == nil || c.Catalogue.Len() == 0:
		return errors.New("no catalogue of attributes")
	case len(c.Queries) == 0:
		return errors.New("no query")
	case min(c.TTL, c.Timeout, c.PollInterval, c.Postgres.ConnectTimeout, c.Postgres.ConnLifetime, c.Postgres.ConnIdle, c.Postgres.Heartbeat) < 0:
		return errors.New("a negative time")
	case c.MaxRows < 0 || c.MaxConns < 0 || c.MaxConns > maxConns:
		return errors.New("a number of rows or connections out of range")
	case c.Driver != PostgreSQL && c.Driver != SQLite:
		return errors.New("no driver")
	case c.Driver == PostgreSQL && (c.File != "" || c.Postgres.DSN == ""):
		return errors.New("PostgreSQL needs a DSN, and no file")
	case c.Driver == SQLite && (c.File == "" || c.Postgres.DSN != "" || c.Postgres.Channel != ""):
		return errors.New("SQLite needs a file, and neither DSN nor channel")
	case len(c.Postgres.Channel) > maxIdentifier || !printable(c.Postgres.Channel):
		return errors.New("the channel is not the name of one")
	}
	return nil
}

// maxIdentifier is how many octets of a name PostgreSQL keeps.
const maxIdentifier = 63

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Open makes a source. It refuses a configuration that contradicts itself, and, where the database can be reached, a query
// that the database refuses or whose columns are not as they must be. A PostgreSQL that cannot be reached is no error: the
// source is unavailable until it can, and the queries are checked then, on each new connection. A file of SQLite must be there.
// What is wrong with one query is a *QueryError.
func Open(c Config) (*Source, error) {
	c.defaults()
	fail := func(err error) (*Source, error) { return nil, fmt.Errorf("sql source %s: %w", c.ID, err) }
	if err := c.check(); err != nil {
		return fail(err)
	}
	s := &Source{config: c}
	var err error
	if s.queries, err = compile(&c); err != nil {
		return fail(err)
	}
	switch c.Driver {
	case PostgreSQL:
		s.store, err = openPostgres(&s.config, s.queries)
	case SQLite:
		s.store, err = openSQLite(&s.config, s.queries)
	}
	if err != nil {
		return fail(err)
	}
	return s, nil
}

// A store asks a database. It is safe for concurrent use.
type store interface {
	// read asks all calls in one state of the data, and takes their rows.
	read(ctx context.Context, calls []*call) error

	// probe says why look-ups would fail now, or nil.
	probe(ctx context.Context) error

	// epoch is that of attrs.Versioned.
	epoch() (uint64, bool)

	close() error
}

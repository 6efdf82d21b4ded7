package sqlsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxMessage bounds one message of the server, and so one row, in octets.
const maxMessage = 1 << 20

// poolConfig reads the DSN and adds what holds for every connection, whatever the DSN says.
func poolConfig(c *Config) (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig(c.Postgres.DSN)
	if err != nil {
		return nil, dsnError(err)
	}
	if _, err := readPassword(c.Postgres.PasswordFile); err != nil {
		return nil, err
	}
	conn := p.ConnConfig
	if !c.Postgres.UnverifiedServer {
		if err := verified(conn); err != nil {
			return nil, err
		}
	}
	p.MaxConns, p.MinConns, p.MinIdleConns = int32(c.MaxConns), 0, 0
	p.MaxConnLifetime, p.MaxConnLifetimeJitter = c.Postgres.ConnLifetime, c.Postgres.ConnLifetime/10
	p.MaxConnIdleTime = c.Postgres.ConnIdle
	p.PingTimeout = c.Postgres.ConnectTimeout

	conn.ConnectTimeout = c.Postgres.ConnectTimeout
	conn.MaxProtocolMessageBodyLen = maxMessage
	// H6: no other mode, which a DSN could ask for, would write parameters into the text.
	conn.DefaultQueryExecMode, conn.StatementCacheCapacity = pgx.QueryExecModeCacheStatement, 8
	conn.RuntimeParams["client_encoding"] = "UTF8"
	for name, value := range map[string]string{"application_name": "sceau " + c.ID, "timezone": "UTC"} {
		if _, said := conn.RuntimeParams[name]; !said {
			conn.RuntimeParams[name] = value
		}
	}
	if c.Postgres.Channel != "" {
		// A standby cannot listen, and may lag behind the notice of a change: what it said would be kept as if it were new.
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	p.BeforeConnect = func(_ context.Context, conn *pgx.ConnConfig) error { return setPassword(conn, c.Postgres.PasswordFile) }
	return p, nil
}

// dsnError says why a DSN cannot be read, and nothing of what stands in it: it may be a password in a wrong place.
func dsnError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("the DSN names a file that cannot be read: %w", path)
	}
	return errors.New("the DSN cannot be read: want postgres://user@host/database?sslmode=verify-full, or keys and values")
}

// verified refuses a DSN with a host elsewhere that would not be proven to be itself: who answers in its place knows the
// password, or decides who is a doctor.
func verified(c *pgx.ConnConfig) error {
	check := func(host string, t *tls.Config) error {
		if local(host) || t != nil && !t.InsecureSkipVerify && t.ServerName != "" {
			return nil
		}
		return fmt.Errorf("the server %s is not verified: want sslmode=verify-full", host)
	}
	if err := check(c.Host, c.TLSConfig); err != nil {
		return err
	}
	for _, f := range c.Fallbacks { // further hosts, and the same without TLS where sslmode is allow or prefer
		if err := check(f.Host, f.TLSConfig); err != nil {
			return err
		}
	}
	return nil
}

// local says whether the host is this machine: loopback or a Unix socket.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || ip != nil && ip.IsLoopback()
}

func setPassword(c *pgx.ConnConfig, file string) error {
	if file == "" {
		return nil
	}
	password, err := readPassword(file)
	if err != nil {
		return err
	}
	c.Password = password
	return nil
}

// readPassword reads a password file; "" is none.
func readPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if password == "" || strings.ContainsAny(password, "\n\x00") {
		return "", fmt.Errorf("password file %s: want one line", file)
	}
	return password, nil
}

// HoldsPassword says whether a DSN seems to hold a password, so that it can be refused where others may read it. It errs on the
// side of yes.
func HoldsPassword(dsn string) bool {
	if strings.Contains(strings.ToLower(dsn), "password") {
		return true
	}
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return false
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return true
	}
	_, has := u.User.Password()
	return has
}

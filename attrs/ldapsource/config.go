package ldapsource

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"sceau/attrs"
	"sceau/attrs/remote"
)

// Scope is how far below the base a search reaches (RFC 4511 section 4.5.1.2). The zero Scope reaches nowhere and is refused.
type Scope uint8

// The scopes of RFC 4511.
const (
	BaseObject Scope = iota + 1
	SingleLevel
	WholeSubtree
)

var scopeNames = [...]string{BaseObject: "base", SingleLevel: "one", WholeSubtree: "sub"}

// ParseScope reads base, one or sub, the words of LDAP URLs (RFC 4516).
func ParseScope(word string) (Scope, error) {
	if at := slices.Index(scopeNames[:], word); at > 0 {
		return Scope(at), nil
	}
	return 0, fmt.Errorf("scope %q: want base, one or sub", word)
}

// Config says which directory to ask and how.
type Config struct {
	ID string // names the source in answers, errors and the audit trail

	// Servers are tried in this order: ldaps://host[:636] or ldap://host[:389]. They hold the same data.
	Servers []string

	// StartTLS turns ldap:// into TLS before anything else is said (RFC 4511 section 4.14). Without it ldap:// is only for
	// loopback.
	StartTLS bool
	TLS      remote.TLS

	// BindDN with the password in PasswordFile, which is read for each new connection; or External: SASL EXTERNAL (RFC 4422
	// appendix A), which is the certificate of TLS. One of the two.
	BindDN, PasswordFile string
	External             bool

	// BaseDN and Scope are where entries are looked for, Filters by what: a filter (RFC 4515) for each type of subject by
	// which a mapped attribute may be asked, with a placeholder for the number: {ssin}, {nihii}, {cbe}, {ehp}. A relation
	// such as nihii/ssin has one placeholder for each of its numbers.
	BaseDN  string
	Scope   Scope
	Filters map[attrs.SubjectType]string

	Mappings []Mapping

	// TTL is how long an answer is good at most. It must be positive.
	TTL time.Duration

	// Timeout bounds one attempt at one server, connection and all. DefaultTimeout if zero.
	Timeout time.Duration

	// MaxConnections bounds the connections to one server. One that was idle for CheckAfter is tried before use; after
	// IdleTimeout it is closed, and after MaxLifetime whatever it does, so that a new one binds again. Defaults if zero.
	MaxConnections                       int
	CheckAfter, IdleTimeout, MaxLifetime time.Duration

	// RetryAfter is how long a server that failed is asked last. DefaultRetryAfter if zero.
	RetryAfter time.Duration

	// MaxBytes bounds what a server may send in one exchange. DefaultMaxBytes if zero.
	MaxBytes int64

	// Now gives the time of retrieval and judges certificates; time.Now if nil.
	Now func() time.Time
}

// Defaults of Config.
const (
	DefaultTimeout        = time.Second
	DefaultMaxConnections = 8
	DefaultCheckAfter     = 10 * time.Second
	DefaultIdleTimeout    = time.Minute
	DefaultMaxLifetime    = 30 * time.Minute
	DefaultRetryAfter     = 10 * time.Second
	DefaultMaxBytes       = 1 << 20
)

func (c *Config) defaults() {
	for _, d := range []struct {
		v       *time.Duration
		instead time.Duration
	}{
		{&c.Timeout, DefaultTimeout}, {&c.CheckAfter, DefaultCheckAfter}, {&c.IdleTimeout, DefaultIdleTimeout},
		{&c.MaxLifetime, DefaultMaxLifetime}, {&c.RetryAfter, DefaultRetryAfter},
	} {
		if *d.v == 0 {
			*d.v = d.instead
		}
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// checkSource says what of a source cannot be beside how its directory is reached.
func (c *Config) checkSource() error {
	var wrong []error
	if len(c.Mappings) == 0 {
		wrong = append(wrong, errors.New("no attribute is mapped"))
	}
	if c.TTL <= 0 {
		wrong = append(wrong, errors.New("no time to live"))
	}
	return errors.Join(wrong...)
}

// check says what of how a directory is reached cannot be, all at once.
func (c *Config) check() error {
	var wrong []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	refuse(c.ID == "", "no ID")
	refuse(len(c.Servers) == 0, "no server")
	refuse(c.Scope == 0 || c.Scope > WholeSubtree, "no scope")
	refuse(min(c.Timeout, c.CheckAfter, c.IdleTimeout, c.MaxLifetime, c.RetryAfter) < 0, "a negative time")
	refuse(c.MaxConnections < 0 || c.MaxBytes < 0, "a negative limit")
	dn, err := ldap.ParseDN(c.BaseDN)
	refuse(err != nil || len(dn.RDNs) == 0, "the base %q is no DN", c.BaseDN)
	switch {
	case c.External:
		refuse(c.BindDN != "" || c.PasswordFile != "", "SASL EXTERNAL takes no bind DN and no password")
		refuse(c.TLS.CertificateFile == "", "SASL EXTERNAL needs a certificate of the client")
	case c.BindDN == "":
		refuse(true, "nobody to bind as: give a bind DN with a password, or SASL EXTERNAL")
	default:
		dn, err := ldap.ParseDN(c.BindDN)
		// Active Directory takes user@domain too, but a DN says the same everywhere.
		refuse(err != nil || len(dn.RDNs) == 0, "the bind DN is no DN")
	}
	return errors.Join(wrong...)
}

// address is where a server of the list is.
type address struct {
	text string // as configured
	host string
	dial string // host:port
	tls  bool   // from the first byte
}

// parseServer reads one server of the list.
func (c *Config) parseServer(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return address{}, fmt.Errorf("server %q: want ldaps://host or ldap://host, with a port or without", text)
	}
	a := address{text: text, host: u.Hostname(), tls: u.Scheme == "ldaps"}
	port := u.Port()
	switch u.Scheme {
	case "ldaps":
		if c.StartTLS {
			return address{}, fmt.Errorf("server %q: StartTLS is for ldap:// alone", text)
		}
		if port == "" {
			port = ldap.DefaultLdapsPort
		}
	case "ldap":
		if !c.StartTLS && !remote.Loopback(a.host) {
			return address{}, fmt.Errorf("server %q: without TLS only on loopback", text)
		}
		if !c.StartTLS && c.External {
			return address{}, fmt.Errorf("server %q: SASL EXTERNAL needs TLS", text)
		}
		if port == "" {
			port = ldap.DefaultLdapPort
		}
	default:
		return address{}, fmt.Errorf("server %q: want ldaps:// or ldap://", text)
	}
	a.dial = net.JoinHostPort(a.host, port)
	return a, nil
}

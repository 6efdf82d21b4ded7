package ldapsource

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"sceau/attrs/remote"
)

var errTooMuch = errors.New("the server sent more than the limit")

// A socket is the network below LDAP and TLS. It counts what comes, so that a server cannot fill the memory: the library
// reads packets of any size.
type socket struct {
	net.Conn
	left atomic.Int64
}

func (s *socket) Read(p []byte) (int, error) {
	left := s.left.Load()
	if left <= 0 {
		return 0, errTooMuch
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := s.Conn.Read(p)
	s.left.Add(-int64(n))
	return n, err
}

// A connection is one that was bound. One goroutine uses it at a time.
type connection struct {
	server *server
	socket *socket
	ldap   *ldap.Conn
	reused bool // it answered before

	// Set by timers while nobody uses the connection.
	old, doubtful     atomic.Bool
	life, idle, doubt *time.Timer
}

// do calls f, which uses the connection, and ends it when ctx ends: the library waits without end for a server that is
// silent, and stops when the socket closes. The connection is of no use after an error.
func (c *connection) do(ctx context.Context, doing string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return &failure{server: c.server.address.text, doing: doing, err: err}
	}
	c.socket.left.Store(c.server.config.MaxBytes)
	stop := context.AfterFunc(ctx, func() { c.socket.Close() })
	err := f()
	if !stop() {
		return &failure{server: c.server.address.text, doing: doing, err: ctx.Err()} // also if f was in time: the socket is closed
	}
	if err != nil {
		if c.socket.left.Load() <= 0 {
			err = errTooMuch
		}
		return explain(c.server.address.text, doing, err)
	}
	return nil
}

// close ends the connection and waits for the library's goroutines. The socket first: TLS would wait for a server that
// does not read to take its farewell.
func (c *connection) close() {
	c.socket.Close()
	if c.ldap != nil {
		c.ldap.Close()
	}
	for _, t := range []*time.Timer{c.life, c.idle, c.doubt} {
		if t != nil {
			t.Stop()
		}
	}
}

// dial connects, speaks TLS and binds.
func (s *server) dial(ctx context.Context) (*connection, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.do(ctx, "binding", c.bind); err != nil {
		c.close()
		return nil, err
	}
	c.life = time.AfterFunc(s.config.MaxLifetime, func() { c.old.Store(true) })
	return c, nil
}

// connect connects and speaks TLS.
func (s *server) connect(ctx context.Context) (*connection, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", s.address.dial)
	if err != nil {
		return nil, explain(s.address.text, "connecting", err)
	}
	c := &connection{server: s, socket: &socket{Conn: raw}}
	if err := c.do(ctx, "connecting", func() error { return c.open(ctx) }); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// open speaks TLS, at once or after StartTLS.
func (c *connection) open(ctx context.Context) error {
	settings := c.server.tls
	if settings != nil && settings.ServerName == "" {
		settings = settings.Clone()
		settings.ServerName = c.server.address.host
	}
	if c.server.address.tls {
		secured := tls.Client(c.socket, settings)
		if err := secured.HandshakeContext(ctx); err != nil {
			return err
		}
		c.ldap = ldap.NewConn(secured, true)
		c.ldap.Start()
		return nil
	}
	c.ldap = ldap.NewConn(c.socket, false)
	c.ldap.Start()
	if c.server.config.StartTLS {
		return c.ldap.StartTLS(settings)
	}
	return nil
}

func (c *connection) bind() error {
	if c.server.config.External {
		return c.ldap.ExternalBind()
	}
	password, err := remote.Secret(c.server.config.PasswordFile) // each time: it may have been changed
	if err != nil {
		return &failure{server: c.server.address.text, doing: "binding", err: err, final: true}
	}
	return c.ldap.Bind(c.server.config.BindDN, password)
}

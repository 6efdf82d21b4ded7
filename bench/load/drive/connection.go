package drive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	maxHeader = 16 << 10    // bytes of status line and header of an answer
	maxAnswer = 4 << 20     // bytes of its body
	staleTime = time.Second // without use, after which a connection is looked at before it is used
)

var (
	past       = time.Unix(1, 0) // a deadline that is over
	errSurplus = errors.New("bytes after the answer")
)

// An endpoint is a target as connections to it are opened.
type endpoint struct {
	address string // host and port
	host    string // for the Host header
	path    string // with the query
	tls     *tls.Config
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func newEndpoint(p *Plan) (*endpoint, error) {
	u, err := url.Parse(p.Target.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("drive: the URL of target %q, %q, is not like https://host:port/path", p.Target.Name, p.Target.URL)
	}
	if (u.Scheme == "https") != (p.Target.TLS != nil) {
		return nil, fmt.Errorf("drive: target %q: https needs a TLS configuration, and http must have none", p.Target.Name)
	}
	e := &endpoint{host: u.Host, path: u.RequestURI(), dial: p.dial}
	port := u.Port()
	if port == "" {
		port = u.Scheme // a name that dialling knows
	}
	e.address = net.JoinHostPort(u.Hostname(), port)
	if e.dial == nil {
		e.dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	if p.Target.TLS != nil {
		e.tls = p.Target.TLS.Clone()
		if e.tls.ServerName == "" {
			e.tls.ServerName = u.Hostname()
		}
	}
	return e, nil
}

// A meter counts the bytes of a connection, those of TLS included. One goroutine at a time reads and writes.
type meter struct {
	net.Conn
	sent, received uint64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.received += uint64(n)
	return n, err
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.sent += uint64(n)
	return n, err
}

// A connection is one to the target. When the context ends in which it was opened, what
// reads or writes on it returns at once.
type connection struct {
	net.Conn // over TLS where there is any
	wire     *meter
	stop     func() bool
	used     time.Time // when its last exchange ended; zero before there was one
	ended    bool      // of no more use
}

// open makes a connection, handshake included, before the deadline.
func (e *endpoint) open(ctx context.Context, deadline time.Time) (*connection, error) {
	dialing, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	raw, err := e.dial(dialing, "tcp", e.address)
	if err != nil {
		return nil, err
	}
	wire := &meter{Conn: raw}
	c := &connection{Conn: wire, wire: wire}
	if e.tls != nil {
		over := tls.Client(wire, e.tls)
		if err := over.HandshakeContext(dialing); err != nil {
			_ = raw.Close() // the handshake's error is the one that tells
			return nil, err
		}
		c.Conn = over
	}
	c.stop = context.AfterFunc(ctx, func() { _ = raw.SetDeadline(past) }) // on a closed one there is nobody to wake
	return c, nil
}

// within sets the deadline of what is read and written, and refuses when ctx, in which the connection was opened,
// has ended: after the check its end comes after the deadline, and wins.
func (c *connection) within(ctx context.Context, deadline time.Time) error {
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	return ctx.Err()
}

// close ends the connection; its last exchange is over or given up. With reset nothing of it
// lingers: a port is free at once for the next of many short connections.
func (c *connection) close(reset bool) {
	c.stop()
	if t, ok := c.wire.Conn.(*net.TCPConn); ok && reset {
		_ = t.SetLinger(0) // if it is refused, it lingers a minute as any other
	}
	_ = c.Conn.Close() // whatever it says, the exchange has been judged
}

// stale reports whether the peer ended the connection while nobody used it.
func (c *connection) stale(now time.Time) bool {
	return !c.used.IsZero() && now.Sub(c.used) > staleTime && readable(c.wire.Conn)
}

// A reader reads answers, one at a time; it is used again for the next.
type reader struct {
	buffer   *bufio.Reader
	response fasthttp.Response
}

func newReader() *reader { return &reader{buffer: bufio.NewReaderSize(nil, maxHeader)} }

// exchange writes a request and reads its answer, both before the deadline that the connection has. The answer is in
// r.response until the next exchange. reusable: another request may follow on the connection.
func (r *reader) exchange(c *connection, request []byte) (reusable bool, err error) {
	r.buffer.Reset(c)
	_, unwritten := c.Write(request)
	// A server may answer before it has read all, and then end the connection.
	if _, err := r.buffer.Peek(1); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF // TLS without its farewell; of the answer there is nothing
		}
		return false, err
	}
	err = r.response.ReadLimitBody(r.buffer, maxAnswer)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // its first byte was there
	}
	if err != nil {
		return false, err
	}
	if r.buffer.Buffered() > 0 {
		return false, errSurplus
	}
	return unwritten == nil && !r.closes(), nil
}

// closes reports whether the server said that it ends the connection after this answer (RFC 9112 section 9.6),
// or turned it to another use.
func (r *reader) closes() bool {
	if r.response.ConnectionClose() || r.response.StatusCode() == fasthttp.StatusSwitchingProtocols {
		return true
	}
	for option := range bytes.SplitSeq(r.response.Header.Peek(fasthttp.HeaderConnection), []byte(",")) {
		if bytes.EqualFold(bytes.TrimSpace(option), []byte("close")) {
			return true
		}
	}
	return false
}

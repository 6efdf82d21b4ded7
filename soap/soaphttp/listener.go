package soaphttp

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"sceau/internal/network"
)

// A connection that is closed before all that the peer sent was read is reset, and a reset may
// overtake the answer: the peer would learn "connection reset" instead of what is wrong with its request. So
// whoever is refused in the middle of a request is read on, within these bounds (RFC 9112 section 9.6).
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 4 << 20
)

// A listener hands out connections that count against their address and can be closed
// gently. fasthttp ends when a process has no file descriptor left for another connection, and bounds IPv4
// addresses alone.
type listener struct {
	net.Listener
	*admitted
}

// admitted are the connections of all listeners of a server.
type admitted struct {
	network.Connections
	write time.Duration // for one write
	log   *slog.Logger
	told  rate.Sometimes // once a minute
	stop  <-chan struct{}
}

// Accept returns the next connection. While the process or the system has no room for one it
// waits: those that end make it.
func (l *listener) Accept() (net.Conn, error) {
	wait := 5 * time.Millisecond
	for {
		c, err := l.Listener.Accept()
		switch {
		case err == nil:
			if counted := l.count(c); counted != nil {
				return counted, nil
			}
			c.Close()
		case passing(err):
			l.tell("connections are accepted late", "error", err)
			select {
			case <-l.stop:
				return nil, err
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Second)
		default:
			return nil, err
		}
	}
}

// passing reports whether an error of accept(2) is of this connection or this moment.
func passing(err error) bool {
	for _, one := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED,
		// What accept(2) of Linux passes on from the network, to be tried again, and what a firewall says.
		syscall.EPROTO, syscall.ENOPROTOOPT, syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH,
		syscall.EOPNOTSUPP, syscall.EPERM} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// count returns c as one of its address, nil when there are as many as may be.
func (a *admitted) count(c net.Conn) net.Conn {
	leave, err := a.Enter(c.RemoteAddr())
	if err != nil {
		a.tell(err.Error(), "most", a.Most, "per address", a.PerAddress)
		return nil
	}
	return &connection{Conn: c, write: a.write, leave: leave}
}

// tell logs, once a minute.
func (a *admitted) tell(what string, about ...any) {
	a.told.Do(func() { a.log.Warn(what, about...) })
}

// A connection of a listener. Close may be called more than once.
type connection struct {
	net.Conn
	write  time.Duration
	leave  func()
	begun  bool        // bytes of a request were read, and no answer was written since; of one goroutine
	unread atomic.Bool // an answer is written while the peer may still be sending
	closed atomic.Bool
}

// Read reads. An end within a request is told as what it is: fasthttp takes io.EOF for an orderly end
// at some places within a request, and would neither answer nor tell of it.
func (c *connection) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.begun = true
	}
	if err == io.EOF && c.begun {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Write writes within its own time. fasthttp sets a time for usual answers alone, and leaves it when it has
// passed: what is written later, "100 Continue" or what is wrong with a request, would never leave.
func (c *connection) Write(b []byte) (int, error) {
	c.begun = false
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// SetReadDeadline bounds the writing as well: TLS writes while it reads (handshake, KeyUpdate), and would
// wait for ever for a peer that takes nothing.
func (c *connection) SetReadDeadline(t time.Time) error { return c.Conn.SetDeadline(t) }

func (c *connection) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	defer c.leave()
	// Errors end the wait sooner, and nothing else depends on them.
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if c.unread.Load() && ok && half.CloseWrite() == nil && c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}

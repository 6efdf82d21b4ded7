package soaphttp

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
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
	perAddress int // zero: no bound
	log        *slog.Logger
	stop       <-chan struct{}

	mu     sync.Mutex
	counts map[netip.Addr]int
	told   time.Time // of what is told once a minute
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
	for _, one := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// count returns c as one of its address, nil when there are as many as may be.
func (l *listener) count(c net.Conn) net.Conn {
	counted := &connection{Conn: c, listener: l}
	if l.perAddress == 0 {
		return counted
	}
	counted.address = network(c.RemoteAddr())
	l.mu.Lock()
	full := l.counts[counted.address] >= l.perAddress
	if !full {
		l.counts[counted.address]++
	}
	l.mu.Unlock()
	if full {
		l.tell("an address has as many connections as it may", "limit", l.perAddress)
		return nil
	}
	return counted
}

// network is what connections are counted by: an IPv4 address, and the /64 of an IPv6 address,
// all of which belongs to one subscriber.
func network(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	address := tcp.AddrPort().Addr().Unmap().WithZone("")
	if prefix, err := address.Prefix(64); err == nil && address.Is6() {
		return prefix.Addr()
	}
	return address
}

func (l *listener) gone(address netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[address]--; l.counts[address] <= 0 {
		delete(l.counts, address)
	}
}

// tell logs, once a minute.
func (l *listener) tell(what string, about ...any) {
	l.mu.Lock()
	now := time.Now()
	again := now.Sub(l.told) >= time.Minute
	if again {
		l.told = now
	}
	l.mu.Unlock()
	if again {
		l.log.Warn(what, about...)
	}
}

// A connection of a listener. Close may be called more than once.
type connection struct {
	net.Conn
	listener *listener
	address  netip.Addr
	unread   atomic.Bool // an answer is written while the peer may still be sending
	closed   atomic.Bool
}

func (c *connection) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	if c.listener.perAddress > 0 {
		defer c.listener.gone(c.address)
	}
	// Errors end the wait sooner, and nothing else depends on them.
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if c.unread.Load() && ok && half.CloseWrite() == nil && c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}

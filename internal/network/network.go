// Package network says as what a client is counted, by the address from which it connects, and bounds connections so: what
// one subscriber may have is the same for every listener and every store.
package network

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Of is what an address counts as: an IPv4 address as itself, one of IPv6 as its /64, all of which belongs to one subscriber. What
// is no address counts as the zero Prefix.
func Of(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // of no address there is none
	return p
}

// Within says whether an address is of one of these networks.
func Within(all []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Parse reads a network, or an address, which is the network of itself alone.
func Parse(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// ErrFull and ErrAddressFull say why a connection was not let in.
var (
	ErrFull        = errors.New("there are as many connections as there may be")
	ErrAddressFull = errors.New("an address has as many connections as it may")
)

// Connections bounds those that are open, of any number of listeners. Its fields are set before it is used; the zero value lets
// nobody in. It is safe for concurrent use.
type Connections struct {
	// Most bounds all of them, PerAddress those of one address as Of counts it; zero: no bound for one.
	Most, PerAddress int
	// Proxies are where connections come from that are of many: they count among all alone.
	Proxies []netip.Prefix

	mu   sync.Mutex
	open int
	by   map[netip.Prefix]int
}

// Enter counts a connection from an address until leave, which may be called more than once.
func (c *Connections) Enter(from net.Addr) (leave func(), err error) {
	var a netip.Addr
	if tcp, ok := from.(*net.TCPAddr); ok {
		a = tcp.AddrPort().Addr()
	}
	of, bound := Of(a), c.PerAddress > 0 && !Within(c.Proxies, a)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.open >= c.Most:
		return nil, ErrFull
	case bound && c.by[of] >= c.PerAddress:
		return nil, ErrAddressFull
	}
	c.open++
	if bound {
		if c.by == nil {
			c.by = map[netip.Prefix]int{}
		}
		c.by[of]++
	}
	return sync.OnceFunc(func() { c.leave(of, bound) }), nil
}

func (c *Connections) leave(of netip.Prefix, bound bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if !bound {
		return
	}
	if c.by[of]--; c.by[of] == 0 {
		delete(c.by, of)
	}
}

// A Listener closes at once the connections that are not let in: they take no descriptor from the others, and whoever waited for one to
// end would be held up by those who hold them all.
type Listener struct {
	net.Listener
	Connections *Connections
	// Refused is told of each that was closed, and why; nil: nobody is.
	Refused func(error)
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := l.Connections.Enter(c.RemoteAddr())
		if err == nil {
			return &conn{c, leave}, nil
		}
		c.Close() // nobody is told anything on it
		if l.Refused != nil {
			l.Refused(err)
		}
	}
}

// A conn gives its place back when it is closed.
type conn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

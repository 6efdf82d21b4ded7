package network

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7":             "192.0.2.7/32",
		"::ffff:192.0.2.7":      "192.0.2.7/32",
		"2001:db8:1:2:3::4":     "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":   "2001:db8:1:2::/64",
		"fe80::1%eth0":          "fe80::/64",
		"2001:db8:1:3::1":       "2001:db8:1:3::/64",
		"::ffff:192.0.2.7%eth0": "192.0.2.7/32",
	} {
		if got := Of(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%s counts as %s, want %s", address, got, want)
		}
	}
	if got := Of(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address counts as %v", got)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text, want string
		in, out    string
	}{
		{"10.1.2.3", "10.1.2.3/32", "::ffff:10.1.2.3", "10.1.2.4"},
		{"::ffff:10.1.2.3", "10.1.2.3/32", "10.1.2.3", "10.1.2.4"},
		{"10.1.2.3/16", "10.1.0.0/16", "10.1.255.255", "10.2.0.0"},
		{"2001:db8::1", "2001:db8::1/128", "2001:db8::1", "2001:db8::2"},
		{"2001:db8::/48", "2001:db8::/48", "2001:db8:0:ffff::1%eth0", "2001:db8:1::"},
	} {
		p, err := Parse(c.text)
		if err != nil || p.String() != c.want {
			t.Errorf("%s: %v %v", c.text, p, err)
			continue
		}
		if all := []netip.Prefix{p}; !Within(all, netip.MustParseAddr(c.in)) || Within(all, netip.MustParseAddr(c.out)) || Within(all, netip.Addr{}) {
			t.Errorf("%s: who is within", c.text)
		}
	}
	for _, text := range []string{"", "proxy.example", "10.1.2.3:443", "10.1.2.0/33", "10.1.2"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q: %v", text, p)
		}
	}
	if Within(nil, netip.MustParseAddr("10.1.2.3")) {
		t.Error("within nothing")
	}
}

func tcp(address string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 1))
}

func TestZeroConnections(t *testing.T) {
	if _, err := new(Connections).Enter(tcp("192.0.2.1")); !errors.Is(err, ErrFull) {
		t.Errorf("the zero value lets somebody in: %v", err)
	}
}

// TestConnections holds the count against a reference that knows who is there by name.
func TestConnections(t *testing.T) {
	addresses := []string{"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "10.0.0.1", "10.0.0.2"}
	of := map[string]string{"::ffff:192.0.2.1": "192.0.2.1", "2001:db8::2": "2001:db8::1", "10.0.0.1": "", "10.0.0.2": ""}
	rapid.Check(t, func(t *rapid.T) {
		c := &Connections{Most: rapid.IntRange(1, 8).Draw(t, "most"), PerAddress: rapid.IntRange(0, 3).Draw(t, "per address"),
			Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
		type there struct {
			who   string
			leave func()
		}
		var all, gone []there
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				from := rapid.SampledFrom(addresses).Draw(t, "from")
				who, known := of[from]
				if !known {
					who = from
				}
				same := 0
				for _, one := range all {
					if one.who == who {
						same++
					}
				}
				var want error
				switch {
				case len(all) == c.Most:
					want = ErrFull
				case who != "" && c.PerAddress > 0 && same == c.PerAddress:
					want = ErrAddressFull
				}
				leave, err := c.Enter(tcp(from))
				if err != want {
					t.Fatalf("%s: %v, want %v", from, err, want)
				}
				if err == nil {
					all = append(all, there{who, leave})
				}
			},
			"leave": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip("nobody is there")
				}
				i := rapid.IntRange(0, len(all)-1).Draw(t, "who")
				all[i].leave()
				gone, all = append(gone, all[i]), append(all[:i:i], all[i+1:]...)
			},
			"leave again": func(*rapid.T) {
				for _, one := range gone {
					one.leave()
				}
			},
		})
		for _, one := range all {
			one.leave()
		}
		if c.open != 0 || len(c.by) != 0 {
			t.Fatalf("%d are there when all have left, %v", c.open, c.by)
		}
	})
}

// A scripted listener gives its connections, and then ends.
type scripted struct {
	net.Listener
	conns []net.Conn
}

func (s *scripted) Accept() (net.Conn, error) {
	if len(s.conns) == 0 {
		return nil, net.ErrClosed
	}
	c := s.conns[0]
	s.conns = s.conns[1:]
	return c, nil
}

// from is a connection from an address.
type from struct {
	net.Conn
	address net.Addr
	closed  int
}

func (f *from) RemoteAddr() net.Addr { return f.address }
func (f *from) Close() error         { f.closed++; return nil }

// TestListener: who comes when the most are there is sent away, and a place that is given back, however often, is one.
func TestListener(t *testing.T) {
	for _, c := range []struct {
		name        string
		connections *Connections
		want        error
	}{
		{"of all", &Connections{Most: 2}, ErrFull},
		{"of one address", &Connections{Most: 9, PerAddress: 2}, ErrAddressFull},
	} {
		var refused []error
		inner := &scripted{}
		l := &Listener{Listener: inner, Connections: c.connections, Refused: func(err error) { refused = append(refused, err) }}
		come := func(n int) (came []*from, in []net.Conn) {
			for range n {
				one := &from{address: tcp("192.0.2.1")}
				came, inner.conns = append(came, one), append(inner.conns, one)
			}
			for {
				one, err := l.Accept()
				if errors.Is(err, net.ErrClosed) {
					return came, in
				}
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				in = append(in, one)
			}
		}
		came, in := come(4)
		if len(in) != 2 || came[0].closed+came[1].closed != 0 || came[2].closed != 1 || came[3].closed != 1 {
			t.Fatalf("%s: %d of 4 were let in", c.name, len(in))
		}
		if len(refused) != 2 || refused[0] != c.want || refused[1] != c.want {
			t.Errorf("%s: told of %v", c.name, refused)
		}
		for range 2 {
			in[0].Close()
		}
		if _, in := come(2); len(in) != 1 {
			t.Errorf("%s: when one has left %d are let in", c.name, len(in))
		}
		l.Refused = nil
		if _, in := come(1); len(in) != 0 {
			t.Errorf("%s: where nobody is told %d are let in", c.name, len(in))
		}
	}
}

// Package outside is the one rule for addresses that strangers make the server contact: those that stand in a registration, in a
// request, or in a statement of a federation (attacks.md O5). There is one of it, so that no way out is weaker than another.
package outside

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrForbidden says that an address is not contacted.
var ErrForbidden = errors.New("an address that is not contacted")

// Networks are networks that are contacted although they are not public: those of the establishment. The zero Networks are none.
type Networks []netip.Prefix

// Admit says whether an address may be contacted: a public one, or one in the networks.
func (n Networks) Admit(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	return public(a) || slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Control is that of a net.Dialer. It judges the address to which the connection is made, after the name was resolved: a name that
// resolves anew cannot change it (DNS rebinding).
func (n Networks) Control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return ErrForbidden
	}
	if !n.Admit(to.Addr()) {
		return fmt.Errorf("%w: %s", ErrForbidden, to.Addr().WithZone("").Unmap())
	}
	return nil
}

// special are networks that are not of the public Internet (IANA, Special-Purpose Address Registries), beside what netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
}

// internet6 is all that is public of IPv6: a list of what is not would miss an address that carries one of IPv4 (::10.0.0.1,
// ::ffff:0:10.0.0.1, 64:ff9b::10.0.0.1) and what is given out tomorrow. The exceptions within it carry one too, or are for documents
// and tests.
var (
	internet6 = netip.MustParsePrefix("2000::/3")
	except6   = []netip.Prefix{
		netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("3fff::/20"),
	}
)

func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() {
		return false
	}
	networks := special
	if a.Is6() {
		if !internet6.Contains(a) {
			return false
		}
		networks = except6
	}
	return !slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

package outside

import (
	"errors"
	"net/netip"
	"testing"
)

// TestO5Public: the addresses of the Special-Purpose Address Registries, one of each, and those that carry an address of IPv4 by which
// a stranger would have the server reach its own networks, or the metadata of the machine's host.
func TestO5Public(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "193.190.1.1": true, "192.0.1.1": true, "172.15.0.1": true, "172.32.0.1": true, "100.128.0.1": true,
		"2a02:2788::1": true, "2606:4700::1111": true, "2600::1": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "127.255.255.254": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false,
		"192.168.1.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "240.0.0.1": false,
		"255.255.255.255": false,
		"::":              false, "::1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false, "100::1": false,
		"2001::1": false, "2001:db8::1": false, "2002:7f00:1::": false, "3fff::1": false, "fc00::1": false, "fd12::1": false,
		"fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false,
		// One of IPv4 in one of IPv6.
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:8.8.8.8": true,
		"::10.0.0.1": false, "::127.0.0.1": false, "::169.254.169.254": false, "::2": false, "::ffff:0:10.0.0.1": false,
		// What nobody gave out, and what is not for the Internet.
		"4000::1": false, "5f00::1": false, "fe00::1": false,
	} {
		a := netip.MustParseAddr(text)
		if got := Networks(nil).Admit(a); got != want {
			t.Errorf("%s: %v", text, got)
		}
		err := Networks(nil).Control("tcp6", netip.AddrPortFrom(a, 443).String(), nil)
		if (err == nil) != want || err != nil && !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", text, err)
		}
		own := a.WithZone("").Unmap()
		if err := (Networks{netip.PrefixFrom(own, own.BitLen())}).Control("tcp6", netip.AddrPortFrom(a, 443).String(), nil); err != nil {
			t.Errorf("%s is allowed: %v", text, err)
		}
	}
}

// TestO5Control: what is no address of a host is not connected to, whatever the networks.
func TestO5Control(t *testing.T) {
	all := Networks{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	for _, address := range []string{"", "1.1.1.1", "name:443", "/tmp/socket"} {
		if all.Control("tcp4", address, nil) == nil {
			t.Errorf("%q", address)
		}
	}
	if all.Control("unix", "1.1.1.1:443", nil) == nil {
		t.Error("a socket of this machine")
	}
	if (Networks)(nil).Admit(netip.Addr{}) || all.Admit(netip.Addr{}) {
		t.Error("the zero address")
	}
}

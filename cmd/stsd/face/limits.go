package face

import (
	"cmp"
	"fmt"
	"net/netip"

	"sceau/internal/network"
)

// A LimitsConfig bounds what those take of the face who have not authenticated.
type LimitsConfig struct {
	MaxConnections int      `yaml:"max-connections"`
	MaxPerAddress  int      `yaml:"max-per-address"`
	MaxStrangers   int      `yaml:"max-strangers"` // octets
	Proxies        []string `yaml:"proxies"`
}

// What a listener takes where the file does not say it. An address may be that of a whole hospital, each of whose browsers holds a
// connection for the minute that a login takes.
const (
	defaultConnections = 1 << 14
	defaultPerAddress  = 1 << 10
)

// check says what is wrong with the limits, and gives the networks of the proxies.
func (l *LimitsConfig) check() (proxies []netip.Prefix, err error) {
	for _, k := range []struct {
		name  string
		value int
	}{{"max-connections", l.MaxConnections}, {"max-per-address", l.MaxPerAddress}} {
		if k.value < 0 {
			return nil, fmt.Errorf("limits: %s: %d is less than nothing", k.name, k.value)
		}
	}
	for _, text := range l.Proxies {
		p, err := network.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("limits: proxies: %q is neither an address nor a network", text)
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("limits: proxies: %s is everybody", text)
		}
		proxies = append(proxies, p)
	}
	return proxies, nil
}

// connections are those of one listener.
func (l *LimitsConfig) connections(proxies []netip.Prefix) *network.Connections {
	return &network.Connections{Most: cmp.Or(l.MaxConnections, defaultConnections), PerAddress: cmp.Or(l.MaxPerAddress, defaultPerAddress), Proxies: proxies}
}

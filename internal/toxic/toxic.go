// Package toxic puts a network that misbehaves between a test and a server: latency, resets, connections that are half open,
// bytes that come in part. It is toxiproxy, in the process of the test.
//
//	network := toxic.New(t, server.Addr().String())
//	dial(network.Addr())
//	network.Add(t, `{"name": "slow", "type": "latency", "attributes": {"latency": 5000}}`)
//	network.Remove(t, "slow")
package toxic

import (
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// A Network forwards to one server.
type Network struct{ proxy *toxiproxy.Proxy }

// New makes a network to the address, without any fault; it ends with the test.
func New(tb testing.TB, upstream string) *Network {
	tb.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	n := &Network{toxiproxy.NewProxy(server, "network", "127.0.0.1:0", upstream)}
	if err := n.proxy.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(n.proxy.Stop)
	return n
}

// Addr is where the network listens, host:port.
func (n *Network) Addr() string { return n.proxy.Listen }

// Add adds a fault as toxiproxy describes one in JSON. It affects connections that are open too.
func (n *Network) Add(tb testing.TB, fault string) {
	tb.Helper()
	if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(fault)); err != nil {
		tb.Fatal(err)
	}
}

// Remove takes a fault away.
func (n *Network) Remove(tb testing.TB, name string) {
	tb.Helper()
	if err := n.proxy.Toxics.RemoveToxic(tb.Context(), name); err != nil {
		tb.Fatal(err)
	}
}

// Down stops listening and cuts all connections; Up begins again at the same address.
func (n *Network) Down() { n.proxy.Stop() }

// Up ends Down.
func (n *Network) Up(tb testing.TB) {
	tb.Helper()
	if err := n.proxy.Start(); err != nil {
		tb.Fatal(err)
	}
}

// Leftovers passes over goroutines of toxiproxy's own, some of which it leaves behind when a connection is cut under a fault.
func Leftovers() []goleak.Option {
	var options []goleak.Option
	for _, function := range []string{"v2/toxics.(*ToxicStub).Run", "v2.(*ToxicLink).read", "v2.(*ToxicLink).write"} {
		options = append(options, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/"+function))
	}
	return options
}

package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// A Guard says where a server goes on behalf of a client: to addresses that a registration names, or a request (attacks.md O5).
type Guard struct {
	// Allow are networks that are contacted although they are not public: those of the establishment, where its applications
	// run.
	Allow []netip.Prefix
	// TLS is the base of the TLS configuration: roots. Nil trusts those of the system.
	TLS *tls.Config
	// Timeout is that of one request, wholly; zero is 5 seconds.
	Timeout time.Duration
}

// ErrForbiddenAddress says that a name led to an address where the server does not go.
var ErrForbiddenAddress = errors.New("an address that is not contacted")

// NewHTTPClient makes a client that contacts public addresses and those that are allowed, by https alone. What is decided on is
// the address to which the connection is made, after the name was resolved: no name can lead elsewhere later. It follows no
// redirect and asks no proxy, which would connect in its place.
func NewHTTPClient(g Guard) *http.Client {
	allow := append([]netip.Prefix(nil), g.Allow...)
	timeout := g.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	dialer := &net.Dialer{Timeout: timeout, Control: func(network, address string, _ syscall.RawConn) error {
		return permit(allow, network, address)
	}}
	config := g.TLS.Clone() // of nil is nil
	if config == nil {
		config = &tls.Config{}
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return &http.Client{
		Timeout: timeout,
		Transport: httpsOnly{&http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    timeout,
			ResponseHeaderTimeout:  timeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           16,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 32 << 10,
			DisableCompression:     true, // what is counted is what is read (Z6)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// httpsOnly refuses what would go out in the clear.
type httpsOnly struct{ next *http.Transport }

func (h httpsOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, errors.New("https alone")
	}
	return h.next.RoundTrip(r)
}

func (h httpsOnly) CloseIdleConnections() { h.next.CloseIdleConnections() }

func permit(allow []netip.Prefix, network, address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return ErrForbiddenAddress
	}
	ip := to.Addr().WithZone("").Unmap()
	for _, p := range allow {
		if p.Contains(ip) {
			return nil
		}
	}
	if !public(ip) {
		return fmt.Errorf("%w: %s", ErrForbiddenAddress, ip)
	}
	return nil
}

// special are networks that are not of the public Internet (IANA, Special-Purpose Address Registries), beside what netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
}

// internet6 is all that is public of IPv6; the exceptions within it carry an IPv4 address, or are for documents and tests.
var (
	internet6 = netip.MustParsePrefix("2000::/3")
	except6   = []netip.Prefix{
		netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("3fff::/20"),
	}
)

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() {
		return false
	}
	networks := special
	if ip.Is6() {
		if !internet6.Contains(ip) {
			return false
		}
		networks = except6
	}
	for _, n := range networks {
		if n.Contains(ip) {
			return false
		}
	}
	return true
}

package client

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"sceau/oidc/internal/outside"
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
var ErrForbiddenAddress = outside.ErrForbidden

// NewHTTPClient makes a client that contacts public addresses and those that are allowed, by https alone. What is decided on is
// the address to which the connection is made, after the name was resolved: no name can lead elsewhere later. It follows no
// redirect and asks no proxy, which would connect in its place.
func NewHTTPClient(g Guard) *http.Client {
	allow := outside.Networks(slices.Clone(g.Allow))
	timeout := g.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	dialer := &net.Dialer{Timeout: timeout, Control: allow.Control}
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

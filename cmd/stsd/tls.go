package main

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// readPairs reads the certificates and keys of the listeners, by address.
func (s *system) readPairs() (map[string]*tls.Certificate, error) {
	pairs := map[string]*tls.Certificate{}
	for _, l := range s.config.Listen {
		if l.Certificate.V == "" {
			continue
		}
		pair, err := tls.LoadX509KeyPair(s.config.path(l.Certificate), s.config.path(l.Key))
		if err != nil {
			return nil, fmt.Errorf("listen %s: %w", l.Address.V, err)
		}
		pairs[l.Address.V] = &pair
	}
	return pairs, nil
}

// tlsConfig returns the TLS settings of a listener, whose certificate a reload may
// change: TLS 1.2 and 1.3 with Go's own choice of suites, session tickets on (a new
// connection costs more than a request).
func tlsConfig(pair *atomic.Pointer[tls.Certificate]) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.Load(), nil },
	}
}

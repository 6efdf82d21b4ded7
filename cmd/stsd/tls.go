package main

import (
	"crypto/tls"
)

// tlsConfig returns the TLS settings of a listener: TLS 1.2 and 1.3 with Go's own
// choice of suites, session tickets on (a new connection costs more than a request).
func (s *system) tlsConfig(certificate, key value[string]) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(s.config.path(certificate), s.config.path(key))
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}, nil
}

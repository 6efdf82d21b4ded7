package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"testing"
)

// freeAddress returns a loopback address that nobody listened on a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// publicKey returns a public key in PKIX DER and PEM.
func publicKey(t testing.TB, key crypto.PublicKey) (der, text []byte) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// serveFile serves a configuration file until the test ends and returns the address of
// its first listener.
func serveFile(t *testing.T, path string) (*system, string) {
	t.Helper()
	p := &problems{file: path}
	config := readConfig(path, p)
	var s *system
	if len(p.list) == 0 {
		s = build(config, p, slog.New(slog.DiscardHandler))
	}
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	started, ended := make(chan []string, 1), make(chan error, 1)
	go func() { ended <- s.serve(ctx, nil, path, func(addresses []string) { started <- addresses }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.close()
	})
	select {
	case addresses := <-started:
		return s, addresses[0]
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return nil, ""
	}
}

func writeConfig(t *testing.T, path, config string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

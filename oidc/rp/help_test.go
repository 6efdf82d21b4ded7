package rp_test

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

const redirect = "https://sceau.example/etab/1/upstream/op/callback"

// configOf is the relying party of a provider for tests.
func configOf(op *rptest.OP) rp.Config {
	c := rp.Config{Issuer: op.Issuer, Discovery: op.Issuer + op.Discovery, ClientID: op.ClientID, Method: rp.ClientSecretPost, Secret: op.Secret,
		RedirectURI: redirect, UserInfo: true, Keep: rp.KeepTokens, Roots: op.Roots, Dial: op.Dial, Now: rptest.Now}
	if op.Secret == "" {
		c.Method, c.Certificate = rp.TLSClientAuth, certificate(testpki.Load().Hospital)
	}
	return c
}

func certificate(l testpki.Leaf) func() (*tls.Certificate, error) {
	return func() (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{l.DER}, PrivateKey: l.Key}, nil
	}
}

func provider(t testing.TB, c rp.Config) *rp.Provider {
	t.Helper()
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// login goes the whole way.
func login(t testing.TB, op *rptest.OP, p *rp.Provider, r rp.Request) (*rp.Login, error) {
	t.Helper()
	f, err := p.Begin(t.Context(), r)
	if err != nil {
		return nil, err
	}
	return p.Finish(t.Context(), f, op.Authorize(t, f.URL))
}

// refused fails unless an error has the reason and says why, and nothing came with it.
func refused(t testing.TB, l *rp.Login, err error, reason rp.Reason, why string) {
	t.Helper()
	if l != nil || rp.ReasonOf(err) != reason || !strings.Contains(err.Error(), why) {
		t.Errorf("%+v, %v; want %s: … %s", l, err, reason, why)
	}
}

// ctx is that of the test.
func ctx(t testing.TB) context.Context { return t.Context() }

// clock is a clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func file(t testing.TB, octets []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, octets, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/audit"
	"sceau/internal/minipki"
)

// TestMutualTLS: only a client with a good certificate of a listed CA gets an answer; each
// other is counted under its reason, and neither log nor journal learns who it was.
func TestMutualTLS(t *testing.T) {
	g := newGate(t, "[one.pem]", "")
	day := 24 * time.Hour
	tests := []struct {
		name        string
		certificate *tls.Certificate
		reason      string
	}{
		{"the right one", g.client(g.one, nil), ""},
		{"none", nil, "no_certificate"},
		{"of a CA that is not listed", g.client(g.two, nil), "unknown_authority"},
		{"of the server's CA", g.client(g.server, nil), "unknown_authority"},
		{"expired", g.client(g.one, func(c *minipki.Template) { c.NotBefore, c.NotAfter = time.Now().Add(-2*day), time.Now().Add(-day) }), "expired"},
		{"not yet valid", g.client(g.one, func(c *minipki.Template) { c.NotBefore, c.NotAfter = time.Now().Add(day), time.Now().Add(2*day) }), "expired"},
		{"for servers", g.client(g.one, func(c *minipki.Template) { c.ExtKeyUsage = []string{minipki.ServerAuth} }), "certificate"},
		{"of another key", &tls.Certificate{Certificate: g.client(g.one, nil).Certificate, PrivateKey: g.client(g.one, nil).PrivateKey}, "protocol"},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, test := range tests {
			t.Run(tls.VersionName(version)+" "+test.name, func(t *testing.T) {
				before := 0
				if test.reason != "" {
					before = g.refusals(test.reason)
				}
				_, err := g.dial(g.settings(test.certificate, version))
				if (err == nil) != (test.reason == "") {
					t.Fatalf("%v", err)
				}
				if test.reason != "" {
					g.wait(test.reason, func() bool { return g.refusals(test.reason) == before+1 })
				}
			})
		}
	}
	_, log, _ := strings.Cut(g.log.String(), "msg=listening")
	_, log, _ = strings.Cut(log, "\n")
	line := regexp.MustCompile(`^time=\S+ level=INFO msg="TLS connection refused" reason=[a-z_]+ count=\d+\n$`)
	for said := range strings.Lines(log) {
		if !line.MatchString(said) {
			t.Errorf("the log tells more than reason and number: %s", said)
		}
	}
	if log == "" {
		t.Error("the log tells nothing")
	}
	for entry, err := range audit.List(filepath.Join(g.dir, "audit"), audit.Query{Since: time.Now().Add(-time.Hour)}) {
		t.Errorf("a handshake is no request, and has a record: %+v %v", entry, err)
	}
}

// TestNoHandshake: what is no TLS, ends early or is refused by the client itself.
func TestNoHandshake(t *testing.T) {
	g := newGate(t, "[one.pem]", "")
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer, _ := io.ReadAll(conn); bytes.Contains(answer, []byte("HTTP/1.1")) {
		t.Errorf("plain HTTP was answered: %q", answer)
	}
	g.wait("not_tls", func() bool { return g.refusals("not_tls") == 1 })

	if conn, err = net.Dial("tcp", g.address); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	g.wait("closed", func() bool { return g.refusals("closed") == 1 })

	distrustful := g.settings(g.client(g.one, nil), tls.VersionTLS13)
	distrustful.RootCAs = x509.NewCertPool()
	if _, err := g.dial(distrustful); err == nil {
		t.Fatal("the client trusts nobody")
	}
	g.wait("alert", func() bool { return g.refusals("alert") == 1 })
}

// TestSilentClient: who connects and says nothing is not waited for.
func TestSilentClient(t *testing.T) {
	g := newGate(t, "[one.pem]", "limits: {read-timeout: 200ms}\n")
	silent, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	g.wait("timeout", func() bool { return g.refusals("timeout") == 1 })
}

// TestTurnedAway: a connection beyond the limit is closed without a word of TLS, so that
// a client who says nothing there does not keep the listener from everybody else.
func TestTurnedAway(t *testing.T) {
	g := newGate(t, "[one.pem]", "limits: {max-connections: 1}\n")
	alice := g.settings(g.client(g.one, nil), tls.VersionTLS13)
	first, err := g.dial(alice)
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := silent.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := silent.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d octets, %v", n, err)
	}
	first.Close()
	g.wait("a free place", func() bool {
		_, err := g.dial(alice)
		return err == nil
	})
}

// TestResumption: a session is resumed for as long as nothing of the listener changes; a
// ticket of before a change of client-authorities opens nothing, be its client admitted
// still or no more.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			g := newGate(t, "[one.pem]", "")
			alice := g.settings(g.client(g.one, nil), version)
			connect := func(resumed bool) *session {
				t.Helper()
				c, err := g.dial(alice)
				if err != nil {
					t.Fatal(err)
				}
				if c.ConnectionState().DidResume != resumed {
					t.Errorf("resumed: %v", !resumed)
				}
				return c
			}
			connect(false)
			connect(true)
			g.reloadWith("[one.pem]")
			connect(true)
			g.reloadWith("[one.pem, two.pem]")
			connect(false)
			connect(true)
			g.reloadWith("[two.pem]")
			if _, err := g.dial(alice); err == nil {
				t.Error("a ticket of before let in a client of a CA that was withdrawn")
			}
			g.wait("unknown_authority", func() bool { return g.refusals("unknown_authority") == 1 })
		})
	}
}

// TestTicketWithoutCertificate: a ticket of a time when no certificate was asked for does
// not stand for one.
func TestTicketWithoutCertificate(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		g := newGate(t, "", "")
		anybody := g.settings(nil, version)
		for range 2 {
			if _, err := g.dial(anybody); err != nil {
				t.Fatal(err)
			}
		}
		g.reloadWith("[one.pem]")
		if _, err := g.dial(anybody); err == nil {
			t.Errorf("%s: admitted without a certificate", tls.VersionName(version))
		}
		g.wait("no_certificate", func() bool { return g.refusals("no_certificate") == 1 })
	}
}

// TestOpenConnections: after a reload an open connection goes on when its client would be
// admitted anew, and ends before anything more of it is read when not.
func TestOpenConnections(t *testing.T) {
	g := newGate(t, "[one.pem, two.pem]", "")
	open := func(issuer *minipki.Authority) *session {
		t.Helper()
		c, err := g.dial(g.settings(g.client(issuer, nil), tls.VersionTLS13))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one, two := open(g.one), open(g.two)
	g.reloadWith("[one.pem]")
	for range 2 {
		if err := one.ask(); err != nil {
			t.Errorf("a client that is still admitted lost its connection: %v", err)
		}
	}
	if err := two.ask(); err == nil {
		t.Error("a client of a CA that was withdrawn was answered")
	}
	g.wait("withdrawn", func() bool { return g.refusals("withdrawn") == 1 })

	g.reloadWith("")
	anybody, err := g.dial(g.settings(nil, tls.VersionTLS13))
	if err != nil {
		t.Fatal(err)
	}
	if err := one.ask(); err != nil {
		t.Errorf("a connection ended because certificates are asked for no more: %v", err)
	}
	g.reloadWith("[one.pem]")
	if err := anybody.ask(); err == nil {
		t.Error("a connection without a certificate outlived the demand for one")
	}
	if err := one.ask(); err != nil {
		t.Errorf("%v", err)
	}
}

// TestServerCertificate: a reload shows the new certificate of the server, to clients with
// tickets of the old one too.
func TestServerCertificate(t *testing.T) {
	g := newGate(t, "[one.pem]", "")
	alice := g.settings(g.client(g.one, nil), tls.VersionTLS13)
	var shown []string
	for range 2 {
		c, err := g.dial(alice)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, c.ConnectionState().PeerCertificates[0].Subject.String())
		template := minipki.TLSServer("127.0.0.1")
		template.Subject = minipki.DN("CN", "the next")
		if err := g.writePair(g.dir, template); err != nil {
			t.Fatal(err)
		}
		g.reloadWith("[one.pem]")
	}
	if want := []string{"CN=127.0.0.1", "CN=the next"}; !slices.Equal(shown, want) {
		t.Errorf("shown %q, want %q", shown, want)
	}
}

// TestClientAuthoritiesRefused: what could be meant to ask for certificates and would not
// is no configuration, and a refused reload leaves the gate shut.
func TestClientAuthoritiesRefused(t *testing.T) {
	g := newGate(t, "[one.pem]", "")
	leaf := g.client(g.one, nil)
	for name, content := range map[string][]byte{"leaf.pem": minipki.CertificatePEM(leaf.Certificate...), "empty.pem": []byte("nothing\n"),
		"half.pem": minipki.CertificatePEM(g.one.DER(), leaf.Certificate[0])} {
		if err := os.WriteFile(filepath.Join(g.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, config, want string }{
		{"nothing", g.with(" "), "stsd.yaml:6: listen: client-authorities is a list of files"},
		{"null", g.with("null"), "is a list of files"},
		{"empty list", g.with("[]"), "is a list of files"},
		{"no list", g.with("one.pem"), "is a list of files"},
		{"no name", g.with("[null]"), "is a list of files"},
		{"no file", g.with("[none.pem]"), "listen: client-authorities: none.pem: "},
		{"no certificate", g.with("[empty.pem]"), "listen: client-authorities: empty.pem: "},
		{"no CA", g.with("[leaf.pem]"), " is no CA"},
		{"one of two is no CA", g.with("[half.pem]"), " is no CA"},
		{"without TLS", strings.Replace(g.with("[one.pem]"), "    certificate: tls.pem\n    key: tls.key\n", "", 1), "client-authorities go with certificate and key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(g.path, []byte(test.config), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := g.reload(g.path); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if _, err := g.dial(g.settings(nil, tls.VersionTLS13)); err == nil {
		t.Error("a refused reload opened the gate")
	}
}

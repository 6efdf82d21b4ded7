package main

import (
	"bufio"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sceau/internal/minipki"
)

// A gate is a server whose listener asks clients for certificates, with the keys of
// everybody.
type gate struct {
	*served
	t                *testing.T
	address, admin   string
	server, one, two *minipki.Authority // of the server, and of clients
	base             string             // the configuration, without client-authorities
}

func newGate(t *testing.T, authorities, more string) *gate {
	t.Helper()
	g := &gate{t: t}
	g.server, g.one, g.two = g.root("Server CA"), g.root("Client CA one"), g.root("Client CA two")
	g.served, _ = startDemoServerWith(t, func(dir, config string) string {
		err := errors.Join(g.writePair(dir, minipki.TLSServer("127.0.0.1")),
			os.WriteFile(filepath.Join(dir, "one.pem"), minipki.CertificatePEM(g.one.DER()), 0o600),
			os.WriteFile(filepath.Join(dir, "two.pem"), minipki.CertificatePEM(g.two.DER()), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		g.base = strings.Replace(config+more, "\nadmin:", "\n    certificate: tls.pem\n    key: tls.key\nadmin:", 1)
		return g.with(authorities)
	})
	g.address, g.admin = g.config.Listen[0].Address.V, "http://"+g.config.Admin.V
	return g
}

// writePair writes a new key and certificate of the server.
func (g *gate) writePair(dir string, template minipki.Template) error {
	pair := g.leaf(g.server, template)
	text, err := minipki.KeyPEM(pair.PrivateKey.(crypto.Signer))
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "tls.key"), text, 0o600),
		os.WriteFile(filepath.Join(dir, "tls.pem"), minipki.CertificatePEM(pair.Certificate...), 0o600))
}

// with returns the configuration with a line of client-authorities, empty for none.
func (g *gate) with(authorities string) string {
	if authorities == "" {
		return g.base
	}
	return strings.Replace(g.base, "\nadmin:", "\n    client-authorities: "+authorities+"\nadmin:", 1)
}

// reloadWith changes client-authorities and waits until that is in force.
func (g *gate) reloadWith(authorities string) {
	g.t.Helper()
	if err := os.WriteFile(g.path, []byte(g.with(authorities)), 0o600); err != nil {
		g.t.Fatal(err)
	}
	before := strings.Count(g.log.String(), "msg=reloaded")
	g.hangup <- syscall.SIGHUP
	g.wait("a reload", func() bool { return strings.Count(g.log.String(), "msg=reloaded") > before })
}

func (g *gate) wait(what string, done func() bool) {
	g.t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	g.t.Fatalf("waited in vain for %s; the log:\n%s", what, g.log)
}

func (g *gate) root(name string) *minipki.Authority {
	g.t.Helper()
	key, err := minipki.GenerateKey(minipki.P256)
	if err != nil {
		g.t.Fatal(err)
	}
	a, err := minipki.NewRoot(minipki.CA(minipki.DN("CN", name), time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)), key)
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

func (g *gate) leaf(issuer *minipki.Authority, template minipki.Template) *tls.Certificate {
	g.t.Helper()
	key, err := minipki.GenerateKey(minipki.P256)
	if err != nil {
		g.t.Fatal(err)
	}
	der, err := issuer.Issue(template, key.Public())
	if err != nil {
		g.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const clientName = "ALICE EXAMPLE"

func (g *gate) client(issuer *minipki.Authority, change func(*minipki.Template)) *tls.Certificate {
	g.t.Helper()
	template := minipki.EHealth(minipki.Holder{Type: "SSIN", Value: aliceSSIN, Name: clientName})
	if change != nil {
		change(&template)
	}
	return g.leaf(issuer, template)
}

// settings are those of a client that shows a certificate whatever the server asks for.
func (g *gate) settings(certificate *tls.Certificate, version uint16) *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(minipki.CertificatePEM(g.server.DER()))
	if certificate == nil {
		certificate = new(tls.Certificate)
	}
	return &tls.Config{
		RootCAs: roots, ServerName: "127.0.0.1", MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(4),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil },
	}
}

// A session is one TLS connection of a client.
type session struct {
	*tls.Conn
	answers *bufio.Reader
}

// dial opens a connection and makes one request, which also brings the session tickets.
func (g *gate) dial(config *tls.Config) (*session, error) {
	conn, err := tls.Dial("tcp", g.address, config)
	if err != nil {
		return nil, err
	}
	g.t.Cleanup(func() { conn.Close() })
	c := &session{conn, bufio.NewReader(conn)}
	return c, c.ask()
}

func (c *session) ask() error {
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "OPTIONS / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// refusals returns how many handshakes were refused for a reason, as operators see it.
func (g *gate) refusals(reason string) (n int) {
	g.t.Helper()
	response, err := http.Get(g.admin + "/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), fmt.Sprintf("sceau_tls_refused_total{reason=%q} ", reason))
	if _, err := fmt.Sscan(rest, &n); err != nil || !found {
		g.t.Fatalf("no counter of %s: %v", reason, err)
	}
	return n
}

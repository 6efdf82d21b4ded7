package main

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestTLS: a listener with a certificate speaks TLS 1.2 and 1.3 and nothing older, and
// may be on any address; check leaves the journal of a running server alone.
func TestTLS(t *testing.T) {
	d := &demo{dir: t.TempDir(), out: new(strings.Builder)}
	if err := d.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := testpki.Load().Server
	for name, content := range map[string][]byte{
		"tls.pem": server.CertificatePEM(), "tls.key": server.KeyPEM(),
		"stsd.yaml": []byte(strings.Replace(demoConfig(freeAddress(t), ""), "\nadmin:", "\n    certificate: tls.pem\n    key: tls.key\nadmin:", 1)),
	} {
		if err := os.WriteFile(filepath.Join(d.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(d.dir, "stsd.yaml")
	_, address := serveFile(t, path)
	if !strings.HasPrefix(address, "https://") {
		t.Fatal(address)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(minipki.CertificatePEM(testpki.Load().EHealthRoot.DER()))
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, MinVersion: version, MaxVersion: version, Time: testpki.Now, ServerName: "localhost"}}}
		response, err := client.Get(address + pathQuery + "?wsdl")
		if (err == nil) != want {
			t.Errorf("TLS version %x: %v", version, err)
		}
		if err == nil {
			response.Body.Close()
		}
		client.CloseIdleConnections()
	}

	p := &problems{file: path}
	if s := prepare(readConfig(path, p), p, slog.New(slog.DiscardHandler), true); s == nil {
		t.Errorf("check beside a running server: %v", p.err())
	} else {
		s.close()
	}
}

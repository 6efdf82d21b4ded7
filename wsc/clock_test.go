package wsc_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/wsc"
)

func TestCheckClock(t *testing.T) {
	date := testpki.Now().Add(90 * time.Second)
	status := 405
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodOptions {
			t.Errorf("method %s", r.Method)
		}
		if date.IsZero() {
			w.Header()["Date"] = nil
		} else {
			w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	ticks := 0
	client := clientOf(t, func(c *wsc.Config) {
		c.Trust = nil
		c.Now = func() time.Time { ticks++; return testpki.Now().Add(time.Duration(ticks) * time.Second) }
	})
	for _, status = range []int{200, 405, 302, 500} {
		ticks = 0
		clock, err := client.CheckClock(t.Context(), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		// Sent at +1 s, answered at +2 s: the server's 90.5 s stand against 1.5 s.
		want := wsc.Clock{Server: date, Offset: 89 * time.Second, Uncertainty: time.Second}
		if !clock.Server.Equal(want.Server) || clock.Offset != want.Offset || clock.Uncertainty != want.Uncertainty {
			t.Errorf("%+v", clock)
		}
		if clock.Within(87*time.Second) || !clock.Within(88*time.Second) {
			t.Error("Within does not allow for the uncertainty")
		}
	}
	if (wsc.Clock{Offset: -time.Hour}).Within(time.Minute) {
		t.Error("a clock behind")
	}
	date = time.Time{}
	if _, err := client.CheckClock(t.Context(), server.URL); wsc.ReasonOf(err) != wsc.NoDate {
		t.Error(err)
	}
	if _, err := client.CheckClock(t.Context(), "ftp://x"); wsc.ReasonOf(err) != wsc.BadEndpoint {
		t.Error(err)
	}
}

// The server's TLS certificate is verified, with the authorities that are configured.
func TestTLS(t *testing.T) {
	pki := testpki.Load()
	sts := newSTS(t)
	start := func(versions *tls.Config) string {
		server := httptest.NewUnstartedServer(sts)
		versions.Certificates = []tls.Certificate{{Certificate: [][]byte{pki.Server.DER}, PrivateKey: pki.Server.Key}}
		server.TLS = versions
		server.Config.ErrorLog = discard()
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.URL
	}
	url := start(&tls.Config{MinVersion: tls.VersionTLS12})
	old := start(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	roots := x509.NewCertPool()
	root, err := x509.ParseCertificate(pki.EHealthRoot.DER())
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	if _, err := clientOf(t, func(c *wsc.Config) { c.Roots = roots }).Token(t.Context(), url, alice(t), doctorRequest()); err != nil {
		t.Errorf("with its root: %v", err)
	}
	if _, err := clientOf(t, nil).Token(t.Context(), url, alice(t), doctorRequest()); wsc.ReasonOf(err) != wsc.Unreachable {
		t.Errorf("without its root: %v", err)
	}
	if _, err := clientOf(t, func(c *wsc.Config) { c.Roots = roots }).Token(t.Context(), old, alice(t), doctorRequest()); wsc.ReasonOf(err) != wsc.Unreachable {
		t.Errorf("TLS 1.1: %v", err)
	}
}

package remote

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

func file(t *testing.T, octets []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, octets, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestSecret(t *testing.T) {
	for name, tt := range map[string]struct{ text, want, why string }{
		"a line":           {"secret\n", "secret", ""},
		"without its end":  {"secret", "secret", ""},
		"of another world": {"secret\r\n", "secret", ""},
		"with blanks":      {" se cret \n", " se cret ", ""},
		"empty":            {"", "", "empty"},
		"an empty line":    {"\n", "", "empty"},
		"two lines":        {"secret\nanother\n", "", "one line"},
		"a NUL":            {"sec\x00ret", "", "one line"},
		"too long":         {strings.Repeat("a", maxSecretBytes+1), "", "more than"},
	} {
		got, err := Secret(file(t, []byte(tt.text)))
		if got != tt.want || (err == nil) != (tt.why == "") || err != nil && (!strings.Contains(err.Error(), tt.why) || strings.Contains(err.Error(), "secret\n")) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", filepath.Join(t.TempDir(), "none")} {
		if got, err := Secret(name); err == nil || got != "" {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}

func TestLoopback(t *testing.T) {
	for _, host := range []string{"localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1"} {
		if !Loopback(host) {
			t.Errorf("%s is not", host)
		}
	}
	for _, host := range []string{"", "localhost.example", "128.0.0.1", "0.0.0.0", "::", "127.0.0.1.example", "127.1", "localhost."} {
		if Loopback(host) {
			t.Errorf("%s is", host)
		}
	}
}

func TestTLS(t *testing.T) {
	pki := testpki.Load()
	ca := file(t, minipki.CertificatePEM(pki.EHealthCA.DER(), pki.EHealthRoot.DER()))
	certificate, key := file(t, pki.Server.CertificatePEM()), file(t, pki.Server.KeyPEM())
	for name, tt := range map[string]struct {
		TLS
		why string
	}{
		"nothing":              {TLS{}, "no file of certification authorities"},
		"an authority":         {TLS{CAFile: ca}, ""},
		"a client":             {TLS{CAFile: ca, CertificateFile: certificate, KeyFile: key}, ""},
		"no key":               {TLS{CAFile: ca, CertificateFile: certificate}, "go together"},
		"no certificate":       {TLS{CAFile: ca, KeyFile: key}, "go together"},
		"not its key":          {TLS{CAFile: ca, CertificateFile: certificate, KeyFile: file(t, pki.AliceEID.KeyPEM())}, "match"},
		"no file":              {TLS{CAFile: filepath.Join(t.TempDir(), "none")}, "none"},
		"no authority in it":   {TLS{CAFile: file(t, []byte("text"))}, "no certificate in it"},
		"a key in it":          {TLS{CAFile: key}, "block of type"},
		"a broken certificate": {TLS{CAFile: file(t, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))}, "x509"},
		"more than a file":     {TLS{CAFile: file(t, make([]byte, maxPEMBytes+1))}, "more than"},
	} {
		c, err := tt.Config(testpki.Now)
		if (err == nil) != (tt.why == "") || err != nil && !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (c.RootCAs == nil || c.MinVersion != tls.VersionTLS12 || c.InsecureSkipVerify || !c.Time().Equal(testpki.Now())) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestClientCertificateIsRenewed: the files of the client are read at each handshake.
func TestClientCertificateIsRenewed(t *testing.T) {
	pki := testpki.Load()
	settings := TLS{CAFile: file(t, minipki.CertificatePEM(pki.EHealthRoot.DER())),
		CertificateFile: file(t, pki.Server.CertificatePEM()), KeyFile: file(t, pki.Server.KeyPEM())}
	c, err := settings.Config(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for path, octets := range map[string][]byte{settings.CertificateFile: pki.AliceEID.CertificatePEM(), settings.KeyFile: pki.AliceEID.KeyPEM()} {
		if err := os.WriteFile(path, octets, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := c.GetClientCertificate(nil)
	if err != nil || string(pair.Certificate[0]) != string(pki.AliceEID.DER) {
		t.Errorf("%v", err)
	}
}

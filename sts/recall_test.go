package sts_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/sts"
	"sceau/sts/ststest"
)

// warm answers messages until both certificates are found by their base64.
func warm(t *testing.T, f *ststest.Fixture, q ststest.Query) {
	t.Helper()
	for range 3 {
		if status, body := ask(f, f.Message(t, q)); status != http.StatusOK || !strings.Contains(body, `Value="samlp:Success"`) {
			t.Fatalf("%d\n%s", status, body)
		}
		f.Certificates.Settle()
	}
	for _, leaf := range []*testpki.Leaf{q.Identity, q.Holder} {
		if f.Certificates.Recall([]byte(base64.StdEncoding.EncodeToString(leaf.DER))) == nil {
			t.Fatal("a certificate is not recalled")
		}
	}
}

// TestRecalled: a service that recalls the certificates of a message judges it as one that reads
// them for the first time: another text of the certificate is refused where its octets are
// others, and signatures by other keys are.
func TestRecalled(t *testing.T) {
	pki := testpki.Load()
	q := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256}
	f := ststest.New(t, nil)
	warm(t, f, q)
	thief := func(leaf testpki.Leaf) *testpki.Leaf {
		leaf.Key = pki.OtherKeyP256()
		return &leaf
	}
	broken := func(leaf *testpki.Leaf, from, to string) func() []byte {
		return func() []byte {
			text := base64.StdEncoding.EncodeToString(leaf.DER)
			message := f.Message(t, q)
			return bytes.ReplaceAll(message, []byte(text), []byte(strings.Replace(text, from, to, 1)))
		}
	}
	for _, c := range []struct {
		name, want string
		message    func() []byte
	}{
		{"again", `Value="samlp:Success"`, func() []byte { return f.Message(t, q) }},
		{"header signed by another key", "wsse:FailedCheck", func() []byte { return f.Message(t, ststest.Query{Identity: thief(pki.AliceEIDP256), Holder: q.Holder}) }},
		{"inner signature by another key", sts.ConfirmationFailed.Message(), func() []byte {
			return f.Message(t, ststest.Query{Identity: q.Identity, Holder: thief(pki.AliceEHealthP256)})
		}},
		{"token with a line end", "wsse:FailedCheck", broken(q.Identity, "MII", "\nMII")},
		{"token with another letter", "wsse:FailedAuthentication", broken(q.Identity, "A", "B")},
		{"token cut", "wsse:InvalidSecurityToken", broken(q.Identity, "MII", "MI")},
		{"holder's certificate with a line end", "wsse:FailedCheck", broken(q.Holder, "MII", "\nMII")},
	} {
		if _, body := ask(f, c.message()); !strings.Contains(body, c.want) {
			t.Errorf("%s: want %s\n%s", c.name, c.want, body)
		}
	}
}

// TestRecalledAndRevoked: a certificate that was answered a moment ago is refused as soon as a CRL lists it, in
// the token and as the holder's.
func TestRecalledAndRevoked(t *testing.T) {
	pki := testpki.Load()
	q := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256}
	for name, c := range map[string]struct {
		ca   *minipki.Authority
		leaf *testpki.Leaf
		want string
	}{
		"eID":    {pki.CitizenCA, q.Identity, "wsse:FailedAuthentication"},
		"holder": {pki.EHealthCA, q.Holder, sts.HolderNotTrusted.Message()},
	} {
		t.Run(name, func(t *testing.T) {
			f := ststest.New(t, nil)
			warm(t, f, q)
			certificate, err := certs.ParseCertificate(c.leaf.DER)
			if err != nil {
				t.Fatal(err)
			}
			crl, err := c.ca.CRL(minipki.CRL{Number: 2, ThisUpdate: testpki.Now().Add(-time.Hour), NextUpdate: testpki.Now().Add(time.Hour),
				Revoked: []minipki.Revoked{{Serial: certificate.SerialNumber(), At: testpki.Now().Add(-time.Hour)}}})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "new.crl")
			if err := os.WriteFile(path, crl, 0o600); err != nil {
				t.Fatal(err)
			}
			config := certstest.Config(t)
			config.CRL.Files = append(config.CRL.Files, path)
			if err := f.Certificates.Reload(config); err != nil {
				t.Fatal(err)
			}
			if _, body := ask(f, f.Message(t, q)); !strings.Contains(body, c.want) {
				t.Errorf("want %s\n%s", c.want, body)
			}
		})
	}
}

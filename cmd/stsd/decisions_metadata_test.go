package main

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/minipki"
	"sceau/policy/authzen"
)

// writeSigning writes a key that signs metadata, and its certificate.
func writeSigning(g *gate, dir, name string, issuer *minipki.Authority) *x509.Certificate {
	template := minipki.EHealth(minipki.Holder{Type: "CBE", Value: "0417497106", Name: "pdp"})
	pair := g.leaf(issuer, template)
	text, err := minipki.KeyPEM(pair.PrivateKey.(crypto.Signer))
	var leaf *x509.Certificate
	if err == nil {
		leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, name+".key"), text, 0o600),
		os.WriteFile(filepath.Join(dir, name+".pem"), minipki.CertificatePEM(pair.Certificate[0], issuer.DER()), 0o600)); err != nil {
		g.t.Fatal(err)
	}
	return leaf
}

// A PEP that trusts an authority for metadata verifies them to it, and a reload changes the key.
func TestDecisionsMetadata(t *testing.T) {
	d := newDesk(t)
	authority, stranger := d.root("Metadata CA"), d.root("Another CA")
	pep := d.pep(d.one, "dtw")
	// judge gives who signed, or why it does not hold under the authority.
	judge := func() (*x509.Certificate, error) {
		t.Helper()
		response, err := pep.Get("https://" + d.address + "/.well-known/authzen-configuration")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var plain map[string]string
		if err := json.NewDecoder(response.Body).Decode(&plain); err != nil {
			t.Fatal(err)
		}
		token, err := jose.ParseSigned(plain["signed_metadata"], []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(minipki.CertificatePEM(authority.DER()))
		chains, err := token.Signatures[0].Protected.Certificates(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			return nil, err
		}
		text, err := token.Verify(chains[0][0].PublicKey)
		if err != nil {
			return nil, err
		}
		var claims map[string]any
		if err := json.Unmarshal(text, &claims); err != nil {
			t.Fatal(err)
		}
		delete(plain, "signed_metadata")
		for name, value := range plain {
			if claims[name] != value {
				t.Errorf("%s is %v and not %v", name, claims[name], value)
			}
		}
		if claims["iss"] != "https://"+d.address || len(claims) != len(plain)+3 {
			t.Errorf("claims: %v", claims)
		}
		return chains[0][0], nil
	}
	if _, err := judge(); err == nil {
		t.Error("signed without a key")
	}
	signed := d.text("one.pem", "CN=dtw") + "  metadata: {key: metadata.key, certificate: metadata.pem}\n"
	for range 2 {
		want := writeSigning(d.gate, d.dir, "metadata", authority)
		d.reload(signed)
		if got, err := judge(); err != nil || !got.Equal(want) {
			t.Errorf("%v, %v", got, err)
		}
	}
	writeSigning(d.gate, d.dir, "metadata", stranger)
	d.reload(signed)
	var unknown x509.UnknownAuthorityError
	if _, err := judge(); !errors.As(err, &unknown) {
		t.Errorf("of another authority: %v", err)
	}
	want := writeSigning(d.gate, d.dir, "metadata", authority)
	d.reload(signed)
	writeFiles(t, d.dir, "metadata.pem", string(minipki.CertificatePEM(stranger.DER())))
	d.hangup <- syscall.SIGHUP
	d.waitLog(t, "reload refused")
	if got, err := judge(); err != nil || !got.Equal(want) {
		t.Errorf("after a reload that was refused: %v, %v", got, err)
	}
}

func TestMetadataKeys(t *testing.T) {
	g, dir := &gate{t: t}, t.TempDir()
	authority := g.root("Metadata CA")
	good := writeSigning(g, dir, "good", authority)
	writeSigning(g, dir, "other", authority)
	var log strings.Builder
	at := time.Now()
	read := func(text string) (*authzen.MetadataKey, error) {
		p := &problems{file: "stsd.yaml"}
		c := parseConfig([]byte("decisions: {metadata: "+text+"}\n"), dir, p)
		s := &system{config: c, now: func() time.Time { return at }, log: slog.New(slog.NewTextHandler(&log, nil))}
		return s.readMetadataKey(p), p.err()
	}
	for text, want := range map[string]string{
		``:                                       "decisions: metadata: want keys and values",
		`good.key`:                               "decisions: metadata: want keys and values",
		`{}`:                                     "decisions: metadata: no key",
		`{file: good.key}`:                       `unknown key "file"`,
		`{key: none.key, certificate: good.pem}`: "none.key",
		`{key: good.key, certificate: none.pem}`: "none.pem",
		`{key: good.key}`:                        "certificate",
		`{key: good.key, certificate: other.pem}`:          "no certificate is that of the key",
		`{key: "pkcs11:object=a", certificate: good.pem}`:  "a PEM file, and none on a token",
		`{key: "file://host/good", certificate: good.pem}`: "is no file URI",
	} {
		if key, err := read(text); key != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
	right := []string{`{key: good.key, certificate: good.pem}`, `{key: "file:` + filepath.ToSlash(dir) + `/good.key", certificate: good.pem}`}
	for _, text := range right {
		if key, err := read(text); err != nil || len(key.Chain) != 2 || !key.Chain[0].Equal(good) || log.Len() > 0 {
			t.Errorf("%s: %v, %v, %s", text, key, err, log.String())
		}
	}
	at = good.NotAfter.Add(-time.Hour)
	if _, err := read(right[0]); err != nil || !strings.Contains(log.String(), "the certificate of the key that signs metadata ends") {
		t.Errorf("an hour before its end: %v, %s", err, log.String())
	}
	at = good.NotAfter.Add(time.Hour)
	if key, err := read(right[0]); err == nil {
		t.Errorf("a certificate that has ended was taken: %v", key)
	}
	p := &problems{file: "stsd.yaml"}
	s := &system{config: parseConfig([]byte("decisions: {metadata: {key: good.key}}\n"), dir, p)}
	if s.checkDecisions(p); p.err() == nil || !strings.Contains(p.err().Error(), "stsd.yaml:1: decisions: no address") {
		t.Errorf("without address: %v", p.err())
	}
}

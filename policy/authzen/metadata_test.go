package authzen

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/judge"
)

// authority issues certificates for keys that sign metadata.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func issue(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newAuthority(t *testing.T) *authority {
	a := &authority{key: curveKey(t, elliptic.P256())}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Metadata CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: start.Add(-time.Hour), NotAfter: start.AddDate(1, 0, 0)}
	a.certificate = issue(t, template, template, a.key.Public(), a.key)
	return a
}

func curveKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign gives a key that signs, and its certificate until an end.
func (a *authority) sign(t *testing.T, key crypto.Signer, end time.Time) *MetadataKey {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "pdp.example.com"}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: start.Add(-time.Hour), NotAfter: end}
	return &MetadataKey{Signer: key, Chain: []*x509.Certificate{issue(t, template, a.certificate, key.Public(), a.key), a.certificate}}
}

// describe gets the metadata.
func (s *service) describe(t *testing.T) (document map[string]any, cache string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/authzen-configuration", nil))
	if w.Code != http.StatusOK {
		return nil, w.Header().Get("Cache-Control")
	}
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	return document, w.Header().Get("Cache-Control")
}

func (s *service) signedBy(t *testing.T, key *MetadataKey) string {
	t.Helper()
	s.config.MetadataKey = key
	if err := s.Replace(s.config); err != nil {
		t.Fatal(err)
	}
	document, _ := s.describe(t)
	signed, _ := document["signed_metadata"].(string)
	if signed == "" || len(document) != 7 {
		t.Fatalf("unsigned, or more than metadata: %v", document)
	}
	return signed
}

// What others make of signed metadata: PyJWT, with the path checked by the cryptography package, for every kind of key; and that they
// refuse what is not so.
func TestSignedMetadataJudged(t *testing.T) {
	program := judge.Python(t, "jwt", "cryptography")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a, s := newAuthority(t), certification(t)
	plain, _ := s.describe(t)
	end := start.AddDate(0, 6, 0)
	algorithms := []string{"RS256", "ES256", "ES384", "ES512"}
	var tokens []string
	for _, key := range []crypto.Signer{rsaKey, curveKey(t, elliptic.P256()), curveKey(t, elliptic.P384()), curveKey(t, elliptic.P521())} {
		tokens = append(tokens, s.signedBy(t, a.sign(t, key, end)))
	}
	header, rest, _ := strings.Cut(tokens[1], ".")
	_, signature, _ := strings.Cut(tokens[2], ".")
	tokens = append(tokens, s.signedBy(t, newAuthority(t).sign(t, rsaKey, end)), header+"."+signature, header+"."+rest[:len(rest)-8]+"AAAAAAAA")

	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, filepath.Join("testdata", "judge.py"), file, "https://pdp.example.com", strconv.FormatInt(start.Unix(), 10))
	command.Stdin = strings.NewReader(strings.Join(tokens, "\n") + "\n")
	var wrong bytes.Buffer
	command.Stderr = &wrong
	output, err := command.Output()
	answers := strings.Split(strings.TrimSpace(string(output)), "\n")
	if err != nil || len(answers) != len(tokens) {
		t.Fatalf("%v: %s%s", err, output, &wrong)
	}
	for i, answer := range answers {
		var judged struct {
			Header struct{ Alg, Kid, Typ string }
			Claims map[string]any
		}
		err := json.Unmarshal([]byte(answer), &judged)
		if i >= len(algorithms) {
			if err == nil || !strings.HasPrefix(answer, `"InvalidSignature`) {
				t.Errorf("token %d was taken, or refused for something else: %s", i, answer)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %s", algorithms[i], answer)
			continue
		}
		if judged.Header.Alg != algorithms[i] || judged.Header.Typ != "JWT" || len(judged.Header.Kid) != 43 {
			t.Errorf("%s: header %+v", algorithms[i], judged.Header)
		}
		want := maps.Clone(plain)
		want["iss"], want["iat"], want["exp"] = "https://pdp.example.com", float64(start.Unix()), float64(start.Add(metadataLife).Unix())
		if !reflect.DeepEqual(judged.Claims, want) {
			t.Errorf("%s: claims %v instead of %v", algorithms[i], judged.Claims, want)
		}
	}
}

// The signature is renewed in time for those who keep it, ends with the certificate, and where there can be none there are no metadata:
// whoever wants them signed would otherwise be told the plain ones by whoever can delay a renewal.
func TestSignedMetadataRenewed(t *testing.T) {
	s := certification(t)
	var log bytes.Buffer
	at := start
	s.config.Now, s.config.Log = func() time.Time { return at }, slog.New(slog.NewTextHandler(&log, nil))
	first := s.signedBy(t, newAuthority(t).sign(t, curveKey(t, elliptic.P256()), start.Add(25*time.Hour)))
	signed := func() (string, string) {
		document, cache := s.describe(t)
		text, _ := document["signed_metadata"].(string)
		return text, cache
	}
	expires := func(text string) time.Time {
		t.Helper()
		token, err := jose.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
		var claims struct{ Exp int64 }
		if err == nil {
			err = json.Unmarshal(token.UnsafePayloadWithoutVerification(), &claims)
		}
		if err != nil {
			t.Fatal(err)
		}
		return time.Unix(claims.Exp, 0).UTC()
	}
	at = start.Add(metadataRenew - time.Second)
	if again, cache := signed(); again != first || cache != "max-age=3600" || !expires(again).Equal(start.Add(metadataLife)) {
		t.Errorf("before its renewal: %s, %q", again, cache)
	}
	at = start.Add(metadataRenew)
	second, _ := signed()
	if second == first || !expires(second).Equal(start.Add(25*time.Hour)) {
		t.Errorf("renewed: %s", second)
	}
	at = start.Add(-time.Minute) // the clock was set back
	if third, _ := signed(); third == second || !expires(third).Equal(at.Add(metadataLife)) {
		t.Errorf("by a clock set back: %s", third)
	}
	at = start.Add(25*time.Hour - time.Minute)
	if last, cache := signed(); cache != "max-age=60" || !expires(last).Equal(start.Add(25*time.Hour)) {
		t.Errorf("at the end: %s, %q", last, cache)
	}
	at = start.Add(25 * time.Hour)
	for range 2 {
		if document, cache := s.describe(t); document != nil || cache != "" {
			t.Errorf("after the certificate: %v, %q", document, cache)
		}
	}
	if strings.Count(log.String(), "cannot be signed") != 1 {
		t.Errorf("the log: %s", &log)
	}
	if err := s.Check(s.config); err == nil {
		t.Error("a certificate that has ended was taken")
	}
	if status, _, _ := s.post(t, "/access/v1/evaluation", `{`+alice+`,`+read+`,`+one+`}`); status != 200 {
		t.Errorf("decisions: %d", status)
	}
	s.config.MetadataKey = nil
	if err := s.Replace(s.config); err != nil {
		t.Fatal(err)
	}
	if document, _ := s.describe(t); document == nil || document["signed_metadata"] != nil {
		t.Errorf("without a key: %v", document)
	}
}

func TestMetadataKeyRefused(t *testing.T) {
	a, s := newAuthority(t), certification(t)
	end := start.AddDate(0, 6, 0)
	good := a.sign(t, curveKey(t, elliptic.P256()), end)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*MetadataKey{
		"no key": {Chain: good.Chain}, "no certificate": {Signer: good.Signer}, "another's certificate": {Signer: good.Signer, Chain: good.Chain[1:]},
		"another kind": a.sign(t, edwards, end), "P-224": a.sign(t, curveKey(t, elliptic.P224()), end), "a short one": a.sign(t, short, end),
		"an ended one": a.sign(t, good.Signer, start), "a later one": {Signer: good.Signer, Chain: []*x509.Certificate{issue(t,
			&x509.Certificate{SerialNumber: big.NewInt(3), NotBefore: start.Add(time.Hour), NotAfter: end}, a.certificate, good.Signer.Public(), a.key)}},
	} {
		config := s.config
		config.MetadataKey = key
		if err := s.Replace(config); err == nil || !strings.Contains(err.Error(), "the metadata: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if document, _ := s.describe(t); len(document) != 6 {
		t.Errorf("after all that: %v", document)
	}
}

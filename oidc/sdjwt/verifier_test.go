package sdjwt

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/internal/strictjson"
	"sceau/oidc/sdjwt/sdjwttest"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

const (
	vct      = sdjwttest.Type
	issuerID = sdjwttest.Issuer
)

var binding = Binding{Audience: "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk", Nonce: "n-0S6_WzA2Mj"}

func newWallet(t testing.TB) *wallet {
	return &wallet{sdjwttest.New(t, now, binding.Audience, binding.Nonce)}
}

type wallet struct{ *sdjwttest.Wallet }

func (w *wallet) verifier(change func(*Config)) *Verifier {
	w.T.Helper()
	c := Config{Types: []string{vct}, Now: func() time.Time { return now },
		Issuers: map[string]Issuer{issuerID: {Keys: w.Keys(), Types: []string{vct}}}}
	if change != nil {
		change(&c)
	}
	v, err := New(c)
	if err != nil {
		w.T.Fatal(err)
	}
	return v
}

func reasonOf(err error) Reason {
	if e := new(Error); errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

func TestVerify(t *testing.T) {
	w := newWallet(t)
	p, err := w.verifier(nil).Verify(t.Context(), w.Present(), binding)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(map[string]any{"given_name": p.Claims["given_name"], "family_name": p.Claims["family_name"], "rpps": p.Claims["rpps"], "address": p.Claims["address"],
		"nationalities": p.Claims["nationalities"]})
	want := `{"address":{"city":"Lyon","country":"FR"},"family_name":"Martin","given_name":"Camille","nationalities":["FR","BE"],"rpps":"10003456789"}`
	if err != nil || string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	thumbprint, err := (&jose.JSONWebKey{Key: w.Holder.Public()}).Thumbprint(crypto.SHA256)
	if err != nil || string(p.Holder) != string(thumbprint) || p.Type != vct || p.Issuer != issuerID || !p.Expires.Equal(now.Add(time.Hour)) || p.Claims["_sd"] != nil || p.Claims["_sd_alg"] != nil {
		t.Errorf("%+v (%v)", p, err)
	}
	// An issuer of another type may not issue this one.
	if p, err := w.verifier(func(c *Config) {
		c.Issuers = map[string]Issuer{issuerID: {Keys: w.Keys(), Types: []string{"urn:example:loyalty"}}}
	}).Verify(t.Context(), w.Present(), binding); p != nil || reasonOf(err) != Untrusted {
		t.Errorf("%v %v", p, err)
	}
	// What is not disclosed is not there.
	w.Disclosures = w.Disclosures[1:2]
	p, err = w.verifier(nil).Verify(t.Context(), w.Present(), binding)
	if err != nil || p.Claims["given_name"] != nil || p.Claims["address"] != nil || p.Claims["rpps"] != "10003456789" || len(p.Claims["nationalities"].([]any)) != 1 {
		t.Errorf("%v %v", p, err)
	}
}

// TestAttacks: each alters one thing in a presentation that otherwise holds.
func TestAttacks(t *testing.T) {
	claim := func(name string, v any) func(*wallet) { return func(w *wallet) { w.Claims[name] = v } }
	kb := func(name string, v any) func(*wallet) { return func(w *wallet) { w.BindingClaims[name] = v } }
	for _, a := range []struct {
		name string
		do   func(w *wallet)
		want Reason
	}{
		{"an issuer that nobody trusts", claim("iss", "https://evil.test"), Untrusted},
		{"no issuer", claim("iss", nil), Untrusted},
		{"another key of the issuer's kid", func(w *wallet) { w.Issuer = sdjwttest.NewKey(w.T) }, BadSignature},
		{"another kid", func(w *wallet) { w.Header["kid"] = "other" }, BadSignature},
		{"alg none", func(w *wallet) { w.Header["alg"] = "none" }, BadAlgorithm},
		{"alg HS256", func(w *wallet) { w.Header["alg"] = "HS256" }, BadAlgorithm},
		{"an algorithm that does not fit", func(w *wallet) { w.Header["alg"] = "RS256" }, BadAlgorithm},
		{"an access token as a credential", func(w *wallet) { w.Header["typ"] = "at+jwt" }, BadType},
		{"another type of credential", claim("vct", "urn:example:loyalty"), BadType},
		{"no type", claim("vct", nil), BadClaim},
		{"a critical header", func(w *wallet) { w.Header["crit"] = []string{"x"}; w.Header["x"] = 1 }, Malformed},
		{"expired", claim("exp", now.Unix()), Expired},
		{"not yet", claim("nbf", now.Unix()+600), Future},
		{"exp as text", claim("exp", "2099"), BadClaim},
		{"another digest", claim("_sd_alg", "sha-512"), BadAlgorithm},

		{"a disclosure that the issuer did not sign", func(w *wallet) { w.Disclosures = append(w.Disclosures, sdjwttest.Disclose(w.T, "role", "physician")) }, BadDisclosure},
		{"a disclosure with another value", func(w *wallet) { w.Disclosures[1] = sdjwttest.Disclose(w.T, "rpps", "10009999999") }, BadDisclosure},
		{"one disclosure twice", func(w *wallet) { w.Disclosures = append(w.Disclosures, w.Disclosures[0]) }, BadDisclosure},
		{"a disclosure inside one that is not shown", func(w *wallet) { w.Disclosures = w.Disclosures[4:] }, BadDisclosure},
		{"a claim over one that is signed", func(w *wallet) { w.Add(sdjwttest.Disclose(w.T, "family_name", "Durand")) }, BadDisclosure},
		{"a claim over one that is null", func(w *wallet) {
			w.Add(sdjwttest.Disclose(w.T, "x", nil))
			w.Add(sdjwttest.DiscloseWith(w.T, "other salt", "x", 1))
		}, BadDisclosure},
		{"exp left to the holder", func(w *wallet) { w.Claims["exp"] = nil; w.Add(sdjwttest.Disclose(w.T, "exp", now.Unix()+60)) }, BadDisclosure},
		{"status left to the holder", func(w *wallet) { w.Add(sdjwttest.Disclose(w.T, "status", map[string]any{})) }, BadDisclosure},
		{"an element as a claim", func(w *wallet) { w.Add(sdjwttest.Disclose(w.T, "no name")) }, BadDisclosure},
		{"a claim as an element", func(w *wallet) {
			d := sdjwttest.Disclose(w.T, "name", "value")
			w.Claims["list"] = []any{map[string]any{"...": sdjwttest.Digest(d)}}
			w.Disclosures = append(w.Disclosures, d)
		}, BadDisclosure},
		{"a claim named _sd", func(w *wallet) { w.Add(sdjwttest.Disclose(w.T, "_sd", []any{})) }, BadDisclosure},
		{"a claim named ...", func(w *wallet) { w.Add(sdjwttest.Disclose(w.T, "...", "x")) }, BadDisclosure},
		{"one digest in two places", func(w *wallet) { w.Claims["again"] = map[string]any{"_sd": []any{sdjwttest.Digest(w.Disclosures[0])}} }, BadDisclosure},
		{"digests beside an element", func(w *wallet) {
			w.Claims["nationalities"] = []any{map[string]any{"...": sdjwttest.Digest(w.Disclosures[2]), "x": 1}}
		}, BadDisclosure},
		{"a digest outside of an array", claim("x", map[string]any{"...": "digest"}), BadDisclosure},
		{"_sd_alg inside", claim("x", map[string]any{"_sd_alg": "sha-256"}), BadDisclosure},
		{"_sd that is no array", claim("x", map[string]any{"_sd": "digest"}), BadDisclosure},
		{"a disclosure that is no JSON", func(w *wallet) {
			w.Disclosures = append(w.Disclosures, base64.RawURLEncoding.EncodeToString([]byte("x")))
		}, BadDisclosure},
		{"a disclosure of four", func(w *wallet) { w.Add(sdjwttest.Disclose(w.T, "a", "b", "c")) }, BadDisclosure},

		{"no key to be bound to", claim("cnf", nil), NotBound},
		{"a private key in cnf", func(w *wallet) { w.Claims["cnf"] = map[string]any{"jwk": jose.JSONWebKey{Key: w.Holder}} }, BadClaim},
		{"bound with another key", func(w *wallet) { w.Holder = sdjwttest.NewKey(w.T) }, NotBound},
		{"for another verifier", kb("aud", "x509_hash:other"), NotBound},
		{"for two verifiers", kb("aud", []string{binding.Audience, "x"}), NotBound},
		{"for another transaction", kb("nonce", "other"), NotBound},
		{"no nonce", kb("nonce", nil), NotBound},
		{"an old binding", kb("iat", now.Unix()-301), NotBound},
		{"a binding from the future", kb("iat", now.Unix()+120), NotBound},
		{"no iat", kb("iat", nil), NotBound},
		{"a binding that has ended", kb("exp", now.Unix()), NotBound},
		{"over other disclosures", kb("sd_hash", sdjwttest.Digest("other")), NotBound},
		{"another token as binding", func(w *wallet) { w.BindingHeader["typ"] = "JWT" }, NotBound},
		{"a binding with alg none", func(w *wallet) { w.BindingHeader["alg"] = "none" }, NotBound},
		{"a disclosure taken away after it was bound", func(w *wallet) { w.Cut = func(c string, d []string) []string { return append([]string{c}, d[1:]...) } }, NotBound},
		{"another credential under the binding", func(w *wallet) {
			other := sdjwttest.Sign(w.T, w.Header, maps.Clone(w.Claims), w.Issuer)
			w.Cut = func(_ string, d []string) []string { return append([]string{other}, d...) }
		}, NotBound},

		{"a status that nobody is asked about", claim("status", statusAt("https://issuer.example.com/list", 3)), NoStatus},
	} {
		t.Run(a.name, func(t *testing.T) {
			w := newWallet(t)
			v := w.verifier(nil)
			if _, err := v.Verify(t.Context(), w.Present(), binding); err != nil {
				t.Fatal("before:", err)
			}
			a.do(w)
			p, err := v.Verify(t.Context(), w.Present(), binding)
			if p != nil || reasonOf(err) != a.want {
				t.Errorf("%v %v, want %v", p, err, a.want)
			}
		})
	}
	w := newWallet(t)
	v, whole := w.verifier(nil), w.Present()
	for name, text := range map[string]string{"nothing": "", "no binding": whole[:strings.LastIndexByte(whole, '~')+1], "a JWT": strings.Split(whole, "~")[0], "tildes": "~~~", "huge": strings.Repeat("x", maxPresentation+1) + "~x",
		"many disclosures": strings.Repeat("WyJhIiwiYiJd~", 300) + "x"} {
		if p, err := v.Verify(t.Context(), text, binding); p != nil || reasonOf(err) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, b := range []Binding{{}, {Audience: "a"}, {Nonce: "n"}} {
		if _, err := v.Verify(t.Context(), whole, b); reasonOf(err) != NotBound {
			t.Errorf("bound to nothing: %v", err)
		}
	}
}

func statusAt(uri string, index int) map[string]any {
	return map[string]any{"status_list": map[string]any{"uri": uri, "idx": index}}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		name   string
		status any
		says   error
		want   Reason
	}{
		{"valid", statusAt("https://issuer.example.com/list", 3), nil, 0}, {"revoked", statusAt("https://issuer.example.com/list", 3), ErrRevoked, Revoked},
		{"no answer", statusAt("https://issuer.example.com/list", 3), errors.New("time-out"), Unavailable}, {"not taken", statusAt("https://issuer.example.com/list", 3), ErrNoStatus, NoStatus}, {"of another kind", map[string]any{"other": 1}, nil, NoStatus},
		{"two kinds", map[string]any{"other": 1, "status_list": map[string]any{"uri": "https://x.example.com", "idx": 1}}, nil, NoStatus},
		{"below zero", statusAt("https://issuer.example.com/list", -1), nil, NoStatus}, {"no list", statusAt("", 1), nil, NoStatus}, {"null", json.RawMessage("null"), nil, NoStatus},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWallet(t)
			w.Claims["status"] = c.status
			v := w.verifier(func(cfg *Config) {
				cfg.Status = func(_ context.Context, list string, index int) error {
					if list != "https://issuer.example.com/list" || index != 3 {
						t.Errorf("asked about %s %d", list, index)
					}
					return c.says
				}
			})
			if _, err := v.Verify(t.Context(), w.Present(), binding); reasonOf(err) != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestPath: an issuer who signs with a certificate is trusted by its path, and by nothing in the credential.
func TestPath(t *testing.T) {
	rootKey := sdjwttest.NewKey(t)
	w := newWallet(t)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Ordre"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, w.Issuer.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := x509.ParseCertificate(rootDER)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(trusted)
	path := func(path []*x509.Certificate, typ, issuer string, at time.Time) (string, error) {
		if typ != vct || issuer != issuerID || !at.Equal(now) {
			t.Errorf("asked about %s of %s", typ, issuer)
		}
		_, err := path[0].Verify(x509.VerifyOptions{Roots: pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return path[0].Subject.CommonName, err
	}
	v := w.verifier(func(c *Config) { c.Path, c.Issuers = path, nil })
	std := base64.StdEncoding.EncodeToString
	w.Header["x5c"] = []string{std(leafDER)}
	p, err := v.Verify(t.Context(), w.Present(), binding)
	if err != nil || p.Issuer != "Ordre" {
		t.Fatalf("%v %v", p, err)
	}
	if _, err := w.verifier(nil).Verify(t.Context(), w.Present(), binding); reasonOf(err) != Untrusted {
		t.Errorf("a certificate where only keys are trusted: %v", err)
	}
	away := w.verifier(func(c *Config) {
		c.Path, c.Issuers = func([]*x509.Certificate, string, string, time.Time) (string, error) { return "", ErrUnavailable }, nil
	})
	if _, err := away.Verify(t.Context(), w.Present(), binding); reasonOf(err) != Unavailable {
		t.Errorf("a list of revoked certificates that nobody has: %v", err)
	}
	self, err := x509.CreateCertificate(rand.Reader, leaf, leaf, w.Issuer.Public(), w.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.CreateCertificate(rand.Reader, leaf, root, sdjwttest.NewKey(t).Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		x5c  any
		want Reason
	}{
		"self-signed": {[]string{std(self)}, Untrusted}, "of another key": {[]string{std(other)}, BadSignature}, "empty": {[]string{}, Malformed}, "no certificate": {[]string{"AAAA"}, Malformed},
		"none": {nil, Untrusted}, "too many": {[]string{std(leafDER), std(leafDER), std(leafDER), std(leafDER), std(leafDER), std(leafDER), std(leafDER)}, Malformed}, "text": {std(leafDER), Malformed},
	} {
		if w.Header["x5c"] = c.x5c; c.x5c == nil {
			delete(w.Header, "x5c")
		}
		if _, err := v.Verify(t.Context(), w.Present(), binding); reasonOf(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	set := map[string]Issuer{issuerID: {}}
	for name, c := range map[string]Config{"zero": {}, "no types": {Issuers: set}, "an empty type": {Types: []string{""}, Issuers: set}, "no issuers": {Types: []string{vct}}} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for r := Malformed; r <= Unavailable; r++ {
		if r.String() == "unknown" {
			t.Errorf("reason %d has no text", r)
		}
	}
	if fits(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}, "RS256") || fits(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 9000), E: 65537}, "RS256") ||
		!fits(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}, "PS256") || fits([]byte("secret"), "HS256") {
		t.Error("keys and algorithms")
	}
}

func FuzzVerify(f *testing.F) {
	w := newWallet(f)
	whole := w.Present()
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	v := w.verifier(nil)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := v.Verify(context.Background(), text, binding)
		if (p == nil) != (err != nil) || err != nil && reasonOf(err) == 0 {
			t.Fatalf("%v with %v", p, err)
		}
		// The last signature may be written otherwise; all before it is signed.
		if p != nil && text[:strings.LastIndexByte(text, '.')] != whole[:strings.LastIndexByte(whole, '.')] {
			t.Fatalf("another presentation is accepted: %q", text)
		}
	})
}

func FuzzDisclose(f *testing.F) {
	w := newWallet(f)
	text, err := json.Marshal(w.Claims)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, strings.Join(w.Disclosures, "~"))
	f.Fuzz(func(t *testing.T, payload []byte, disclosures string) {
		o, err := strictjson.Object(payload)
		if err != nil {
			return
		}
		claims, err := disclose(o, strings.Split(disclosures, "~"))
		if err != nil {
			if claims != nil {
				t.Fatal("claims with an error")
			}
			return
		}
		var look func(v any)
		look = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				if v["_sd"] != nil || v["..."] != nil {
					t.Fatalf("digests are left: %v", claims)
				}
				for _, e := range v {
					look(e)
				}
			case []any:
				for _, e := range v {
					look(e)
				}
			}
		}
		look(any(claims))
	})
}

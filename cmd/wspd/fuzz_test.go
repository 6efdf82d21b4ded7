package main

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// FuzzClientCertificate: what is read of a header is one certificate, or nothing.
func FuzzClientCertificate(f *testing.F) {
	p := newPKI(f)
	f.Add(escaped(p.holder))
	f.Add(escaped(p.holder) + escaped(p.sts))
	f.Add("-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----%0A")
	f.Add("%zz")
	f.Fuzz(func(t *testing.T, value string) {
		der, err := shownCertificate([]string{value})
		if err != nil {
			if der != nil {
				t.Fatal("octets beside an error")
			}
			return
		}
		if _, err := x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzSessionToken: no text opens a session but one of ours, as it was signed. (The last character of base64 has bits that mean nothing.)
func FuzzSessionToken(f *testing.F) {
	r := start(f, authorizing)
	m, now := r.current.Load().minter, time.Now()
	caller, err := r.current.Load().guard.Admit(r.call(f), now)
	if err != nil {
		f.Fatal(err)
	}
	token, _, err := m.session(caller, "1", duration(time.Minute), now)
	if err != nil {
		f.Fatal(err)
	}
	honest, err := m.open(token, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(token[:len(token)-1])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Add(strings.ToUpper(token))
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := m.open(text, now); err == nil && !reflect.DeepEqual(s, honest) || err != nil && s != nil {
			t.Fatalf("%q: %v, %v", text, s, err)
		}
	})
}

// asTagged is what encoding/json makes of the claims of a token. The audience must not write itself: go-jose does that with a JSON encoder
// of its own, which escapes some control characters as \u0008 where Go's says \b.
func asTagged(t testing.TB, registered jwt.Claims, said claims) string {
	t.Helper()
	var audience any = []string(registered.Audience)
	if len(registered.Audience) == 1 {
		audience = registered.Audience[0]
	}
	return string(must(json.Marshal(struct {
		Issuer    string           `json:"iss"`
		Subject   string           `json:"sub"`
		Audience  any              `json:"aud"`
		Expiry    *jwt.NumericDate `json:"exp,omitempty"`
		NotBefore *jwt.NumericDate `json:"nbf"`
		IssuedAt  *jwt.NumericDate `json:"iat"`
		ID        string           `json:"jti"`
		*claims
	}{registered.Issuer, registered.Subject, audience, registered.Expiry, registered.NotBefore, registered.IssuedAt, registered.ID, &said})))
}

// TestClaims: claims are written as encoding/json writes them, whatever is there and whatever is not: a claim that appendClaims forgot would show.
func TestClaims(t *testing.T) {
	if err := quick.Check(func(registered jwt.Claims, said claims) bool {
		got := string(appendClaims(nil, &registered, &said))
		want := asTagged(t, registered, said)
		if got != want {
			t.Logf("%s\ninstead of %s", got, want)
		}
		return got == want
	}, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
	for _, audience := range []jwt.Audience{nil, {}, {"one"}, {"\b\f<\u2028"}, {"\b", "\f\x00"}} {
		registered := jwt.Claims{Audience: audience}
		if got, want := string(appendClaims(nil, &registered, &claims{})), asTagged(t, registered, claims{}); got != want {
			t.Errorf("%s instead of %s", got, want)
		}
	}
}

// FuzzText: a string is written as encoding/json writes it.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", "plain", `a"b`, `a\b`, "a/b", "a<b", "a>b", "a&b", "Zoë\u2028\u2029", "\xff\xc0\x80", "\x00\x1f\x7f~", "\xed\xa0\x80", "\U0001f600"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := string(appendText([]byte("x"), text)), "x"+string(must(json.Marshal(text))); got != want {
			t.Fatalf("%q: %s instead of %s", text, got, want)
		}
	})
}

// TestGuide: the configuration of the guide, with what it leaves out, is one.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guard.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(listen.*?)```").FindAllSubmatch(guide, -1)
	if len(blocks) != 1 {
		t.Fatal(len(blocks), "configurations")
	}
	rest := guarded[strings.Index(guarded, "issuers:"):strings.Index(guarded, "audit:")]
	if _, err := parseConfig([]byte(string(blocks[0][1]) + rest)); err != nil {
		t.Error(err)
	}
}

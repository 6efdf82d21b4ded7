package bridge_test

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/bridge"
)

// FuzzParseRequest: what is read is within bounds, and reading it again gives the same; what is refused gives nothing.
func FuzzParseRequest(f *testing.F) {
	f.Add("subject_token=a&subject_token_type=urn:ietf:params:oauth:token-type:jwt&scope=a+b&audience=x&audience=y&resource=https://r")
	f.Add("subject_token=a&subject_token_type=urn:ietf:params:oauth:token-type:saml1&actor_token=b&actor_token_type=urn:ietf:params:oauth:token-type:jwt")
	f.Add("subject_token=a&subject_token=a")
	f.Add("%zz&;&=")
	f.Fuzz(func(t *testing.T, text string) {
		form, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		r, err := bridge.ParseRequest(form)
		if err != nil {
			if r != nil || bridge.ReasonOf(err) == 0 {
				t.Fatalf("%v, %v", r, err)
			}
			return
		}
		if r.SubjectToken == "" || r.SubjectTokenType == 0 || (r.ActorToken == "") != (r.ActorTokenType == 0) || len(r.Audience)+len(r.Resource) > 8 || len(r.Scope) > 32 {
			t.Fatalf("%+v", r)
		}
		for name, values := range form {
			if len(values) > 1 && name != "audience" && name != "resource" {
				t.Fatalf("%s stands %d times", name, len(values))
			}
		}
		for _, s := range r.Scope {
			if s == "" || strings.ContainsAny(s, " \"\\\t\n") {
				t.Fatalf("scope %q", r.Scope)
			}
		}
		for _, a := range append(r.Audience, r.Resource...) {
			if a == "" || strings.ContainsAny(a, " \t\r\n") {
				t.Fatalf("target %q", a)
			}
		}
	})
}

// FuzzAssertion: of the octets of an assertion that was signed none can be changed so that another one is exchanged; whatever is exchanged says
// what the STS signed.
func FuzzAssertion(f *testing.F) {
	r := newRig(f)
	good := r.assertion(nil)
	f.Add(encode(good))
	f.Add(base64.URLEncoding.EncodeToString(good))
	f.Add(encode([]byte("<Assertion/>")))
	f.Add(encode(good[:len(good)/2]))
	f.Add("")
	f.Add(encode(good)[:40] + "\r\n" + encode(good)[40:])
	f.Fuzz(func(t *testing.T, text string) {
		r := r.with(t)
		form := r.samlForm(nil)
		form.Set("subject_token", text)
		result, err := r.exchange(form)
		if err != nil {
			if result != nil || bridge.ReasonOf(err) == 0 || bridge.ReasonOf(err) == bridge.NotIssued || bridge.ReasonOf(err) == bridge.Unavailable {
				t.Fatalf("%v, %v", result, err)
			}
			return
		}
		token := r.read(result)
		if strings.ContainsAny(text, "\r\n ") {
			t.Fatalf("%q is exchanged", text)
		}
		if token.Subject != personSub || token.Confirmation != bridge.Thumbprint(r.holder.DER) || token.Expires.After(now.Add(40*time.Minute)) || token.Claims["doctor"] != true {
			t.Fatalf("%+v", token)
		}
	})
}

// FuzzToken: a token that verifies is one that we signed.
func FuzzToken(f *testing.F) {
	r := newRig(f)
	good := r.accessToken(nil)
	f.Add(good)
	f.Add(r.forge(`{"alg":"none","typ":"at+jwt","kid":"ec"}`, body(), func([]byte) []byte { return nil }))
	f.Add(r.forge(`{"alg":"ES256","typ":"at+jwt","kid":"ec","crit":[]}`, body(), nil))
	f.Add("..")
	f.Add(good[:20] + "\n" + good[20:])
	parts := strings.Split(good, ".")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := r.tokens.Verify(context.Background(), text, bridge.AccessToken, now)
		if err != nil {
			if token != nil {
				t.Fatal("a token beside an error")
			}
			return
		}
		if strings.ContainsAny(text, "\r\n ") {
			t.Fatalf("%q verifies", text)
		}
		// Of an ECDSA signature there are two; what is signed is one.
		if got := strings.Split(text, "."); (got[0] != parts[0] || got[1] != parts[1]) && token.ID != "forged" {
			t.Fatalf("%q verifies", text)
		}
	})
}

// FuzzClaims: the claims of an actor token, signed by the client itself, who may write anything: what is taken of them is in bounds.
func FuzzClaims(f *testing.F) {
	r := newRig(f)
	f.Add(`{"iss":"portal","sub":"lps","exp":1795292000,"lps_nom":"x"}`)
	f.Add(`{"iss":"portal","sub":"lps","exp":1e99}`)
	f.Add(`{"exp":-1,"act":{"sub":"a","act":{"sub":"b"}},"cnf":{}}`)
	f.Add(`[{}]`)
	n := 0
	f.Fuzz(func(t *testing.T, claims string) {
		if len(claims) > 8<<10 {
			return
		}
		n++
		r := r.with(t)
		r.psc.answer.ID = ""
		form := r.tokenForm(opaque(psc), "scope", "x", "actor_token", r.forge(`{"alg":"ES256"}`, claims, es256(t, testpki.Load().AliceEHealthP256.Key)), "actor_token_type", bridge.JWT.String())
		form.Set("subject_token", opaque(psc)+strings.Repeat("x", n%50000))
		result, err := r.exchange(form)
		if err != nil {
			switch bridge.ReasonOf(err) {
			case bridge.BadActorToken, bridge.AlreadyExchanged, bridge.Unavailable: // the replay state of the test is small
			default:
				t.Fatalf("%q: %v", claims, err)
			}
			return
		}
		token := r.read(result)
		if token.Actor == nil || token.Actor.Issuer != client || token.Actor.Subject == "" || token.Subject != personSub || token.Expires.After(now.Add(time.Hour)) {
			t.Fatalf("%q: %+v", claims, token)
		}
		for name := range token.Claims {
			if name != "lps_nom" && name != "SubjectNameID" {
				t.Fatalf("%q: claim %q", claims, name)
			}
		}
	})
}

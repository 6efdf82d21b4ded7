package broker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/interop/openid/broker"
	"sceau/internal/testpki"
)

type members = map[string]any

// A liar is a provider that keeps every rule but those that a test breaks.
type liar struct {
	*httptest.Server
	key, other       *rsa.PrivateKey
	published, kid   string // names of the key: in the key set and in tokens
	algorithm        jose.SignatureAlgorithm
	nonce            string
	id, access, info members         // changes of claims; nil takes one away
	answer           members         // of the token endpoint
	status           map[string]int  // by path
	signed           bool            // userinfo as a JWT
	kind             string          // its type
	forged           bool            // tokens are signed by another key of that name
	called           map[string]bool // what showed the secret, or a token
}

func newLiar(t *testing.T) *liar {
	l := &liar{key: testpki.Load().Hospital.Key.(*rsa.PrivateKey), other: testpki.Load().STS.Key.(*rsa.PrivateKey), published: "1", kid: "1", algorithm: jose.RS256,
		called: map[string]bool{}, status: map[string]int{}}
	l.Server = httptest.NewTLSServer(l)
	t.Cleanup(l.Close)
	return l
}

func changed(claims, changes members) members {
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func (l *liar) sign(claims members) string {
	key := any(l.key)
	if l.forged {
		key = l.other
	}
	if l.algorithm == jose.ES256 {
		key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: l.algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", l.kid))
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signature, err := s.Sign(text)
	if err != nil {
		panic(err)
	}
	compact, err := signature.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

func (l *liar) person() members {
	return members{"sub": "h:1", "oid": "h:1", "tid": "h", "given_name": "Alice", "family_name": "Exemple", "email": "alice@hopital.example", "preferred_username": "alice"}
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		if status := l.status[r.URL.Path]; status != 0 {
			w.WriteHeader(status)
		}
		_ = json.NewEncoder(w).Encode(v)
	}
	switch r.URL.Path {
	case "/metadata":
		reply(members{"issuer": l.URL, "authorization_endpoint": l.URL + "/a", "token_endpoint": l.URL + "/t", "userinfo_endpoint": l.URL + "/u",
			"jwks_uri": l.URL + "/k", "end_session_endpoint": l.URL + "/l"})
	case "/k":
		reply(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: l.key.Public(), KeyID: l.published, Use: "sig", Algorithm: "RS256"}}})
	case "/t":
		l.called["secret"] = r.PostFormValue("client_id") == "psc" && r.PostFormValue("client_secret") == "secret"
		now := time.Now()
		claims := changed(l.person(), members{"iss": l.URL, "aud": "psc", "exp": now.Add(time.Minute).Unix(), "nonce": l.nonce, "auth_time": now.Add(-time.Hour).Unix(),
			"amr": []string{"hwk", "mfa", "pin", "sc"}})
		access := l.sign(changed(members{"tid": "h", "oid": "h:1"}, l.access))
		reply(changed(members{"access_token": access, "token_type": "Bearer", "id_token": l.sign(changed(claims, l.id))}, l.answer))
	case "/u":
		claims := changed(l.person(), l.info)
		if !l.signed {
			if l.kind != "" {
				w.Header().Set("Content-Type", l.kind)
				_ = json.NewEncoder(w).Encode(claims)
				return
			}
			reply(claims)
			return
		}
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(l.sign(claims)))
	}
}

func (l *liar) broker(t *testing.T, change func(*broker.Config)) *broker.Broker {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(l.Certificate())
	c := broker.Config{Discovery: l.URL + "/metadata", ClientID: "psc", Secret: "secret", Roots: roots, Endpoint: "https://psc.example/broker/h/endpoint",
		Issuers: []string{"https://other.example", l.URL}, Tenants: []string{"other", "h"}, Hint: "h", Methods: [][]string{{"sc", "pin", "mfa", "hwk"}},
		Skew: time.Second, Now: time.Now}
	if change != nil {
		change(&c)
	}
	b, err := broker.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func (l *liar) login(t *testing.T, b *broker.Broker, change func(url.Values)) (*broker.Identity, error) {
	t.Helper()
	f := b.Begin(broker.Wishes{})
	if l.nonce == "" {
		l.nonce = f.Nonce
	}
	q := url.Values{"code": {"c"}, "state": {f.State}}
	if change != nil {
		change(q)
	}
	return b.Callback(t.Context(), f, q)
}

// TestRules breaks each rule alone: a broker that did not notice would judge nobody.
func TestRules(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name   string
		want   broker.Rule
		change func(*liar)
		answer func(url.Values)
	}{
		{name: "honest"},
		{name: "honest, userinfo signed", change: func(l *liar) { l.signed = true }},
		{name: "another state", want: broker.State, answer: func(q url.Values) { q.Set("state", "x") }},
		{name: "given up", want: broker.Cancelled, answer: func(q url.Values) { q.Set("error", "access_denied") }},
		{name: "another error", want: broker.Failed, answer: func(q url.Values) { q.Set("error", "login_required") }},
		{name: "code refused", want: broker.Exchange, change: func(l *liar) { l.status["/t"] = 400 }},
		{name: "no access token", want: broker.NoAccessToken, change: func(l *liar) { l.answer = members{"access_token": nil} }},
		{name: "no ID token", want: broker.NoIDToken, change: func(l *liar) { l.answer = members{"id_token": nil} }},
		{name: "ES256", want: broker.Signature, change: func(l *liar) { l.algorithm = jose.ES256 }},
		{name: "PS256", want: broker.Signature, change: func(l *liar) { l.algorithm = jose.PS256 }},
		{name: "a key that is not published", want: broker.Signature, change: func(l *liar) { l.kid = "2" }},
		{name: "another key of that name", want: broker.Signature, change: func(l *liar) { l.forged = true }},
		{name: "another issuer", want: broker.Issuer, change: func(l *liar) { l.id = members{"iss": "https://evil.example"} }},
		{name: "another issuer that is trusted", change: func(l *liar) { l.id = members{"iss": "https://other.example"} }},
		{name: "for another", want: broker.Audience, change: func(l *liar) { l.id = members{"aud": []string{"x", "y"}} }},
		{name: "for others too", change: func(l *liar) { l.id = members{"aud": []string{"x", "psc"}, "azp": "psc"} }},
		{name: "another party", want: broker.Party, change: func(l *liar) { l.id = members{"azp": "x"} }},
		{name: "expired", want: broker.Expired, change: func(l *liar) { l.id = members{"exp": now.Add(-time.Minute).Unix()} }},
		{name: "without an end", want: broker.Expired, change: func(l *liar) { l.id = members{"exp": nil} }},
		{name: "another nonce", want: broker.Nonce, change: func(l *liar) { l.id = members{"nonce": "x"} }},
		{name: "no nonce", want: broker.Nonce, change: func(l *liar) { l.id = members{"nonce": nil} }},
		{name: "no oid", want: broker.Subject, change: func(l *liar) { l.id = members{"oid": nil} }},
		{name: "another tenant", want: broker.Tenant, change: func(l *liar) { l.id = members{"tid": "x"} }},
		{name: "no tenant", want: broker.Tenant, change: func(l *liar) { l.id = members{"tid": nil} }},
		{name: "no auth_time", want: broker.AuthTime, change: func(l *liar) { l.id = members{"auth_time": nil} }},
		{name: "four hours ago", want: broker.AuthTime, change: func(l *liar) { l.id = members{"auth_time": now.Add(-4 * time.Hour).Unix()} }},
		{name: "a minute less", change: func(l *liar) { l.id = members{"auth_time": now.Add(time.Minute - 4*time.Hour).Unix()} }},
		{name: "in the future", want: broker.AuthTime, change: func(l *liar) { l.id = members{"auth_time": now.Add(time.Hour).Unix()} }},
		{name: "a password", want: broker.Methods, change: func(l *liar) { l.id = members{"amr": []string{"pwd"}} }},
		{name: "less than a set", want: broker.Methods, change: func(l *liar) { l.id = members{"amr": []string{"sc", "mfa"}} }},
		{name: "no amr", want: broker.Methods, change: func(l *liar) { l.id = members{"amr": nil} }},
		{name: "access token without tid", want: broker.AccessToken, change: func(l *liar) { l.access = members{"tid": nil} }},
		{name: "access token of another", want: broker.AccessToken, change: func(l *liar) { l.access = members{"oid": "h:2"} }},
		{name: "an opaque access token", want: broker.AccessToken, change: func(l *liar) { l.answer = members{"access_token": "x"} }},
		{name: "no userinfo", want: broker.UserInfo, change: func(l *liar) { l.status["/u"] = 401 }},
		{name: "userinfo as text", want: broker.UserInfo, change: func(l *liar) { l.kind = "text/plain" }},
		{name: "userinfo of another", want: broker.SameSubject, change: func(l *liar) { l.info = members{"sub": "h:2"} }},
		{name: "names in the ID token alone", want: broker.Names, change: func(l *liar) { l.info = members{"family_name": nil} }},
		{name: "no address", want: broker.Names, change: func(l *liar) { l.info = members{"email": nil} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLiar(t)
			if tt.change != nil {
				tt.change(l)
			}
			i, err := l.login(t, l.broker(t, nil), tt.answer)
			var r *broker.Refusal
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want == "":
				if i.Username != "alice" || i.Tenant != "h" || i.Subject != "h:1" || !l.called["secret"] {
					t.Errorf("%+v", i)
				}
			case !errors.As(err, &r) || r.Rule != tt.want:
				t.Errorf("%v instead of %q", err, tt.want)
			}
		})
	}
}

// TestZero: who was told nothing accepts nobody.
func TestZero(t *testing.T) {
	l := newLiar(t)
	for name, change := range map[string]func(*broker.Config){
		"issuers": func(c *broker.Config) { c.Issuers = nil }, "tenants": func(c *broker.Config) { c.Tenants = nil }, "methods": func(c *broker.Config) { c.Methods = nil },
	} {
		l.nonce = ""
		if _, err := l.login(t, l.broker(t, change), nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestKeys: a key that is new is fetched, and no key is fetched twice.
func TestKeys(t *testing.T) {
	l := newLiar(t)
	b := l.broker(t, nil)
	for range 2 {
		l.nonce = ""
		if _, err := l.login(t, b, nil); err != nil || b.Fetched != 1 {
			t.Fatal(err, b.Fetched)
		}
	}
	l.nonce, l.key, l.published, l.kid = "", l.other, "2", "2"
	if _, err := l.login(t, b, nil); err != nil || b.Fetched != 2 {
		t.Fatal(err, b.Fetched)
	}
}

// TestUsername: preferred_username, else email, else sub.
func TestUsername(t *testing.T) {
	l := newLiar(t)
	l.info = members{"preferred_username": nil}
	if i, err := l.login(t, l.broker(t, nil), nil); err != nil || i.Username != "alice@hopital.example" {
		t.Error(i, err)
	}
}

func TestLogout(t *testing.T) {
	l := newLiar(t)
	b := l.broker(t, nil)
	i, err := l.login(t, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.LogoutResponse(i, url.Values{"state": {""}}) == nil {
		t.Error("nobody logged out")
	}
	to, err := url.Parse(b.Logout(i))
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if q.Get("id_token_hint") != i.IDToken || q.Get("post_logout_redirect_uri") != "https://psc.example/broker/h/endpoint/logout_response" || q.Get("state") == "" {
		t.Error(q)
	}
	for state, want := range map[string]bool{q.Get("state"): true, "": false, "x": false} {
		if err := b.LogoutResponse(i, url.Values{"state": {state}}); (err == nil) != want {
			t.Errorf("%q: %v", state, err)
		}
	}
}

package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/oidc/client"
)

// A sieve keeps sessions, and forgets what each request of a stranger leaves behind.
type sieve struct{ Store }

func (s sieve) Put(ctx context.Context, key string, value []byte, until time.Time) error {
	for _, kind := range []string{"/attempt/", "/grant/", "/code/", "/refresh/", "/consent/", "/pushed/"} {
		if strings.Contains(key, kind) {
			return nil
		}
	}
	return s.Store.Put(ctx, key, value, until)
}

func (s sieve) Add(context.Context, string, []byte, time.Time) (bool, error) { return true, nil }

// A quiet house is asked without a network, by a browser that has a session.
type quiet struct {
	once   sync.Once
	h      *house
	cookie string
	own    *ecdsa.PrivateKey
	hint   string
}

func (q *quiet) open(t *testing.T) {
	q.once.Do(func() {
		q.own = key(t)
		keys := client.KeySet(must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: q.own.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})))
		store := sieve{NewMemoryStore(64<<20, nil)}
		// What a stranger keeps has ended when the next comes.
		later := func() time.Time { return time.Now().Add(24 * time.Hour) }
		q.h = openHouse(t, func(c *Config, _ *client.Options) {
			c.Strangers = must(strangersOf(store, StrangersConfig{Now: later}))
		}, web(t), web(t, func(r *client.Registration) {
			r.ID, r.JWKS, r.RequestObjectAlgorithm = "signs", keys, "ES256"
		}), web(t, func(r *client.Registration) {
			r.ID, r.ApplicationType, r.RedirectURIs = "native", "native", []string{"http://127.0.0.1/cb"}
		}))
		b := q.h.browser()
		_, got := q.h.ask("/token", redeeming(b.login(b.get(q.h.request()), "card", "alice").answered(t).Get("code")))
		q.hint, q.cookie = got.ID, cookieOf(b, q.h.config.Issuer+"/", sessionCookie)
		// The session goes on, without what would fill the memory.
		full := q.h.state.store
		q.h.state.store = watched{store}
		key := q.h.state.key("session", q.cookie)
		store.Put(context.Background(), key, must(full.Get(context.Background(), key)), time.Now().Add(24*time.Hour))
	})
	q.h.mu.Lock()
	q.h.events = nil
	q.h.mu.Unlock()
}

// authorize sends an authorization request, and holds the answer against what may never be: an outage, a page of nobody, a redirect
// to where nobody is registered.
func (q *quiet) authorize(t *testing.T, method, query string) {
	issuer := q.h.config.Issuer
	u := must(url.Parse(issuer + "/authorize"))
	r := httptest.NewRequest(method, u.String(), strings.NewReader(query))
	if method == http.MethodGet {
		r.URL.RawQuery, r.Body = query, http.NoBody
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: q.cookie})
	r.AddCookie(&http.Cookie{Name: q.h.sealCookie(), Value: sealOf(q.cookie)})
	w := httptest.NewRecorder()
	q.h.Provider.ServeHTTP(w, r)
	to := w.Header().Get("Location")
	if _, onward, ok := strings.Cut(w.Header().Get("Refresh"), "url="); ok && to == "" { // a form is answered by a page that leads on
		to = onward
	}
	switch {
	case w.Code >= 500:
		t.Fatalf("%d: %s", w.Code, w.Body)
	case to == "" && w.Code < 400:
		t.Fatalf("%d, and nowhere: %v", w.Code, w.Header())
	case to == "" || strings.HasPrefix(to, issuer+"/authorize/"):
		return
	case strings.HasPrefix(to, back+"?") || strings.HasPrefix(to, back+"#"):
	case loopback(to):
	default:
		t.Fatalf("led to %q", to)
	}
	led, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := url.ParseQuery(strings.TrimPrefix(led.RawQuery+"&"+led.EscapedFragment(), "&"))
	if err != nil || answer.Get("iss") != issuer || (answer.Get("code") == "") == (answer.Get("error") == "") {
		t.Fatalf("answered %q: %v", to, err)
	}
}

// loopback says whether an address is the native client's, with some port.
func loopback(to string) bool {
	rest, ok := strings.CutPrefix(to, "http://127.0.0.1")
	if !ok {
		return false
	}
	rest = strings.TrimLeft(strings.TrimPrefix(rest, ":"), "0123456789")
	return strings.HasPrefix(rest, "/cb?") || strings.HasPrefix(rest, "/cb#")
}

// FuzzAuthorize: whatever the parameters, nobody is led where no client is registered.
func FuzzAuthorize(f *testing.F) {
	base := "response_type=code&client_id=web&redirect_uri=" + url.QueryEscape(back) + "&scope=openid&state=s&nonce=n&code_challenge=" + challenge() + "&code_challenge_method=S256"
	for _, more := range []string{
		"", "&prompt=none", "&max_age=0", "&max_age=60&prompt=none", "&response_mode=fragment", "&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%7D%7D%7D", "&id_token_hint=a.b.c", "&request=a.b.c",
		"&request_uri=urn:ietf:params:oauth:request_uri:x", "&state=t", "&%zz", ";", "&display=page&ui_locales=nl+fr&login_hint=alice&acr_values=x+y", "&resource=a&resource=b",
	} {
		f.Add(base+more, false)
		f.Add(base+more, true)
	}
	f.Add(strings.Replace(base, url.QueryEscape(back), url.QueryEscape("http://127.0.0.1:1234/cb"), 1)+"&client_id=native", false)
	f.Add("client_id=native&response_type=token&redirect_uri="+url.QueryEscape("http://127.0.0.1:1@evil/cb"), false)
	f.Add("client_id=native&response_type=token&redirect_uri="+url.QueryEscape("http://127.0.0.1:80/cb"), true)
	q := &quiet{}
	f.Fuzz(func(t *testing.T, query string, post bool) {
		q.open(t)
		method := http.MethodGet
		if post {
			method = http.MethodPost
		}
		q.authorize(t, method, query)
	})
}

// FuzzRequestObject: a request object that the client signed leads nowhere else either, and one that it did not sign leads nowhere.
func FuzzRequestObject(f *testing.F) {
	good := `{"iss":"signs","aud":"ISSUER","exp":EXP,"client_id":"signs","response_type":"code","redirect_uri":"` + back + `","scope":"openid","state":"s","code_challenge":"` + challenge() + `","code_challenge_method":"S256"}`
	for _, header := range []string{`{"alg":"ES256","kid":"k"}`, `{"alg":"ES256","kid":"k","typ":"oauth-authz-req+jwt"}`, `{"alg":"none"}`, `{"alg":"HS256"}`, `{"alg":"ES256","crit":["b64"],"b64":false}`, `{"alg":"ES256","zip":"DEF"}`, `[]`} {
		f.Add(header, good, true)
		f.Add(header, good, false)
	}
	f.Add(`{"alg":"ES256"}`, strings.Replace(good, `"s"`, `{"a":1}`, 1), true)
	f.Add(`{"alg":"ES256"}`, strings.Replace(good, back, "https://evil.example", 1), true)
	f.Add(`{"alg":"ES256"}`, strings.Replace(good, `"state":"s"`, `"max_age":1e300,"claims":{"id_token":null},"state":null`, 1), true)
	q := &quiet{}
	f.Fuzz(func(t *testing.T, header, claims string, signed bool) {
		q.open(t)
		claims = strings.NewReplacer("ISSUER", q.h.config.Issuer, "EXP", strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10)).Replace(claims)
		e := base64.RawURLEncoding.EncodeToString
		input := e([]byte(header)) + "." + e([]byte(claims))
		signature := []byte(claims)
		if signed {
			sum := sha256.Sum256([]byte(input))
			signature = must(concatenating{q.own}.Sign(rand.Reader, sum[:], crypto.SHA256))
		}
		query := url.Values{"client_id": {"signs"}, "request": {input + "." + e(signature)}}
		q.authorize(t, http.MethodGet, query.Encode())
		if !signed {
			form := url.Values{"client_id": {"signs"}}
			if err := q.h.requestObject(context.Background(), q.h.config.Clients.Client("signs"), form, query.Get("request")); err == nil {
				t.Fatalf("believed, and nobody signed it: %v", form)
			}
		}
	})
}

// FuzzHint: what is taken for an ID token of ours is one.
func FuzzHint(f *testing.F) {
	for _, text := range []string{"", "a.b.c", "HINT", "HINT.", ".HINT", "HINT\n", "eyJhbGciOiJub25lIn0.e30.", `{"payload":"","signatures":[]}`} {
		f.Add(text, 0, byte(0))
		f.Add(text, 30, byte('x'))
	}
	q := &quiet{}
	f.Fuzz(func(t *testing.T, text string, at int, with byte) {
		q.open(t)
		text = strings.ReplaceAll(text, "HINT", q.hint)
		if at > 0 && at < len(text) {
			text = text[:at] + string(rune(with)) + text[at+1:]
		}
		got, err := q.h.hinted(text, "web")
		if (got == nil) != (err != nil) {
			t.Fatalf("%v and %v", got, err)
		}
		if err != nil {
			return
		}
		// Base64 has more than one way to end, and a token may be written with blanks at its ends: what is said is the same.
		signed := func(text string) (said string) {
			for _, part := range strings.Split(strings.TrimSpace(text), ".")[:2] {
				said += string(must(base64.RawURLEncoding.DecodeString(part))) + "\n"
			}
			return said
		}
		if signed(text) != signed(q.hint) || got.Subject != "etab1:a1" || !slices.Equal(got.Audience, []string{"web"}) {
			t.Fatalf("%q is taken for one: %+v", text, got)
		}
	})
}

// FuzzClaims: a claims parameter is refused, or the library sees every condition of it.
func FuzzClaims(f *testing.F) {
	for _, text := range []string{
		`{}`, `null`, `{"id_token":{"acr":{"essential":true,"values":["eidas3"]}}}`, `{"id_token":{"acr":{"essential":true,"value":"x"},"sub":{"value":"s"},"n":{"value":1}}}`, `{"ID_TOKEN":{"ACR":{"Essential":true}}}`,
		`{"id_token":{"acr":null,"sub":null},"userinfo":{"x":null}}`, `{"id_token":{"acr":{"essential":true,"values":["a"]}},"id_token":{}}`, `{"id_token":{"acr":[]}}`, "{\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"\xff\"}}}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		form := url.Values{"claims": {text}}
		subject, err := wished(form)
		if err != nil {
			return
		}
		of := func(name string) (members map[string]any) {
			var all map[string]map[string]map[string]any
			json.Unmarshal([]byte(text), &all)
			return all["id_token"][name]
		}
		var seen goidc.ClaimsObject
		if kept := form.Get("claims"); kept != "" {
			if err := json.Unmarshal([]byte(kept), &seen); err != nil {
				t.Fatalf("%q became %q, which the library cannot read: %v", text, kept, err)
			}
		}
		if want := of("acr"); want["essential"] == true {
			got, ok := seen.IDTokenClaim("acr")
			value, _ := want["value"].(string)
			values, _ := want["values"].([]any)
			if !ok || !got.IsEssential || got.Value != value || len(got.Values) != len(values) {
				t.Fatalf("%q became %q", text, form.Get("claims"))
			}
			for i := range values {
				if values[i] != got.Values[i] && values[i] != nil { // null is the empty text to some readers
					t.Fatalf("%q became %q", text, form.Get("claims"))
				}
			}
		}
		if want := of("sub")["value"]; want != nil && want != subject {
			t.Fatalf("%q means %v, and is said to mean %q", text, want, subject)
		}
	})
}

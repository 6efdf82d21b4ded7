package client_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/client"
)

// raw makes a request of a body as it stands.
func raw(method, target, kind, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	return r
}

const form = "application/x-www-form-urlencoded"

// TestO6Methods: one registered method a client, one method a request, one reading of it.
func TestO6Methods(t *testing.T) {
	ec := testpki.Load().AliceEIDP256.Key
	secret, stored := newSecret(t, nil)
	other, otherStored := newSecret(t, nil)
	r := registry(t, options(),
		registration("basic", client.SecretBasic, withSecret(stored)),
		registration("post", client.SecretPost, withSecret(stored)),
		registration("b-2", client.SecretBasic, withSecret(otherStored)),
		registration("https://rp.example/a", client.SecretBasic, withSecret(otherStored)),
		registration("pct%2D", client.SecretBasic, withSecret(otherStored)),
		registration("jwt", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, ec, "ec")))),
		registration("public", client.None),
		registration("asks", client.SecretBasic, withSecret(stored), func(r *client.Registration) { r.IntrospectionAllowed = true }),
	)
	assertion := func(id string) string {
		return sign(t, ec, "ES256", `{"alg":"ES256"}`, claims(t, map[string]any{"iss": id, "sub": id}))
	}
	header := func(r *http.Request, values ...string) *http.Request {
		for _, v := range values {
			r.Header.Add("Authorization", v)
		}
		return r
	}
	const several, malformed, repeated = "several methods, invalid_request", "malformed request, invalid_request", "repeated parameter, invalid_request"
	const wrongMethod, wrongSecret, scheme, none = "wrong method, invalid_client", "wrong secret, invalid_client", "unknown scheme, invalid_client", "no credentials, invalid_client"
	for _, c := range []struct {
		name    string
		request *http.Request
		at      client.Endpoint
		want    string
	}{
		// The right ones.
		{"basic", basic(post(), "basic:"+secret), client.Token, "basic by client_secret_basic"},
		{"basic and its client_id", basic(post("client_id", "basic"), "basic:"+secret), client.Token, "basic by client_secret_basic"},
		{"basic and an empty client_secret", basic(post("client_secret", ""), "basic:"+secret), client.Token, "basic by client_secret_basic"},
		{"basic by another case of it", header(post(), "bAsIc "+basic(post(), "basic:"+secret).Header.Get("Authorization")[6:]), client.Token, "basic by client_secret_basic"},
		{"basic raw, with what would decode to another", basic(post(), "pct%2D:"+other), client.Token, "pct%2D by client_secret_basic"},
		{"basic encoded", basic(post(), "pct%252D:"+url.QueryEscape(other)), client.Token, "pct%2D by client_secret_basic"},
		{"basic encoded wholly", basic(post(), percent("b-2")+":"+percent(other)), client.Token, "b-2 by client_secret_basic"},
		{"basic encoded, an address", basic(post(), url.QueryEscape("https://rp.example/a")+":"+other), client.Token, "https://rp.example/a by client_secret_basic"},
		{"post", post("client_id", "post", "client_secret", secret), client.Token, "post by client_secret_post"},
		{"jwt", post("client_assertion_type", assertionType, "client_assertion", assertion("jwt")), client.Token, "jwt by private_key_jwt"},
		{"jwt and its client_id", post("client_id", "jwt", "client_assertion_type", assertionType, "client_assertion", assertion("jwt")), client.Token, "jwt by private_key_jwt"},
		{"public", post("client_id", "public"), client.Token, "public by none"},
		{"public at PAR", post("client_id", "public"), client.PAR, "public by none"},
		{"public at revocation", post("client_id", "public"), client.Revocation, "public by none"},
		{"introspection", basic(post("token", "x"), "asks:"+secret), client.Introspection, "asks by client_secret_basic"},
		{"resource and audience more than once", basic(post("resource", "a", "resource", "b", "audience", "a", "audience", "b"), "basic:"+secret), client.Token, "basic by client_secret_basic"},
		{"a form in UTF-8", header(raw("POST", "/token", form+"; charset=UTF-8", "client_id=public")), client.Token, "public by none"},

		// Another method than the registered one.
		{"basic for post", basic(post(), "post:"+secret), client.Token, wrongMethod},
		{"post for basic", post("client_id", "basic", "client_secret", secret), client.Token, wrongMethod},
		{"a secret for jwt", post("client_id", "jwt", "client_secret", secret), client.Token, wrongMethod},
		{"jwt for basic", post("client_assertion_type", assertionType, "client_assertion", assertion("basic")), client.Token, wrongMethod},
		{"a secret for a public client", basic(post(), "public:"+secret), client.Token, wrongMethod},
		{"an empty secret for a public client", basic(post(), "public:"), client.Token, wrongMethod},
		{"a name for basic", post("client_id", "basic"), client.Token, none},
		{"a name for post", post("client_id", "post"), client.Token, none},
		{"a name for jwt", post("client_id", "jwt"), client.Token, none},
		{"an empty secret for post", post("client_id", "post", "client_secret", ""), client.Token, none},
		{"nothing", post(), client.Token, none},

		// More than one.
		{"basic and post", basic(post("client_id", "basic", "client_secret", secret), "basic:"+secret), client.Token, several},
		{"basic and jwt", basic(post("client_assertion_type", assertionType, "client_assertion", assertion("jwt")), "basic:"+secret), client.Token, several},
		{"post and jwt", post("client_id", "jwt", "client_secret", secret, "client_assertion_type", assertionType, "client_assertion", assertion("jwt")), client.Token, several},
		{"basic and a client_assertion_type", basic(post("client_assertion_type", assertionType), "basic:"+secret), client.Token, several},
		{"two headers", header(basic(post(), "basic:"+secret), "Basic "+"YTpi"), client.Token, several},
		{"two headers of one client", header(basic(post(), "basic:"+secret), basic(post(), "basic:"+secret).Header.Get("Authorization")), client.Token, several},
		{"basic and another client_id", basic(post("client_id", "b-2"), "basic:"+secret), client.Token, several},
		{"jwt and another client_id", post("client_id", "public", "client_assertion_type", assertionType, "client_assertion", assertion("jwt")), client.Token, several},

		// Parts of one.
		{"an assertion without its type", post("client_assertion", assertion("jwt")), client.Token, "bad assertion, invalid_client"},
		{"a type without an assertion", post("client_id", "public", "client_assertion_type", assertionType), client.Token, "bad assertion, invalid_client"},
		{"an assertion in SAML", post("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "client_assertion", "x"), client.Token, "bad assertion, invalid_client"},

		// Wrong secrets.
		{"wrong", basic(post(), "basic:"+other), client.Token, wrongSecret},
		{"empty", basic(post(), "basic:"), client.Token, wrongSecret},
		{"the stored form", basic(post(), "basic:"+stored), client.Token, wrongSecret},
		{"half encoded", basic(post(), "pct%252D:%zz"+other), client.Token, "unknown client, invalid_client"},
		{"post that is encoded twice", post("client_id", "post", "client_secret", percent(secret)), client.Token, wrongSecret},
		{"in another case", basic(post(), "Basic:"+secret), client.Token, "unknown client, invalid_client"},
		{"too long", post("client_id", "post", "client_secret", strings.Repeat("a", 600)), client.Token, wrongSecret},

		// Not Basic.
		{"Bearer", header(post(), "Bearer abc"), client.Token, scheme},
		{"Bearer beside a public client", header(post("client_id", "public"), "Bearer abc"), client.Token, scheme},
		{"an empty header", header(post("client_id", "public"), ""), client.Token, scheme},
		{"no base64", header(post(), "Basic !!!!"), client.Token, scheme},
		{"base64 with bits left", header(post(), "Basic YTpiY2=="), client.Token, scheme},
		{"no colon", basic(post(), "basic"), client.Token, scheme},
		{"a NUL", basic(post(), "basic\x00:"+secret), client.Token, scheme},
		{"large", basic(post(), "basic:"+strings.Repeat("a", 8<<10)), client.Token, scheme},

		// One reading.
		{"client_id twice", post("client_id", "public", "client_id", "public"), client.Token, repeated},
		{"client_secret twice", post("client_id", "post", "client_secret", secret, "client_secret", "x"), client.Token, repeated},
		{"code twice", basic(post("code", "a", "code", "b"), "basic:"+secret), client.Token, repeated},
		{"grant_type twice", basic(post("grant_type", "a", "grant_type", "a"), "basic:"+secret), client.Token, repeated},
		{"GET", raw("GET", "/token?client_id=public", form, ""), client.Token, malformed},
		{"PUT", raw("PUT", "/token", form, "client_id=public"), client.Token, malformed},
		{"the address too", basic(raw("POST", "/token?code=a", form, "code=b"), "basic:"+secret), client.Token, malformed},
		{"the secret in the address", raw("POST", "/token?client_id=post&client_secret="+secret, form, ""), client.Token, malformed},
		{"a question mark", raw("POST", "/token?", form, "client_id=public"), client.Token, malformed},
		{"JSON", raw("POST", "/token", "application/json", `{"client_id":"public"}`), client.Token, malformed},
		{"multipart", raw("POST", "/token", "multipart/form-data; boundary=a", "--a--"), client.Token, malformed},
		{"no kind", raw("POST", "/token", "", "client_id=public"), client.Token, malformed},
		{"another character set", raw("POST", "/token", form+"; charset=utf-16", "client_id=public"), client.Token, malformed},
		{"a bad escape", raw("POST", "/token", form, "client_id=public&code=%zz"), client.Token, malformed},
		{"semicolons", raw("POST", "/token", form, "client_id=public;code=a"), client.Token, malformed},
		{"large", raw("POST", "/token", form, "client_id=public&code="+strings.Repeat("a", 1<<20)), client.Token, malformed},
		{"many", raw("POST", "/token", form, "client_id=public"+manyParameters(101)), client.Token, malformed},

		// What a client may not.
		{"introspection by a public client", post("client_id", "public"), client.Introspection, "not allowed, unauthorized_client"},
		{"introspection that is not said", basic(post(), "basic:"+secret), client.Introspection, "not allowed, unauthorized_client"},
		{"no endpoint", basic(post(), "basic:"+secret), 0, "not allowed, unauthorized_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := authenticate(t, r, c.request, c.at); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// percent encodes every octet, as a form may.
func percent(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString("%" + string("0123456789ABCDEF"[text[i]>>4]) + string("0123456789ABCDEF"[text[i]&15]))
	}
	return b.String()
}

func manyParameters(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("&p" + strings.Repeat("x", i) + "=1")
	}
	return b.String()
}

// TestFormStays: who reads the request afterwards finds the form that was judged.
func TestFormStays(t *testing.T) {
	r := registry(t, options(), registration("public", client.None))
	request := post("client_id", "public", "code", "abc")
	if _, _, err := r.Authenticate(request, client.Token); err != nil {
		t.Fatal(err)
	}
	if err := request.ParseForm(); err != nil || request.PostForm.Get("code") != "abc" || request.Form.Get("code") != "abc" {
		t.Errorf("%v %v", request.PostForm, err)
	}
	// One that a handler parsed before is judged as it is.
	request = post("client_id", "public", "client_id", "public")
	if err := request.ParseForm(); err != nil {
		t.Fatal(err)
	}
	if got := authenticate(t, r, request, client.Token); got != "repeated parameter, invalid_request" {
		t.Error(got)
	}
}

// TestErrorAnswers: what a stranger is told, by status, code and challenge; never why.
func TestErrorAnswers(t *testing.T) {
	secret, stored := newSecret(t, nil)
	o := options()
	o.Wrong = 1
	r := registry(t, o, registration("app", client.SecretBasic, withSecret(stored)), registration("post", client.SecretPost, withSecret(stored)))
	const challenge = `Basic realm="token", charset="UTF-8"`
	for _, c := range []struct {
		name      string
		request   *http.Request
		at        client.Endpoint
		status    int
		body      string
		challenge string
		client    string
	}{
		{"wrong by basic", basic(post(), "app:x"), client.Token, 401, `{"error":"invalid_client"}`, challenge, "app"},
		{"wrong again", basic(post(), "app:x"), client.Token, 429, `{"error":"invalid_client"}`, "", "app"},
		{"nobody by basic", basic(post(), "nobody:x"), client.Token, 401, `{"error":"invalid_client"}`, challenge, ""},
		{"nobody again", basic(post(), "nobody:x"), client.Token, 429, `{"error":"invalid_client"}`, "", ""},
		{"wrong by post", post("client_id", "post", "client_secret", "x"), client.Token, 401, `{"error":"invalid_client"}`, "", "post"},
		{"none", post(), client.Token, 401, `{"error":"invalid_client"}`, "", ""},
		{"Bearer", func() *http.Request { r := post(); r.Header.Set("Authorization", "Bearer x"); return r }(), client.Token, 401, `{"error":"invalid_client"}`, challenge, ""},
		{"two", basic(post("client_secret", "x"), "app:x"), client.Token, 400, `{"error":"invalid_request"}`, "", ""},
		{"not allowed", basic(post(), "app:"+secret), client.Introspection, 403, `{"error":"unauthorized_client"}`, "", "app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := r.Authenticate(c.request, c.at)
			refused, ok := err.(*client.Error)
			if !ok {
				t.Fatalf("%v", err)
			}
			w := httptest.NewRecorder()
			refused.Write(w)
			if w.Code != c.status || strings.TrimSpace(w.Body.String()) != c.body || w.Header().Get("WWW-Authenticate") != c.challenge {
				t.Errorf("%d %s %q", w.Code, w.Body, w.Header().Get("WWW-Authenticate"))
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%v", w.Header())
			}
			if (w.Header().Get("Retry-After") != "") != (c.status == 429) {
				t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
			}
			if refused.Client != c.client {
				t.Errorf("client %q", refused.Client)
			}
			if strings.Contains(err.Error(), secret) {
				t.Error("the error shows the secret")
			}
		})
	}
}

// TestSecretRotation: two secrets while one replaces the other, and the end of each.
func TestSecretRotation(t *testing.T) {
	now := testpki.Now()
	key := []byte(strings.Repeat("k", 32))
	old, oldStored := newSecret(t, nil)
	fresh, freshStored := newSecret(t, key)
	at := now
	o := options()
	o.SecretKey = key
	o.Now = func() time.Time { return at }
	r := registry(t, o, registration("app", client.SecretBasic, withSecret(oldStored, now.Add(time.Hour)), withSecret(freshStored)))
	for _, c := range []struct {
		at     time.Time
		secret string
		want   string
	}{
		{now, old, "app by client_secret_basic"},
		{now, fresh, "app by client_secret_basic"},
		{now.Add(time.Hour - 1), old, "app by client_secret_basic"},
		{now.Add(time.Hour), old, "expired secret, invalid_client"},
		{now.Add(time.Hour), fresh, "app by client_secret_basic"},
	} {
		at = c.at
		if got := authenticate(t, r, basic(post(), "app:"+c.secret), client.Token); got != c.want {
			t.Errorf("at %s: %s, want %s", c.at, got, c.want)
		}
	}
	// The key of the server is part of what is compared.
	o.SecretKey = []byte(strings.Repeat("l", 32))
	r = registry(t, o, registration("app", client.SecretBasic, withSecret(freshStored)))
	if got := authenticate(t, r, basic(post(), "app:"+fresh), client.Token); got != "wrong secret, invalid_client" {
		t.Error(got)
	}
}

// TestO6Lock: a stranger who sends wrong secrets is told to wait, and shuts nobody out: the right secret is taken meanwhile.
func TestO6Lock(t *testing.T) {
	secret, stored := newSecret(t, nil)
	at := testpki.Now()
	o := options()
	o.Now = func() time.Time { return at }
	r := registry(t, o, registration("app", client.SecretBasic, withSecret(stored)), registration("other", client.SecretBasic, withSecret(stored)))
	const wrong, tooMany = "wrong secret, invalid_client", "too many attempts, invalid_client"
	for i := range 25 {
		want := wrong
		if i >= 10 {
			want = tooMany
		}
		if got := authenticate(t, r, basic(post(), "app:x"), client.Token); got != want {
			t.Fatalf("attempt %d: %s, want %s", i, got, want)
		}
	}
	if got := authenticate(t, r, basic(post(), "app:"+secret), client.Token); got != "app by client_secret_basic" {
		t.Errorf("the right secret: %s", got)
	}
	if got := authenticate(t, r, basic(post(), "other:x"), client.Token); got != wrong {
		t.Errorf("another client: %s", got)
	}
	if err := r.Reload([]client.Registration{registration("app", client.SecretBasic, withSecret(stored))}); err != nil {
		t.Fatal(err)
	}
	if got := authenticate(t, r, basic(post(), "app:x"), client.Token); got != tooMany {
		t.Errorf("after a reload: %s", got)
	}
	at = at.Add(6 * time.Second) // a tenth of the window
	for _, want := range []string{wrong, tooMany} {
		if got := authenticate(t, r, basic(post(), "app:x"), client.Token); got != want {
			t.Errorf("later: %s, want %s", got, want)
		}
	}
	at = at.Add(-time.Hour) // a clock that is put back gives nothing
	if got := authenticate(t, r, basic(post(), "app:x"), client.Token); got != tooMany {
		t.Errorf("before: %s", got)
	}
	at = at.Add(time.Hour + 6*time.Second) // and takes nothing
	if got := authenticate(t, r, basic(post(), "app:x"), client.Token); got != wrong {
		t.Errorf("after: %s", got)
	}
}

// TestNamed: whom a request names says in which registry he proves it, and nothing else.
func TestNamed(t *testing.T) {
	r, err := client.New(nil, client.Options{Issuer: "https://op.example", Endpoints: map[client.Endpoint][]string{client.Token: {"https://op.example/token"}}})
	if err != nil {
		t.Fatal(err)
	}
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	assertion := part(`{"alg":"ES256"}`) + "." + part(`{"iss":"rp","sub":"rp","jti":"1","aud":"a","exp":2000000000}`) + "." + part("x")
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"client_id":                  {url.Values{"client_id": {"rp"}}, "rp"},
		"an assertion":               {url.Values{"client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, "rp"},
		"client_id and an assertion": {url.Values{"client_id": {"other"}, "client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, "other"}, // who proves to be another is refused
		"an assertion that is none":  {url.Values{"client_assertion": {"x.y.z"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, ""},
		"two":                        {url.Values{"client_id": {"rp", "other"}}, ""},
		"none":                       {url.Values{}, ""},
	} {
		q := httptest.NewRequest(http.MethodPost, "https://op.example/token", strings.NewReader(c.form.Encode()))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if got := r.Named(q); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, err := r.Beside(client.Registration{}, nil); err == nil {
		t.Error("a client whose assertions nobody remembers")
	}
}

// A slow body gives few octets at a time, and keeps how much room it was offered beyond what it had given.
type slowBody struct {
	left   string
	given  int
	beyond int
}

func (b *slowBody) Read(p []byte) (int, error) {
	b.beyond = max(b.beyond, len(p)-b.given)
	if b.left == "" {
		return 0, io.EOF
	}
	n := copy(p, b.left[:min(len(b.left), 700)])
	b.left, b.given = b.left[n:], b.given+n
	return n, nil
}

// TestAnnounced: a body is made room for as it comes, never as it is announced. A stranger who opened streams of HTTP/2 and announced
// 256 KB on each had 75 KB of memory held for every 15 octets that he sent, before anybody authenticated.
func TestAnnounced(t *testing.T) {
	r := registry(t, options(), registration("public", client.None))
	for name, body := range map[string]string{
		"nothing": "", "a few octets": "client_id=public", "much": "client_id=public&x=" + strings.Repeat("a", 100<<10),
	} {
		slow := &slowBody{left: body}
		request := httptest.NewRequest(http.MethodPost, "/token", slow)
		request.Header.Set("Content-Type", form)
		request.ContentLength = 256 << 10
		if _, _, err := r.Authenticate(request, client.Token); (err == nil) != (body != "") {
			t.Errorf("%s: %v", name, err)
		}
		if slow.beyond > 2<<10 {
			t.Errorf("%s: room for %d octets more than came", name, slow.beyond)
		}
	}
}

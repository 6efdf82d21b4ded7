package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sceau/internal/minipki"
)

const authorizing = guarded + callerKeys + "actions: {'{urn:test}Echo': 'urn:test:Echo'}\nauthorizer: {address: '127.0.0.1:0', ext-authz: true, session: {}}\n"

// TestExtAuthz asks as Envoy does with with_request_body: its own path before that of the request, the message, its method and
// headers. A refusal must not be 5xx, which Envoy may be told to let pass.
func TestExtAuthz(t *testing.T) {
	r := start(t, authorizing)
	at := r.authorizer(t) + "/ext-authz"
	message := r.call(t)
	got := send(t, http.MethodPost, at+"//service/../x", message, func(q *http.Request) {
		q.Header.Set("SOAPAction", `"urn:test:DeleteAll"`)
		q.Header.Set("Sceau-Caller", "spoofed")
		q.Header.Set("X-Envoy-Auth-Partial-Body", "false")
	})
	if got.status != http.StatusOK || got.body != "" {
		t.Fatal(got)
	}
	if got.header.Get("SOAPAction") != `"urn:test:Echo"` {
		t.Error("W23", got.header)
	}
	if _, said := r.verified(t, got.header.Get("Sceau-Caller"), callerType, time.Now()); said.Body != thumbprintOf(message) || said.Operation.Name != "Echo" {
		t.Errorf("%+v", said)
	}
	partial := func(q *http.Request) { q.Header.Set("X-Envoy-Auth-Partial-Body", "true") }
	for name, c := range map[string]struct {
		method  string
		message []byte
		change  func(*http.Request)
		status  int
		code    string
	}{
		"R1 again":       {http.MethodPost, message, nil, http.StatusUnauthorized, "SOA-01001"},
		"no doctor":      {http.MethodPost, must(r.pki.message("false")), nil, http.StatusForbidden, "SOA-01002"},
		"no message":     {http.MethodPost, []byte{}, nil, http.StatusBadRequest, "SOA-03001"},
		"cut off":        {http.MethodPost, r.call(t), partial, http.StatusRequestEntityTooLarge, ""},
		"too long":       {http.MethodPost, []byte(strings.Repeat(" ", 2<<20)), nil, http.StatusRequestEntityTooLarge, ""},
		"GET":            {http.MethodGet, nil, nil, http.StatusMethodNotAllowed, ""},
		"compressed":     {http.MethodPost, r.call(t), func(q *http.Request) { q.Header.Set("Content-Encoding", "gzip") }, http.StatusUnsupportedMediaType, ""},
		"D7 two types":   {http.MethodPost, r.call(t), func(q *http.Request) { q.Header.Add("Content-Type", "text/xml; charset=utf-7") }, http.StatusUnsupportedMediaType, ""},
		"not a message":  {http.MethodPost, []byte("hello"), nil, http.StatusBadRequest, "SOA-03001"},
		"JSON, as RESTs": {http.MethodPost, []byte("{}"), func(q *http.Request) { q.Header.Set("Content-Type", "application/json") }, http.StatusUnsupportedMediaType, ""},
	} {
		var changes []func(*http.Request)
		if c.change != nil {
			changes = append(changes, c.change)
		}
		got := send(t, c.method, at, c.message, changes...)
		if got.status != c.status || !strings.Contains(got.body, c.code) || got.header.Get("Sceau-Caller") != "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := send(t, http.MethodPost, r.authorizer(t)+"/ext-authzz", r.call(t)); got.status != http.StatusNotFound {
		t.Error(got)
	}
}

// escaped is what nginx calls $ssl_client_escaped_cert.
func escaped(der []byte) string { return url.PathEscape(string(minipki.CertificatePEM(der))) }

func withSession(token string, certificate []byte) func(*http.Request) {
	return func(q *http.Request) {
		q.Header.Set("Authorization", "Bearer "+token)
		if certificate != nil {
			q.Header.Set("Sceau-Client-Certificate", escaped(certificate))
		}
	}
}

// begin sends a message for a session.
func begin(t testing.TB, at string, message []byte) string {
	t.Helper()
	got := send(t, http.MethodPost, at+"/session", message)
	var answer struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != http.StatusOK || answer.Type != "Bearer" || answer.Expires < 200 || answer.Expires > 300 || got.header.Get("Cache-Control") != "no-store" {
		t.Fatal(got, err)
	}
	return answer.Token
}

// TestSession: a token stands for an admitted message where the client shows the certificate of its holder, for a while, and
// nowhere else.
func TestSession(t *testing.T) {
	r := start(t, authorizing)
	at := r.authorizer(t)
	message := r.call(t)
	token := begin(t, at, message)
	got := send(t, http.MethodGet, at+"/auth", nil, withSession(token, r.pki.holder))
	if got.status != http.StatusOK || got.body != "" {
		t.Fatal(got, r.log)
	}
	passedOn := got.header.Get("Sceau-Caller")
	registered, said := r.verified(t, passedOn, callerType, time.Now())
	if said.Operation != nil || said.Body != "" || said.Confirmation.X5T != thumbprintOf(r.pki.holder) || registered.Subject != "CN=Alice" || len(said.Attributes) != 2 {
		t.Errorf("%+v %+v", registered, said)
	}
	m := r.current.Load().minter
	now := time.Now()
	resigned := func(kind string, change func(*jwt.Claims, *claims)) string {
		s, err := m.open(token, now)
		if err != nil {
			t.Fatal(err)
		}
		change(&s.registered, &s.said)
		text, err := m.sign(kind, s.registered, s.said)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	strange := func(key any, algorithm jose.SignatureAlgorithm) string {
		s, err := m.open(token, now)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType(sessionType).WithHeader("kid", m.public.Keys[0].KeyID))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(signer).Claims(s.registered).Claims(s.said).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	parts := strings.Split(token, ".")
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(m.public.Keys[0].Key))})
	same := func(*jwt.Claims, *claims) {}
	for name, change := range map[string]func(*http.Request){
		"nothing":                         func(*http.Request) {},
		"no certificate":                  withSession(token, nil),
		"H1 certificate of another":       withSession(token, r.pki.sts),
		"certificate of no authority":     withSession(token, r.pki.server),
		"no token":                        withSession("", r.pki.holder),
		"O4 alg none":                     withSession("eyJhbGciOiJub25lIn0."+parts[1]+".", r.pki.holder),
		"O4 public key as secret of HMAC": withSession(strange(publicPEM, jose.HS256), r.pki.holder),
		"another key under our kid":       withSession(strange(r.pki.holderKey, jose.ES256), r.pki.holder),
		"changed":                         withSession(parts[0]+"."+parts[1][:len(parts[1])-2]+"AA."+parts[2], r.pki.holder),
		"token of a caller":               withSession(passedOn, r.pki.holder),
		"type of a caller":                withSession(resigned(callerType, same), r.pki.holder),
		"past":                            withSession(resigned(sessionType, func(c *jwt.Claims, _ *claims) { c.Expiry = jwt.NewNumericDate(now.Add(-time.Second)) }), r.pki.holder),
		"to come":                         withSession(resigned(sessionType, func(c *jwt.Claims, _ *claims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Minute)) }), r.pki.holder),
		"without end":                     withSession(resigned(sessionType, func(c *jwt.Claims, _ *claims) { c.Expiry = nil }), r.pki.holder),
		"H5 for another audience":         withSession(resigned(sessionType, func(c *jwt.Claims, _ *claims) { c.Audience = jwt.Audience{"urn:service"} }), r.pki.holder),
		"H5 of another issuer":            withSession(resigned(sessionType, func(c *jwt.Claims, _ *claims) { c.Issuer = "https://guard.example.evil" }), r.pki.holder),
		"H2 bound to no key":              withSession(resigned(sessionType, func(_ *jwt.Claims, c *claims) { c.Confirmation = thumbprint{} }), r.pki.holder),
		"very long":                       withSession(strings.Repeat("a", maxToken+1), r.pki.holder),
		"two tokens": func(q *http.Request) {
			withSession(token, r.pki.holder)(q)
			q.Header.Add("Authorization", "Bearer "+token)
		},
		"two certificates": func(q *http.Request) {
			withSession(token, r.pki.sts)(q)
			q.Header.Add("Sceau-Client-Certificate", escaped(r.pki.holder))
		},
		"two certificates in one": func(q *http.Request) {
			withSession(token, r.pki.holder)(q)
			q.Header.Set("Sceau-Client-Certificate", escaped(r.pki.holder)+escaped(r.pki.sts))
		},
		"certificate in DER": func(q *http.Request) {
			withSession(token, nil)(q)
			q.Header.Set("Sceau-Client-Certificate", url.PathEscape(string(r.pki.holder)))
		},
	} {
		if got := send(t, http.MethodGet, at+"/auth", nil, change); got.status != http.StatusUnauthorized || got.header.Get("Sceau-Caller") != "" || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := send(t, http.MethodPost, at+"/session", message); got.status != http.StatusInternalServerError || !strings.Contains(got.body, "SOA-01001") {
		t.Error("R1: a second session of one message:", got)
	}
	if got := send(t, http.MethodGet, at+"/session", nil); got.status != http.StatusMethodNotAllowed {
		t.Error(got)
	}
	records := r.records(t)
	if records[0].Operation != "session" || records[1].Operation != "auth-request" || records[1].RequestID != records[0].ID || records[1].Holder.Kind != "ehealth-person" {
		t.Errorf("%+v %+v", records[0], records[1])
	}
	for _, e := range records[2:] {
		if e.Outcome == "success" {
			t.Errorf("%+v", e)
		}
	}
	if strings.Contains(r.log.String(), "00000000097") || strings.Contains(r.log.String(), "Alice") {
		t.Error("personal data in the log")
	}
}

// TestSessionOfRevoked: a session ends with the certificate of its holder.
func TestSessionOfRevoked(t *testing.T) {
	r := start(t, authorizing)
	at := r.authorizer(t)
	token := begin(t, at, r.call(t))
	if err := r.pki.revoke(r.folder); err != nil {
		t.Fatal(err)
	}
	if err := r.reload(r.path()); err != nil {
		t.Fatal(err)
	}
	if got := send(t, http.MethodGet, at+"/auth", nil, withSession(token, r.pki.holder)); got.status != http.StatusUnauthorized {
		t.Error(got)
	}
}

// TestKeysRoll: a session outlives a new key that signs, as long as the old one is listed.
func TestKeysRoll(t *testing.T) {
	r := start(t, authorizing)
	at := r.authorizer(t)
	token := begin(t, at, r.call(t))
	for _, c := range []struct {
		keys   string
		status int
	}{{"[server.key, caller.key]", http.StatusOK}, {"[server.key]", http.StatusUnauthorized}} {
		r.configure(t, strings.Replace(authorizing, "[caller.key]", c.keys, 1))
		if err := r.reload(r.path()); err != nil {
			t.Fatal(err)
		}
		if got := send(t, http.MethodGet, at+"/auth", nil, withSession(token, r.pki.holder)); got.status != c.status {
			t.Error(c.keys, got)
		}
	}
}

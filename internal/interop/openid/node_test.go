package openid

import (
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sceau/internal/judge"
)

// A relying is one way to be a relying party.
type relying struct {
	id       string
	method   string
	alg      string // of its key
	key, kid string
	pair     string // its certificate
	idAlg    string // of ID tokens: RS256 if empty
	infoAlg  string // of userinfo: JSON if empty
	metadata string // by which of the two discoveries; oidc if empty
	par, jar bool
	password bool // the person has no card today
}

var relyings = []relying{
	{id: "rp-basic", method: "client_secret_basic"},
	{id: "rp-post", method: "client_secret_post", metadata: "oauth2", password: true},
	{id: "rp:basic+es256%2D", method: "client_secret_basic", idAlg: "ES256", infoAlg: "ES256", par: true},
	{id: "rp-basic-ps256", method: "client_secret_basic", idAlg: "PS256", infoAlg: "RS256"},
	{id: "rp-jwt-es256", method: "private_key_jwt", alg: "ES256", key: "client-ec", kid: "ec", jar: true},
	{id: "rp-jwt-ps256", method: "private_key_jwt", alg: "PS256", key: "client-rsa", kid: "rsa", par: true, jar: true},
	{id: "rp-tls", method: "tls_client_auth", pair: "structure", par: true},
	{id: "rp-self", method: "self_signed_tls_client_auth", pair: "self"},
	{id: "rp-secret-tls", method: "client_secret_post", pair: "structure"},
	{id: "rp-public", method: "none", password: true},
}

func (r *relying) discover(w *world) members {
	c := members{"do": "discover", "id": r.id, "method": r.method, "secret": secret, "issuer": w.issuer, "redirect": rpBack, "alg": r.alg, "kid": r.kid, "idAlg": or(r.idAlg, "RS256"),
		"infoAlg": r.infoAlg, "algorithm": or(r.metadata, "oidc")}
	if r.key != "" {
		c["key"] = w.pki.path(r.key)
	}
	if r.pair != "" {
		c["pair"] = w.pki.path(r.pair)
	}
	return c
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// TestOpenIDClient is the life of a login by each method: authorization, tokens, userinfo, refreshing, introspection, revocation, logout, and that the
// relying party is told of it.
func TestOpenIDClient(t *testing.T) {
	judge.Require(t, "node")
	w, folder := meet(t), judge.NodeModules(t, "node", "rp.js")
	p := w.program(t, judge.Require(t, "node"), filepath.Join(folder, "rp.js"))
	told, err := url.Parse(w.told)
	if err != nil {
		t.Fatal(err)
	}
	w.release(w.told)
	p.must(t, members{"do": "listen", "port": told.Port(), "pair": w.pki.path("server"), "jwks": w.issuer + "/jwks", "issuer": w.issuer})
	for _, r := range relyings {
		t.Run(strings.TrimPrefix(r.id, "rp-"), func(t *testing.T) {
			p.life(t, &r)
		})
	}
	t.Run("refused", func(t *testing.T) { p.wrong(t) })
}

func (p *party) life(t *testing.T, r *relying) {
	if d := p.must(t, r.discover(p.world)); d["issuer"] != p.issuer || d["pkce"] != true {
		t.Fatalf("discovered %v", d)
	}
	alice := p.person(t, "alice")
	begun := text(p.must(t, members{"do": "begin", "id": r.id, "par": r.par, "jar": r.jar}), "url")
	login, amr := alice.byCard, []any{"sc", "pin", "mfa", "hwk"}
	if r.password {
		login, amr = alice.byPassword, []any{"pwd"}
	}
	a, back := login(begun)
	back = alice.led(a, back)
	if !strings.HasPrefix(back.String(), rpBack+"?") || back.Query().Get("iss") != p.issuer {
		t.Fatalf("led to %s", back.Redacted())
	}
	done := p.must(t, members{"do": "finish", "id": r.id, "url": back.String(), "maxAge": 3600})
	claims, info := inner(done, "claims"), inner(done, "info")
	if done["alg"] != or(r.idAlg, "RS256") || claims["sub"] != aliceSubject || claims["oid"] != aliceSubject || claims["tid"] != "hopital-exemple" || claims["azp"] != r.id {
		t.Errorf("%s: %v", done["alg"], claims)
	}
	if got, _ := claims["amr"].([]any); !slices.Equal(got, amr) {
		t.Errorf("amr is %v", claims["amr"])
	}
	for _, name := range []string{"sub", "oid", "tid", "sid", "given_name", "family_name", "name", "email", "preferred_username", "auth_time"} {
		if claims[name] == nil || claims[name] != info[name] {
			t.Errorf("%s: %v in the ID token, %v from userinfo", name, claims[name], info[name])
		}
	}
	p.refused(t, "invalid_grant", members{"do": "finish", "id": r.id, "url": back.String()}) // the code was used, and what it gave is void
	if q := p.try(t, members{"do": "userinfo", "id": r.id, "token": done["access"]}); q["error"] == nil {
		t.Error("a code that was shown twice left its access token alive")
	}
	// Again, by the session: nobody is asked.
	a, back = alice.open(text(p.must(t, members{"do": "begin", "id": r.id, "par": r.par, "jar": r.jar, "params": members{"prompt": "none"}}), "url"))
	done = p.must(t, members{"do": "finish", "id": r.id, "url": alice.led(a, back).String()})
	if inner(done, "claims")["auth_time"] != claims["auth_time"] {
		t.Error("auth_time is not that of the login")
	}
	p.tokens(t, r, done)
	p.ended(t, r, alice, done)
}

// tokens refreshes, asks about, and revokes.
func (p *party) tokens(t *testing.T, r *relying, done members) {
	asks := r.method != "none" // a public client may ask about no tokens
	active := func(token any) bool {
		t.Helper()
		said := inner(p.must(t, members{"do": "introspect", "id": r.id, "token": token}), "said")
		if said["active"] == true && (said["sub"] != aliceSubject || said["client_id"] != r.id) {
			t.Errorf("%v", said)
		}
		if x := inner(said, "cnf")["x5t#S256"]; said["active"] == true && (x != nil) != (r.id == "rp-tls") {
			t.Errorf("bound to the certificate %v", x)
		}
		return said["active"] == true
	}
	if asks && !active(done["access"]) {
		t.Error("the access token is not active")
	}
	next := p.must(t, members{"do": "refresh", "id": r.id, "token": done["refresh"]})
	if next["refresh"] == nil || next["refresh"] == done["refresh"] || next["access"] == done["access"] {
		t.Errorf("refreshed: no new tokens")
	}
	if asks {
		if !active(next["access"]) {
			t.Error("the new access token is not active")
		}
		p.must(t, members{"do": "revoke", "id": r.id, "token": next["access"]})
		if active(next["access"]) {
			t.Error("revoked, and active")
		}
	} else {
		p.must(t, members{"do": "revoke", "id": r.id, "token": next["access"]})
	}
	if q := p.try(t, members{"do": "userinfo", "id": r.id, "token": next["access"]}); q["error"] == nil {
		t.Error("userinfo takes a token that was revoked")
	}
	// The first refresh token again: somebody has it who should not, and all that came of it ends.
	p.refused(t, "invalid_grant", members{"do": "refresh", "id": r.id, "token": done["refresh"]})
	p.refused(t, "invalid_grant", members{"do": "refresh", "id": r.id, "token": next["refresh"]})
}

// ended logs out: the browser comes back with the state, and the relying party is told.
func (p *party) ended(t *testing.T, r *relying, alice *person, done members) {
	to := p.must(t, members{"do": "logout", "id": r.id, "params": members{"id_token_hint": done["id"], "post_logout_redirect_uri": rpBye, "state": "a state & more"}})
	a, back := alice.open(text(to, "url"))
	if back = alice.led(a, back); back.Query().Get("state") != "a state & more" || !strings.HasPrefix(back.String(), rpBye+"?") {
		t.Errorf("led to %s", back.Redacted())
	}
	told, _ := p.must(t, members{"do": "told"})["told"].([]any)
	if len(told) != 1 {
		t.Fatalf("told %v", told)
	}
	one, _ := told[0].(members)
	if c := inner(one, "claims"); one["wrong"] != false || one["alg"] != or(r.idAlg, "RS256") || c["aud"] != r.id || c["sub"] != aliceSubject ||
		c["sid"] != inner(done, "claims")["sid"] {
		t.Errorf("%v", one)
	}
	a, back = alice.open(text(p.must(t, members{"do": "begin", "id": r.id, "par": r.par, "jar": r.jar, "params": members{"prompt": "none"}}), "url"))
	p.refused(t, "login_required", members{"do": "finish", "id": r.id, "url": alice.led(a, back).String()})
}

// wrong is what each method must not let through.
func (p *party) wrong(t *testing.T) {
	by := func(id string) *relying {
		i := slices.IndexFunc(relyings, func(r relying) bool { return r.id == id })
		r := relyings[i]
		return &r
	}
	// code takes a party as registered to a code.
	code := func(t *testing.T, r *relying) string {
		t.Helper()
		p.must(t, r.discover(p.world))
		alice := p.person(t, "alice")
		a, back := alice.byCard(text(p.must(t, members{"do": "begin", "id": r.id, "par": r.par, "jar": r.jar}), "url"))
		return alice.led(a, back).String()
	}
	t.Run("verifier", func(t *testing.T) {
		r := by("rp-basic")
		p.refused(t, "invalid_grant", members{"do": "finish", "id": r.id, "url": code(t, r), "verifier": strings.Repeat("x", 43)})
	})
	for _, tt := range []struct {
		name, id string
		change   func(c members)
	}{
		{"secret", "rp-basic", func(c members) { c["secret"] = "another" }},
		{"secret by another method", "rp-basic", func(c members) { c["method"] = "client_secret_post" }},
		{"assertion by another key", "rp-jwt-es256", func(c members) { c["key"] = p.pki.path("es256") }},
		{"assertion by another algorithm", "rp-jwt-ps256", func(c members) { c["alg"] = "RS256" }},
		{"certificate of another", "rp-tls", func(c members) { c["pair"] = p.pki.path("other") }},
		{"certificate that is not registered", "rp-self", func(c members) { c["pair"] = p.pki.path("structure") }},
		{"secret without the certificate", "rp-secret-tls", func(c members) { delete(c, "pair") }},
		{"certificate without the secret", "rp-secret-tls", func(c members) { c["method"] = "tls_client_auth" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := by(tt.id)
			p.must(t, r.discover(p.world))
			alice := p.person(t, "alice")
			begun := text(p.must(t, members{"do": "begin", "id": r.id, "par": r.par, "jar": r.jar}), "url")
			a, back := alice.byCard(begun)
			url := alice.led(a, back).String()
			// From here on it is somebody else who shows what it has.
			changed := r.discover(p.world)
			tt.change(changed)
			p.must(t, members{"do": "again", "id": r.id, "as": changed})
			want := "invalid_client"
			if changed["method"] == "client_secret_basic" { // the library reads the challenge, and then not the body
				want = "OAUTH_WWW_AUTHENTICATE_CHALLENGE"
			}
			p.refused(t, want, members{"do": "finish", "id": r.id, "url": url})
		})
	}
	t.Run("parameters beside the request object", func(t *testing.T) {
		r := by("rp-jwt-es256")
		p.must(t, r.discover(p.world))
		begun := text(p.must(t, members{"do": "begin", "id": r.id, "jar": true}), "url")
		alice := p.person(t, "alice")
		a, back := alice.byCard(begun + "&redirect_uri=" + url.QueryEscape("https://evil.example/cb") + "&scope=openid")
		if back = alice.led(a, back); !strings.HasPrefix(back.String(), rpBack) {
			t.Errorf("led to %s", back.Redacted())
		}
	})
	t.Run("request that was not pushed", func(t *testing.T) {
		r := by("rp-jwt-ps256")
		p.must(t, r.discover(p.world))
		begun := text(p.must(t, members{"do": "begin", "id": r.id, "jar": true}), "url")
		if a, back := p.person(t, "").open(begun); back != nil || a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s, led to %v", a.Status, back)
		}
	})
	t.Run("pushed request again", func(t *testing.T) {
		r := by("rp-tls")
		p.must(t, r.discover(p.world))
		begun := text(p.must(t, members{"do": "begin", "id": r.id, "par": true}), "url")
		alice := p.person(t, "alice")
		alice.byCard(begun)
		if a, back := alice.open(begun); back != nil || a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s, led to %v", a.Status, back)
		}
	})
	t.Run("bound token without the certificate", func(t *testing.T) {
		r := by("rp-tls")
		done := p.must(t, members{"do": "finish", "id": r.id, "url": code(t, r)})
		changed := r.discover(p.world)
		delete(changed, "pair")
		p.must(t, members{"do": "again", "id": r.id, "as": changed})
		if q := p.try(t, members{"do": "userinfo", "id": r.id, "token": done["access"]}); q["error"] == nil {
			t.Error("userinfo takes a bound token from whoever has it")
		}
	})
	t.Run("card of a stranger", func(t *testing.T) {
		r := by("rp-basic")
		p.must(t, r.discover(p.world))
		a, back := p.person(t, "stranger").byCard(text(p.must(t, members{"do": "begin", "id": r.id}), "url"))
		if back != nil || !strings.Contains(a.text, `role="alert"`) {
			t.Errorf("%s, led to %v: %s", a.Status, back, a.text)
		}
	})
}

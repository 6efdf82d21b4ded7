package oidc

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/oidc/authn"
	"sceau/oidc/client"
)

// The reference: who authenticated where, when and how, and what came of it. It knows no store, no cookie and no library.
type (
	madeLogin struct {
		means string
		at    time.Duration // since the beginning
	}
	madeSession struct {
		person        string
		logins        []madeLogin // the newest last
		created, seen time.Duration
		over          bool
	}
	madeGrant struct {
		client  string
		login   madeLogin
		acr     string
		session *madeSession
		dead    bool
		code    string
		used    bool
		access  []string
		refresh []string
	}
)

// What the houses of the test are registered for.
const (
	modelLifetime = 6 * time.Hour
	modelIdle     = 3 * time.Hour
)

var modelAges = map[string]time.Duration{"web": 4 * time.Hour, "strict": time.Hour}

var modelACR = map[string]string{"card": "eidas3", "password": "eidas1"}

type model struct {
	*rapid.T
	h        *house
	now      time.Duration
	browsers []*browser
	sessions []*madeSession
	grants   []*madeGrant
	locked   map[string]bool
	issued   int
}

func (m *model) session(i int) *madeSession {
	s := m.sessions[i]
	if s == nil || s.over || m.now >= s.created+modelLifetime || m.now >= s.seen+modelIdle {
		return nil
	}
	return s
}

func (m *model) end(s *madeSession) {
	s.over = true
}

// good says whether anything may come of a grant.
func (m *model) good(g *madeGrant) bool {
	return !g.dead && !g.session.over && m.now-g.login.at < modelAges[g.client]
}

func (m *model) wait(t *rapid.T) {
	d := time.Duration(rapid.SampledFrom([]int{1, 9, 59, 60, 61, 119, 179, 240}).Draw(t, "minutes")) * time.Minute
	m.h.wait(d)
	m.now += d
}

// login authenticates a person for a client, whatever the session is.
func (m *model) login(t *rapid.T) {
	i := rapid.IntRange(0, len(m.browsers)-1).Draw(t, "browser")
	who := rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "person")
	id := rapid.SampledFrom([]string{"web", "strict"}).Draw(t, "client")
	means := "card"
	if id == "web" {
		means = rapid.SampledFrom([]string{"card", "password"}).Draw(t, "means")
	}
	b := m.browsers[i]
	a := b.login(b.get(m.h.request("client_id", id, "prompt", "login", "scope", "openid offline_access", "nonce", "n")), means, who)
	got := ledTo(a)
	if m.locked[who] {
		if got != "" {
			t.Fatalf("%s, who is locked out: %q", who, got)
		}
		return
	}
	s := m.session(i)
	if s != nil && s.person != who {
		m.end(s)
		s = nil
	}
	if s == nil {
		s = &madeSession{person: who, created: m.now}
		m.sessions[i] = s
	}
	l := madeLogin{means, m.now}
	s.logins = append(slices.DeleteFunc(s.logins, func(o madeLogin) bool { return o.means == means }), l)
	s.seen = m.now
	if got != "code" {
		t.Fatalf("a login of %s by %s for %s: %q %d", who, means, id, got, a.StatusCode)
	}
	m.grants = append(m.grants, &madeGrant{client: id, login: l, acr: m.acr(id, means), session: s, code: codeOf(a)})
}

func codeOf(a answer) string { return must(url.Parse(a.Header.Get("Location"))).Query().Get("code") }

func (m *model) acr(id, means string) string {
	if id == "web" {
		return modelACR[means]
	}
	return ""
}

// authorize asks in silence.
func (m *model) authorize(t *rapid.T) {
	i := rapid.IntRange(0, len(m.browsers)-1).Draw(t, "browser")
	id := rapid.SampledFrom([]string{"web", "strict"}).Draw(t, "client")
	changed := []string{"client_id", id, "prompt", "none", "scope", "openid offline_access"}
	age := modelAges[id]
	if asked := rapid.SampledFrom([]int{-1, 0, 60, 600, 3600, 100000}).Draw(t, "max_age"); asked >= 0 {
		changed = append(changed, "max_age", fmt.Sprint(asked))
		age = min(age, time.Duration(asked)*time.Second)
	}
	essential := ""
	if id == "web" {
		if essential = rapid.SampledFrom([]string{"", "", "eidas3", "eidas1"}).Draw(t, "essential"); essential != "" {
			changed = append(changed, "claims", `{"id_token":{"acr":{"essential":true,"value":"`+essential+`"}}}`)
		}
	}
	var want *madeLogin
	s := m.session(i)
	if s != nil {
		for j := range s.logins {
			l := &s.logins[j]
			if m.now-l.at < age && (id != "strict" || l.means == "card") && (essential == "" || modelACR[l.means] == essential) {
				want = l // the newest is last
			}
		}
	}
	a := m.browsers[i].get(m.h.request(changed...))
	got := ledTo(a)
	switch {
	case want != nil && m.locked[s.person]:
		m.end(s)
		if got != "login_required" {
			t.Fatalf("a session of %s, who is locked out: %q", s.person, got)
		}
	case want == nil:
		if got != "login_required" {
			t.Fatalf("%v without an authentication that will do: %q", changed, got)
		}
	default:
		if got != "code" {
			t.Fatalf("%v with %+v at %v: %q", changed, *want, m.now, got)
		}
		s.seen = m.now
		m.grants = append(m.grants, &madeGrant{client: id, login: *want, acr: m.acr(id, want.means), session: s, code: codeOf(a)})
	}
}

func (m *model) grant(t *rapid.T) *madeGrant {
	if len(m.grants) == 0 {
		t.Skip("nothing was granted")
	}
	return rapid.SampledFrom(m.grants).Draw(t, "grant")
}

func (m *model) as(id string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(id, webSecret) }
}

// got takes tokens that were issued, and holds them against the authentication.
func (m *model) got(t *rapid.T, g *madeGrant, status int, got tokens, may bool, what string) {
	if ok := status == http.StatusOK && got.Access != ""; ok != may {
		t.Fatalf("%s at %v of %+v in %+v: %d %+v", what, m.now, g, g.session, status, got)
	}
	if !may {
		if got.ID != "" || got.Refresh != "" {
			t.Fatalf("%s: refused, with %+v", what, got)
		}
		return
	}
	m.issued++
	references := map[string][]any{"card": {"sc", "pin", "mfa", "hwk"}, "password": {"pwd"}}[g.login.means]
	for name, token := range map[string]string{"ID token": got.ID, "access token": got.Access} {
		c := m.h.claimsOf(token)
		at, _ := c["auth_time"].(float64)
		age := m.h.now().Sub(time.Unix(int64(at), 0))
		sub := "etab1:" + map[string]string{"alice": "a1", "bob": "b2"}[g.session.person]
		acr, _ := c["acr"].(string)
		if c["sub"] != sub || !reflect.DeepEqual(c["amr"], references) || acr != g.acr || age < m.now-g.login.at-time.Second || age > m.now-g.login.at+time.Minute {
			t.Fatalf("%s: the %s of %+v, of %s, says %v, %v old", what, name, g.login, sub, c, age)
		}
		if exp, _ := c["exp"].(float64); time.Until(time.Unix(int64(exp), 0)) > modelAges[g.client]-(m.now-g.login.at)+2*time.Second {
			t.Fatalf("%s: the %s outlives the authentication", what, name)
		}
	}
	g.access, g.refresh = append(g.access, got.Access), append(g.refresh, got.Refresh)
}

func (m *model) redeem(t *rapid.T) {
	g := m.grant(t)
	status, got := m.h.ask("/token", redeeming(g.code), m.as(g.client))
	m.got(t, g, status, got, m.good(g) && !g.used, "a code")
	if g.used {
		g.dead = true // twice ends what the first got
	}
	g.used = true
}

func (m *model) refresh(t *rapid.T) {
	g := m.grant(t)
	if len(g.refresh) == 0 {
		t.Skip("no refresh token")
	}
	i := rapid.IntRange(0, len(g.refresh)-1).Draw(t, "token")
	newest := i == len(g.refresh)-1
	status, got := m.h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.refresh[i]}}, m.as(g.client))
	locked := m.locked[g.session.person]
	may := m.good(g)
	m.got(t, g, status, got, may && newest && !locked, "a refresh")
	if may && (!newest || locked) {
		g.dead = true
	}
}

func (m *model) ask(t *rapid.T) {
	g := m.grant(t)
	if len(g.access) == 0 {
		t.Skip("no access token")
	}
	access := rapid.SampledFrom(g.access).Draw(t, "token")
	want := http.StatusUnauthorized
	if m.good(g) {
		want = http.StatusOK
	}
	if status, info := m.h.userinfo(access); status != want {
		t.Fatalf("userinfo of %+v in %+v at %v: %d %v", g, g.session, m.now, status, info)
	}
}

func (m *model) revoke(t *rapid.T) {
	g := m.grant(t)
	if len(g.access) == 0 {
		t.Skip("no token")
	}
	token := rapid.SampledFrom([]string{g.access[len(g.access)-1], g.refresh[len(g.refresh)-1]}).Draw(t, "token")
	r := must(http.NewRequest(http.MethodPost, m.h.config.Issuer+"/revoke", strings.NewReader(url.Values{"token": {token}}.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(g.client, webSecret)
	if a := m.browsers[0].do(r); a.StatusCode != http.StatusOK {
		t.Fatalf("revocation: %d %s", a.StatusCode, a.text)
	}
	g.dead = true
}

func (m *model) logout(t *rapid.T) {
	i := rapid.IntRange(0, len(m.browsers)-1).Draw(t, "browser")
	b := m.browsers[i]
	a := b.get(m.h.config.Issuer + "/logout")
	s := m.session(i)
	if there := strings.Contains(a.text, `value="logout"`); there != (s != nil) {
		t.Fatalf("logout at %v of %+v: asks %v", m.now, s, there)
	}
	if s != nil {
		b.post(m.h.config.Issuer+"/logout", url.Values{"decision": {"logout"}, "token": {hidden(a.text, "token")}})
		m.end(s)
	}
}

func (m *model) lock(t *rapid.T) {
	who := rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "person")
	m.locked[who] = !m.locked[who]
	m.h.people.change(who, func(a *authn.Account) { a.Locked = m.locked[who] })
}

// TestModel: no token is ever issued whose authentication is older than the rule, weaker than the policy or another person's than the
// session's, nor after logout, revocation or reuse; and auth_time, amr and acr are those of the authentication that was used. What the reference
// says is given is given, too.
func TestModel(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.SessionLifetime, c.SessionIdle, c.RefreshToken, c.Store = modelLifetime, modelIdle, 24*time.Hour, NewMemoryStore(1<<30, nil)
	}, web(t, func(r *client.Registration) {
		r.Session.ACR = []client.ACRRegistration{{Value: "eidas3", Methods: [][]string{{"sc", "pin", "mfa"}}}, {Value: "eidas1", Methods: [][]string{{"pwd"}}}}
	}), web(t, func(r *client.Registration) {
		r.ID, r.Session.MaxAuthenticationAge, r.Session.Methods = "strict", time.Hour, [][]string{{"sc", "pin"}}
	}))
	issued := 0
	rapid.Check(t, func(t *rapid.T) {
		m := &model{T: t, h: h, browsers: []*browser{h.browser(), h.browser()}, sessions: make([]*madeSession, 2), locked: map[string]bool{}}
		for _, who := range []string{"alice", "bob"} {
			h.people.change(who, func(a *authn.Account) { a.Locked = false })
		}
		t.Repeat(map[string]func(*rapid.T){
			"login": m.login, "login again": m.login, "authorize": m.authorize, "authorize again": m.authorize, "redeem": m.redeem, "redeem again": m.redeem, "refresh": m.refresh, "refresh again": m.refresh,
			"userinfo": m.ask, "revoke": m.revoke, "logout": m.logout, "wait": m.wait, "lock": m.lock,
		})
		issued += m.issued
		for _, b := range m.browsers {
			b.client.CloseIdleConnections()
		}
	})
	if !t.Failed() && issued < 50 {
		t.Errorf("only %d answers with tokens: the sequences lead nowhere", issued)
	}
}

package oidc

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/audit"
	"sceau/internal/testpki"
	"sceau/oidc/client"
	"sceau/oidc/control"
	"sceau/oidc/federation"
)

// A union is a federation that runs: an anchor, an agency below it, and a relying party below that.
type union struct {
	*house
	at     string // of all of them
	roots  *x509.CertPool
	anchor *ecdsa.PrivateKey
	key    *ecdsa.PrivateKey // of the relying party as a client
	id     string            // of the relying party

	mu       sync.Mutex
	members  map[string]http.Handler
	asked    int
	metadata map[string]any // of the relying party
}

// what changes a union before it runs.
type what struct {
	metadata   map[string]any    // more of the relying party's, in the place of the usual; nil takes out
	policy     string            // of the agency
	constraint string            // of the anchor about the agency
	pinned     *ecdsa.PrivateKey // another key than the anchor's
	marks      []string          // that a relying party needs
	given      []string          // that it has
	elsewhere  bool              // the anchor is one to which nobody belongs
	outside    bool              // the agency does not vouch for it
	now        func() time.Time  // of those who sign
	config     func(*Config)     // of the establishment
	limits     federation.Limits // of its resolver
	clients    func(u *union) []client.Registration
}

func (u *union) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	u.mu.Lock()
	u.asked++
	m := u.members[first]
	u.mu.Unlock()
	if m == nil {
		http.NotFound(w, r)
		return
	}
	m.ServeHTTP(w, r)
}

func (u *union) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}

// serve puts somebody in the place of a member; nil: it is not there.
func (u *union) serve(name string, h http.Handler) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.members[name] = h
}

func keySetOf(k *ecdsa.PrivateKey) jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}}
}

const markType = "https://marks.example/certified"

// openUnion starts a federation, and an establishment in it. Of an establishment alone a nil w is the usual.
func openUnion(t *testing.T, w what) *union {
	t.Helper()
	u := &union{anchor: key(t), key: key(t), members: map[string]http.Handler{}, roots: x509.NewCertPool()}
	server := httptest.NewUnstartedServer(u)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	u.at, u.id = server.URL, server.URL+"/rp"
	u.roots.AddCert(server.Certificate())
	u.metadata = map[string]any{
		"client_name": "Dossier", "redirect_uris": []string{back}, "client_registration_types": []string{"automatic"}, "grant_types": []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_method": "private_key_jwt", "jwks": keySetOf(u.key), "id_token_signed_response_alg": "ES256", "scope": "openid profile email offline_access identity",
	}
	maps.Copy(u.metadata, w.metadata)
	maps.DeleteFunc(u.metadata, func(_ string, v any) bool { return v == nil })

	anchorID, agencyID, agencyKey, memberKey := u.at+"/anchor", u.at+"/agency", key(t), key(t)
	entity := func() (map[string]map[string]any, error) {
		return map[string]map[string]any{"federation_entity": {"organization_name": "x"}}, nil
	}
	publish := func(name string, c federation.PublisherConfig) *federation.Publisher {
		if c.Metadata == nil {
			c.Metadata = entity
		}
		c.Entity, c.Now = u.at+"/"+name, w.now
		p := must(federation.NewPublisher(c))
		u.members[name] = p.Handler()
		return p
	}
	of := func(k *ecdsa.PrivateKey) []federation.Key { return []federation.Key{{Signer: k, Algorithm: "ES256"}} }
	member := federation.PublisherConfig{Keys: of(memberKey), AuthorityHints: []string{agencyID}, TrustMarks: map[string]string{},
		Metadata: func() (map[string]map[string]any, error) {
			return map[string]map[string]any{"openid_relying_party": u.metadata}, nil
		}}
	about := func(entity string, k *ecdsa.PrivateKey) federation.Subordinate {
		p := must(federation.NewPublisher(federation.PublisherConfig{Entity: entity, Keys: of(k), Metadata: member.Metadata, Now: w.now}))
		return federation.Subordinate{Entity: entity, Keys: p.Keys()}
	}
	agency, rp := about(agencyID, agencyKey), about(u.id, memberKey)
	agency.Constraints, rp.Policy = json.RawMessage(w.constraint), json.RawMessage(w.policy)
	top := publish("anchor", federation.PublisherConfig{Keys: of(u.anchor), Authority: &federation.Authority{
		Subordinates: must(federation.NewSubordinates(agency)), TrustMarkIssuers: map[string][]string{markType: {anchorID}},
	}})
	below := []federation.Subordinate{}
	if !w.outside {
		below = append(below, rp)
	}
	publish("agency", federation.PublisherConfig{Keys: of(agencyKey), AuthorityHints: []string{anchorID},
		Authority: &federation.Authority{Subordinates: must(federation.NewSubordinates(below...))}})
	for _, typ := range w.given {
		member.TrustMarks[typ] = must(top.IssueTrustMark(u.id, typ, "", time.Hour))
	}
	publish("rp", member)

	pinned := top.Keys()
	if w.pinned != nil {
		pinned = keySetOf(w.pinned)
	}
	trusted := anchorID
	if w.elsewhere {
		trusted = u.at + "/elsewhere"
	}
	var registered []client.Registration
	if w.clients != nil {
		registered = w.clients(u)
	}
	u.house = openHouse(t, func(c *Config, o *client.Options) {
		resolver := must(federation.NewResolver(federation.Config{
			Anchors: map[string]jose.JSONWebKeySet{trusted: pinned}, Roots: u.roots, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			TrustMarks: map[string][]string{"openid_relying_party": w.marks}, Limits: w.limits, Now: c.Now,
		}))
		c.Federation = &Federation{Resolver: resolver, Scopes: []string{"openid", "profile", "offline_access"}, Consent: client.ConsentNone,
			Publish: &federation.PublisherConfig{Keys: of(key(t)), AuthorityHints: []string{agencyID}}}
		o.Endpoints[client.PAR] = []string{c.Issuer + "/par"}
		if w.config != nil {
			w.config(c)
		}
	}, append([]client.Registration{web(t)}, registered...)...)
	return u
}

// object is a request object of the relying party, changed by names and values, of which nil takes out.
func (u *union) object(k *ecdsa.PrivateKey, changed ...any) string {
	now := time.Now()
	c := map[string]any{"iss": u.id, "client_id": u.id, "aud": u.config.Issuer, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": random(),
		"response_type": "code", "redirect_uri": back, "scope": "openid profile email offline_access", "state": "st", "nonce": "no",
		"code_challenge": challenge(), "code_challenge_method": "S256"}
	for i := 0; i < len(changed); i += 2 {
		if c[changed[i].(string)] = changed[i+1]; changed[i+1] == nil {
			delete(c, changed[i].(string))
		}
	}
	return sign(u.T, jose.ES256, k, map[jose.HeaderKey]any{"typ": "oauth-authz-req+jwt", "kid": "k"}, c)
}

// authorize is the address of a request of the relying party, with what stands beside its object.
func (u *union) authorize(object string, beside ...string) string {
	q := url.Values{"client_id": {u.id}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {back}}
	if object != "" {
		q.Set("request", object)
	}
	for i := 0; i < len(beside); i += 2 {
		q.Set(beside[i], beside[i+1])
	}
	return u.config.Issuer + "/authorize?" + q.Encode()
}

// proven puts the assertion of the relying party into a form.
func (u *union) proven(form url.Values, changed ...any) url.Values {
	now := time.Now()
	c := map[string]any{"iss": u.id, "sub": u.id, "aud": u.config.Issuer, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": random()}
	for i := 0; i < len(changed); i += 2 {
		c[changed[i].(string)] = changed[i+1]
	}
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", sign(u.T, jose.ES256, u.key, map[jose.HeaderKey]any{"kid": "k"}, c))
	return form
}

// nothing is how a request comes that authenticates by its form alone.
func nothing(*http.Request) {}

// push pushes a request and gives its name.
func (u *union) push(form url.Values) (status int, uri, code string) {
	u.Helper()
	a := u.browser().post(u.config.Issuer+"/par", form)
	var got struct {
		URI   string `json:"request_uri"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.text), &got); err != nil {
		u.Fatalf("%d %s", a.StatusCode, a.text)
	}
	return a.StatusCode, got.URI, got.Error
}

// TestFederatedCodeFlow: a relying party that nobody registered gets tokens, as much as the establishment lets such a one have.
func TestFederatedCodeFlow(t *testing.T) {
	u := openUnion(t, what{})
	b := u.browser()
	code := b.login(b.get(u.authorize(u.object(u.key))), "card", "alice").answered(t).Get("code")
	status, got := u.ask("/token", u.proven(redeeming(code)), nothing)
	if status != http.StatusOK || got.Access == "" || got.Refresh == "" {
		t.Fatalf("%d %+v %v", status, got, u.trail(audit.OperationToken))
	}
	id := u.claimsOf(got.ID)
	if id["aud"] != u.id || id["given_name"] != "Alice" || id["email"] != nil || id["nonce"] != "no" { // email is not among the scopes of the establishment for it
		t.Errorf("ID token: %v", id)
	}
	if scopes := strings.Fields(got.Scope); slices.Contains(scopes, "email") || slices.Contains(scopes, "identity") {
		t.Errorf("scope %q", got.Scope)
	}
	if status, info := u.userinfo(got.Access); status != http.StatusOK || info["sub"] != id["sub"] {
		t.Errorf("userinfo: %d %v", status, info)
	}
	status, again := u.ask("/token", u.proven(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}), nothing)
	if status != http.StatusOK || again.Access == "" {
		t.Errorf("refreshed: %d %+v", status, again)
	}
	for _, operation := range []string{audit.OperationAuthorization, audit.OperationToken} {
		for _, e := range u.trail(operation) {
			if e.Client != u.id || e.Policies != u.at+"/anchor" || e.Outcome != audit.Success {
				t.Errorf("%s: client %q, anchor %q, %v", operation, e.Client, e.Policies, e.Outcome)
			}
		}
		if len(u.trail(operation)) == 0 {
			t.Errorf("no %s in the trail", operation)
		}
	}
	if e := u.trail(audit.OperationToken)[0]; e.Mode != "private_key_jwt" {
		t.Errorf("mode %q", e.Mode)
	}
	// It asks about no tokens; it may take back its own.
	if status, got := u.ask("/introspect", u.proven(url.Values{"token": {again.Access}}), nothing); status != http.StatusForbidden || got.Error != "unauthorized_client" {
		t.Errorf("introspection: %d %+v", status, got)
	}
	if status, got := u.ask("/revoke", u.proven(url.Values{"token": {again.Refresh}}), nothing); status != http.StatusOK {
		t.Errorf("revocation: %d %+v", status, got)
	}
	if status, _ := u.ask("/token", u.proven(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {again.Refresh}}), nothing); status != http.StatusBadRequest {
		t.Errorf("a refresh after revocation: %d", status)
	}
	// All of it was one resolution; and nothing beside the object counts.
	before := u.count()
	if a := b.follow(b.get(u.authorize(u.object(u.key), "redirect_uri", "https://evil.example/", "scope", "openid email"))); a.answered(t).Get("code") == "" {
		t.Errorf("%d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if n := u.count(); n != before || before > 6 {
		t.Errorf("%d questions, then %d", before, n)
	}
}

// TestFederatedConsent: nobody in the establishment knows such a relying party, so the person is asked, and reads its host.
func TestFederatedConsent(t *testing.T) {
	u := openUnion(t, what{config: func(c *Config) { c.Federation.Consent = "" }})
	b := u.browser()
	a := b.login(b.get(u.authorize(u.object(u.key))), "card", "alice")
	if !strings.HasSuffix(a.Request.URL.Path, "/consent") || !strings.Contains(a.text, "Dossier ("+strings.TrimPrefix(u.at, "https://")+")") {
		t.Fatalf("%d %s %s", a.StatusCode, a.Request.URL, a.text)
	}
	if got := led(b, b.post(a.Request.URL.String(), url.Values{"decision": {"allow"}, "token": {hidden(a.text, "token")}})); got != "code" {
		t.Errorf("agreed: %s", got)
	}
}

// TestFederatedPolicy: the policy of the establishment for sessions holds, whatever such a relying party says; and it may ask for more.
func TestFederatedPolicy(t *testing.T) {
	u := openUnion(t, what{metadata: map[string]any{"default_max_age": 600}, config: func(c *Config) {
		c.Federation.Session = client.SessionRegistration{Methods: client.PhishingResistant(), MaxAuthenticationAge: time.Hour, DefaultMaxAge: time.Hour,
			ACR: []client.ACRRegistration{{Value: "eidas2", Methods: client.PhishingResistant()}}}
	}})
	b := u.browser()
	b.login(b.get(u.request("scope", "openid")), "password", "alice")
	if got := led(b, b.get(u.authorize(u.object(u.key, "prompt", "none")))); got != "login_required" {
		t.Errorf("after a password: %s", got)
	}
	b = u.browser()
	code := b.login(b.get(u.authorize(u.object(u.key, "acr_values", "eidas2"))), "card", "alice").answered(t).Get("code")
	_, got := u.ask("/token", u.proven(redeeming(code)), nothing)
	if id := u.claimsOf(got.ID); id["acr"] != "eidas2" {
		t.Errorf("%v", id)
	}
	u.wait(9 * time.Minute)
	if got := led(b, b.get(u.authorize(u.object(u.key, "prompt", "none")))); got != "code" {
		t.Errorf("after 9 minutes: %s", got)
	}
	u.wait(2 * time.Minute)
	if got := led(b, b.get(u.authorize(u.object(u.key, "prompt", "none")))); got != "login_required" {
		t.Errorf("after 11 minutes: %s", got)
	}
	i := u.Indicators().Clients[0]
	if i.ID != anyParty || !i.Strength.PhishingResistant || i.MaxAuthenticationAge != control.Seconds(time.Hour) || i.Authentication != "private_key_jwt tls_client_auth self_signed_tls_client_auth" {
		t.Errorf("an authority reads %+v", i)
	}
}

// TestFederatedLogout: a relying party of a federation ends the session by its token, and is told of the end at a public address alone.
func TestFederatedLogout(t *testing.T) {
	told := make(chan string, 1)
	bye := "https://client.example/bye"
	listener := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.PostFormValue("logout_token") }))
	t.Cleanup(listener.Close)
	for name, by := range map[string]*http.Client{"as configured": listener.Client(), "public addresses": nil} {
		u := openUnion(t, what{
			metadata: map[string]any{"post_logout_redirect_uris": []string{bye}, "backchannel_logout_uri": listener.URL},
			config:   func(c *Config) { c.BackChannel, c.Federation.BackChannel = listener.Client(), by },
		})
		b := u.browser()
		_, got := u.ask("/token", u.proven(redeeming(b.login(b.get(u.authorize(u.object(u.key))), "card", "alice").answered(t).Get("code"))), nothing)
		a := b.get(u.config.Issuer + "/logout?" + url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {bye}}.Encode())
		if by != nil {
			if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != bye {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Location"))
			}
			if c := u.claimsOf(<-told); c["aud"] != u.id {
				t.Errorf("%s: %v", name, c)
			}
		} else if len(told) != 0 {
			t.Errorf("%s: an address that is not public was told", name)
		}
		if got := led(b, b.get(u.authorize(u.object(u.key, "prompt", "none")))); got != "login_required" {
			t.Errorf("%s: after logout: %s", name, got)
		}
	}
}

// TestFederatedPushed: a request is pushed by who signed it, or who authenticates; with mutual TLS too.
func TestFederatedPushed(t *testing.T) {
	u := openUnion(t, what{})
	plain := func() url.Values {
		q := must(url.Parse(u.request("client_id", u.id))).Query()
		return q
	}
	for name, form := range map[string]url.Values{
		"an assertion":                      u.proven(plain()),
		"an assertion and a request object": u.proven(url.Values{"client_id": {u.id}, "request": {u.object(u.key)}}),
		"a request object":                  {"client_id": {u.id}, "request": {u.object(u.key)}},
	} {
		status, uri, code := u.push(form)
		if status != http.StatusCreated {
			t.Fatalf("%s: %d %s %v", name, status, code, u.trail(audit.OperationAuthorization))
		}
		b := u.browser()
		got := b.login(b.get(u.config.Issuer+"/authorize?"+url.Values{"client_id": {u.id}, "request_uri": {uri}}.Encode()), "card", "alice").answered(t).Get("code")
		if status, got := u.ask("/token", u.proven(redeeming(got)), nothing); status != http.StatusOK {
			t.Errorf("%s: %d %+v", name, status, got)
		}
	}
	if e := u.trail(audit.OperationAuthorization); !slices.ContainsFunc(e, func(e audit.Event) bool { return e.Mode == byRequestObject }) {
		t.Error("the trail does not say that the request itself was the proof")
	}
	for name, c := range map[string]struct {
		form url.Values
		code string
	}{
		"nothing":                                {plain(), "invalid_client"},
		"an object by another key":               {url.Values{"client_id": {u.id}, "request": {u.object(key(t))}}, "invalid_request_object"},
		"a secret":                               {url.Values{"client_id": {u.id}, "client_secret": {"x"}, "request": {u.object(u.key)}}, "invalid_client"},
		"an empty secret":                        {url.Values{"client_id": {u.id}, "client_secret": {""}, "request": {u.object(u.key)}}, "invalid_client"},
		"an assertion for the endpoint":          {u.proven(plain(), "aud", u.config.Issuer+"/par"), "invalid_client"},
		"an assertion for us and for another":    {u.proven(plain(), "aud", []string{u.config.Issuer, "https://other.example"}), "invalid_client"},
		"an assertion as an object":              {url.Values{"client_id": {u.id}, "request": {u.proven(url.Values{}).Get("client_assertion")}}, "invalid_request_object"},
		"a wrong assertion with a right object":  {u.proven(url.Values{"client_id": {u.id}, "request": {u.object(u.key)}}, "iss", "https://other.example"), "invalid_client"},
		"somebody who is not in the federation":  {url.Values{"client_id": {u.at + "/nobody"}, "request": {u.object(u.key)}}, "temporarily_unavailable"},
		"an object with the request of another":  {url.Values{"client_id": {u.id}, "request": {u.object(u.key, "client_id", "web", "iss", "web")}}, "invalid_request_object"},
		"a redirect address that is not its own": {u.proven(must(url.Parse(u.request("client_id", u.id, "redirect_uri", "https://evil.example/"))).Query()), "invalid_request"},
	} {
		if status, _, code := u.push(c.form); code != c.code || status < 400 {
			t.Errorf("%s: %d %s, want %s", name, status, code, c.code)
		}
	}
	// One that says that its requests are always signed is held to that.
	u = openUnion(t, what{metadata: map[string]any{"require_signed_request_object": true}})
	if status, _, code := u.push(u.proven(must(url.Parse(u.request("client_id", u.id))).Query())); status != http.StatusBadRequest || code != "invalid_request" {
		t.Errorf("an unsigned one of who signs always: %d %s", status, code)
	}

	pki := testpki.Load()
	u = openUnion(t, what{metadata: map[string]any{"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": subjectOf(t, pki.Organisation.DER)}})
	b := u.browser()
	code := b.login(b.get(u.authorize(u.object(u.key))), "card", "alice").answered(t).Get("code")
	if status, got := u.certified(redeeming(code, "client_id", u.id), pki.Hospital, "/token"); status != http.StatusUnauthorized {
		t.Errorf("another certificate: %d %+v", status, got)
	}
	if status, got := u.certified(redeeming(code, "client_id", u.id), pki.Organisation, "/token"); status != http.StatusOK {
		t.Errorf("its certificate: %d %+v %v", status, got, u.trail(audit.OperationToken))
	}
}

// TestFederatedRefusals: who is not let in, each by name. Nobody is redirected anywhere by it, since nothing of who asks is trusted.
func TestFederatedRefusals(t *testing.T) {
	day := func() time.Time { return time.Now().Add(-25 * time.Hour) }
	for name, c := range map[string]struct {
		what
		code   string
		status int
	}{
		"nobody vouches for it":                                      {what{outside: true}, "invalid_trust_anchor", 400},
		"the anchor is another":                                      {what{elsewhere: true}, "invalid_trust_anchor", 400},
		"the anchor's keys are others":                               {what{pinned: key(t)}, "invalid_trust_chain", 400},
		"its agency wants another authentication":                    {what{policy: `{"openid_relying_party":{"token_endpoint_auth_method":{"one_of":["tls_client_auth"]}}}`}, "invalid_metadata", 400},
		"its agency wants a member that it lacks":                    {what{policy: `{"openid_relying_party":{"contacts":{"essential":true}}}`}, "invalid_metadata", 400},
		"the agency may have no such entities":                       {what{constraint: `{"allowed_entity_types":["openid_provider"]}`}, "invalid_trust_chain", 400},
		"the names of the agency are others":                         {what{constraint: `{"naming_constraints":{"permitted":[".chu.example"]}}`}, "invalid_trust_chain", 400},
		"the chain has ended":                                        {what{now: day}, "invalid_trust_chain", 400},
		"a trust mark is missing":                                    {what{marks: []string{markType}}, "invalid_trust_chain", 400},
		"it registers in another way":                                {what{metadata: map[string]any{"client_registration_types": []string{"explicit"}}}, "invalid_metadata", 400},
		"a secret":                                                   {what{metadata: map[string]any{"token_endpoint_auth_method": "client_secret_basic"}}, "invalid_metadata", 400},
		"no authentication":                                          {what{metadata: map[string]any{"token_endpoint_auth_method": "none"}}, "invalid_metadata", 400},
		"no code flow":                                               {what{metadata: map[string]any{"response_types": []string{"id_token"}}}, "invalid_metadata", 400},
		"no grant of ours":                                           {what{metadata: map[string]any{"grant_types": []string{client.TokenExchange}}}, "invalid_metadata", 400},
		"a scope without openid":                                     {what{metadata: map[string]any{"scope": "profile"}}, "invalid_metadata", 400},
		"tokens in an algorithm that we lack":                        {what{metadata: map[string]any{"id_token_signed_response_alg": "PS256"}}, "invalid_metadata", 400},
		"tokens that are not signed":                                 {what{metadata: map[string]any{"id_token_signed_response_alg": "none"}}, "invalid_metadata", 400},
		"encrypted tokens":                                           {what{metadata: map[string]any{"id_token_encrypted_response_alg": "RSA-OAEP"}}, "invalid_metadata", 400},
		"pairwise subjects":                                          {what{metadata: map[string]any{"subject_type": "pairwise"}}, "invalid_metadata", 400},
		"a redirect address in the clear":                            {what{metadata: map[string]any{"redirect_uris": []string{"http://client.example/cb"}}}, "invalid_metadata", 400},
		"a member of another type":                                   {what{metadata: map[string]any{"require_pushed_authorization_requests": "yes"}}, "invalid_metadata", 400},
		"objects in an algorithm that is none":                       {what{metadata: map[string]any{"request_object_signing_alg": "none"}}, "invalid_metadata", 400},
		"objects in a symmetric algorithm":                           {what{metadata: map[string]any{"request_object_signing_alg": "HS256"}}, "invalid_metadata", 400},
		"a name in the other direction":                              {what{metadata: map[string]any{"client_name": "a\u202eb"}}, "invalid_metadata", 400},
		"its address in a member that only looks like redirect_uris": {what{metadata: map[string]any{"redirect_uris": []string{"https://other.example/cb"}, "Redirect_URIs": []string{back}}}, "invalid_request", 400},
	} {
		u := openUnion(t, c.what)
		a := u.browser().get(u.authorize(u.object(u.key)))
		if a.StatusCode != c.status || a.Header.Get("Location") != "" || a.Header.Get("Refresh") != "" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Location"))
		}
		e := u.trail(audit.OperationAuthorization)
		if len(e) != 1 || e[0].Code != c.code || e[0].Outcome != map[int]audit.Outcome{400: audit.Refused, 503: audit.Fault}[c.status] {
			t.Errorf("%s: %+v, want %s", name, e, c.code)
		}
		if status, got := u.ask("/token", u.proven(redeeming("x")), nothing); status != http.StatusUnauthorized && status != c.status && got.Error != "invalid_grant" {
			t.Errorf("%s: at the token endpoint %d %+v", name, status, got)
		}
	}
	u := openUnion(t, what{marks: []string{markType}, given: []string{markType}})
	if got := led(u.browser(), u.browser().get(u.authorize(u.object(u.key)))); got == "Bad Request" {
		t.Errorf("with the trust mark: %s %+v", got, u.trail(audit.OperationAuthorization))
	}
}

// TestFederatedRequests: of a relying party that is trusted, which requests are not (OpenID Federation 12.1.1.1).
func TestFederatedRequests(t *testing.T) {
	u := openUnion(t, what{})
	once := u.object(u.key)
	if got := led(u.browser(), u.browser().get(u.authorize(once))); got == "Bad Request" {
		t.Fatal(got)
	}
	for name, c := range map[string]struct{ object, code string }{
		"no request object":                   {"", "invalid_request"},
		"one of another key":                  {u.object(key(t)), "invalid_request_object"},
		"one that nobody signed":              {bare(`{"alg":"none"}`, `{"iss":"`+u.id+`","client_id":"`+u.id+`"}`), "invalid_request_object"},
		"one that came before":                {once, "invalid_request_object"},
		"one without jti":                     {u.object(u.key, "jti", nil), "invalid_request_object"},
		"one without exp":                     {u.object(u.key, "exp", nil), "invalid_request_object"},
		"one that has ended":                  {u.object(u.key, "exp", time.Now().Add(-time.Minute).Unix()), "invalid_request_object"},
		"one that is good for too long":       {u.object(u.key, "exp", time.Now().Add(time.Hour).Unix()), "invalid_request_object"},
		"one with its own sub":                {u.object(u.key, "sub", u.id), "invalid_request_object"},
		"one with any sub":                    {u.object(u.key, "sub", "alice"), "invalid_request_object"},
		"one for another":                     {u.object(u.key, "aud", "https://other.example"), "invalid_request_object"},
		"one for us and another":              {u.object(u.key, "aud", []string{u.config.Issuer, "https://other.example"}), "invalid_request_object"},
		"one for nobody":                      {u.object(u.key, "aud", nil), "invalid_request_object"},
		"one of another issuer":               {u.object(u.key, "iss", u.at+"/agency"), "invalid_request_object"},
		"one of another client":               {u.object(u.key, "client_id", "web"), "invalid_request_object"},
		"one with an address not in metadata": {u.object(u.key, "redirect_uri", "https://evil.example/cb"), "invalid_request"},
		"one without an address":              {u.object(u.key, "redirect_uri", nil), "invalid_request"},
		"one with another in it":              {u.object(u.key, "request", "x"), "invalid_request_object"},
	} {
		a := u.browser().get(u.authorize(c.object))
		if a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header.Get("Location"))
		}
		if e := u.trail(audit.OperationAuthorization); e[len(e)-1].Code != c.code || e[len(e)-1].Client != u.id {
			t.Errorf("%s: %s of %q, want %s", name, e[len(e)-1].Code, e[len(e)-1].Client, c.code)
		}
	}
	// What a relying party that is trusted asks wrongly it is told.
	for name, c := range map[string]struct{ object, code string }{
		"no PKCE":        {u.object(u.key, "code_challenge", nil, "code_challenge_method", nil), "invalid_request"},
		"another flow":   {u.object(u.key, "response_type", "id_token"), "unsupported_response_type"},
		"without openid": {u.object(u.key, "scope", "profile"), "invalid_scope"},
	} {
		b := u.browser()
		if got := led(b, b.get(u.authorize(c.object))); got != c.code {
			t.Errorf("%s: %s", name, got)
		}
	}
	// At the endpoints it authenticates as its metadata say, and in no other way.
	for name, change := range map[string]func(url.Values, *http.Request){
		"a secret":   func(f url.Values, _ *http.Request) { f.Set("client_id", u.id); f.Set("client_secret", "none") },
		"our inside": func(f url.Values, _ *http.Request) { f.Set("client_id", u.id); f.Set("client_secret", u.inside) },
		"its name":   func(f url.Values, _ *http.Request) { f.Set("client_id", u.id) },
		"Basic":      func(_ url.Values, r *http.Request) { r.SetBasicAuth(url.QueryEscape(u.id), "none") },
		"an object": func(f url.Values, _ *http.Request) {
			f.Set("client_assertion_type", assertionType)
			f.Set("client_assertion", u.object(u.key))
		},
		"bare object": func(f url.Values, _ *http.Request) { f.Set("client_id", u.id); f.Set("request", u.object(u.key)) },
	} {
		form := redeeming("x")
		probe := &http.Request{Header: http.Header{}}
		change(form, probe)
		status, got := u.ask("/token", form, func(r *http.Request) { maps.Copy(r.Header, probe.Header) })
		if status != http.StatusUnauthorized || got.Error != "invalid_client" {
			t.Errorf("by %s: %d %+v", name, status, got)
		}
	}
	form := u.proven(redeeming("x"))
	if _, got := u.ask("/token", form, nothing); got.Error != "invalid_grant" {
		t.Fatalf("%+v", got)
	}
	if _, got := u.ask("/token", form, nothing); got.Error != "invalid_client" {
		t.Errorf("an assertion that came before: %+v", got)
	}
	// Nobody registers otherwise than by a federation.
	for _, path := range []string{"/register", "/register/x", "/authorize/../register"} {
		if a := u.browser().post(u.config.Issuer+path, url.Values{}); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}

// TestFederatedEnd: what a federation says no longer ends here with what it said, and an outage is one.
func TestFederatedEnd(t *testing.T) {
	u := openUnion(t, what{})
	b := u.browser()
	code := b.login(b.get(u.authorize(u.object(u.key))), "card", "alice").answered(t).Get("code")
	status, got := u.ask("/token", u.proven(redeeming(code)), nothing)
	if status != http.StatusOK {
		t.Fatalf("%d %+v", status, got)
	}
	u.serve("agency", nil)
	u.serve("rp", nil)
	if a := u.browser().get(u.authorize(u.object(u.key))); a.StatusCode == http.StatusServiceUnavailable {
		t.Error("what was resolved is not kept")
	}
	u.wait(2 * time.Hour)
	a := u.browser().get(u.authorize(u.object(u.key)))
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Location") != "" {
		t.Errorf("in an outage: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	refresh := func() url.Values { return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}} }
	if status, got := u.ask("/token", u.proven(refresh()), nothing); status != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" {
		t.Errorf("a refresh in an outage: %d %+v", status, got)
	}
	if status, info := u.userinfo(got.Access); status == http.StatusOK {
		t.Errorf("userinfo in an outage: %v", info)
	}
	if e := u.trail(audit.OperationAuthorization); e[len(e)-1].Outcome != audit.Fault || e[len(e)-1].Code != "temporarily_unavailable" {
		t.Errorf("%+v", e[len(e)-1])
	}
	// An authority that cannot be reached is an outage too; that it does not vouch is an answer (TestFederatedRefusals).
	u = openUnion(t, what{})
	u.serve("agency", nil)
	if a := u.browser().get(u.authorize(u.object(u.key))); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without its agency: %d", a.StatusCode)
	}
}

// TestFederatedPrecedence: who is registered is that, whatever a federation says of the same name.
func TestFederatedPrecedence(t *testing.T) {
	u := openUnion(t, what{clients: func(u *union) []client.Registration {
		return []client.Registration{web(t, func(r *client.Registration) { r.ID = u.id })}
	}})
	b := u.browser()
	code := b.login(b.get(u.request("client_id", u.id)), "card", "alice").answered(t).Get("code")
	if status, got := u.ask("/token", redeeming(code), func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(u.id), webSecret) }); status != http.StatusOK {
		t.Errorf("%d %+v", status, got)
	}
	if status, got := u.ask("/token", u.proven(redeeming(code)), nothing); status != http.StatusUnauthorized {
		t.Errorf("as its federation says: %d %+v", status, got)
	}
	if n := u.count(); n != 0 {
		t.Errorf("the federation was asked %d times", n)
	}
	// Without a federation an address is a name like any other.
	h := openHouse(t, nil, web(t))
	if a := h.browser().get(h.request("client_id", u.at+"/rp")); a.StatusCode != http.StatusBadRequest {
		t.Errorf("%d", a.StatusCode)
	}
	if m := discovery(h.Provider); m["client_registration_types_supported"] != nil || m["registration_endpoint"] != nil {
		t.Errorf("%v", m)
	}
}

// TestFederatedBound: strangers are kept by nobody, and those that are kept are few.
func TestFederatedBound(t *testing.T) {
	u := openUnion(t, what{outside: true})
	library := u.library.Load()
	for range 50 {
		id := u.at + "/stranger-" + random()
		if a := u.browser().get(u.request("client_id", id)); a.StatusCode < 400 {
			t.Fatal(a.StatusCode)
		}
	}
	if n := len(u.parties.by); n != 0 {
		t.Errorf("%d strangers are kept", n)
	}
	if u.library.Load() != library {
		t.Error("strangers had the library built anew")
	}
	s := &parties{p: u.Provider, by: map[string]*party{}}
	for range maxParties {
		s.by[random()] = &party{resolved: &federation.Resolved{ExpiresAt: time.Now().Add(time.Hour)}}
	}
	s.by[random()] = &party{resolved: &federation.Resolved{ExpiresAt: time.Now().Add(-time.Hour)}}
	if s.room(); len(s.by) >= maxParties {
		t.Errorf("%d are kept", len(s.by))
	}
}

func discovery(p *Provider) map[string]any { return must(p.library.Load().metadata()) }

// TestFederatedPublished: what the establishment says of itself is its discovery document, signed, and a relying party resolves it.
func TestFederatedPublished(t *testing.T) {
	u := openUnion(t, what{})
	a := u.browser().get(u.config.Issuer + "/.well-known/openid-federation")
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/entity-statement+jwt" {
		t.Fatalf("%d %s", a.StatusCode, a.Header.Get("Content-Type"))
	}
	parsed := must(jose.ParseSigned(a.text, []jose.SignatureAlgorithm{jose.ES256}))
	var c struct {
		Issuer   string                    `json:"iss"`
		Hints    []string                  `json:"authority_hints"`
		Keys     jose.JSONWebKeySet        `json:"jwks"`
		Metadata map[string]map[string]any `json:"metadata"`
	}
	if err := json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), &c); err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(c.Keys); err != nil {
		t.Error(err)
	}
	m, d := c.Metadata["openid_provider"], discovery(u.Provider)
	if c.Issuer != u.config.Issuer || !slices.Equal(c.Hints, []string{u.at + "/agency"}) || m["issuer"] != c.Issuer || len(m) != len(d) {
		t.Errorf("%+v", c)
	}
	if c.Metadata["federation_entity"]["organization_name"] != "Hôpital d'essai" {
		t.Errorf("%v", c.Metadata["federation_entity"])
	}
	for name, want := range map[string]string{
		"client_registration_types_supported":      `["automatic"]`,
		"request_authentication_methods_supported": `{"authorization_endpoint":["request_object"],"pushed_authorization_request_endpoint":["request_object","private_key_jwt","tls_client_auth","self_signed_tls_client_auth"]}`,
		"request_parameter_supported":              `true`, "registration_endpoint": `null`,
	} {
		if got := string(must(json.Marshal(m[name]))); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, path := range []string{"/federation/fetch?sub=x", "/federation/list", "/federation"} { // a leaf vouches for nobody
		if a := u.browser().get(u.config.Issuer + path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	h := openHouse(t, nil, web(t))
	if a := h.browser().get(h.config.Issuer + "/.well-known/openid-federation"); a.StatusCode != http.StatusNotFound {
		t.Errorf("without a federation: %d", a.StatusCode)
	}
	sub := federation.Subordinate{Entity: u.id, Keys: keySetOf(u.key)}
	u = openUnion(t, what{config: func(c *Config) {
		c.Federation.Publish.Authority = &federation.Authority{Subordinates: must(federation.NewSubordinates(sub))}
	}})
	if a := u.browser().get(u.config.Issuer + "/federation/list"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, sub.Entity) {
		t.Errorf("the list of an authority: %d %s", a.StatusCode, a.text)
	}
}

// TestFederationConfig: a policy that could never work is found when the establishment starts.
func TestFederationConfig(t *testing.T) {
	resolver := must(federation.NewResolver(federation.Config{Anchors: map[string]jose.JSONWebKeySet{"https://anchor.example": keySetOf(key(t))}}))
	h := openHouse(t, nil, web(t))
	for name, c := range map[string]struct {
		f    Federation
		want string
	}{
		"no scopes":               {Federation{Resolver: resolver}, "openid is not among the scopes"},
		"a scope that is none":    {Federation{Resolver: resolver, Scopes: []string{"openid", "all"}}, `no scope "all"`},
		"methods of no means":     {Federation{Resolver: resolver, Scopes: []string{"openid"}, Session: client.SessionRegistration{Methods: [][]string{{"face"}}}}, "no means of the establishment"},
		"an age beyond any":       {Federation{Resolver: resolver, Scopes: []string{"openid"}, Session: client.SessionRegistration{MaxAuthenticationAge: 48 * time.Hour}}, "max-authentication-age"},
		"a consent that is none":  {Federation{Resolver: resolver, Scopes: []string{"openid"}, Consent: "perhaps"}, "consent"},
		"terms of nobody":         {Federation{Resolver: resolver, Scopes: []string{"openid"}, Consent: client.ConsentTerms}, "terms"},
		"a key of the tokens":     {Federation{Publish: &federation.PublisherConfig{Keys: []federation.Key{{Signer: h.config.Keys[0].Signer, Algorithm: "ES256"}}}}, "key 1 signs tokens too"},
		"nothing to sign with":    {Federation{Publish: &federation.PublisherConfig{}}, "keys"},
		"a superior that is none": {Federation{Publish: &federation.PublisherConfig{Keys: []federation.Key{{Signer: key(t), Algorithm: "ES256"}}, AuthorityHints: []string{"http://a.example"}}}, "entity identifier"},
	} {
		k := h.config
		k.Federation = &c.f
		if _, err := New(k); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package federation

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// hosted lets a publisher answer for its entity in a world.
func (w *world) hosted(p *Publisher) {
	h := p.Handler()
	u, err := url.Parse(p.c.Entity)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range []string{wellKnown, pathFetch, pathList, pathResolve, pathStatus, pathHistorical} {
		w.serve["https://"+u.Host+strings.TrimSuffix(u.Path, "/")+path] = h.ServeHTTP
	}
}

func publish(t *testing.T, c PublisherConfig) *Publisher {
	t.Helper()
	if c.Keys == nil {
		c.Keys = []Key{{newKey(t), "ES256"}}
	}
	if c.Metadata == nil {
		c.Metadata = func() (map[string]map[string]any, error) { return nil, nil }
	}
	if c.Now == nil {
		c.Now = func() time.Time { return now }
	}
	p, err := NewPublisher(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// agencies is a federation of publishers: an anchor with Ed25519, an agency with RSA below it, and our provider below that. The agency
// marks the provider.
func agencies(t *testing.T, clock func() time.Time) (w *world, anchor, agency, provider *Publisher, r *Resolver) {
	t.Helper()
	w = newWorld(t)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	agencyKeys, providerKeys, anchorKeys := []Key{{rsaKey, "PS256"}}, []Key{{newKey(t), "ES256"}}, []Key{{edKey, "EdDSA"}}
	const opID = "https://op.example.com/etab/750000001"
	leaf := PublisherConfig{Now: clock, Entity: opID, Keys: providerKeys, AuthorityHints: []string{issuerID}, TrustAnchorHints: []string{anchorID},
		Metadata: func() (map[string]map[string]any, error) {
			return map[string]map[string]any{"openid_provider": {"issuer": opID, "client_registration_types_supported": []string{"automatic"},
				"response_types_supported": []string{"code"}}, "federation_entity": {"organization_name": "CHU"}}, nil
		}}
	// The anchor resolves under its own keys.
	anchorPublic := publish(t, PublisherConfig{Now: clock, Entity: anchorID, Keys: anchorKeys}).Keys()
	w.nodes[anchorID] = &node{w: w, id: anchorID}
	r = w.resolver(func(c *Config) {
		if clock != nil {
			c.Now = clock
		}
		c.Anchors[anchorID] = anchorPublic
		c.TrustMarks = map[string][]string{"openid_provider": {markType}}
	})
	below, err := NewSubordinates(Subordinate{Entity: issuerID, Keys: publish(t, PublisherConfig{Now: clock, Entity: issuerID, Keys: agencyKeys}).Keys(), Intermediate: true,
		Types:       []string{"federation_entity"},
		Constraints: json.RawMessage(`{"max_path_length":1,"naming_constraints":{"permitted":[".example.com"]},"allowed_entity_types":["openid_provider","openid_relying_party"]}`),
		Policy:      json.RawMessage(`{"openid_provider":{"response_types_supported":{"subset_of":["code","id_token"]},"contacts":{"default":["soc@example.com"]}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	anchor = publish(t, PublisherConfig{Now: clock, Entity: anchorID, Keys: anchorKeys, Authority: &Authority{Subordinates: below,
		TrustMarkIssuers: map[string][]string{markType: {issuerID}}}})
	below, err = NewSubordinates(Subordinate{Entity: opID, Keys: publish(t, leaf).Keys(), Types: []string{"openid_provider"}})
	if err != nil {
		t.Fatal(err)
	}
	agency = publish(t, PublisherConfig{Now: clock, Entity: issuerID, Keys: agencyKeys, AuthorityHints: []string{anchorID}, Authority: &Authority{Subordinates: below, Resolver: r,
		TrustMarkStatus: func(_ context.Context, entity, typ string) (string, error) {
			if entity != opID || typ != markType {
				return "", errors.New("unknown")
			}
			return "active", nil
		}},
		HistoricalKeys: []HistoricalKey{{Key: publicKey(newKey(t), "old"), IssuedAt: now.Add(-48 * time.Hour), ExpiresAt: now.Add(-24 * time.Hour), RevokedAt: now.Add(-25 * time.Hour), RevokedReason: "superseded"}}})
	mark, err := agency.IssueTrustMark(opID, markType, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	leaf.TrustMarks = map[string]string{markType: mark}
	provider = publish(t, leaf)
	for _, p := range []*Publisher{anchor, agency, provider} {
		w.hosted(p)
	}
	return
}

// TestPublishers: what publishers say, a resolver believes: three kinds of keys, a path in an identifier, constraints, policy, and a trust
// mark without end whose status is asked.
func TestPublishers(t *testing.T) {
	_, _, _, provider, r := agencies(t, nil)
	v, err := r.Resolve(t.Context(), provider.c.Entity, "openid_provider")
	if err != nil {
		t.Fatal(err)
	}
	m := v.Metadata["openid_provider"]
	if canonical(m["contacts"]) != "[\"soc@example.com\"]\n" || m["issuer"] != provider.c.Entity || v.Metadata["federation_entity"]["organization_name"] != "CHU" || v.TrustMarks[markType] == "" {
		t.Errorf("%v", v.Metadata)
	}
	if len(v.Chain) != 4 {
		t.Errorf("%d statements", len(v.Chain))
	}
	if _, err := r.Client(t.Context(), provider.c.Entity, nil); reasonOf(err) != EntityType {
		t.Errorf("a provider as client: %v", err)
	}
}

func ask(t *testing.T, p *Publisher, method, target string, form url.Values) (status int, media, body string) {
	t.Helper()
	var in io.Reader
	if form != nil {
		in = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, target, in)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	return w.Code, w.Header().Get("Content-Type"), w.Body.String()
}

func TestEndpoints(t *testing.T) {
	_, anchor, agency, provider, r := agencies(t, nil)
	op := provider.c.Entity
	q := func(base, path string, v url.Values) string { return base + path + "?" + v.Encode() }
	for _, c := range []struct {
		name, target string
		p            *Publisher
		status       int
		body         string // what is in it
	}{
		{"list", issuerID + pathList, agency, 200, `["` + op + `"]`},
		{"list of a type", q(issuerID, pathList, url.Values{"entity_type": {"openid_provider", "x"}}), agency, 200, `["` + op + `"]`},
		{"list of another type", q(issuerID, pathList, url.Values{"entity_type": {"openid_relying_party"}}), agency, 200, `[]`},
		{"list of intermediates", q(anchorID, pathList, url.Values{"intermediate": {"true"}}), anchor, 200, `["` + issuerID + `"]`},
		{"list of others", q(anchorID, pathList, url.Values{"intermediate": {"false"}}), anchor, 200, `[]`},
		{"list by marks", q(anchorID, pathList, url.Values{"trust_marked": {"true"}}), anchor, 400, "unsupported_parameter"},
		{"fetch", q(issuerID, pathFetch, url.Values{"sub": {op}}), agency, 200, "ey"},
		{"fetch of itself", q(issuerID, pathFetch, url.Values{"sub": {issuerID}}), agency, 400, "invalid_request"},
		{"fetch of nobody", issuerID + pathFetch, agency, 400, "invalid_request"},
		{"fetch of two", q(issuerID, pathFetch, url.Values{"sub": {op, op}}), agency, 400, "invalid_request"},
		{"fetch of a stranger", q(issuerID, pathFetch, url.Values{"sub": {"https://stranger.example.com/<script>"}}), agency, 404, "not_found"},
		{"resolve", q(issuerID, pathResolve, url.Values{"sub": {op}, "trust_anchor": {anchorID}}), agency, 200, "ey"},
		{"resolve under another anchor", q(issuerID, pathResolve, url.Values{"sub": {op}, "trust_anchor": {"https://x.example.com"}}), agency, 404, "invalid_trust_anchor"},
		{"resolve without anchor", q(issuerID, pathResolve, url.Values{"sub": {op}}), agency, 400, "invalid_request"},
		{"resolve a stranger: nothing is fetched for whoever asks", q(issuerID, pathResolve, url.Values{"sub": {"https://stranger.example.com"}, "trust_anchor": {anchorID}}), agency, 404, "not_found"},
		{"a leaf has no fetch endpoint", q(op, pathFetch, url.Values{"sub": {anchorID}}), provider, 404, ""},
		{"another path", "https://op.example.com/.well-known/openid-federation", provider, 404, ""},
		{"its configuration", op + wellKnown, provider, 200, "ey"},
		{"historical keys", issuerID + pathHistorical, agency, 200, "ey"},
		{"historical keys of who has none", anchorID + pathHistorical, anchor, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, media, body := ask(t, c.p, "GET", c.target, nil)
			if status != c.status || !strings.Contains(body, c.body) || strings.Contains(body, "<script") {
				t.Errorf("%d %s %.200s", status, media, body)
			}
		})
	}
	set := keySet{}
	for _, k := range agency.keys {
		set[k.KeyID] = k
	}
	_, media, body := ask(t, agency, "GET", q(issuerID, pathResolve, url.Values{"sub": {op}, "trust_anchor": {anchorID}, "entity_type": {"openid_provider"}}), nil)
	v, err := read(body, typeResolve)
	if err != nil || v.verify(set) != nil || media != "application/resolve-response+jwt" {
		t.Fatalf("resolve: %v %s", err, media)
	}
	m, _, err := v.claims.object("metadata")
	chain, _, err2 := v.claims.texts("trust_chain")
	if err != nil || err2 != nil || len(m) != 1 || m["openid_provider"] == nil || v.claims["iss"] != issuerID || v.claims["sub"] != op {
		t.Errorf("resolved %v", v.claims)
	}
	if _, err := r.ResolveChain(t.Context(), op, "openid_provider", chain); err != nil {
		t.Errorf("the chain of a resolver: %v", err)
	}
	_, _, body = ask(t, agency, "GET", issuerID+pathHistorical, nil)
	h, err := read(body, typeKeys)
	if err != nil || h.verify(set) != nil || !strings.Contains(canonical(map[string]any(h.claims)), `"reason":"superseded"`) {
		t.Errorf("historical keys: %v", err)
	}
}

func TestTrustMarkStatusEndpoint(t *testing.T) {
	_, anchor, agency, provider, _ := agencies(t, nil)
	mark := provider.c.TrustMarks[markType]
	other, err := anchor.IssueTrustMark(provider.c.Entity, markType, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	past := publish(t, PublisherConfig{Entity: issuerID, Keys: agency.c.Keys, Authority: agency.c.Authority})
	past.c.Now = func() time.Time { return now.Add(-2 * time.Hour) }
	expired, err := past.IssueTrustMark(provider.c.Entity, markType, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	forEntity, err := agency.IssueTrustMark(anchorID, markType, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		form   url.Values
		status int
		want   string
	}{
		{"active", url.Values{"trust_mark": {mark}}, 200, "active"},
		{"expired", url.Values{"trust_mark": {expired}}, 200, "expired"},
		{"of another issuer", url.Values{"trust_mark": {other}}, 404, ""},
		{"altered", url.Values{"trust_mark": {mark[:len(mark)-8] + "AAAAAAAA"}}, 404, ""},
		{"no token", url.Values{"trust_mark": {"x"}}, 404, ""},
		{"none", url.Values{}, 400, ""},
		{"the registry does not answer", url.Values{"trust_mark": {forEntity}}, 503, ""},
		{"too large", url.Values{"trust_mark": {strings.Repeat("x", maxForm)}}, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, body := ask(t, agency, "POST", issuerID+pathStatus, c.form)
			if status != c.status {
				t.Fatalf("%d %s", status, body)
			}
			if c.status == 200 {
				s, err := read(body, typeStatus)
				if err != nil || s.claims["status"] != c.want || s.claims["trust_mark"] != c.form.Get("trust_mark") {
					t.Errorf("%v %v", err, s)
				}
			}
		})
	}
}

func TestPublisherConfig(t *testing.T) {
	meta := func() (map[string]map[string]any, error) {
		return map[string]map[string]any{"openid_provider": {}}, nil
	}
	good := []Key{{newKey(t), "ES256"}}
	for name, c := range map[string]PublisherConfig{
		"zero":                  {},
		"no keys":               {Entity: anchorID, Metadata: meta},
		"no metadata":           {Entity: anchorID, Keys: good},
		"plain http":            {Entity: "http://anchor.example.com", Keys: good, Metadata: meta},
		"a key without signer":  {Entity: anchorID, Keys: []Key{{}}, Metadata: meta},
		"another algorithm":     {Entity: anchorID, Keys: []Key{{good[0].Signer, "RS256"}}, Metadata: meta},
		"no algorithm":          {Entity: anchorID, Keys: []Key{{good[0].Signer, "none"}}, Metadata: meta},
		"a superior of no name": {Entity: anchorID, Keys: good, Metadata: meta, AuthorityHints: []string{"anchor"}},
		"an anchor of no name":  {Entity: anchorID, Keys: good, Metadata: meta, TrustAnchorHints: []string{""}},
		"a short life":          {Entity: anchorID, Keys: good, Metadata: meta, Lifetime: time.Second},
		"no subordinates":       {Entity: anchorID, Keys: good, Metadata: meta, Authority: &Authority{}},
		"one key twice":         {Entity: anchorID, Keys: slices.Concat(good, good), Metadata: meta},
		"null among metadata":   {Entity: anchorID, Keys: good, Metadata: func() (map[string]map[string]any, error) { return map[string]map[string]any{"a": {"b": nil}}, nil }},
		"another issuer": {Entity: anchorID, Keys: good, Metadata: func() (map[string]map[string]any, error) {
			return map[string]map[string]any{"openid_provider": {"issuer": rpID}}, nil
		}},
		"metadata that misses":   {Entity: anchorID, Keys: good, Metadata: func() (map[string]map[string]any, error) { return nil, errors.New("outage") }},
		"a mark without content": {Entity: anchorID, Keys: good, Metadata: meta, TrustMarks: map[string]string{markType: ""}},
	} {
		if p, err := NewPublisher(c); err == nil || p != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	k := publicKey(newKey(t), "k")
	for name, s := range map[string]Subordinate{
		"no name":           {Keys: set(k)},
		"no keys":           {Entity: rpID},
		"a secret":          {Entity: rpID, Keys: set(jose.JSONWebKey{Key: newKey(t), KeyID: "k"})},
		"a bad policy":      {Entity: rpID, Keys: set(k), Policy: json.RawMessage(`{"a":{"p":{"one_of":["a"],"add":["a"]}}}`)},
		"bad constraints":   {Entity: rpID, Keys: set(k), Constraints: json.RawMessage(`{"max_path_length":-1}`)},
		"bad metadata":      {Entity: rpID, Keys: set(k), Metadata: json.RawMessage(`{"a":{"b":null}}`)},
		"no JSON":           {Entity: rpID, Keys: set(k), Metadata: json.RawMessage(`{`)},
		"constraints array": {Entity: rpID, Keys: set(k), Constraints: json.RawMessage(`[]`)},
	} {
		if _, err := NewSubordinates(s); err == nil {
			t.Errorf("subordinate with %s: accepted", name)
		}
	}
	if _, err := NewSubordinates(Subordinate{Entity: rpID, Keys: set(k)}, Subordinate{Entity: rpID, Keys: set(k)}); err == nil {
		t.Error("a subordinate twice")
	}
	if _, err := publish(t, PublisherConfig{Entity: anchorID}).Vouch(&Subordinate{Entity: rpID, Keys: set(k)}); err == nil {
		t.Error("a leaf vouches")
	}
}

// TestKeyRollover: the next key is published before it signs, and what either signs is believed.
func TestKeyRollover(t *testing.T) {
	old, next := Key{newKey(t), "ES256"}, Key{newKey(t), "ES256"}
	w := newWorld(t)
	w.add(anchorID).about[rpID] = map[string]any{}
	rp := func(keys ...Key) *Publisher {
		return publish(t, PublisherConfig{Entity: rpID, Keys: keys, AuthorityHints: []string{anchorID}, Metadata: func() (map[string]map[string]any, error) {
			return map[string]map[string]any{relyingParty: {}}, nil
		}})
	}
	w.nodes[anchorID].about[rpID]["jwks"] = rp(old, next).Keys()
	for _, keys := range [][]Key{{old}, {old, next}, {next, old}, {next}} {
		w.hosted(rp(keys...))
		if _, err := w.resolver(nil, anchorID).Resolve(t.Context(), rpID, relyingParty); err != nil {
			t.Error(err)
		}
	}
	w.hosted(rp(Key{newKey(t), "ES256"}))
	_, err := w.resolver(nil, anchorID).Resolve(t.Context(), rpID, relyingParty)
	wantReason(t, err, BadSignature)
}

func TestFits(t *testing.T) {
	short := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	long := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 100_000), E: 65537}
	p256 := newKey(t).Public()
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  crypto.PublicKey
		own  string
		alg  string
		want bool
	}{
		{short, "", "RS256", false}, {huge, "", "RS256", false}, {huge, "", "PS256", false}, {long, "", "RS256", true}, {long, "", "PS512", true}, {long, "PS256", "RS256", false}, {long, "", "ES256", false}, {long, "", "EdDSA", false},
		{p256, "", "ES256", true}, {p256, "", "ES384", false}, {p256, "ES512", "ES256", false}, {p256, "", "EdDSA", false}, {ed, "", "EdDSA", true}, {ed, "", "ES256", false},
		{[]byte("secret"), "", "HS256", false},
	} {
		if got := fits(jose.JSONWebKey{Key: c.key, Algorithm: c.own}, c.alg); got != c.want {
			t.Errorf("%T %q with %s: %v", c.key, c.own, c.alg, got)
		}
	}
}

var _ http.Handler = (*world)(nil)

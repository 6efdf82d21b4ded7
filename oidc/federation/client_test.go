package federation

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestClient(t *testing.T) {
	w, anchor, _, lower, _ := line(t)
	anchor.about[upperID]["metadata_policy"] = map[string]any{relyingParty: map[string]any{
		"grant_types":  map[string]any{"subset_of": []string{"authorization_code", "refresh_token"}, "essential": true},
		"contacts":     map[string]any{"add": []string{"soc@example.com"}},
		"subject_type": map[string]any{"value": "pairwise"},
	}}
	lower.about[rpID]["metadata"] = map[string]any{relyingParty: map[string]any{"client_name": "as the hospital names it"}}
	r := w.resolver(nil, anchorID)
	c, err := r.Client(t.Context(), rpID, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := parseJSON(t, string(c.Client))
	for name, want := range map[string]string{
		"client_id": `"` + rpID + `"`, "client_name": `"as the hospital names it"`, "grant_types": `["authorization_code"]`, "contacts": `["soc@example.com"]`,
		"subject_type": `"pairwise"`, "response_types": `["code"]`, "require_signed_request_object": `true`, "redirect_uris": `["` + rpID + `/cb"]`,
	} {
		if got := strings.TrimSpace(canonical(m[name])); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if m["jwks"] == nil || c.Anchor != anchorID || c.ExpiresAt.IsZero() {
		t.Errorf("%v", m)
	}
	asked := w.count()
	if again, err := r.Client(t.Context(), rpID, nil); err != nil || string(again.Client) != string(c.Client) || w.count() != asked {
		t.Error("not kept:", err)
	}
	if sent, err := r.Client(t.Context(), rpID, c.Chain); err != nil || string(sent.Client) != string(c.Client) || w.count() != asked {
		t.Error("by the chain that it sent:", err)
	}
	// A chain of one's sibling, and chains with a statement less, twice or of others, make no client.
	w.add("https://rp2.chu.example.com", lowerID)
	sibling, err := r.Client(t.Context(), "https://rp2.chu.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	asked = w.count()
	n := len(c.Chain)
	for name, tokens := range map[string][]string{
		"sibling's":        sibling.Chain,
		"sibling's links":  append(c.Chain[:1:1], sibling.Chain[1:]...),
		"a link left out":  append(c.Chain[:1:1], c.Chain[2:]...),
		"the last two out": c.Chain[:n-2],
		"alone":            c.Chain[:1],
		"twice":            append(c.Chain[:2:2], c.Chain[1:]...),
		"no tokens":        {"x", "y"},
		"too long":         append(c.Chain[:n:n], strings.Split(strings.Repeat("x ", 20), " ")...),
		"too large":        append(c.Chain[:n-1:n-1], strings.Repeat("x", 200<<10)),
	} {
		_, err := r.Client(t.Context(), rpID, tokens)
		if err == nil || (name == "too long" || name == "too large") != (reasonOf(err) == Limit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.count() != asked {
		t.Errorf("chains that were sent made %d questions", w.count()-asked)
	}
}

// TestClientRefused: entities of the federation that are no relying party that registers automatically.
func TestClientRefused(t *testing.T) {
	for _, c := range []struct {
		name, parameter string
		v               any
		want            Reason
	}{
		{"registers explicitly", "client_registration_types", []string{"explicit"}, NotClient},
		{"does not say how it registers", "client_registration_types", nil, NotClient},
		{"would have a secret", "token_endpoint_auth_method", "client_secret_basic", NotClient},
		{"would authenticate not at all", "token_endpoint_auth_method", "none", NotClient},
		{"does not say how it authenticates: the default is a secret", "token_endpoint_auth_method", nil, NotClient},
		{"no redirect_uris", "redirect_uris", []string{}, NotClient},
		{"says that it is another", "client_id", "psc", NotClient},
		{"no keys", "jwks", nil, NotClient},
		{"a secret as key", "jwks", map[string]any{"keys": []any{map[string]any{"kty": "oct", "kid": "k", "k": "AAAA"}}}, NotClient},
		{"an empty set", "jwks", map[string]any{"keys": []any{}}, NotClient},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _, _, _, rp := line(t)
			m := rp.metadata[relyingParty].(map[string]any)
			if m[c.parameter] = c.v; c.v == nil {
				delete(m, c.parameter)
			}
			_, err := w.resolver(nil, anchorID).Client(t.Context(), rpID, nil)
			wantReason(t, err, c.want)
		})
	}
}

// TestClientKeys: the keys of a relying party that publishes them at an address.
func TestClientKeys(t *testing.T) {
	for _, c := range []struct {
		name, parameter, media string
		answer                 func(rp *node) string
		want                   Reason
	}{
		{"jwks_uri", "jwks_uri", "application/json", func(rp *node) string { return string(jsonOf(rp.w.t, set(publicKey(rp.key, "rp")))) }, 0},
		{"jwks_uri with its own media type", "jwks_uri", "application/jwk-set+json", func(rp *node) string { return string(jsonOf(rp.w.t, set(publicKey(rp.key, "rp")))) }, 0},
		{"jwks_uri that is a page", "jwks_uri", "text/html", func(*node) string { return "<html>" }, Unreachable},
		{"jwks_uri without keys", "jwks_uri", "application/json", func(*node) string { return "{}" }, NotClient},
		{"signed_jwks_uri", "signed_jwks_uri", mediaKeys, signedSet(nil), 0},
		{"signed_jwks_uri of another", "signed_jwks_uri", mediaKeys, signedSet(func(_, c map[string]any) { c["sub"] = anchorID }), BadIssuer},
		{"signed_jwks_uri expired", "signed_jwks_uri", mediaKeys, signedSet(func(_, c map[string]any) { c["exp"] = now.Unix() - 1 }), Expired},
		{"signed_jwks_uri by another key", "signed_jwks_uri", mediaKeys, signedSet(func(h, _ map[string]any) { h["kid"] = "rp" }), BadSignature},
		{"signed_jwks_uri, another token", "signed_jwks_uri", mediaKeys, signedSet(func(h, _ map[string]any) { h["typ"] = typeStatement }), BadType},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _, _, _, rp := line(t)
			m := rp.metadata[relyingParty].(map[string]any)
			delete(m, "jwks")
			m[c.parameter] = rpID + "/keys"
			w.serve[rpID+"/keys"] = func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", c.media)
				_, _ = rw.Write([]byte(c.answer(rp)))
			}
			v, err := w.resolver(nil, anchorID).Client(t.Context(), rpID, nil)
			wantReason(t, err, c.want)
			if c.want == 0 {
				m := parseJSON(t, string(v.Client))
				if k, err := keys(m["jwks"]); err != nil || len(k) != 1 || m["jwks_uri"] != nil || m["signed_jwks_uri"] != nil {
					t.Errorf("keys %v (%v)", m["jwks"], err)
				}
			}
		})
	}
}

func signedSet(alter func(h, c map[string]any)) func(*node) string {
	return func(rp *node) string {
		h := map[string]any{"alg": "ES256", "typ": typeKeys, "kid": rp.kid}
		c := map[string]any{"iss": rp.id, "sub": rp.id, "iat": now.Unix(), "keys": set(publicKey(rp.key, "rp")).Keys}
		if alter != nil {
			alter(h, c)
		}
		return signed(rp.w.t, h, c, rp.key)
	}
}

// TestParseKeys: what an operator pins is public, readable in one way, and verifies something.
func TestParseKeys(t *testing.T) {
	k := newKey(t)
	public := string(jsonOf(t, publicKey(k, "a")))
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"a key":              {`{"keys":[` + public + `]}`, true},
		"two members twice":  {`{"keys":[` + public + `],"keys":[]}`, false},
		"a private one":      {`{"keys":[` + string(jsonOf(t, jose.JSONWebKey{Key: k, KeyID: "a"})) + `]}`, false},
		"none":               {`{"keys":[]}`, false},
		"one that encrypts":  {`{"keys":[` + strings.Replace(public, `"sig"`, `"enc"`, 1) + `]}`, false},
		"no JSON":            {`keys`, false},
		"a key, and no more": {public, false},
	} {
		set, err := ParseKeys([]byte(c.text))
		if (err == nil) != c.ok || c.ok != (len(set.Keys) == 1) {
			t.Errorf("%s: %v %v", name, set, err)
		}
	}
}

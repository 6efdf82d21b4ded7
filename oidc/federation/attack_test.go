package federation

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestAttacks: each alters one thing in a federation that otherwise holds, and says what it would have achieved.
func TestAttacks(t *testing.T) {
	attacks := []struct {
		name string
		do   func(rig)
		want Reason
	}{
		// Who makes statements in the name of another.
		{"a statement by a key that nobody vouches for", func(f rig) {
			f.lower.about[rpID]["jwks"] = f.rp.jwks()
			f.rp.key = newKey(f.w.t)
		}, BadSignature},
		{"an intermediate whose key its superior does not know", func(f rig) { f.upper.about[lowerID]["jwks"] = set(publicKey(newKey(f.w.t), f.lower.kid)) }, BadSignature},
		{"an anchor with the right name and another key", func(f rig) { f.anchor.key = newKey(f.w.t) }, BadSignature},
		{"an anchor that signs with a key that is not pinned", func(f rig) {
			other := newKey(f.w.t)
			old := f.anchor.jwks().Keys[0]
			f.anchor.own["jwks"] = set(old, publicKey(other, "new"))
			f.anchor.key, f.anchor.kid = other, "new"
		}, BadSignature},
		{"a false authority says that it is the anchor", func(f rig) {
			// A relying party that nobody admitted names an address of its own, which serves a configuration in the anchor's name.
			fake := "https://fake.evil.test"
			f.rp.hints = []string{fake}
			n := f.w.add(fake)
			n.about[rpID] = map[string]any{"iss": anchorID}
			n.own["iss"], n.own["sub"] = anchorID, anchorID
		}, Untrusted},
		{"the configuration of a sibling", func(f rig) {
			// A member of the federation that is another's name: it would register as the other.
			sibling := f.w.add("https://rp2.chu.example.com", lowerID)
			f.rp.instead = sibling.configuration()
		}, BadIssuer},
		{"a subordinate statement about a sibling", func(f rig) { f.lower.about[rpID]["sub"] = "https://rp2.chu.example.com" }, BadSubject},
		{"a subordinate statement of another authority", func(f rig) { f.lower.about[rpID]["iss"] = upperID }, BadIssuer},
		{"what a superior says, made by somebody between", func(f rig) { f.lower.alter = strangerSigns(f.lower, rpID) }, BadSignature},
		{"what the anchor says, made by somebody between", func(f rig) { f.anchor.alter = strangerSigns(f.anchor, upperID) }, BadSignature},
		{"a configuration without the key that made it", func(f rig) {
			f.lower.about[rpID]["jwks"] = f.rp.jwks()
			f.rp.own["jwks"] = set(publicKey(newKey(f.w.t), "another"))
		}, BadSignature},
		{"the rp vouches for itself", func(f rig) { f.rp.hints = []string{rpID} }, Untrusted},
		{"a sibling as authority", func(f rig) {
			// Another relying party of the federation vouches for a stranger: it is no authority, though all its statements are good.
			f.w.add("https://rp2.chu.example.com", lowerID).about[rpID] = map[string]any{}
			f.rp.hints = []string{"https://rp2.chu.example.com"}
			f.lower.about = map[string]map[string]any{"https://rp2.chu.example.com": {}}
		}, Untrusted},

		// The token.
		{"alg none", header(rpID, "alg", "none"), BadAlgorithm},
		{"alg HS256 with the public key as secret", header(rpID, "alg", "HS256"), BadAlgorithm},
		{"an algorithm that does not fit the key", header(rpID, "alg", "RS256"), BadAlgorithm},
		{"no kid", header(rpID, "kid", ""), BadSignature},
		{"another kid", header(rpID, "kid", "other"), BadSignature},
		{"an access token as a statement", header(rpID, "typ", "at+jwt"), BadType},
		{"a trust mark as a statement", header(lowerID, "typ", typeTrustMark), Untrusted},
		{"a statement with a chain in its header", header(rpID, "trust_chain", []string{}), BadClaim},
		{"a critical header", header(rpID, "crit", []string{"exp"}), Critical},
		{"two claims of one name", func(f rig) {
			c := f.rp.configuration()
			payload := []byte(`{"iss":"https://evil.test",` + string(unsigned(f.w.t, c))[1:])
			f.rp.instead = signedRaw(f.w.t, map[string]any{"alg": "ES256", "typ": typeStatement, "kid": f.rp.kid}, payload, f.rp.key)
		}, Malformed},
		{"a claim in other letters", claim(rpID, "sub", nil, "SUB", rpID), BadSubject},

		// Times.
		{"expired", claim(rpID, "exp", now.Unix()), Expired},
		{"an expired statement of a superior", about(upperID, lowerID, "exp", now.Unix()-1), Expired},
		{"from the future", claim(rpID, "iat", now.Unix()+3600, "exp", now.Unix()+7200), Future},
		{"no exp", claim(rpID, "exp", nil), BadClaim},
		{"no iat", claim(rpID, "iat", nil), BadClaim},
		{"exp as text", claim(rpID, "exp", "2099"), BadClaim},
		{"exp beyond all times", claim(rpID, "exp", json.Number("1e300")), BadClaim},

		// Claims.
		{"made for another audience", claim(rpID, "aud", "https://op.example.com"), BadAudience},
		{"a registration response", claim(rpID, "trust_anchor", anchorID), BadClaim},
		{"a critical claim", claim(rpID, "crit", []string{"jti"}, "jti", "1"), Critical},
		{"a critical claim of a superior", about(anchorID, upperID, "crit", []string{"regexp"}), Critical},
		{"a standard claim as critical", claim(rpID, "crit", []string{"jwks"}), BadClaim},
		{"an empty crit", claim(rpID, "crit", []string{}), BadClaim},
		{"a policy for oneself", claim(rpID, "metadata_policy", map[string]any{}), BadClaim},
		{"constraints for oneself", claim(rpID, "constraints", map[string]any{}), BadClaim},
		{"empty authority hints", claim(rpID, "authority_hints", []string{}), BadClaim},
		{"a superior that gives hints", about(lowerID, rpID, "authority_hints", []string{anchorID}), BadClaim},
		{"a superior that gives trust marks", about(lowerID, rpID, "trust_marks", []any{}), BadClaim},
		{"no keys", claim(rpID, "jwks", nil), BadClaim},
		{"a private key among the keys", claim(rpID, "jwks", map[string]any{"keys": []any{map[string]any{"kty": "EC", "kid": "x", "d": "AAAA"}}}), BadClaim},
		{"a shared secret among the keys", claim(rpID, "jwks", map[string]any{"keys": []any{map[string]any{"kty": "oct", "kid": "x", "k": "AAAA"}}}), BadClaim},
		{"two keys of one kid", func(f rig) {
			f.rp.own["jwks"] = set(publicKey(f.rp.key, f.rp.kid), publicKey(newKey(f.w.t), f.rp.kid))
		}, BadClaim},
		{"metadata that are null", claim(rpID, "metadata", map[string]any{relyingParty: map[string]any{"scope": nil}}), BadClaim},
		{"a critical policy operator", about(anchorID, upperID, "metadata_policy_crit", []string{"regexp"}), CriticalOperator},
		{"a standard policy operator as critical", about(anchorID, upperID, "metadata_policy_crit", []string{"value"}), CriticalOperator},
		{"an empty metadata_policy_crit", about(anchorID, upperID, "metadata_policy_crit", []string{}), BadClaim},

		// Constraints.
		{"a path that the anchor does not admit", about(anchorID, upperID, "constraints", map[string]any{"max_path_length": 1}), PathLength},
		{"a path that the region does not admit", about(upperID, lowerID, "constraints", map[string]any{"max_path_length": 0}), PathLength},
		{"a negative path length", about(upperID, lowerID, "constraints", map[string]any{"max_path_length": -1}), BadClaim},
		{"a name that is not permitted", about(anchorID, upperID, "constraints", naming("permitted", "region.example.com")), Naming},
		{"no name is permitted", about(anchorID, upperID, "constraints", naming("permitted")), Naming},
		{"a name that is excluded below one that is permitted", about(anchorID, upperID, "constraints", naming("permitted", ".example.com", "excluded", ".chu.example.com")), Naming},
		{"an intermediate that is excluded", about(anchorID, upperID, "constraints", naming("excluded", "chu.example.com")), Naming},
		{"an entity type that only the anchor refuses", about(anchorID, upperID, "constraints", map[string]any{"allowed_entity_types": []string{"openid_provider"}}), EntityType},
		{"entity types that exclude each other", func(f rig) {
			f.anchor.about[upperID]["constraints"] = map[string]any{"allowed_entity_types": []string{"openid_provider"}}
			f.lower.about[rpID]["constraints"] = map[string]any{"allowed_entity_types": []string{relyingParty}}
		}, EntityType},
		{"federation_entity among allowed types", about(anchorID, upperID, "constraints", map[string]any{"allowed_entity_types": []string{"federation_entity"}}), BadClaim},
		{"a superior that gives a role", func(f rig) {
			delete(f.rp.metadata, relyingParty)
			f.rp.metadata["openid_provider"] = map[string]any{}
			f.lower.about[rpID]["metadata"] = map[string]any{relyingParty: map[string]any{"client_name": "x"}}
		}, EntityType},

		// Policies.
		{"policies that contradict each other", func(f rig) {
			f.anchor.about[upperID]["metadata_policy"] = policy("client_name", "value", "A")
			f.upper.about[lowerID]["metadata_policy"] = policy("client_name", "value", "B")
		}, BadPolicy},
		{"an intermediate that admits more than the anchor", func(f rig) {
			f.anchor.about[upperID]["metadata_policy"] = policy("token_endpoint_auth_method", "one_of", []string{"tls_client_auth"})
			f.lower.about[rpID]["metadata_policy"] = policy("token_endpoint_auth_method", "one_of", []string{"private_key_jwt", "tls_client_auth"})
		}, PolicyViolated},
		{"metadata that violate the policy", about(upperID, lowerID, "metadata_policy", policy("contacts", "essential", true)), PolicyViolated},

		// Loops and floods.
		{"authorities above each other", func(f rig) {
			f.upper.hints, f.lower.about[upperID] = []string{lowerID}, map[string]any{}
		}, Untrusted},
		{"an endless tower of authorities", func(f rig) {
			f.rp.hints = []string{"https://t0.evil.test"}
			f.w.nodes["https://t0.evil.test"] = nil
			for i := range 30 {
				id := fmt.Sprintf("https://t%d.evil.test", i)
				f.w.add(id, fmt.Sprintf("https://t%d.evil.test", i+1))
			}
		}, Limit},
		{"many authorities", func(f rig) {
			f.rp.hints = nil
			for i := range 100 {
				id := fmt.Sprintf("https://w%d.evil.test", i)
				n := f.w.add(id)
				for j := range 6 {
					n.hints = append(n.hints, fmt.Sprintf("https://w%d-%d.evil.test", i, j))
				}
				f.rp.hints = append(f.rp.hints, id)
			}
		}, Limit},
		{"a huge statement", claim(rpID, "x", strings.Repeat("x", 200<<10)), Limit},
		{"statements that are deep", func(f rig) {
			f.rp.own["x"] = json.RawMessage(strings.Repeat("[", 1000) + strings.Repeat("]", 1000))
		}, Malformed},
		{"too many keys", func(f rig) {
			ks := f.rp.jwks()
			for i := range 40 {
				ks.Keys = append(ks.Keys, publicKey(f.rp.key, fmt.Sprint(i)))
			}
			f.rp.own["jwks"] = ks
		}, BadClaim},
		{"an authority that is plain http", func(f rig) { f.rp.hints = []string{"http://anchor.example.com"} }, Untrusted},
		{"a fetch endpoint that is plain http", fetchAt(lowerID, "http://chu.example.com/fetch"), BadClaim},
		{"a fetch endpoint that is a file", fetchAt(lowerID, "file:///etc/passwd"), BadClaim},
		{"an authority without a fetch endpoint", func(f rig) { f.lower.metadata["federation_entity"] = map[string]any{} }, Untrusted},
		{"a redirect", func(f rig) {
			f.w.serve[rpID+wellKnown] = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, anchorID+wellKnown, http.StatusFound)
			}
		}, Unreachable},
		{"a statement that was uploaded as a picture", func(f rig) {
			f.w.serve[rpID+wellKnown] = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "image/png")
				_, _ = w.Write([]byte(f.rp.configuration()))
			}
		}, Unreachable},
		{"an unknown anchor alone", func(f rig) { f.rp.hints = []string{f.w.add("https://other.example.com").id} }, Untrusted},
		{"nobody above", func(f rig) { f.rp.hints = nil }, Untrusted},
		{"no TLS certificate of that name", func(f rig) { f.rp.hints = []string{"https://anchor.example.net"} }, Unreachable},
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			w, anchor, upper, lower, rp := line(t)
			r := w.resolver(nil, anchorID) // its keys are pinned before the attack
			if _, err := r.fresh(context.Background(), rpID, relyingParty, nil); err != nil {
				t.Fatal("before:", err)
			}
			a.do(rig{w, anchor, upper, lower, rp})
			before := w.count()
			v, err := r.Resolve(t.Context(), rpID, relyingParty)
			if v != nil {
				t.Error("resolved in spite of an error")
			}
			wantReason(t, err, a.want)
			if n := w.count() - before; n > 33 {
				t.Errorf("%d questions", n)
			}
		})
	}
}

// TestSentChainAttacks: chains that a stranger puts together out of good statements and his own.
func TestSentChainAttacks(t *testing.T) {
	for _, a := range []struct {
		name string
		do   func(f rig)
		want Reason
	}{
		{"a link made by a stranger", func(f rig) { f.lower.alter = strangerSigns(f.lower, rpID) }, BadSignature},
		{"the anchor's link made by a stranger", func(f rig) { f.anchor.alter = strangerSigns(f.anchor, upperID) }, BadSignature},
		{"another key at the anchor", func(f rig) { f.anchor.key = newKey(f.w.t) }, BadSignature},
		{"an anchor's configuration made by a stranger", func(f rig) { f.anchor.alter = strangerSigns(f.anchor, anchorID) }, BadSignature},
		{"a configuration made by a stranger", func(f rig) { f.rp.alter = strangerSigns(f.rp, rpID) }, BadSignature},
		{"a configuration without the key that made it", func(f rig) {
			f.lower.about[rpID]["jwks"] = f.rp.jwks()
			f.rp.own["jwks"] = set(publicKey(newKey(f.w.t), "another"))
		}, BadSignature},
		{"a superior that the entity does not name", func(f rig) { f.rp.hints = []string{anchorID} }, Untrusted},
		{"an expired link", func(f rig) { f.upper.about[lowerID]["exp"] = now.Unix() }, Expired},
		{"a path that is too long for the anchor", func(f rig) { f.anchor.about[upperID]["constraints"] = map[string]any{"max_path_length": 1} }, PathLength},
	} {
		t.Run(a.name, func(t *testing.T) {
			w, anchor, upper, lower, rp := line(t)
			r := w.resolver(nil, anchorID)
			tokens := func() []string {
				return []string{rp.configuration(), lower.vouch(rpID), upper.vouch(lowerID), anchor.vouch(upperID), anchor.configuration()}
			}
			if _, err := r.Client(t.Context(), rpID, tokens()); err != nil {
				t.Fatal("before:", err)
			}
			a.do(rig{w, anchor, upper, lower, rp})
			_, err := r.Client(t.Context(), rpID, tokens())
			wantReason(t, err, a.want)
			if w.count() != 0 {
				t.Error("something was fetched")
			}
		})
	}
}

// TestNames: which names constraints admit (6.2.2): hosts exactly, domains below a dot, and addresses never.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		permitted, excluded []string
		name                string
		want                bool
	}{
		{nil, nil, "https://192.0.2.1", true},
		{[]string{".example.com"}, nil, "https://a.example.com", true}, {[]string{".example.com"}, nil, "https://a.b.example.com:8443/x", true},
		{[]string{".example.com"}, nil, "https://example.com", false}, {[]string{".example.com"}, nil, "https://badexample.com", false},
		{[]string{"example.com"}, nil, "https://example.com", true}, {[]string{"example.com"}, nil, "https://a.example.com", false},
		{[]string{".EXAMPLE.com"}, nil, "https://a.example.com", true}, {[]string{}, nil, "https://a.example.com", false},
		{nil, []string{".example.com"}, "https://a.example.com", false}, {nil, []string{".example.com"}, "https://example.com", true}, {nil, []string{}, "https://a.example.com", true},
		{[]string{".example.com"}, []string{"a.example.com"}, "https://a.example.com", false}, {[]string{".example.com"}, []string{"a.example.com"}, "https://b.example.com", true},
		{[]string{"192.0.2.1"}, nil, "https://192.0.2.1", false}, {nil, []string{".example.com"}, "https://192.0.2.1", false}, {[]string{""}, nil, "https://a.example.com", false},
		{nil, []string{".example.com"}, "https://[2001:db8::1]", false}, {[]string{"."}, nil, "https://a.example.com", false},
	} {
		err := (&constraints{permitted: c.permitted, excluded: c.excluded}).admits(c.name)
		if (err == nil) != c.want || err != nil && reasonOf(err) != Naming {
			t.Errorf("permitted %q, excluded %q, %s: %v", c.permitted, c.excluded, c.name, err)
		}
	}
}

// A rig is the federation of line.
type rig struct {
	w                        *world
	anchor, upper, lower, rp *node
}

// strangerSigns signs what a node says of somebody with another key under its kid.
func strangerSigns(n *node, of string) func(h, c map[string]any, subject string) {
	own, stranger := n.key, newKey(n.w.t)
	n.own["jwks"] = n.jwks()
	for _, up := range n.w.nodes { // what others say of the node stays as it is
		if up.about[n.id] != nil {
			up.about[n.id]["jwks"] = n.jwks()
		}
	}
	return func(_, _ map[string]any, subject string) {
		if n.key = own; subject == of {
			n.key = stranger
		}
	}
}

// header alters the header of the configuration of an entity.
func header(id, name string, v any) func(rig) {
	return func(f rig) {
		f.w.nodes[id].alter = func(h, _ map[string]any, subject string) {
			if subject == id {
				h[name] = v
			}
		}
	}
}

// claim alters claims of the configuration of an entity; nil takes one away.
func claim(id string, pairs ...any) func(rig) {
	return func(f rig) {
		for i := 0; i < len(pairs); i += 2 {
			f.w.nodes[id].own[pairs[i].(string)] = pairs[i+1]
		}
	}
}

// about alters a claim of what an authority says of a subordinate.
func about(issuer, sub, name string, v any) func(rig) {
	return func(f rig) { f.w.nodes[issuer].about[sub][name] = v }
}

func fetchAt(id, address string) func(rig) {
	return func(f rig) {
		f.w.nodes[id].metadata["federation_entity"] = map[string]any{"federation_fetch_endpoint": address}
	}
}

// naming are naming constraints: the word "excluded" or "permitted", and the names behind it.
func naming(words ...string) map[string]any {
	lists := map[string][]string{}
	kind := ""
	for _, w := range words {
		if w == "permitted" || w == "excluded" {
			kind, lists[w] = w, []string{}
			continue
		}
		lists[kind] = append(lists[kind], w)
	}
	return map[string]any{"naming_constraints": lists}
}

func policy(parameter, operator string, v any) map[string]any {
	return map[string]any{relyingParty: map[string]any{parameter: map[string]any{operator: v}}}
}

func unsigned(t testing.TB, token string) []byte {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

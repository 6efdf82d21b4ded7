package federation

import (
	"crypto/ecdsa"
	"errors"
	"net/http"
	"testing"
	"time"
)

const (
	markType = "https://federation.example.com/marks/health"
	issuerID = "https://agency.example.com"
	secondID = "https://second.example.com" // another anchor
	ownerID  = "https://ministry.example.com"
)

// markWorld is line with a trust mark of an agency on the relying party; the ministry owns the type. alter alters the claims of the
// mark and of its delegation; either may be nil.
func markWorld(t *testing.T, alter func(mark, delegation map[string]any), ready func(f rig, agency *node, owner *ecdsa.PrivateKey)) (*world, *Resolver) {
	t.Helper()
	w, anchor, upper, lower, rp := line(t)
	w.add(secondID)
	agency := w.add(issuerID, anchorID)
	w.nodes[secondID].about[issuerID] = map[string]any{}
	owner := newKey(t)
	anchor.own["trust_mark_issuers"] = map[string]any{markType: []string{issuerID, anchorID}}
	anchor.own["trust_mark_owners"] = map[string]any{markType: map[string]any{"sub": ownerID, "jwks": set(publicKey(owner, "owner"))}}
	d := map[string]any{"iss": ownerID, "sub": issuerID, "trust_mark_type": markType, "iat": now.Unix() - 10}
	m := map[string]any{"iss": issuerID, "sub": rpID, "trust_mark_type": markType, "iat": now.Unix() - 10, "exp": now.Unix() + 900}
	if alter != nil {
		alter(m, d)
	}
	if d["iss"] != nil {
		m["delegation"] = signed(t, map[string]any{"alg": "ES256", "typ": typeDelegation, "kid": "owner"}, d, owner)
	}
	give(rp, agency.sign(typeTrustMark, m, ""))
	r := w.resolver(func(c *Config) { c.TrustMarks = map[string][]string{relyingParty: {markType}} }, anchorID, secondID)
	if ready != nil {
		ready(rig{w, anchor, upper, lower, rp}, agency, owner)
	}
	return w, r
}

func give(n *node, mark string) {
	n.own["trust_marks"] = []any{map[string]any{"trust_mark_type": markType, "trust_mark": mark}}
}

func TestTrustMark(t *testing.T) {
	_, r := markWorld(t, nil, nil)
	v, err := r.Resolve(t.Context(), rpID, relyingParty)
	if err != nil {
		t.Fatal(err)
	}
	if v.TrustMarks[markType] == "" || !v.ExpiresAt.Equal(now.Add(15*time.Minute)) {
		t.Errorf("marks %v until %v, want the end of the mark", v.TrustMarks, v.ExpiresAt)
	}
	if _, err := r.ResolveChain(t.Context(), rpID, relyingParty, v.Chain[:len(v.Chain)-1]); err != nil {
		t.Errorf("by a chain without its anchor: %v", err)
	}
	if _, err := r.Resolve(t.Context(), rpID, "openid_provider"); reasonOf(err) != EntityType {
		t.Error(err)
	}
}

// TestTrustMarkAttacks: an entity that wants to look accredited.
func TestTrustMarkAttacks(t *testing.T) {
	type claims = map[string]any
	for _, a := range []struct {
		name  string
		alter func(mark, delegation claims)
		ready func(f rig, agency *node, owner *ecdsa.PrivateKey)
		want  Reason // or the reason behind TrustMark
	}{
		{"none", nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) { delete(f.rp.own, "trust_marks") }, TrustMark},
		{"of another type", nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) {
			f.rp.own["trust_marks"] = []any{claims{"trust_mark_type": "other", "trust_mark": "x.y.z"}}
		}, TrustMark},
		{"of another type inside", func(m, _ claims) { m["trust_mark_type"] = "other" }, nil, BadClaim},
		{"of another entity", func(m, _ claims) { m["sub"] = "https://rp2.chu.example.com" }, nil, BadSubject},
		{"expired", func(m, _ claims) { m["exp"] = now.Unix() }, nil, Expired},
		{"from the future", func(m, _ claims) { m["iat"] = now.Unix() + 600 }, nil, Future},
		{"forged: made by the entity itself in the agency's name", nil, func(f rig, agency *node, _ *ecdsa.PrivateKey) {
			give(f.rp, signed(f.w.t, claims{"alg": "ES256", "typ": typeTrustMark, "kid": agency.kid},
				parseJSON(f.w.t, string(unsigned(f.w.t, f.rp.own["trust_marks"].([]any)[0].(map[string]any)["trust_mark"].(string)))), f.rp.key))
		}, BadSignature},
		{"of an issuer under another anchor", nil, func(f rig, agency *node, _ *ecdsa.PrivateKey) { agency.hints = []string{secondID} }, Untrusted},
		{"of an issuer of a name that the anchor excludes", nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) {
			f.anchor.about[issuerID]["constraints"] = naming("excluded", "agency.example.com")
		}, Naming},
		{"made by the entity for itself", func(m, _ claims) { m["iss"] = rpID }, nil, TrustMark},
		{"of an issuer that the anchor does not name", nil, func(f rig, agency *node, _ *ecdsa.PrivateKey) {
			f.anchor.own["trust_mark_issuers"] = claims{markType: []string{anchorID}}
		}, TrustMark},
		{"of a type that the anchor does not name", nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) { delete(f.anchor.own, "trust_mark_issuers") }, TrustMark},
		{"of an issuer that left the federation", nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) { delete(f.anchor.about, issuerID) }, Untrusted},
		{"an intermediate says who may issue", nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) {
			f.lower.own["trust_mark_issuers"] = f.anchor.own["trust_mark_issuers"]
			delete(f.anchor.own, "trust_mark_issuers")
		}, TrustMark},
		{"a statement as a trust mark", nil, func(f rig, agency *node, _ *ecdsa.PrivateKey) {
			give(f.rp, agency.sign(typeStatement, claims{"iss": issuerID, "sub": rpID, "trust_mark_type": markType, "iat": now.Unix(), "exp": now.Unix() + 60}, ""))
		}, BadType},
		{"without the delegation of the owner", func(_, d claims) { delete(d, "iss") }, nil, TrustMark},
		{"delegated to another", func(_, d claims) { d["sub"] = anchorID }, nil, BadSubject},
		{"delegated for another type", func(_, d claims) { d["trust_mark_type"] = "other" }, nil, BadClaim},
		{"delegated by another", func(_, d claims) { d["iss"] = issuerID }, nil, BadIssuer},
		{"delegation expired", func(_, d claims) { d["exp"] = now.Unix() - 1 }, nil, Expired},
		{"delegation by another key", nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) {
			f.anchor.own["trust_mark_owners"] = claims{markType: claims{"sub": ownerID, "jwks": set(publicKey(newKey(f.w.t), "owner"))}}
		}, BadSignature},
		{"delegated by an owner that the anchor does not name", nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) { delete(f.anchor.own, "trust_mark_owners") }, TrustMark},
		{"without end and without status", func(m, _ claims) { delete(m, "exp") }, nil, TrustMark},
	} {
		t.Run(a.name, func(t *testing.T) {
			_, r := markWorld(t, a.alter, a.ready)
			_, err := r.Resolve(t.Context(), rpID, relyingParty)
			e := new(Error)
			if errors.As(err, &e) && e.Reason == TrustMark && reasonOf(e.Cause) != 0 {
				err = e.Cause
			}
			wantReason(t, err, a.want)
		})
	}
}

func TestTrustMarkOfAnchorAndSelf(t *testing.T) {
	for _, c := range []struct {
		name    string
		issuers []string
		by      func(f rig) *node
	}{
		{"of the anchor", []string{anchorID}, func(f rig) *node { return f.anchor }},
		{"of the entity, where everybody may", nil, func(f rig) *node { return f.rp }},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, r := markWorld(t, nil, func(f rig, _ *node, _ *ecdsa.PrivateKey) {
				f.anchor.own["trust_mark_issuers"] = map[string]any{markType: append([]string{}, c.issuers...)}
				delete(f.anchor.own, "trust_mark_owners")
				by := c.by(f)
				give(f.rp, by.sign(typeTrustMark, map[string]any{"iss": by.id, "sub": rpID, "trust_mark_type": markType, "iat": now.Unix(), "exp": now.Unix() + 60}, ""))
			})
			if _, err := r.Resolve(t.Context(), rpID, relyingParty); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestTrustMarkStatus: what the issuer says about a mark decides, and only if it is its issuer who says it, about that mark, now.
func TestTrustMarkStatus(t *testing.T) {
	for _, c := range []struct {
		name  string
		alter func(h, c map[string]any)
		want  Reason
	}{
		{"active", func(_, _ map[string]any) {}, 0},
		{"revoked", func(_, c map[string]any) { c["status"] = "revoked" }, TrustMark},
		{"no status", func(_, c map[string]any) { delete(c, "status") }, TrustMark},
		{"about another mark", func(_, c map[string]any) { c["trust_mark"] = "x.y.z" }, TrustMark},
		{"by another", func(_, c map[string]any) { c["iss"] = anchorID }, TrustMark},
		{"an old answer, replayed", func(_, c map[string]any) { c["iat"] = now.Unix() - 3600 }, TrustMark},
		{"another token", func(h, _ map[string]any) { h["typ"] = typeTrustMark }, TrustMark},
		{"another key", func(h, _ map[string]any) { h["kid"] = "other" }, TrustMark},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := markWorld(t, func(m, _ map[string]any) { delete(m, "exp") }, func(f rig, agency *node, _ *ecdsa.PrivateKey) {
				agency.metadata["federation_entity"].(map[string]any)["federation_trust_mark_status_endpoint"] = issuerID + "/status"
				f.w.serve[issuerID+"/status"] = func(rw http.ResponseWriter, r *http.Request) {
					h := map[string]any{"alg": "ES256", "typ": typeStatus, "kid": agency.kid}
					claims := map[string]any{"iss": issuerID, "iat": now.Unix(), "trust_mark": r.FormValue("trust_mark"), "status": "active"}
					c.alter(h, claims)
					rw.Header().Set("Content-Type", mediaStatus)
					_, _ = rw.Write([]byte(signed(f.w.t, h, claims, agency.key)))
				}
			})
			_, err := r.Resolve(t.Context(), rpID, relyingParty)
			wantReason(t, err, c.want)
			w.mu.Lock()
			delete(w.serve, issuerID+"/status")
			w.mu.Unlock()
			_, err = r.fresh(t.Context(), rpID, relyingParty, nil)
			wantReason(t, err, Unreachable) // no answer is no yes
		})
	}
}

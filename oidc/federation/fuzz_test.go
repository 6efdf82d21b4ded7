package federation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
)

// FuzzStatement: whatever is signed, reading it ends, and what is accepted is what the standard wants.
func FuzzStatement(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	jwks := string(jsonOf(f, set(publicKey(key, "k"))))
	for _, s := range []string{
		`{"iss":"https://a.example.com","sub":"https://a.example.com","iat":1795867190,"exp":1795870800,"jwks":` + jwks + `,"metadata":{"federation_entity":{"federation_fetch_endpoint":"https://a.example.com/f"}},"authority_hints":["https://b.example.com"],"trust_marks":[{"trust_mark_type":"t","trust_mark":"x"}],"trust_mark_issuers":{"t":[]},"trust_mark_owners":{"t":{"sub":"https://b.example.com","jwks":` + jwks + `}}}`,
		`{"iss":"https://a.example.com","sub":"https://b.example.com","iat":1795867190,"exp":1795870800,"jwks":` + jwks + `,"constraints":{"max_path_length":1,"naming_constraints":{"permitted":[".example.com"]},"allowed_entity_types":["openid_provider"]},"metadata_policy":{"openid_provider":{"scope":{"subset_of":["a"]}}},"source_endpoint":"https://a.example.com/f"}`,
		`{}`, `[]`, `{"iss":1}`,
	} {
		f.Add([]byte(s), "entity-statement+jwt", "ES256", "k")
	}
	trusted := keySet{"k": publicKey(key, "k")}
	f.Fuzz(func(t *testing.T, payload []byte, typ, alg, kid string) {
		raw := signedRaw(t, map[string]any{"alg": alg, "typ": typ, "kid": kid}, payload, key)
		for _, sub := range []string{"https://a.example.com", "https://b.example.com"} {
			s, err := readStatement(raw, "https://a.example.com", sub, now)
			if err != nil {
				if s != nil || reasonOf(err) == 0 {
					t.Fatalf("%v with %v", s, err)
				}
				continue
			}
			if typ != typeStatement || alg == "none" || alg == "HS256" || kid == "" || s.claims["iss"] != "https://a.example.com" || s.claims["sub"] != sub || s.claims["aud"] != nil ||
				s.claims["crit"] != nil || s.claims["metadata_policy_crit"] != nil || !s.expires.After(now) || s.issued.After(now.Add(leeway)) {
				t.Fatalf("accepted: %s", payload)
			}
			if (sub == s.issuer) == (s.policy != nil || s.constraints != nil) && (s.policy != nil || s.constraints != nil) {
				t.Fatalf("a policy for oneself: %s", payload)
			}
			if s.verify(trusted) == nil && alg != "ES256" {
				t.Fatalf("verified with %s", alg)
			}
		}
	})
}

// FuzzToken: whatever arrives, reading it ends, and what is not made with the key is not verified.
func FuzzToken(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signedRaw(f, map[string]any{"alg": "ES256", "typ": typeStatement, "kid": "k"}, []byte(`{}`), key))
	f.Add(signedRaw(f, map[string]any{"alg": "none", "typ": typeStatement, "kid": "k"}, []byte(`{}`), key))
	f.Add(`{"payload":"e30","signatures":[]}`)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	stranger := keySet{"k": publicKey(other, "k")}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, typ := range []string{typeStatement, typeTrustMark} {
			k, err := read(raw, typ)
			if err != nil {
				if k != nil || reasonOf(err) == 0 {
					t.Fatalf("%v with %v", k, err)
				}
				continue
			}
			if k.verify(stranger) == nil {
				t.Fatal("verified with a key that did not make it")
			}
		}
	})
}

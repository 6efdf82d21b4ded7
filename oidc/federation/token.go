package federation

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/internal/strictjson"
)

const (
	typeStatement  = "entity-statement+jwt"
	typeTrustMark  = "trust-mark+jwt"
	typeDelegation = "trust-mark-delegation+jwt"
	typeStatus     = "trust-mark-status-response+jwt"
	typeKeys       = "jwk-set+jwt"
	typeResolve    = "resolve-response+jwt"

	maxKeys = 32
	leeway  = time.Minute // of clocks of others, for iat; none for exp
)

var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.PS256, jose.PS384, jose.PS512,
	jose.RS256, jose.RS384, jose.RS512}

// keySet holds the keys of one entity by their kid.
type keySet map[string]jose.JSONWebKey

// A KeySet is a JSON Web Key Set (RFC 7517).
type KeySet = jose.JSONWebKeySet

// ParseKeys reads a set of public keys as an operator got it: JSON without a member that stands twice, and without a secret.
func ParseKeys(text []byte) (KeySet, error) {
	o, err := strictjson.Object(text)
	if err != nil {
		return KeySet{}, err
	}
	known, err := keys(o)
	if err != nil {
		return KeySet{}, err
	}
	if len(known) == 0 {
		return KeySet{}, errors.New("jwks has no key that verifies signatures")
	}
	var set KeySet
	for _, kid := range slices.Sorted(maps.Keys(known)) {
		set.Keys = append(set.Keys, known[kid])
	}
	return set, nil
}

// keys reads a JWK Set (3.1.1): every key has a kid of its own. A key of a kind that is not known verifies nothing; a secret in a
// published set is refused, since whoever reads the set could sign with it.
func keys(v any) (keySet, error) {
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("jwks is no object")
	}
	list, ok := o["keys"].([]any)
	if !ok || len(list) == 0 || len(list) > maxKeys {
		return nil, errors.New("jwks has no keys, or too many")
	}
	set := keySet{}
	seen := map[string]bool{}
	for _, v := range list {
		k, ok := v.(map[string]any)
		if !ok {
			return nil, errors.New("jwks has a key that is no object")
		}
		kid, _ := k["kid"].(string)
		if kid == "" || seen[kid] {
			return nil, errors.New("jwks has keys without a kid, or two of one kid")
		}
		seen[kid] = true
		for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, there := k[secret]; there {
				return nil, errors.New("jwks has a secret in it")
			}
		}
		text, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) != nil || !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
			continue
		}
		set[kid] = key
	}
	return set, nil
}

// fits says whether a key may verify signatures of an algorithm: its own, where it says one, of its kind and long enough.
func fits(key jose.JSONWebKey, alg string) bool {
	if key.Algorithm != "" && key.Algorithm != alg {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		// At most 8192: a stranger's key of a hundred thousand bits would take seconds to verify with.
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192 && (alg[:2] == "RS" || alg[:2] == "PS")
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Params().BitSize]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// A token is a signed JWT that was read and not verified.
type token struct {
	raw    string
	jws    *jose.JSONWebSignature
	claims claims
}

// read reads a token of a type. The type is compared exactly (RFC 8725 3.11): a token made for another purpose is none.
func read(raw, typ string) (*token, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if unexpected := new(jose.ErrUnexpectedSignatureAlgorithm); errors.As(err, &unexpected) {
		return nil, refuse(BadAlgorithm, "", "%.20q", unexpected.Got)
	}
	if err != nil {
		return nil, &Error{Reason: Malformed, Cause: errors.New("not a signed JWT")} // go-jose's text may quote the token
	}
	h := jws.Signatures[0].Protected
	if t, _ := h.ExtraHeaders[jose.HeaderType].(string); t != typ {
		return nil, refuse(BadType, "", "typ %.50q, want %q", t, typ)
	}
	if !slices.Contains(algorithms, jose.SignatureAlgorithm(h.Algorithm)) {
		return nil, refuse(BadAlgorithm, "", "%.20q", h.Algorithm)
	}
	if h.KeyID == "" {
		return nil, refuse(BadSignature, "", "no kid")
	}
	if _, there := h.ExtraHeaders["crit"]; there { // RFC 7515 4.1.11: none is understood here
		return nil, refuse(Critical, "", "a critical header parameter")
	}
	if typ == typeStatement {
		for _, name := range []jose.HeaderKey{"trust_chain", "peer_trust_chain"} { // 4.3, 4.4
			if _, there := h.ExtraHeaders[name]; there {
				return nil, refuse(BadClaim, "", "%s in the header of a statement", name)
			}
		}
	}
	c, err := strictjson.Object(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, &Error{Reason: Malformed, Cause: err}
	}
	return &token{raw: raw, jws: jws, claims: c}, nil
}

// verify says whether one of the keys made the token: the one that kid names, and no other.
func (t *token) verify(set keySet) error {
	h := t.jws.Signatures[0].Protected
	key, there := set[h.KeyID]
	if !there {
		return refuse(BadSignature, "", "no key %.80q", h.KeyID)
	}
	if !fits(key, h.Algorithm) {
		return refuse(BadAlgorithm, "", "%s does not fit key %.80q", h.Algorithm, h.KeyID)
	}
	if _, err := t.jws.Verify(key.Key); err != nil {
		return refuse(BadSignature, "", "key %.80q", h.KeyID)
	}
	return nil
}

// times checks iat, and exp, which only some tokens may lack: then it is the zero time.
func (t *token) times(now time.Time, expires bool) (issued, end time.Time, err error) {
	issued, there, err := t.claims.instant("iat")
	if err != nil || !there {
		return issued, end, refuse(BadClaim, "", "iat")
	}
	if issued.After(now.Add(leeway)) {
		return issued, end, refuse(Future, "", "issued %s", issued.UTC().Format(time.RFC3339))
	}
	end, there, err = t.claims.instant("exp")
	if err != nil || !there && expires {
		return issued, end, refuse(BadClaim, "", "exp")
	}
	if there && (!end.After(now) || !end.After(issued)) {
		return issued, end, refuse(Expired, "", "at %s", end.UTC().Format(time.RFC3339))
	}
	return issued, end, nil
}

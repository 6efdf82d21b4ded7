package bridge

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// A Key verifies our tokens: one key has one algorithm, and a token does not choose it (attacks.md O4).
type Key struct {
	ID        string // kid
	Algorithm jose.SignatureAlgorithm
	Public    crypto.PublicKey
}

// A SigningKey signs them.
type SigningKey struct {
	ID        string
	Algorithm jose.SignatureAlgorithm
	Key       crypto.Signer
}

// JWTs makes and reads tokens that are signed JWTs (RFC 7515, RFC 7519; access tokens by RFC 9068). It implements Tokens and Minter. It is not
// changed once it is used, and is safe for concurrent use then.
type JWTs struct {
	Issuer string
	// Keys gives the keys that verify at a moment; the list is searched by kid.
	Keys func(at time.Time) []Key
	// Sign gives the key whose turn it is.
	Sign func(at time.Time) (SigningKey, error)
	// Active says whether a token is in force: neither it nor its grant was revoked. ErrToken says that it is not, any other error is an
	// outage. It may set the Origin of the token. Required: without it nothing is believed.
	Active func(ctx context.Context, t *Token) error
}

var _ interface {
	Tokens
	Minter
} = (*JWTs)(nil)

// types are the values of typ. An ID token of most providers has none; ours have one, so that no token is taken for another (RFC 8725 section 3.11).
var types = map[TokenType]string{AccessToken: "at+jwt", IDToken: "JWT", JWT: "token+jwt"}

// maxJWT bounds a token in octets.
const maxJWT = 16 << 10

// A header is the protected header of a token, with what may stand in it and nothing else: no jwk, jku, x5u or x5c that would bring a
// key along, no crit, b64 or zip, no cty (attacks.md O4).
type header struct {
	Algorithm jose.SignatureAlgorithm
	KeyID     string
	Type      string
}

func readHeader(text string) (*header, error) {
	octets, err := strict.DecodeString(text)
	if err != nil {
		return nil, errors.New("the header is not base64url")
	}
	var members map[string]any
	if err := json.Unmarshal(octets, &members); err != nil { // refuses a member that stands twice
		return nil, errors.New("the header is not a JSON object")
	}
	var h header
	for name, value := range members {
		text, ok := value.(string)
		if !ok {
			return nil, errors.New("a member of the header that is no text")
		}
		switch name {
		case "alg":
			h.Algorithm = jose.SignatureAlgorithm(text)
		case "kid":
			h.KeyID = text
		case "typ":
			h.Type = text
		default:
			return nil, errors.New("a member of the header that is not admitted")
		}
	}
	return &h, nil
}

// admitted are the algorithms that sign tokens: none is symmetric, and "none" is none.
var admitted = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.RS256, jose.RS384, jose.RS512}

// algorithmsOf are those of a key.
func algorithmsOf(public crypto.PublicKey) []jose.SignatureAlgorithm {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			return []jose.SignatureAlgorithm{jose.ES512}
		}
	case *rsa.PublicKey:
		if key.N.BitLen() >= 2048 {
			return []jose.SignatureAlgorithm{jose.PS256, jose.RS256, jose.PS384, jose.RS384, jose.PS512, jose.RS512}
		}
	}
	return nil
}

// open verifies a compact JWS with the key that choose gives for its header, and gives the payload. The form is judged before the key is asked for:
// a JWE has five parts, a nested token a payload that is no object of claims.
func open(token string, choose func(*header) (any, jose.SignatureAlgorithm, error)) ([]byte, error) {
	if len(token) > maxJWT || strings.Count(token, ".") != 2 || !visible(token) { // encoding/base64 passes over line ends
		return nil, errors.New("not a compact JWS")
	}
	first, _, _ := strings.Cut(token, ".")
	h, err := readHeader(first)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(admitted, h.Algorithm) {
		return nil, errors.New("an algorithm that is not admitted")
	}
	key, algorithm, err := choose(h)
	if err != nil {
		return nil, err
	}
	if algorithm != h.Algorithm || !slices.Contains(algorithmsOf(key), algorithm) {
		return nil, errors.New("not the algorithm of the key")
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		return nil, fmt.Errorf("not a JWS: %w", err)
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, errors.New("the signature does not verify")
	}
	return payload, nil
}

// Verify implements Tokens.
func (j *JWTs) Verify(ctx context.Context, token string, t TokenType, now time.Time) (*Token, error) {
	not := func(err error) (*Token, error) { return nil, fmt.Errorf("%w: %w", ErrToken, err) }
	if j.Keys == nil || j.Active == nil || j.Issuer == "" || types[t] == "" {
		return not(errors.New("nobody says which tokens are ours"))
	}
	payload, err := open(token, func(h *header) (any, jose.SignatureAlgorithm, error) {
		if h.Type != types[t] && h.Type != "application/"+types[t] {
			return nil, "", errors.New("a token of another type")
		}
		for _, k := range j.Keys(now) {
			if k.ID == h.KeyID && k.ID != "" { // compared: a name in a message opens no file and asks no database
				return k.Public, k.Algorithm, nil
			}
		}
		return nil, "", errors.New("no such key")
	})
	if err != nil {
		return not(err)
	}
	read, err := readClaims(payload)
	if err != nil {
		return not(err)
	}
	read.Type = t
	switch {
	case read.Issuer != j.Issuer:
		return not(errors.New("of another issuer"))
	case !read.Expires.After(now):
		return not(errors.New("expired"))
	case read.NotBefore.After(now):
		return not(errors.New("not yet valid"))
	}
	if err := j.Active(ctx, read); err != nil {
		return nil, err
	}
	return read, nil
}

// Mint implements Minter. A token without confirmation is not made.
func (j *JWTs) Mint(_ context.Context, t *Token) (string, error) {
	if j.Sign == nil || types[t.Type] == "" {
		return "", errors.New("no key signs, or not a type of ours")
	}
	if t.Confirmation == "" || t.Issuer != j.Issuer || t.ID == "" || t.Subject == "" || t.Expires.IsZero() {
		return "", errors.New("a token without cnf, iss, jti, sub or exp")
	}
	payload, err := appendBody(make([]byte, 0, 1024), t)
	if err != nil {
		return "", err
	}
	key, err := j.Sign(t.IssuedAt)
	if err != nil {
		return "", err
	}
	return key.sign(types[t.Type], payload)
}

// readClaims reads the claims of a token or of an introspection, strictly: a claim of another form than its own is a token that does not hold, not
// one without the claim. A member that stands twice is refused.
func readClaims(payload []byte) (*Token, error) {
	var members map[string]any
	if err := json.Unmarshal(payload, &members); err != nil || members == nil {
		return nil, errors.New("not a JSON object of claims")
	}
	return tokenOf(members)
}

func tokenOf(members map[string]any) (*Token, error) {
	r := claimReader{members: members}
	t := &Token{
		Issuer: r.text("iss"), ID: r.text("jti"), Subject: r.text("sub"), ClientID: r.text("client_id"), Audience: r.list("aud", true),
		Expires: r.time("exp"), NotBefore: r.time("nbf"), IssuedAt: r.time("iat"), AuthTime: r.time("auth_time"),
		Methods: r.list("amr", false), Level: r.text("acr"), Actor: r.actor("act"), MayAct: r.actor("may_act"),
	}
	if party := r.text("azp"); t.ClientID == "" {
		t.ClientID = party
	} else if party != "" && party != t.ClientID {
		r.wrong("azp")
	}
	if scope := r.text("scope"); scope != "" {
		t.Scope = strings.Fields(scope)
	}
	if value, ok := members["cnf"]; ok {
		object, _ := value.(map[string]any)
		t.Confirmation, ok = object["x5t#S256"].(string)
		if !ok || t.Confirmation == "" { // bound to something that we cannot judge is not unbound
			r.wrong("cnf")
		}
	}
	if t.Expires.IsZero() {
		r.wrong("exp")
	}
	if r.bad != "" {
		return nil, errors.New("claim " + r.bad)
	}
	t.Claims = map[string]any{}
	for name, value := range members {
		if !slices.Contains(reserved, name) {
			t.Claims[name] = value
		}
	}
	return t, nil
}

type claimReader struct {
	members map[string]any
	bad     string
}

func (r *claimReader) wrong(name string) {
	if r.bad == "" {
		r.bad = name
	}
}

func (r *claimReader) text(name string) string {
	value, ok := r.members[name]
	if !ok {
		return ""
	}
	text, ok := value.(string)
	if !ok || text == "" {
		r.wrong(name)
	}
	return text
}

// list reads a list of texts; one stands for a list of one.
func (r *claimReader) list(name string, one bool) []string {
	switch value := r.members[name].(type) {
	case nil:
		if _, ok := r.members[name]; ok {
			r.wrong(name)
		}
		return nil
	case string:
		if one && value != "" {
			return []string{value}
		}
	case []any:
		var all []string
		for _, member := range value {
			text, ok := member.(string)
			if !ok || text == "" {
				r.wrong(name)
				return nil
			}
			all = append(all, text)
		}
		return all
	}
	r.wrong(name)
	return nil
}

// time reads a NumericDate; a fraction is cut off.
func (r *claimReader) time(name string) time.Time {
	value, ok := r.members[name]
	if !ok {
		return time.Time{}
	}
	seconds, ok := value.(float64)
	if !ok || seconds <= 0 || seconds > 1<<40 || math.IsNaN(seconds) {
		r.wrong(name)
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

func (r *claimReader) actor(name string) *Actor {
	value, ok := r.members[name]
	if !ok {
		return nil
	}
	a := actorOf(value, maxActors+1)
	if a == nil {
		r.wrong(name)
	}
	return a
}

// actorOf reads an actor and those before him, nil for what is none.
func actorOf(value any, deep int) *Actor {
	object, ok := value.(map[string]any)
	if !ok || deep == 0 {
		return nil
	}
	a := &Actor{}
	for name, member := range object {
		text, isText := member.(string)
		switch {
		case name == "sub" && isText && text != "":
			a.Subject = text
		case name == "iss" && isText && text != "":
			a.Issuer = text
		case name == "act":
			if a.Actor = actorOf(member, deep-1); a.Actor == nil {
				return nil
			}
		case name == "sub" || name == "iss":
			return nil
		}
	}
	if a.Subject == "" {
		return nil
	}
	return a
}

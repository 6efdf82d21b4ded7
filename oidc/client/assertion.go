package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of an assertion (O4).
const (
	maxAssertion = 8 << 10
	maxHeader    = 4 << 10
	maxMember    = 255 // of kid and jti
	maxTried     = 4   // keys that one assertion without kid is verified with
)

// An assertion is a client assertion, read and not believed.
type assertion struct {
	algorithm, kid string
	issuer         string
	subject        string
	audience       []string
	id             string
	expires        time.Time
	notBefore      time.Time // zero: not said
	issued         time.Time // zero: not said
}

// forbidden are header parameters with which a token would choose the key that verifies it, change what is signed, or carry
// something else (O4).
var forbidden = []string{"jku", "x5u", "jwk", "crit", "b64", "zip", "enc", "cty", "epk", "apu", "apv", "p2s", "p2c", "iv", "tag"}

// readAssertion reads a compact JWS, syntax only. Members are read once, by exact name; one that stands twice refuses.
func readAssertion(text string) (a assertion, err error) {
	if len(text) > maxAssertion {
		return a, errors.New("too large")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return a, errors.New("not a signed token of three parts")
	}
	// encoding/base64 passes over line ends, and leaves bits over: a token has one form.
	if _, err := base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil || strings.ContainsAny(text, "\r\n") {
		return a, errors.New("not base64url")
	}
	if len(parts[0]) > maxHeader {
		return a, errors.New("a header that is too large")
	}
	header, err := readObject(parts[0])
	if err != nil {
		return a, fmt.Errorf("header: %w", err)
	}
	for _, name := range forbidden {
		if _, there := header[name]; there {
			return a, fmt.Errorf("header: %s", name)
		}
	}
	if a.algorithm, err = header.text("alg", true); err != nil {
		return a, err
	}
	if a.kid, err = header.text("kid", false); err != nil {
		return a, err
	}
	kind, err := header.text("typ", false)
	if err != nil {
		return a, err
	}
	// RFC 7515 section 4.1.9; client-authentication+jwt is that of the revision of RFC 7523.
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "", "jwt", "client-authentication+jwt":
	default:
		return a, errors.New("header: a token of another type")
	}

	claims, err := readObject(parts[1])
	if err != nil {
		return a, fmt.Errorf("claims: %w", err)
	}
	if a.issuer, err = claims.text("iss", true); err != nil {
		return a, err
	}
	if a.subject, err = claims.text("sub", true); err != nil {
		return a, err
	}
	if a.id, err = claims.text("jti", true); err != nil {
		return a, err
	}
	if a.audience, err = claims.texts("aud"); err != nil {
		return a, err
	}
	if a.expires, err = claims.time("exp"); err != nil {
		return a, err
	}
	if a.expires.IsZero() {
		return a, errors.New("no exp")
	}
	if a.notBefore, err = claims.time("nbf"); err != nil {
		return a, err
	}
	if a.issued, err = claims.time("iat"); err != nil {
		return a, err
	}
	return a, nil
}

// An object is a JSON object, member by member.
type object map[string]json.RawMessage

// readObject reads an object in base64url. encoding/json keeps the last of two members of one name, and others the first: two are
// refused.
func readObject(encoded string) (object, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	o := object{}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("not a JSON object")
		}
		if _, twice := o[name]; twice {
			return nil, errors.New("a member that stands twice")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, errors.New("not a JSON object")
		}
		o[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errors.New("not a JSON object")
	}
	if decoder.More() || int(decoder.InputOffset()) != len(strings.TrimRight(string(text), " \t\r\n")) {
		return nil, errors.New("more than a JSON object")
	}
	return o, nil
}

func (o object) text(name string, required bool) (text string, err error) {
	raw, there := o[name]
	if !there {
		if required {
			return "", fmt.Errorf("no %s", name)
		}
		return "", nil
	}
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil || text == "" || len(text) > maxMember {
		return "", fmt.Errorf("%s is not a text of 1 to %d octets", name, maxMember)
	}
	return text, nil
}

// texts reads aud: a text, or a list of them.
func (o object) texts(name string) (list []string, err error) {
	raw := o[name]
	if len(raw) > 0 && raw[0] == '"' {
		var one string
		if json.Unmarshal(raw, &one) == nil && one != "" {
			return []string{one}, nil
		}
	}
	var values []*string
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &values) != nil || len(values) == 0 || len(values) > 8 {
		return nil, fmt.Errorf("%s is neither a text nor a short list of texts", name)
	}
	for _, v := range values {
		if v == nil || *v == "" {
			return nil, fmt.Errorf("%s has an empty text", name)
		}
		list = append(list, *v)
	}
	return list, nil
}

// time reads a NumericDate (RFC 7519 section 2); zero when it is not there.
func (o object) time(name string) (time.Time, error) {
	raw, there := o[name]
	if !there {
		return time.Time{}, nil
	}
	var seconds *float64
	if json.Unmarshal(raw, &seconds) != nil || seconds == nil || *seconds < 1 || *seconds > 1<<40 {
		return time.Time{}, fmt.Errorf("%s is not a date", name)
	}
	whole, part := math.Modf(*seconds)
	return time.Unix(int64(whole), int64(part*1e9)), nil
}

// assertion finds the client of an assertion and verifies it. The order is a defence: what is cheap comes first, nothing is
// remembered of what nobody signed, and what names the key is the registration.
func (r *Registry) assertion(ctx context.Context, text string, at Endpoint, proof *Authentication) (*entry, *Error) {
	now := proof.at
	a, err := readAssertion(text)
	if err != nil {
		return nil, &Error{Reason: BadAssertion, Err: err}
	}
	e := r.entry(a.subject)
	if e == nil {
		return nil, &Error{Reason: UnknownClient}
	}
	refuse := func(reason Reason, text string) (*entry, *Error) {
		return e, &Error{Reason: reason, Err: errors.New(text)}
	}
	c := e.client
	if c.Method() != PrivateKeyJWT {
		return e, &Error{Reason: WrongMethod}
	}
	if a.issuer != a.subject {
		return refuse(BadAssertion, "iss is not sub")
	}
	if !slices.Contains(c.AssertionAlgorithms(), a.algorithm) {
		return refuse(BadAssertion, "another algorithm than the registered ones")
	}
	if refused := r.options.window(a, now); refused != nil {
		return e, refused
	}
	if !r.options.forUs(a, c, at) {
		return e, &Error{Reason: WrongAudience}
	}
	keys, err := r.keysOf(ctx, e, now, func(keys []key) bool { return len(a.choose(keys)) > 0 })
	if err != nil {
		return e, &Error{Reason: Unavailable, Err: err, RetryAfter: r.options.KeysPause}
	}
	chosen := a.choose(keys)
	if len(chosen) == 0 {
		return e, &Error{Reason: UnknownKey}
	}
	if len(chosen) > maxTried {
		return refuse(UnknownKey, "more keys than an assertion without kid is tried with")
	}
	if !a.verifies(text, chosen) {
		return e, &Error{Reason: WrongSignature}
	}
	proof.assertion, proof.until = jtiDigest(c.ID(), a.id), a.expires
	switch err := r.replay(e).Remember(proof.assertion, proof.until, now); {
	case errors.Is(err, ErrReplayed):
		return e, &Error{Reason: Replayed}
	case err != nil:
		return e, &Error{Reason: Unavailable, Err: err, RetryAfter: time.Minute}
	}
	return e, nil
}

func (r *Registry) replay(e *entry) ReplayState {
	if r.options.Replay != nil {
		return r.options.Replay
	}
	return &e.replay
}

// Recall remembers an assertion that was accepted before this process began, as Authentication.Assertion said: without that
// a restart forgets what came in the minutes before it. Of a client that is not registered nothing is remembered.
func (r *Registry) Recall(id string, digest [32]byte, until time.Time) error {
	now := r.options.Now()
	e := r.entry(id)
	if e == nil || !now.Before(until) {
		return nil
	}
	if err := r.replay(e).Remember(digest, until, now); err != nil && !errors.Is(err, ErrReplayed) {
		return fmt.Errorf("client %s: %w", id, err)
	}
	return nil
}

// window judges the times of an assertion. The skew is for its beginning alone: an end that has come has come.
func (o *Options) window(a assertion, now time.Time) *Error {
	wrong := func(text string) *Error { return &Error{Reason: WrongTime, Err: errors.New(text)} }
	switch {
	case !now.Before(a.expires):
		return wrong("expired")
	case a.expires.After(now.Add(o.MaxAssertionLifetime + o.Skew)):
		return wrong("valid for too long")
	case a.notBefore.After(now.Add(o.Skew)), a.issued.After(now.Add(o.Skew)):
		return wrong("not yet valid")
	}
	return nil
}

// forUs tells whether an assertion is for this server and no other: every audience is one of ours, so that no other server can
// have had it (RFC 7523 section 3, and the revision of it on audiences).
func (o *Options) forUs(a assertion, c *Client, at Endpoint) bool {
	if c.registration.Authentication.IssuerAudienceOnly {
		return len(a.audience) == 1 && a.audience[0] == o.Issuer
	}
	for _, audience := range a.audience {
		if audience != o.Issuer && !slices.Contains(o.Endpoints[Token], audience) && !slices.Contains(o.Endpoints[at], audience) {
			return false
		}
	}
	return len(a.audience) > 0
}

// choose gives the keys that an assertion may be of: those with its kid, or without one all that fit its algorithm.
func (a assertion) choose(keys []key) (chosen []key) {
	for _, k := range keys {
		if k.fits(a.algorithm) && (a.kid == "" || k.jwk.KeyID == a.kid) {
			chosen = append(chosen, k)
		}
	}
	return chosen
}

// verifies tells whether one of the keys signed text.
func (a assertion) verifies(text string, keys []key) bool {
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(a.algorithm)})
	if err != nil || len(signed.Signatures) != 1 {
		return false
	}
	for _, k := range keys {
		if _, err := signed.Verify(k.jwk.Key); err == nil {
			return true
		}
	}
	return false
}

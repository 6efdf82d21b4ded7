package soap

import (
	"errors"
	"time"

	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// A Policy says which messages are admitted. The zero Policy admits none.
type Policy struct {
	// Signature says which algorithms the header signature may use.
	Signature xmlsec.Policy
	Timestamp TimestampPolicy
	// Replay remembers the messages that were admitted. It is mandatory.
	Replay ReplayState
	// Tokens lists the kinds of token that may have made the signature.
	Tokens []TokenKind
	// Vouched admits an assertion beside an X509 token, whose holder vouches for it: his signature must cover it as well
	// (SAML Token Profile 1.0 section 3.5.2). Whether his word counts is for Keys to say: Token.Assertion.
	Vouched bool
}

// A Signed is a message whose Timestamp was fresh, whose Body, Timestamp and token
// were signed with a key that Keys gave, and which was not seen before. Only Verify
// makes one; the zero Signed holds nothing. It lives as long as its Envelope.
type Signed struct {
	body     xmltext.Node
	token    *Token
	verified xmlsec.Verified
	created  time.Time
	expires  time.Time
}

// Body returns the child element of the signed Body, the zero Node for the zero
// Signed.
func (s *Signed) Body() xmltext.Node { return s.body }

// Token returns the token whose key made the signature, nil for the zero Signed.
func (s *Signed) Token() *Token { return s.token }

// Covers reports whether the header signature covers n.
func (s *Signed) Covers(n xmltext.Node) bool { return s.verified.Covers(n) }

// Created returns the wsu:Created of the message.
func (s *Signed) Created() time.Time { return s.created }

// Digest identifies the message: it is what replay detection remembers.
func (s *Signed) Digest() [32]byte { return s.verified.Digest() }

// Verify judges the message at now, cheap checks first: Timestamp fresh, token
// trusted by keys, signature verified, Body, Timestamp and token covered, and not
// seen before. On error the result is the zero Signed and the error an *Error. Verify
// counts as seeing the message: a second Verify finds it replayed.
func (e *Envelope) Verify(policy *Policy, keys Keys, now time.Time) (Signed, error) {
	created, expires, err := e.readTimestamp()
	if err != nil {
		return Signed{}, err
	}
	if err := policy.Timestamp.fresh(created, expires, now); err != nil {
		return Signed{}, err
	}
	signature, err := xmlsec.ParseSignature(e.signature)
	if err != nil {
		return Signed{}, signatureError(err)
	}
	token, err := e.readToken(&signature, policy, keys)
	if err != nil {
		return Signed{}, err
	}
	if !policy.admits(token.Kind) {
		return Signed{}, refuse(UnsupportedToken, "", "kind of token")
	}
	key, err := keys.Key(token)
	if err != nil {
		return Signed{}, &Error{Reason: UntrustedToken, Err: err}
	}
	s := Signed{token: token, created: created, expires: expires}
	if s.verified, err = signature.Verify(key, &policy.Signature); err != nil {
		return Signed{}, signatureError(err)
	}
	if err := e.covered(&s.verified, token); err != nil {
		return Signed{}, err
	}
	if err := policy.remember(&s, now); err != nil {
		return Signed{}, err
	}
	s.body = e.content
	return s, nil
}

func (p *Policy) admits(kind TokenKind) bool {
	for _, k := range p.Tokens {
		if k == kind && kind != 0 {
			return true
		}
	}
	return false
}

// covered requires that the signature covers the Body and the Timestamp, each the
// element in its place (attacks.md W9 to W11), and the certificate that made it, so
// that no other certificate of the same key takes its place (WS-SecurityPolicy
// ProtectTokens; attacks.md W14). A SAML assertion is signed by its issuer.
func (e *Envelope) covered(v *xmlsec.Verified, token *Token) error {
	switch {
	case !v.Signs(e.body):
		return refuse(NotCovered, "", "Body")
	case !v.Signs(e.timestamp):
		return refuse(NotCovered, "", "Timestamp")
	case token.Kind == X509 && !v.Signs(token.Node):
		return refuse(NotCovered, "", "BinarySecurityToken")
	case !token.Assertion.IsZero() && !v.Signs(token.Assertion):
		return refuse(NotCovered, "", "assertion")
	}
	return nil
}

// remember enters the message into the replay state until its Timestamp alone
// refuses it.
func (p *Policy) remember(s *Signed, now time.Time) error {
	if p.Replay == nil {
		return refuse(NoReplayState, "", "none configured")
	}
	until := s.expires.Add(p.Timestamp.Skew)
	switch err := p.Replay.Remember(s.verified.Digest(), until, now); {
	case err == nil:
		return nil
	case errors.Is(err, ErrReplayed):
		return &Error{Reason: Replayed}
	case errors.Is(err, ErrReplayFull):
		return &Error{Reason: ReplayStateFull, Err: err}
	default:
		return &Error{Reason: NoReplayState, Err: err}
	}
}

// signatureError sorts what xmlsec refuses into what a client can mend by choosing
// another algorithm and what it cannot.
func signatureError(err error) error {
	reason := BadSignature
	var e *xmlsec.Error
	if errors.As(err, &e) {
		switch e.Reason {
		case xmlsec.AlgorithmRefused, xmlsec.CanonicalizationRefused, xmlsec.TransformRefused, xmlsec.ReferenceRefused:
			reason = UnsupportedAlgorithm
		case xmlsec.Malformed, xmlsec.TooMany, xmlsec.ReferenceUnresolved, xmlsec.KeyInfoRefused, xmlsec.BadBase64:
			reason = BadSecurity
		}
	}
	out := &Error{Reason: reason, Err: err}
	if e != nil {
		out.Rule = e.Rule
	}
	return out
}

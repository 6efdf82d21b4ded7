package wsp

import (
	"bytes"
	"iter"
	"slices"
	"time"

	"sceau/attrs"
	"sceau/certs"
)

// A Subject is whom an assertion speaks of: the NameIdentifier of its
// AuthenticationStatement, as the STS wrote it. On the wire it is the subject name of the
// certificate that asked the STS, and Qualifier the name of its issuer.
type Subject struct{ Name, Qualifier, Format string }

// An Attribute is one that the STS certified or echoed.
type Attribute struct {
	attrs.Designator
	// Definition is what the catalogue says of it: the kind of its values, its
	// canonical name; nil for an attribute that the catalogue does not know.
	Definition *attrs.Definition
	values     []string
}

// Values runs over the values in the order of the assertion. An attribute whose value the
// STS does not know has one value, the empty text.
func (a Attribute) Values() iter.Seq[string] { return slices.Values(a.values) }

// A Confirmation is a method by which the subject of an assertion is confirmed, without the version of SAML.
type Confirmation string

// The methods that a Guard can admit.
const (
	HolderOfKey   Confirmation = "holder-of-key"
	SenderVouches Confirmation = "sender-vouches"
)

// TokenSAML11 is the TokenType of a SAML 1.1 assertion (SAML Token Profile 1.1 section 3.4).
const TokenSAML11 = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"

// A Caller is who sent an admitted message, proven. Only Admit makes one; the zero
// Caller, and a nil one, is nobody and has nothing. It is immutable and aliases no
// message: it may be kept and shared.
type Caller struct {
	assertion *assertion
	catalogue *attrs.Catalogue
	holder    certs.Identity
	digest    [32]byte
	created   time.Time

	body, bodyNamespace, bodyLocal []byte
}

// nobody is what a zero Caller reads from.
var nobody assertion

func (c *Caller) proven() *assertion {
	if c.IsZero() {
		return &nobody
	}
	return c.assertion
}

// IsZero reports whether c is nobody.
func (c *Caller) IsZero() bool { return c == nil || c.assertion == nil }

// Subject tells whom the assertion speaks of.
func (c *Caller) Subject() Subject { return c.proven().subject }

// Confirmation says by what the subject was confirmed; it is empty for nobody.
func (c *Caller) Confirmation() Confirmation {
	switch {
	case c.IsZero():
		return ""
	case c.assertion.vouched:
		return SenderVouches
	}
	return HolderOfKey
}

// TokenType is the kind of the assertion, as WS-Security names it; it is empty for nobody. There is one today. What a Caller
// tells is common to SAML 1.1 and 2.0: there Namespace of an attribute is the NameFormat.
func (c *Caller) TokenType() string {
	if c.IsZero() {
		return ""
	}
	return TokenSAML11
}

// Holder tells whose certificate signed the message: that of the holder, or that of the sender who vouched; nobody when the
// assertion holds a bare key (Config.HolderKeyValue).
func (c *Caller) Holder() certs.Identity {
	if c.IsZero() {
		return certs.Identity{}
	}
	return c.holder
}

// AssertionID and Issuer are those of the assertion.
func (c *Caller) AssertionID() string { return c.proven().id }

// Issuer is the STS that the assertion names.
func (c *Caller) Issuer() string { return c.proven().issuer }

// IssueInstant is when the assertion was made.
func (c *Caller) IssueInstant() time.Time { return c.proven().issued }

// Validity is the window of the assertion: from notBefore to just before
// notOnOrAfter. Both are zero for nobody.
func (c *Caller) Validity() (notBefore, notOnOrAfter time.Time) {
	p := c.proven()
	return p.notBefore, p.notOnOrAfter
}

// Authentication tells how and when the STS authenticated the subject.
func (c *Caller) Authentication() (method string, at time.Time) {
	p := c.proven()
	return p.method, p.authenticated
}

// Created is the wsu:Created of the message.
func (c *Caller) Created() time.Time {
	if c.IsZero() {
		return time.Time{}
	}
	return c.created
}

// MessageDigest identifies the message, for audit: what replay detection remembers.
func (c *Caller) MessageDigest() [32]byte {
	if c.IsZero() {
		return [32]byte{}
	}
	return c.digest
}

// Body returns a copy of the body element in exclusive canonical form (see the package
// comment), nil for nobody.
func (c *Caller) Body() []byte {
	if c.IsZero() {
		return nil
	}
	return bytes.Clone(c.body)
}

// AppendBody appends the body element, as Body has it, to dst.
func (c *Caller) AppendBody(dst []byte) []byte {
	if c.IsZero() {
		return dst
	}
	return append(dst, c.body...)
}

// Operation is the expanded name of the body element. A service chooses by it what to
// do: SOAPAction is signed by nobody (attacks.md W23).
func (c *Caller) Operation() (namespace, local string) {
	if c.IsZero() {
		return "", ""
	}
	return string(c.bodyNamespace), string(c.bodyLocal)
}

// Attributes runs over the attributes in the order of the assertion.
func (c *Caller) Attributes() iter.Seq[Attribute] { return slices.Values(c.proven().attributes) }

// find gives the attribute with a designator: by its exact name, else by a name that
// means the same in the catalogue. An attribute that stands there twice is not found:
// which of the two is meant cannot be said.
func (c *Caller) find(d attrs.Designator) (*Attribute, bool) {
	if c.IsZero() {
		return nil, false
	}
	all := c.assertion.attributes
	found := -1
	for i := range all {
		if all[i].Designator == d {
			if found >= 0 {
				return nil, false
			}
			found = i
		}
	}
	if found >= 0 {
		return &all[found], true
	}
	definition, ok := c.catalogue.Find(d)
	if !ok {
		return nil, false
	}
	for i := range all {
		if all[i].Definition == definition {
			if found >= 0 {
				return nil, false
			}
			found = i
		}
	}
	if found < 0 {
		return nil, false
	}
	return &all[found], true
}

// Lookup gives the attribute with a designator. It is found by its exact name, else by
// an alias that the catalogue knows; one that the assertion holds twice is not found.
func (c *Caller) Lookup(d attrs.Designator) (Attribute, bool) {
	a, ok := c.find(d)
	if !ok {
		return Attribute{}, false
	}
	return *a, true
}

// Value gives the only value of an attribute. ok is false when it is absent, there
// twice, or has more than one value. The value is empty, and ok true, when the STS
// knows none.
func (c *Caller) Value(d attrs.Designator) (value string, ok bool) {
	a, ok := c.find(d)
	if !ok || len(a.values) != 1 {
		return "", false
	}
	return a.values[0], true
}

// Bool is true for an attribute whose only value is exactly "true". ok is false when
// there is no single value, or one that is neither "true" nor "false": then nothing is
// known, and the answer is false.
func (c *Caller) Bool(d attrs.Designator) (value, ok bool) {
	text, ok := c.Value(d)
	if !ok || text != "true" && text != "false" {
		return false, false
	}
	return text == "true", true
}

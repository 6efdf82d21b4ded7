package sts

import (
	"crypto"
	"errors"

	"sceau/certs"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// A Mode says which certificates a request came with (wire document 6.3).
type Mode uint8

// The modes. The zero Mode is none.
const (
	_        Mode = iota
	Session       // eID in the header, eHealth certificate as holder-of-key
	EIDOnly       // the eID in both places
	Fallback      // an eHealth certificate in the header, in place of the eID
)

// String returns the mode as audit records and policies write it.
func (m Mode) String() string {
	switch m {
	case Session:
		return "session"
	case EIDOnly:
		return "eid-only"
	case Fallback:
		return "fallback"
	}
	return "none"
}

// Confirmed is a query whose holder-of-key confirmation was checked: who asks, whose
// key the token will confirm, and what the requester says about the subject. Only
// confirm makes one; the zero Confirmed has nobody in it.
type Confirmed struct {
	mode     Mode
	identity certs.Identity
	holder   certs.Identity
	request  *saml.Request
	self     *saml.Assertion // self-issued; covered by the header's signature
}

// Mode returns which certificates were used.
func (c *Confirmed) Mode() Mode { return c.mode }

// Holder returns whose key the token will confirm.
func (c *Confirmed) Holder() certs.Identity { return c.holder }

// Identity returns who signed the message.
func (c *Confirmed) Identity() certs.Identity { return c.identity }

// confirm makes the checks on ConfirmationMethod (REQ-01): holder-of-key and nothing
// else (attacks.md H2); the key of the SubjectConfirmation, the key of the inner
// signature and, where there is no inner signature, the certificate of the header
// are one and the same; the inner signature is there exactly when the certificates
// differ, verified whenever it is, and signs this very Request (H3).
func (r *road) confirm(q *saml.Request) (Confirmed, error) {
	r.stage = "confirm"
	confirmation := &q.Subject.Confirmation
	if !q.Subject.Confirmed || confirmation.Methods != 1 || string(confirmation.Method) != saml.HolderOfKey {
		return Confirmed{}, refuse(ConfirmationFailed, "not holder-of-key")
	}
	if confirmation.KeyInfo.IsZero() {
		return Confirmed{}, refuse(ConfirmationFailed, "no KeyInfo")
	}
	c := Confirmed{identity: r.identity, request: q, self: &r.self}
	if err := r.selfIssued(confirmation.Data); err != nil {
		return Confirmed{}, err
	}
	certificate, err := r.holderCertificate(confirmation.KeyInfo)
	if err != nil {
		return Confirmed{}, err
	}
	same := certificate.Fingerprint() == r.identity.Certificate().Fingerprint()
	if q.Signature.IsZero() && !same {
		return Confirmed{}, refuse(ConfirmationFailed, "no inner signature, and two certificates")
	}
	if c.holder, err = r.Certificates.Identify(certs.RoleHolder, certificate, nil, r.now); err != nil {
		r.event.Holder.Fingerprint = certificate.Fingerprint()
		return Confirmed{}, refuseFor(HolderNotTrusted, err)
	}
	r.event.Holder = party(c.holder)
	if !q.Signature.IsZero() {
		if err := r.innerSignature(q, c.holder); err != nil {
			return Confirmed{}, err
		}
	}
	switch {
	case c.identity.Kind() != certs.EID:
		c.mode = Fallback
	case same:
		c.mode = EIDOnly
	default:
		c.mode = Session
	}
	r.event.Mode = c.mode.String()
	return c, nil
}

// selfIssued reads the self-issued assertion from SubjectConfirmationData: exactly
// one, unsigned itself (the header's signature covers it), with attributes and
// nothing that claims an authentication.
func (r *road) selfIssued(data xmltext.Node) error {
	n := data.FirstElement()
	if n.IsZero() || !n.NextElement().IsZero() || !data.OnlyElements() {
		return refuse(ConfirmationFailed, "not one assertion in SubjectConfirmationData")
	}
	if err := saml.ParseAssertion(n, &r.self); err != nil {
		return refuseFor(ConfirmationFailed, err)
	}
	if !r.self.Signature.IsZero() || r.self.Authenticated || !r.self.HasAttributes {
		return refuse(ConfirmationFailed, "self-issued assertion of another form")
	}
	return nil
}

// holderCertificate finds the certificate that a KeyInfo of SubjectConfirmation
// names: the one it holds, or the header's when it gives that one's key as KeyValue.
func (r *road) holderCertificate(n xmltext.Node) (*certs.Certificate, error) {
	r.heldText, r.der = nil, r.der[:0] // of this request or of none
	info, err := xmlsec.ParseKeyInfo(n)
	if err != nil {
		return nil, refuseFor(ConfirmationFailed, err)
	}
	switch info.Selector {
	case xmlsec.ByCertificate:
		r.heldText = info.Value
		if certificate := r.Certificates.Recall(info.Value); certificate != nil {
			return certificate, nil
		}
		der, err := xmlsec.AppendBase64(r.der, info.Value)
		if err != nil {
			return nil, refuseFor(ConfirmationFailed, err)
		}
		r.der = der
		certificate, err := r.Certificates.Parse(der)
		if err != nil {
			return nil, refuseFor(HolderNotTrusted, err)
		}
		return certificate, nil
	case xmlsec.ByKeyValue:
		if own := r.identity.Certificate(); sameKey(info.Key, own.PublicKey()) {
			return own, nil
		}
		return nil, refuse(ConfirmationFailed, "a key without certificate")
	}
	return nil, refuse(ConfirmationFailed, "KeyInfo of another form")
}

// innerSignature verifies the signature of the Request with the holder's key.
func (r *road) innerSignature(q *saml.Request, holder certs.Identity) error {
	signature, err := xmlsec.ParseSignature(q.Signature)
	if err != nil {
		return refuseFor(ConfirmationFailed, err)
	}
	if target, enveloped := signature.Refers(0); signature.References() != 1 || target != q.Node || !enveloped {
		return refuse(ConfirmationFailed, "inner signature over something else")
	}
	if signature.KeyInfo().IsZero() {
		return refuse(ConfirmationFailed, "inner signature without KeyInfo")
	}
	info, err := xmlsec.ParseKeyInfo(signature.KeyInfo())
	if err != nil {
		return refuseFor(ConfirmationFailed, err)
	}
	if err := r.isHolders(&info, holder); err != nil {
		return err
	}
	verified, err := signature.Verify(holder.PublicKey(), &r.Inner)
	if err != nil {
		return refuseFor(ConfirmationFailed, err)
	}
	if !verified.Signs(q.Node) {
		return refuse(ConfirmationFailed, "inner signature does not sign the Request")
	}
	return nil
}

var errOtherKey = errors.New("sts: inner signature by another certificate")

// isHolders requires that the KeyInfo of the inner signature selects the holder's
// certificate, octet for octet, or its key.
func (r *road) isHolders(info *xmlsec.KeyInfo, holder certs.Identity) error {
	switch info.Selector {
	case xmlsec.ByCertificate:
		if len(info.Value) > 0 && string(info.Value) == string(r.heldText) {
			return nil // the same text is the same octets
		}
		certificate := holder.Certificate().Raw()
		// The octets of the holder's certificate stand in r.der, if it was given; the
		// inner one is decoded behind it.
		mark := len(r.der)
		der, err := xmlsec.AppendBase64(r.der, info.Value)
		if err != nil {
			return refuseFor(ConfirmationFailed, err)
		}
		r.der = der[:mark]
		if string(der[mark:]) == string(certificate) {
			return nil
		}
	case xmlsec.ByKeyValue:
		if sameKey(info.Key, holder.PublicKey()) {
			return nil
		}
	}
	return refuseFor(ConfirmationFailed, errOtherKey)
}

// sameKey compares public keys; nil is the same as nothing.
func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && k.Equal(b)
}

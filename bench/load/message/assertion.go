package message

import (
	"bytes"
	"encoding/base64"
	"time"

	"sceau/bench/load/measure"
	"sceau/certs"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// assertion says what is wrong with the assertion of an answer, but for its signature.
func (c *Checker) assertion(shot *measure.Shot, r *reading) string {
	n := r.answer.response.Assertion
	if n.IsZero() {
		return "success without an assertion"
	}
	number, ok := consumerIn(shot.ID)
	if !ok || number >= len(c.config.PKI.consumers) {
		return "the message is of none of the consumers of this PKI"
	}
	asker := c.config.PKI.consumers[number]
	identity, held := asker.identity, asker.held
	if shot.Kind == measure.ColdCertificate {
		if identity, held, ok = certificatesIn(shot.Body); !ok {
			return "the certificates of the message cannot be read"
		}
	}
	a := &r.assertion
	if err := saml.ParseAssertion(n, a); err != nil {
		return "not the assertion of an attribute query: " + err.Error()
	}
	if n.HasComment() {
		return "a comment in the assertion"
	}
	if string(a.Issuer) != c.wire.Issuer {
		return "another issuer"
	}
	if why := holds(&a.Conditions, c.now(), clockSkew); why != "" {
		return why
	}
	if !a.Authenticated || !a.HasAttributes {
		return "not both statements"
	}
	if !names(&a.AuthenticationSubject, identity) || !names(&a.AttributeSubject, identity) {
		return "another subject"
	}
	if !confirms(&a.AuthenticationSubject.Confirmation, held) ||
		a.AttributeSubject.Confirmed && !confirms(&a.AttributeSubject.Confirmation, held) {
		return "not holder-of-key by the certificate of the holder"
	}
	return c.attributes(a.Attributes(), asker.person)
}

// holds checks Conditions (SAML 1.1 core 2.3.2.1).
func holds(c *saml.Conditions, now time.Time, skew time.Duration) string {
	switch {
	case c.NotBefore.IsZero() || c.NotOnOrAfter.IsZero() || !c.NotBefore.Before(c.NotOnOrAfter):
		return "no validity"
	case now.Add(skew).Before(c.NotBefore), !now.Add(-skew).Before(c.NotOnOrAfter):
		return "not valid now"
	case c.Restrictions > 0:
		return "a restriction of audience that was not asked for"
	}
	return ""
}

// names reports whether a subject is named by the certificate.
func names(s *saml.Subject, by *certs.Certificate) bool {
	name := &s.NameIdentifier
	return s.Named && string(name.Format) == saml.FormatX509SubjectName && by.SubjectIs(name.Value) && by.IssuerIs(name.NameQualifier)
}

// confirms reports whether the key that confirms is that of the holder's certificate, given in
// base64.
func confirms(s *saml.SubjectConfirmation, held []byte) bool {
	if s.Methods != 1 || string(s.Method) != saml.HolderOfKey || !s.Data.IsZero() || s.KeyInfo.IsZero() {
		return false
	}
	info, err := xmlsec.ParseKeyInfo(s.KeyInfo)
	if err != nil || info.Selector != xmlsec.ByCertificate {
		return false
	}
	if bytes.Equal(info.Value, held) {
		return true
	}
	// The same octets may be written otherwise, with line ends.
	der, err := xmlsec.AppendBase64(nil, info.Value)
	return err == nil && string(base64.StdEncoding.AppendEncode(nil, der)) == string(held)
}

// attributes says what is wrong with attributes: those that were asked for, each once, with
// the value that the person has, and no other.
func (c *Checker) attributes(found []saml.Attribute, p person) string {
	if len(found) != len(c.wire.Identification)+len(c.wire.Asked) {
		return "not as many attributes as were asked for"
	}
	// What is asked for is different each time: as many as there are, each found, is all.
	for i := range c.wire.Identification {
		d := &c.wire.Identification[i]
		if why := one(found, d.Name, d.Namespace, p.SSIN); why != "" {
			return why
		}
	}
	for i := range c.wire.Asked {
		a := &c.wire.Asked[i]
		if why := one(found, a.Name, a.Namespace, a.value(p)); why != "" {
			return why
		}
	}
	return ""
}

// one says what is wrong with an attribute that must have one value, this one unless it is
// empty.
func one(found []saml.Attribute, name, namespace, value string) string {
	for i := range found {
		if string(found[i].Name) != name || string(found[i].Namespace) != namespace {
			continue
		}
		if len(found[i].Values) != 1 || value != "" && string(found[i].Values[0]) != value {
			return "another value of " + name
		}
		return ""
	}
	return "no attribute " + name
}

// signature says what is wrong with the signature of the assertion: it must be one of the
// signers', whose certificate goes along, over the assertion and nothing else.
func (c *Checker) signature(r *reading) string {
	if r.assertion.Signature.IsZero() {
		return "no signature"
	}
	signature, err := xmlsec.ParseSignature(r.assertion.Signature)
	if err != nil {
		return "signature: " + err.Error()
	}
	// To one element and in one place: no reader can take the signature for that of something
	// else (attacks.md W17, W19).
	if target, enveloped := signature.Refers(0); signature.References() != 1 || target != r.assertion.Node || !enveloped {
		return "signature: not of the assertion"
	}
	info, err := xmlsec.ParseKeyInfo(signature.KeyInfo())
	if err != nil || info.Selector != xmlsec.ByCertificate {
		return "signature: no certificate"
	}
	if r.der, err = xmlsec.AppendBase64(r.der[:0], info.Value); err != nil {
		return "signature: " + err.Error()
	}
	for _, signer := range c.signers {
		if !bytes.Equal(signer.Raw(), r.der) {
			continue
		}
		verified, err := signature.Verify(signer.PublicKey(), &c.policy)
		if err != nil {
			return "signature: " + err.Error()
		}
		if !verified.Signs(r.assertion.Node) {
			return "signature: not of the assertion"
		}
		return ""
	}
	return "signature: by a certificate that is not of a signer"
}

// certificatesIn returns the certificate of the header of a message that a Maker made, and
// that of the holder in base64, in memory of their own.
func certificatesIn(message []byte) (identity *certs.Certificate, held []byte, ok bool) {
	document, err := xmltext.Parse(message, xmltext.DefaultLimits())
	if err != nil {
		return nil, nil, false
	}
	defer document.Release()
	header := document.Root().FirstElement()
	security := header.FirstElement()
	for n := security.FirstElement(); !n.IsZero(); n = n.NextElement() {
		if !n.Is(xmlsec.NamespaceWSSE, "BinarySecurityToken") {
			continue
		}
		text, _ := n.Value()
		der, err := xmlsec.AppendBase64(nil, text)
		if err != nil {
			return nil, nil, false
		}
		if identity, err = certs.ParseCertificate(der); err != nil {
			return nil, nil, false
		}
	}
	var request saml.Request
	if err := saml.ParseRequest(header.NextElement().FirstElement(), &request); err != nil || identity == nil {
		return nil, nil, false
	}
	info, err := xmlsec.ParseKeyInfo(request.Subject.Confirmation.KeyInfo)
	if err != nil {
		return nil, nil, false
	}
	return identity, bytes.Clone(info.Value), true
}

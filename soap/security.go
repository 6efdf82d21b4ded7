package soap

import (
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

const namespaceSAML1 = "urn:oasis:names:tc:SAML:1.0:assertion"

// security finds the parts of the Security header, in any order (the layout of the
// wire is Lax). One Timestamp (BSP R3227), at most one BinarySecurityToken and one
// SAML assertion (attacks.md W14, W15), exactly one signature (W20), and the reference by
// which a sender signs the assertion that he vouches for (SAML Token Profile 1.0 section 3.5.2). Anything else
// would be processed by nobody here and is refused rather than passed over.
func (e *Envelope) security(n xmltext.Node) error {
	if !n.OnlyElements() {
		return refuse(BadSecurity, "", "text in Security")
	}
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		var place *xmltext.Node
		var rule string
		switch {
		case c.Is(xmlsec.NamespaceWSU, "Timestamp"):
			place, rule = &e.timestamp, "R3227"
		case c.Is(xmlsec.NamespaceWSSE, "BinarySecurityToken"):
			place = &e.binary
		case c.Is(xmlsec.NamespaceDS, "Signature"):
			place = &e.signature
		case c.Is(namespaceSAML1, "Assertion"):
			place = &e.assertion
		case c.Is(xmlsec.NamespaceWSSE, "SecurityTokenReference"):
			place = &e.reference
		default:
			return refuse(UnsupportedToken, "", "element in Security")
		}
		if !place.IsZero() {
			return refuse(BadSecurity, rule, "second "+string(c.Local()))
		}
		*place = c
	}
	switch {
	case e.timestamp.IsZero():
		return refuse(BadTimestamp, "", "no Timestamp")
	case e.signature.IsZero(): // attacks.md W21
		return refuse(BadSecurity, "", "no Signature")
	}
	return nil
}

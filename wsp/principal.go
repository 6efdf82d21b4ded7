package wsp

import (
	"sceau/attrs"
	"sceau/certs"
)

// A Principal is a caller as policies name him: the types are those of the platform's schema (sceau/policy/cedar).
type Principal struct {
	Type                       string // Person, Organisation, Service
	Kind                       string // of the certificate that shows him; empty where it is only the assertion that names him
	IdentifierType, Identifier string
}

// ID is what the entity is called: SSIN=00000000097.
func (p Principal) ID() string { return p.IdentifierType + "=" + p.Identifier }

// PrincipalOf gives who acts: the person whom the STS identified (urn:be:fgov:person:ssin in the identification namespace, which it checked against a
// certificate), and without one the holder of the key. A sender who vouches acts for somebody else. ok is false for nobody, for a person who is
// named twice or not at all where a sender vouches, and for a certificate without identifier.
func PrincipalOf(c *Caller) (p Principal, ok bool) {
	if c.IsZero() {
		return Principal{}, false
	}
	kind, identifier := c.Holder().Identifier()
	person := attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}
	for a := range c.Attributes() {
		if a.Designator != person {
			continue
		}
		ssin, ok := c.Value(person)
		if !ok || ssin == "" {
			return Principal{}, false
		}
		p := Principal{Type: "Person", IdentifierType: string(certs.SSIN), Identifier: ssin}
		if kind == certs.SSIN && identifier == ssin {
			p.Kind = c.Holder().Kind().String()
		}
		return p, true
	}
	if identifier == "" || c.Confirmation() != HolderOfKey {
		return Principal{}, false
	}
	p = Principal{Kind: c.Holder().Kind().String(), IdentifierType: string(kind), Identifier: identifier}
	switch c.Holder().Kind() {
	case certs.EID, certs.EHealthPerson:
		p.Type = "Person"
	case certs.EHealthOrganisation:
		p.Type = "Organisation"
	case certs.Service:
		p.Type = "Service"
	default:
		return Principal{}, false
	}
	return p, true
}

package sts

import (
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/certs"
	"sceau/saml"
)

// Bound is a confirmed query whose subject, issuer, window and identification
// attributes are those of its certificates, and whose designators are known. Only
// bind makes one.
type Bound struct {
	confirmed *Confirmed
	// The wanted window, checked against the clock.
	notBefore, notOnOrAfter time.Time
	wanted                  []wanted
}

// wanted is an attribute that was asked for.
type wanted struct {
	asked      saml.Designator
	definition *attrs.Definition
	claimed    int // identification: index of the proven value, else -1
	permitted  bool
}

// bind makes the checks of identity binding, in the order of the codes.
func (r *road) bind(c *Confirmed) (Bound, error) {
	r.stage = "bind"
	r.event.Subject = r.event.Identity.Identifier // whom everything is about, if the checks hold
	if err := r.checkSubject(&c.request.Subject, c.identity); err != nil {
		return Bound{}, err
	}
	if err := r.checkSubject(&c.self.AttributeSubject, c.identity); err != nil {
		return Bound{}, err
	}
	// The issuer is the subject of the header's certificate, or a client that the
	// operator names because its software writes its own name (wire document 2.2).
	if !c.identity.Certificate().SubjectIs(c.self.Issuer) && !r.clientNames[string(c.self.Issuer)] {
		return Bound{}, refuse(IssuerMismatch, "")
	}
	b := Bound{confirmed: c}
	if err := r.checkWindow(&b, &c.self.Conditions); err != nil {
		return Bound{}, err
	}
	if err := r.identification(c); err != nil {
		return Bound{}, err
	}
	if err := r.designators(c); err != nil {
		return Bound{}, err
	}
	b.wanted = r.wanted
	return b, nil
}

// checkSubject requires that a subject names the certificate of the header and its
// issuer, compared as parsed names (attacks.md D10).
func (r *road) checkSubject(s *saml.Subject, identity certs.Identity) error {
	name := &s.NameIdentifier
	switch {
	case !s.Named || string(name.Format) != saml.FormatX509SubjectName:
		return refuse(SubjectMismatch, "not an X509SubjectName")
	case !identity.Certificate().SubjectIs(name.Value):
		return refuse(SubjectMismatch, "another subject name")
	case !identity.Certificate().IssuerIs(name.NameQualifier):
		return refuse(SubjectMismatch, "another issuer name")
	}
	return nil
}

// checkWindow requires a window that has an end, ends after its beginning and after
// now, and does not begin in the future (attacks.md R4). How long it may be is the
// policy's.
func (r *road) checkWindow(b *Bound, c *saml.Conditions) error {
	b.notBefore, b.notOnOrAfter = c.NotBefore, c.NotOnOrAfter
	switch {
	case c.NotBefore.IsZero() || c.NotOnOrAfter.IsZero():
		return refuse(WindowInvalid, "NotBefore or NotOnOrAfter missing")
	case !c.NotBefore.Before(c.NotOnOrAfter):
		return refuse(WindowInvalid, "ends before it begins")
	case !c.NotOnOrAfter.After(r.now):
		return refuse(WindowInvalid, "past")
	case c.NotBefore.After(r.now.Add(r.Security.Timestamp.Skew)):
		return refuse(WindowInvalid, "begins in the future")
	case c.Restrictions > 0:
		return refuse(WindowInvalid, "audience restriction")
	}
	return nil
}

// identification proves the identification attributes of the self-issued assertion
// and gathers them as subjects. Only the identification namespace is read: what a
// client says in another one proves nothing (attacks.md H4).
func (r *road) identification(c *Confirmed) error {
	r.question.Subjects = r.question.Subjects[:0]
	attributes := c.self.Attributes()
	for i := range attributes {
		a := &attributes[i]
		definition, ok := r.Catalogue.Lookup(a.Name, a.Namespace)
		if !ok || definition.Certified() {
			return refuse(IdentificationFailed, "not an identification attribute")
		}
		for j := range r.question.Subjects {
			if r.question.Subjects[j].By == definition {
				return refuse(IdentificationFailed, "identification attribute given twice")
			}
		}
		for _, other := range a.Values[1:] { // core 2.4.4.2 has one or more
			if string(other) != string(a.Values[0]) {
				return refuse(IdentificationFailed, "identification attribute with several values")
			}
		}
		value, ok := r.proven(c, definition, a.Values[0])
		if !ok {
			return refuse(IdentificationFailed, "value is not that of the certificates: "+definition.Name)
		}
		r.question.Subjects = append(r.question.Subjects, attrs.Keyed{By: definition, Value: value})
	}
	return nil
}

// proven compares a claimed value with the certificates, as its definition binds it,
// and returns the value as the certificate has it.
func (r *road) proven(c *Confirmed, d *attrs.Definition, claimed []byte) (string, bool) {
	switch d.Binding {
	case attrs.BindingIdentity:
		return borne(c.identity, d, claimed)
	case attrs.BindingHolder:
		return borne(c.holder, d, claimed)
	case attrs.BindingClaimed:
		if len(d.CertificateTypes) > 0 {
			// A number that a certificate can bear is not taken on trust.
			if value, ok := borne(c.identity, d, claimed); ok {
				return value, true
			}
			if value, ok := borne(c.holder, d, claimed); ok {
				return value, true
			}
			if !r.acceptClaimed[d.Name] {
				return "", false
			}
		}
		if !d.Kind.Valid(string(claimed)) {
			return "", false
		}
		return string(claimed), true
	}
	return "", false
}

// borne reports whether a certificate bears the claimed value, as an identifier of a
// type that the definition admits.
func borne(i certs.Identity, d *attrs.Definition, claimed []byte) (string, bool) {
	t, value := i.Identifier()
	if value == "" || value != string(claimed) {
		return "", false
	}
	for _, admitted := range d.CertificateTypes {
		if admitted == string(t) {
			return value, true
		}
	}
	return "", false
}

// designators finds what is asked for. A name that is not known refuses the request.
// A name asked twice is answered once.
func (r *road) designators(c *Confirmed) error {
	r.wanted = r.wanted[:0]
	asked := c.request.Designators()
	if len(asked) == 0 {
		return refuse(NothingAsked, "")
	}
	for i := range asked {
		definition, ok := r.Catalogue.Lookup(asked[i].Name, asked[i].Namespace)
		if !ok {
			return refuse(AttributeUnknown, "")
		}
		if r.isWanted(definition) {
			continue
		}
		w := wanted{asked: asked[i], definition: definition, claimed: -1}
		if !definition.Certified() {
			if w.claimed = r.subjectOf(definition); w.claimed < 0 {
				return refuse(IdentificationFailed, "asked for and not given: "+definition.Name)
			}
		}
		r.wanted = append(r.wanted, w)
		r.event.Attributes = append(r.event.Attributes, audit.Attribute{Name: definition.Name, Namespace: definition.Namespace})
	}
	return nil
}

func (r *road) isWanted(d *attrs.Definition) bool {
	for i := range r.wanted {
		if r.wanted[i].definition == d {
			return true
		}
	}
	return false
}

// subjectOf returns the index of the proven value of an identification attribute.
func (r *road) subjectOf(d *attrs.Definition) int {
	for i := range r.question.Subjects {
		if r.question.Subjects[i].By == d {
			return i
		}
	}
	return -1
}

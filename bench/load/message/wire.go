package message

import (
	"errors"
	"fmt"
	"time"

	"sceau/attrs"
)

// A Wire is what a target decides about messages and answers: names, not shapes. It is
// kept with the PKI, whose registry and rule file are written for it.
type Wire struct {
	// Action is the SOAPAction, without quotes.
	Action string `json:"action"`
	// Issuer is the Issuer of assertions.
	Issuer string `json:"issuer"`
	// Identification are the attributes that a consumer claims; the value of each is
	// the SSIN of the consumer.
	Identification []attrs.Designator `json:"identification"`
	// Asked are the attributes that are asked for besides.
	Asked []Asked `json:"asked"`
	// Unknown is asked for by messages of kind UnknownAttribute: a name that no catalogue
	// has.
	Unknown attrs.Designator `json:"unknown"`
	// Validity is how long the assertion is wanted for.
	Validity time.Duration `json:"validity"`
}

// Asked is an attribute that is asked for, and the one value that an answer must give
// it: a text, ValueNIHII11, or nothing where any single value is right.
type Asked struct {
	attrs.Designator
	Value string `json:"value,omitempty"`
}

// ValueNIHII11 stands for the consumer's own number.
const ValueNIHII11 = "{nihii11}"

// DefaultWire is the SAML 1.1 attribute query of the eHealth platform, as a doctor's
// software asks it (wire document, sections 1.1, 2.2, 3.2 and 5).
func DefaultWire() Wire {
	identification := func(name string) attrs.Designator {
		return attrs.Designator{Name: name, Namespace: attrs.NamespaceIdentification}
	}
	certified := func(name string) attrs.Designator {
		return attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified}
	}
	return Wire{
		Action:         "urn:be:fgov:ehealth:sts:protocol:v1:RequestSecureToken",
		Issuer:         "urn:be:fgov:ehealth:sts:1_0",
		Identification: []attrs.Designator{identification(attrs.CertificateHolderSSIN), identification(attrs.PersonSSIN)},
		Asked: []Asked{
			{certified("urn:be:fgov:person:ssin:doctor:boolean"), "true"},
			{certified("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"), ValueNIHII11},
		},
		Unknown:  certified("urn:be:fgov:load:attribute-that-nobody-knows"),
		Validity: 8 * time.Hour,
	}
}

// check refuses a Wire whose messages or answers could not be judged.
func (w *Wire) check() error {
	seen := map[attrs.Designator]bool{}
	once := func(d attrs.Designator) error {
		if d.Name == "" || d.Namespace == "" {
			return fmt.Errorf("attribute %q without name or namespace", d.Name)
		}
		if seen[d] {
			return fmt.Errorf("attribute %q twice", d.Name)
		}
		seen[d] = true
		return nil
	}
	if len(w.Identification) == 0 {
		return errors.New("message: wire: no identification attribute") // saml has one at least
	}
	if w.Issuer == "" || w.Validity <= 0 {
		return errors.New("message: wire: no issuer, or no validity")
	}
	for _, d := range w.Identification {
		if err := once(d); err != nil {
			return fmt.Errorf("message: wire: identification: %w", err)
		}
	}
	for _, a := range w.Asked {
		if err := once(a.Designator); err != nil {
			return fmt.Errorf("message: wire: asked: %w", err)
		}
	}
	if err := once(w.Unknown); err != nil {
		return fmt.Errorf("message: wire: unknown: %w", err)
	}
	return nil
}

// value returns the value that an attribute must have for a person, empty for any.
func (a *Asked) value(p person) string {
	if a.Value == ValueNIHII11 {
		return p.NIHII11
	}
	return a.Value
}

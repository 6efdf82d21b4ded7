package certs

import (
	"crypto"
	"time"
)

// Identity is whom a certificate identifies, in a role, proven: only
// [Verifier.Identify] makes one that is somebody. It is a small value that may be
// copied and shared. The zero Identity is nobody: its kind is Nobody, it has no
// certificate, no key, no identifier and its NotAfter is the zero time.
type Identity struct {
	v          *verified
	revocation RevocationStatus
}

// Kind says what sort of subject it is.
func (i Identity) Kind() Kind {
	if i.v == nil {
		return Nobody
	}
	return i.v.kind
}

// Role is the role in which it was identified.
func (i Identity) Role() Role {
	if i.v == nil {
		return ""
	}
	return i.v.role
}

// Profile is the name of the profile that admitted it.
func (i Identity) Profile() string {
	if i.v == nil {
		return ""
	}
	return i.v.profile.Name
}

// Certificate gives the certificate, nil for nobody.
func (i Identity) Certificate() *Certificate {
	if i.v == nil {
		return nil
	}
	return i.v.leaf
}

// PublicKey gives the certificate's key, nil for nobody.
func (i Identity) PublicKey() crypto.PublicKey {
	if i.v == nil {
		return nil
	}
	return i.v.leaf.PublicKey()
}

// Path gives the certificates from the identified one to a root; a pinned
// certificate is its own path. It must not be changed.
func (i Identity) Path() []*Certificate {
	if i.v == nil {
		return nil
	}
	return i.v.path
}

// NotBefore is the latest beginning of the validities of the path.
func (i Identity) NotBefore() time.Time {
	if i.v == nil {
		return time.Time{}
	}
	return i.v.notBefore
}

// NotAfter is the earliest end of the validities of the path: nothing that rests
// on the identity should last longer.
func (i Identity) NotAfter() time.Time {
	if i.v == nil {
		return time.Time{}
	}
	return i.v.notAfter
}

// Revocation says how the path stands with its CRLs.
func (i Identity) Revocation() RevocationStatus { return i.revocation }

// Identifier gives the identifier that the certificate bears, both empty for
// nobody and for a Service whose name has none.
func (i Identity) Identifier() (IdentifierType, string) {
	if i.v == nil {
		return "", ""
	}
	return i.v.leaf.holder.identifierType, i.v.leaf.holder.identifier
}

// identifier gives the identifier if it is of a type.
func (i Identity) identifier(t IdentifierType) string {
	if has, value := i.Identifier(); has == t {
		return value
	}
	return ""
}

// SSIN gives the social security number: of an eID, or of an eHealth certificate
// with SSIN=…; empty otherwise.
func (i Identity) SSIN() string { return i.identifier(SSIN) }

// CBE gives the enterprise number, or nothing.
func (i Identity) CBE() string { return i.identifier(CBE) }

// NIHII gives the NIHII number of eight digits of a care provider, or nothing.
func (i Identity) NIHII() string { return i.identifier(NIHII) }

// NIHII11 gives the NIHII number of eleven digits of a care provider, or nothing.
func (i Identity) NIHII11() string { return i.identifier(NIHII11) }

// EHP gives the eHealth partner number, or nothing.
func (i Identity) EHP() string { return i.identifier(EHP) }

// FINESS gives the number of a French health care structure, or nothing.
func (i Identity) FINESS() string { return i.identifier(FINESS) }

// SIREN gives the number of a French enterprise, or nothing.
func (i Identity) SIREN() string { return i.identifier(SIREN) }

// SIRET gives the number of a French establishment, or nothing; its first nine
// digits are the SIREN.
func (i Identity) SIRET() string { return i.identifier(SIRET) }

// RPPS gives the number of a French professional, or nothing.
func (i Identity) RPPS() string { return i.identifier(RPPS) }

// Application gives the application identifier of an eHealth certificate that has
// one ("IAMACC"), or nothing.
func (i Identity) Application() string {
	if i.v == nil {
		return ""
	}
	return i.v.leaf.holder.application
}

// Names are the names in a certificate, as it writes them.
type Names struct {
	Common         string
	Given, Surname string // of an eID, of a CPS
	Holder         string // of an eHealth or IGC-Santé certificate: the person or organisation
}

// Names gives the names of the subject.
func (i Identity) Names() Names {
	if i.v == nil {
		return Names{}
	}
	h := &i.v.leaf.holder
	return Names{Common: h.commonName, Given: h.givenNames, Surname: h.surname, Holder: h.name}
}

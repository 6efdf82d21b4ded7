package certs

import (
	"errors"
	"strings"
)

// Kind says what sort of subject an Identity is.
type Kind uint8

// The kinds. Nobody is the zero Kind: the Identity that no Verifier made.
const (
	Nobody              Kind = iota
	EID                      // a natural person with a Belgian eID certificate
	EHealthPerson            // a care provider with an eHealth certificate: SSIN, NIHII or NIHII11
	EHealthOrganisation      // an organisation or application with an eHealth certificate: CBE, EHP, NIHII-HOSPITAL, …
	Service                  // a certificate that the configuration names itself: by fingerprint or by subject

	// IGCSanteOrganisation is a health care structure with a certificate of the
	// French IGC-Santé. Its OU is 1 and a FINESS number, 3 and a SIRET, or "0002 "
	// and a SIREN or SIRET.
	IGCSanteOrganisation

	// IGCSantePerson is a professional with a card of the French IGC-Santé (CPS). The CN
	// is 8 and an RPPS number.
	IGCSantePerson

	lastKind = IGCSantePerson
)

// String gives the kind as audit records write it.
func (k Kind) String() string {
	switch k {
	case Nobody:
		return "nobody"
	case EID:
		return "eid"
	case EHealthPerson:
		return "ehealth-person"
	case EHealthOrganisation:
		return "ehealth-organisation"
	case Service:
		return "service"
	case IGCSanteOrganisation:
		return "igc-sante-organisation"
	case IGCSantePerson:
		return "igc-sante-person"
	}
	return "unknown"
}

// IdentifierType is the TYPE of an identifier, as section 6.2 of the wire
// document lists them: "SSIN", "CBE", "NIHII-HOSPITAL"…; and those of French
// structures and professionals.
type IdentifierType string

// The types that have an accessor of their own.
const (
	SSIN    IdentifierType = "SSIN"
	CBE     IdentifierType = "CBE"
	NIHII   IdentifierType = "NIHII"
	NIHII11 IdentifierType = "NIHII11"
	EHP     IdentifierType = "EHP"
	FINESS  IdentifierType = "FINESS" // nine characters; the second may be A or B
	SIREN   IdentifierType = "SIREN"  // nine digits
	SIRET   IdentifierType = "SIRET"  // fourteen digits
	RPPS    IdentifierType = "RPPS"   // eleven digits, of a professional
)

// identifierLength gives the number of digits of an identifier of a type, zero for an unknown type.
func identifierLength(t IdentifierType) int {
	switch t {
	case SSIN, NIHII11:
		return 11
	case CBE, EHP, "EHP-CTRL_ORGANISM", "SITESMUR", "SITEPIT", "CBE-TREAT_CENTER", "CBE-CONSORTIUM":
		return 10
	case NIHII:
		return 8
	case "SITE":
		return 4
	}
	sector, ok := strings.CutPrefix(string(t), "NIHII-")
	if !ok {
		return 0
	}
	switch sector {
	case "PHARMACY", "LABO", "RETIREMENT", "OTD_PHARMACY", "HOSPITAL", "GROUP", "PALLIATIVE_CARE", "OFFICE_DENTISTS",
		"MEDICAL_HOUSE", "OFFICE_DOCTORS", "GROUP_DOCTORS", "OF_BAND", "PSYCH_HOUSE", "PROT_ACC", "HOME_SERVICES",
		"OF_PHYSIOS", "GUARD_POST", "BELRAI", "BELRAI_SCREEN", "GROUP_MIDWIVES", "AMBU_SERVICE", "LEGAL_PSY",
		"REEDUCATION", "SORTING_CENTER":
		return 8
	}
	return 0
}

// holder is what a subject name says of its holder.
type holder struct {
	kind           Kind
	identifierType IdentifierType
	identifier     string
	application    string
	commonName     string
	name           string // the OU that names the holder of an eHealth certificate
	givenNames     string
	surname        string
	testCard       bool // a serialNumber of ten digits, as foreigner test cards had
}

// holderOf reads the DN profiles of section 6 of the wire document, and that of
// IGC-Santé. A serialNumber makes an eID; TYPE=value in OU and CN makes an eHealth
// certificate; C=FR and a structure's identifier in OU a French one, or with the name and
// the number of a professional his; a name that is two of these is none (K8).
func holderOf(n Name) (holder, error) {
	serial, serials := n.only(oidSerialNumber)
	unit, units := ehealthUnit(n)
	structure, structures := structureUnit(n)
	professional := professional(n)
	switch {
	case serials > 0 && units > 0:
		return holder{}, wrongProfile("a serialNumber and an eHealth unit together")
	case structures > 0 && serials+units > 0:
		return holder{}, wrongProfile("a French structure and a Belgian identifier together")
	case professional && structures+serials+units > 0:
		return holder{}, wrongProfile("a French professional and another identifier together")
	case professional:
		return professionalHolder(n)
	case structures > 0:
		return structureHolder(n, structure, structures)
	case serials > 0:
		return eidHolder(n, serial, serials)
	case units > 0:
		return ehealthHolder(n, unit, units)
	}
	return holder{}, wrongProfile("neither an eID nor an eHealth nor an IGC-Santé name")
}

func wrongProfile(what string) error { return refuse(WrongProfile, errors.New("subject: "+what)) }

// eidHolder reads section 6.1.
func eidHolder(n Name, serial string, serials int) (holder, error) {
	h := holder{kind: EID, identifierType: SSIN, identifier: serial}
	var names, surnames int
	if h.commonName, names = n.only(oidCommonName); serials != 1 || names != 1 {
		return holder{}, wrongProfile("an eID has one serialNumber and one common name")
	}
	h.givenNames, names = n.only(oidGivenName)
	h.surname, surnames = n.only(oidSurname)
	if names > 1 || surnames > 1 {
		return holder{}, wrongProfile("an eID has at most one given name and one surname")
	}
	if !digits(serial) {
		return holder{}, wrongProfile("serialNumber is not of digits")
	}
	switch len(serial) {
	case 11:
		if !validSSIN(serial) {
			return holder{}, wrongProfile("serialNumber has a wrong check digit")
		}
	case 10:
		h.testCard = true
	default:
		return holder{}, wrongProfile("serialNumber has a wrong length")
	}
	return h, nil
}

// platformUnit stands in every eHealth certificate.
const platformUnit = "eHealth-platform Belgium"

// ehealthUnit finds the OU of the form TYPE=value and counts them.
func ehealthUnit(n Name) (unit string, count int) {
	n.values(oidUnit, func(v string) bool {
		if t, value, ok := strings.Cut(v, "="); ok && identifierLength(IdentifierType(t)) > 0 && digits(value) {
			unit = v
			count++
		}
		return true
	})
	return unit, count
}

// ehealthHolder reads section 6.2. OU and CN must say the same; an application
// identifier behind the CN must also have its own OU.
func ehealthHolder(n Name, unit string, units int) (holder, error) {
	cn, names := n.only(oidCommonName)
	organisation, organisations := n.only(oidOrganization)
	if units != 1 || names != 1 || organisations != 1 {
		return holder{}, wrongProfile("an eHealth certificate has one O, one CN and one OU of the form TYPE=value")
	}
	if organisation != "Federal Government" || !hasUnit(n, platformUnit) {
		return holder{}, wrongProfile("an eHealth certificate has O=Federal Government and OU=eHealth-platform Belgium")
	}
	id, application, has := strings.Cut(cn, ", ")
	if id != unit {
		return holder{}, wrongProfile("CN and OU differ")
	}
	if has && (application == "" || !hasUnit(n, application)) {
		return holder{}, wrongProfile("application identifier without its OU")
	}
	t, value, _ := strings.Cut(unit, "=")
	h := holder{identifierType: IdentifierType(t), identifier: value, application: application, commonName: cn, kind: EHealthOrganisation}
	n.values(oidUnit, func(v string) bool {
		if v != unit && v != platformUnit && v != application {
			h.name = v
		}
		return true
	})
	if len(value) != identifierLength(h.identifierType) {
		return holder{}, wrongProfile("identifier has a wrong length")
	}
	switch h.identifierType {
	case SSIN:
		h.kind = EHealthPerson
		if !validSSIN(value) {
			return holder{}, wrongProfile("SSIN has a wrong check digit")
		}
	case NIHII, NIHII11:
		h.kind = EHealthPerson
	case CBE:
		if !validCBE(value) {
			return holder{}, wrongProfile("CBE has a wrong check digit")
		}
	}
	return h, nil
}

func hasUnit(n Name, want string) bool {
	found := false
	n.values(oidUnit, func(v string) bool {
		found = v == want
		return !found
	})
	return found
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0
}

// number reads digits.
func number(s string) (n uint64) {
	for i := range len(s) {
		n = n*10 + uint64(s[i]-'0')
	}
	return n
}

// validSSIN checks eleven digits: the last two are 97 less the first nine modulo
// 97, with a 2 before them for births from 2000 on.
func validSSIN(s string) bool {
	first, check := number(s[:9]), number(s[9:])
	return 97-first%97 == check || 97-(2_000_000_000+first)%97 == check
}

// validCBE checks ten digits: the last two are 97 less the first eight modulo 97.
func validCBE(s string) bool { return 97-number(s[:8])%97 == number(s[8:]) }

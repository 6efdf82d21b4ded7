package policy

import (
	"strings"

	"sceau/attrs"
)

// The identifiers of certificates: section 6.2 of the wire document.

// identifierLength gives the number of digits of an identifier of a type, zero for a
// type that does not exist.
func identifierLength(kind string) int {
	switch kind {
	case "SSIN", "NIHII11":
		return 11
	case "CBE", "EHP", "EHP-CTRL_ORGANISM", "SITESMUR", "SITEPIT", "CBE-TREAT_CENTER", "CBE-CONSORTIUM":
		return 10
	case "NIHII":
		return 8
	case "SITE":
		return 4
	}
	sector, ok := strings.CutPrefix(kind, "NIHII-")
	if !ok {
		return 0
	}
	switch sector {
	case "PHARMACY", "LABO", "RETIREMENT", "OTD_PHARMACY", "HOSPITAL", "GROUP", "PALLIATIVE_CARE", "OFFICE_DENTISTS",
		"MEDICAL_HOUSE", "OFFICE_DOCTORS", "GROUP_DOCTORS", "OF_BAND", "PSYCH_HOUSE", "PROT_ACC", "HOME_SERVICES", "OF_PHYSIOS",
		"GUARD_POST", "BELRAI", "BELRAI_SCREEN", "GROUP_MIDWIVES", "AMBU_SERVICE", "LEGAL_PSY", "REEDUCATION", "SORTING_CENTER":
		return 8
	}
	return 0
}

// kindsOf gives the kinds of certificate that can bear an identifier of a type.
func kindsOf(kind string) kinds {
	const service = 1 << 3
	switch kind {
	case "SSIN":
		return 1<<0 | 1<<1 | service
	case "NIHII", "NIHII11":
		return 1<<1 | service
	}
	return 1<<2 | service
}

// parseIdentifier reads TYPE=value, or TYPE=beginning. wrong says what no certificate can have.
func parseIdentifier(text string, prefix bool) (id identifier, wrong string) {
	kind, value, ok := strings.Cut(text, "=")
	length := identifierLength(kind)
	switch {
	case !ok:
		return identifier{}, "an identifier is written TYPE=value"
	case length == 0:
		return identifier{}, "no identifier has the type " + quote(kind)
	case value == "" || strings.Trim(value, "0123456789") != "":
		return identifier{}, "the value of an identifier is of digits"
	case prefix && len(value) >= length:
		return identifier{}, "a beginning is shorter than the identifier; use identifiers for a whole one"
	case !prefix && len(value) != length:
		return identifier{}, "an identifier of this type has another number of digits"
	case !prefix && kind == "SSIN" && !attrs.ValidSSIN(value), !prefix && kind == "CBE" && !attrs.ValidCBE(value):
		return identifier{}, "the check digits are wrong"
	}
	return identifier{kind, value}, ""
}

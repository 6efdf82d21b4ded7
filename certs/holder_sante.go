package certs

import "strings"

// identifierOfStructure reads the OU in which IGC-Santé writes the national
// identifier of a structure: 1 and a FINESS, 3 and a SIRET, or the ICD of SIRENE
// (ISO/IEC 6523: 0002), a space, and a SIREN or SIRET.
func identifierOfStructure(unit string) (t IdentifierType, value string, ok bool) {
	if value, ok = strings.CutPrefix(unit, "0002 "); ok {
		switch {
		case len(value) == 9 && digits(value):
			return SIREN, value, true
		case len(value) == 14 && digits(value):
			return SIRET, value, true
		}
		return "", "", false
	}
	switch {
	case len(unit) == 10 && unit[0] == '1' && finess(unit[1:]):
		return FINESS, unit[1:], true
	case len(unit) == 15 && unit[0] == '3' && digits(unit[1:]):
		return SIRET, unit[1:], true
	}
	return "", "", false
}

// finess tells whether nine characters have the form of a FINESS number: digits,
// save that the second is A or B in Corsica and in the numbers of tests. Its last
// digit is taken as the CA wrote it.
func finess(s string) bool {
	return digits(s[:1]) && (digits(s[1:2]) || s[1] == 'A' || s[1] == 'B') && digits(s[2:])
}

// structureUnit finds the OU with a structure's identifier in a French name and counts them.
func structureUnit(n Name) (unit string, count int) {
	if country, countries := n.only(oidCountry); countries != 1 || country != "FR" {
		return "", 0
	}
	n.values(oidUnit, func(v string) bool {
		if _, _, ok := identifierOfStructure(v); ok {
			unit = v
			count++
		}
		return true
	})
	return unit, count
}

// structureHolder reads the name of an organisation of IGC-Santé: one O, one CN,
// one OU with the identifier.
func structureHolder(n Name, unit string, units int) (holder, error) {
	organisation, organisations := n.only(oidOrganization)
	cn, names := n.only(oidCommonName)
	if units != 1 || organisations != 1 || names != 1 {
		return holder{}, wrongProfile("an IGC-Santé organisation has one O, one CN and one OU with its identifier")
	}
	t, value, _ := identifierOfStructure(unit)
	if (t == SIREN || t == SIRET) && !validSIRENE(value) {
		return holder{}, wrongProfile("SIREN or SIRET has a wrong check digit")
	}
	return holder{kind: IGCSanteOrganisation, identifierType: t, identifier: value, commonName: cn, name: organisation}, nil
}

// professional tells whether a French name is that of a professional: a surname or a
// given name, and no organisation.
func professional(n Name) bool {
	_, surnames := n.only(oidSurname)
	_, names := n.only(oidGivenName)
	_, organisations := n.only(oidOrganization)
	country, countries := n.only(oidCountry)
	cn, _ := n.only(oidCommonName)
	return countries == 1 && country == "FR" && surnames+names > 0 && organisations == 0 && len(cn) == 12 && digits(cn)
}

// professionalHolder reads the name on a card of a professional (CPS): one surname,
// one given name, one CN of 8 and his RPPS number. Other marks before the number (0:
// ADELI; 3 to 6: employees, by their structure) are refused: they name no one that
// directories know by it.
func professionalHolder(n Name) (holder, error) {
	h := holder{kind: IGCSantePerson, identifierType: RPPS}
	var surnames, names, commons int
	h.surname, surnames = n.only(oidSurname)
	h.givenNames, names = n.only(oidGivenName)
	h.commonName, commons = n.only(oidCommonName)
	if surnames != 1 || names != 1 || commons != 1 {
		return holder{}, wrongProfile("a professional of IGC-Santé has one surname, one given name and one CN")
	}
	number, is := strings.CutPrefix(h.commonName, "8")
	if !is || !luhn(number) {
		return holder{}, wrongProfile("CN is not 8 and an RPPS number with a right check digit")
	}
	h.identifier = number
	return h, nil
}

// validSIRENE checks a SIREN, or a SIRET and the SIREN in it: Luhn's sum (ISO/IEC
// 7812-1) is a multiple of ten. The establishments of La Poste ran out of such
// numbers: of theirs the plain sum is a multiple of five.
func validSIRENE(s string) bool {
	const laPoste = "356000000"
	if !luhn(s[:9]) {
		return false
	}
	return len(s) == 9 || luhn(s) || s[:9] == laPoste && digitSum(s)%5 == 0
}

// luhn checks digits: from the right, every second one doubled and its digits summed.
func luhn(s string) bool {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func digitSum(s string) (sum int) {
	for i := range len(s) {
		sum += int(s[i] - '0')
	}
	return sum
}

package certs

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestHolder: the DN profiles of section 6 of the wire document, and what is near them.
func TestHolder(t *testing.T) {
	ehealth := func(pairs ...string) minipki.Name {
		return append(minipki.DN("C", "BE", "O", "Federal Government"), minipki.DN(pairs...)...)
	}
	sante := func(pairs ...string) minipki.Name {
		return append(minipki.DN("C", "FR", "ST", "Ain (01)", "O", "CENTRE DE SANTE TEST", "CN", "TEST-CLIENT"), minipki.DN(pairs...)...)
	}
	const platform = "eHealth-platform Belgium"
	tests := []struct {
		name string
		dn   minipki.Name
		kind Kind
		typ  IdentifierType
	}{
		{"eID", minipki.DN("C", "BE", "CN", "A (Authentication)", "SN", "A", "GN", "B", "serialNumber", testpki.AliceSSIN), EID, SSIN},
		{"eID with one name", minipki.DN("C", "BE", "CN", "A (Authentication)", "serialNumber", testpki.CarolSSIN), EID, SSIN},
		{"eID of a test card", minipki.DN("C", "BE", "CN", "A", "serialNumber", "0000000000"), EID, SSIN},
		{"eID without a common name", minipki.DN("C", "BE", "serialNumber", testpki.AliceSSIN), Nobody, ""},
		{"eID with two numbers", minipki.DN("CN", "A", "serialNumber", testpki.AliceSSIN, "serialNumber", testpki.BobSSIN), Nobody, ""},
		{"eID with two surnames", minipki.DN("CN", "A", "SN", "A", "SN", "B", "serialNumber", testpki.AliceSSIN), Nobody, ""},
		{"serialNumber with letters", minipki.DN("CN", "A", "serialNumber", "0000000009x"), Nobody, ""},
		{"serialNumber of nine digits", minipki.DN("CN", "A", "serialNumber", "000000000"), Nobody, ""},
		{"serialNumber of twelve digits", minipki.DN("CN", "A", "serialNumber", "000000000970"), Nobody, ""},
		{"wrong check digit", minipki.DN("CN", "A", "serialNumber", "00000000096"), Nobody, ""},
		{"nothing", minipki.DN("CN", "A"), Nobody, ""},

		{"SSIN", ehealth("OU", "SSIN="+testpki.AliceSSIN, "OU", "A", "OU", platform, "CN", "SSIN="+testpki.AliceSSIN), EHealthPerson, SSIN},
		{"NIHII", ehealth("OU", "NIHII=19999024", "OU", "A", "OU", platform, "CN", "NIHII=19999024"), EHealthPerson, NIHII},
		{"NIHII11", ehealth("OU", "NIHII11=19999024004", "OU", "A", "OU", platform, "CN", "NIHII11=19999024004"), EHealthPerson, NIHII11},
		{"CBE", ehealth("OU", "CBE=0809394427", "OU", "A", "OU", platform, "CN", "CBE=0809394427"), EHealthOrganisation, CBE},
		{"EHP", ehealth("OU", "EHP=0809394427", "OU", "A", "OU", platform, "CN", "EHP=0809394427"), EHealthOrganisation, EHP},
		{"pharmacy", ehealth("OU", "NIHII-PHARMACY=12345678", "OU", "A", "OU", platform, "CN", "NIHII-PHARMACY=12345678"), EHealthOrganisation, "NIHII-PHARMACY"},
		{"application", ehealth("OU", "IAMACC", "OU", "CBE=0809394427", "OU", "A", "OU", platform, "CN", "CBE=0809394427, IAMACC"), EHealthOrganisation, CBE},
		{"application without its OU", ehealth("OU", "CBE=0809394427", "OU", "A", "OU", platform, "CN", "CBE=0809394427, IAMACC"), Nobody, ""},
		{"empty application", ehealth("OU", "CBE=0809394427", "OU", "", "OU", platform, "CN", "CBE=0809394427, "), Nobody, ""},
		{"OU and CN differ", ehealth("OU", "SSIN="+testpki.AliceSSIN, "OU", platform, "CN", "SSIN="+testpki.BobSSIN), Nobody, ""},
		{"types differ", ehealth("OU", "CBE=0809394427", "OU", platform, "CN", "EHP=0809394427"), Nobody, ""},
		{"two OUs", ehealth("OU", "SSIN="+testpki.AliceSSIN, "OU", "SSIN="+testpki.BobSSIN, "OU", platform, "CN", "SSIN="+testpki.AliceSSIN), Nobody, ""},
		{"two OUs of two types", ehealth("OU", "SSIN="+testpki.AliceSSIN, "OU", "CBE=0809394427", "OU", platform, "CN", "SSIN="+testpki.AliceSSIN), Nobody, ""},
		{"two CNs", ehealth("OU", "CBE=0809394427", "OU", platform, "CN", "CBE=0809394427", "CN", "CBE=0809394427"), Nobody, ""},
		{"no CN", ehealth("OU", "CBE=0809394427", "OU", platform), Nobody, ""},
		{"unknown type", ehealth("OU", "FOO=0809394427", "OU", platform, "CN", "FOO=0809394427"), Nobody, ""},
		{"unknown sector", ehealth("OU", "NIHII-FOO=12345678", "OU", platform, "CN", "NIHII-FOO=12345678"), Nobody, ""},
		{"wrong length", ehealth("OU", "CBE=080939442", "OU", platform, "CN", "CBE=080939442"), Nobody, ""},
		{"wrong CBE", ehealth("OU", "CBE=0809394428", "OU", platform, "CN", "CBE=0809394428"), Nobody, ""},
		{"wrong SSIN", ehealth("OU", "SSIN=00000000098", "OU", platform, "CN", "SSIN=00000000098"), Nobody, ""},
		{"no platform", ehealth("OU", "CBE=0809394427", "OU", "A", "CN", "CBE=0809394427"), Nobody, ""},
		{"another organisation", minipki.DN("C", "BE", "O", "ACME", "OU", "CBE=0809394427", "OU", platform, "CN", "CBE=0809394427"), Nobody, ""},

		{"FINESS", sante("OU", "1010000024"), IGCSanteOrganisation, FINESS},
		{"FINESS of Corsica", sante("OU", "12A0000014"), IGCSanteOrganisation, FINESS},
		{"FINESS with other letters", sante("OU", "1C10000024"), Nobody, ""},
		{"SIRET", sante("OU", "318751275100053"), IGCSanteOrganisation, SIRET},
		{"SIRET with the ICD", sante("OU", "0002 18751275100053"), IGCSanteOrganisation, SIRET},
		{"SIRET of La Poste", sante("OU", "335600000049837"), IGCSanteOrganisation, SIRET},
		{"SIREN with the ICD", sante("OU", "0002 187512751"), IGCSanteOrganisation, SIREN},
		{"SIREN with further OUs", sante("OU", "0002 187512751", "OU", "A"), IGCSanteOrganisation, SIREN},
		{"wrong SIREN", sante("OU", "0002 187512752"), Nobody, ""},
		{"wrong SIRET", sante("OU", "318751275100054"), Nobody, ""},
		{"SIRET of a wrong SIREN", sante("OU", "318751276100003"), Nobody, ""},
		{"a number without its mark", sante("OU", "187512751"), Nobody, ""},
		{"another mark", sante("OU", "2010000024"), Nobody, ""},
		{"two structures", sante("OU", "1010000024", "OU", "0002 187512751"), Nobody, ""},
		{"a structure without its name", minipki.DN("C", "FR", "OU", "1010000024", "CN", "x"), Nobody, ""},
		{"a structure with two names", sante("OU", "1010000024", "O", "B"), Nobody, ""},
		{"a structure without a common name", minipki.DN("C", "FR", "O", "A", "OU", "1010000024"), Nobody, ""},
		{"a structure of no country", minipki.DN("O", "A", "OU", "1010000024", "CN", "x"), Nobody, ""},
		{"a structure of another country", minipki.DN("C", "BE", "O", "A", "OU", "1010000024", "CN", "x"), Nobody, ""},
		{"a structure and a person", sante("OU", "1010000024", "serialNumber", testpki.AliceSSIN), Nobody, ""},
		{"a structure and an organisation", sante("OU", "1010000024", "OU", "CBE=0809394427", "OU", platform), Nobody, ""},

		{"CPS", minipki.DN("C", "FR", "2.5.4.12", "Médecin", "SN", "EXEMPLE", "+GN", "ZOE", "+CN", "899700000005"), IGCSantePerson, RPPS},
		{"CPS in RDNs of their own", minipki.DN("C", "FR", "SN", "EXEMPLE", "GN", "ZOE", "CN", "899700000005"), IGCSantePerson, RPPS},
		{"CPS with a wrong digit", minipki.DN("C", "FR", "SN", "EXEMPLE", "GN", "ZOE", "CN", "899700000006"), Nobody, ""},
		{"an employee's card", minipki.DN("C", "FR", "SN", "EXEMPLE", "GN", "ZOE", "CN", "399700000005"), Nobody, ""},
		{"CPS without a given name", minipki.DN("C", "FR", "SN", "EXEMPLE", "CN", "899700000005"), Nobody, ""},
		{"CPS without a surname", minipki.DN("C", "FR", "GN", "ZOE", "CN", "899700000005"), Nobody, ""},
		{"CPS with two names", minipki.DN("C", "FR", "SN", "EXEMPLE", "GN", "ZOE", "GN", "ANNE", "CN", "899700000005"), Nobody, ""},
		{"CPS with two numbers", minipki.DN("C", "FR", "SN", "EXEMPLE", "GN", "ZOE", "CN", "899700000005", "CN", "899700000013"), Nobody, ""},
		{"CPS of another country", minipki.DN("C", "BE", "SN", "EXEMPLE", "GN", "ZOE", "CN", "899700000005"), Nobody, ""},
		{"CPS and eID", minipki.DN("C", "FR", "SN", "EXEMPLE", "GN", "ZOE", "CN", "899700000005", "serialNumber", testpki.AliceSSIN), Nobody, ""},
		{"CPS and structure", minipki.DN("C", "FR", "OU", "1010000024", "SN", "EXEMPLE", "GN", "ZOE", "CN", "899700000005"), Nobody, ""},
		{"CPS and organisation", minipki.DN("C", "FR", "O", "A", "SN", "EXEMPLE", "GN", "ZOE", "CN", "899700000005"), Nobody, ""},
		{"CPS and eHealth", minipki.DN("C", "FR", "OU", "CBE=0809394427", "SN", "EXEMPLE", "GN", "ZOE", "CN", "899700000005"), Nobody, ""},

		{"both profiles", ehealth("OU", "SSIN="+testpki.AliceSSIN, "OU", platform, "CN", "SSIN="+testpki.AliceSSIN, "serialNumber", testpki.AliceSSIN), Nobody, ""},
	}
	for _, tt := range tests {
		h, err := holderOf(nameOf(t, tt.dn))
		if h.kind != tt.kind || h.identifierType != tt.typ || (err == nil) == (tt.kind == Nobody) {
			t.Errorf("%s: %+v, %v", tt.name, h, err)
		}
		if err != nil && (ReasonOf(err) != WrongProfile || h != (holder{})) {
			t.Errorf("%s: %v with %+v", tt.name, err, h)
		}
	}
}

// TestCheckDigits: one wrong digit, or two that changed places, is always seen.
func TestCheckDigits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		first := rapid.Uint64Range(0, 99_999_999).Draw(rt, "first")
		good := fmt.Sprintf("%08d%02d", first, 97-first%97)
		if !validCBE(good) {
			rt.Fatalf("%s is not valid", good)
		}
		bad := []byte(good)
		i := rapid.IntRange(0, 9).Draw(rt, "place")
		bad[i] = '0' + (bad[i]-'0'+byte(rapid.IntRange(1, 9).Draw(rt, "change")))%10
		if validCBE(string(bad)) {
			rt.Fatalf("%s and %s are valid", good, bad)
		}
	})
	for _, ssin := range []string{testpki.AliceSSIN, testpki.BobSSIN, testpki.CarolSSIN, testpki.DaveSSIN, testpki.ErinSSIN, testpki.FrankSSIN} {
		if !validSSIN(ssin) {
			t.Errorf("%s is not valid", ssin)
		}
	}
	if validSSIN("00000000000") || validCBE("0000000000") {
		t.Error("zeros are valid")
	}
}

package certs

import (
	"crypto/x509"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// extensions are those extensions of a certificate of which path validation asks
// more than crypto/x509 answers. They are read strictly: what crypto/x509 passes
// over (a negative skip count, octets after the last field, a key usage without a
// bit) is refused, for each would switch a restriction off.
type extensions struct {
	unknown     bool // bears a critical extension, or a name constraint, that is not processed
	keyUsage    bool // has the extension: no bit of it then means no use, not every use
	constraints *nameConstraints
	policies    policyExtensions
}

// The last arc of the extensions 2.5.29.x that are read here.
const (
	arcKeyUsage          = 15
	arcSubjectAltName    = 17
	arcBasicConstraints  = 19
	arcNameConstraints   = 30
	arcPolicies          = 32
	arcPolicyMappings    = 33
	arcPolicyConstraints = 36
	arcExtKeyUsage       = 37
	arcInhibitAnyPolicy  = 54
)

func errExtension(which string) error {
	return refuse(Malformed, errors.New("extension: "+which))
}

// arcOf gives x of the identifier 2.5.29.x, zero for another.
func arcOf(id []int) int {
	if len(id) == 4 && id[0] == 2 && id[1] == 5 && id[2] == 29 {
		return id[3]
	}
	return 0
}

// readExtensions reads the extensions of a certificate that crypto/x509 has read,
// which admits each of them once.
func readExtensions(c *x509.Certificate) (extensions, error) {
	out := extensions{policies: policyExtensions{requireExplicit: -1, inhibitMapping: -1, inhibitAny: -1}}
	for i := range c.Extensions {
		var err error
		der := cryptobyte.String(c.Extensions[i].Value)
		switch arcOf(c.Extensions[i].Id) {
		case arcKeyUsage:
			out.keyUsage, err = true, checkKeyUsage(der)
		case arcBasicConstraints:
			err = checkBasicConstraints(der)
		case arcExtKeyUsage:
			err = checkExtKeyUsage(der)
		case arcNameConstraints:
			out.constraints, err = readNameConstraints(der)
		case arcPolicies:
			out.policies.asserted, err = readPolicies(der)
		case arcPolicyMappings:
			out.policies.mappings, err = readPolicyMappings(der)
		case arcPolicyConstraints:
			err = out.policies.readConstraints(der)
		case arcInhibitAnyPolicy:
			out.policies.inhibitAny, err = readInhibitAnyPolicy(der)
		}
		if err != nil {
			return extensions{}, err
		}
	}
	out.unknown = out.constraints != nil && !out.constraints.complete
	for _, id := range c.UnhandledCriticalExtensions {
		// crypto/x509 does not process directory names in name constraints; here they are.
		out.unknown = out.unknown || arcOf(id) != arcNameConstraints
	}
	return out, nil
}

// checkKeyUsage: a BIT STRING of which a bit is set (RFC 5280 section 4.2.1.3).
// crypto/x509 does not tell one without a bit from a missing one, which restricts nothing.
func checkKeyUsage(der cryptobyte.String) error {
	var bits cryptobyte.String
	if !der.ReadASN1(&bits, asn1.BIT_STRING) || !der.Empty() || len(bits) < 2 || len(bits) > 3 || bits[0] > 7 {
		return errExtension("key usage")
	}
	for _, octet := range bits[1:] {
		if octet != 0 {
			return nil
		}
	}
	return errExtension("key usage without a bit")
}

// checkBasicConstraints: nothing may follow its fields (RFC 5280 section 4.2.1.9).
func checkBasicConstraints(der cryptobyte.String) error {
	var fields cryptobyte.String
	ca, length := false, int64(0)
	ok := der.ReadASN1(&fields, asn1.SEQUENCE) && der.Empty()
	if ok && fields.PeekASN1Tag(asn1.BOOLEAN) {
		ok = fields.ReadASN1Boolean(&ca)
	}
	if ok && fields.PeekASN1Tag(asn1.INTEGER) {
		ok = fields.ReadASN1Integer(&length) && length >= 0
	}
	if !ok || !fields.Empty() {
		return errExtension("basic constraints")
	}
	return nil
}

// checkExtKeyUsage: at least one purpose, and only purposes (RFC 5280 section
// 4.2.1.12). None at all would restrict nothing for crypto/x509.
func checkExtKeyUsage(der cryptobyte.String) error {
	_, err := readObjectIDs(der, "extended key usage")
	return err
}

// readObjectIDs reads a SEQUENCE of at least one object identifier; it gives their content octets.
func readObjectIDs(der cryptobyte.String, which string) ([]string, error) {
	var list cryptobyte.String
	if !der.ReadASN1(&list, asn1.SEQUENCE) || !der.Empty() || list.Empty() {
		return nil, errExtension(which)
	}
	var ids []string
	for !list.Empty() {
		var id cryptobyte.String
		if !list.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) {
			return nil, errExtension(which)
		}
		ids = append(ids, string(id))
	}
	return ids, nil
}

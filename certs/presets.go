package certs

import "crypto/x509"

// BelgianEID gives the rules for the authentication certificates of Belgian eID
// cards (wire document 6.1) in the role of identity, without its authorities.
//
// The roots are Belgium Root CA2, CA3, CA4 (RSA) and CA6 (P-384), the
// intermediates their Citizen and Foreigner CAs. The policies are those that public
// validation software and the certification practice statements of Root CA2, CA3 and
// CA4 give to the authentication key of citizens and of foreigners; the signature key
// of the same card has others, and is refused. Those of Root CA6 stand in no text that we
// know: who trusts it adds them to Policies. The statements give the CAs
// identifiers of their own (2.16.56.12.1.1.7 above 2.16.56.12.1.1.7.2), so that
// ExplicitPolicy, which wants a leaf's policy in its CA too, is not set.
func BelgianEID() Profile {
	return Profile{
		Name:        "Belgian eID",
		Role:        RoleIdentity,
		Kinds:       []Kind{EID},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Policies: []string{
			"2.16.56.9.1.1.2.2", "2.16.56.9.1.1.7.2", // Root CA2: citizen, foreigner
			"2.16.56.10.1.1.2.2", "2.16.56.10.1.1.7.2", // Root CA3
			"2.16.56.12.1.1.2.2", "2.16.56.12.1.1.7.2", // Root CA4
		},
	}
}

// EHealthPlatform gives the rules for eHealth certificates (wire document 6.2) in
// a role, without its authorities: RoleHolder, or RoleIdentity in fallback.
func EHealthPlatform(role Role) Profile {
	return Profile{
		Name:            "eHealth",
		Role:            role,
		Kinds:           []Kind{EHealthPerson, EHealthOrganisation},
		SubjectPatterns: []string{"C=BE, O=Federal Government, OU=eHealth-platform Belgium, CN=*=*"},
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		AnyPolicy:       true, // the platform's policy identifiers are not public
	}
}

// IGCSante gives the rules for certificates of organisations that authenticate as
// clients in the French health PKI (IGC-Santé, offer ORG, usage AUTH_CLI), in the
// role of client, without its authorities.
//
// Known from public client software: the root is CN=AC RACINE IGC-SANTE ELEMENTAIRE,
// the intermediate CN=AC IGC-SANTE ELEMENTAIRE ORGANISATIONS, both under
// OU=IGC-SANTE, OU=0002 187512751, O=ASIP-SANTE, C=FR (the test PKI has TEST before
// both names and OU=IGC-SANTE TEST: configuration names it); a subject has C=FR, ST,
// O with the name of the structure, an OU of 1 and its FINESS number, and a CN that
// it chose. Inferred from the rules of national identifiers, and not seen in a
// certificate: the other forms of that OU, see [IGCSanteOrganisation]. The same
// intermediate issues certificates for signature and encryption: key usage and
// clientAuth tell them apart. Its policy identifiers are not known to us: who knows
// them sets Policies and clears AnyPolicy.
//
// The issuer is admitted by its name as well, so that another certificate of its key may
// come with a message. Its key must be configured: without its CRL nobody is cleared.
func IGCSante() Profile {
	return Profile{
		Name:            "IGC-Santé organisation",
		Role:            RoleClient,
		Kinds:           []Kind{IGCSanteOrganisation},
		Issuers:         []string{"CN=AC IGC-SANTE ELEMENTAIRE ORGANISATIONS, OU=IGC-SANTE, OU=0002 187512751, O=ASIP-SANTE, C=FR"},
		SubjectPatterns: []string{"C=FR, O=*, OU=*, CN=*"},
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		AnyPolicy:       true,
	}
}

// IGCSanteProfessional gives the rules for the authentication certificates of French
// professionals' cards (CPS), in the role of person, without its authorities.
//
// Known from public client software: the root is CN=AC RACINE IGC-SANTE FORT, the
// intermediate CN=AC IGC-SANTE FORT PERSONNES, under the same names as those of [IGCSante];
// a subject has C=FR, a title with the profession, and one RDN of SN, GN and a CN of 8 and
// the RPPS number. The card holds a certificate for signature of the same authority: key
// usage and clientAuth tell them apart. Its policy identifiers are not known to us.
func IGCSanteProfessional() Profile {
	return Profile{
		Name:            "CPS",
		Role:            RolePerson,
		Kinds:           []Kind{IGCSantePerson},
		Issuers:         []string{"CN=AC IGC-SANTE FORT PERSONNES, OU=IGC-SANTE, OU=0002 187512751, O=ASIP-SANTE, C=FR"},
		SubjectPatterns: []string{"C=FR, SN=*, GN=*, CN=8*"},
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		AnyPolicy:       true,
	}
}

// AttestationIssuer gives the rules for the certificate of who signs attestations that persons hold in wallets, or lists of their status,
// without its authorities: the caller adds Pinned, or Roots, Intermediates and Subjects.
func AttestationIssuer() Profile {
	p := TokenIssuer()
	p.Name, p.Role = "attestation issuer", RoleAttestation
	return p
}

// TokenIssuer gives the rules for the certificate of an STS, without its
// authorities: the caller adds Pinned, or Roots, Intermediates and Subjects.
func TokenIssuer() Profile {
	return Profile{
		Name:        "token issuer",
		Role:        RoleSTS,
		Kinds:       []Kind{Service},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		AnyPolicy:   true,
	}
}

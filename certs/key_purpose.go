package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
)

// documentSigning are the extended key usages of document signatures that crypto/x509 has
// no number for: RFC 9336, and Microsoft's, which many CAs write in its place.
func documentSigning() []asn1.ObjectIdentifier {
	return []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 36}, {1, 3, 6, 1, 4, 1, 311, 10, 3, 12}}
}

// MayIssue tells whether the certificate may sign assertions, data of others' that parties
// rely on. Besides what NewSigner asks of everybody who signs for himself: it is no CA's,
// signed with SHA-2, and its extended key usages, where there are any, admit documents.
func (s *Signer) MayIssue() error {
	c := s.certificate.x509
	if c.IsCA { // its signatures make certificates (RFC 5280 section 4.2.1.9)
		return refuse(WrongUsage, errors.New("the certificate of a CA signs certificates and nothing else"))
	}
	if err := checkSignatureAlgorithm(c.SignatureAlgorithm); err != nil {
		return err // relying parties would refuse it, or be deceived with another of the same digest
	}
	if len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 {
		return nil
	}
	// Only for what is named (section 4.2.1.12). No purpose says assertions; the CAs of the wire
	// write clientAuth and emailProtection into what signs them.
	for _, usage := range c.ExtKeyUsage {
		switch usage {
		case x509.ExtKeyUsageAny, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection:
			return nil
		}
	}
	for _, oid := range documentSigning() {
		if slices.ContainsFunc(c.UnknownExtKeyUsage, oid.Equal) {
			return nil
		}
	}
	return refuse(WrongUsage, errors.New("its extended key usages do not admit signatures of documents"))
}

package minipki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"
)

// Revoked is one entry of a CRL.
type Revoked struct {
	Serial *big.Int
	At     time.Time
	Reason int // RFC 5280 section 5.3.1; 0 writes none
	Extra  []pkix.Extension
}

// CRL says what a revocation list holds. The fields after Revoked make defects.
type CRL struct {
	Number                 int64 // written unless OmitNumber
	ThisUpdate, NextUpdate time.Time
	Revoked                []Revoked

	Extra              []pkix.Extension
	OmitNumber         bool
	OmitNextUpdate     bool
	OmitAuthorityKeyID bool
	AuthorityKeyID     []byte        // overrides the authority's
	Key                crypto.Signer // signs in place of the authority's key
	Version1           bool          // a v1 list: no extensions
	SignatureAlgorithm x509.SignatureAlgorithm
}

// The structures of RFC 5280 section 5.1.
type (
	revokedCertificate struct {
		Serial     *big.Int
		At         time.Time
		Extensions []pkix.Extension `asn1:"optional"`
	}
	tbsCertList struct {
		Version    int `asn1:"optional,default:0"`
		Algorithm  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		ThisUpdate time.Time
		NextUpdate time.Time            `asn1:"optional"`
		Revoked    []revokedCertificate `asn1:"optional"`
		Extensions []pkix.Extension     `asn1:"optional,explicit,tag:0"`
	}
)

// CRL signs a revocation list and gives its DER.
func (a *Authority) CRL(c CRL) ([]byte, error) {
	key := a.key
	if c.Key != nil {
		key = c.Key
	}
	algorithm, err := algorithmFor(c.SignatureAlgorithm, key)
	if err != nil {
		return nil, err
	}
	tbs := tbsCertList{
		Version:    1,
		Algorithm:  algorithm.identifier,
		Issuer:     asn1.RawValue{FullBytes: a.name},
		ThisUpdate: c.ThisUpdate.UTC(),
	}
	if !c.OmitNextUpdate {
		tbs.NextUpdate = c.NextUpdate.UTC()
	}
	for _, r := range c.Revoked {
		var w extensionWriter
		if r.Reason != 0 {
			w.add(oidReasonCode, false, asn1.Enumerated(r.Reason))
		}
		if w.err != nil {
			return nil, w.err
		}
		tbs.Revoked = append(tbs.Revoked, revokedCertificate{r.Serial, r.At.UTC(), append(w.out, r.Extra...)})
	}
	if c.Version1 {
		tbs.Version = 0
		return signed(tbs, algorithm, key)
	}
	var w extensionWriter
	if !c.OmitAuthorityKeyID {
		id := a.keyID
		if c.AuthorityKeyID != nil {
			id = c.AuthorityKeyID
		}
		w.add(oidAuthorityKeyID, false, keyIdentifier{KeyIdentifier: id})
	}
	if !c.OmitNumber {
		w.add(oidCRLNumber, false, big.NewInt(c.Number))
	}
	if w.err != nil {
		return nil, w.err
	}
	tbs.Extensions = append(w.out, c.Extra...)
	return signed(tbs, algorithm, key)
}

package message

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"

	"sceau/certs"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
)

// A consumer asks: certificates, keys, and what its messages are made of. Immutable.
type consumer struct {
	number, profile        int
	person                 person
	identityKey, holderKey crypto.Signer

	identity, holder *certs.Certificate
	held             []byte         // the certificate of the holder in base64, as assertions have it
	subject          saml.Name      // of identity, as clients write it
	header, inner    *xmlsec.Signer // inner is nil where nothing is signed inside
	claimed          []saml.Statement
}

// consumer completes a consumer, of which numbers and keys are given, with its certificates;
// holder is empty where the identity is it.
func (p *PKI) consumer(c *consumer, identity, holder []byte) (*consumer, error) {
	var err error
	if c.identity, err = certs.ParseCertificate(identity); err != nil {
		return nil, err
	}
	one := len(holder) == 0
	if one {
		c.holder = c.identity
	} else if c.holder, err = certs.ParseCertificate(holder); err != nil {
		return nil, err
	}
	c.held = base64.StdEncoding.AppendEncode(nil, c.holder.Raw())
	c.subject = saml.Name{Subject: c.identity.Subject().JavaRFC1779(), Issuer: c.identity.Issuer().JavaRFC1779()}
	if c.header, err = soap.NewMessageSigner(xmlsec.SignerConfig{Key: c.identityKey}, ""); err != nil {
		return nil, err
	}
	if !one || p.config.Profiles[c.profile].AlwaysSignInner {
		c.inner, err = xmlsec.NewSigner(xmlsec.SignerConfig{Key: c.holderKey, KeyInfo: xmlsec.CertificateKeyInfo(c.holder.Raw())})
		if err != nil {
			return nil, err
		}
	}
	for _, d := range p.config.Wire.Identification {
		c.claimed = append(c.claimed, saml.Statement{Name: d.Name, Namespace: d.Namespace, Values: []string{c.person.SSIN}})
	}
	return c, nil
}

// cold returns a consumer with the keys and the person of another and certificates that
// nobody has seen: new serial numbers, new subjects.
func (p *PKI) cold(base *consumer) (*consumer, error) {
	c := &consumer{number: base.number, profile: base.profile, person: base.person, identityKey: base.identityKey, holderKey: base.holderKey}
	alias := "Cold" + rand.Text()[:16] // 80 random bits
	// Serial numbers are derived from the subject, and so are as new as it.
	identity, err := p.citizens.Issue(eid(c.person, alias), c.identityKey.Public())
	if err != nil {
		return nil, err
	}
	var holder []byte
	if base.holder != base.identity {
		if holder, err = p.ehealth.Issue(software(c.person, alias), c.holderKey.Public()); err != nil {
			return nil, err
		}
	}
	return p.consumer(c, identity, holder)
}

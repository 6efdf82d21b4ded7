package minipki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	_ "crypto/md5" // for the certificates that a verifier must refuse
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // for the certificates that a verifier must refuse
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// signatureAlgorithm is one way to sign, with the identifier that names it.
type signatureAlgorithm struct {
	identifier pkix.AlgorithmIdentifier
	hash       crypto.Hash // 0: the message itself (Ed25519)
	pss        bool
}

// algorithmFor gives the algorithm asked for, or the one that fits the key.
func algorithmFor(asked x509.SignatureAlgorithm, key crypto.Signer) (signatureAlgorithm, error) {
	if asked == x509.UnknownSignatureAlgorithm {
		switch k := key.Public().(type) {
		case *rsa.PublicKey:
			asked = x509.SHA256WithRSA
		case ed25519.PublicKey:
			asked = x509.PureEd25519
		case *ecdsa.PublicKey:
			switch {
			case k.Curve.Params().BitSize > 384:
				asked = x509.ECDSAWithSHA512
			case k.Curve.Params().BitSize > 256:
				asked = x509.ECDSAWithSHA384
			default:
				asked = x509.ECDSAWithSHA256
			}
		}
	}
	null := asn1.RawValue{Tag: asn1.TagNull}
	switch asked {
	case x509.MD5WithRSA:
		return named("1.2.840.113549.1.1.4", null, crypto.MD5)
	case x509.SHA1WithRSA:
		return named("1.2.840.113549.1.1.5", null, crypto.SHA1)
	case x509.SHA256WithRSA:
		return named("1.2.840.113549.1.1.11", null, crypto.SHA256)
	case x509.SHA384WithRSA:
		return named("1.2.840.113549.1.1.12", null, crypto.SHA384)
	case x509.SHA512WithRSA:
		return named("1.2.840.113549.1.1.13", null, crypto.SHA512)
	case x509.SHA256WithRSAPSS:
		a, err := named("1.2.840.113549.1.1.10", pssParameters(), crypto.SHA256)
		a.pss = true
		return a, err
	case x509.ECDSAWithSHA1:
		return named("1.2.840.10045.4.1", asn1.RawValue{}, crypto.SHA1)
	case x509.ECDSAWithSHA256:
		return named("1.2.840.10045.4.3.2", asn1.RawValue{}, crypto.SHA256)
	case x509.ECDSAWithSHA384:
		return named("1.2.840.10045.4.3.3", asn1.RawValue{}, crypto.SHA384)
	case x509.ECDSAWithSHA512:
		return named("1.2.840.10045.4.3.4", asn1.RawValue{}, crypto.SHA512)
	case x509.PureEd25519:
		return named("1.3.101.112", asn1.RawValue{}, 0)
	}
	return signatureAlgorithm{}, fmt.Errorf("minipki: signature algorithm %v with %T is not supported", asked, key)
}

func named(oid string, parameters asn1.RawValue, hash crypto.Hash) (signatureAlgorithm, error) {
	id, err := parseOID(oid)
	return signatureAlgorithm{identifier: pkix.AlgorithmIdentifier{Algorithm: id, Parameters: parameters}, hash: hash}, err
}

// pssParameters are RSASSA-PSS-params of RFC 4055 section 3.1 for SHA-256, MGF1 with SHA-256, a salt of 32 octets.
func pssParameters() asn1.RawValue {
	sha256 := tlv(0x30, append(tlv(0x06, []byte{0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1}), 0x05, 0x00))
	mgf1 := tlv(0x30, append(tlv(0x06, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8}), sha256...))
	var content []byte
	content = append(content, tlv(0xa0, sha256)...)
	content = append(content, tlv(0xa1, mgf1)...)
	content = append(content, tlv(0xa2, []byte{0x02, 0x01, 32})...)
	return asn1.RawValue{FullBytes: tlv(0x30, content)}
}

// sign signs a message. Without randomness RSA PKCS #1 v1.5 and ECDSA are deterministic (RFC 6979).
func (a signatureAlgorithm) sign(key crypto.Signer, message []byte) ([]byte, error) {
	if a.hash == 0 {
		return key.Sign(nil, message, crypto.Hash(0))
	}
	h := a.hash.New()
	h.Write(message)
	if a.pss {
		return key.Sign(rand.Reader, h.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash})
	}
	return key.Sign(nil, h.Sum(nil), a.hash)
}

package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"hash"
	"runtime"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// algorithmOf gives the signature algorithm of an AlgorithmIdentifier in DER, of
// those that checkSignatureAlgorithm admits: the identifier must be, octet for
// octet, one that RFC 4055, 5754 or 5758 gives. Anything else is unknown.
func algorithmOf(identifier []byte) x509.SignatureAlgorithm {
	const rsa, ecdsa = "\x2a\x86\x48\x86\xf7\x0d\x01\x01", "\x2a\x86\x48\xce\x3d\x04\x03"
	switch string(identifier) {
	case "\x30\x0d\x06\x09" + rsa + "\x0b\x05\x00":
		return x509.SHA256WithRSA
	case "\x30\x0d\x06\x09" + rsa + "\x0c\x05\x00":
		return x509.SHA384WithRSA
	case "\x30\x0d\x06\x09" + rsa + "\x0d\x05\x00":
		return x509.SHA512WithRSA
	case "\x30\x0a\x06\x08" + ecdsa + "\x02":
		return x509.ECDSAWithSHA256
	case "\x30\x0a\x06\x08" + ecdsa + "\x03":
		return x509.ECDSAWithSHA384
	case "\x30\x0a\x06\x08" + ecdsa + "\x04":
		return x509.ECDSAWithSHA512
	case pssIdentifier(1, 32):
		return x509.SHA256WithRSAPSS
	case pssIdentifier(2, 48):
		return x509.SHA384WithRSAPSS
	case pssIdentifier(3, 64):
		return x509.SHA512WithRSAPSS
	}
	return x509.UnknownSignatureAlgorithm
}

// pssIdentifier writes id-RSASSA-PSS (RFC 4055 section 3.1) with one SHA-2 hash
// for the message and the mask, and a salt of its length.
func pssIdentifier(sha2 byte, salt int64) string {
	context := func(n uint8) asn1.Tag { return asn1.Tag(n).Constructed().ContextSpecific() }
	hash := func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) {
				b.AddBytes([]byte{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, sha2})
			})
			b.AddASN1NULL()
		})
	}
	pkcs1 := func(b *cryptobyte.Builder, arc byte) {
		b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) {
			b.AddBytes([]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, arc})
		})
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		pkcs1(b, 10)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(context(0), hash)
			b.AddASN1(context(1), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					pkcs1(b, 8) // MGF1
					hash(b)
				})
			})
			b.AddASN1(context(2), func(b *cryptobyte.Builder) { b.AddASN1Int64(salt) })
		})
	})
	return string(b.BytesOrPanic())
}

// hashOf gives the hash of a signature algorithm that algorithmOf knows.
func hashOf(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.SHA256WithRSA, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		return crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		return crypto.SHA512
	}
	return 0
}

// signedWith tells whether a key made a signature over a list. It is what
// x509.Certificate.CheckSignature does, but for the digest, which is made a piece at a
// time: a list may have 40 MB, and a processor that digests cannot be taken away.
func signedWith(key crypto.PublicKey, a x509.SignatureAlgorithm, signed, signature []byte) bool {
	h := hashOf(a)
	if h == 0 {
		return false
	}
	digest := sumPieces(h.New(), signed)
	switch k := key.(type) {
	case *rsa.PublicKey:
		switch a {
		case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA:
			return rsa.VerifyPKCS1v15(k, h, digest, signature) == nil
		case x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
			return rsa.VerifyPSS(k, h, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case *ecdsa.PublicKey:
		switch a {
		case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
			return ecdsa.VerifyASN1(k, digest, signature)
		}
	}
	return false
}

// sumPieces gives the digest of a large text and lets requests go between its pieces.
func sumPieces(h hash.Hash, text []byte) []byte {
	const piece = 128 << 10
	for len(text) > piece {
		h.Write(text[:piece])
		text = text[piece:]
		runtime.Gosched()
	}
	h.Write(text)
	return h.Sum(nil)
}

package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// A Part is an element to be signed.
type Part struct {
	// ID is the identifier that the element bears; an NCName.
	ID string
	// Canonical is the exclusive canonical form of the element, without the
	// signature when Enveloped, with an empty PrefixList.
	Canonical []byte
	// Enveloped adds the enveloped-signature transform.
	Enveloped bool
}

// A Signer makes signatures with one key. It is immutable and safe for concurrent
// use as far as its crypto.Signer is.
type Signer struct {
	key     crypto.Signer
	method  SignatureMethod
	digest  DigestMethod
	size    int // ECDSA: octets of r and of s
	opening string
	keyInfo string
}

// SignerConfig says how a Signer signs.
type SignerConfig struct {
	Key crypto.Signer
	// Method is the signature method; zero means DefaultMethod of the key.
	Method SignatureMethod
	// Digest is the digest method; zero means SHA-256.
	Digest DigestMethod
	// SHA1 admits SHA-1 in Method and Digest, for tests of and talks with servers
	// that know nothing better.
	SHA1 bool
	// KeyInfo is the ds:KeyInfo element as it is to stand in the signature, in
	// canonical form, the prefix ds bound outside; empty for none.
	KeyInfo string
}

// NewSigner returns a Signer, or an error when key and methods do not fit.
func NewSigner(config SignerConfig) (*Signer, error) {
	if config.Key == nil {
		return nil, refuse(KeyRefused, "no key")
	}
	public := config.Key.Public()
	s := &Signer{key: config.Key, method: config.Method, digest: config.Digest, keyInfo: config.KeyInfo}
	if s.method == 0 {
		s.method = DefaultMethod(public)
	}
	if s.digest == 0 {
		s.digest = SHA256
	}
	admitted := Policy{SHA2: true, SHA1: config.SHA1}
	if s.method.URI() == "" || !admitted.admits(s.method.Hash()) || !admitted.admits(s.digest.Hash()) {
		return nil, refuse(AlgorithmRefused, s.method.URI()+" "+s.digest.URI())
	}
	if err := (&Signature{method: s.method}).keyFits(public); err != nil {
		return nil, err
	}
	if key, ok := public.(*ecdsa.PublicKey); ok {
		s.size = (key.Curve.Params().BitSize + 7) / 8
	}
	if s.keyInfo != "" && !strings.HasPrefix(s.keyInfo, "<ds:KeyInfo") {
		return nil, refuse(KeyInfoRefused, "KeyInfo of a Signer")
	}
	s.opening = `<ds:SignedInfo xmlns:ds="` + NamespaceDS + `"><ds:CanonicalizationMethod Algorithm="` + c14n.Algorithm +
		`"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="` + s.method.URI() + `"></ds:SignatureMethod>`
	return s, nil
}

// Public returns the public key.
func (s *Signer) Public() crypto.PublicKey { return s.key.Public() }

const (
	signatureOpen   = `<ds:Signature xmlns:ds="` + NamespaceDS + `">`
	signedInfoOpen  = `<ds:SignedInfo>`
	signedInfoClose = `</ds:SignedInfo>`
)

// Append appends a ds:Signature over parts to dst. On error the result is nil. What
// it appends is in canonical form itself, given a canonical KeyInfo.
func (s *Signer) Append(dst []byte, parts ...Part) ([]byte, error) {
	if len(parts) == 0 || len(parts) > maxReferences {
		return nil, refuse(TooMany, "parts to sign")
	}
	room := scratches.Get().(*scratch)
	defer room.release()

	// SignedInfo in its canonical form, alone, and hashed.
	info := append(room.canonical[:0], s.opening...)
	for i := range parts {
		if len(parts[i].Canonical) == 0 {
			return nil, refuse(NoCanonicalForm, "nothing to sign")
		}
		if !isNCNameString(parts[i].ID) {
			return nil, refuse(ReferenceRefused, "identifier of a part")
		}
		info = s.appendReference(info, &parts[i], room)
	}
	info = append(info, signedInfoClose...)
	room.canonical = info
	room.sum = appendSum(room.sum[:0], s.method.Hash(), info)
	value, err := s.sign(room)
	if err != nil {
		return nil, err
	}

	// In the message the declaration of ds stands on Signature instead.
	dst = append(dst, signatureOpen...)
	dst = append(dst, signedInfoOpen...)
	dst = append(dst, info[len(`<ds:SignedInfo xmlns:ds="`+NamespaceDS+`">`):]...)
	dst = append(dst, "<ds:SignatureValue>"...)
	dst = base64.StdEncoding.AppendEncode(dst, value)
	dst = append(dst, "</ds:SignatureValue>"...)
	dst = append(dst, s.keyInfo...)
	return append(dst, "</ds:Signature>"...), nil
}

func (s *Signer) appendReference(dst []byte, p *Part, room *scratch) []byte {
	dst = append(dst, `<ds:Reference URI="#`...)
	dst = append(dst, p.ID...)
	dst = append(dst, `"><ds:Transforms>`...)
	if p.Enveloped {
		dst = append(dst, `<ds:Transform Algorithm="`+transformEnveloped+`"></ds:Transform>`...)
	}
	dst = append(dst, `<ds:Transform Algorithm="`+c14n.Algorithm+`"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="`...)
	dst = append(dst, s.digest.URI()...)
	dst = append(dst, `"></ds:DigestMethod><ds:DigestValue>`...)
	room.sum = appendSum(room.sum[:0], s.digest.Hash(), p.Canonical)
	dst = base64.StdEncoding.AppendEncode(dst, room.sum)
	return append(dst, `</ds:DigestValue></ds:Reference>`...)
}

// sign signs room.sum and returns the octets of the SignatureValue.
func (s *Signer) sign(room *scratch) ([]byte, error) {
	var options crypto.SignerOpts = s.method.Hash()
	if signatureMethods[s.method].family == familyPSS {
		options = pssOptions(s.method.Hash())
	}
	value, err := s.key.Sign(rand.Reader, room.sum, options)
	if err != nil {
		return nil, fmt.Errorf("xmlsec: sign: %w", err)
	}
	if s.size == 0 {
		return value, nil
	}
	// crypto.Signer gives DER; XML Signature wants r‖s.
	room.der = append(room.der[:0], make([]byte, 2*s.size)...)
	if !fillRS(room.der[:s.size], room.der[s.size:], value) {
		return nil, errDER
	}
	return room.der, nil
}

var errDER = errors.New("xmlsec: sign: the key gave a malformed ECDSA signature")

// fillRS reads an Ecdsa-Sig-Value into r and s, left-padded with zeros.
func fillRS(r, s, der []byte) bool {
	body, rest, ok := derValue(der, 0x30)
	if !ok || len(rest) != 0 {
		return false
	}
	ri, body, ok := derValue(body, 0x02)
	if !ok {
		return false
	}
	si, body, ok := derValue(body, 0x02)
	if !ok || len(body) != 0 {
		return false
	}
	return fillInteger(r, ri) && fillInteger(s, si)
}

func derValue(der []byte, tag byte) (value, rest []byte, ok bool) {
	if len(der) < 2 || der[0] != tag {
		return nil, nil, false
	}
	n, at := int(der[1]), 2
	if n == 0x81 && len(der) > 2 {
		n, at = int(der[2]), 3
	} else if n >= 0x80 {
		return nil, nil, false
	}
	if len(der) < at+n {
		return nil, nil, false
	}
	return der[at : at+n], der[at+n:], true
}

func fillInteger(dst, integer []byte) bool {
	for len(integer) > 0 && integer[0] == 0 {
		integer = integer[1:]
	}
	if len(integer) == 0 || len(integer) > len(dst) {
		return false
	}
	copy(dst[len(dst)-len(integer):], integer)
	return true
}

// isNCNameString spares the copy of a conversion; IsNCName only reads.
func isNCNameString(s string) bool {
	return xmltext.IsNCName(unsafe.Slice(unsafe.StringData(s), len(s)))
}

// CertificateKeyInfo returns the KeyInfo of a SignerConfig that holds one certificate,
// given in DER, as X509Data.
func CertificateKeyInfo(der []byte) string {
	return "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>" + base64.StdEncoding.EncodeToString(der) +
		"</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
}

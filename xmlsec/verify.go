package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"sync"

	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// Bounds of an RSA modulus: below, a key is weak; above, a verification is an attack
// on our time (attacks.md Z8).
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// A Verified says which elements were signed, and with which key. Only Verify makes
// one that says anything; the zero Verified covers nothing. It is valid as long as
// its document.
type Verified struct {
	signature xmltext.Node
	signed    [maxReferences]xmltext.Node
	enveloped [maxReferences]bool
	count     int
	key       crypto.PublicKey
	digest    [sha256.Size]byte
}

// Key returns the key the signature was verified with, nil for the zero Verified.
func (v *Verified) Key() crypto.PublicKey { return v.key }

// Signature returns the ds:Signature element.
func (v *Verified) Signature() xmltext.Node { return v.signature }

// Digest returns the SHA-256 of the canonical SignedInfo: what replay detection
// remembers. It is not taken from the signature value, because anybody can turn an
// ECDSA signature (r, s) into the equally valid (r, -s) and so give a replayed
// message a value that was never seen (attacks.md R1).
func (v *Verified) Digest() [sha256.Size]byte { return v.digest }

// Signs reports whether n itself, this very element, is the target of a reference.
func (v *Verified) Signs(n xmltext.Node) bool {
	if n.IsZero() {
		return false
	}
	for i := range v.count {
		if v.signed[i] == n {
			return true
		}
	}
	return false
}

// Covers reports whether n stands, whole, inside a signed element. The signature
// itself, which the enveloped transform takes out, is not covered, and neither is
// an element that contains it unless a reference names that element.
func (v *Verified) Covers(n xmltext.Node) bool {
	if n.IsZero() {
		return false
	}
	for i := range v.count {
		if !v.signed[i].Contains(n) {
			continue
		}
		if v.enveloped[i] && (v.signature.Contains(n) || n != v.signed[i] && n.Contains(v.signature)) {
			continue
		}
		return true
	}
	return false
}

// scratch is the memory of one verification or signing.
type scratch struct {
	canonical []byte
	value     []byte
	sum       []byte
	der       []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) release() {
	if cap(s.canonical) <= 1<<20 {
		scratches.Put(s)
	}
}

// Verify verifies the signature value with key and then every reference, under the
// policy of the caller: what is large to canonicalize and to digest is so only for
// who has the key (attacks.md Z4, Z8). On error the result is the zero Verified and the
// error an *Error.
func (s *Signature) Verify(key crypto.PublicKey, policy *Policy) (v Verified, err error) {
	if err := s.admitted(policy); err != nil {
		return Verified{}, err
	}
	if err := s.keyFits(key); err != nil {
		return Verified{}, err
	}
	room := scratches.Get().(*scratch)
	defer room.release()
	if err := s.verifyValue(key, room); err != nil {
		return Verified{}, err
	}
	v.signature, v.count, v.key = s.node, s.count, key
	if s.method.Hash() == crypto.SHA256 {
		v.digest = [sha256.Size]byte(room.sum) // of SignedInfo, since verifyValue
	} else {
		v.digest = sha256.Sum256(room.canonical)
	}
	for i := range s.count {
		if err := s.verifyReference(&s.references[i], room); err != nil {
			return Verified{}, err
		}
		v.signed[i], v.enveloped[i] = s.references[i].covered, s.references[i].enveloped
	}
	return v, nil
}

// admitted checks the whole signature against the policy before a byte is digested.
func (s *Signature) admitted(policy *Policy) error {
	if s.node.IsZero() || s.count == 0 {
		return refuse(Malformed, "no signature")
	}
	if policy == nil || !policy.admits(s.method.Hash()) {
		return refuse(AlgorithmRefused, s.method.URI())
	}
	if s.count > policy.MaxReferences {
		return refuse(TooMany, "references")
	}
	for i := range s.count {
		r := &s.references[i]
		if !policy.admits(r.method.Hash()) {
			return refuse(AlgorithmRefused, r.method.URI())
		}
		if int(r.transforms) > policy.MaxTransforms {
			return refuse(TooMany, "transforms")
		}
	}
	return nil
}

func (s *Signature) keyFits(key crypto.PublicKey) error {
	want := signatureMethods[s.method].family
	switch key := key.(type) {
	case *rsa.PublicKey:
		if want == familyECDSA || key == nil {
			return refuse(KeyMismatch, "RSA key")
		}
	case *ecdsa.PublicKey:
		if want != familyECDSA || key == nil {
			return refuse(KeyMismatch, "EC key")
		}
	default:
		return refuse(KeyMismatch, "neither RSA nor EC")
	}
	return checkKey(key)
}

func checkKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N == nil || key.N.Sign() <= 0 || key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits {
			return refuse(KeyRefused, "RSA modulus")
		}
		if key.N.Bit(0) == 0 || key.E < 65537 || key.E&1 == 0 {
			return refuse(KeyRefused, "RSA modulus or exponent")
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return refuse(KeyRefused, "curve")
		}
		//lint:ignore SA1019 whether there is a point at all; crypto/ecdsa would panic
		if key.X == nil || key.Y == nil {
			return refuse(KeyRefused, "no point")
		}
	}
	return nil
}

func (s *Signature) verifyReference(r *reference, room *scratch) error {
	options := c14n.Options{PrefixList: r.prefixes, DefaultAtApex: r.str}
	if r.enveloped {
		options.Omit = s.node
	}
	canonical, err := c14n.Append(room.canonical[:0], r.covered, options)
	if err != nil {
		return &Error{Reason: NoCanonicalForm, Err: err}
	}
	room.canonical = canonical
	room.sum = appendSum(room.sum[:0], r.method.Hash(), canonical)
	if len(room.sum) == 0 || subtle.ConstantTimeCompare(room.sum, r.digest[:len(room.sum)]) != 1 {
		return refuse(DigestMismatch, string(r.covered.Local()))
	}
	return nil
}

func (s *Signature) verifyValue(key crypto.PublicKey, room *scratch) error {
	canonical, err := c14n.Append(room.canonical[:0], s.signedInfo, c14n.Options{PrefixList: s.prefixes})
	if err != nil {
		return &Error{Reason: NoCanonicalForm, Err: err}
	}
	room.canonical = canonical
	hash := s.method.Hash()
	room.sum = appendSum(room.sum[:0], hash, canonical)
	value, err := AppendBase64(room.value[:0], s.value)
	if err != nil {
		return err
	}
	room.value = value
	switch key := key.(type) {
	case *rsa.PublicKey:
		if signatureMethods[s.method].family == familyPSS {
			err = rsa.VerifyPSS(key, hash, room.sum, value, pssOptions(hash))
		} else {
			err = rsa.VerifyPKCS1v15(key, hash, room.sum, value)
		}
	case *ecdsa.PublicKey:
		size := (key.Curve.Params().BitSize + 7) / 8
		if len(value) != 2*size { // r‖s of RFC 9231 section 2.3.6, never DER (attacks.md A4)
			return refuse(SignatureMismatch, "length of an ECDSA signature")
		}
		room.der = appendDER(room.der[:0], value[:size], value[size:])
		if !ecdsa.VerifyASN1(key, room.sum, room.der) {
			err = errECDSA
		}
	default:
		return refuse(KeyMismatch, "neither RSA nor EC")
	}
	if err != nil {
		return &Error{Reason: SignatureMismatch, Err: err}
	}
	return nil
}

var errECDSA = errors.New("ecdsa: verification error")

// pssOptions are the fixed parameters of RFC 9231 section 2.3.10.
func pssOptions(hash crypto.Hash) *rsa.PSSOptions {
	switch hash {
	case crypto.SHA384:
		return &pss384
	case crypto.SHA512:
		return &pss512
	}
	return &pss256
}

var (
	pss256 = rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	pss384 = rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA384}
	pss512 = rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA512}
)

// appendSum appends the digest of octets; nothing for a hash that is none of ours.
func appendSum(dst []byte, hash crypto.Hash, octets []byte) []byte {
	switch hash {
	case crypto.SHA1:
		sum := sha1.Sum(octets)
		return append(dst, sum[:]...)
	case crypto.SHA256:
		sum := sha256.Sum256(octets)
		return append(dst, sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(octets)
		return append(dst, sum[:]...)
	case crypto.SHA512:
		sum := sha512.Sum512(octets)
		return append(dst, sum[:]...)
	}
	return dst
}

// appendDER writes r and s, big-endian, as an Ecdsa-Sig-Value (RFC 3279).
func appendDER(dst, r, s []byte) []byte {
	body := derIntegerLen(r) + derIntegerLen(s)
	dst = append(dst, 0x30)
	if body >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(body))
	return appendDERInteger(appendDERInteger(dst, r), s)
}

func trimZeros(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

func derIntegerLen(b []byte) int {
	b = trimZeros(b)
	return 2 + len(b) + int(b[0]>>7)
}

func appendDERInteger(dst, b []byte) []byte {
	b = trimZeros(b)
	dst = append(dst, 0x02, byte(len(b)+int(b[0]>>7)))
	if b[0]&0x80 != 0 {
		dst = append(dst, 0)
	}
	return append(dst, b...)
}

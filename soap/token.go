package soap

import (
	"crypto"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// maxPathCertificates bounds a PKIPath (attacks.md K5, Z8).
const maxPathCertificates = 5

// TokenKind tells the kinds of security token apart.
type TokenKind uint8

// The kinds. The zero TokenKind is none.
const (
	_             TokenKind = iota
	X509                    // a certificate in a BinarySecurityToken
	SAMLAssertion           // a SAML 1.1 assertion in the Security header
)

// A Token is the security token that a message says its signature was made with. It
// is unverified when Keys sees it. It aliases the message.
type Token struct {
	Kind TokenKind
	Node xmltext.Node
	// KeyInfo is how the signature refers to the token. When it is not
	// ByReference or ByAssertionID, Keys must check that it fits the token.
	KeyInfo xmlsec.KeyInfo
	// Certificate is the DER of the certificate of an X509 token; nil when a Recaller knows it.
	Certificate []byte
	// Path holds the DER of further certificates of an X509PKIPathv1 token, nearest
	// to the certificate first.
	Path [][]byte
	// Assertion is the one that the holder of an X509 token vouches for (Policy.Vouched); the zero Node without one. It is
	// as unverified as the token.
	Assertion xmltext.Node
}

// Keys says which key a token stands for. Its error means that there is none that
// is trusted; the message is then refused with UntrustedToken, the error wrapped.
type Keys interface {
	Key(token *Token) (crypto.PublicKey, error)
}

// A Recaller is a Keys that may know a certificate by its base64. Recall is asked with the text of
// an X509v3 token before that is decoded, and need not be exact: false costs time, no more. When it
// answers true, Key is called next and the token has no Certificate: it is the one that Recall knew.
// The text is not to be kept.
type Recaller interface {
	Keys
	Recall(text []byte) bool
}

// readToken finds the token that the signature refers to.
func (e *Envelope) readToken(signature *xmlsec.Signature, policy *Policy, keys Keys) (*Token, error) {
	if signature.KeyInfo().IsZero() {
		return nil, refuse(BadSecurity, "R5402", "no KeyInfo")
	}
	info, err := xmlsec.ParseKeyInfo(signature.KeyInfo())
	if err != nil {
		return nil, signatureError(err)
	}
	t := &e.token
	*t = Token{KeyInfo: info, Path: t.Path[:0]}
	switch info.Selector {
	case xmlsec.ByReference:
		// The token must be the one in our Security header, not any element that
		// bears the identifier (attacks.md W14, BSP R3066).
		if info.Token != e.binary || e.binary.IsZero() {
			return nil, refuse(BadSecurity, "R3066", "reference to no token of this header")
		}
	case xmlsec.ByIssuerSerial, xmlsec.BySKI, xmlsec.ByThumbprint:
		// The policy of the wire has the token in the message always; the reference
		// may still be by identifier.
		if e.binary.IsZero() {
			return nil, refuse(UnsupportedToken, "", "token outside the message")
		}
	case xmlsec.ByAssertionID:
		if info.Token != e.assertion || e.assertion.IsZero() {
			return nil, refuse(BadSecurity, "", "assertion not in this header")
		}
		if !e.binary.IsZero() {
			return nil, refuse(UnsupportedToken, "", "second token")
		}
		if !e.reference.IsZero() {
			return nil, refuse(UnsupportedToken, "", "element in Security")
		}
		t.Kind, t.Node = SAMLAssertion, e.assertion
		return t, nil
	default:
		return nil, refuse(BadSecurity, "R5417", "KeyInfo without SecurityTokenReference")
	}
	// A token that made no signature is processed by nobody (attacks.md W14, W16), unless its sender vouches for it.
	if !e.assertion.IsZero() && !policy.Vouched || e.assertion.IsZero() && !e.reference.IsZero() {
		return nil, refuse(UnsupportedToken, "", "second token")
	}
	t.Assertion = e.assertion
	if err := e.readBinary(t, keys); err != nil {
		return nil, err
	}
	return t, nil
}

// readBinary reads the BinarySecurityToken and decodes it unless keys recalls it.
func (e *Envelope) readBinary(t *Token, keys Keys) error {
	t.Kind, t.Node = X509, e.binary
	encoding, ok := e.binary.Attribute("", "EncodingType")
	if !ok {
		return refuse(BadToken, "R3029", "no EncodingType")
	}
	if string(encoding) != xmlsec.EncodingBase64 {
		return refuse(BadToken, "R3030", "EncodingType")
	}
	valueType, ok := e.binary.Attribute("", "ValueType")
	if !ok {
		return refuse(UnsupportedToken, "R3031", "no ValueType")
	}
	if string(valueType) != xmlsec.ValueTypeX509v3 && string(valueType) != xmlsec.ValueTypePKIPathv1 {
		return refuse(UnsupportedToken, "R3032", "ValueType")
	}
	if t.KeyInfo.Selector == xmlsec.ByReference && len(t.KeyInfo.ValueType) > 0 && string(t.KeyInfo.ValueType) != string(valueType) {
		return refuse(BadSecurity, "R3058", "ValueType of the reference")
	}
	text, ok := e.binary.Value()
	if !ok || len(text) == 0 {
		return refuse(BadToken, "", "content of BinarySecurityToken")
	}
	single := string(valueType) == xmlsec.ValueTypeX509v3
	if recaller, ok := keys.(Recaller); ok && single && recaller.Recall(text) {
		return nil
	}
	der, err := xmlsec.AppendBase64(e.der[:0], text)
	if err != nil {
		return &Error{Reason: BadToken, Err: err}
	}
	e.der = der
	if single {
		t.Certificate = der
		return nil
	}
	return t.readPath(der)
}

// readPath splits a PkiPath: SEQUENCE OF Certificate, the target last (ITU-T X.509,
// BSP R5201).
func (t *Token) readPath(der []byte) error {
	input := cryptobyte.String(der)
	var path cryptobyte.String
	if !input.ReadASN1(&path, cbasn1.SEQUENCE) || !input.Empty() {
		return refuse(BadToken, "", "PKIPath")
	}
	var certificates [maxPathCertificates][]byte
	n := 0
	for !path.Empty() {
		var element cryptobyte.String
		if n == maxPathCertificates || !path.ReadASN1Element(&element, cbasn1.SEQUENCE) {
			return refuse(BadToken, "", "PKIPath")
		}
		certificates[n] = element
		n++
	}
	if n == 0 {
		return refuse(BadToken, "", "empty PKIPath")
	}
	t.Certificate = certificates[n-1]
	for i := n - 2; i >= 0; i-- {
		t.Path = append(t.Path, certificates[i])
	}
	return nil
}

// AppendPKIPath appends the DER of a PkiPath to dst: the certificates from the one
// nearest to the root to the target.
func AppendPKIPath(dst []byte, certificates ...[]byte) ([]byte, error) {
	raw := make([]asn1.RawValue, len(certificates))
	for i, der := range certificates {
		raw[i] = asn1.RawValue{FullBytes: der}
	}
	path, err := asn1.Marshal(raw)
	if err != nil {
		return nil, err
	}
	return append(dst, path...), nil
}

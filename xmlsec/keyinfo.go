package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"

	"sceau/xmlsec/xmltext"
)

// A Selector says how a KeyInfo selects a key.
type Selector uint8

// The selectors. The zero Selector selects nothing.
const (
	_              Selector = iota
	ByReference             // wsse:Reference to a token in the message: Token
	BySKI                   // KeyIdentifier X509SubjectKeyIdentifier: Value
	ByThumbprint            // KeyIdentifier ThumbprintSHA1: Value
	ByAssertionID           // KeyIdentifier SAMLAssertionID: Value, and Token when it is in the message
	ByIssuerSerial          // X509IssuerSerial: Issuer, Serial
	ByCertificate           // X509Certificate: Value
	ByKeyValue              // RSA or EC KeyValue: Key
)

// ValueType URIs of the X.509 and SAML token profiles.
const (
	ValueTypeX509v3      = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	ValueTypePKIPathv1   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509PKIPathv1"
	valueTypeSKI         = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier"
	valueTypeThumbprint  = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
	ValueTypeAssertionID = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID"
	EncodingBase64       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)

// A KeyInfo is what a ds:KeyInfo says about the key. It selects; whoever uses it
// compares the key it leads to with one that is trusted for another reason
// (attacks.md A6). It aliases its document.
type KeyInfo struct {
	Selector Selector
	Token    xmltext.Node // ByReference, ByAssertionID: the token element
	// ValueType of the wsse:Reference, empty when it has none.
	ValueType []byte
	Value     []byte           // base64 text, or the AssertionID
	Issuer    []byte           // ByIssuerSerial: distinguished name, as written
	Serial    []byte           // ByIssuerSerial: decimal digits
	Key       crypto.PublicKey // ByKeyValue
}

// ParseKeyInfo reads a ds:KeyInfo of one of the admitted forms: exactly one
// wsse:SecurityTokenReference, X509Data with exactly one X509Certificate or one
// X509IssuerSerial, or KeyValue. Anything more or else (KeyName, RetrievalMethod,
// two certificates, a certificate beside a KeyValue) is an *Error with
// KeyInfoRefused, because two selections may differ (attacks.md A6, A7, T4).
func ParseKeyInfo(n xmltext.Node) (KeyInfo, error) {
	if !n.Is(NamespaceDS, "KeyInfo") || !n.OnlyElements() || n.HasComment() {
		return KeyInfo{}, refuse(KeyInfoRefused, "KeyInfo")
	}
	c := childrenOf(n)
	if str := c.sole(NamespaceWSSE, "SecurityTokenReference"); !str.IsZero() {
		return parseSTR(str)
	}
	if data := c.sole(NamespaceDS, "X509Data"); !data.IsZero() {
		return parseX509Data(data)
	}
	if value := c.sole(NamespaceDS, "KeyValue"); !value.IsZero() {
		return parseKeyValue(value)
	}
	return KeyInfo{}, refuse(KeyInfoRefused, "content of KeyInfo")
}

func parseX509Data(data xmltext.Node) (KeyInfo, error) {
	c := childrenOf(data)
	if !data.OnlyElements() {
		return KeyInfo{}, refuse(KeyInfoRefused, "X509Data")
	}
	if certificate := c.sole(NamespaceDS, "X509Certificate"); !certificate.IsZero() {
		value, ok := certificate.Value()
		if !ok || len(value) == 0 {
			return KeyInfo{}, refuse(KeyInfoRefused, "X509Certificate")
		}
		return KeyInfo{Selector: ByCertificate, Value: value}, nil
	}
	serial := c.sole(NamespaceDS, "X509IssuerSerial")
	if serial.IsZero() || !serial.OnlyElements() {
		return KeyInfo{}, refuse(KeyInfoRefused, "content of X509Data")
	}
	c = childrenOf(serial)
	issuer, ok := c.take(NamespaceDS, "X509IssuerName").Value()
	number, ok2 := c.take(NamespaceDS, "X509SerialNumber").Value()
	if !ok || !ok2 || !c.done() || len(issuer) == 0 || len(number) == 0 {
		return KeyInfo{}, refuse(KeyInfoRefused, "X509IssuerSerial")
	}
	return KeyInfo{Selector: ByIssuerSerial, Issuer: issuer, Serial: number}, nil
}

// parseSTR reads a wsse:SecurityTokenReference with exactly one reference in it
// (BSP R3061). A direct reference leads to a token, never to another
// SecurityTokenReference (R3057, attacks.md A7).
func parseSTR(str xmltext.Node) (KeyInfo, error) {
	c := childrenOf(str)
	if !str.OnlyElements() || c.done() {
		return KeyInfo{}, refuse(KeyInfoRefused, "SecurityTokenReference")
	}
	if data := c.sole(NamespaceDS, "X509Data"); !data.IsZero() {
		k, err := parseX509Data(data)
		if err == nil && k.Selector != ByIssuerSerial {
			err = refuse(KeyInfoRefused, "X509Certificate in a SecurityTokenReference")
		}
		if err != nil {
			return KeyInfo{}, err
		}
		return k, nil
	}
	if ref := c.sole(NamespaceWSSE, "Reference"); !ref.IsZero() {
		uri, _ := ref.Attribute("", "URI")
		if len(uri) < 2 || uri[0] != '#' || !ref.FirstElement().IsZero() {
			return KeyInfo{}, refuseRule(KeyInfoRefused, "R5204", "wsse:Reference outside the message")
		}
		token, ok := str.Document().ElementByID(uri[1:])
		if !ok {
			return KeyInfo{}, refuse(KeyInfoRefused, "wsse:Reference to nothing")
		}
		if token.Is(NamespaceWSSE, "SecurityTokenReference") || token.Is(NamespaceDS, "KeyInfo") {
			return KeyInfo{}, refuseRule(KeyInfoRefused, "R3057", "token of wsse:Reference")
		}
		k := KeyInfo{Selector: ByReference, Token: token}
		k.ValueType, _ = ref.Attribute("", "ValueType")
		return k, nil
	}
	id := c.sole(NamespaceWSSE, "KeyIdentifier")
	if id.IsZero() {
		return KeyInfo{}, refuseRule(KeyInfoRefused, "R3061", "content of SecurityTokenReference")
	}
	value, ok := id.Value()
	if !ok || len(value) == 0 {
		return KeyInfo{}, refuse(KeyInfoRefused, "KeyIdentifier")
	}
	valueType, _ := id.Attribute("", "ValueType")
	encoding, encoded := id.Attribute("", "EncodingType")
	k := KeyInfo{Value: value}
	switch string(valueType) {
	case ValueTypeAssertionID:
		if encoded { // BSP R6604
			return KeyInfo{}, refuseRule(KeyInfoRefused, "R6604", "EncodingType of a SAMLAssertionID")
		}
		k.Selector = ByAssertionID
		if token, ok := str.Document().ElementByID(value); ok && token.Is(namespaceSAML1, "Assertion") {
			k.Token = token
		}
		return k, nil
	case valueTypeSKI:
		k.Selector = BySKI
	case valueTypeThumbprint:
		k.Selector = ByThumbprint
	default:
		return KeyInfo{}, refuseRule(KeyInfoRefused, "R3054", "ValueType of KeyIdentifier")
	}
	if encoded && string(encoding) != EncodingBase64 {
		return KeyInfo{}, refuseRule(KeyInfoRefused, "R3071", "EncodingType of KeyIdentifier")
	}
	return k, nil
}

// namedCurves are the curves of ds11:NamedCurve (RFC 5480); any other, and explicit
// parameters above all, is refused (attacks.md A4).
var namedCurves = map[string]elliptic.Curve{
	"urn:oid:1.2.840.10045.3.1.7": elliptic.P256(),
	"urn:oid:1.3.132.0.34":        elliptic.P384(),
	"urn:oid:1.3.132.0.35":        elliptic.P521(),
}

func parseKeyValue(n xmltext.Node) (KeyInfo, error) {
	c := childrenOf(n)
	if !n.OnlyElements() {
		return KeyInfo{}, refuse(KeyInfoRefused, "KeyValue")
	}
	if v := c.sole(NamespaceDS, "RSAKeyValue"); !v.IsZero() {
		c = childrenOf(v)
		modulus, ok := c.take(NamespaceDS, "Modulus").Value()
		exponent, ok2 := c.take(NamespaceDS, "Exponent").Value()
		if !ok || !ok2 || !c.done() || !v.OnlyElements() || len(modulus) > 4*maxRSABits/8 || len(exponent) > 16 {
			return KeyInfo{}, refuse(KeyInfoRefused, "RSAKeyValue")
		}
		m, err := AppendBase64(nil, modulus)
		if err != nil {
			return KeyInfo{}, err
		}
		e, err := AppendBase64(nil, exponent)
		if err != nil {
			return KeyInfo{}, err
		}
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(m)}
		exp := new(big.Int).SetBytes(e)
		if !exp.IsInt64() || exp.Int64() > 1<<31-1 {
			return KeyInfo{}, refuse(KeyRefused, "RSA exponent")
		}
		key.E = int(exp.Int64())
		if err := checkKey(key); err != nil {
			return KeyInfo{}, err
		}
		return KeyInfo{Selector: ByKeyValue, Key: key}, nil
	}
	v := c.sole(NamespaceDS11, "ECKeyValue")
	if v.IsZero() {
		return KeyInfo{}, refuse(KeyInfoRefused, "content of KeyValue")
	}
	c = childrenOf(v)
	named := c.take(NamespaceDS11, "NamedCurve")
	point, ok := c.take(NamespaceDS11, "PublicKey").Value()
	uri, _ := named.Attribute("", "URI")
	curve := namedCurves[string(uri)]
	if curve == nil || !ok || !c.done() || !v.OnlyElements() || len(point) > 512 {
		return KeyInfo{}, refuse(KeyInfoRefused, "ECKeyValue")
	}
	octets, err := AppendBase64(nil, point)
	if err != nil {
		return KeyInfo{}, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, octets)
	if err != nil {
		return KeyInfo{}, &Error{Reason: KeyRefused, Err: err}
	}
	return KeyInfo{Selector: ByKeyValue, Key: key}, nil
}

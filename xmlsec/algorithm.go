package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha1" // only by Policy
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// Namespaces of the vocabulary this package reads.
const (
	NamespaceDS     = "http://www.w3.org/2000/09/xmldsig#"
	NamespaceDS11   = "http://www.w3.org/2009/xmldsig11#"
	NamespaceExcC14 = "http://www.w3.org/2001/10/xml-exc-c14n#"
	NamespaceWSSE   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	NamespaceWSU    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	NamespaceWSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
	namespaceSAML1  = "urn:oasis:names:tc:SAML:1.0:assertion"
)

// Transform algorithm identifiers.
const (
	transformEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	transformSTR       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
)

// A DigestMethod is a digest algorithm. The zero DigestMethod is none.
type DigestMethod uint8

// The digest methods.
const (
	_ DigestMethod = iota
	SHA1
	SHA256
	SHA384
	SHA512
)

var digestMethods = [...]struct {
	uri  string
	hash crypto.Hash
}{
	SHA1:   {"http://www.w3.org/2000/09/xmldsig#sha1", crypto.SHA1},
	SHA256: {"http://www.w3.org/2001/04/xmlenc#sha256", crypto.SHA256},
	SHA384: {"http://www.w3.org/2001/04/xmldsig-more#sha384", crypto.SHA384},
	SHA512: {"http://www.w3.org/2001/04/xmlenc#sha512", crypto.SHA512},
}

// URI returns the algorithm identifier.
func (m DigestMethod) URI() string {
	if int(m) < len(digestMethods) {
		return digestMethods[m].uri
	}
	return ""
}

// Hash returns the hash function, zero for no method.
func (m DigestMethod) Hash() crypto.Hash {
	if int(m) < len(digestMethods) {
		return digestMethods[m].hash
	}
	return 0
}

func digestMethodOf(uri []byte) DigestMethod {
	for m := SHA1; m <= SHA512; m++ {
		if string(uri) == digestMethods[m].uri {
			return m
		}
	}
	return 0
}

// A SignatureMethod is a signature algorithm. The zero SignatureMethod is none.
type SignatureMethod uint8

// The signature methods: XML Signature 1.1 section 6.4 and RFC 9231 section 2.3.
const (
	_ SignatureMethod = iota
	RSASHA1
	RSASHA256
	RSASHA384
	RSASHA512
	PSSSHA256 // MGF1 with the same hash, salt as long as the hash
	PSSSHA384
	PSSSHA512
	ECDSASHA256
	ECDSASHA384
	ECDSASHA512
)

type family uint8

const (
	familyPKCS1 family = iota + 1
	familyPSS
	familyECDSA
)

var signatureMethods = [...]struct {
	uri    string
	hash   crypto.Hash
	family family
}{
	RSASHA1:     {"http://www.w3.org/2000/09/xmldsig#rsa-sha1", crypto.SHA1, familyPKCS1},
	RSASHA256:   {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", crypto.SHA256, familyPKCS1},
	RSASHA384:   {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", crypto.SHA384, familyPKCS1},
	RSASHA512:   {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", crypto.SHA512, familyPKCS1},
	PSSSHA256:   {"http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", crypto.SHA256, familyPSS},
	PSSSHA384:   {"http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", crypto.SHA384, familyPSS},
	PSSSHA512:   {"http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", crypto.SHA512, familyPSS},
	ECDSASHA256: {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", crypto.SHA256, familyECDSA},
	ECDSASHA384: {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", crypto.SHA384, familyECDSA},
	ECDSASHA512: {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", crypto.SHA512, familyECDSA},
}

// URI returns the algorithm identifier.
func (m SignatureMethod) URI() string {
	if int(m) < len(signatureMethods) {
		return signatureMethods[m].uri
	}
	return ""
}

// Hash returns the hash function, zero for no method.
func (m SignatureMethod) Hash() crypto.Hash {
	if int(m) < len(signatureMethods) {
		return signatureMethods[m].hash
	}
	return 0
}

func signatureMethodOf(uri []byte) SignatureMethod {
	for m := RSASHA1; m <= ECDSASHA512; m++ {
		if string(uri) == signatureMethods[m].uri {
			return m
		}
	}
	return 0
}

// DefaultMethod returns the signature method for a key where nothing else is said:
// RSA with SHA-256, ECDSA with the hash that fits the curve; zero for other keys.
func DefaultMethod(key crypto.PublicKey) SignatureMethod {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return RSASHA256
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return ECDSASHA256
		case elliptic.P384():
			return ECDSASHA384
		case elliptic.P521():
			return ECDSASHA512
		}
	}
	return 0
}

// A Policy says which algorithms a caller admits in a signature and how much of it.
// The zero Policy admits nothing; see DefaultPolicy.
type Policy struct {
	// SHA2 admits the methods with SHA-256, SHA-384 and SHA-512.
	SHA2 bool
	// SHA1 admits rsa-sha1 and the digest sha1. Collisions of SHA-1 are practical:
	// an operator says this by name, for clients that cannot do otherwise.
	SHA1 bool
	// MaxReferences bounds the references of one signature, at most 8.
	MaxReferences int
	// MaxTransforms bounds the transforms of one reference, at most 2.
	MaxTransforms int
}

// DefaultPolicy admits SHA-2, up to 8 references and 2 transforms each.
func DefaultPolicy() Policy {
	return Policy{SHA2: true, MaxReferences: maxReferences, MaxTransforms: maxTransforms}
}

func (p *Policy) admits(h crypto.Hash) bool {
	if h == crypto.SHA1 {
		return p.SHA1
	}
	return p.SHA2 && h != 0
}

// Package xmlsec verifies and makes XML signatures (XML Signature Syntax and
// Processing 1.1) as WS-Security and SAML 1.1 use them. It says with which key
// which elements of a document were signed. It never says whether a key is
// trusted: a KeyInfo selects a key and proves nothing.
//
// # Verifying
//
// [ParseSignature] reads a ds:Signature strictly and resolves what it refers to:
//
//	signature, err := xmlsec.ParseSignature(node)
//	… choose the key: signature.KeyInfo selects, the caller decides …
//	verified, err := signature.Verify(key, &policy)
//	if !verified.Signs(body) { … }
//
// The [Verified] value answers by node identity which elements the signature
// covers. A caller reads only what is covered; that a document "has a valid
// signature" is no statement this package makes, because signature wrapping
// attacks live in it (attacks.md W1 to W20).
//
// # What is admitted
//
// Signature methods RSA PKCS #1 v1.5 and RSA-PSS with SHA-256, SHA-384 and SHA-512,
// ECDSA on P-256, P-384 and P-521 with the same, written r‖s. RSA and digests with
// SHA-1 only where [Policy] says so by name. Transforms are enveloped-signature,
// exclusive canonicalization and the STR-Transform. References are same-document
// references to an identifier. Everything else (HMAC, XPath, XSLT, base64, external
// references, ds:Object, Manifest, inclusive canonicalization, the WithComments
// variants) is refused before a byte is digested.
//
// The zero [Policy] admits nothing.
//
// # Signing
//
// [Signer] appends a ds:Signature over parts whose canonical octets the caller
// gives, through any crypto.Signer.
package xmlsec

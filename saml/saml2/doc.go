// Package saml2 is the SAML 2.0 vocabulary that the service needs, on crewjam/saml,
// etree and goxmldsig, which it alone imports: they are made for SAML 2.0 and its one
// enveloped signature, and know neither SAML 1.1 nor WS-Security.
//
// # Metadata
//
// [Metadata] describes the security token service to those who configure relying
// parties by document and not by hand: an EntityDescriptor with one
// AttributeAuthorityDescriptor that answers SAML 1.1 attribute queries (SAML 2.0
// Metadata section 2.4.7; SAML 1.x Metadata Profile), its addresses, and every
// certificate with which its assertions may be signed. List the next certificate before
// it signs and the last one until what it signed has expired, and nobody is cut off by a
// change of key.
//
// The document is signed, enveloped, with exclusive canonicalization: RSA with SHA-256,
// or ECDSA with the hash that fits the curve, written r‖s (XML Signature 1.1
// section 6.4.3). goxmldsig itself would write ECDSA in DER, which nobody else reads,
// and reads nothing but DER: it verifies our RSA signatures and not those.
//
// A signature in a document says who made it to those who have the certificate by
// another road. The certificate in the document proves nothing.
//
// # What this package does not do
//
// It reads nothing: no metadata of others, no SAML 2.0 message.
package saml2

// Package saml is the vocabulary of SAML 1.1 that the eHealth wire uses: the
// samlp:Request with an AttributeQuery, the samlp:Response, and the Assertion.
//
// Reading takes elements (xmltext.Node) that the caller has found to be signed, or
// judges itself; nothing here verifies. The values read alias the document they are
// read from. Each Parse function fills a value of the caller and uses its memory
// again.
//
// Writing appends to a slice of bytes, in canonical form, so that what is written is
// what is digested: an assertion is never parsed again to be signed.
//
// SAML 2.0 is not here. Clauses are those of "Assertions and Protocol for the OASIS
// Security Assertion Markup Language (SAML) V1.1" (core).
package saml

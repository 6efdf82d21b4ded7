// Package c14n writes the canonical form of an element and what is inside it by
// Exclusive XML Canonicalization 1.0, without comments
// (http://www.w3.org/2001/10/xml-exc-c14n#).
//
// The apex may be any element of a document; the context outside it matters only
// for namespaces, as the recommendation says. One subtree may be left out: the
// signature, for the enveloped-signature transform.
//
// A form that cannot be made is an error and never an empty or partial output,
// because a digest over nothing would then verify (attacks.md D6). Work is linear
// in the input: every declaration is looked at once, where it stands, and a form many
// times as long as the text is refused (Z4).
//
// What is canonicalized is the element, not the meaning of what it says: a prefix
// that stands only in a value (xsi:type="xs:string") is not utilized, so its
// declaration is part of the form only where the PrefixList names it.
//
// Other algorithms (inclusive canonicalization, the WithComments variants) are not
// here; package xmlsec refuses them by name.
package c14n

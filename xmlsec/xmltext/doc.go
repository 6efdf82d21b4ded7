// Package xmltext reads XML text, once and strictly, into one flat immutable
// document. It knows syntax and namespaces only: nothing of signatures, SOAP or
// SAML.
//
// # What is read
//
// Exactly the well-formed documents of XML 1.0 (fifth edition) with Namespaces
// in XML 1.0, in UTF-8, less everything that a message on our wire never needs
// and an attacker does: a document type declaration, processing instructions,
// entities other than the five predefined ones, and two elements that bear one
// identifier. A document that is refused is refused whole, with a [SyntaxError]
// that holds the byte offset and a [Reason]; there is no recovery and no partial
// result.
//
// Other readers of XML are more lenient and differ among themselves; signature
// wrapping and truncation attacks live in those differences. So one message is
// read by this parser, once, and everybody who handles the message afterwards
// holds [Node] values of the one [Document].
//
// # Identifiers
//
// Without a DTD nothing in XML says which attribute is an identifier. The
// attributes that are one somewhere on our wire, or in a library that a peer may
// use, all share a single table: wsu:Id, xml:id, and the unprefixed Id, ID,
// AssertionID, RequestID and ResponseID. A value may be borne by one element only,
// whichever attribute says it (attacks.md W13).
//
// # Limits
//
// [Limits] bounds bytes, depth, nodes, attributes, namespaces and names. The zero
// Limits admits nothing; [DefaultLimits] suits messages of some hundred kilobytes.
// Work and memory are linear in the input for any input within the limits.
//
// # Lifetime
//
// A Document and all that is read from it (Node, slices of bytes) alias the input
// and pooled memory. They are valid until [Document.Release] and while the input is
// left unchanged. Whoever keeps a value longer clones it. A Document is read-only
// after [Parse] and may then be read by several goroutines.
package xmltext

// Package interop holds the tests against stacks that are not ours, on both sides of
// the wire: as consumers they ask our token service for a token and call our guarded
// service with it; as providers they verify what our service issued and our client
// sent. Nothing here is compiled into a program of ours.
//
// The programs of the stacks stand in folders beside this file, each a few hundred
// lines on the library as Debian or npm ships it. docs/interop.md says what was found.
//
// # A program
//
// A program is started once for each role and reads commands on standard input, words
// between tabs, one line each; it answers each with one line. Keys are named by a path
// without its end: PATH.pem is the certificate, PATH.key the PKCS #8 key.
//
//	token URL SSIN IDENTITY HOLDER OUT VARIANT   asks for a token and writes the assertion to OUT
//	call URL ASSERTION HOLDER VARIANT            calls the service
//
// Answers: "ok" and the value of doctor:boolean, which the token, or the answer of the
// service, says; "fault" with the local name of the faultcode and the platform's code;
// "status" with the StatusMessage; "error" and what went wrong here. VARIANT names what
// is done otherwise than the wire says, "-" for nothing.
//
// As a provider a program is started with "provide", the certificate of the authority
// that issued the holders' certificates, and those of the trusted token services. It
// prints "listening PORT" and answers POST: with doctor:boolean of the caller, or with
// a SOAP fault whose faultstring is one of the words in [Refusals].
package interop

// Refusals are what a provider of these tests says when it refuses, in the order in
// which it looks.
var Refusals = []string{
	"timestamp",           // not fresh
	"assertion expired",   // outside of its Conditions
	"sts untrusted",       // signed with a certificate that is none of the trusted ones
	"assertion signature", // does not verify, or signs something else
	"holder untrusted",    // the holder's certificate
	"message signature",   // not by the holder's key, or not over Body and Timestamp
}

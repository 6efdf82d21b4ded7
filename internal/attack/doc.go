// Package attack builds attack messages out of valid signed ones: signature wrapping
// (XSW 1 to 8) for an enveloped signature, relocations for the WS-Security header
// signature, and what can be done to a ds:Signature itself. The ids are those of the
// attack list (W1 to W24, T1 to T3).
//
//	for _, v := range attack.Message(message) { … v.Message must be refused … }
//	for _, v := range attack.Enveloped(request) { … }
//
// [Enveloped] edits the first element with an enveloped signature: a samlp:Request,
// a saml:Assertion or a samlp:Response, alone or anywhere in a larger message. Where
// that element is the whole input, some variants are two elements side by side: the
// content of a Body. An attacker who may sign a header himself wraps what another
// signed: [Seal] puts any content into a message with a good header signature.
//
// The editor is etree, a tree that knows nothing of our parser. What is moved keeps
// the namespaces it had, so its digest does not change: Holds tells for which
// variants a verifier that looks for identifiers anywhere, and asks only whether the
// digests and the signature value are right, still says yes. The tests of this
// package ask such a verifier, built on goxmldsig, or the variants would prove
// nothing.
//
// W22 is about encryption and W23 about HTTP; neither is in a message of ours.
package attack

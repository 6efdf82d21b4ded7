// Package soap reads and writes SOAP 1.1 messages with their WS-Security header
// (SOAP Message Security 1.0, X.509 and SAML token profiles 1.0, Basic Security
// Profile 1.1, whose rule numbers stand at the checks).
//
// A message goes through two hands:
//
//	envelope, err := soap.Parse(message, config)      // well-formed; offers nothing but Verify
//	signed, err := envelope.Verify(policy, keys, now) // fresh, signed, not replayed
//	body := signed.Body()                             // the only body there is
//
// [Envelope] has no way to its body. [Signed] comes only from [Envelope.Verify]; its
// Body is the very element that the signature covers, in its place as child of the
// envelope, so a wrapped body cannot be reached (attacks.md W9 to W15). The zero
// Signed has no body.
//
// Which keys are trusted is not decided here: Verify hands the token that is said to
// have made the signature to a [Keys] of the caller and takes the key from it. Trust
// comes first, so that a stranger's message costs no signature verification and
// never enters the replay state.
//
// # Faults
//
// Errors are of type *[Error]; each Reason leads to one [Fault], which [AppendFault]
// writes with a standard code and, in the detail, the platform's SystemError or
// BusinessError.
package soap

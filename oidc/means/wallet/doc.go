// Package wallet authenticates persons by what they present out of a digital wallet: OpenID for Verifiable Presentations 1.0, with the
// choices of the High Assurance Interoperability Profile 1.0. Credentials are SD-JWT VC (dc+sd-jwt); oidc/sdjwt verifies them.
//
//	Means.Serve   ──▶ page         a link for the wallet of this device; where configured, a QR code for that of another
//	Means.Answer  ◀── wallet       GET or POST request/…: the signed request object; POST response/…: the encrypted answer
//	Means.Serve   ──▶ authn.Proof  the browser comes back to the attempt
//
// The wallet has no cookie of the browser, so the two meet in a transaction: a nonce, a state and a key for one answer, in a Store that all
// replicas share. Its id is a secret of 130 bits that stands in the addresses that the wallet gets. The store knows it by its digest, and what
// is kept is encrypted under it: who reads the store can neither open an answer nor give one.
//
// # What defends against what
//
// A presentation that was made for another verifier, or another transaction, is refused by the key binding, which names our client id and the
// nonce. A second answer to a transaction finds it answered. An answer to the link of this device counts in the browser that began
// the attempt alone, and only with the response_code that the wallet was given for it: who sends somebody his own link gains nothing (session
// fixation; OpenID4VP 13.3, 14.2). The QR code cannot be defended so: who shows somebody the code of his own attempt, and is believed, is in. It is off
// unless it is configured.
//
// # What is not done
//
// mdoc (ISO/IEC 18013-5). The Digital Credentials API. Client ids other than x509_hash and x509_san_dns. More than one credential.
package wallet

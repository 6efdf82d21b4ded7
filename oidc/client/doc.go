// Package client holds the relying parties of an establishment, and decides which of them sends a request.
//
//	registrations, err := client.Read(document)                          // syntax
//	r, err := client.New(registrations, client.Options{Issuer: …})       // everything that is wrong, at once
//	c, a, err := r.Authenticate(request, client.Token)                   // the proof; err is an *Error, which writes itself
//	c.AllowsRedirect(uri); c.Session().Admits(references); a.Thumbprint()
//
// A Registration is what the configuration says, a Client what was made of it: checked, with its defaults, and immutable. Nothing
// is wide by default: a client has the method, the addresses, the scopes and the grants that were said, and PKCE unless it was
// said otherwise.
//
// # Pro Santé Connect
//
// The profile pro-sante-connect fixes what that platform expects of its identity providers: ID tokens in RS256, the claims tid
// and oid, an authentication of at most four hours' age (EXI FI 25), by means that resist phishing unless sets are agreed
// (EXI FI 24), a trace that is kept (EXI FI 36), and a client that authenticates by a secret, a certificate or both (EXI FI 17
// and 18). Both is a method with a secret and require-certificate.
//
// # What is not done
//
// No client registers itself, none authenticates by an HMAC of its secret (client_secret_jwt) or by a header that a proxy wrote,
// and no address that stands in a token or request is contacted. A logo is not shown: it would have to be fetched from the
// client. A redirect to a private scheme of an application is refused: any application of the machine may claim it (RFC 8252
// section 8.4).
//
// Wrong secrets do not lock a client out: see Options.Wrong.
package client

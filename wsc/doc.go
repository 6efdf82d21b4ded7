// Package wsc is the web service consumer: it asks a security token service (STS) for
// a SAML 1.1 assertion, keeps it byte for byte, and calls services with it.
//
// # A token, step by step
//
//	identity, err := certs.LoadSigner(…)              // the doctor's eID
//	holder, err := certs.LoadSigner(…)                // the eHealth certificate of the software
//	credentials, err := wsc.NewCredentials(wsc.ModeSession, identity, holder)
//	client, err := wsc.NewClient(wsc.Config{Trust: verifier})
//	token, err := client.Token(ctx, endpoint, credentials, &wsc.Request{Attributes: …, Validity: 24 * time.Hour})
//	answer, err := client.Call(ctx, service, action, token, body)
//
// Token walks the four steps of the platform: it writes an assertion about the
// caller himself (1), puts it into a samlp:Request and signs that with the holder's
// key (2), sends it in a SOAP message signed with the identity's key (3), and
// verifies the answer (4). In step 2 the signature is absent when identity and
// holder are one certificate, unless [Config.AlwaysSignInner].
//
// # What is verified
//
// The answer is read by one parser. The assertion is taken out of it as the bytes
// that were received, and from then on only those bytes are judged: they must stand
// as a document of their own (all namespaces declared inside), bear exactly one
// signature of their root made by a certificate that [Config.Trust] identifies as an
// STS, name the expected issuer, hold now, confirm our holder certificate by
// holder-of-key, name our identity certificate in each statement, echo our
// identification attributes, and answer every attribute that was asked or that the
// STS says it left out. The answer itself must refer to our request. What is
// verified is what is kept: a wrapped assertion (attacks.md W1 to W8, W15 to W17) is
// never looked at.
//
// The rest of an answer, its status and its faults, is signed by nobody. It is
// reported, shortened and made printable, and decides nothing else.
//
// # Errors
//
// A [*StatusError] is the STS's refusal of the query, a [*Fault] its refusal of the
// message (or the service's, in Call), an [*Error] our own: its Reason says whether
// something was wrong here ([BadRequest], [NoTrust], …), on the way ([Unreachable],
// [TimedOut], …), or with the answer. On error all other results are zero.
//
// # Sessions
//
//	session, err := wsc.NewSession(wsc.SessionConfig{Client: client, Endpoints: …, Credentials: …, Request: …})
//	token, err := session.Token(ctx)
//
// A [Session] holds keys and a token as the platform's connectors do: it renews in time,
// asks another endpoint where the platform's own clients would, falls back on other
// credentials while a card is away, and gives the token that it has as long as that is
// valid, whatever becomes of the STS. A [Store] keeps the token for the next program,
// encrypted.
//
// # What this package does not do
//
// But in a Session nothing is tried again: one call is at most one message. It does not
// verify signatures of services that are called; TLS names them. Revocation of the STS's
// certificate is asked as Trust is configured. Private keys stay where they are: no store
// holds one.
//
// # Concurrency
//
// A Client, Credentials and a Token are immutable and safe for concurrent use, as far
// as the keys in them are. A Session is safe for concurrent use; a Store belongs to one
// Session at a time.
package wsc

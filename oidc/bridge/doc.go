// Package bridge exchanges tokens (RFC 8693) between the two worlds that Sceau speaks: SAML 1.1 assertions of a token service and the
// JSON web tokens of an OpenID provider. It decides, makes and records; who the client is, is proven before ([Client]).
//
//	saml1-to-token      an assertion confirmed by holder-of-key ─▶ an access token, an ID token or another JWT
//	token-to-saml1      an access token, an ID token or a JWT of ours ─▶ an assertion
//	token-to-token      a token of ours ─▶ one for another audience, or for an actor
//	upstream-to-token   an access token of Pro Santé Connect ─▶ an access token for an API (ANS, IG API Pro Santé Connectée)
//
// # What an exchange needs
//
// The client shows its certificate in TLS, and what it brings is bound to that very certificate: an assertion by its holder-of-key
// confirmation, a token by cnf.x5t#S256 (RFC 8705). What it gets is bound to it again. So nothing is ever weaker after an
// exchange than before: a stolen token is of no use to a thief, whose certificate is another, and neither a bearer token nor a bearer
// assertion goes in or comes out. The one exception is the token of an upstream provider that does not bind its tokens: it
// is taken once, while the provider itself says that it is active, from a client to which it was issued.
//
//	Exchange ─▶ identify   the certificate of the TLS connection, anew: chain, validity, revocation
//	          ─▶ prove     the subject token: whose word it is, that it holds now, that the certificate is its holder's
//	          ─▶ delegate  the actor token the same way; may_act; a chain of bounded length
//	          ─▶ permit    policy.ExchangePDP, for each audience: the zero decision denies
//	          ─▶ make      bounded by all of them: subject token, actor token, certificates, policy, age of the authentication
//	audit ═══ one Event whatever the end, recorded before the answer leaves ═══
//
// # What never grows
//
// The end of the result is not after that of the subject token (an upstream's has its own bound, see [Upstream]), of the actor token, of either
// certificate, of what policy admits, nor later than the authentication of the person admits. Scope is that of the subject token or less. The
// methods and the level of the authentication (amr, acr) are carried over, and where SAML has no word for them a weaker
// one is chosen: docs/bridge.md has the table.
//
// # Errors
//
// A refusal is an *[Error] with a [Reason]. A stranger is told the OAuth code of it and the audit id; the cause is in the trail.
package bridge

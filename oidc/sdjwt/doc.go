// Package sdjwt verifies what a person presents out of a wallet in the format dc+sd-jwt: a verifiable credential in SD-JWT (RFC 9901 and
// the SD-JWT VC draft of the IETF), with the proof that whoever presents it holds its key.
//
//	Verifier.Verify ──▶ Presented    issuer trusted, disclosures the issuer's, made for this transaction, not revoked
//	StatusLists.Status               whether a credential is revoked, of the list that its issuer names
//
// It is what a verifier of OpenID for Verifiable Presentations reads (oidc/means/wallet; docs/oid4vp.md). A presentation without key binding
// is refused always: somebody else may have got the credential.
//
// # What is refused though a standard admits it
//
// Digests other than SHA-256. Credentials of a type that was not asked for. Claims disclosed under names that decide about the credential
// itself. A status of any other kind than a status list; any status, where nobody is configured to ask about it. A key binding that is older than
// minutes.
//
// # What is not done
//
// Fetching keys of issuers: they are configured or stand in x5c. Aggregated status lists, and those in CWT. Type metadata. The JSON
// serialization.
package sdjwt

// Package trace follows a federated identification through an audit journal (EXI FI 35): from a token, a session, a person or an
// authentication to all that led to it and all that came of it.
//
//	client ◀─ tokens ◀─ grant, code ◀─ authorization ◀─ session ◀─ authentications ◀─ means, certificate or credential
//
// [Find] reads the journal; it joins records by the ids that they share and by nothing else: grants, ids and digests of tokens join
// what is one identification, across exchanges and to the assertions of the SAML face; session, authentication and attempt
// lead from it to the authentications on which it stands, and to those that failed before. It needs no key; what is sealed
// is opened by who holds it ([Identification.Reveal]). It does not check the chain of the journal: audit.Verify does.
package trace

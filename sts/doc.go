// Package sts turns a signed attribute query into a signed assertion: the security
// token service of the eHealth wire.
//
// The road of a request stands in service.go, on one screen. Each step hands on a
// value that only that step can make (soap.Signed, certs.Identity, Confirmed, Bound,
// a policy.Decision, attrs.Certified), so that no step can be forgotten or
// reordered: the road does not compile otherwise.
//
// # Ends of the road
//
// A request ends in one of three ways, and each is recorded in the audit trail
// before the answer leaves; what cannot be recorded is not answered with a token.
//
//   - Success: a samlp:Response with the assertion.
//   - Refused: the message was what it claims, the query is refused: a
//     samlp:Response whose Status carries one of the codes of errors.go and the
//     audit id.
//   - Fault: the message was not accepted as a query at all (form, security header,
//     or we failed): a SOAP fault with a standard code and the audit id.
//
// A stranger learns the code, never the cause; the operator finds the cause by the
// audit id.
//
// # Concurrency
//
// A Service is safe for concurrent use. Replace changes its configuration while
// requests are under way; each request sees one configuration from end to end.
package sts

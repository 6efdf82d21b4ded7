// Package authzen serves decisions of a policy decision point over HTTP: the OpenID AuthZEN Authorization API 1.0.
//
//	POST /access/v1/evaluation                    may this subject perform this action on this resource?
//	POST /access/v1/evaluations                   several at once: execute_all, deny_on_first_deny, permit_on_first_permit
//	POST /access/v1/search/subject|resource|action
//	GET  /.well-known/authzen-configuration       which of these there are
//	GET  /openapi.json                            the same for programs
//
// # Who may ask
//
// Every client (a policy enforcement point, PEP) is named in the configuration with what proves it, a bearer token, the
// subject of its TLS certificate, or both, and with the resources that it may ask about. Others are 401; a resource that is
// not the client's is 403, and one item of several is denied with that status in its context. Of a search a client
// sees its own resources alone.
//
// # Asking
//
// The types of subjects and resources and the names of actions are those of the schema (package policy/cedar), spelled as
// there. Properties and members of the context that the schema does not have are passed over, as the specification wants;
// those of another type than the schema's are 400. The time is the server's. action.properties are context.action.
//
// A denial is 200 with decision false. A permitted release-attribute carries the value of the attribute in its context, and a
// search for Attribute the values as properties, from the same sources that the token service asks.
//
// # What is told
//
// context.audit_id names the record of the decision, in which the policies stand that determined it; reason is "denied" and
// no more. Every decision is recorded before it leaves; what cannot be recorded is 500.
//
// # Strictness
//
// A body is one JSON object of at most 256 KiB and 16 levels, in UTF-8, without a key twice in one object. Pages are not
// made: a search gives all there is, and page is passed over.
package authzen

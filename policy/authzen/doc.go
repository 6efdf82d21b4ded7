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
// # Pages
//
// A search gives at most 500 results at a time, fewer where page.limit says so, and decides at most 2000 candidates for them. Where there
// is more, page.next_token of the answer is the page.token of the next request, which is otherwise the same; a limit of before may be left
// out. A page may have fewer results than its limit, and the last one is that with an empty next_token. The order is that in
// which the directory, its schema and the catalogue have them; actions by name.
//
// page.total is the number of results as the first page counted them, of the client's own resources as everything else; it is left out
// where the candidates are more than one page may decide. Nothing is kept between pages: each result is decided when it is told, and
// between pages persons may gain or lose what sources say of them. With a limit of 0 a search only counts.
//
// A token is sealed: it says nothing to whoever reads it, and is 400 for another client, another question, another limit, and after
// policies were read again. It is good in the process that gave it out.
//
// # Metadata
//
// With a Config.MetadataKey the metadata have signed_metadata, a JWT by RS256, ES256, ES384 or ES512 with the metadata, iss (the URL of
// this service), iat and exp as claims; it is renewed twice in its day. The header has kid, the RFC 7638 thumbprint of the key, and x5c,
// its certificates: a client verifies them to an authority that it trusts for this, or knows the certificate or kid. No key is told at an
// address of this service, since it would prove no more than the connection on which it came. Where the metadata cannot be signed, as
// after the end of the certificate, there are none: 500.
//
// # Strictness
//
// A body is one JSON object of at most 256 KiB and 16 levels, in UTF-8, without a key twice in one object.
package authzen

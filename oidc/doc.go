// Package oidc is the OpenID Connect face: the identity provider of establishments, as Pro Santé Connect asks of one, over the
// same certificates, attributes, policies and audit trail as the token service for SOAP.
//
//	Server ─▶ Provider (one establishment, one issuer: https://host/etab/<id>)
//	            front ─────▶ client.Registry        who asks: our own authentication of clients, before the library reads the request
//	            go-oidc ───▶ the protocol: parameters, codes, tokens, introspection, revocation
//	            interaction ─▶ authn.Means ─▶ authn.Proof ─▶ authn.Account    who is there
//	            session, grants ─▶ Store            what outlives a request
//
// # What the library does, and what is done here
//
// github.com/luikyv/go-oidc has the protocol. Done here, since it is what the project exists for or what the library does otherwise:
// the authentication of clients (both readings of Basic, a secret together with a certificate, names of certificates compared by
// structure, chains and revocation), single use of codes, pushed requests and refresh tokens under concurrency, the session rule
// (the last explicit authentication is less than four hours old, EXI FI 25), the strength that a client admits, claims,
// consent, logout with an id_token_hint that has expired, back-channel logout, and parameters that are repeated.
//
// # The session rule
//
// A session holds explicit authentications, each with its means, its references (amr) and its instant. A client gets a code
// when one of them, alone, satisfies its policy and is young enough: by the client's maximum age, by max_age of the
// request where that is less, and by prompt=login. Otherwise the person authenticates again, by a means that can satisfy it. auth_time,
// amr and acr of the tokens are those of that one authentication, whatever the others were. Refreshing ends with its age.
//
// # What is not done
//
// No implicit or hybrid flow, no client registration at run time but by federation, no pairwise subjects: sub is the same for all
// clients of an establishment, as the broker of Pro Santé Connect needs it. Request objects by reference are not fetched.
package oidc

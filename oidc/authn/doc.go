// Package authn is the vocabulary of the authentication of persons: by what means someone proved who he is, what that proves,
// and whose account it is. The means themselves are its sub-packages and package oidc joins them with clients, sessions and tokens.
//
//	Means.Serve ──▶ Proof        what was proven in this browser, just now: an Identifier, and how (amr)
//	Accounts.Find ─▶ Account     whose account that is in the establishment: the immutable id, the names
//
// A means never says who may use which application, and never how long a proof is good: that is the policy of the client
// (EXI FI 24 and 25). A person chooses among the means that the policy admits, and changes none of it.
package authn

package sts

// A Stage is a step of the road of a request, as the audit trail names the one that ended it.
type Stage struct {
	Name   string
	Proves string // what is known of a request that has passed it
}

// Stages gives all of them in the order in which a request passes them. A refusal names the stage that it did not pass.
func Stages() []Stage {
	return []Stage{
		{"read", "the message is well-formed SOAP 1.1, within the limits"},
		{"identify", "the certificate that the message says it is signed with is trusted, not revoked, and in the role of an identity"},
		{"verify", "the message is fresh; its signature by that certificate covers Body, Timestamp and token; it was not seen before"},
		{"query", "the Body is one SAML 1.1 attribute query, issued now"},
		{"confirm", "the holder-of-key certificate is trusted, and its key has signed the request"},
		{"bind", "subject, issuer, validity and identification attributes are those of the two certificates, and all attributes are known"},
		{"permit", "policy permits what is released"},
		{"certify", "the authentic sources have answered"},
		{"issue", "the assertion is signed"},
	}
}

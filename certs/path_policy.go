package certs

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// oidAnyPolicy is 2.5.29.32.0, content octets.
const oidAnyPolicy = "\x55\x1d\x20\x00"

// policyExtensions are what a certificate says of policies. Policies are content
// octets of object identifiers; a skip count that is not there is negative.
type policyExtensions struct {
	asserted        []string
	mappings        []policyMapping
	requireExplicit int64 // RFC 5280 section 4.2.1.11
	inhibitMapping  int64
	inhibitAny      int64 // RFC 5280 section 4.2.1.14
}

// policyMapping holds a policy of the issuer's domain equal to one of the subject's.
type policyMapping struct{ issuer, subject string }

// readPolicies reads certificatePolicies (RFC 5280 section 4.2.1.4). Qualifiers
// are passed over: no role shows a notice to anybody.
func readPolicies(der cryptobyte.String) ([]string, error) {
	var list cryptobyte.String
	if !der.ReadASN1(&list, asn1.SEQUENCE) || !der.Empty() || list.Empty() {
		return nil, errExtension("certificate policies")
	}
	var policies []string
	for !list.Empty() {
		var information, id, qualifiers cryptobyte.String
		var qualified bool
		if !list.ReadASN1(&information, asn1.SEQUENCE) || !information.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) ||
			!information.ReadOptionalASN1(&qualifiers, &qualified, asn1.SEQUENCE) || !information.Empty() {
			return nil, errExtension("certificate policies")
		}
		policies = append(policies, string(id))
	}
	return policies, nil
}

// readPolicyMappings reads policyMappings (RFC 5280 section 4.2.1.5).
func readPolicyMappings(der cryptobyte.String) ([]policyMapping, error) {
	var list cryptobyte.String
	if !der.ReadASN1(&list, asn1.SEQUENCE) || !der.Empty() || list.Empty() {
		return nil, errExtension("policy mappings")
	}
	var mappings []policyMapping
	for !list.Empty() {
		var pair, issuer, subject cryptobyte.String
		if !list.ReadASN1(&pair, asn1.SEQUENCE) || !pair.ReadASN1(&issuer, asn1.OBJECT_IDENTIFIER) ||
			!pair.ReadASN1(&subject, asn1.OBJECT_IDENTIFIER) || !pair.Empty() {
			return nil, errExtension("policy mappings")
		}
		mappings = append(mappings, policyMapping{string(issuer), string(subject)})
	}
	return mappings, nil
}

// readConstraints reads policyConstraints (RFC 5280 section 4.2.1.11): at least
// one skip count, none negative.
func (p *policyExtensions) readConstraints(der cryptobyte.String) error {
	var fields cryptobyte.String
	if !der.ReadASN1(&fields, asn1.SEQUENCE) || !der.Empty() || fields.Empty() {
		return errExtension("policy constraints")
	}
	for i, count := range []*int64{&p.requireExplicit, &p.inhibitMapping} {
		tag := asn1.Tag(i).ContextSpecific()
		if fields.PeekASN1Tag(tag) && (!fields.ReadASN1Int64WithTag(count, tag) || *count < 0) {
			return errExtension("policy constraints")
		}
	}
	if !fields.Empty() {
		return errExtension("policy constraints")
	}
	return nil
}

// readInhibitAnyPolicy reads inhibitAnyPolicy (RFC 5280 section 4.2.1.14).
func readInhibitAnyPolicy(der cryptobyte.String) (int64, error) {
	var count int64
	if !der.ReadASN1Integer(&count) || !der.Empty() || count < 0 {
		return 0, errExtension("inhibit any policy")
	}
	return count, nil
}

// checkPolicies is the policy processing of RFC 5280 section 6.1 with
// initial-explicit-policy and initial-policy-mapping-inhibit set, which
// crypto/x509 has not: it passes a path on which no policy stands at all.
//
// Without mappings every node of the valid_policy_tree expects its own policy, so
// that a depth of the tree is a set. The path is valid when a policy of the
// profile, or anyPolicy, is left at the depth of the certificate itself.
func checkPolicies(p *profile, path []*Certificate) error {
	if !p.ExplicitPolicy {
		return nil // crypto/x509 has processed what the certificates themselves demand
	}
	valid := map[string]bool{oidAnyPolicy: true}
	inhibitAny := int64(len(path)) // n+1: never, unless a certificate says so
	for i := len(path) - 2; i >= 0; i-- {
		e, selfIssued := &path[i].extensions.policies, path[i].selfIssued()
		valid = e.narrow(valid, inhibitAny > 0 || i > 0 && selfIssued) // 6.1.3 (d), (e)
		if i == 0 {
			break
		}
		for _, m := range e.mappings {
			if m.issuer == oidAnyPolicy || m.subject == oidAnyPolicy { // 6.1.4 (a)
				return refuse(WrongPolicy, errors.New("a policy of the path is mapped from or to any policy"))
			}
			delete(valid, m.issuer) // 6.1.4 (b) (2): mappings are inhibited
		}
		if !selfIssued && inhibitAny > 0 { // 6.1.4 (h)
			inhibitAny--
		}
		if e.inhibitAny >= 0 { // 6.1.4 (j)
			inhibitAny = min(inhibitAny, e.inhibitAny)
		}
		if len(valid) == 0 { // 6.1.3 (f): explicit_policy is zero from the beginning
			return refuse(WrongPolicy, errors.New("no policy is left on the path"))
		}
	}
	if valid[oidAnyPolicy] {
		return nil
	}
	for _, policy := range p.policyIDs {
		if valid[policy] { // 6.1.5 (g)
			return nil
		}
	}
	return refuse(WrongPolicy, errors.New("the path does not grant a policy that the role demands"))
}

// narrow gives what a certificate leaves of the policies valid above it. anyAdmitted
// tells whether its anyPolicy counts.
func (p *policyExtensions) narrow(valid map[string]bool, anyAdmitted bool) map[string]bool {
	left := map[string]bool{}
	for _, policy := range p.asserted {
		switch {
		case policy != oidAnyPolicy:
			if valid[policy] || valid[oidAnyPolicy] {
				left[policy] = true
			}
		case anyAdmitted:
			for above := range valid {
				left[above] = true
			}
		}
	}
	return left
}

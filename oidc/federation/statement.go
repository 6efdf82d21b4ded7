package federation

import (
	"encoding/json"
	"slices"
	"time"
)

// A statement is an entity statement (3) whose claims were read and checked. Whether it is believed is the chain's to say: only
// verify says which keys made it.
type statement struct {
	token
	issuer, subject string
	issued, expires time.Time
	keys            keySet
	published       map[string]any // the claim jwks as it stands
	metadata        Metadata
	policy          *Policy
	constraints     *constraints
	hints           []string
	marks           []markClaim
	markIssuers     map[string][]string
	markOwners      map[string]owner
}

type markClaim struct{ typ, jwt string }

type owner struct {
	subject string
	keys    keySet
}

// constraints of a superior (6.2). Nil and empty are different: an empty list admits nothing.
type constraints struct {
	maxPathLength       *int
	permitted, excluded []string
	types               []string
}

// standardClaims are the claims that the standard defines for entity statements: crit may name none of them (3.1.1).
var standardClaims = []string{"iss", "sub", "iat", "exp", "jwks", "metadata", "crit", "authority_hints", "trust_anchor_hints",
	"trust_marks", "trust_mark_issuers", "trust_mark_owners", "constraints", "metadata_policy", "metadata_policy_crit",
	"source_endpoint", "aud", "trust_anchor"}

// ownClaims stand only in entity configurations, otherClaims only in statements about others (3.1.2, 3.1.3). The first are what an
// entity says of itself and a superior must not say for it; by the second an entity would make policy for itself.
var (
	ownClaims   = []string{"authority_hints", "trust_anchor_hints", "trust_marks", "trust_mark_issuers", "trust_mark_owners"}
	otherClaims = []string{"constraints", "metadata_policy", "metadata_policy_crit", "source_endpoint"}
)

// readStatement reads a statement of issuer about subject (3.2). It verifies no signature.
func readStatement(raw, issuer, subject string, now time.Time) (*statement, error) {
	t, err := read(raw, typeStatement)
	if err != nil {
		return nil, named(err, subject)
	}
	s := &statement{token: *t}
	if err := s.read(issuer, subject, now); err != nil {
		return nil, named(err, subject)
	}
	return s, nil
}

func (s *statement) read(issuer, subject string, now time.Time) error {
	c := s.claims
	var err error
	if s.issuer, _, err = c.text("iss"); err != nil || s.issuer != issuer {
		return refuse(BadIssuer, "", "iss %.200q, want %.200q", s.issuer, issuer)
	}
	if s.subject, _, err = c.text("sub"); err != nil || s.subject != subject {
		return refuse(BadSubject, "", "sub %.200q, want %.200q", s.subject, subject)
	}
	for _, id := range []string{issuer, subject} {
		if _, err := identified(id); err != nil {
			return err
		}
	}
	if s.issued, s.expires, err = s.times(now, true); err != nil {
		return err
	}
	if _, there := c["aud"]; there { // 3.2: only explicit registration has one
		return &Error{Reason: BadAudience}
	}
	if err := s.critical(); err != nil {
		return err
	}
	misplaced := otherClaims
	if issuer != subject {
		misplaced = ownClaims
	}
	for _, name := range append([]string{"trust_anchor"}, misplaced...) {
		if _, there := c[name]; there {
			return refuse(BadClaim, "", "%s in such a statement", name)
		}
	}
	if s.published, _, err = c.object("jwks"); err == nil {
		s.keys, err = keys(c["jwks"])
	}
	if err != nil {
		return &Error{Reason: BadClaim, Cause: err}
	}
	m, _, err := c.object("metadata")
	if err != nil {
		return &Error{Reason: BadClaim, Cause: err}
	}
	if s.metadata, err = metadataOf(m); err != nil {
		return err
	}
	if issuer == subject {
		return s.readOwn()
	}
	return s.readOther()
}

// critical refuses every claim that crit wants understood, since none beyond the standard's is; and the standard's may not be in it.
func (s *statement) critical() error {
	names, there, err := s.claims.texts("crit")
	switch {
	case err != nil || there && len(names) == 0:
		return refuse(BadClaim, "", "crit")
	case !there:
		return nil
	}
	if i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(standardClaims, n) }); i >= 0 {
		return refuse(BadClaim, "", "crit has the standard claim %s", names[i])
	}
	return refuse(Critical, "", "%.100q", names)
}

func (s *statement) readOwn() error {
	c := s.claims
	var there bool
	var err error
	if s.hints, there, err = c.texts("authority_hints"); err != nil || there && len(s.hints) == 0 {
		return refuse(BadClaim, "", "authority_hints")
	}
	if anchors, there, err := c.texts("trust_anchor_hints"); err != nil || there && len(anchors) == 0 {
		return refuse(BadClaim, "", "trust_anchor_hints")
	}
	if v, there := c["trust_marks"]; there {
		list, ok := v.([]any)
		if !ok {
			return refuse(BadClaim, "", "trust_marks")
		}
		for _, v := range list {
			o, _ := v.(map[string]any)
			typ, _, err := claims(o).text("trust_mark_type")
			jwt, _, err2 := claims(o).text("trust_mark")
			if err != nil || err2 != nil || typ == "" || jwt == "" {
				return refuse(BadClaim, "", "trust_marks")
			}
			s.marks = append(s.marks, markClaim{typ, jwt})
		}
	}
	issuers, _, err := c.object("trust_mark_issuers")
	if err != nil {
		return &Error{Reason: BadClaim, Cause: err}
	}
	s.markIssuers = map[string][]string{}
	for typ, v := range issuers {
		ids, ok := textsOf(v)
		if !ok {
			return refuse(BadClaim, "", "trust_mark_issuers")
		}
		s.markIssuers[typ] = ids
	}
	owners, _, err := c.object("trust_mark_owners")
	if err != nil {
		return &Error{Reason: BadClaim, Cause: err}
	}
	s.markOwners = map[string]owner{}
	for typ, v := range owners {
		o, _ := v.(map[string]any)
		sub, _, err := claims(o).text("sub")
		set, err2 := keys(o["jwks"])
		if err != nil || err2 != nil || sub == "" {
			return refuse(BadClaim, "", "trust_mark_owners")
		}
		s.markOwners[typ] = owner{sub, set}
	}
	return nil
}

func (s *statement) readOther() error {
	c := s.claims
	if names, there, err := c.texts("metadata_policy_crit"); err != nil || there && len(names) == 0 {
		return refuse(BadClaim, "", "metadata_policy_crit")
	} else if there {
		// 3.1.3, 6.1.3.3: no operator beyond the standard's is understood here, and the standard's may not be named.
		return refuse(CriticalOperator, "", "%.100q", names)
	}
	if text, there, err := c.text("source_endpoint"); err != nil || there && !endpoint(text) {
		return refuse(BadClaim, "", "source_endpoint")
	}
	o, there, err := c.object("metadata_policy")
	if err != nil {
		return &Error{Reason: BadClaim, Cause: err}
	}
	if there {
		p, err := policyOf(o)
		if err != nil {
			return err
		}
		s.policy = &p
	}
	o, there, err = c.object("constraints")
	if err != nil {
		return &Error{Reason: BadClaim, Cause: err}
	}
	if there {
		if s.constraints, err = constraintsOf(o); err != nil {
			return &Error{Reason: BadClaim, Cause: err}
		}
	}
	return nil
}

func constraintsOf(o claims) (*constraints, error) {
	var c constraints
	bad := func(name string) (*constraints, error) { return nil, refuse(BadClaim, "", "constraints: %s", name) }
	if v, there := o["max_path_length"]; there {
		n, _ := v.(json.Number)
		i, err := n.Int64()
		if err != nil || i < 0 || i > 1<<20 {
			return bad("max_path_length")
		}
		length := int(i)
		c.maxPathLength = &length
	}
	naming, _, err := o.object("naming_constraints")
	if err != nil {
		return bad("naming_constraints")
	}
	var err2, err3 error
	c.permitted, _, err = claims(naming).texts("permitted")
	c.excluded, _, err2 = claims(naming).texts("excluded")
	var there bool
	c.types, there, err3 = o.texts("allowed_entity_types")
	if err != nil || err2 != nil {
		return bad("naming_constraints")
	}
	if err3 != nil || there && slices.Contains(c.types, "federation_entity") { // 6.2.3
		return bad("allowed_entity_types")
	}
	return &c, nil
}

// own says whether the entity itself made its configuration: it proves that whoever serves it has the key in it, and nothing else.
func (s *statement) own() error { return named(s.verify(s.keys), s.subject) }

// fetchEndpoint is where an authority answers about its subordinates, or empty (5.1.1).
func (s *statement) endpoint(name string) (string, error) {
	text, there, err := claims(s.metadata["federation_entity"]).text(name)
	if err != nil || there && !endpoint(text) {
		return "", refuse(BadClaim, s.subject, "%s", name)
	}
	return text, nil
}

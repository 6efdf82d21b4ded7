package federation

import (
	"context"
	"net/url"
	"slices"
	"time"
)

const mediaStatus = "application/trust-mark-status-response+jwt"

// A mark is a verified trust mark.
type mark struct {
	raw string
	end time.Time // zero: none
}

// mark verifies the trust mark of a type that the subject of a chain has (7.3). Of several it takes the first that is valid.
func (r *Resolver) mark(ctx context.Context, b *budget, c *chain, typ string) (*mark, error) {
	entity := c.subject.subject
	err := error(refuse(TrustMark, entity, "has none of type %.200q", typ))
	for _, m := range c.subject.marks {
		if m.typ != typ {
			continue
		}
		verified, e := r.verifyMark(ctx, b, c, m)
		if e == nil {
			return verified, nil
		}
		if err = e; reasonOf(e) != TrustMark && reasonOf(e) != Unreachable && reasonOf(e) != Limit {
			err = &Error{Reason: TrustMark, Entity: entity, Cause: e}
		}
	}
	return nil, err
}

func (r *Resolver) verifyMark(ctx context.Context, b *budget, c *chain, m markClaim) (*mark, error) {
	entity := c.subject.subject
	t, err := read(m.jwt, typeTrustMark)
	if err != nil {
		return nil, err
	}
	issuer, _, err := t.claims.text("iss")
	if err != nil {
		return nil, &Error{Reason: BadIssuer, Cause: err}
	}
	if sub, _, err := t.claims.text("sub"); err != nil || sub != entity {
		return nil, refuse(BadSubject, "", "a trust mark of %.200q", sub) // somebody else's mark, copied
	}
	if typ, _, err := t.claims.text("trust_mark_type"); err != nil || typ != m.typ {
		return nil, refuse(BadClaim, "", "trust_mark_type %.200q", typ)
	}
	_, end, err := t.times(r.now(), false)
	if err != nil {
		return nil, err
	}
	anchor := c.anchor
	if anchor == nil { // the chain was sent without it
		if anchor, err = r.configuration(ctx, b, c.name); err != nil {
			return nil, err
		}
	}
	// 7: that an issuer may issue marks of a type is what the anchor says. An empty list is everybody in the federation; a type that the
	// anchor does not name is none of the federation's.
	issuers, listed := anchor.markIssuers[m.typ]
	if !listed || len(issuers) > 0 && !slices.Contains(issuers, issuer) {
		return nil, refuse(TrustMark, issuer, "may not issue trust marks of type %.200q", m.typ)
	}
	by, err := r.issuer(ctx, b, c, anchor, issuer)
	if err != nil {
		return nil, err
	}
	if err := t.verify(by.keys); err != nil {
		return nil, named(err, issuer)
	}
	if err := r.delegated(t, anchor, issuer, m.typ); err != nil {
		return nil, err
	}
	if r.status || end.IsZero() {
		if err := r.active(ctx, b, by, m.jwt); err != nil {
			return nil, err
		}
	}
	return &mark{raw: m.jwt, end: end}, nil
}

// markIssuer is who issued a trust mark, and the keys that the federation vouches for.
type markIssuer struct {
	*statement
	keys keySet
}

// issuer establishes trust in the issuer of a trust mark, under the same anchor as in the entity that has it (7.3).
func (r *Resolver) issuer(ctx context.Context, b *budget, c *chain, anchor *statement, name string) (*markIssuer, error) {
	switch name {
	case c.name:
		return &markIssuer{anchor, r.anchors[c.name]}, nil
	case c.subject.subject:
		return &markIssuer{c.subject, c.links[0].keys}, nil // the anchor, as subject, is the case before
	}
	up, err := r.find(ctx, b, name)
	if err != nil {
		return nil, err
	}
	if up.name != c.name {
		return nil, refuse(Untrusted, name, "is under another anchor")
	}
	if _, _, err := up.constrain(); err != nil {
		return nil, err
	}
	return &markIssuer{up.subject, up.links[0].keys}, nil
}

// delegated verifies that the owner of a type of trust marks lets the issuer issue them (7.2.2), where the anchor says that it has an owner
// or the mark says so.
func (r *Resolver) delegated(t *token, anchor *statement, issuer, typ string) error {
	o, owned := anchor.markOwners[typ]
	raw, there, err := t.claims.text("delegation")
	switch {
	case err != nil || owned && !there:
		return refuse(TrustMark, issuer, "no delegation of the owner")
	case there && !owned:
		return refuse(TrustMark, issuer, "a delegation, of an owner that the anchor does not know")
	case !there:
		return nil
	}
	d, err := read(raw, typeDelegation)
	if err != nil {
		return err
	}
	if err := d.verify(o.keys); err != nil {
		return named(err, o.subject)
	}
	if iss, _, err := d.claims.text("iss"); err != nil || iss != o.subject {
		return refuse(BadIssuer, "", "a delegation of %.200q", iss)
	}
	if sub, _, err := d.claims.text("sub"); err != nil || sub != issuer {
		return refuse(BadSubject, "", "a delegation to %.200q", sub)
	}
	if of, _, err := d.claims.text("trust_mark_type"); err != nil || of != typ {
		return refuse(BadClaim, "", "a delegation of type %.200q", of)
	}
	_, _, err = d.times(r.now(), false)
	return err
}

// active asks the issuer whether a trust mark holds still (8.4). No answer is no yes.
func (r *Resolver) active(ctx context.Context, b *budget, by *markIssuer, raw string) error {
	address, err := by.endpoint("federation_trust_mark_status_endpoint")
	if err != nil {
		return err
	}
	if address == "" {
		return refuse(TrustMark, by.subject, "answers nothing about the status of its trust marks")
	}
	answer, err := r.fetcher.post(ctx, b, address, url.Values{"trust_mark": {raw}}, mediaStatus)
	if err != nil {
		return named(err, by.subject)
	}
	t, err := read(answer, typeStatus)
	if err != nil {
		return named(err, by.subject)
	}
	if err := t.verify(by.keys); err != nil {
		return named(err, by.subject)
	}
	if iss, _, err := t.claims.text("iss"); err != nil || iss != by.subject {
		return refuse(BadIssuer, by.subject, "a status of %.200q", iss)
	}
	if about, _, err := t.claims.text("trust_mark"); err != nil || about != raw {
		return refuse(TrustMark, by.subject, "the status of another trust mark")
	}
	issued, _, err := t.times(r.now(), false)
	if err != nil {
		return named(err, by.subject)
	}
	if r.now().Sub(issued) > 10*time.Minute { // replayed from before a revocation
		return refuse(Expired, by.subject, "a status of %s", issued.UTC().Format(time.RFC3339))
	}
	if status, _, err := t.claims.text("status"); err != nil || status != "active" {
		return refuse(TrustMark, by.subject, "status %.40q", status)
	}
	return nil
}

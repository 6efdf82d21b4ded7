package sts

import (
	"context"
	"errors"
	"slices"

	"sceau/attrs"
	"sceau/audit"
	"sceau/certs"
	"sceau/policy"
)

// Permitted is a bound query of which policy said what may be released, and for how
// long. Only permit makes one.
type Permitted struct {
	bound *Bound
}

// permit asks the policy for every attribute that was asked for. A policy that fails
// permits nothing; where it fails because a source did not tell it a role, the source is named.
func (r *road) permit(ctx context.Context, b *Bound) (Permitted, error) {
	r.stage = "permit"
	c := b.confirmed
	r.asked.Identity, r.asked.Holder = requestor(c.identity), requestor(c.holder)
	r.asked.Mode, r.asked.At = c.mode.String(), r.now
	r.asked.Attributes = r.asked.Attributes[:0]
	for i := range b.wanted {
		r.asked.Attributes = append(r.asked.Attributes, b.wanted[i].definition)
	}
	if err := r.Policy.Release(ctx, &r.asked, &r.release); err != nil {
		if attrs.ReasonOf(err) != 0 {
			return Permitted{}, refuseFor(SourceUnavailable, err)
		}
		return Permitted{}, refuseFor(AttributeDenied, err)
	}
	if len(r.release.Decisions) != len(b.wanted) {
		return Permitted{}, refuse(AttributeDenied, "the policy did not decide every attribute")
	}
	r.event.Profiles = append(r.event.Profiles[:0], r.release.Profiles...)
	r.status.LeftOut = r.status.LeftOut[:0]
	released := 0
	for i := range b.wanted {
		decision := &r.release.Decisions[i]
		w, event := &b.wanted[i], &r.event.Attributes[i]
		event.Rule = decision.Rule()
		switch {
		case decision.Permitted():
			w.permitted = true
			released++
		case r.release.OnDenied == policy.Omit:
			event.Disposition = audit.Omitted
			r.status.LeftOut = append(r.status.LeftOut, r.named(w))
		default:
			event.Disposition = audit.Withheld
			return Permitted{}, refuse(AttributeDenied, "denied: "+w.definition.Name)
		}
	}
	if released == 0 {
		return Permitted{}, refuse(AttributeDenied, "nothing is left to release")
	}
	return Permitted{b}, nil
}

// Certified are the answers to a permitted query: one for each attribute that is
// released, in the order asked. Only certify makes one.
type Certified struct {
	permitted *Permitted
	answers   []attrs.Certified
}

// certify asks the authentic sources. What they deny or do not know is an answer; a
// source that does not answer fails the request, unless the attribute is optional: it
// is left out then, and the status says so.
func (r *road) certify(ctx context.Context, p *Permitted) (Certified, error) {
	r.stage = "certify"
	r.question.At = r.now
	r.question.Definitions, r.question.Given = r.question.Definitions[:0], r.question.Given[:0]
	for i := range p.bound.wanted {
		w := &p.bound.wanted[i]
		if !w.permitted || !w.definition.Certified() {
			continue
		}
		r.question.Definitions = append(r.question.Definitions, w.definition)
		if w.definition.Computed {
			given, ok := r.computed(p.bound.confirmed, w.definition)
			if !ok {
				return Certified{}, refuse(AttributeUnknown, "no rule computes "+w.definition.Name)
			}
			r.question.Given = append(r.question.Given, given)
		}
	}
	answers, err := r.Attributes.Resolve(ctx, &r.question, r.answers[:0])
	if err != nil {
		switch attrs.ReasonOf(err) {
		case attrs.NoSubject, attrs.AmbiguousSubject:
			return Certified{}, refuseFor(IdentificationFailed, err)
		case attrs.NoSource, attrs.InvalidQuery:
			return Certified{}, refuseFor(AttributeUnknown, err)
		}
		return Certified{}, refuseFor(SourceUnavailable, err)
	}
	r.answers = answers
	if len(answers) != len(r.question.Definitions) {
		return Certified{}, refuseFor(SourceUnavailable, errors.New("sts: not one answer for each attribute"))
	}
	if answers, err = r.leaveOut(p.bound, answers); err != nil {
		return Certified{}, err
	}
	return Certified{p, answers}, nil
}

// leaveOut takes out of the answers, and of what is released, the optional attributes
// that no source answered for. Something must be left.
func (r *road) leaveOut(b *Bound, answers []attrs.Certified) ([]attrs.Certified, error) {
	if !slices.ContainsFunc(answers, unresolved) {
		return answers, nil
	}
	kept, next, released := answers[:0], 0, 0
	for i := range b.wanted {
		w, event := &b.wanted[i], &r.event.Attributes[i]
		if !w.permitted {
			continue
		}
		if w.definition.Certified() {
			answer := &answers[next]
			next++
			if unresolved(*answer) {
				w.permitted = false
				event.Disposition, event.State, event.Source = audit.Omitted, audit.Unavailable, answer.Source
				r.status.LeftOut = append(r.status.LeftOut, r.named(w))
				r.event.Cause += "left out: " + answer.Failure.Error() + "; "
				continue
			}
			kept = append(kept, *answer)
		}
		released++
	}
	clear(answers[len(kept):])
	if released == 0 {
		return nil, refuse(SourceUnavailable, "every attribute is optional and none could be had: "+r.event.Cause)
	}
	return kept, nil
}

func unresolved(c attrs.Certified) bool { return c.State == attrs.Unresolved }

// computed answers the attributes that the certificates themselves answer.
func (r *road) computed(c *Confirmed, d *attrs.Definition) (attrs.Certified, bool) {
	if d.Name != attrs.UserSession {
		return attrs.Certified{}, false
	}
	// The user's session runs under his own certificate when the one who signed the
	// message and the one to whom the holder's certificate was given are one person.
	state := attrs.Denied
	if ssin := c.identity.SSIN(); ssin != "" && ssin == c.holder.SSIN() {
		state = attrs.Affirmed
	}
	return attrs.Certified{Definition: d, State: state, Source: "certificates", RetrievedAt: r.now}, true
}

func requestor(i certs.Identity) policy.Requestor {
	t, value := i.Identifier()
	return policy.Requestor{Kind: i.Kind().String(), IdentifierType: string(t), Identifier: value}
}

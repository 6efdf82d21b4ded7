package cedar

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	engine "github.com/cedar-policy/cedar-go"

	"sceau/policy"
)

// Release implements policy.PDP: for each attribute it evaluates the action release-attribute with the identity as
// principal. An error permits nothing: *policy.Error with Reason InvalidRequest, or that of an authentic source which
// did not say whether a role is had.
func (p *Policies) Release(ctx context.Context, r *policy.ReleaseRequest, d *policy.Release) error {
	d.Decisions = append(d.Decisions[:0], make([]policy.Decision, len(r.Attributes))...)
	d.Profiles, d.MaximumValidity, d.OnDenied = d.Profiles[:0], 0, policy.Refuse
	if p == nil || p.releases == nil {
		p = &Policies{}
	}
	fallback := r.Mode == policy.ModeFallback
	principalType, err := validRequest(r)
	if err != nil {
		return err
	}
	principal := party{principalType, r.Identity.Kind, r.Identity.IdentifierType, r.Identity.Identifier}
	var need asks
	known := p.keysOf(principal.uid(), p.entities)
	for _, definition := range r.Attributes {
		if released := p.releases[definition]; released != nil {
			released.need(p, known, &need)
		}
	}
	w, err := p.world(ctx, principal, &need, r.At)
	if err != nil {
		return err
	}
	request := engine.Request{
		Principal: w.principal.UID, Action: engine.NewEntityUID(actionType, ReleaseAttribute),
		Context: engine.NewRecord(engine.RecordMap{
			"time": engine.NewDatetime(r.At), "mode": engine.String(r.Mode), "assurance": engine.Long(0),
			"capabilities": engine.NewSet(),
			"holder":       party{"", r.Holder.Kind, r.Holder.IdentifierType, r.Holder.Identifier}.record(),
		}),
	}
	keys := p.keysOf(w.principal.UID, w)
	var v verdict
	var c candidates
	permitted, refuses := false, false
	for i, definition := range r.Attributes {
		released := p.releases[definition]
		if released == nil {
			continue // of another catalogue: denied
		}
		c = c[:0]
		for _, k := range keys {
			for _, rule := range released.rules[k] {
				// Without a window for fallback mode a permit says nothing in it.
				if rule.forbid || rule.windowIn(fallback) > 0 {
					c = append(c, rule)
				}
			}
		}
		request.Resource = released.uid
		p.evaluate(c.sorted(), w, request, &v)
		d.Decisions[i] = p.decide(&v, fallback, d)
		permitted = permitted || d.Decisions[i].Permitted()
		for _, rule := range v.determining {
			refuses = refuses || rule.onDenied == policy.Refuse
		}
	}
	if !permitted {
		return nil
	}
	if !refuses {
		d.OnDenied = policy.Omit
	}
	// What rests on certified attributes ends with the first of them.
	if !w.end.IsZero() {
		d.MaximumValidity = min(d.MaximumValidity, max(w.end.Sub(r.At), 0))
	}
	return nil
}

func (r *rule) windowIn(fallback bool) time.Duration {
	if fallback {
		return r.fallback
	}
	return r.window
}

// decide turns a verdict into a decision and accounts for the profile and the window by which the attribute is
// permitted: of several permits, that with the longest window, so that permitting more never shortens one.
func (p *Policies) decide(v *verdict, fallback bool, d *policy.Release) policy.Decision {
	if !v.permitted {
		return policy.Deny(ids(v.determining))
	}
	best := 0
	for i, r := range v.determining {
		if r.windowIn(fallback) > v.determining[best].windowIn(fallback) {
			best = i
		}
	}
	v.determining[0], v.determining[best] = v.determining[best], v.determining[0]
	first := v.determining[0]
	if window := first.windowIn(fallback); d.MaximumValidity == 0 || window < d.MaximumValidity {
		d.MaximumValidity = window
	}
	if first.profile != "" && !slices.Contains(d.Profiles, first.profile) {
		d.Profiles = append(d.Profiles, first.profile)
	}
	return policy.Permit(ids(v.determining))
}

// ids names the policies for the audit trail: a space between them, the one that counts first.
func ids(rules []*rule) string {
	switch len(rules) {
	case 0:
		return ""
	case 1:
		return rules[0].id
	}
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.id
	}
	return strings.Join(names, " ")
}

// validRequest checks what every request must have and gives the type of the principal.
func validRequest(r *policy.ReleaseRequest) (engine.EntityType, error) {
	invalid := func(text string) error {
		return &policy.Error{Reason: policy.InvalidRequest, Err: errors.New(text)}
	}
	principalType := typeOfKind(r.Identity.Kind)
	switch {
	case r.Mode != policy.ModeSession && r.Mode != policy.ModeEIDOnly && r.Mode != policy.ModeFallback:
		return "", invalid("no such mode")
	case principalType == "":
		return "", invalid("no such kind of identity")
	case typeOfKind(r.Holder.Kind) == "":
		return "", invalid("no such kind of holder")
	case r.At.IsZero():
		return "", invalid("no instant")
	}
	return principalType, nil
}

// typeOfKind gives the type of entity for the kind of a certificate.
func typeOfKind(kind string) engine.EntityType {
	switch kind {
	case policy.KindEID, policy.KindEHealthPerson:
		return Person
	case policy.KindEHealthOrganisation:
		return Organisation
	case policy.KindService:
		return Service
	}
	return ""
}

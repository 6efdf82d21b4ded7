package cedar

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	engine "github.com/cedar-policy/cedar-go"

	"sceau/attrs"
)

// A party is a principal of the platform, as a certificate or a client names it.
type party struct {
	entity                           engine.EntityType
	kind, identifierType, identifier string
}

// partyOf reads TYPE=value. What has another form is an identifier without type, of which no source knows anything.
func partyOf(t engine.EntityType, id string) party {
	identifierType, identifier, ok := strings.Cut(id, "=")
	if !ok || identifierType == "" { // "=SSIN=…" is not another name of SSIN=…
		return party{entity: t, identifier: id}
	}
	return party{entity: t, identifierType: identifierType, identifier: identifier}
}

func (p party) uid() engine.EntityUID {
	if p.identifierType == "" {
		return engine.NewEntityUID(p.entity, engine.String(p.identifier))
	}
	return engine.NewEntityUID(p.entity, engine.String(p.identifierType+"="+p.identifier))
}

func (p party) fields() engine.RecordMap {
	return engine.RecordMap{
		"kind": engine.String(p.kind), "identifierType": engine.String(p.identifierType), "identifier": engine.String(p.identifier),
	}
}

func (p party) record() engine.Record { return engine.NewRecord(p.fields()) }

// isParty says whether entities of a type are principals of the platform.
func isParty(t engine.EntityType) bool { return t == Person || t == Organisation || t == Service }

// A world is the entities that one request is decided among: those of the policies, its principal and its resource.
type world struct {
	static              engine.EntityMap
	principal, resource engine.Entity
	end                 time.Time // of the first certified attribute that was asked for to end; zero: none ends
	answers             []attrs.Certified
}

// Get implements engine.EntityGetter.
func (w *world) Get(uid engine.EntityUID) (engine.Entity, bool) {
	switch uid {
	case w.principal.UID:
		return w.principal, true
	case w.resource.UID:
		return w.resource, true
	}
	return w.static.Get(uid)
}

// world makes the principal: its attributes, its roles, and the certified attributes that policies read.
func (p *Policies) world(ctx context.Context, who party, need *asks, at time.Time) (*world, error) {
	w := &world{static: p.entities}
	uid := who.uid()
	var tags engine.RecordMap
	parents := p.entities[uid].Parents
	if len(need.roles)+len(need.tags) > 0 {
		roles, read, err := p.certify(ctx, who, need, true, at, w)
		if err != nil {
			return nil, err
		}
		tags = read
		if len(roles) > 0 {
			parents = engine.NewEntityUIDSet(append(roles, parents.Slice()...)...)
		}
	}
	w.principal = engine.Entity{UID: uid, Parents: parents, Attributes: who.record(), Tags: engine.NewRecord(tags)}
	return w, nil
}

// certify asks the authentic sources, once, for the attributes by which the principal has roles and for those that
// policies read. Where the answers are needed to decide, a source that does not answer is an error, also about an attribute that
// is optional for consumers: nobody is without a role because it could not be asked, and no forbid that reads the attribute is
// passed over.
func (p *Policies) certify(ctx context.Context, who party, need *asks, needed bool, at time.Time, w *world) ([]engine.EntityUID, engine.RecordMap, error) {
	q := attrs.Query{At: at}
	ask := func(d *attrs.Definition) {
		by := p.keyed(d, who.identifierType)
		if by == nil || slices.Contains(q.Definitions, d) {
			return // no source knows it of such a principal
		}
		q.Definitions = append(q.Definitions, d)
		if keyed := (attrs.Keyed{By: by, Value: who.identifier}); !slices.Contains(q.Subjects, keyed) {
			q.Subjects = append(q.Subjects, keyed)
		}
	}
	for _, r := range need.roles {
		if r.definition != nil {
			ask(r.definition)
		}
	}
	for _, t := range need.tags {
		ask(t.definition)
	}
	if len(q.Definitions) == 0 {
		return nil, nil, nil
	}
	answers, err := p.attributes.Resolve(ctx, &q, nil)
	if err != nil {
		return nil, nil, err
	}
	if len(answers) != len(q.Definitions) {
		return nil, nil, &attrs.Error{Reason: attrs.BadAnswer, Err: errors.New("not one answer for each attribute")}
	}
	w.end, w.answers = attrs.Earliest(answers), answers
	if err := unresolved(answers); err != nil && needed {
		return nil, nil, err
	}
	answer := func(d *attrs.Definition) *attrs.Certified {
		if i := slices.Index(q.Definitions, d); i >= 0 {
			return &answers[i]
		}
		return nil
	}
	var roles []engine.EntityUID
	for _, r := range need.roles {
		if r.definition != nil && r.hadBy(answer(r.definition)) {
			roles = append(roles, r.uid)
		}
	}
	tags := engine.RecordMap{}
	for _, t := range need.tags {
		if value, ok := tagValue(answer(t.definition)); ok {
			tags[engine.String(t.name)] = value
		}
	}
	return roles, tags, nil
}

// unresolved gives why one of the answers is none, nil where all are.
func unresolved(answers []attrs.Certified) error {
	for i := range answers {
		switch c := &answers[i]; {
		case c.State != attrs.Unresolved:
		case c.Failure != nil:
			return c.Failure
		default:
			return &attrs.Error{Reason: attrs.SourceUnavailable, Source: c.Source, Attribute: c.Definition.Name}
		}
	}
	return nil
}

// hadBy says whether an answer of a source gives the role. Only what is affirmed does.
func (r *role) hadBy(c *attrs.Certified) bool {
	if c == nil || c.State != attrs.Affirmed {
		return false
	}
	if r.values == nil {
		return true
	}
	for value := range c.WireValues {
		if r.values[value] {
			return true
		}
	}
	return false
}

func tagValue(c *attrs.Certified) (engine.Value, bool) {
	if c == nil || c.State == attrs.Unknown || c.State == 0 {
		return nil, false
	}
	var values []engine.Value
	for value := range c.WireValues {
		values = append(values, engine.String(value))
	}
	return engine.NewSet(values...), true
}

// keyed gives the identification attribute by which a source is asked for d about a principal with an identifier of a
// type, nil when it is not known by such a one.
func (p *Policies) keyed(d *attrs.Definition, identifierType string) *attrs.Definition {
	for _, alternative := range d.KeyedBy {
		if len(alternative) != 1 {
			continue // a relation of two
		}
		by, ok := p.catalogue.Find(attrs.Designator{Name: alternative[0], Namespace: attrs.NamespaceIdentification})
		if ok && slices.Contains(by.CertificateTypes, identifierType) {
			return by
		}
	}
	return nil
}

// keysOf gives every way in which a scope can name an entity: all, its type, itself, and each that it is in.
func (p *Policies) keysOf(uid engine.EntityUID, entities engine.EntityGetter) []key {
	keys := []key{{}, typeKey(uid.Type), oneKey(uid)}
	for next := 2; next < len(keys); next++ {
		entity, _ := entities.Get(keys[next].uid)
		for parent := range entity.Parents.All() {
			if k := oneKey(parent); !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

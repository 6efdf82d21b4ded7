package cedar

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"

	"sceau/attrs"
	"sceau/policy"
)

// An Entity is a subject or a resource as whoever asks describes it. The type is one of the schema, spelled as there.
type Entity struct {
	Type, ID string
	// Properties are what JSON says of it, as encoding/json decodes it (numbers as json.Number or float64). Those that
	// the schema gives the type are its attributes; others are passed over. What the directory says of the entity
	// goes before what whoever asks says.
	Properties map[string]any
}

// A Question is whether a subject may perform an action on a resource.
type Question struct {
	Subject, Resource Entity
	Action            string
	// Context as JSON has it: what the schema gives the action is taken, other members are passed over. The time, where
	// the schema has one, is At: whoever asks does not choose it.
	Context map[string]any
	// ActionProperties are context.action, where the schema has it.
	ActionProperties map[string]any
	At               time.Time // never zero
}

// An Answer to a Question. The zero Answer denies.
type Answer struct {
	policy.Decision
	// Until is when what decided ends; zero when nothing that was asked for does.
	Until time.Time
}

// Decide answers a question. It is safe for concurrent use. The error, with Reason InvalidRequest, says that the
// question is none the schema has; a type, an action or a combination of them that no policy can speak of is no error
// and denied. Other errors are those of authentic sources. On an error nothing is permitted.
func (p *Policies) Decide(ctx context.Context, q *Question) (Answer, error) {
	v, until, err := p.determine(ctx, q)
	switch {
	case err != nil:
		return Answer{}, err
	case v.permitted:
		return Answer{Decision: policy.Permit(ids(v.determining)), Until: until}, nil
	}
	return Answer{Decision: policy.Deny(ids(v.determining)), Until: until}, nil
}

// determine answers a question with what decided it, and says when that ends. On an error, and where no policy can speak of the question,
// nothing is permitted.
func (p *Policies) determine(ctx context.Context, q *Question) (v verdict, until time.Time, err error) {
	if p == nil || p.schema == nil {
		return verdict{}, time.Time{}, nil
	}
	request, resource, err := p.request(q)
	if err != nil || request == nil {
		return verdict{}, time.Time{}, err
	}
	subject, err := p.subject(q)
	if err != nil {
		return verdict{}, time.Time{}, err
	}
	about, err := p.resourceRoles(ctx, request.Action, &resource, q.At)
	if err != nil {
		return verdict{}, time.Time{}, err
	}
	var admitted []*slice
	var need asks
	known := p.keysOf(subject.UID, &world{static: p.entities, principal: subject})
	for _, k := range p.keysOf(resource.UID, &world{static: p.entities, resource: resource}) {
		if s := p.slices[request.Action][k]; s != nil {
			admitted = append(admitted, s)
			s.need(p, known, &need)
		}
	}
	if resource.UID.Type == Role {
		need.addRole(p.roles[resource.UID])
	}
	w := &world{static: p.entities, principal: subject}
	if isParty(subject.UID.Type) {
		if w, err = p.world(ctx, q.party(p), &need, q.At); err != nil {
			return verdict{}, time.Time{}, err
		}
	}
	w.resource, request.Principal = resource, subject.UID
	if !about.IsZero() && (w.end.IsZero() || about.Before(w.end)) {
		w.end = about
	}
	fallback := request.Action.ID == ReleaseAttribute && q.Context["mode"] == policy.ModeFallback
	var rules candidates
	for _, k := range p.keysOf(subject.UID, w) {
		for _, s := range admitted {
			for _, r := range s.rules[k] {
				if !fallback || r.forbid || r.fallback > 0 {
					rules = append(rules, r)
				}
			}
		}
	}
	p.evaluate(rules.sorted(), w, *request, &v)
	return v, w.end, nil
}

// resourceRoles gives a resource that is itself a principal of the platform, such as a service or a patient, the roles that sources
// certify and policies of the action speak of: without them a forbid about whoever is in a role would not hold. It says when
// the first of them ends; zero: none does.
func (p *Policies) resourceRoles(ctx context.Context, action engine.EntityUID, resource *engine.Entity, at time.Time) (time.Time, error) {
	if !isParty(resource.UID.Type) {
		return time.Time{}, nil
	}
	var need asks
	for _, s := range p.slices[action] {
		for _, rules := range s.rules {
			for _, r := range rules {
				need.add(p, r)
			}
		}
	}
	need.tags = nil // of the principal alone
	slices.SortFunc(need.roles, func(a, b *role) int { return cmp.Compare(a.uid.ID, b.uid.ID) })
	var w world
	roles, _, err := p.certify(ctx, partyOf(resource.UID.Type, string(resource.UID.ID)), &need, true, at, &w)
	if err == nil && len(roles) > 0 {
		resource.Parents = engine.NewEntityUIDSet(append(roles, resource.Parents.Slice()...)...)
	}
	return w.end, err
}

// request turns a question into that of the engine, without its principal; nil where the schema has no such question.
func (p *Policies) request(q *Question) (*engine.Request, engine.Entity, error) {
	if q.At.IsZero() {
		return nil, engine.Entity{}, invalidQuestion("no instant")
	}
	action, ok := p.schema.Actions[engine.NewEntityUID(actionType, types.String(q.Action))]
	if !ok || action.AppliesTo == nil || !slices.Contains(action.AppliesTo.Principals, engine.EntityType(q.Subject.Type)) ||
		!slices.Contains(action.AppliesTo.Resources, engine.EntityType(q.Resource.Type)) {
		return nil, engine.Entity{}, nil
	}
	if q.Resource.Type == Attribute && q.Action == ReleaseAttribute {
		if _, known := p.Attribute(q.Resource.ID); !known { // none, or hidden
			return nil, engine.Entity{}, nil
		}
	}
	resource, err := p.entity(&q.Resource)
	if err != nil {
		return nil, engine.Entity{}, err
	}
	circumstances, err := p.circumstances(q, action.AppliesTo.Context)
	if err != nil {
		return nil, engine.Entity{}, err
	}
	return &engine.Request{Action: engine.NewEntityUID(actionType, types.String(q.Action)), Resource: resource.UID, Context: circumstances},
		resource, nil
}

// subject makes the principal of a question, without what sources say of him.
func (p *Policies) subject(q *Question) (engine.Entity, error) {
	if isParty(engine.EntityType(q.Subject.Type)) {
		who := q.party(p)
		return engine.Entity{UID: who.uid(), Parents: p.entities[who.uid()].Parents, Attributes: who.record()}, nil
	}
	return p.entity(&q.Subject)
}

// party reads the subject as a principal of the platform. Its kind is what the directory says, or whoever asks.
func (q *Question) party(p *Policies) party {
	who := partyOf(engine.EntityType(q.Subject.Type), q.Subject.ID)
	who.kind, _ = q.Subject.Properties["kind"].(string)
	if stored, ok := p.entities[who.uid()].Attributes.Get("kind"); ok && stored != engine.String("") {
		who.kind = string(stored.(engine.String))
	}
	return who
}

// entity makes an entity of what whoever asks says of it and of what the directory does.
func (p *Policies) entity(e *Entity) (engine.Entity, error) {
	uid := engine.NewEntityUID(engine.EntityType(e.Type), types.String(e.ID))
	stored, known := p.entities[uid]
	stored.UID = uid
	definition, ok := p.schema.Entities[uid.Type]
	if !ok { // an enumeration
		if enum, ok := p.schema.Enums[uid.Type]; ok && !slices.Contains(enum.Values, uid) {
			return engine.Entity{}, invalidQuestion("no such " + e.Type)
		}
		return stored, nil
	}
	if isParty(uid.Type) {
		if !known {
			stored.Attributes = partyOf(uid.Type, e.ID).record()
		}
		return stored, nil
	}
	if uid.Type == Attribute || uid.Type == Role || uid.Type == Profile {
		return stored, nil // the platform's own: nobody else describes them
	}
	fields := stored.Attributes.Map()
	if fields == nil {
		fields = engine.RecordMap{}
	}
	for name, value := range e.Properties {
		attribute, ok := definition.Shape[types.String(name)]
		if _, has := fields[types.String(name)]; has || !ok {
			continue
		}
		converted, err := convert(value, attribute.Type)
		if err != nil {
			return engine.Entity{}, invalidQuestion("property " + name + " of " + e.Type + ": " + err.Error())
		}
		fields[types.String(name)] = converted
	}
	stored.Attributes = engine.NewRecord(fields)
	return stored, nil
}

// circumstances makes the context of a request.
func (p *Policies) circumstances(q *Question, shape resolved.RecordType) (engine.Record, error) {
	fields := engine.RecordMap{}
	for name, attribute := range shape {
		value, given := q.Context[string(name)]
		switch {
		case name == "time" && isDatetime(attribute.Type):
			fields[name] = engine.NewDatetime(q.At)
			continue
		case name == "action" && q.ActionProperties != nil:
			value, given = q.ActionProperties, true
		case given:
		case name == "assurance":
			fields[name] = engine.Long(0)
			continue
		case name == "capabilities":
			fields[name] = engine.NewSet()
			continue
		case attribute.Optional:
			continue
		default:
			return engine.Record{}, invalidQuestion("context: no " + string(name))
		}
		if !given {
			continue
		}
		converted, err := convert(value, attribute.Type)
		if err != nil {
			return engine.Record{}, invalidQuestion("context: " + string(name) + ": " + err.Error())
		}
		fields[name] = converted
	}
	return engine.NewRecord(fields), nil
}

// Attribute gives the definition of the attribute that an entity Attribute with this id is, and false for a hidden one, which no
// consumer may ask for.
func (p *Policies) Attribute(id string) (*attrs.Definition, bool) {
	if p == nil {
		return nil, false
	}
	d, ok := p.byUID[engine.NewEntityUID(Attribute, types.String(id))]
	return d, ok
}

// Values asks the sources for certified attributes of a subject, in one query; those by which no source knows such a
// subject, and those of the certificates, are left out. An optional attribute that could not be had is attrs.Unresolved. It does not
// decide whether they may be released.
func (p *Policies) Values(ctx context.Context, subject Entity, wanted []*attrs.Definition, at time.Time) ([]attrs.Certified, error) {
	who := partyOf(engine.EntityType(subject.Type), subject.ID)
	if p == nil || p.attributes == nil || !isParty(who.entity) {
		return nil, nil
	}
	need := asks{}
	for _, d := range wanted {
		if d.Certified() && !d.Computed {
			need.tags = append(need.tags, tag{d.Name, d})
		}
	}
	var w world
	if _, _, err := p.certify(ctx, who, &need, false, at, &w); err != nil {
		return nil, err
	}
	return w.answers, nil
}

func invalidQuestion(text string) error {
	return &policy.Error{Reason: policy.InvalidRequest, Err: errors.New(text)}
}

// Actions gives the actions that the schema has for a subject and a resource of these types, by name.
func (p *Policies) Actions(subjectType, resourceType string) []string {
	if p == nil || p.schema == nil {
		return nil
	}
	var names []string
	for uid, action := range p.schema.Actions {
		if action.AppliesTo != nil && slices.Contains(action.AppliesTo.Principals, engine.EntityType(subjectType)) &&
			slices.Contains(action.AppliesTo.Resources, engine.EntityType(resourceType)) {
			names = append(names, string(uid.ID))
		}
	}
	slices.Sort(names)
	return names
}

// Context gives the names of what the schema has in the context of an action.
func (p *Policies) Context(action string) (names []string) {
	if p == nil || p.schema == nil {
		return nil
	}
	if a, ok := p.schema.Actions[engine.NewEntityUID(actionType, types.String(action))]; ok && a.AppliesTo != nil {
		for name := range a.AppliesTo.Context {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names
}

// Profiles gives the profiles in the order of their file; the caller may change the list.
func (p *Policies) Profiles() []policy.Profile {
	if p == nil {
		return nil
	}
	return slices.Clone(p.profiles)
}

// Entities gives the ids of all entities of a type that are known: those of the directory, and all attributes that
// are not hidden and all profiles. Of persons and organisations it knows those alone that the directory names.
func (p *Policies) Entities(entityType string) []string {
	if p == nil || p.schema == nil {
		return nil
	}
	var ids []string
	switch entityType {
	case Attribute:
		for d := range p.catalogue.All() {
			if !d.Hidden {
				ids = append(ids, string(p.releases[d].uid.ID))
			}
		}
	case Profile:
		for i := range p.profiles {
			ids = append(ids, p.profiles[i].Name)
		}
	default:
		for _, uid := range p.schema.Enums[engine.EntityType(entityType)].Values {
			ids = append(ids, string(uid.ID))
		}
		for _, uid := range p.own {
			if uid.Type == engine.EntityType(entityType) {
				ids = append(ids, string(uid.ID))
			}
		}
	}
	return ids
}

// Knows says whether the schema has a type of entity.
func (p *Policies) Knows(entityType string) bool {
	if p == nil || p.schema == nil {
		return false
	}
	_, entity := p.schema.Entities[engine.EntityType(entityType)]
	_, enum := p.schema.Enums[engine.EntityType(entityType)]
	return entity || enum
}

// KnowsAction says whether the schema has an action.
func (p *Policies) KnowsAction(name string) bool {
	if p == nil || p.schema == nil {
		return false
	}
	_, ok := p.schema.Actions[engine.NewEntityUID(actionType, types.String(name))]
	return ok
}

// IsPlatformType says whether a type of entity is of the platform's schema and its ids name no person.
func IsPlatformType(entityType string) bool {
	switch entityType {
	case Role, Attribute, Profile, Application, Service:
		return true
	}
	return false
}

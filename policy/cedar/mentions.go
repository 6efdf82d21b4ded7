package cedar

import (
	"encoding/json"
	"slices"
	"strconv"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"sceau/attrs"
)

// mentions finds the entities and the certified attributes that a policy speaks of. What stands in it must exist:
// the validator checks types and actions, not whether there is such an attribute, profile or role.
func (l *loader) mentions(r *rule) {
	text, err := r.policy.MarshalJSON()
	var tree any
	if err == nil {
		err = json.Unmarshal(text, &tree)
	}
	if err != nil {
		l.wrong(r.file, r.line, "%s: %v", r.title(), err)
		return
	}
	l.walk(r, tree)
	r.reads, r.text = readsOf(tree, ""), string(r.policy.MarshalCedar())
	switch scope := (*ast.Policy)(r.policy.AST()).Resource.(type) {
	case ast.ScopeTypeIn:
		r.profile = profileName(scope.Entity)
	case ast.ScopeTypeIsIn:
		r.profile = profileName(scope.Entity)
	}
	if (r.anyRole || len(r.roles) > 0 || len(r.tags) > 0) && l.policies.attributes == nil && l.needsSource(r) {
		l.wrong(r.file, r.line, "%s: it speaks of certified attributes, and there is no source of them", r.title())
	}
}

func profileName(uid engine.EntityUID) string {
	if uid.Type == Profile {
		return string(uid.ID)
	}
	return ""
}

func (l *loader) needsSource(r *rule) bool {
	var need asks
	need.add(l.policies, r)
	return len(need.tags) > 0 || slices.ContainsFunc(need.roles, func(r *role) bool { return r.definition != nil })
}

// walk goes over the JSON form of a policy, in which an entity is an object of two texts, type and id.
func (l *loader) walk(r *rule, node any) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			l.walk(r, child)
		}
	case map[string]any:
		t, typed := n["type"].(string)
		id, named := n["id"].(string)
		if typed && named && len(n) == 2 {
			l.entity(r, engine.NewEntityUID(types.EntityType(t), types.String(id)))
			return
		}
		if of, ok := n["in"].(map[string]any); ok {
			if right, binary := of["right"]; binary && !known(right) {
				r.anyRole = true
			}
		}
		if of, ok := n["is"].(map[string]any); ok && of["in"] != nil && !known(of["in"]) {
			r.anyRole = true
		}
		for _, operator := range []string{"hasTag", "getTag"} {
			if of, ok := n[operator].(map[string]any); ok {
				l.tag(r, of["left"], of["right"])
			}
		}
		for _, child := range n {
			l.walk(r, child)
		}
	}
}

// known says whether the right side of "in" names its roles: they are written out, or it is the resource, which a request
// names. Elsewhere (resource.blocked, context.role) any role may be meant, and all must be asked for: a forbid that
// speaks of a role which nobody asked for would not hold.
func known(node any) bool {
	n, _ := node.(map[string]any)
	if members, ok := n["Set"].([]any); ok {
		return !slices.ContainsFunc(members, func(member any) bool { return !known(member) })
	}
	_, literal := n["Value"]
	return literal || n["Var"] == "resource"
}

// entity checks an entity that a policy names. Those of a directory's own types may be unknown: a client may bring them.
func (l *loader) entity(r *rule, uid engine.EntityUID) {
	_, known := l.policies.entities[uid]
	switch uid.Type {
	case Role:
		if !slices.Contains(r.roles, uid) {
			r.roles = append(r.roles, uid)
		}
		if l.policies.roles[uid] == nil {
			l.wrong(r.file, r.line, "%s: there is no role %s", r.title(), strconv.QuoteToASCII(string(uid.ID)))
		}
	case Attribute, Profile:
		if !known {
			l.wrong(r.file, r.line, "%s: there is no %s %s", r.title(), uid.Type, strconv.QuoteToASCII(string(uid.ID)))
		}
	case Application:
		if !known {
			l.warn(r.file, r.line, "%s: no entity is Application %s", r.title(), strconv.QuoteToASCII(string(uid.ID)))
		}
	case Person, Organisation, Service:
		if p := partyOf(uid.Type, string(uid.ID)); p.identifierType == "" && uid.Type != Service {
			l.wrong(r.file, r.line, "%s: a %s is named TYPE=value", r.title(), uid.Type)
		}
	}
}

// tag checks a certified attribute that a policy reads. Sources are asked about the principal alone: of anybody else, such as a
// resource that is a person, it would look as if there were none, and a forbid that reads it would not hold.
func (l *loader) tag(r *rule, of, node any) {
	if who, _ := of.(map[string]any); who["Var"] != "principal" {
		l.wrong(r.file, r.line, "%s: certified attributes are read of the principal alone", r.title())
		return
	}
	literal, _ := node.(map[string]any)
	name, ok := literal["Value"].(string)
	if !ok {
		l.wrong(r.file, r.line, "%s: the name of a tag is written out, so that it is known which attribute to ask for", r.title())
		return
	}
	d, ok := l.definition(name)
	if !ok {
		l.wrong(r.file, r.line, "%s: no source certifies %s", r.title(), strconv.QuoteToASCII(name))
		return
	}
	if t := (tag{name, d}); !slices.Contains(r.tags, t) {
		r.tags = append(r.tags, t)
	}
}

// definition finds a certified attribute that a source can be asked for.
func (l *loader) definition(name string) (*attrs.Definition, bool) {
	d, ok := l.policies.catalogue.Find(attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified})
	return d, ok && !d.Computed && (l.routed == nil || l.routed(d))
}

// releases says whether the scope of a policy can admit the release of an attribute.
func (l *loader) releases(r *rule) bool {
	scopes := (*ast.Policy)(r.policy.AST())
	if !slices.Contains(l.policies.actionsOf(scopes.Action), engine.NewEntityUID(actionType, ReleaseAttribute)) {
		return false
	}
	switch scope := scopes.Resource.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity.Type == Attribute
	case ast.ScopeTypeIn:
		return scope.Entity.Type == Attribute || scope.Entity.Type == Profile
	case ast.ScopeTypeIs:
		return scope.Type == Attribute
	case ast.ScopeTypeIsIn:
		return scope.Type == Attribute
	}
	return true
}

// actionsOf gives the actions of the schema that the scope of a policy admits.
func (p *Policies) actionsOf(scope ast.IsActionScopeNode) []engine.EntityUID {
	var named []engine.EntityUID
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return []engine.EntityUID{s.Entity}
	case ast.ScopeTypeIn:
		named = []engine.EntityUID{s.Entity}
	case ast.ScopeTypeInSet:
		named = s.Entities
	}
	_, all := scope.(ast.ScopeTypeAll)
	var admitted []engine.EntityUID
	for uid := range p.schema.Actions {
		if all || slices.ContainsFunc(p.keysOf(uid, p.entities), func(k key) bool { return k.one && slices.Contains(named, k.uid) }) {
			admitted = append(admitted, uid)
		}
	}
	return admitted
}

// speaksOf says whether the scope of a policy admits an action.
func (l *loader) speaksOf(r *rule, action string) bool {
	return slices.Contains(l.policies.actionsOf((*ast.Policy)(r.policy.AST()).Action), engine.NewEntityUID(actionType, types.String(action)))
}

package cedar

import (
	"cmp"
	"slices"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"sceau/attrs"
)

// compile files every policy under what its scope admits, so that a request is evaluated against those alone that can
// hold for it, however many others there are.
func (p *Policies) compile() {
	p.slices = map[engine.EntityUID]map[key]*slice{}
	for i := range p.rules {
		r := &p.rules[i]
		scopes := (*ast.Policy)(r.policy.AST())
		principal, resource := scopeKey(scopes.Principal), scopeKey(scopes.Resource)
		for _, action := range p.actionsOf(scopes.Action) {
			if p.slices[action] == nil {
				p.slices[action] = map[key]*slice{}
			}
			if p.slices[action][resource] == nil {
				p.slices[action][resource] = &slice{}
			}
			p.slices[action][resource].add(p, principal, r)
		}
	}
	p.releases, p.byUID = map[*attrs.Definition]*release{}, map[engine.EntityUID]*attrs.Definition{}
	byResource := p.slices[engine.NewEntityUID(actionType, ReleaseAttribute)]
	for d := range p.catalogue.All() {
		one := &release{uid: AttributeUID(d)}
		for _, k := range p.keysOf(one.uid, p.entities) { // in this order: what is asked of sources has one, too
			if s := byResource[k]; s != nil {
				for principal, rules := range s.rules {
					one.add(p, principal, rules...)
				}
			}
		}
		slices.SortFunc(one.roles, func(a, b *role) int { return cmp.Compare(a.uid.ID, b.uid.ID) })
		if p.releases[d] = one; !d.Hidden {
			p.byUID[one.uid] = d
		}
	}
}

// scopeKey gives the way in which a scope names what it admits. "is T in E" is filed under E: the engine sees to T.
func scopeKey(scope ast.IsScopeNode) key {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return oneKey(s.Entity)
	case ast.ScopeTypeIn:
		return oneKey(s.Entity)
	case ast.ScopeTypeIsIn:
		return oneKey(s.Entity)
	case ast.ScopeTypeIs:
		return typeKey(s.Type)
	}
	return key{}
}

package cedar

import (
	"cmp"
	"slices"
	"time"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"sceau/policy"
)

// usualMaximum is the validity that clients ask for (wire document, section 8).
const usualMaximum = 24 * time.Hour

// Lint gives what is allowed and hardly meant, in the order of files and lines. Nothing of it changes what is decided.
func (p *Policies) Lint() []policy.Problem {
	if p == nil {
		p = &Policies{}
	}
	found := &loader{policies: &Policies{warnings: slices.Clone(p.warnings)}}
	if len(p.rules) == 0 {
		found.warn("", 0, "there is no policy: everything is denied")
	}
	used := map[engine.EntityUID]bool{}
	granted := map[string]bool{}
	for i := range p.rules {
		r := &p.rules[i]
		for _, uid := range r.roles {
			used[uid] = true
		}
		if !r.forbid {
			granted[r.profile] = true
		}
		scopes := (*ast.Policy)(r.policy.AST())
		everything := scopeKey(scopes.Principal) == key{} && scopeKey(scopes.Resource) == key{} && len(scopes.Conditions) == 0
		if _, anyAction := scopes.Action.(ast.ScopeTypeAll); anyAction && everything && r.forbid {
			found.warn(r.file, r.line, "%s: it forbids everything to everybody", r.title())
		} else if everything && !r.forbid {
			found.warn(r.file, r.line, "%s: it permits an action on everything to everybody", r.title())
		}
		if r.window > usualMaximum {
			found.warn(r.file, r.line, "%s: its window is above %s", r.title(), usualMaximum)
		}
	}
	for i := range p.profiles {
		if profile := &p.profiles[i]; !granted[profile.Name] {
			found.warn(profilesFile, profile.Line, "profile %q: no policy releases it", profile.Name)
		}
	}
	told := p.tellsRoles()
	for uid, r := range p.roles {
		if !told && !used[uid] && len(r.within) == 0 && p.entities[uid].Parents.Len() == 0 {
			found.warn("", 0, "role %q: no policy speaks of it", string(uid.ID))
		}
	}
	slices.SortStableFunc(found.policies.warnings, func(a, b policy.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return found.policies.warnings
}

// tellsRoles says whether whoever asks may learn of roles, so that none is without use.
func (p *Policies) tellsRoles() bool {
	for _, s := range p.slices[engine.NewEntityUID(actionType, Hold)] {
		for _, rules := range s.rules {
			if slices.ContainsFunc(rules, func(r *rule) bool { return !r.forbid }) {
				return true
			}
		}
	}
	return false
}

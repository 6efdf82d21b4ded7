package cedar

import (
	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// An Info is a policy as it stands in its file, for people.
type Info struct {
	ID     string
	Forbid bool
	File   string
	Line   int
	Text   string // in Cedar
}

func (r *rule) info() Info {
	return Info{ID: r.id, Forbid: r.forbid, File: r.file, Line: r.line, Text: r.text}
}

// List gives all policies, in the order of files.
func (p *Policies) List() []Info {
	if p == nil {
		return nil
	}
	list := make([]Info, len(p.rules))
	for i := range p.rules {
		list[i] = p.rules[i].info()
	}
	return list
}

// Concerning gives the policies whose scope admits an action on a resource, whoever the principal is: those without which nothing is
// decided about it.
func (p *Policies) Concerning(action, resourceType, resourceID string) []Info {
	if p == nil || p.schema == nil {
		return nil
	}
	var list []Info
	for _, r := range p.concerning(action, resourceType, resourceID) {
		list = append(list, r.info())
	}
	return list
}

func (p *Policies) concerning(action, resourceType, resourceID string) candidates {
	var found candidates
	uid := engine.NewEntityUID(engine.EntityType(resourceType), types.String(resourceID))
	for _, k := range p.keysOf(uid, p.entities) {
		if s := p.slices[engine.NewEntityUID(actionType, types.String(action))][k]; s != nil {
			for _, rules := range s.rules {
				found = append(found, rules...)
			}
		}
	}
	return found.sorted()
}

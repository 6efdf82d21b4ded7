package cedar

import (
	"encoding/json"
	"slices"
	"strings"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Words are what policies mention: the texts that can make a difference to them. Each list is sorted.
type Words struct {
	Values   []string // that conditions and entities hold
	IDs      []string // of entities
	Patterns []string // of like, with Star for each star
	Tags     []string // certified attributes that conditions read, beside those that give roles
	Clock    bool     // what is decided may depend on the instant, for more than the end of a mandate
}

// Star stands for a star in Words.Patterns, since a text may have one itself.
const Star = "\x00"

// Words collects the words of all policies and of the entities beside them.
func (p *Policies) Words() (Words, error) {
	var w Words
	if p == nil {
		return w, nil
	}
	for i := range p.rules {
		text, err := p.rules[i].policy.MarshalJSON()
		var tree any
		if err == nil {
			err = json.Unmarshal(text, &tree)
		}
		if err != nil {
			return Words{}, err
		}
		if whole, ok := tree.(map[string]any); ok {
			delete(whole, "annotations")
		}
		w.walk(tree)
	}
	for _, uid := range p.own {
		w.IDs = append(w.IDs, string(uid.ID))
		for _, value := range p.entities[uid].Attributes.All() {
			w.value(value)
		}
	}
	for _, list := range []*[]string{&w.Values, &w.IDs, &w.Patterns, &w.Tags} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return w, nil
}

// walk goes over the JSON form of a policy.
func (w *Words) walk(node any) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			w.walk(child)
		}
	case map[string]any:
		if id, ok := n["id"].(string); ok && len(n) == 2 && n["type"] != nil {
			w.IDs = append(w.IDs, id)
			return
		}
		if text, ok := n["Value"].(string); ok {
			w.Values = append(w.Values, text)
		}
		if like, ok := n["like"].(map[string]any); ok {
			w.pattern(like["pattern"])
		}
		if readsClock(n) {
			w.Clock = true
		}
		for operator, child := range n {
			of, _ := child.(map[string]any)
			switch {
			case operator == "hasTag" || operator == "getTag":
				if literal, ok := of["right"].(map[string]any); ok {
					if name, ok := literal["Value"].(string); ok {
						w.Tags = append(w.Tags, name)
					}
				}
			case slices.Contains([]string{"<", "<=", ">", ">="}, operator) && endsMandate(of):
			default:
				w.walk(child)
			}
		}
	}
}

// readsClock says whether a node is context.time, or the context as a whole.
func readsClock(n map[string]any) bool {
	for _, access := range []string{".", "has"} {
		if of, ok := n[access].(map[string]any); ok && isVar(of["left"], "context") {
			return of["attr"] == "time"
		}
	}
	for operator, child := range n {
		if of, ok := child.(map[string]any); ok && operator != "." && operator != "has" {
			for _, side := range of {
				if isVar(side, "context") {
					return true
				}
			}
		}
	}
	return false
}

// endsMandate says whether a comparison is of the time with the end of a mandate, which no trail knows.
func endsMandate(of map[string]any) bool {
	isUntil := func(node any) bool {
		left, ok := accessOf(node, "until")
		if ok {
			left, ok = accessOf(left, "mandate")
		}
		return ok && isVar(left, "context")
	}
	isTime := func(node any) bool {
		left, ok := accessOf(node, "time")
		return ok && isVar(left, "context")
	}
	return isTime(of["left"]) && isUntil(of["right"]) || isUntil(of["left"]) && isTime(of["right"])
}

func accessOf(node any, attribute string) (left any, ok bool) {
	n, _ := node.(map[string]any)
	of, ok := n["."].(map[string]any)
	return of["left"], ok && of["attr"] == attribute
}

func isVar(node any, name string) bool {
	n, ok := node.(map[string]any)
	return ok && n["Var"] == name
}

func (w *Words) pattern(components any) {
	list, _ := components.([]any)
	var b strings.Builder
	for _, c := range list {
		if literal, ok := c.(map[string]any); ok {
			text, _ := literal["Literal"].(string)
			b.WriteString(text)
		} else {
			b.WriteString(Star)
		}
	}
	w.Patterns = append(w.Patterns, b.String())
}

// value collects the texts of a value of an entity.
func (w *Words) value(value engine.Value) {
	switch v := value.(type) {
	case engine.String:
		w.Values = append(w.Values, string(v))
	case engine.EntityUID:
		w.IDs = append(w.IDs, string(v.ID))
	case engine.Set:
		for member := range v.All() {
			w.value(member)
		}
	case engine.Record:
		for _, member := range v.All() {
			w.value(member)
		}
	case engine.Datetime:
		w.Clock = true
	}
}

// A read is what a condition reads of the context, the principal or the resource; all of it where attribute is empty.
type read struct{ of, attribute string }

// readsOf gives what a policy in its JSON form reads. Principal and resource by themselves, as in a comparison, are their ids.
func readsOf(node any, within string) (all []read) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			all = append(all, readsOf(child, within)...)
		}
	case map[string]any:
		for operator, child := range n {
			of, _ := child.(map[string]any)
			left, _ := of["left"].(map[string]any)
			variable, _ := left["Var"].(string)
			attribute, _ := of["attr"].(string)
			name, _ := child.(string)
			switch {
			case (operator == "." || operator == "has") && variable != "":
				all = append(all, read{variable, attribute})
			case operator == "Var" && (name == "context" || within == "Record" || within == "if-then-else"):
				all = append(all, read{of: name})
			case operator == "left" || operator == "right":
				all = append(all, readsOf(child, within)...)
			default:
				all = append(all, readsOf(child, operatorOf(operator, within))...)
			}
		}
	}
	return all
}

// operatorOf says within what the operands of an operator stand: members of a record, and branches, are followed.
func operatorOf(operator, within string) string {
	switch operator {
	case "==", "!=", "in", "is", "hasTag", "getTag", "contains":
		return operator
	case "Record", "if-then-else":
		return operator
	}
	return within
}

// FromClient gives the policies which may hold for the action on the resource of a question and that read what whoever asks says
// besides ids: the context but its time, and properties that the directory does not give.
func (p *Policies) FromClient(q *Question) []Info {
	if p == nil || p.schema == nil {
		return nil
	}
	given := func(e *Entity, r read) bool { // by the directory
		_, ok := p.entities[engine.NewEntityUID(engine.EntityType(e.Type), types.String(e.ID))].Attributes.Get(types.String(r.attribute))
		return ok && r.attribute != ""
	}
	var list []Info
	for _, r := range p.concerning(q.Action, q.Resource.Type, q.Resource.ID) {
		if slices.ContainsFunc(r.reads, func(one read) bool {
			switch one.of {
			case "context":
				return one.attribute != "time"
			case "principal":
				if isParty(engine.EntityType(q.Subject.Type)) {
					return (one.attribute == "kind" || one.attribute == "") && q.party(p).kind == ""
				}
				return !given(&q.Subject, one)
			case "resource":
				t := engine.EntityType(q.Resource.Type)
				return !isParty(t) && t != Attribute && t != Role && t != Profile && !given(&q.Resource, one)
			}
			return false
		}) {
			list = append(list, r.info())
		}
	}
	return list
}

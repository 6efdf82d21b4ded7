package authzen

import (
	"fmt"
	"maps"
	"net/http"

	"sceau/policy/cedar"
)

// A failure is why a request, or one evaluation of several, has no decision. Its text is for the client and quotes
// nothing of the request; cause is for the operator.
type failure struct {
	status int
	text   string
	cause  error
}

func (f *failure) Error() string {
	if f.cause != nil {
		return f.text + ": " + f.cause.Error()
	}
	return f.text
}

func bad(format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

// A tuple is the members of an evaluation as they were sent. Members that are not known are passed over.
type tuple map[string]any

// with gives the tuple with the defaults of the whole request: its own members go before those, whole, except that what
// an entity needs to be one (type, id, name) may come from the default.
func (t tuple) with(defaults tuple) tuple {
	merged := maps.Clone(t)
	for _, key := range []string{"subject", "action", "resource", "context"} {
		value, given := t[key]
		base, ok := defaults[key]
		switch {
		case !ok:
		case !given:
			merged[key] = base
		case key != "context":
			own, isObject := value.(map[string]any)
			of, isBase := base.(map[string]any)
			if !isObject || !isBase {
				continue
			}
			own = maps.Clone(own)
			for _, name := range []string{"type", "id", "name"} {
				if _, has := own[name]; !has && of[name] != nil {
					own[name] = of[name]
				}
			}
			merged[key] = own
		}
	}
	return merged
}

// object gives a member that must be an object; nil without it where it may be left out.
func (t tuple) object(key string, required bool) (map[string]any, *failure) {
	value, given := t[key]
	if !given {
		if required {
			return nil, bad("no %s", key)
		}
		return nil, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, bad("%s is not an object", key)
	}
	return object, nil
}

// text gives a member of an entity that must be a text and not empty.
func text(object map[string]any, of, key string) (string, *failure) {
	value, given := object[key]
	if !given {
		return "", bad("%s has no %s", of, key)
	}
	s, ok := value.(string)
	if !ok || s == "" || len(s) > maxText {
		return "", bad("%s of %s is not a text of up to %d bytes", key, of, maxText)
	}
	return s, nil
}

const maxText = 1024

func properties(object map[string]any, of string) (map[string]any, *failure) {
	value, given := object["properties"]
	if !given {
		return nil, nil
	}
	p, ok := value.(map[string]any)
	if !ok {
		return nil, bad("properties of %s is not an object", of)
	}
	return p, nil
}

// entity reads subject or resource; without its id where that is what is looked for.
func (t tuple) entity(key string, searched bool) (cedar.Entity, *failure) {
	object, f := t.object(key, true)
	if f != nil {
		return cedar.Entity{}, f
	}
	var e cedar.Entity
	if e.Type, f = text(object, key, "type"); f != nil {
		return e, f
	}
	if !searched {
		if e.ID, f = text(object, key, "id"); f != nil {
			return e, f
		}
	}
	e.Properties, f = properties(object, key)
	return e, f
}

// What a search looks for.
const (
	evaluate       = "evaluation"
	searchSubject  = "search/subject"
	searchResource = "search/resource"
	searchAction   = "search/action"
)

// question reads an evaluation, or the question of a search without what is looked for.
func (t tuple) question(operation string) (*cedar.Question, *failure) {
	q := &cedar.Question{}
	var f *failure
	if q.Subject, f = t.entity("subject", operation == searchSubject); f != nil {
		return nil, f
	}
	if operation != searchAction {
		action, f := t.object("action", true)
		if f != nil {
			return nil, f
		}
		if q.Action, f = text(action, "action", "name"); f != nil {
			return nil, f
		}
		if q.ActionProperties, f = properties(action, "action"); f != nil {
			return nil, f
		}
	}
	if q.Resource, f = t.entity("resource", operation == searchResource); f != nil {
		return nil, f
	}
	if q.Context, f = t.object("context", false); f != nil {
		return nil, f
	}
	return q, nil
}

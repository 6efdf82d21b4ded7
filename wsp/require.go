package wsp

import (
	"errors"
	"slices"

	"sceau/attrs"
)

// A Requirement is an attribute that a caller must have. It holds when the attribute
// is there once (see Caller.Value) and has one of Values among its values. Any, in
// place of Values, takes whatever value is not empty; it is refused for an attribute
// that the catalogue knows to be a boolean, whose "false" would be such a value. A
// boolean that is true and false at once holds for nobody.
type Requirement struct {
	attrs.Designator
	Values []string
	Any    bool
}

func (r *Requirement) holds(c *Caller) bool {
	a, ok := c.find(r.Designator)
	if !ok || len(a.values) > 1 && r.boolean(a) {
		return false
	}
	for _, v := range a.values {
		if r.Any && v != "" || slices.Contains(r.Values, v) {
			return true
		}
	}
	return false
}

// boolean reports whether the attribute is one: by the catalogue, or because nothing but
// booleans is asked of it.
func (r *Requirement) boolean(a *Attribute) bool {
	return a.Definition != nil && a.Definition.Kind == attrs.Boolean ||
		!r.Any && !slices.ContainsFunc(r.Values, func(v string) bool { return v != "true" && v != "false" })
}

func (r *Requirement) check(catalogue *attrs.Catalogue) error {
	switch definition, known := catalogue.Find(r.Designator); {
	case r.Name == "" || r.Namespace == "":
		return errors.New("without name or namespace")
	case r.Any == (len(r.Values) > 0):
		return errors.New("either Values or Any must be said, and not both")
	case r.Any && known && definition.Kind == attrs.Boolean:
		return errors.New("a boolean with Any admits false")
	case slices.Contains(r.Values, ""):
		return errors.New("an empty value is that of an unknown attribute")
	}
	return nil
}

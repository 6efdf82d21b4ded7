package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// operators are the operators of one parameter (6.1.3.1). It is not changed once it is made.
type operators struct {
	value, fallback                  operand
	add, oneOf, subsetOf, supersetOf []any // nil: not there
	essential                        bool
}

// An operand is a value that may be there and be null.
type operand struct {
	there bool
	v     any
}

func (o operand) null() bool { return o.there && o.v == nil }

func operatorsOf(m map[string]any, words bool) (operators, error) {
	var ops operators
	for name, v := range m {
		if s, ok := v.(string); ok && words && name != "one_of" {
			v = split(s) // a scope may be written as the parameter is
		}
		var err error
		switch name {
		case "value":
			ops.value = operand{true, v}
			err = plain(v)
		case "default":
			ops.fallback = operand{true, v}
			if err = plain(v); v == nil {
				err = errors.New("null")
			}
		case "add":
			ops.add, err = elements(v)
		case "one_of":
			if ops.oneOf, err = elements(v); err == nil && (words || len(ops.oneOf) == 0) {
				err = errors.New("one_of of an array, or of nothing")
			}
		case "subset_of":
			ops.subsetOf, err = elements(v)
		case "superset_of":
			ops.supersetOf, err = elements(v)
		case "essential":
			var ok bool
			if ops.essential, ok = v.(bool); !ok {
				err = errors.New("no boolean")
			}
		}
		if err != nil {
			return operators{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if words {
		for _, o := range []operand{ops.value, ops.fallback} {
			if _, ok := o.v.([]any); o.there && o.v != nil && !ok {
				return operators{}, errors.New("scope is no array of strings")
			}
		}
	}
	return ops, nil
}

// plain says whether v may be a whole value: anything but what has null in it, since no operator may produce null.
func plain(v any) error {
	if a, ok := v.([]any); ok && slices.Contains(kinds(a), "null") {
		return errors.New("null in an array")
	}
	return nil
}

// elements reads the array of an operator on arrays: strings, numbers or objects, of one kind, each once.
func elements(v any) ([]any, error) {
	a, ok := v.([]any)
	if !ok {
		return nil, errors.New("no array")
	}
	if err := uniform(a); err != nil {
		return nil, err
	}
	return distinct(a), nil
}

func uniform(a []any) error {
	for i, k := range kinds(a) {
		if k != "string" && k != "number" && k != "object" || i > 0 && k != kind(a[0]) {
			return errors.New("elements are neither all strings, nor all numbers, nor all objects")
		}
	}
	return nil
}

func kinds(a []any) []string {
	k := make([]string, len(a))
	for i, v := range a {
		k[i] = kind(v)
	}
	return k
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "boolean"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	}
	return "null"
}

// check says whether the operators may stand together (6.1.3.1, "Combination with other operators").
func (ops operators) check() error {
	if ops.oneOf != nil && (ops.add != nil || ops.subsetOf != nil || ops.supersetOf != nil) {
		return errors.New("one_of with add, subset_of or superset_of")
	}
	if ops.add != nil && ops.subsetOf != nil && !subset(ops.add, ops.subsetOf) {
		return errors.New("add has what subset_of has not")
	}
	if ops.subsetOf != nil && ops.supersetOf != nil && !subset(ops.supersetOf, ops.subsetOf) {
		return errors.New("superset_of has what subset_of has not")
	}
	if !ops.value.there {
		return nil
	}
	if ops.value.null() {
		if ops.essential {
			return errors.New("essential, and removed by value")
		}
		if ops.fallback.there || ops.add != nil || ops.oneOf != nil || ops.subsetOf != nil || ops.supersetOf != nil {
			return errors.New("removed by value, and demanded by another operator")
		}
		return nil
	}
	if ops.oneOf != nil && !contains(ops.oneOf, ops.value.v) {
		return errors.New("value is not among one_of")
	}
	if ops.add == nil && ops.subsetOf == nil && ops.supersetOf == nil {
		return nil
	}
	a, ok := ops.value.v.([]any)
	switch {
	case !ok:
		return errors.New("value is no array, beside an operator on arrays")
	case ops.add != nil && !subset(ops.add, a):
		return errors.New("add has what value has not")
	case ops.subsetOf != nil && !subset(a, ops.subsetOf):
		return errors.New("value has what subset_of has not")
	case ops.supersetOf != nil && !subset(ops.supersetOf, a):
		return errors.New("superset_of has what value has not")
	}
	return nil
}

// merge is ops of a superior with those of the one below (6.1.3.1, "Operator value merge"). Whether the result may stand together
// is for check.
func (ops operators) merge(below operators) (operators, error) {
	var err error
	if ops.value, err = ops.value.merge(below.value); err != nil {
		return operators{}, fmt.Errorf("value: %w", err)
	}
	if ops.fallback, err = ops.fallback.merge(below.fallback); err != nil {
		return operators{}, fmt.Errorf("default: %w", err)
	}
	ops.add = union(ops.add, below.add)
	ops.supersetOf = union(ops.supersetOf, below.supersetOf)
	ops.subsetOf = intersection(ops.subsetOf, below.subsetOf)
	ops.oneOf = intersection(ops.oneOf, below.oneOf)
	if ops.oneOf != nil && len(ops.oneOf) == 0 {
		return operators{}, errors.New("one_of: nothing is left")
	}
	ops.essential = ops.essential || below.essential
	return ops, nil
}

func (o operand) merge(below operand) (operand, error) {
	switch {
	case !below.there:
		return o, nil
	case !o.there:
		return below, nil
	case !equal(o.v, below.v):
		return operand{}, errors.New("two values")
	}
	return o, nil
}

// apply applies the operators to a parameter, each in its order (6.1.3.1, "Order of application").
func (ops operators) apply(v any, there bool) (any, bool, error) {
	if ops.value.there {
		v, there = cloned(ops.value.v), ops.value.v != nil
	}
	if ops.add != nil {
		if !there {
			v, there = []any{}, true
		}
		a, err := array(v)
		if err != nil {
			return nil, false, fmt.Errorf("add: %w", err)
		}
		more := slices.Clone(a)
		have := names(a)
		for _, e := range ops.add {
			if !have[canonical(e)] {
				more = append(more, cloned(e))
			}
		}
		if err := uniform(more); err != nil {
			return nil, false, fmt.Errorf("add: %w", err)
		}
		v = more
	}
	if !there && ops.fallback.there {
		v, there = cloned(ops.fallback.v), true
	}
	if !there {
		if ops.essential {
			return nil, false, errors.New("essential, and missing")
		}
		return nil, false, nil
	}
	if ops.oneOf != nil {
		if k := kind(v); k != "string" && k != "number" && k != "object" || !contains(ops.oneOf, v) {
			return nil, false, errors.New("not one_of")
		}
	}
	if ops.subsetOf != nil {
		a, err := array(v)
		if err != nil {
			return nil, false, fmt.Errorf("subset_of: %w", err)
		}
		v = intersection(a, ops.subsetOf)
	}
	if ops.supersetOf != nil {
		a, err := array(v)
		if err != nil {
			return nil, false, fmt.Errorf("superset_of: %w", err)
		}
		if !subset(ops.supersetOf, a) {
			return nil, false, errors.New("not superset_of")
		}
	}
	return v, true, nil
}

// array is a parameter on which an operator on arrays acts; on anything else that is a policy error (6.1.3).
func array(v any) ([]any, error) {
	a, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("the parameter is a %s, no array", kind(v))
	}
	return a, uniform(a)
}

func equal(a, b any) bool {
	x, ok := a.([]any)
	y, also := b.([]any)
	if ok && also && uniform(x) == nil && uniform(y) == nil {
		return len(x) == len(y) && subset(x, y) && subset(y, x) // arrays of metadata are sets
	}
	return kind(a) == kind(b) && canonical(a) == canonical(b)
}

func contains(a []any, v any) bool {
	return slices.ContainsFunc(a, func(e any) bool { return equal(e, v) })
}

func subset(a, b []any) bool {
	have := names(b)
	return !slices.ContainsFunc(a, func(v any) bool { return !have[canonical(v)] })
}

func names(a []any) map[string]bool {
	n := make(map[string]bool, len(a))
	for _, v := range a {
		n[canonical(v)] = true
	}
	return n
}

// union of what is there; nil is not there.
func union(a, b []any) []any {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return distinct(slices.Concat(a, b))
}

// intersection of what is there; nil is not there, empty is a set with nothing in it.
func intersection(a, b []any) []any {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	have := names(b)
	both := []any{}
	for _, v := range distinct(a) {
		if have[canonical(v)] {
			both = append(both, v)
		}
	}
	return both
}

func distinct(a []any) []any {
	seen := make(map[string]bool, len(a))
	once := make([]any, 0, len(a))
	for _, v := range a {
		if name := canonical(v); !seen[name] {
			seen[name] = true
			once = append(once, v)
		}
	}
	return once
}

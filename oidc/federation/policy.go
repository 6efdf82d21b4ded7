package federation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sceau/oidc/internal/strictjson"
)

// Metadata are what entities say of themselves: entity type, parameter, value. Values are those of encoding/json with numbers as
// json.Number.
type Metadata map[string]map[string]any

// A Policy is what superiors demand of metadata (6.1): entity type, parameter, operators. ParsePolicy and Merge make it; the zero
// Policy demands nothing.
type Policy struct {
	types map[string]map[string]operators
}

// scoped are the entity types whose parameter "scope" is a text of words that operators see as an array of strings (6.1.3.2).
var scoped = []string{"openid_relying_party", "oauth_client"}

// ParsePolicy reads the claim metadata_policy. Operators beyond the standard's are not understood and left out, as 6.1.3.3 wants of
// those that are not critical.
func ParsePolicy(data []byte) (Policy, error) {
	o, err := strictjson.Object(data)
	if err != nil {
		return Policy{}, &Error{Reason: Malformed, Cause: err}
	}
	return policyOf(o)
}

func policyOf(o map[string]any) (Policy, error) {
	p := Policy{types: map[string]map[string]operators{}}
	for typ, v := range o {
		parameters, ok := v.(map[string]any)
		if !ok {
			return Policy{}, refuse(BadPolicy, "", "policy of %.50q is no object", typ)
		}
		p.types[typ] = map[string]operators{}
		for name, v := range parameters {
			m, ok := v.(map[string]any)
			if !ok {
				return Policy{}, refuse(BadPolicy, "", "policy of %.50q.%.50q is no object", typ, name)
			}
			ops, err := operatorsOf(m, words(typ, name))
			if err == nil {
				err = ops.check()
			}
			if err != nil {
				return Policy{}, refuse(BadPolicy, "", "%.50q.%.50q: %w", typ, name, err)
			}
			p.types[typ][name] = ops
		}
	}
	return p, nil
}

// Merge is the policy p of a superior with that of the one below (6.1.4.1): both hold, or it is an error. It changes neither.
func (p Policy) Merge(below Policy) (Policy, error) {
	merged := Policy{types: map[string]map[string]operators{}}
	for typ, parameters := range p.types {
		merged.types[typ] = maps.Clone(parameters)
	}
	for typ, parameters := range below.types {
		if merged.types[typ] == nil {
			merged.types[typ] = map[string]operators{}
		}
		for name, ops := range parameters {
			if above, there := merged.types[typ][name]; there {
				var err error
				if ops, err = above.merge(ops); err == nil {
					err = ops.check()
				}
				if err != nil {
					return Policy{}, refuse(BadPolicy, "", "%.50q.%.50q: %w", typ, name, err)
				}
			}
			merged.types[typ][name] = ops
		}
	}
	return merged, nil
}

// Apply returns metadata as the policy makes them (6.1.4.2), or says why they violate it. It does not change what it is given. A
// policy for a type that the metadata do not have changes nothing: it makes no entity play a role.
func (p Policy) Apply(m Metadata) (Metadata, error) {
	out := make(Metadata, len(m))
	for typ, parameters := range m {
		made := make(map[string]any, len(parameters))
		for name, v := range parameters {
			if v == nil {
				return nil, refuse(PolicyViolated, "", "%.50q.%.50q is null", typ, name) // 5: null is no value
			}
			made[name] = cloned(v)
		}
		for _, name := range slices.Sorted(maps.Keys(p.types[typ])) {
			v, there := made[name]
			if there && words(typ, name) {
				s, ok := v.(string)
				if !ok {
					return nil, refuse(PolicyViolated, "", "%.50q.scope is no string", typ)
				}
				v = split(s)
			}
			v, there, err := p.types[typ][name].apply(v, there)
			if err != nil {
				return nil, refuse(PolicyViolated, "", "%.50q.%.50q: %w", typ, name, err)
			}
			switch {
			case !there:
				delete(made, name)
			case words(typ, name):
				if made[name], err = joined(v); err != nil {
					return nil, refuse(PolicyViolated, "", "%.50q.scope: %w", typ, err)
				}
			default:
				made[name] = v
			}
		}
		out[typ] = made
	}
	return out, nil
}

func words(typ, name string) bool { return name == "scope" && slices.Contains(scoped, typ) }

func split(s string) []any {
	a := []any{}
	for _, w := range strings.Fields(s) {
		a = append(a, w)
	}
	return distinct(a)
}

func joined(v any) (string, error) {
	s, ok := textsOf(v)
	if !ok {
		return "", fmt.Errorf("values that are no strings")
	}
	return strings.Join(s, " "), nil
}

// over is metadata of a superior about its immediate subordinate (3.1.1, 6.1.4.2): they come before the subordinate's own,
// parameter by parameter, for the types that the subordinate has.
func (m Metadata) over(own Metadata) Metadata {
	out := make(Metadata, len(own))
	for typ, parameters := range own {
		out[typ] = maps.Clone(parameters)
		maps.Copy(out[typ], m[typ])
	}
	return out
}

// metadataOf reads the claim metadata (5).
func metadataOf(o map[string]any) (Metadata, error) {
	m := make(Metadata, len(o))
	for typ, v := range o {
		parameters, ok := v.(map[string]any)
		if !ok {
			return nil, refuse(BadClaim, "", "metadata of %.50q are no object", typ)
		}
		for name, v := range parameters {
			if v == nil {
				return nil, refuse(BadClaim, "", "metadata %.50q.%.50q are null", typ, name)
			}
		}
		m[typ] = parameters
	}
	return m, nil
}

package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/attrs/remote"
)

// sourceCatalogue is where the attributes of sources are found.
func (s *system) sourceCatalogue() *attrs.Catalogue { return s.catalogue }

// clientKeys are the keys of a source that is a client over TLS.
type clientKeys struct {
	CA          value[string] `yaml:"ca"`
	ServerName  value[string] `yaml:"server-name"`
	Certificate value[string] `yaml:"certificate"`
	Key         value[string] `yaml:"key"`
}

func (k *clientKeys) tls(c *fileConfig) remote.TLS {
	return remote.TLS{CAFile: c.path(k.CA), ServerName: k.ServerName.V, CertificateFile: c.path(k.Certificate), KeyFile: c.path(k.Key)}
}

// sourceReader reads the keys of one entry of sources. What Open finds wrong is told by the line of what it is about.
type sourceReader struct {
	s     *system
	id    string
	keys  *yaml.Node
	p     *problems
	lines map[string]int // how an error of Open begins, and the line that it is about
}

func newSourceReader(s *system, id string, keys *yaml.Node, p *problems) *sourceReader {
	if keys.Kind == yaml.AliasNode {
		keys = keys.Alias
	}
	return &sourceReader{s: s, id: id, keys: keys, p: p, lines: map[string]int{}}
}

// add notes a problem of the source.
func (r *sourceReader) add(line int, format string, args ...any) {
	r.p.add(max(line, r.keys.Line), "source "+r.id+": "+format, args...)
}

// decode decodes a node into a struct whose keys are the known ones. Others are found by hand: a node's own decoder lets them
// pass.
func (r *sourceReader) decode(n *yaml.Node, into any, known ...string) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		r.add(n.Line, "want one of %s here", strings.Join(known, ", "))
		return false
	}
	ok := true
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(known, key.Value) {
			r.p.add(key.Line, "unknown key %q", key.Value)
			ok = false
		}
	}
	err := n.Decode(into)
	var wrong *yaml.TypeError
	switch {
	case errors.As(err, &wrong):
		r.p.addTypes(wrong)
	case err != nil:
		r.add(n.Line, "%v", err)
	}
	return ok && err == nil
}

// positive refuses a zero that was written: left out, it is the default.
func positive[T duration | int | int64](r *sourceReader, v value[T], key string) T {
	if v.Line > 0 && v.V <= 0 {
		r.add(v.Line, "%s: must be positive", key)
	}
	return v.V
}

func positiveTime(r *sourceReader, v value[duration], key string) time.Duration {
	return time.Duration(positive(r, v, key))
}

// texts gives the texts of a list.
func texts(list []value[string]) []string {
	var all []string
	for _, v := range list {
		all = append(all, v.V)
	}
	return all
}

// bySubject reads a map from types of subject; about is how errors of Open about one of them begin.
func (r *sourceReader) bySubject(in map[string]value[string], about ...string) map[attrs.SubjectType]string {
	out := map[attrs.SubjectType]string{}
	for t, v := range in {
		if !r.isSubject(t) {
			r.add(v.Line, "%q is no type of subject by which an attribute is looked up", t)
		}
		for _, a := range about {
			r.lines[a+" for "+t+":"] = v.Line
		}
		out[attrs.SubjectType(t)] = v.V
	}
	return out
}

func (r *sourceReader) isSubject(t string) bool {
	for d := range r.s.sourceCatalogue().All() {
		if slices.Contains(d.SubjectTypes(), attrs.SubjectType(t)) {
			return true
		}
	}
	return false
}

// definition finds the attribute that an entry of map is about.
func (r *sourceReader) definition(v value[string], line int) *attrs.Definition {
	d, ok := r.s.sourceCatalogue().Find(attrs.Designator{Name: v.V, Namespace: attrs.NamespaceCertified})
	if !ok {
		r.add(max(v.Line, line), "no certified attribute %q", v.V)
		return nil
	}
	r.lines[d.Name] = v.Line
	return d
}

// covers demands that every attribute for which the source is asked is one that it maps.
func (r *sourceReader) covers(asked []value[string], maps func(*attrs.Definition) bool) {
	for _, name := range asked {
		d, ok := r.s.sourceCatalogue().Find(attrs.Designator{Name: name.V, Namespace: attrs.NamespaceCertified})
		if !ok || !maps(d) {
			r.add(name.Line, "%q is not below map", name.V)
		}
	}
}

// refused notes what Open found wrong, each at its line.
func (r *sourceReader) refused(err error) {
	for _, one := range flatten(errors.Unwrap(err)) {
		line := 0
		for begin, at := range r.lines {
			if strings.HasPrefix(one.Error(), begin) {
				line = max(line, at)
			}
		}
		r.add(line, "%v", one)
	}
}

// flatten takes joined errors apart.
func flatten(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return append(all, err)
	}
	for _, one := range joined.Unwrap() {
		all = append(all, flatten(one)...)
	}
	return all
}

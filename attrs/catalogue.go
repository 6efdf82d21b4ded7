package attrs

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// maxNameBytes bounds the name of an attribute; the longest of eHealth has 116.
const maxNameBytes = 256

// A Catalogue is a set of definitions that can be found by name and namespace. It is immutable and safe for concurrent use.
// The zero Catalogue knows no attribute.
type Catalogue struct {
	definitions []*Definition

	// namespace, with its misspellings -> name, with its aliases -> definition. Two levels, because a map that is indexed
	// by string(bytes) does not allocate and one that is indexed by a struct of two strings would have to.
	names map[string]map[string]*Definition
}

// NewCatalogue makes a catalogue of the definitions, which it copies. It refuses, all at once: names that are no name, a name or an
// alias that is taken in its namespace, namespaces other than the two, and definitions that contradict themselves.
func NewCatalogue(definitions []Definition) (*Catalogue, error) {
	identification, certified := map[string]*Definition{}, map[string]*Definition{}
	c := &Catalogue{names: map[string]map[string]*Definition{
		NamespaceIdentification: identification,
		NamespaceCertified:      certified,
		namespaceCertifiedTypo:  certified,
	}}
	var wrong []error
	for i := range definitions {
		d := definitions[i] // a copy
		d.index, d.keys, d.subjects, d.group = i, nil, nil, 0
		d.KeyedBy = slices.Clone(d.KeyedBy)
		for k := range d.KeyedBy {
			d.KeyedBy[k] = slices.Clone(d.KeyedBy[k])
		}
		d.Aliases, d.CertificateTypes = slices.Clone(d.Aliases), slices.Clone(d.CertificateTypes)
		c.definitions = append(c.definitions, &d)
		if err := c.enter(&d); err != nil {
			wrong = append(wrong, err)
		}
	}
	for _, d := range c.definitions { // after all names are known: keys may be defined later than what they open
		if err := d.complete(identification); err != nil {
			wrong = append(wrong, err)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return c, nil
}

// With gives a new catalogue that holds the definitions of c and the added ones. Definitions of the two catalogues are
// different pointers: a program makes its one catalogue first and gives it to all.
func (c *Catalogue) With(added ...Definition) (*Catalogue, error) {
	all := make([]Definition, 0, len(c.definitions)+len(added))
	for _, d := range c.definitions {
		all = append(all, *d)
	}
	return NewCatalogue(append(all, added...))
}

// Lookup finds the definition of an attribute by its name or an alias and its namespace, as they stand on the wire. It
// compares exactly (H5), retains nothing and does not allocate. Hidden attributes are not found.
func (c *Catalogue) Lookup(name, namespace []byte) (*Definition, bool) {
	d := c.names[string(namespace)][string(name)]
	if d == nil || d.Hidden {
		return nil, false
	}
	return d, true
}

// Find is Lookup for a designator.
func (c *Catalogue) Find(d Designator) (*Definition, bool) {
	found, ok := c.names[d.Namespace][d.Name]
	return found, ok
}

// ByName finds what a name alone can mean, for claims of WS-Trust, which carry no namespace (wire document 2.4): the
// identification attribute, the certified one, either or both nil.
func (c *Catalogue) ByName(name []byte) (identification, certified *Definition) {
	certified, _ = c.Lookup(name, []byte(NamespaceCertified))
	return c.names[NamespaceIdentification][string(name)], certified
}

// All runs over the definitions in the order of the catalogue.
func (c *Catalogue) All() iter.Seq[*Definition] {
	return slices.Values(c.definitions)
}

// In runs over the definitions of one group, in the order of the catalogue.
func (c *Catalogue) In(g Group) iter.Seq[*Definition] {
	return func(yield func(*Definition) bool) {
		for _, d := range c.definitions {
			if d.group == g && !yield(d) {
				return
			}
		}
	}
}

// Len is the number of definitions.
func (c *Catalogue) Len() int { return len(c.definitions) }

// holds says whether d is a definition of this catalogue, by identity.
func (c *Catalogue) holds(d *Definition) bool {
	return d != nil && d.index >= 0 && d.index < len(c.definitions) && c.definitions[d.index] == d
}

// enter checks what can be said of d alone and writes its names into the maps.
func (c *Catalogue) enter(d *Definition) error {
	names := c.names[d.Namespace]
	if names == nil || d.Namespace == namespaceCertifiedTypo {
		return fmt.Errorf("attribute %q: %q is not a namespace of identification or certified attributes", d.Name, d.Namespace)
	}
	for _, name := range append([]string{d.Name}, d.Aliases...) {
		if !validName(name) {
			return fmt.Errorf("attribute %q: %q is not a name of an attribute", d.Name, name)
		}
		if other := names[name]; other != nil {
			return fmt.Errorf("attribute %q: %q already names %q in %s", d.Name, name, other.Name, d.Namespace)
		}
		names[name] = d
	}
	switch {
	case d.Kind == 0 || int(d.Kind) >= len(kindNames):
		return fmt.Errorf("attribute %q: no kind of value", d.Name)
	case d.Kind == Boolean && d.Multiple:
		return fmt.Errorf("attribute %q: a boolean cannot have several values", d.Name)
	case d.Certified() && (d.Binding != 0 || d.CertificateTypes != nil):
		return fmt.Errorf("attribute %q: a certified attribute is not bound to a certificate", d.Name)
	case d.Certified() && len(d.KeyedBy) == 0:
		return fmt.Errorf("attribute %q: a certified attribute needs a key", d.Name)
	case !d.Certified() && (d.Binding == 0 || d.Binding > BindingClaimed):
		return fmt.Errorf("attribute %q: an identification attribute needs a binding", d.Name)
	case !d.Certified() && (d.KeyedBy != nil || d.Computed || d.Hidden):
		return fmt.Errorf("attribute %q: an identification attribute is neither looked up nor computed nor hidden", d.Name)
	case d.Computed && d.Hidden:
		return fmt.Errorf("attribute %q: what the sts computes it is asked for", d.Name)
	}
	return nil
}

// complete resolves the keys of d and derives from them the types of subject and the group.
func (d *Definition) complete(identification map[string]*Definition) error {
	if !d.Certified() {
		d.group = GroupIdentification
		return nil
	}
	d.group = GroupPerson
	for _, key := range d.KeyedBy {
		if len(key) == 0 {
			return fmt.Errorf("attribute %q: an empty key", d.Name)
		}
		var definitions []*Definition
		var types []string
		for _, name := range key {
			by := identification[name]
			if by == nil || by.Name != name {
				return fmt.Errorf("attribute %q: its key %q is not the canonical name of an identification attribute", d.Name, name)
			}
			t := by.Kind.SubjectType()
			if t == "" || by.Multiple {
				return fmt.Errorf("attribute %q: its key %q does not name one subject", d.Name, name)
			}
			definitions, types = append(definitions, by), append(types, string(t))
		}
		subject := SubjectType(strings.Join(types, "/"))
		if subject != SubjectSSIN {
			d.group = GroupOrganisation
		}
		d.keys, d.subjects = append(d.keys, definitions), append(d.subjects, subject)
	}
	return nil
}

// validName admits printable ASCII without blanks, quotes and the characters of markup, so that a name is the same text in
// XML, in YAML, on a line of a log and in a cell of CSV.
func validName(s string) bool {
	if s == "" || len(s) > maxNameBytes {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"'<>&,;\\`", c) >= 0 {
			return false
		}
	}
	return true
}

package derived

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sceau/attrs"
)

// Bounds of a rule. A pattern is RE2: it takes time in proportion to the text, which is of at most attrs.MaxTextBytes.
const (
	MaxPatternBytes = 1024
	MaxInputs       = 32
	MaxTable        = 10_000 // of a Map or an InList
)

// A Form says how an attribute is made of its inputs. The forms are those of this package.
type Form interface {
	// inputs are the attributes that it is made of, each once for each place.
	inputs() []attrs.Designator

	// check says what is wrong with it for an attribute and its inputs, and gives what derives.
	check(of *attrs.Definition, inputs []*attrs.Definition) (derive, error)
}

// A derive makes state and values of answers that were had, in the order of the inputs.
type derive func(inputs []attrs.Certified) (attrs.State, []string, error)

var (
	errBoolean    = errors.New("it makes a boolean")
	errNotBoolean = errors.New("it does not make a boolean")
	errText       = errors.New("its input must have values, not be a boolean")
	errSingle     = errors.New("its input may have several values at once")
)

// unknown says that one of the inputs holds no value.
func unknown(inputs []attrs.Certified) bool {
	return slices.ContainsFunc(inputs, func(c attrs.Certified) bool { return c.State != attrs.Affirmed })
}

// single refuses inputs that are booleans or may have several values.
func single(inputs []*attrs.Definition) error {
	for _, d := range inputs {
		switch {
		case d.Kind == attrs.Boolean:
			return errText
		case d.Multiple:
			return errSingle
		}
	}
	return nil
}

// InList is true where a value of the input is one of List.
type InList struct {
	Of   attrs.Designator
	List []string
}

func (f InList) inputs() []attrs.Designator { return []attrs.Designator{f.Of} }

func (f InList) check(of *attrs.Definition, inputs []*attrs.Definition) (derive, error) {
	list := make(map[string]bool, len(f.List))
	for _, v := range f.List {
		if !inputs[0].Kind.Valid(v) {
			return nil, fmt.Errorf("%q is no value of its input, which is %s", v, inputs[0].Kind)
		}
		list[v] = true
	}
	switch {
	case of.Kind != attrs.Boolean:
		return nil, errBoolean
	case inputs[0].Kind == attrs.Boolean:
		return nil, errText
	case len(f.List) == 0 || len(f.List) > MaxTable:
		return nil, fmt.Errorf("its list has 1 to %d values", MaxTable)
	case len(list) != len(f.List):
		return nil, errors.New("a value stands in its list twice")
	}
	return func(inputs []attrs.Certified) (attrs.State, []string, error) {
		if unknown(inputs) {
			return attrs.Unknown, nil, nil
		}
		if slices.ContainsFunc(inputs[0].Values, func(v string) bool { return list[v] }) {
			return attrs.Affirmed, nil, nil
		}
		return attrs.Denied, nil, nil
	}, nil
}

// NIHII11 joins a NIHII number of eight digits, whose check digits are looked at again, and three digits of qualification.
type NIHII11 struct{ NIHII8, Qualification attrs.Designator }

func (f NIHII11) inputs() []attrs.Designator { return []attrs.Designator{f.NIHII8, f.Qualification} }

func (f NIHII11) check(of *attrs.Definition, inputs []*attrs.Definition) (derive, error) {
	switch {
	case of.Kind != attrs.NIHII11:
		return nil, errors.New("it makes a nihii11")
	case inputs[0].Kind != attrs.NIHII8:
		return nil, errors.New("its number must be a nihii8")
	case inputs[1].Kind != attrs.Text:
		return nil, errors.New("its qualification must be a text")
	case single(inputs) != nil:
		return nil, single(inputs)
	}
	return func(inputs []attrs.Certified) (attrs.State, []string, error) {
		if unknown(inputs) {
			return attrs.Unknown, nil, nil
		}
		number, qualification := inputs[0].Values[0], inputs[1].Values[0]
		if !attrs.ValidNIHII8(number) || len(qualification) != 3 { // the digits are looked at as those of the whole
			return 0, nil, errors.New("the qualification is not of three digits")
		}
		return attrs.Affirmed, []string{number + qualification}, nil
	}, nil
}

// Match compares the whole value of the input with a regular expression (RE2). For a boolean a match is true; for others it
// is Value, in which $1 and ${name} stand for groups.
type Match struct {
	Of             attrs.Designator
	Pattern, Value string
}

func (f Match) inputs() []attrs.Designator { return []attrs.Designator{f.Of} }

func (f Match) check(of *attrs.Definition, inputs []*attrs.Definition) (derive, error) {
	if f.Pattern == "" || len(f.Pattern) > MaxPatternBytes {
		return nil, fmt.Errorf("its pattern has 1 to %d bytes", MaxPatternBytes)
	}
	if _, err := regexp.Compile(f.Pattern); err != nil { // alone, so that it cannot close the group it is put into
		return nil, err
	}
	pattern, err := regexp.Compile(`\A(?:` + f.Pattern + `)\z`)
	switch {
	case err != nil:
		return nil, err
	case single(inputs) != nil:
		return nil, single(inputs)
	case (of.Kind == attrs.Boolean) != (f.Value == ""):
		return nil, errors.New("it needs a value, and for a boolean none")
	case len(f.Value) > attrs.MaxTextBytes:
		return nil, errors.New("its value is too long")
	}
	if err := groups(pattern, f.Value); err != nil {
		return nil, err
	}
	return func(inputs []attrs.Certified) (attrs.State, []string, error) {
		if unknown(inputs) {
			return attrs.Unknown, nil, nil
		}
		found := pattern.FindStringSubmatchIndex(inputs[0].Values[0])
		switch {
		case of.Kind == attrs.Boolean && found == nil:
			return attrs.Denied, nil, nil
		case of.Kind == attrs.Boolean:
			return attrs.Affirmed, nil, nil
		case found == nil:
			return attrs.Unknown, nil, nil
		}
		return attrs.Affirmed, []string{string(pattern.ExpandString(nil, f.Value, inputs[0].Values[0], found))}, nil
	}, nil
}

var reference = regexp.MustCompile(`\$(?:\$|\{(\w+)\}|(\w+))`)

// groups refuses a template that names a group which the pattern does not have: it would be taken for the empty text.
func groups(pattern *regexp.Regexp, template string) error {
	for _, m := range reference.FindAllStringSubmatch(template, -1) {
		name := m[1] + m[2]
		if name == "" {
			continue
		}
		known := slices.Contains(pattern.SubexpNames(), name)
		for n := 0; n <= pattern.NumSubexp(); n++ {
			known = known || name == fmt.Sprint(n)
		}
		if !known {
			return fmt.Errorf("its pattern has no group %q", name)
		}
	}
	return nil
}

// Map gives for a value of the input what Table says. For a boolean the table says "true" or "false".
type Map struct {
	Of    attrs.Designator
	Table map[string]string
}

func (f Map) inputs() []attrs.Designator { return []attrs.Designator{f.Of} }

func (f Map) check(of *attrs.Definition, inputs []*attrs.Definition) (derive, error) {
	if err := single(inputs); err != nil {
		return nil, err
	}
	if len(f.Table) == 0 || len(f.Table) > MaxTable {
		return nil, fmt.Errorf("its table has 1 to %d lines", MaxTable)
	}
	table := make(map[string]string, len(f.Table)) // a copy: the caller's may change
	for from, to := range f.Table {
		if !inputs[0].Kind.Valid(from) || !of.Kind.Valid(to) {
			return nil, fmt.Errorf("the line %q: %q of its table is not of %s to %s", from, to, inputs[0].Kind, of.Kind)
		}
		table[from] = to
	}
	return func(inputs []attrs.Certified) (attrs.State, []string, error) {
		if unknown(inputs) {
			return attrs.Unknown, nil, nil
		}
		to, ok := table[inputs[0].Values[0]]
		switch {
		case !ok:
			return attrs.Unknown, nil, nil
		case of.Kind != attrs.Boolean:
			return attrs.Affirmed, []string{to}, nil
		case to == "true":
			return attrs.Affirmed, nil, nil
		}
		return attrs.Denied, nil, nil
	}, nil
}

// Any is true where one of the booleans is.
type Any []attrs.Designator

func (f Any) inputs() []attrs.Designator { return f }

func (f Any) check(of *attrs.Definition, inputs []*attrs.Definition) (derive, error) {
	return logic(of, inputs, attrs.Affirmed, attrs.Denied)
}

// All is true where each of the booleans is.
type All []attrs.Designator

func (f All) inputs() []attrs.Designator { return f }

func (f All) check(of *attrs.Definition, inputs []*attrs.Definition) (derive, error) {
	return logic(of, inputs, attrs.Denied, attrs.Affirmed)
}

// logic derives from booleans: decisive where one of them is, else unknown where one of them is, else otherwise.
func logic(of *attrs.Definition, inputs []*attrs.Definition, decisive, otherwise attrs.State) (derive, error) {
	if of.Kind != attrs.Boolean {
		return nil, errBoolean
	}
	for _, d := range inputs {
		if d.Kind != attrs.Boolean {
			return nil, errors.New("its inputs must be booleans")
		}
	}
	return func(inputs []attrs.Certified) (attrs.State, []string, error) {
		state := otherwise
		for i := range inputs {
			switch inputs[i].State {
			case decisive:
				return decisive, nil, nil
			case attrs.Unknown:
				state = attrs.Unknown
			}
		}
		return state, nil, nil
	}, nil
}

// A Part of a Concat is the value of an attribute or a text.
type Part struct {
	Of   attrs.Designator // zero: Text
	Text string
}

// Concat puts parts one after the other.
type Concat []Part

func (f Concat) inputs() []attrs.Designator {
	var of []attrs.Designator
	for _, p := range f {
		if p.Of != (attrs.Designator{}) {
			of = append(of, p.Of)
		}
	}
	return of
}

func (f Concat) check(of *attrs.Definition, inputs []*attrs.Definition) (derive, error) {
	switch {
	case of.Kind == attrs.Boolean:
		return nil, errNotBoolean
	case single(inputs) != nil:
		return nil, single(inputs)
	}
	for _, p := range f {
		if (p.Of == attrs.Designator{}) == (p.Text == "") || len(p.Text) > attrs.MaxTextBytes {
			return nil, errors.New("a part is an attribute or a text")
		}
	}
	parts := slices.Clone(f)
	return func(inputs []attrs.Certified) (attrs.State, []string, error) {
		if unknown(inputs) {
			return attrs.Unknown, nil, nil
		}
		var b strings.Builder
		next := 0
		for _, p := range parts {
			if p.Text != "" {
				b.WriteString(p.Text)
				continue
			}
			b.WriteString(inputs[next].Values[0])
			next++
		}
		return attrs.Affirmed, []string{b.String()}, nil
	}, nil
}

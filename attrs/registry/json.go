package registry

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"sceau/attrs"
)

// readJSON reads rows as an array of objects or as objects one after another. It reads tokens, because the decoder takes
// the last of two equal keys and keys in any case, and a fact must have one reading only. Its error is that of the
// reader; what is wrong with the text are problems.
func readJSON(in io.Reader, c *collector) error {
	counter := &breaks{in: in, line: 1}
	d := json.NewDecoder(counter)
	d.UseNumber()
	j := &jsonRows{c: c, d: d, breaks: counter}
	err := j.read()
	var unreadable *jsonProblem
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unreadable):
		c.problem(Problem{Line: j.line(), Rule: RuleSyntax, Detail: unreadable.detail + "; what follows was not read"})
	case errors.As(err, &syntax):
		c.problem(Problem{Line: counter.at(syntax.Offset), Rule: RuleSyntax, Detail: syntax.Error() + "; what follows was not read"})
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		c.problem(Problem{Line: j.line(), Rule: RuleSyntax, Detail: "the text ends too early"})
	default:
		return err
	}
	return nil
}

// jsonProblem is a text that is JSON but not rows.
type jsonProblem struct{ detail string }

func (p *jsonProblem) Error() string { return p.detail }

type jsonRows struct {
	c      *collector
	d      *json.Decoder
	breaks *breaks
}

// line gives the line of what was read last.
func (j *jsonRows) line() int { return j.breaks.at(j.d.InputOffset()) }

func (j *jsonRows) read() error {
	array, end := false, false
	for {
		token, err := j.d.Token()
		if err == io.EOF && !array {
			return nil
		}
		if err != nil {
			return err
		}
		j.c.line = j.line()
		switch {
		case token == json.Delim('[') && !array && !end && j.c.read == 0:
			array = true
		case token == json.Delim(']') && array:
			array, end = false, true
		case token == json.Delim('{') && !end:
			if err := j.object(j.c.line); err != nil {
				return err
			}
		default:
			return &jsonProblem{"expected an array of objects, or objects one after another"}
		}
	}
}

var errEnough = &jsonProblem{"no more rows can be taken"}

// object reads one row, after its opening brace.
func (j *jsonRows) object(line int) error {
	var row cells
	var seen [len(columns)]bool
	sound, booleanValue := true, false
	wrong := func(column, detail string) {
		j.c.problem(Problem{Line: j.line(), Column: column, Rule: RuleSyntax, Detail: detail})
		sound = false
	}
	for {
		token, err := j.d.Token()
		if err != nil {
			return err
		}
		if token == json.Delim('}') {
			break
		}
		key := token.(string) // the decoder gives nothing else in this place
		value, boolean, problem, err := j.value()
		if err != nil {
			return err
		}
		at := slices.Index(columns[:], key)
		if boolean && key == columnValue {
			booleanValue = true
		} else if boolean {
			problem = "a boolean, where text is needed"
		}
		switch {
		case at < 0:
			wrong("", "a key that is not a column")
		case seen[at]:
			wrong(key, "stands twice in one object")
		case problem != "":
			wrong(key, problem)
		case value != nil:
			row[at] = *value
		}
		if at >= 0 {
			seen[at] = true
		}
	}
	if d, ok := j.c.catalogue.Find(attrs.Designator{Name: row[2], Namespace: cmp.Or(row[3], attrs.NamespaceCertified)}); ok &&
		booleanValue && d.Kind != attrs.Boolean {
		wrong(columnValue, "a boolean, where text is needed")
	}
	if !sound {
		j.c.line = line
		j.c.read++
		return nil
	}
	if !j.c.add(line, &row) {
		return errEnough
	}
	return nil
}

// value reads the value of a key: text, a boolean, or null, which is nil.
func (j *jsonRows) value() (value *string, boolean bool, problem string, err error) {
	token, err := j.d.Token()
	if err != nil {
		return nil, false, "", err
	}
	switch t := token.(type) {
	case nil:
		return nil, false, "", nil
	case string:
		return &t, false, "", nil
	case bool:
		s := fmt.Sprint(t)
		return &s, true, "", nil
	case json.Number:
		return nil, false, "a number, where text is needed: zeros at its beginning would be lost", nil
	}
	for depth := 1; depth > 0; { // an array or object: read past it
		token, err := j.d.Token()
		if err != nil {
			return nil, false, "", err
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
	return nil, false, "an array or object, where text is needed", nil
}

// breaks is an io.Reader that remembers where lines end, as far as that was not asked for yet.
type breaks struct {
	in    io.Reader
	read  int64
	line  int     // of the last offset asked for
	ahead []int64 // offsets of line breaks after it
}

func (b *breaks) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			b.ahead = append(b.ahead, b.read+int64(i))
		}
	}
	b.read += int64(n)
	return n, err
}

// at gives the line of an offset that is not before the last one asked for.
func (b *breaks) at(offset int64) int {
	passed := 0
	for passed < len(b.ahead) && b.ahead[passed] < offset {
		passed++
	}
	b.line += passed
	b.ahead = b.ahead[passed:]
	return b.line
}

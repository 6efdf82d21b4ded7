package sqlsource

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sceau/attrs"
)

// kind is what a cell holds.
type kind uint8

const (
	kindNull kind = iota
	kindText
	kindBoolean // the text is "true" or "false"
	kindInstant
	kindSinceEver // -infinity
	kindForEver   // infinity
	kindForeign   // anything else; the text is the name of its type
)

// A cell is one cell of a row, as either driver gives it.
type cell struct {
	kind kind
	text string
	at   time.Time
}

// A call is one query about one subject, with its rows.
type call struct {
	query   *query
	subject string
	args    []any
	wanted  []*attrs.Definition
	facts   [][]attrs.Fact // of each of wanted
	rows    int
	most    int // rows
}

// nobody makes a call of each query for a subject that is NULL.
func nobody(queries []*query, most int) (calls []*call) {
	for _, q := range queries {
		calls = append(calls, &call{query: q, args: make([]any, q.params), most: most})
	}
	return calls
}

func booleanCell(v bool) cell { return cell{kind: kindBoolean, text: strconv.FormatBool(v)} }

// reset forgets the rows, for asking again.
func (c *call) reset() {
	c.rows = 0
	for i := range c.facts {
		c.facts[i] = c.facts[i][:0]
	}
}

// A rowError says that a row is not as it must be. It holds no value of a row: it may be a person's.
type rowError struct {
	query, row int // from one
	column     string
	attribute  string // its name, if it is about one
	err        error
}

func (e *rowError) Error() string {
	text := fmt.Sprintf("query %d, row %d", e.query, e.row)
	if e.column != "" {
		text += ", column " + e.column
	}
	return text + ": " + e.err.Error()
}

func (e *rowError) Unwrap() error { return e.err }

var (
	errTooManyRows  = errors.New("more rows than a subject may have")
	errOtherSubject = errors.New("it is about another subject")
	errNull         = errors.New("it is NULL")
	errNotAsked     = errors.New("it names no attribute that the query is configured to answer")
	errTooLong      = errors.New("it is too long")
	errYear         = errors.New("it is out of the years 1 to 9999")
	errNeverBegins  = errors.New("infinity is no beginning, and -infinity no end")
	errInterval     = errors.New("it ends before it begins")
)

// answered passes over what is wrong with rows: whoever gave them did answer.
func answered(err error) error {
	if row := (*rowError)(nil); errors.As(err, &row) {
		return nil
	}
	return err
}

// fail makes a rowError of the present row.
func (c *call) fail(column string, d *attrs.Definition, err error) error {
	e := &rowError{query: c.query.index + 1, row: c.rows, column: column, err: err}
	if d != nil {
		e.attribute = d.Name
	}
	return e
}

// take reads one row.
func (c *call) take(l layout, row []cell) error {
	if c.rows++; c.rows > c.most {
		return c.fail("", nil, errTooManyRows)
	}
	var about *attrs.Definition // of a long row
	var f attrs.Fact
	for i := range l {
		in, col := &row[i], &l[i]
		if err := col.admit(in); err != nil {
			return c.fail(col.name, col.definition, err)
		}
		var err error
		switch col.role {
		case roleSubject:
			if in.kind == kindNull || in.text != c.subject {
				err = errOtherSubject
			}
		case roleAttribute:
			var ok bool
			if in.kind == kindNull {
				err = errNull
			} else if about, ok = c.query.names[in.text]; !ok {
				err = errNotAsked // ignored, a misspelt name would say that somebody is no doctor
			}
		case roleValue:
			if f.Value = in.text; in.kind == kindNull {
				err = errNull
			}
		case roleNotBefore:
			f.NotBefore, err = in.bound(kindSinceEver)
		case roleNotOnOrAfter:
			f.NotOnOrAfter, err = in.bound(kindForEver)
		}
		if err != nil {
			return c.fail(col.name, col.definition, err)
		}
	}
	if !f.NotOnOrAfter.IsZero() && !f.NotBefore.Before(f.NotOnOrAfter) {
		return c.fail(columnNotOnOrAfter, about, errInterval)
	}
	if about != nil {
		c.keep(about, f)
		return nil
	}
	for i := range l { // a wide row: each column is a fact with the validity of the row, NULL is none
		if l[i].role == roleWide && row[i].kind != kindNull {
			f.Value = row[i].text
			c.keep(l[i].definition, f)
		}
	}
	return nil
}

func (c *call) keep(d *attrs.Definition, f attrs.Fact) {
	if i := slices.Index(c.wanted, d); i >= 0 {
		c.facts[i] = append(c.facts[i], f)
	}
}

// admit checks that the cell holds what the column may.
func (c *column) admit(in *cell) error {
	ok := true
	switch in.kind {
	case kindNull:
	case kindText:
		ok = c.accepts&acceptsText != 0
	case kindBoolean:
		ok = c.accepts&acceptsBoolean != 0
	case kindInstant, kindSinceEver, kindForEver:
		ok = c.accepts&acceptsInstant != 0
	default:
		return fmt.Errorf("a cell of type %s", in.text)
	}
	switch {
	case !ok:
		return errors.New("a cell of another type than the column's")
	case len(in.text) > attrs.MaxTextBytes:
		return errTooLong
	}
	return nil
}

// bound gives a bound of validity: the zero time for none, which is NULL or the infinity that is unbounded on its side.
func (in *cell) bound(unbounded kind) (time.Time, error) {
	switch {
	case in.kind == kindNull || in.kind == unbounded:
		return time.Time{}, nil
	case in.kind != kindInstant:
		return time.Time{}, errNeverBegins
	}
	t := in.at.UTC()
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, errYear
	}
	return t, nil
}

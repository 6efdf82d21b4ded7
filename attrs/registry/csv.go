package registry

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxLineBytes bounds a line of CSV. No value has line breaks, so that a longer one is a quote that was not closed.
const maxLineBytes = 16 << 10

var errLongLine = errors.New("line too long")

// readCSV reads rows of CSV. Its error is that of the reader; what is wrong with the text are problems.
func readCSV(in io.Reader, c *collector) error {
	text := csv.NewReader(&lines{in: in})
	text.ReuseRecord = true
	header, err := text.Read()
	c.line = 1
	switch {
	case err == io.EOF:
		return nil // nothing, which finish reports
	case err != nil:
		return c.unreadable(err, 1)
	}
	place, ok := c.header(header)
	if !ok {
		return nil
	}
	for {
		record, err := text.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if p := (*csv.ParseError)(nil); errors.As(err, &p) && errors.Is(p.Err, csv.ErrFieldCount) {
				c.read++
				c.line = p.StartLine
				c.problem(Problem{Line: p.StartLine, Rule: RuleSyntax, Detail: fmt.Sprintf("%d cells instead of %d", len(record), len(place))})
				continue
			}
			return c.unreadable(err, c.line+1)
		}
		line, _ := text.FieldPos(0)
		var row cells
		for i, cell := range record {
			row[place[i]] = cell
		}
		if !c.add(line, &row) {
			return nil
		}
	}
}

// unreadable makes a problem of an error that is about the text, and gives back any other.
func (c *collector) unreadable(err error, line int) error {
	var p *csv.ParseError
	switch {
	case errors.As(err, &p):
		c.problem(Problem{Line: p.Line, Rule: RuleSyntax, Detail: p.Err.Error() + "; what follows was not read"})
	case errors.Is(err, errLongLine):
		c.problem(Problem{Line: line, Rule: RuleSyntax,
			Detail: fmt.Sprintf("more than %d bytes without a line break; what follows was not read", maxLineBytes)})
	default:
		return err
	}
	return nil
}

// header gives the place in columns of each column of the text.
func (c *collector) header(names []string) (place []int, ok bool) {
	var seen [len(columns)]bool
	ok = true
	wrong := func(detail string) {
		c.problem(Problem{Line: 1, Rule: RuleHeader, Detail: detail})
		ok = false
	}
	if strings.HasPrefix(names[0], "\ufeff") {
		wrong("the text begins with a byte order mark: save it as UTF-8 without")
		return nil, false
	}
	for i, name := range names {
		at := slices.Index(columns[:], name)
		switch {
		case at < 0:
			wrong(fmt.Sprintf("column %d is not one of %s", i+1, strings.Join(columns[:], ", ")))
		case seen[at]:
			wrong(fmt.Sprintf("column %d, %s, stands twice", i+1, name))
		default:
			seen[at] = true
		}
		place = append(place, at)
	}
	for at, name := range columns {
		if !seen[at] && name != columnNamespace {
			wrong("no column " + name)
		}
	}
	return place, ok
}

// lines is an io.Reader that fails at a line that is too long, before it is all in memory.
type lines struct {
	in  io.Reader
	run int // bytes since the last line break
}

func (l *lines) Read(p []byte) (int, error) {
	if l.run > maxLineBytes {
		return 0, errLongLine
	}
	n, err := l.in.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			l.run = 0
			continue
		}
		if l.run++; l.run > maxLineBytes {
			return i, errLongLine
		}
	}
	return n, err
}

package policy

import (
	"fmt"
	"strings"
)

// A Reason says why this package refused. The zero Reason is none.
type Reason uint8

const (
	_ Reason = iota
	// InvalidRules: the rule file is not what it should be; the Problems say where.
	InvalidRules
	// Unreadable: the rule file could not be read.
	Unreadable
	// InvalidRequest: a request lacks what every request must have, or has a kind or mode that does not exist.
	InvalidRequest
)

func (r Reason) String() string {
	switch r {
	case InvalidRules:
		return "invalid rules"
	case Unreadable:
		return "unreadable"
	case InvalidRequest:
		return "invalid request"
	}
	return "no reason"
}

// A Problem is one thing wrong with a rule file, or with a directory of policies.
type Problem struct {
	File string // in a directory of policies; empty: the one rule file
	Line int    // from 1; 0: the file as a whole
	Text string
}

func (p Problem) String() string {
	switch {
	case p.File != "" && p.Line > 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
	case p.File != "":
		return p.File + ": " + p.Text
	case p.Line == 0:
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// An Error is every error of this package.
type Error struct {
	Reason   Reason
	Problems []Problem // of InvalidRules, in the order of lines
	Err      error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("policy: ")
	b.WriteString(e.Reason.String())
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	for _, p := range e.Problems {
		b.WriteString("\n\t")
		b.WriteString(p.String())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

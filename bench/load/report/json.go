package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"

	"sceau/bench/load/measure"
)

// largest bounds what Read reads: an hour of a search in ten steps is some megabytes.
const largest = 256 << 20

// JSON writes r for machines, indented, for Read to have it back. Numbers that are not finite become zero, which means
// "not measured" in package measure. Characters that could steer a terminal are written as escapes.
func JSON(w io.Writer, r *measure.Report) error {
	text, err := json.MarshalIndent(finite(r), "", "\t")
	if err != nil {
		return fmt.Errorf("report as JSON: %w", err)
	}
	var b bytes.Buffer
	for _, c := range string(text) {
		if c < 0x20 || unicode.IsPrint(c) { // below 0x20 only the line ends and tabs of the layout are left
			b.WriteRune(c)
			continue
		}
		for _, half := range utf16.AppendRune(nil, c) {
			fmt.Fprintf(&b, `\u%04x`, half)
		}
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// Read reads what JSON wrote. It refuses unknown fields, anything after the report, phases that are not exactly one of run,
// search and pair, and more than 256 MiB.
func Read(from io.Reader) (*measure.Report, error) {
	text, err := io.ReadAll(io.LimitReader(from, largest+1))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if len(text) > largest {
		return nil, fmt.Errorf("report: longer than %d MiB", largest>>20)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	r := new(measure.Report)
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("report: something follows its end")
	}
	if err := check(r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return r, nil
}

// check refuses what no load run writes.
func check(r *measure.Report) error {
	if r.Made.IsZero() {
		return errors.New(`no report: it has no time in "made"`)
	}
	for i, p := range r.Phases {
		parts := 0
		for _, present := range []bool{p.Run != nil, p.Search != nil, p.Pair != nil} {
			if present {
				parts++
			}
		}
		if parts != 1 {
			return fmt.Errorf("phase %d has %d of run, search and pair, not one", i, parts)
		}
		if s := p.Search; s != nil && s.Knee >= max(len(s.Steps), 1) {
			return fmt.Errorf("phase %d: step %d was the knee, of %d", i, s.Knee, len(s.Steps))
		}
	}
	return nil
}

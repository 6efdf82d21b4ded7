package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A plot is lines over one axis, before it is drawn at some size.
type plot struct {
	Title  string
	Note   string // what a reader must know to read it; may be empty
	X, Y   axis
	Xs     []float64 // ascending, shared by all series
	Series []series
	Others []other  // values beside the lines
	Mark   *mark    // of one x
	Level  *float64 // a y that others are compared with
}

// An axis has a name and a scale, and writes its values.
type axis struct {
	Name  string
	scale scale
	write func(float64) string
}

// A series is a line. Its Y has a value for each x of the plot, NaN where there is none: the line is broken there.
type series struct {
	Name   string
	Class  string // of the page's style: s1 to s6, or ideal
	Y      []float64
	Dotted bool   // with a dot at each value
	Hollow []bool // which dots are not filled; nil: none
}

// An other value is one that no line goes through: a hollow dot of a series.
type other struct {
	Class string
	X, Y  float64
}

// A mark is a line across the plot at one x.
type mark struct {
	X     float64
	Label string
}

// gap is a value that was not measured.
var gap = math.NaN()

// measured turns zero, which was not measured, into a gap.
func measured(v float64) float64 {
	if v <= 0 {
		return gap
	}
	return v
}

// extent returns the least and greatest value of all series; ok is false when there is none.
func extent(all []series) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range all {
		for _, v := range s.Y {
			if !math.IsNaN(v) {
				low, high, ok = min(low, v), max(high, v), true
			}
		}
	}
	return low, high, ok
}

// extent is that of all values that the plot shows.
func (p plot) extent() (low, high float64, ok bool) {
	all := slices.Clone(p.Series)
	for _, o := range p.Others {
		all = append(all, series{Y: []float64{o.Y}})
	}
	return extent(all)
}

// withValues drops series that have none.
func withValues(all []series) []series {
	return slices.DeleteFunc(all, func(s series) bool {
		_, _, ok := extent([]series{s})
		return !ok
	})
}

// Label describes the plot to those who do not see it.
func (p plot) Label() string {
	parts := []string{fmt.Sprintf("%s. %s by %s, from %s to %s", p.Title, p.Y.Name, p.X.Name, p.X.write(p.Xs[0]), p.X.write(p.Xs[len(p.Xs)-1]))}
	for _, s := range p.Series {
		low, high, _ := extent([]series{s})
		parts = append(parts, fmt.Sprintf("%s: %s to %s", s.Name, p.Y.write(low), p.Y.write(high)))
	}
	if p.Mark != nil {
		parts = append(parts, p.Mark.Label+" at "+p.X.write(p.Mark.X))
	}
	return strings.Join(parts, ". ") + "."
}

// Table is the plot in figures.
func (p plot) Table() table {
	t := table{Caption: p.Title, Head: []column{{Name: p.X.Name, Text: true}}}
	for _, s := range p.Series {
		t.Head = append(t.Head, column{Name: s.Name})
	}
	for i, x := range p.Xs {
		cells := []string{p.X.write(x)}
		for _, s := range p.Series {
			cells = append(cells, p.value(s, i))
		}
		t.Rows = append(t.Rows, row{Cells: cells})
	}
	return t
}

func (p plot) value(s series, i int) string {
	if math.IsNaN(s.Y[i]) {
		return missing
	}
	return p.Y.write(s.Y[i])
}

// hint is what is shown while the pointer is over an x.
func (p plot) hint(i int) string {
	lines := []string{p.X.Name + " " + p.X.write(p.Xs[i])}
	for _, s := range p.Series {
		lines = append(lines, s.Name+" "+p.value(s, i))
	}
	return strings.Join(lines, "\n")
}

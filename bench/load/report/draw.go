package report

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A frame is the size at which a plot is drawn, in the units of its viewBox, which on the screen are about pixels.
type frame struct {
	Class                    string
	Width, Height            float64
	Left, Right, Top, Bottom float64 // of the area between the axes
}

// frames are the sizes that every plot is drawn at; the style shows one, by the width of the window.
var frames = []frame{
	{Class: "wide", Width: 600, Height: 320, Left: 62, Right: 578, Top: 34, Bottom: 270},
	{Class: "narrow", Width: 350, Height: 280, Left: 54, Right: 328, Top: 32, Bottom: 230},
}

// A drawing is a plot at one size: coordinates and texts, for the template to write as SVG.
type drawing struct {
	frame
	Label  string
	XName  label
	YName  label
	XTicks []drawnTick
	YTicks []drawnTick
	Lines  []drawnLine
	Dots   []dot
	Hits   []hit
	Mark   *drawnMark
	Level  string // y of the level, empty when there is none
}

// A label is text at a place. Anchor is start, middle or end.
type label struct{ X, Y, Anchor, Text string }

type drawnTick struct {
	At    string
	Label *label // nil where there is no room for it
}

type drawnLine struct{ Class, Path string }

// A dot is of the class of its series, and of the class hollow.
type dot struct{ Class, X, Y string }

const hollow = " hollow"

// A hit is the strip around one x in which the pointer shows its values.
type hit struct{ X, Width, Middle, Hint string }

type drawnMark struct {
	X     string
	Label label
}

// glyph is the width of a character of the plots' font, rather too wide than too narrow.
const glyph = 7.7

func textWidth(s string) float64 { return glyph * float64(utf8.RuneCountInString(s)) }

// px writes a coordinate.
func px(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

func (f frame) x(p plot, v float64) float64 { return f.Left + p.X.scale.place(v)*(f.Right-f.Left) }
func (f frame) y(p plot, v float64) float64 { return f.Bottom - p.Y.scale.place(v)*(f.Bottom-f.Top) }

// Drawings returns the plot at all sizes.
func (p plot) Drawings() []drawing {
	all := make([]drawing, 0, len(frames))
	for _, f := range frames {
		all = append(all, p.draw(f))
	}
	return all
}

func (p plot) draw(f frame) drawing {
	f.Left = max(f.Left, p.yLabels())
	d := drawing{
		frame:  f,
		Label:  p.Label(),
		XName:  label{px((f.Left + f.Right) / 2), px(f.Height - 10), "middle", p.X.Name},
		YName:  label{px(4), px(14), "start", p.Y.Name},
		XTicks: p.xTicks(f),
		YTicks: p.yTicks(f),
		Hits:   p.hits(f),
	}
	for _, s := range p.Series {
		path, lone := p.path(f, s)
		d.Lines = append(d.Lines, drawnLine{s.Class, path})
		for i, v := range s.Y {
			if math.IsNaN(v) || !s.Dotted && !lone[i] {
				continue
			}
			class := s.Class
			if s.Hollow != nil && s.Hollow[i] {
				class += hollow
			}
			d.Dots = append(d.Dots, dot{class, px(f.x(p, p.Xs[i])), px(f.y(p, v))})
		}
	}
	for _, o := range p.Others {
		d.Dots = append(d.Dots, dot{o.Class + hollow, px(f.x(p, o.X)), px(f.y(p, o.Y))})
	}
	if p.Mark != nil {
		d.Mark = p.drawnMark(f)
	}
	if p.Level != nil {
		d.Level = px(f.y(p, *p.Level))
	}
	return d
}

// drawnMark writes the label of the mark on the side where there is room.
func (p plot) drawnMark(f frame) *drawnMark {
	x := f.x(p, p.Mark.X)
	m := &drawnMark{X: px(x), Label: label{px(x + 5), px(f.Top - 6), "start", p.Mark.Label}}
	if x+5+textWidth(p.Mark.Label) > f.Width {
		m.Label.X, m.Label.Anchor = px(x-5), "end"
	}
	return m
}

// besideAxis is the distance between a label and the axis it stands at.
const besideAxis = 7

// yLabels is how much room the labels of the vertical axis take.
func (p plot) yLabels() float64 {
	widest := 0.0
	for _, t := range p.Y.scale.ticks {
		widest = max(widest, textWidth(t.Label))
	}
	return widest + besideAxis
}

// xTicks leaves out labels that would touch the one before or leave the drawing.
func (p plot) xTicks(f frame) []drawnTick {
	var all []drawnTick
	free := math.Inf(-1)
	for _, t := range p.X.scale.ticks {
		x := f.x(p, t.Value)
		drawn := drawnTick{At: px(x)}
		half := textWidth(t.Label) / 2
		if x-half > free && x-half >= 0 && x+half <= f.Width {
			drawn.Label = &label{px(x), px(f.Bottom + 17), "middle", t.Label}
			free = x + half + glyph
		}
		all = append(all, drawn)
	}
	return all
}

// lineHeight is the least distance between labels one above the other.
const lineHeight = 15

func (p plot) yTicks(f frame) []drawnTick {
	var all []drawnTick
	free := math.Inf(1)
	for _, t := range p.Y.scale.ticks {
		y := f.y(p, t.Value)
		drawn := drawnTick{At: px(y)}
		if y <= free {
			drawn.Label = &label{px(f.Left - besideAxis), px(y + 4), "end", t.Label}
			free = y - lineHeight
		}
		all = append(all, drawn)
	}
	return all
}

// path is the line of a series; lone says which of its values stand between gaps, where a line has no length.
func (p plot) path(f frame, s series) (d string, lone []bool) {
	var b strings.Builder
	lone = make([]bool, len(s.Y))
	pen := false
	for i, v := range s.Y {
		if math.IsNaN(v) {
			pen = false
			continue
		}
		command := "L"
		if !pen {
			command = "M"
			lone[i] = i+1 == len(s.Y) || math.IsNaN(s.Y[i+1])
		}
		b.WriteString(command + px(f.x(p, p.Xs[i])) + " " + px(f.y(p, v)))
		pen = true
	}
	return b.String(), lone
}

// hits cuts the area into strips, one for each x, that meet halfway.
func (p plot) hits(f frame) []hit {
	var all []hit
	for i := range p.Xs {
		x := f.x(p, p.Xs[i])
		from, to := f.Left, f.Right
		if i > 0 {
			from = (f.x(p, p.Xs[i-1]) + x) / 2
		}
		if i+1 < len(p.Xs) {
			to = (x + f.x(p, p.Xs[i+1])) / 2
		}
		all = append(all, hit{px(from), px(to - from), px(x), p.hint(i)})
	}
	return all
}

// Depth is the height of the area between the axes.
func (f frame) Depth() float64 { return f.Bottom - f.Top }

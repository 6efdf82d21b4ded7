package report

import (
	"io"
	"strings"
	"unicode"

	"sceau/bench/load/measure"
)

// columns is how wide Text may be.
const columns = 100

// Text writes r as a summary for a terminal: the verdict first, then each phase. No line is longer than 100 columns.
func Text(w io.Writer, r *measure.Report) error {
	d := documentOf(r)
	p := &paper{}
	p.wrap("", d.Title)
	p.wrap("", "measured "+d.Made+" on "+d.On)
	for _, s := range d.Servers {
		p.item("", strings.ToLower(s.Name[:1])+s.Name[1:]+": "+s.Value)
	}
	p.blank()
	p.wrap("", d.Verdict.Outcome.Word()+": "+d.Verdict.Sentence)
	for _, j := range d.Verdict.Judgements {
		p.judgement(j)
	}
	if len(d.Cautions) > 0 {
		p.blank()
		p.wrap("", "BEFORE BELIEVING THE FIGURES")
		for _, c := range d.Cautions {
			p.item("  - ", c.Where+": "+c.What)
		}
	}
	for _, s := range d.Sections {
		p.section(s)
	}
	if notes := p.notes(); notes != "" {
		p.blank()
		p.wrap("", notes)
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// A paper is what is written so far.
type paper struct{ b strings.Builder }

func (p *paper) blank() { p.b.WriteByte('\n') }

// wrap writes text in lines that begin with indent.
func (p *paper) wrap(indent, text string) { p.hang(indent, indent, text) }

// item is wrap with something else before the first line.
func (p *paper) item(first, text string) {
	p.hang(first, strings.Repeat(" ", cells(first)), text)
}

// hang writes text with first before its first line and rest before the others, cut at blanks, or inside words that are longer than
// a line.
func (p *paper) hang(first, rest, text string) {
	line, used := first, 0
	flush := func() {
		p.b.WriteString(strings.TrimRight(line, " ") + "\n")
		line, used = rest, 0
	}
	for _, word := range strings.Fields(text) {
		if used > 0 && cells(line)+1+cells(word) > columns {
			flush()
		}
		for cells(line)+cells(word)+min(used, 1) > columns {
			head, tail := split(word, columns-cells(line))
			line, word = line+head, tail
			flush()
		}
		if used > 0 {
			line += " "
		}
		line += word
		used++
	}
	flush()
}

// judgement writes what was expected, and what was found beside it or below.
func (p *paper) judgement(j judgement) {
	where := ""
	if j.Phase != "" {
		where = j.Phase + ": "
	}
	found := ""
	if j.Found != "" {
		found = "; found " + j.Found
	}
	p.item("  "+pad(j.Word, 15, false), where+j.What+found)
}

func (p *paper) section(s section) {
	p.blank()
	p.wrap("", "== "+s.Name)
	p.wrap("", s.Lead)
	if len(s.Facts) > 0 {
		p.blank()
	}
	for _, f := range s.Facts {
		p.item("  "+pad(strings.ToLower(f.Name), 13, false), f.Value)
	}
	for _, t := range s.Tables {
		p.blank()
		p.table(t)
	}
}

// indent is what stands before rows, between blanks columns.
const (
	indent  = "    "
	between = "  "
)

// table writes a table as wide as its cells, the widest columns of text cut where a line would be too long.
func (p *paper) table(t table) {
	p.wrap("  ", t.Caption)
	widths := make([]int, len(t.Head))
	for i, c := range t.Head {
		widths[i] = cells(c.Name)
		for _, r := range t.Rows {
			widths[i] = max(widths[i], cells(r.Cells[i]))
		}
	}
	narrow(widths, columns-len(indent)-len(between)*(len(widths)-1))
	head := row{}
	for _, c := range t.Head {
		head.Cells = append(head.Cells, c.Name)
	}
	for _, r := range append([]row{head}, t.Rows...) {
		line := indent
		if r.Marked {
			line = "  > "
		}
		for i, text := range r.Cells {
			if i > 0 {
				line += between
			}
			line += pad(cut(text, widths[i]), widths[i], !t.Head[i].Text)
		}
		p.b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// least is how narrow a column of a table may become.
const least = 6

// narrow makes the widest columns narrower until all fit into room.
func narrow(widths []int, room int) {
	for {
		sum, widest := 0, 0
		for i, w := range widths {
			sum += w
			if w > widths[widest] {
				widest = i
			}
		}
		if sum <= room || widths[widest] <= least {
			return
		}
		widths[widest]--
	}
}

// notes explains the marks that were used.
func (p *paper) notes() string {
	if strings.Contains(p.b.String(), "≈ ") {
		return "≈ fewer than ten answers lie beyond this percentile: it says more of those than of the server."
	}
	return ""
}

// cells is how many columns a text takes in a terminal. Marks above and below letters take none; the wide letters of
// East Asia take two.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cell(r)
	}
	return n
}

func cell(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// split cuts s after as many characters as fit into width columns, at least one.
func split(s string, width int) (head, tail string) {
	n := 0
	for i, r := range s {
		n += cell(r)
		if n > width && i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// cut shortens s to width columns, with an ellipsis.
func cut(s string, width int) string {
	if cells(s) <= width {
		return s
	}
	head, _ := split(s, max(width-1, 1))
	return head + "…"
}

// pad fills s up with blanks to width columns.
func pad(s string, width int, right bool) string {
	blanks := strings.Repeat(" ", max(width-cells(s), 0))
	if right {
		return blanks + s
	}
	return s + blanks
}

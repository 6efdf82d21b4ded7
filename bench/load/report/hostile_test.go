package report

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"sceau/bench/load/measure"
)

// Z10, log injection, and script injection: what each of these would achieve if it got through is a steered terminal, a line that reads
// otherwise than it is, or a page that runs what a server under test wrote.
const hostile = "\x1b]0;owned\x07\u202eevil\u2066\x9b31m</title></style></svg><script>alert(1)</script><img src=x onerror=alert(1)>\" onload='alert(1)' {{.}} javascript:alert(1) ]]> \xff\x00"

// fill puts hostile text and numbers that are none into every field that v has, and everything that a map or slice may hold, so that
// a field added to package measure is tried too.
func fill(v reflect.Value, none float64) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Float64:
		v.SetFloat(none)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(9)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*measure.Histogram]() {
			h := measure.NewHistogram()
			h.Record(time.Millisecond)
			v.Set(reflect.ValueOf(h))
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), none)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			fill(v.Index(i), none)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, none)
		fill(value, none)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(begun))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), none)
		}
	}
}

func hostileReport(none float64) *measure.Report {
	r := new(measure.Report)
	fill(reflect.ValueOf(r).Elem(), none)
	r.Phases[0].Search, r.Phases[0].Pair = nil, nil
	r.Phases[1].Run, r.Phases[1].Pair = nil, nil
	r.Phases[2].Run, r.Phases[2].Search = nil, nil
	r.Phases[1].Search.Knee, r.Phases[1].Search.Saturation = 1, 5
	for i := range r.Phases[1].Search.Steps {
		r.Phases[1].Search.Steps[i].Load.Rate = float64(i + 1)
	}
	for i := range r.Phases[2].Pair.Ratios {
		r.Phases[2].Pair.Ratios[i].Served = 1
	}
	return r
}

func TestHostileText(t *testing.T) {
	text := renderText(t, hostileReport(math.NaN()))
	checkText(t, text)
	if strings.Count(text, `\x1b]0;owned`) < 10 {
		t.Error("the hostile text is not in the summary at all: nothing was tried")
	}
}

// checkText says whether a terminal may be shown text.
func checkText(t tb, text string) {
	t.Helper()
	for i, line := range strings.Split(text, "\n") {
		if n := cells(line); n > columns {
			t.Errorf("line %d takes %d columns: %q", i+1, n, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("line %d ends in blanks: %q", i+1, line)
		}
		for _, r := range line {
			if !unicode.IsPrint(r) {
				t.Errorf("line %d has %U: %q", i+1, r, line)
			}
		}
	}
	checkNumbers(t, text)
}

// checkNumbers finds numbers that are none.
func checkNumbers(t tb, text string) {
	t.Helper()
	for _, none := range []string{"NaN", "Inf", "%!", "ZgotmplZ"} {
		if i := strings.Index(text, none); i >= 0 {
			t.Errorf("%s in …%s…", none, text[max(i-80, 0):min(i+40, len(text))])
		}
	}
}

func TestHostilePage(t *testing.T) {
	page := renderHTML(t, hostileReport(math.Inf(1)))
	parts := checkPage(t, page)
	if parts["svg"] == 0 || strings.Count(page, `\x1b]0;owned`) < 30 {
		t.Error("the hostile text is not in the page at all: nothing was tried")
	}
	for _, r := range page {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("the page has %U", r)
		}
	}
}

func TestHostileJSON(t *testing.T) {
	r := hostileReport(math.Inf(-1))
	text := renderJSON(t, r)
	for _, c := range text {
		if c != '\n' && c != '\t' && !unicode.IsPrint(c) && c != '\ufffd' {
			t.Fatalf("%U in the JSON", c)
		}
	}
	back, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(hostile, "\ufffd"); back.Title != want {
		t.Errorf("title %q, not %q", back.Title, want)
	}
	if served := back.Phases[0].Run.Served; served != 0 {
		t.Errorf("what is no number came back as %v", served)
	}
}

// A report is shown, not altered: what is made printable for one reader is whole for the next.
func TestLeftAsItIs(t *testing.T) {
	r := sampleReport()
	r.Title, r.Phases[0].Run.Codes = hostile, map[string]uint64{hostile: 2, "a\x01": 3, `a\x01`: 4}
	before, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if text := renderText(t, r); !strings.Contains(text, `a\x01`) || !strings.Contains(text, "  7  ") {
		t.Errorf("two codes that look alike are not one of 7:\n%s", text)
	}
	renderHTML(t, r)
	renderJSON(t, r)
	after, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("the report was altered")
	}
}

package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"sceau/bench/load/measure"
)

// A tb is a test or one try of a property.
type tb interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

func render(t tb, write func(io.Writer, *measure.Report) error, r *measure.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func renderHTML(t tb, r *measure.Report) string { t.Helper(); return render(t, HTML, r) }
func renderText(t tb, r *measure.Report) string { t.Helper(); return render(t, Text, r) }
func renderJSON(t tb, r *measure.Report) string { t.Helper(); return render(t, JSON, r) }

// allowed are the elements and attributes that the template writes. Anything else came in with a text.
var allowed = map[string]string{
	"html": "lang", "head": "", "meta": "charset http-equiv content name", "title": "", "style": "", "body": "", "header": "", "main": "", "nav": "aria-label",
	"section": "class aria-labelledby", "h1": "", "h2": "id", "h3": "", "p": "class", "span": "class aria-hidden", "b": "", "a": "href", "ul": "class", "li": "", "div": "class",
	"dl": "class", "dt": "", "dd": "class", "table": "", "caption": "", "thead": "", "tbody": "", "tr": "class", "th": "scope class", "td": "class", "pre": "", "small": "",
	"details": "class", "summary": "", "figure": "", "figcaption": "",
	"svg": "class viewBox role aria-label width height aria-hidden", "g": "class", "path": "class d", "circle": "class cx cy r", "rect": "x y width height", "text": "x y text-anchor",
}

// checkPage reads a page as XML, strictly: every element closed, every attribute quoted, and only what the template writes. It
// returns how many there are of each element; "plot" counts drawings.
func checkPage(t tb, page string) map[string]int {
	t.Helper()
	checkNumbers(t, page)
	count := map[string]int{}
	ids, links := map[string]bool{}, map[string]bool{}
	var box [2]float64
	decoder := xml.NewDecoder(strings.NewReader(page))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		name := start.Name.Local
		count[name]++
		attributes, known := allowed[name]
		if !known {
			t.Errorf("element %s", name)
		}
		values := map[string]string{}
		for _, a := range start.Attr {
			values[a.Name.Local] = a.Value
			if !strings.Contains(" "+attributes+" ", " "+a.Name.Local+" ") {
				t.Errorf("attribute %s of %s", a.Name.Local, name)
			}
		}
		if id, has := values["id"]; has {
			if ids[id] {
				t.Errorf("two elements have id %q", id)
			}
			ids[id] = true
		}
		if to, has := values["href"]; has {
			links[to] = true
		}
		if name == "svg" && values["role"] == "img" {
			count["plot"]++
			box = checkPlot(t, values)
		}
		checkPlaces(t, name, values, box)
	}
	for to := range links {
		if !strings.HasPrefix(to, "#") || !ids[to[1:]] {
			t.Errorf("a link leads to %q", to)
		}
	}
	return count
}

// checkPlot returns the size of a drawing, which must have words for those who do not see it.
func checkPlot(t tb, values map[string]string) (box [2]float64) {
	t.Helper()
	if len(values["aria-label"]) < 30 {
		t.Errorf("a plot is described as %q", values["aria-label"])
	}
	numbers := strings.Fields(values["viewBox"])
	if len(numbers) != 4 {
		t.Fatalf("viewBox %q", values["viewBox"])
	}
	return [2]float64{number(t, numbers[2]), number(t, numbers[3])}
}

func number(t tb, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Errorf("coordinate %q", text)
	}
	return v
}

// checkPlaces says whether the coordinates of a part of a plot are numbers inside the drawing.
func checkPlaces(t tb, name string, values map[string]string, box [2]float64) {
	t.Helper()
	inside := func(text string, side int) {
		if v := number(t, text); v < 0 || v > box[side] {
			t.Errorf("%s at %s, outside of %v", name, text, box)
		}
	}
	for attribute, side := range map[string]int{"x": 0, "cx": 0, "y": 1, "cy": 1} {
		if v, has := values[attribute]; has && name != "svg" && box[0] > 0 {
			inside(v, side)
		}
	}
	if name == "path" && box[0] > 0 {
		for _, pair := range strings.FieldsFunc(values["d"], func(r rune) bool { return r == 'M' || r == 'L' }) {
			x, y, _ := strings.Cut(pair, " ")
			inside(x, 0)
			inside(y, 1)
		}
	}
}

func TestPage(t *testing.T) {
	page := renderHTML(t, sampleReport())
	parts := checkPage(t, page)
	// Five of the run; two over the load and five at the knee of the search; two of the pair. Each in two sizes.
	if want := 2 * (5 + 7 + 2); parts["plot"] != want {
		t.Errorf("%d drawings, not %d", parts["plot"], want)
	}
	for _, want := range []string{"PASSED, WITH WARNINGS", "p99 ≤ 10 × mean service time", "Throughput against offered load", "Latency against offered load", "Ratios, A by B, round by round",
		"Latency by percentile", "Latency over time", "Server CPU over time", "Server memory over time", "200 samlp:Success", "10 000 idle", "AMD EPYC", "0123456789abcdef…", "32.0 GiB", "0.420 in the minute before the run", "Hollow: tries that were not sustained", `class="dot s1 hollow"`, "cold-certificate: 8"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "src=", "url(", "@import", "style=", "://"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if first, second := strings.Index(page, `id="verdict"`), strings.Index(page, `id="phase-1"`); first < 0 || second < first {
		t.Error("the verdict does not come first")
	}
}

// The policy admits the style sheet as it stands in the page, byte by byte, and no other.
func TestPolicy(t *testing.T) {
	page := renderHTML(t, sampleReport())
	_, rest, _ := strings.Cut(page, "<style>")
	sheet, _, _ := strings.Cut(rest, "</style>")
	hash := sha256.Sum256([]byte(sheet))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'"
	if contentPolicy != want {
		t.Errorf("policy %s, not %s", contentPolicy, want)
	}
	var in struct {
		Metas []struct {
			Name    string `xml:"http-equiv,attr"`
			Content string `xml:"content,attr"`
		} `xml:"head>meta"`
	}
	if err := xml.Unmarshal([]byte(page), &in); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range in.Metas {
		found = found || m.Name == "Content-Security-Policy" && m.Content == want
	}
	if !found {
		t.Error("the page does not state its policy")
	}
}

func TestWritersFail(t *testing.T) {
	r := edges()["one answer"]
	for name, write := range map[string]func(io.Writer, *measure.Report) error{"text": Text, "JSON": JSON, "HTML": HTML} {
		if err := write(broken{}, r); !errors.Is(err, errBroken) {
			t.Errorf("%s to a full disk: %v", name, err)
		}
	}
}

var errBroken = errors.New("no space left")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

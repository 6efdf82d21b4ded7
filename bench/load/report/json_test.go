package report

import (
	"strings"
	"testing"

	"sceau/bench/load/measure"
)

func TestRoundTrip(t *testing.T) {
	for name, r := range goldens() {
		text := renderJSON(t, r)
		back, err := Read(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if renderJSON(t, back) != text {
			t.Errorf("%s: what was read back is written otherwise", name)
		}
		if renderHTML(t, back) != renderHTML(t, r) || renderText(t, back) != renderText(t, r) {
			t.Errorf("%s: what was read back is shown otherwise", name)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := renderJSON(t, &measure.Report{Made: begun, Phases: []measure.Phase{{Name: "p", Run: &measure.Run{Latency: measure.NewHistogram()}}}})
	if _, err := Read(strings.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	hdr := good[strings.Index(good, `"hdr": "`)+8:]
	hdr, _, _ = strings.Cut(hdr, `"`)
	for name, test := range map[string]struct{ text, want string }{
		"nothing":               {"", "EOF"},
		"another file":          {`{}`, `no report: it has no time in "made"`},
		"an unknown field":      {strings.Replace(good, `"name"`, `"nom"`, 1), `unknown field "nom"`},
		"two reports":           {good + good, "something follows its end"},
		"cut off":               {good[:len(good)/2], "unexpected EOF"},
		"no part":               {strings.Replace(good, `"name": "p",`, `"name": "p"},{`, 1), "phase 0 has 0 of run, search and pair"},
		"two parts":             {strings.Replace(good, `"name": "p",`, `"pair": {"a": null, "b": null, "ratios": null, "median": {}},`, 1), "phase 0 has 2 of run, search and pair"},
		"a knee of no step":     {`{"made": "2026-05-11T08:42:13Z", "phases": [{"name": "", "search": {"steps": [], "knee": 1}}]}`, "step 1 was the knee, of 0"},
		"an empty histogram":    {strings.Replace(good, hdr, "", 1), "a histogram without its hdr"},
		"a short histogram":     {strings.Replace(good, hdr, "AAAA", 1), "a histogram whose hdr is damaged"},
		"a histogram of 3 to 0": {strings.Replace(good, hdr, "zzzz"+hdr[4:], 1), "encoding not supported"},
	} {
		r, err := Read(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) || r != nil {
			t.Errorf("%s: %v, not %q", name, err, test.want)
		}
	}
}

// FuzzRead: whatever is read is shown well.
func FuzzRead(f *testing.F) {
	small := &measure.Report{Title: "small", Made: begun, Phases: []measure.Phase{{Name: "p", Run: sampleRun("t", 5, 1, 1)},
		{Search: &measure.Search{Saturation: 4, Steps: []measure.Run{*sampleRun("t", 5, 1, 1)}}}}}
	f.Add([]byte(renderJSON(f, small)))
	f.Add([]byte(`{"made": "2026-05-11T08:42:13Z", "verdict": [{"what": "\u001b", "failed": true}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, mark := range []string{"NaN", "Inf", "%!"} { // what checkNumbers looks for
			if strings.Contains(string(text), mark) {
				t.Skip("a text of the report itself has it")
			}
		}
		r, err := Read(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		checkText(t, renderText(t, r))
		checkPage(t, renderHTML(t, r))
		if _, err := Read(strings.NewReader(renderJSON(t, r))); err != nil {
			t.Errorf("what was read cannot be written and read again: %v", err)
		}
	})
}

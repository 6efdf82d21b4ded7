package page_test

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"sceau/internal/judge"
)

//go:embed testdata/measure.js
var measure string

// measures are what a browser computes of a page.
type measures struct {
	Contrast []string // texts, borders of fields, that do not stand out from what is behind
	Targets  []string // what is smaller than a finger
	Wide     int      // by how much the page is wider than the window
	Stops    []string // what the keyboard has to reach, in the order of the document
}

// TestBrowser shows every page in Chromium, in light and dark, in windows of 320 and 900 pixels: 320 is also what 1280 are at a
// zoom of 400 %.
func TestBrowser(t *testing.T) {
	b, s := newBrowser(t), site(t)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 900} {
			b.show(t, scheme, width)
			for _, c := range cases {
				t.Run(fmt.Sprintf("%s/%d/%s", scheme, width, c.name), func(t *testing.T) {
					b.open(t, s.URL+"/fr/"+c.name)
					m := run(t, b, chromedp.Evaluate[measures](measure))
					for _, finding := range slices.Concat(b.heard(), m.Contrast, m.Targets) {
						t.Error(finding)
					}
					if m.Wide > 0 {
						t.Errorf("%d pixels wider than the window", m.Wide)
					}
					if width == 320 || scheme == "dark" {
						return
					}
					// Where a field has the focus from the beginning, the keyboard goes once around first.
					for range m.Stops {
						if run(t, b, chromedp.Evaluate[bool](`document.activeElement === document.body`)) {
							break
						}
						run(t, b, chromedp.KeyEvent("\t"))
					}
					var reached []string
					for range m.Stops {
						run(t, b, chromedp.KeyEvent("\t"))
						reached = append(reached, run(t, b, chromedp.Evaluate[string](`describe(document.activeElement)`)))
						if !run(t, b, chromedp.Evaluate[bool](`standsOut(document.activeElement)`)) {
							t.Errorf("%s has the focus, and does not show it", reached[len(reached)-1])
						}
					}
					if len(m.Stops) < 4 || !slices.Equal(reached, m.Stops) {
						t.Errorf("the keyboard reaches\n%q\nof\n%q", reached, m.Stops)
					}
				})
			}
		}
	}
}

// TestNarrow: words of all languages fit into a narrow window, though some are long.
func TestNarrow(t *testing.T) {
	b, s := newBrowser(t), site(t)
	b.show(t, "light", 320)
	for _, language := range tongues[1:] {
		for _, c := range cases {
			b.open(t, s.URL+"/"+language+"/"+c.name)
			if m := run(t, b, chromedp.Evaluate[measures](measure)); m.Wide > 0 {
				t.Errorf("%s/%s: %d pixels wider than the window", language, c.name, m.Wide)
			}
		}
	}
}

// axeCore is the source of axe-core, as axe/package-lock.json pins it.
func axeCore(t *testing.T) string {
	t.Helper()
	dir := judge.NodeModules(t, "axe")
	source, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// TestAxe: axe-core finds nothing against WCAG 2.0, 2.1 and 2.2 A and AA, nor against its own best practices.
func TestAxe(t *testing.T) {
	b, s, source := newBrowser(t), site(t), axeCore(t)
	type result struct {
		Violations []string
		Passes     int
	}
	judged := 0
	for _, scheme := range []string{"light", "dark"} {
		b.show(t, scheme, 900)
		for _, c := range cases {
			b.open(t, s.URL+"/fr/"+c.name)
			run(t, b, chromedp.Evaluate[chromedp.Void](source))
			r := run(t, b, chromedp.Evaluate[result](`axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((r) => ({
				violations: r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.map((n) => n.html).join(" ")),
				passes: r.passes.length,
			}))`, chromedp.EvalAwaitPromise))
			for _, violation := range r.Violations {
				t.Errorf("%s, %s: %s", c.name, scheme, violation)
			}
			if r.Passes < 15 {
				t.Errorf("%s, %s: only %d rules were judged", c.name, scheme, r.Passes)
			}
			judged += r.Passes
		}
	}
	t.Logf("%d pages, %d rules passed", 2*len(cases), judged)
}

// TestScreenshots writes pictures of all pages to the folder that SCEAU_SCREENSHOTS names.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCEAU_SCREENSHOTS")
	if dir == "" {
		t.Skip("SCEAU_SCREENSHOTS names no folder")
	}
	b, s := newBrowser(t), site(t)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 900} {
			b.show(t, scheme, width)
			for _, c := range cases {
				b.open(t, s.URL+"/fr/"+c.name)
				picture := run(t, b, chromedp.FullScreenshot(100))
				name := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", c.name, scheme, width))
				if err := os.WriteFile(name, picture, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

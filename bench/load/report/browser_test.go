package report

import (
	"context"
	_ "embed"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/internal/judge"
)

// browse opens a page in headless Chromium and returns what it made of it, and what it wrote to its console: errors of scripts
// and violations of the page's policy.
func browse(t *testing.T, page string) (dom string, console []string) {
	t.Helper()
	program := judge.Require(t, "chromium")
	// Not t.TempDir: a child of the browser may still write into its profile when the browser has ended.
	folder, err := os.MkdirTemp("", "report")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) }) // what is left is temporary anyway
	name := filepath.Join(folder, "page.html")
	if err := os.WriteFile(name, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := file(t, folder, "stdout"), file(t, folder, "stderr")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--user-data-dir="+filepath.Join(folder, "profile"),
		"--window-size=1400,1000", "--enable-logging=stderr", "--dump-dom", "file://"+name)
	command.Stdout, command.Stderr = stdout, stderr // files: nobody waits for children that keep a pipe open
	err = command.Run()
	said := text(t, stderr.Name())
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, said)
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, ":CONSOLE") {
			console = append(console, strings.TrimSpace(line))
		}
	}
	return text(t, stdout.Name()), console
}

func file(t *testing.T, folder, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.Phases[0].Run.Codes[hostile] = 3
	dom, console := browse(t, renderHTML(t, r))
	if len(console) > 0 {
		t.Errorf("the browser complains: %q", console)
	}
	if n, want := strings.Count(dom, `role="img"`), 2*(5+7+2); n != want {
		t.Errorf("the browser shows %d drawings, not %d", n, want)
	}
	if strings.Contains(dom, "<script") || strings.Contains(dom, "<img") {
		t.Error("an element came in with a code of the server")
	}
	if !strings.Contains(dom, "alert(1)") {
		t.Error("the hostile code is not shown at all: nothing was tried")
	}
}

// The policy of the page stops what gets into it, and browse notices.
func TestBrowserComplains(t *testing.T) {
	t.Parallel()
	page := strings.Replace(renderHTML(t, edges()["one answer"]), "</main>", `<script>document.title = "owned"</script><p style="color: red">x</p></main>`, 1)
	dom, console := browse(t, page)
	if len(console) < 2 || strings.Contains(dom, "<title>owned") {
		t.Errorf("a script or a style sheet in the page was not stopped, or nobody noticed: %q", console)
	}
}

//go:embed testdata/probe.js
var probe string

// TestLayout measures the page in the browser, as wide as a screen and as narrow as a telephone: no text of a plot over another or
// cut off at its edge, nothing wider than the window. A page that was spoilt shows that this can be found.
func TestLayout(t *testing.T) {
	t.Parallel()
	sample := renderHTML(t, sampleReport())
	edge := edges()["huge"]
	edge.Phases = append(edge.Phases, edges()["one answer"].Phases...)
	edge.Phases = append(edge.Phases, edges()["a day"].Phases...)
	spoilt := strings.Replace(renderHTML(t, edges()["one answer"]), "</figcaption>", `</figcaption><div class="spoilt"></div>`, 1)
	spoilt = strings.ReplaceAll(spoilt, "</svg>", `<text x="60" y="40">one over</text><text x="62" y="41">the other</text><text x="-20" y="80">beyond</text></svg>`)
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html><body>`)
	frame := func(width, page string) {
		page = strings.Replace(page, `http-equiv="Content-Security-Policy"`, `name="off"`, 1) // srcdoc and probe are not of the page
		page = strings.Replace(page, "</head>", "<style>.spoilt { width: 3000px; height: 1px; }</style></head>", 1)
		b.WriteString(`<iframe width="` + width + `" height="800" srcdoc="` + html.EscapeString(page) + `"></iframe>`)
	}
	for _, width := range []string{"1280", "400"} {
		frame(width, sample)
		frame(width, renderHTML(t, edge))
		frame(width, spoilt)
	}
	b.WriteString(`<pre id="found"></pre><script>` + probe + `</script></body>`)
	dom, console := browse(t, b.String())
	if len(console) > 0 {
		t.Fatalf("the probe failed: %q", console)
	}
	_, found, _ := strings.Cut(dom, `<pre id="found">`)
	found, _, _ = strings.Cut(found, "</pre>")
	results := strings.Split(strings.TrimSpace(html.UnescapeString(found)), "\n\n")
	if len(results) != 6 {
		t.Fatalf("%d results of 6 pages: %q", len(results), found)
	}
	for i, name := range []string{"sample, wide", "edges, wide", "spoilt, wide", "sample, narrow", "edges, narrow", "spoilt, narrow"} {
		head, complaints, _ := strings.Cut(results[i], "\n")
		switch {
		case strings.HasPrefix(name, "sample") && head != "14 plots":
			t.Errorf("%s: %s were looked at, not 14", name, head)
		case strings.HasPrefix(name, "spoilt"):
			for _, want := range []string{"the other", "beyond", "wider than the window"} {
				if !strings.Contains(complaints, want) {
					t.Errorf("%s: the probe did not find %q:\n%s", name, want, complaints)
				}
			}
		case complaints != "":
			t.Errorf("%s:\n%s", name, complaints)
		}
	}
}

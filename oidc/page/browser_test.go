package page_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"sceau/internal/judge"
	"sceau/oidc/page"
)

// A browser is Chromium without a window, and what it complains of.
type browser struct {
	ctx        context.Context
	mu         sync.Mutex
	complaints []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	program := judge.Require(t, "chromium")
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx}
	// The status of the page itself is logged too; it is meant.
	err := chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *log.EventEntryAdded:
			if !strings.Contains(event.Entry.Text, "the server responded with a status of") {
				b.complain(event.Entry.Text)
			}
		case *runtime.EventConsoleAPICalled:
			b.complain("a message to the console")
		case *runtime.EventExceptionThrown:
			b.complain(event.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(t, b, log.Enable, cdp.Empty{})
	call(t, b, runtime.Enable, cdp.Empty{})
	return b
}

func (b *browser) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, text)
}

// heard returns the complaints since it was asked last.
func (b *browser) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.complaints
	b.complaints = nil
	return list
}

func call[P, R any](t *testing.T, b *browser, command cdp.Command[P, R], parameters P) R {
	t.Helper()
	result, err := chromedp.Call(b.ctx, command, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func run[T any](t *testing.T, b *browser, action chromedp.Action[T]) T {
	t.Helper()
	result, err := chromedp.Run(b.ctx, action)
	for range 20 { // a page that has just come is at times asked for in the context of the one before it, where nothing runs
		if err == nil || !strings.Contains(err.Error(), "Cannot find context") {
			break
		}
		time.Sleep(50 * time.Millisecond)
		result, err = chromedp.Run(b.ctx, action)
	}
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// open opens a page, and waits until the field that asks for the focus has it.
func (b *browser) open(t *testing.T, address string) {
	t.Helper()
	run(t, b, chromedp.Navigate(address))
	run(t, b, chromedp.Poll[bool](`!document.querySelector("[autofocus]") || document.activeElement.matches("[autofocus]")`))
}

// title is that of what the browser shows; it is empty while it is on its way.
func (b *browser) title() string {
	title, err := chromedp.Run(b.ctx, chromedp.Title())
	if err != nil {
		return ""
	}
	return title
}

// show shows pages in light or dark, at a width.
func (b *browser) show(t *testing.T, scheme string, width int64) {
	t.Helper()
	call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	run(t, b, chromedp.EmulateViewport(width, 760))
}

// site serves each case at /<language>/<name>. Pages that leave at once stay, so that they can be looked at: TestOnward follows them.
func site(t *testing.T) *httptest.Server {
	t.Helper()
	set := newSet(t)
	script := regexp.MustCompile(`<script src="[^"]*/formpost\.[^"]*" defer></script>`)
	mux := http.NewServeMux()
	mux.Handle(view.Static+"/", set.Static())
	mux.HandleFunc("/{language}/{name}", func(w http.ResponseWriter, r *http.Request) {
		for _, c := range cases {
			if c.name == r.PathValue("name") {
				language := page.Language(r.FormValue("lang"), r.PathValue("language"), "")
				written := httptest.NewRecorder()
				set.For(r, language, view).Write(written, r, c.status, c.page)
				maps.Copy(w.Header(), written.Header())
				w.Header().Del("Refresh")
				w.Header().Del("Content-Length")
				w.WriteHeader(written.Code)
				w.Write(script.ReplaceAll(written.Body.Bytes(), nil))
				return
			}
		}
		http.NotFound(w, r)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

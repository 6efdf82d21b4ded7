// Package chromium opens windows of Chromium, which nobody sees, for tests of what a person would.
//
//	w := chromium.Open(t, server)              // skips without Chromium; trusts the key of the server's certificate, and no other that is not public
//	w.Go("https://localhost:9443/")
//	w.Until("form", "Connexion")               // until a page with a form has that heading
//	w.Type("#username", "alice")
//	w.Click("button.main")
//	w.Quiet()                                  // Chromium complained of nothing, as it does where a policy for content is broken
package chromium

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"sceau/internal/judge"
)

// A Window is one of Chromium, with cookies of its own. It belongs to the test that opened it.
type Window struct {
	*testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// patience is how long a window may be of use on a busy machine.
const patience = 3 * time.Minute

// Open opens a window; it closes with the test.
func Open(t *testing.T, servers ...*x509.Certificate) *Window {
	t.Helper()
	var keys []string
	for _, s := range servers {
		key := sha256.Sum256(s.RawSubjectPublicKeyInfo)
		keys = append(keys, base64.StdEncoding.EncodeToString(key[:]))
	}
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(judge.Require(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(keys, ",")))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	w := &Window{T: t, ctx: ctx}
	err := chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *log.EventEntryAdded:
			if !strings.Contains(event.Entry.Text, "the server responded with a status of") { // of the page itself, which is meant
				w.complain(event.Entry.Text + " " + event.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			w.complain("a message to the console")
		case *runtime.EventExceptionThrown:
			w.complain(event.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *Window) complain(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, text)
}

// Quiet demands that Chromium complained of nothing so far.
func (w *Window) Quiet() {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.complaints {
		w.Errorf("Chromium: %s", text)
	}
	w.complaints = nil
}

func run[V any](w *Window, action chromedp.Action[V]) V {
	w.Helper()
	value, err := chromedp.Run(w.ctx, action)
	if err != nil {
		w.Fatalf("%v, at %s", err, w.at())
	}
	return value
}

// at is where the window is, to say it.
func (w *Window) at() string {
	at, err := chromedp.Run(w.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	at, _, _ = strings.Cut(at, "?")
	return at
}

// Go opens an address. A page before it that just now leads on by itself would go there instead, and what was asked for is aborted: it is
// asked for again.
func (w *Window) Go(address string) {
	w.Helper()
	var err error
	for range 20 {
		if _, err = chromedp.Run(w.ctx, chromedp.Navigate(address)); err == nil || !strings.Contains(err.Error(), "net::ERR_ABORTED") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		w.Fatalf("%v, at %s", err, w.at())
	}
}

// Until waits until the window shows a page with something in it under a heading, whichever page it showed before.
func (w *Window) Until(selector, heading string) {
	w.Helper()
	there := fmt.Sprintf(`document.readyState === "complete" && !!document.querySelector(%q) && document.querySelector("h1")?.textContent.trim() === %q`, selector, heading)
	// A page that cannot come is waited for less long than the window lives, so that the test can say what there was.
	for end := time.Now().Add(patience / 3); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		// A page that goes away in the meantime answers with an error.
		if is, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](there)); err == nil && is {
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Fatalf("no %q under %q at %s; Chromium: %q", selector, heading, w.at(), w.complaints)
}

// Click clicks on the first of what a selector means.
func (w *Window) Click(selector string) {
	w.Helper()
	run(w, chromedp.Click(selector))
}

// Type writes into a field, in the place of what is there.
func (w *Window) Type(selector, text string) {
	w.Helper()
	run(w, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).value = ""`, selector)))
	run(w, chromedp.SendKeys(selector, text))
}

// Text is what the first of what a selector means says.
func (w *Window) Text(selector string) string {
	w.Helper()
	return run(w, chromedp.Text(selector))
}

// Language is that of the page.
func (w *Window) Language() string {
	w.Helper()
	return run(w, chromedp.Evaluate[string](`document.documentElement.lang`))
}

// Picture keeps what is seen in the folder that SCEAU_SCREENSHOTS names, if it names one.
func (w *Window) Picture(name string) {
	w.Helper()
	folder := os.Getenv("SCEAU_SCREENSHOTS")
	if folder == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), run(w, chromedp.FullScreenshot(100)), 0o600); err != nil {
		w.Fatal(err)
	}
}

// Authenticator gives the window a device that keeps passkeys, and that a person is at: it verifies him, and agrees to all that is asked.
func (w *Window) Authenticator() {
	w.Helper()
	if _, err := chromedp.Call(w.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		w.Fatal(err)
	}
	_, err := chromedp.Call(w.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	if err != nil {
		w.Fatal(err)
	}
}

// Value is that of a field.
func (w *Window) Value(selector string) string {
	w.Helper()
	return run(w, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).value`, selector)))
}

// Send sends the form of a page with one field more.
func (w *Window) Send(name, value string) {
	w.Helper()
	run(w, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const form = document.querySelector("main form"), field = document.createElement("input");
		field.type = "hidden"; field.name = %q; field.value = %q; form.append(field); HTMLFormElement.prototype.submit.call(form); }`, name, value)))
}

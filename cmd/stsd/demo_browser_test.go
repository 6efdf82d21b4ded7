package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
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
	"github.com/chromedp/chromedp"

	"sceau/certs"
	"sceau/internal/judge"
)

// A window is one of Chromium that is not shown: with cookies of its own, and what it complained of.
type window struct {
	*testing.T
	ctx    context.Context
	folder string // for pictures, where somebody wants to look at them

	mu         sync.Mutex
	complaints []string
}

// openWindow opens a window that trusts the key of the demonstration's servers, and no other of theirs.
func (d *demo) openWindow(t *testing.T) *window {
	t.Helper()
	ders, err := certs.ReadCertificates(filepath.Join(d.dir, "pki", "server.pem"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := x509.ParseCertificate(ders[0])
	if err != nil {
		t.Fatal(err)
	}
	key := sha256.Sum256(server.RawSubjectPublicKeyInfo)
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(judge.Require(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(key[:])))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	w := &window{T: t, ctx: ctx, folder: os.Getenv("SCEAU_SCREENSHOTS")}
	err = chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *log.EventEntryAdded:
			w.complain(event.Entry.Text + " " + event.Entry.URL)
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

func (w *window) complain(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, text)
}

func inWindow[V any](w *window, action chromedp.Action[V]) V {
	w.Helper()
	value, err := chromedp.Run(w.ctx, action)
	if err != nil {
		at, _ := chromedp.Run(w.ctx, chromedp.Location()) // to say where
		w.Fatalf("%v, at %s", err, at)
	}
	return value
}

// until waits until the window shows a page with something in it, whichever page it was before.
func (w *window) until(selector, heading string) {
	w.Helper()
	there := fmt.Sprintf(`document.readyState === "complete" && !!document.querySelector(%q) && document.querySelector("h1")?.textContent.trim() === %q`, selector, heading)
	for w.ctx.Err() == nil {
		// A page that goes away in the meantime answers with an error.
		if is, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](there)); err == nil && is {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.Fatalf("no %q under %q", selector, heading)
}

func (w *window) click(selector string) {
	w.Helper()
	inWindow(w, chromedp.Click(selector))
}

func (w *window) picture(name string) {
	w.Helper()
	if w.folder == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(w.folder, name+".png"), inWindow(w, chromedp.FullScreenshot(100)), 0o600); err != nil {
		w.Fatal(err)
	}
}

// TestDemoInBrowser is the demonstration as a person sees it: Alice opens the application, logs in by her password, reads what the
// application was told, and logs out; in the four languages, and nothing of it is what Chromium complains of. With SCEAU_SCREENSHOTS a folder has what was
// seen.
func TestDemoInBrowser(t *testing.T) {
	judge.Require(t, "chromium")
	d := &demo{out: io.Discard, dir: filepath.Join(t.TempDir(), "demo")}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if err := d.prepare(ctx); err != nil {
		t.Fatal(err)
	}
	ended, err := d.start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		d.trust.Close()
		d.system.close()
	}()
	const home = "Dossier du patient"
	for _, tongue := range []struct{ tag, choose, password, application string }{
		{"fr", "Connexion", "Identifiant et mot de passe", "Dossier du patient"},
		{"nl", "Aanmelden", "Gebruikersnaam en wachtwoord", "Patiëntendossier"},
		{"de", "Anmeldung", "Benutzername und Passwort", "Patientenakte"},
		{"en", "Sign in", "Username and password", "Patient record"},
	} {
		t.Run(tongue.tag, func(t *testing.T) {
			w := d.openWindow(t)
			inWindow(w, chromedp.Navigate(d.oidc.app.address+"/"))
			w.until(`a[href="/login"]`, home)
			w.picture(tongue.tag + "-1-application")
			w.click(`a[href="/login"]`)
			w.until(`a.offer`, "Connexion") // the application asks for French
			if tongue.tag != "fr" {
				w.click(`nav.languages a[hreflang="` + tongue.tag + `"]`)
				w.until(`a.offer`, tongue.choose)
			}
			if tag := inWindow(w, chromedp.Evaluate[string](`document.documentElement.lang`)); tag != tongue.tag {
				t.Errorf("the page is in %q", tag)
			}
			if text := inWindow(w, chromedp.Text(`main`)); !strings.Contains(text, tongue.application) {
				t.Errorf("the page does not say which application asks: %q", text)
			}
			w.picture(tongue.tag + "-2-choice")
			w.click(`a.offer[href$="/m/password"]`)
			w.until(`input[name="password"]`, tongue.password)
			inWindow(w, chromedp.SendKeys(`#username`, "alice"))
			inWindow(w, chromedp.SendKeys(`#password`, "wrong"))
			w.click(`button.main`)
			w.until(`#alert-text`, tongue.password)
			w.picture(tongue.tag + "-3-refused")
			inWindow(w, chromedp.Evaluate[string](`document.querySelector("#username").value = ""`))
			inWindow(w, chromedp.SendKeys(`#username`, "alice"))
			inWindow(w, chromedp.SendKeys(`#password`, demoPassword))
			w.picture(tongue.tag + "-4-password")
			w.click(`button.main`)
			w.until(`a[href="/logout"]`, home)
			claims := inWindow(w, chromedp.Text(`table`))
			for _, want := range []string{"Alice Example", "alice.example@hopital.example", "demo:7f0c2f5e-0000-4000-8000-000000000001", "pwd"} {
				if !strings.Contains(claims, want) {
					t.Errorf("the application was not told %q: %s", want, claims)
				}
			}
			w.picture(tongue.tag + "-5-claims")
			// A second login needs no password: the session of the establishment answers.
			inWindow(w, chromedp.Navigate(d.oidc.app.address+"/login"))
			w.until(`a[href="/logout"]`, home)
			w.click(`a[href="/logout"]`)
			w.until(`a[href="/login"]`, home)
			// And nothing is left of it: who comes next has to log in.
			w.click(`a[href="/login"]`)
			w.until(`a.offer`, "Connexion")
			w.picture(tongue.tag + "-6-again")
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, text := range w.complaints {
				t.Errorf("Chromium: %s", text)
			}
		})
	}
}

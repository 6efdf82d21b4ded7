package main

import (
	"context"
	"crypto/x509"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"sceau/certs"
	"sceau/internal/chromium"
	"sceau/internal/judge"
)

// TestDemoInBrowser is the demonstration as a person sees it: Alice opens the application, gives up, is refused with a wrong password, logs in, reads
// what the application was told, and logs out; in the four languages, and Chromium complains of nothing.
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
	ders, err := certs.ReadCertificates(filepath.Join(d.dir, "pki", "server.pem"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := x509.ParseCertificate(ders[0])
	if err != nil {
		t.Fatal(err)
	}
	const home = "Dossier du patient"
	for _, tongue := range []struct{ tag, choose, password, application string }{
		{"fr", "Connexion", "Identifiant et mot de passe", "Dossier du patient"},
		{"nl", "Aanmelden", "Gebruikersnaam en wachtwoord", "Patiëntendossier"},
		{"de", "Anmeldung", "Benutzername und Passwort", "Patientenakte"},
		{"en", "Sign in", "Username and password", "Patient record"},
	} {
		t.Run(tongue.tag, func(t *testing.T) {
			w := chromium.Open(t, server)
			w.Go(d.oidc.app.address + "/")
			w.Until(`a[href="/login"]`, home)
			w.Picture(tongue.tag + "-1-application")
			w.Click(`a[href="/login"]`)
			w.Until(`a.offer`, "Connexion") // the application asks for French
			if tongue.tag != "fr" {
				w.Click(`nav.languages a[hreflang="` + tongue.tag + `"]`)
				w.Until(`a.offer`, tongue.choose)
			}
			if w.Language() != tongue.tag {
				t.Errorf("the page is in %q", w.Language())
			}
			if text := w.Text(`main`); !strings.Contains(text, tongue.application) {
				t.Errorf("the page does not say which application asks: %q", text)
			}
			w.Picture(tongue.tag + "-2-choice")
			w.Click(`form.elsewhere button`) // gives up, and begins again
			w.Until(`[role="alert"]`, home)
			if text := w.Text(`[role="alert"]`); text != "Vous avez renoncé à vous connecter." {
				t.Errorf("given up: %q", text)
			}
			w.Picture(tongue.tag + "-2-given-up")
			w.Click(`a[href="/login"]`)
			w.Until(`a.offer`, "Connexion")
			if tongue.tag != "fr" {
				w.Click(`nav.languages a[hreflang="` + tongue.tag + `"]`)
				w.Until(`a.offer`, tongue.choose)
			}
			w.Click(`a.offer[href$="/m/password"]`)
			w.Until(`input[name="password"]`, tongue.password)
			w.Type(`#username`, "alice")
			w.Type(`#password`, "wrong")
			w.Click(`button.main`)
			w.Until(`#alert-text`, tongue.password)
			w.Picture(tongue.tag + "-3-refused")
			w.Type(`#username`, "alice")
			w.Type(`#password`, demoPassword)
			w.Picture(tongue.tag + "-4-password")
			w.Click(`button.main`)
			w.Until(`a[href="/logout"]`, home)
			claims := w.Text(`table`)
			for _, want := range []string{"Alice Example", "alice.example@hopital.example", "demo:7f0c2f5e-0000-4000-8000-000000000001", "pwd"} {
				if !strings.Contains(claims, want) {
					t.Errorf("the application was not told %q: %s", want, claims)
				}
			}
			if strings.Contains(claims, "e+") {
				t.Errorf("an instant with an exponent: %s", claims)
			}
			w.Picture(tongue.tag + "-5-claims")
			// A second login needs no password: the session of the establishment answers.
			w.Go(d.oidc.app.address + "/login")
			w.Until(`a[href="/logout"]`, home)
			w.Click(`a[href="/logout"]`)
			w.Until(`a[href="/login"]`, home)
			// And nothing is left of it: who comes next has to log in.
			w.Click(`a[href="/login"]`)
			w.Until(`a.offer`, "Connexion")
			w.Picture(tongue.tag + "-6-again")
			w.Quiet()
		})
	}
}

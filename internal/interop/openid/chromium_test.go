package openid

import (
	"crypto/tls"
	"crypto/x509"
	"html/template"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sceau/internal/chromium"
	"sceau/internal/judge"
)

// TestOnward: Pro Santé Connect has several hosts, and an application of its own behind it: a browser that comes back is led on, to where nobody
// here knows. Chromium holds redirects that follow a form against the policy of the page of the form, all along the chain.
func TestOnward(t *testing.T) {
	judge.Require(t, "chromium")
	w := meet(t)
	pair := w.pki.pair("server")
	server, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	serve := func(at string, h http.HandlerFunc) string {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}, TLS: &tls.Config{Certificates: []tls.Certificate{pair}}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	said := template.Must(template.New("").Parse(`<!doctype html><html lang="fr"><link rel="icon" href="data:,"><title>.</title><h1>{{.}}</h1><p>.</p></html>`))
	elsewhere := serve("127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = said.Execute(w, r.URL.Path[1:])
	})
	at, err := url.Parse(w.onward)
	if err != nil {
		t.Fatal(err)
	}
	w.release(w.onward)
	serve("127.0.0.1:"+at.Port(), func(w http.ResponseWriter, r *http.Request) {
		to := "code"
		switch {
		case r.URL.Path == "/bye":
			to = "bye"
		case r.URL.Query().Get("code") == "":
			to = r.URL.Query().Get("error")
		}
		http.Redirect(w, r, elsewhere+"/"+to, http.StatusFound)
	})
	q := url.Values{"response_type": {"code"}, "client_id": {"rp-onward"}, "redirect_uri": {w.onward + "/cb"}, "scope": {"openid profile"}, "ui_locales": {"fr"}, "prompt": {"consent"},
		"code_challenge_method": {"S256"}, "code_challenge": {strings.Repeat("x", 43)}}
	begin := w.issuer + "/authorize?" + q.Encode()
	c := chromium.Open(t, server)

	c.Go(begin)
	c.Until(`a.offer`, "Connexion")
	c.Click(`form.elsewhere button`)
	c.Until(`p`, "access_denied")
	c.Quiet()

	c.Go(begin)
	c.Until(`a.offer`, "Connexion")
	c.Click(`a.offer[href$="/m/password"]`)
	c.Until(`#username`, "Identifiant et mot de passe")
	c.Type(`#username`, "alice")
	c.Type(`#password`, password)
	c.Click(`button.main`)
	c.Until(`button[name="decision"]`, "Votre accord")
	c.Picture("onward-1-consent")
	c.Click(`button[value="deny"]`)
	c.Until(`p`, "access_denied")
	c.Quiet()

	c.Go(begin)
	c.Until(`button[name="decision"]`, "Votre accord")
	c.Click(`button[value="allow"]`)
	c.Until(`p`, "code")
	c.Quiet()

	logout := w.issuer + "/logout?" + url.Values{"client_id": {"rp-onward"}, "post_logout_redirect_uri": {w.onward + "/bye"}, "ui_locales": {"fr"}}.Encode()
	c.Go(logout)
	c.Until(`button[value="stay"]`, "Déconnexion")
	c.Picture("onward-2-logout")
	c.Click(`button[value="stay"]`)
	c.Until(`main`, "Votre session reste ouverte")
	c.Picture("onward-3-stayed")
	c.Go(logout)
	c.Until(`button[value="logout"]`, "Déconnexion")
	c.Click(`button[value="logout"]`)
	c.Until(`p`, "bye")
	c.Quiet()
}

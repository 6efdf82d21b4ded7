package page_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// TestPasskey: the script asks the browser for a passkey and posts what it says, whether the browser knows the JSON of level 3 or not.
func TestPasskey(t *testing.T) {
	b, set := newBrowser(t), newSet(t)
	posted := make(chan url.Values, 1)
	var asked atomic.Value // json.RawMessage
	mux := http.NewServeMux()
	mux.Handle(view.Static+"/", set.Static())
	mux.HandleFunc("POST "+action, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		posted <- r.PostForm
		set.For(r, "fr", view).Write(w, r, 0, page.LoggedOut{})
	})
	mux.HandleFunc("GET /ask", func(w http.ResponseWriter, r *http.Request) {
		set.For(r, "fr", view).Write(w, r, 0, page.Passkey{Action: action, Options: asked.Load().(json.RawMessage), Return: back})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	address := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // passkeys are of names, not of numbers

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	call(t, b, webauthn.Enable, webauthn.EnableParams{})
	made := call(t, b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true,
		HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	// Not by webauthn.AddCredential: it says false of what the authenticator does not know, and that is refused.
	call(t, b, cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential}, map[string]any{
		"authenticatorId": made.AuthenticatorID,
		"credential": map[string]any{"credentialId": []byte("credential-of-anne"), "isResidentCredential": true, "rpId": "localhost",
			"privateKey": private, "userHandle": []byte("anne"), "signCount": 1}})

	level2 := `delete PublicKeyCredential.parseRequestOptionsFromJSON; delete PublicKeyCredential.prototype.toJSON`
	for _, test := range []struct {
		name, before string
		options      string
		failed       string // the name of the error that is posted
	}{
		{name: "level 3", options: string(options)},
		{name: "level 2", before: level2, options: string(options)},
		{name: "level 2, with a list", before: level2, options: `{"challenge":"AAECAwQFBgcICQoLDA0ODw","rpId":"localhost","allowCredentials":[{"type":"public-key","id":"Y3JlZGVudGlhbC1vZi1hbm5l"}]}`},
		{name: "of another", options: `{"challenge":"AAECAwQFBgcICQoLDA0ODw","rpId":"evil.example"}`, failed: "SecurityError"},
		{name: "no challenge", options: `{}`, failed: "TypeError"},
		{name: "no JSON", options: `<`, failed: "SyntaxError"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked.Store(json.RawMessage(test.options))
			run(t, b, chromedp.Navigate(address+"/ask"))
			run(t, b, chromedp.Evaluate[chromedp.Void](test.before))
			run(t, b, chromedp.Click("#passkey-use"))
			var form url.Values
			select {
			case form = <-posted:
			case <-time.After(time.Minute):
				t.Fatal("nothing was posted")
			}
			for range 600 { // until the browser has the answer
				if strings.HasPrefix(b.title(), "Votre session") {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if form.Get("token") != view.Token {
				t.Errorf("token %q", form.Get("token"))
			}
			if form.Get("error") != test.failed || form.Has("error") == form.Has("credential") {
				t.Fatalf("posted %v, want the error %q", form, test.failed)
			}
			if test.failed == "" {
				signed(t, form.Get("credential"), address, &key.PublicKey)
			}
		})
	}
	for _, complaint := range b.heard() {
		t.Error(complaint)
	}
}

// signed checks what was posted as a relying party would.
func signed(t *testing.T, credential, origin string, key *ecdsa.PublicKey) {
	t.Helper()
	type octets = string
	var c struct {
		ID, RawID octets
		Type      string
		Response  struct{ ClientDataJSON, AuthenticatorData, Signature, UserHandle octets }
	}
	if err := json.Unmarshal([]byte(credential), &c); err != nil {
		t.Fatal(err)
	}
	decode := func(text octets) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return b
	}
	clientData := decode(c.Response.ClientDataJSON)
	var said struct{ Type, Challenge, Origin string }
	if err := json.Unmarshal(clientData, &said); err != nil {
		t.Fatal(err)
	}
	if said.Type != "webauthn.get" || said.Challenge != "AAECAwQFBgcICQoLDA0ODw" || said.Origin != origin {
		t.Errorf("the client says %+v", said)
	}
	if c.Type != "public-key" || c.ID != c.RawID || string(decode(c.ID)) != "credential-of-anne" || string(decode(c.Response.UserHandle)) != "anne" {
		t.Errorf("the credential is %s", credential)
	}
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(decode(c.Response.AuthenticatorData), hash[:]...))
	if !ecdsa.VerifyASN1(key, digest[:], decode(c.Response.Signature)) {
		t.Error("the signature is of another")
	}
}

// TestOnward follows what leaves our pages for the application, and what may not: the application stands at a second address, and
// redirects on to a third.
func TestOnward(t *testing.T) {
	b, set := newBrowser(t), newSet(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<title>elsewhere</title>")
	}))
	t.Cleanup(elsewhere.Close)
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/on" {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
			return
		}
		fmt.Fprintf(w, "<title>application %s %s</title>", r.Method, r.FormValue("code"))
	}))
	t.Cleanup(application.Close)

	type road struct {
		view       page.View
		action, to string // where the form is posted, where that leads
	}
	var current atomic.Value // road
	taken := func() road { return current.Load().(road) }
	mux := http.NewServeMux()
	mux.Handle(view.Static+"/", set.Static())
	mux.HandleFunc("GET /consent", func(w http.ResponseWriter, r *http.Request) {
		set.For(r, "en", taken().view).Write(w, r, 0, page.Consent{Action: taken().action})
	})
	mux.HandleFunc("POST /decide", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, taken().to, http.StatusSeeOther) })
	mux.HandleFunc("POST /unchained", func(w http.ResponseWriter, r *http.Request) {
		w = page.Unchained(w, r, set.For(r, "en", taken().view))
		http.Redirect(w, r, taken().to, http.StatusSeeOther)
	})
	mux.HandleFunc("/continue", func(w http.ResponseWriter, r *http.Request) {
		set.For(r, "en", taken().view).Write(w, r, 0, page.Continue{URL: application.URL + "/on"})
	})
	mux.HandleFunc("/formpost", func(w http.ResponseWriter, r *http.Request) {
		set.For(r, "en", taken().view).Write(w, r, 0, page.FormPost{Action: application.URL + "/", Fields: []page.Field{{Name: "code", Value: `c"1`}}})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)

	for _, test := range []struct {
		name, action, to string
		redirects        []string
		want             string // the title at the end
		blocked          bool
	}{
		{name: "application", action: "/decide", to: application.URL, redirects: []string{application.URL + "/cb"}, want: "application GET"},
		{name: "application that is not named", action: "/decide", to: application.URL, blocked: true},
		{name: "on from the application", action: "/decide", to: application.URL + "/on", redirects: []string{application.URL}, blocked: true},
		{name: "on, and all are named", action: "/decide", to: application.URL + "/on", redirects: []string{application.URL, elsewhere.URL}, want: "elsewhere"},
		{name: "on, by a page between", action: "/decide", to: "/continue", redirects: []string{application.URL}, want: "elsewhere"},
		{name: "posted", action: "/decide", to: "/formpost", want: `application POST c"1`},
		{name: "unchained", action: "/unchained", to: application.URL + "/on", want: "elsewhere"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := view
			v.Redirects = test.redirects
			current.Store(road{v, test.action, test.to})
			run(t, b, chromedp.Navigate(s.URL+"/consent"))
			b.heard()
			run(t, b, chromedp.Click(`button[value="allow"]`))
			for range 600 {
				if test.want != "" && b.title() == test.want {
					return
				}
				if heard := b.heard(); len(heard) > 0 {
					if blocked := strings.Contains(heard[0], "form-action"); !blocked || !test.blocked {
						t.Errorf("the browser says %q", heard)
					}
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Errorf("never came to %q", test.want)
		})
	}
}

// TestEnrolScript: the script asks the browser to make a passkey, whether it knows the JSON of level 3 or not, and tells the person what came of it.
func TestEnrolScript(t *testing.T) {
	b, set := newBrowser(t), newSet(t)
	const creation = `{"challenge":"AAECAwQFBgcICQoLDA0ODw","rp":{"id":"localhost","name":"Hôpital"},"user":{"id":"YW5uZQ","name":"anne","displayName":"anne"},
		"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-257}],"authenticatorSelection":{"residentKey":"required","userVerification":"required"},"excludeCredentials":[%s]}`
	type said struct {
		Ticket     string
		Credential *struct {
			ID, Type string
			Response struct{ ClientDataJSON, AttestationObject string }
		}
	}
	var mu sync.Mutex
	var heard []said
	var answer func(said) (int, string)
	mux := http.NewServeMux()
	mux.Handle(view.Static+"/", set.Static())
	mux.HandleFunc("POST "+action, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var in said
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Origin") == "" {
			t.Errorf("posted %v, %v", r.Header, err)
		}
		heard = append(heard, in)
		status, text := answer(in)
		w.WriteHeader(status)
		io.WriteString(w, text)
	})
	mux.HandleFunc("GET /ask", func(w http.ResponseWriter, r *http.Request) {
		set.For(r, "fr", view).Write(w, r, 0, page.Enrol{Action: action, Done: "/done"})
	})
	mux.HandleFunc("GET /done", func(w http.ResponseWriter, r *http.Request) {
		set.For(r, "fr", view).Write(w, r, 0, page.Enrolled{Made: given})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	address := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	call(t, b, webauthn.Enable, webauthn.EnableParams{})
	call(t, b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true,
		HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	options := func(exclude string) func(said) (int, string) {
		return func(in said) (int, string) {
			if in.Credential == nil {
				return http.StatusOK, fmt.Sprintf(creation, exclude)
			}
			return http.StatusNoContent, ""
		}
	}
	refuse := func(status int, reason authn.Reason) func(said) (int, string) {
		return func(said) (int, string) { return status, `{"error":"` + reason.String() + `"}` }
	}
	level2 := `delete PublicKeyCredential.parseCreationOptionsFromJSON; delete PublicKeyCredential.prototype.toJSON`
	made := ""
	for _, test := range []struct {
		name, before string
		answer       func(said) (int, string)
		failed       string // what the person is told; empty where it is done
	}{
		{name: "level 3", answer: options("")},
		{name: "level 2", before: level2, answer: options("")},
		{name: "level 2, with one that is there", before: level2, answer: func(in said) (int, string) { return options(`{"type":"public-key","id":"` + made + `"}`)(in) }, failed: "déjà une clé"},
		{name: "no ticket of his", answer: refuse(403, authn.NotEnrolled), failed: "n’est pas valable"},
		{name: "no login", answer: refuse(403, authn.NotProven), failed: "plus assez récente"},
		{name: "unsuitable", answer: refuse(403, authn.Unsuitable), failed: "n’est pas accepté"},
		{name: "too late", answer: refuse(403, authn.Expired), failed: "délai"},
		{name: "a reason of tomorrow", answer: refuse(403, 250), failed: "indisponible"},
		{name: "an outage", answer: func(said) (int, string) { return 503, "<p>no JSON" }, failed: "indisponible"},
		{name: "of another site", answer: func(said) (int, string) {
			return 200, strings.Replace(fmt.Sprintf(creation, ""), `"id":"localhost"`, `"id":"evil.example"`, 1)
		}, failed: "Aucune clé"},
	} {
		t.Run(test.name, func(t *testing.T) {
			mu.Lock()
			answer, heard = test.answer, nil
			mu.Unlock()
			b.open(t, address+"/ask?"+url.QueryEscape(test.name)+"#ticket-1") // with another query, or the browser would not leave the page
			run(t, b, chromedp.Evaluate[chromedp.Void](test.before))
			run(t, b, chromedp.Click("#enrol-make"))
			want := `document.querySelector("h1")?.textContent.startsWith("Votre clé")`
			if test.failed != "" {
				want = `!!document.querySelector("#enrol-alert:not([hidden])") && document.title.startsWith("Erreur") && !document.querySelector("#enrol-make").disabled`
			}
			there := false
			for range 600 { // a page that goes away in the meantime answers with an error
				if there, _ = chromedp.Run(b.ctx, chromedp.Evaluate[bool](want)); there {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if !there {
				t.Fatal("nothing came of it")
			}
			if test.failed != "" {
				if got := run(t, b, chromedp.Text("#enrol-alert")); !strings.Contains(got, test.failed) {
					t.Errorf("told %q", got)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if heard[0].Ticket != "ticket-1" || heard[0].Credential != nil || len(heard) > 2 {
				t.Errorf("heard %+v", heard)
			}
			if test.failed == "" {
				if c := heard[1].Credential; c == nil || c.Type != "public-key" || c.ID == "" || c.Response.ClientDataJSON == "" || c.Response.AttestationObject == "" || heard[1].Ticket != "ticket-1" {
					t.Fatalf("heard %+v", heard[1])
				}
				made = heard[1].Credential.ID
			}
		})
	}
	for _, complaint := range b.heard() {
		if !strings.Contains(complaint, "status of") { // a refusal, of which Chromium speaks
			t.Error(complaint)
		}
	}
}

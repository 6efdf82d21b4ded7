package page_test

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sceau/oidc/authn"
	"sceau/oidc/page"
)

var tongues = []string{"fr", "nl", "de", "en"}

// failer is what testing and rapid have in common.
type failer interface {
	Helper()
	Fatal(...any)
}

// parse reads the page that a browser would get.
func parse(t failer, answer *http.Response) *html.Node {
	t.Helper()
	root, err := html.Parse(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func elements(root *html.Node) []*html.Node {
	var list []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			list = append(list, n)
		}
	}
	return list
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func find(root *html.Node, name string) []*html.Node {
	return slices.DeleteFunc(elements(root), func(n *html.Node) bool { return n.Data != name })
}

// TestStructure reads every page in every language as a browser does.
func TestStructure(t *testing.T) {
	set := newSet(t)
	for _, language := range tongues {
		for _, c := range cases {
			t.Run(language+"/"+c.name, func(t *testing.T) {
				answer := write(t, set, language, view, c.status, c.page)
				if answer.StatusCode != c.status {
					t.Errorf("status %d, want %d", answer.StatusCode, c.status)
				}
				structure(t, parse(t, answer), language)
			})
		}
	}
}

func structure(t *testing.T, root *html.Node, language string) {
	ids := map[string]*html.Node{}
	var labels, described []string
	for _, n := range elements(root) {
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s> has an inline %s", n.Data, a.Key)
			case a.Key == "id":
				if ids[a.Val] != nil {
					t.Errorf("two elements have the id %q", a.Val)
				}
				ids[a.Val] = n
			case a.Key == "for":
				labels = append(labels, a.Val)
			case a.Key == "aria-describedby" || a.Key == "aria-labelledby":
				described = append(described, strings.Fields(a.Val)...)
			case a.Key == "href" || a.Key == "src" || a.Key == "action":
				if strings.Contains(a.Val, "ZgotmplZ") || a.Val == "" {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
				if (n.Data == "link" || n.Data == "script") && !strings.HasPrefix(a.Val, view.Static+"/") {
					t.Errorf("<%s> fetches %q", n.Data, a.Val)
				}
				if rest, ok := strings.CutPrefix(a.Val, "#"); ok {
					described = append(described, rest)
				}
			}
		}
		switch n.Data {
		case "style", "iframe", "object", "embed", "base", "video", "audio":
			t.Errorf("a page has a <%s>", n.Data)
		case "img":
			source, _ := attribute(n, "src")
			if words, _ := attribute(n, "alt"); words == "" || !strings.HasPrefix(source, "/") || strings.HasPrefix(source, "//") {
				t.Errorf("an image of %q that says %q", source, words)
			}
		case "script":
			if n.FirstChild != nil {
				t.Error("an inline script")
			}
		case "form":
			if method, _ := attribute(n, "method"); method != "post" {
				t.Errorf("a form is sent by %q", method)
			}
			fields := map[string]string{}
			for _, input := range find(n, "input") {
				name, _ := attribute(input, "name")
				fields[name], _ = attribute(input, "value")
			}
			action, _ := attribute(n, "action")
			own := strings.HasPrefix(action, "/") || strings.HasPrefix(action, "https://carte.example:8443/") // our listener for certificates
			if token, ok := fields["token"]; ok != own || ok && token != view.Token {
				t.Errorf("a form to %s has the token %q", action, token) // ours goes to nobody else
			}
		case "input":
			kind, _ := attribute(n, "type")
			id, _ := attribute(n, "id")
			if kind != "hidden" && (id == "" || !slices.ContainsFunc(find(root, "label"), func(l *html.Node) bool {
				f, _ := attribute(l, "for")
				return f == id && text(l) != ""
			})) {
				t.Errorf("an input %q without a label", id)
			}
		case "a", "button", "h1", "title":
			if text(n) == "" {
				t.Errorf("a <%s> without words", n.Data)
			}
		}
	}
	for _, id := range append(labels, described...) {
		if ids[id] == nil {
			t.Errorf("#%s is nowhere", id)
		}
	}
	if got, _ := attribute(find(root, "html")[0], "lang"); got != language {
		t.Errorf("lang %q, want %q", got, language)
	}
	if got := len(find(root, "h1")); got != 1 {
		t.Errorf("%d headings of level 1", got)
	}
	if got := len(find(root, "main")); got != 1 {
		t.Errorf("%d <main>", got)
	}
	if got := text(find(root, "title")[0]); !strings.Contains(got, text(find(root, "h1")[0])+" – "+view.Establishment) {
		t.Errorf("title %q", got)
	}
	var switches []string
	for _, a := range find(find(root, "nav")[0], "a") {
		href, _ := attribute(a, "href")
		u, err := url.Parse(href)
		if err != nil || u.Path != "" || u.Query().Get("keep") != "1" || len(u.Query()["lang"]) != 1 {
			t.Errorf("language switch to %q", href)
		}
		switches = append(switches, u.Query().Get("lang"))
	}
	if len(switches) != 3 || slices.Contains(switches, language) {
		t.Errorf("switches to %v", switches)
	}
}

// TestSaid: what a page tells stands in it.
func TestSaid(t *testing.T) {
	set := newSet(t)
	tests := []struct {
		name   string
		page   any
		want   []string // in the text of the page
		markup []string // in its source
		not    []string
	}{
		{name: "wrong password", page: page.Password{Action: action, Username: "anne", Refused: authn.NotProven},
			want:   []string{"L’identifiant ou le mot de passe est incorrect.", "Erreur : Identifiant et mot de passe – Centre"},
			markup: []string{`role="alert"`, `value="anne"`, `autocomplete="username"`, `autocomplete="current-password"`, `<a href="#password">`, `aria-invalid="true"`}},
		// No enumeration: nobody learns whether there is such an account.
		{name: "no such account", page: page.Password{Action: action, Refused: authn.NotEnrolled}, want: []string{"L’identifiant ou le mot de passe est incorrect."}},
		{name: "a reason of tomorrow", page: page.Password{Action: action, Refused: 250}, want: []string{"L’identifiant ou le mot de passe est incorrect."}},
		{name: "nothing refused", page: page.Password{Action: action}, not: []string{`role="alert"`, "Erreur", "aria-invalid"}},
		{name: "a pointer", page: &page.Password{Action: action, Username: "anne"}, markup: []string{`value="anne"`}},
		{name: "minutes", page: page.TooMany{RetryAfter: 91 * time.Second}, want: []string{"dans 2 minutes."}},
		{name: "seconds", page: page.TooMany{RetryAfter: 90 * time.Second}, want: []string{"dans 90 secondes."}},
		{name: "a second", page: page.TooMany{RetryAfter: time.Millisecond}, want: []string{"dans 1 seconde."}},
		{name: "hours", page: page.TooMany{RetryAfter: 2 * time.Hour}, want: []string{"dans 2 heures."}},
		{name: "later", page: page.TooMany{}, want: []string{"plus tard."}},
		{name: "code", page: page.OneTimeCode{Action: action, Digits: 6}, want: []string{"6 chiffres"}, markup: []string{`autocomplete="one-time-code"`, `inputmode="numeric"`}},
		{name: "code of letters", page: page.OneTimeCode{Action: action}, not: []string{"chiffres", "inputmode"}},
		{name: "expired card", page: page.Certificate{Secure: "https://c.example/", Fault: page.CertificateExpired, Refused: authn.Unsuitable},
			want: []string{"n’est plus, valable"}, markup: []string{`href="https://c.example/"`}},
		{name: "a fault of tomorrow", page: page.Certificate{Secure: "https://c.example/", Fault: 250}, want: []string{"ne provient pas d’une carte acceptée"}},
		{name: "no listener for cards", page: page.Certificate{}, want: []string{"ne peuvent pas être lues"}, not: []string{`class="steps"`}},
		{name: "own label", page: page.Choose{Means: []page.Offer{{Kind: "other", Label: "FAS", URL: "/fas"}}}, want: []string{"FAS", "Vous vous identifiez auprès de lui"}},
		{name: "a kind that names a text", page: page.Choose{Means: []page.Offer{{Kind: "passkey.how", URL: "/x"}}}, want: []string{"Autre fournisseur"}},
		{name: "no address", page: page.Choose{Cancel: "javascript:alert(1)"}, not: []string{"javascript", "<form"}},
		{name: "a means without an address", page: page.Choose{Means: []page.Offer{{URL: "vbscript:x"}, {URL: "/b", Label: "B"}}}, want: []string{"B"}, not: []string{"vbscript"}},
		{name: "unknown scope", page: page.Consent{Action: action, Scopes: []page.Scope{{Name: "urn:x:y"}}}, want: []string{"urn:x:y"}},
		{name: "own words of a scope", page: page.Consent{Action: action, Scopes: []page.Scope{{Name: "email", Text: "courriel"}}}, want: []string{"courriel"}, not: []string{"adresse électronique"}},
		{name: "withdrawn later", page: page.Consent{Action: action, Later: back}, want: []string{"à tout moment"}, markup: []string{`<a href="` + back + `" target="_blank" rel="noopener noreferrer">Vos accords`}},
		{name: "terms", page: page.Consent{Action: action, Terms: &page.Terms{URL: "https://t.example/", Version: "3"}},
			want:   []string{"Conditions générales d’utilisation (3)", "(nouvel onglet)"},
			markup: []string{`type="checkbox" value="accepted"`, `rel="noopener noreferrer"`}},
		{name: "error", page: page.Error{Code: "invalid_request", AuditID: "A-1"}, want: []string{"invalid_request", "A-1", "incomplète ou incorrecte"}},
		{name: "a code that names a text", page: page.Error{Code: "general.do"}, want: []string{"general.do"}},
		{name: "unknown code", page: page.Error{Code: "whatever"}, want: []string{"n’a pas pu être traitée"}},
		{name: "options", page: page.Passkey{Action: action, Options: options}, markup: []string{`data-options="{&#34;challenge&#34;:`}},
		{name: "enrolment", page: page.Enrol{Action: action, Done: back, Person: "Anne"}, want: []string{"Clé d’accès pour Anne", "Code d’enregistrement"},
			markup: []string{`data-done="` + back + `"`, `autocomplete="off"`, `role="alert"`, "hidden"}, not: []string{"Erreur : Enregistrer"}},
		{name: "nobody to enrol", page: page.Enrol{Missing: page.MissingSession, Retry: back}, want: []string{"d’abord vous identifier", "Erreur : Enregistrer"}, not: []string{"<script", "<form", "ticket"}},
		{name: "a login of long ago", page: page.Enrol{Missing: page.MissingRecent, Within: 10 * time.Minute}, want: []string{"moins de 10 minutes"}, not: []string{"<form"}},
		{name: "a passkey for a passkey", page: page.Enrol{Missing: page.MissingOther}, want: []string{"par un autre moyen"}, not: []string{"<form"}},
		{name: "something missing of tomorrow", page: page.Enrol{Action: action, Missing: 250}, want: []string{"d’abord vous identifier"}, not: []string{"<form"}},
		{name: "an enrolment to nowhere", page: page.Enrol{}, want: []string{"server_error"}},
		{name: "done at a script", page: page.Enrol{Action: action, Done: "javascript:alert(1)"}, markup: []string{`data-done=""`}, not: []string{"javascript:"}},
		{name: "enrolled", page: page.Enrolled{Label: "Clé bleue", Made: given}, want: []string{"Clé bleue", "05/11/2026", "prévenez aussitôt"}},
		{name: "consents", page: page.Consents{Action: action, Given: []page.Given{{Client: "c-1", Name: "Agenda", Scopes: scopes[2:3], Terms: &page.Terms{URL: "https://t.example/"}, Since: given}}},
			want: []string{"Agenda", "votre adresse électronique", "le 05/11/2026", "Conditions acceptées : Conditions générales"}, markup: []string{`name="client" value="c-1"`, `aria-labelledby="withdraw-0 given-0"`}},
		{name: "no consents", page: page.Consents{Withdrawn: "Agenda"}, want: []string{"aucune application", "Votre accord pour Agenda est retiré."}, not: []string{"<form"}},
		{name: "consents of nobody", page: page.Consents{Stranger: true, Withdrawn: "Agenda"}, want: []string{"identifiez-vous"}, not: []string{"Agenda", "<form"}},
		{name: "consents to nowhere", page: page.Consents{Given: []page.Given{{Client: "c"}}}, want: []string{"server_error"}},
		{name: "native application", page: page.LoggedOut{Return: "org.example.app:/out"}, markup: []string{`href="org.example.app:/out"`}},
		{name: "no page", page: 7, want: []string{"server_error"}},
		{name: "nil", page: nil, want: []string{"server_error"}},
		{name: "nil pointer", page: (*page.Password)(nil), want: []string{"server_error"}},
		{name: "a form to nowhere", page: page.Password{}, want: []string{"server_error"}},
		{name: "a form to a script", page: page.Consent{Action: "javascript:alert(1)"}, want: []string{"server_error"}, not: []string{"javascript"}},
		{name: "on to a script", page: page.Continue{URL: "data:text/html,x"}, want: []string{"server_error"}, not: []string{"data:"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer := write(t, set, "fr", view, 0, test.page)
			source, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			root, err := html.Parse(strings.NewReader(string(source)))
			if err != nil {
				t.Fatal(err)
			}
			said := strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(text(root))
			for _, want := range test.want {
				if !strings.Contains(said, want) {
					t.Errorf("does not say %q:\n%s", want, said)
				}
				if failed := want == "server_error"; failed != (answer.StatusCode == 500) {
					t.Errorf("status %d", answer.StatusCode)
				}
			}
			for _, want := range test.markup {
				if !strings.Contains(string(source), want) {
					t.Errorf("has no %s:\n%s", want, source)
				}
			}
			for _, not := range test.not {
				if strings.Contains(string(source), not) {
					t.Errorf("has %s:\n%s", not, source)
				}
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	set := newSet(t)
	plain := "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	scripted := "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; form-action 'self'"
	tests := []struct {
		name      string
		page      any
		redirects []string
		want      string
		passkeys  string
		made      string // "()" where empty
	}{
		{name: "enrol", page: page.Enrol{Action: action, Done: back}, passkeys: "()", made: "(self)",
			want: "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
		{name: "no enrolment", page: page.Enrol{Missing: page.MissingSession}, want: plain, passkeys: "()"},
		{name: "plain", page: page.Choose{}, want: plain, passkeys: "()"},
		{name: "passkey", page: page.Passkey{Action: action}, want: scripted + "; frame-ancestors 'none'; base-uri 'none'", passkeys: "(self)"},
		{name: "form post", page: page.FormPost{Action: "https://rp.example/cb"}, want: scripted + " https://rp.example; frame-ancestors 'none'; base-uri 'none'", passkeys: "()"},
		{name: "redirects", page: page.Consent{Action: action},
			redirects: []string{"https://RP.example/cb?x=1", "https://rp.example/other", "https://rp.example:8443/cb", "org.example.app:/cb", "http://127.0.0.1:4711/"},
			want:      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' https://rp.example https://rp.example:8443 org.example.app: http://127.0.0.1:4711; frame-ancestors 'none'; base-uri 'none'", passkeys: "()"},
		// None of these may widen the policy.
		{name: "hostile redirects", page: page.Consent{Action: action},
			redirects: []string{"https://*/", "https://*.example/", "https://a.example;script-src *", "https://a.example, default-src *", "javascript:alert(1)", "data:,x",
				"https:", "http://[::1]/", "https://a.example'x/", "/relative", "//host/", "", "https://a\nb/", "*:", "https://é.example/"},
			want: plain, passkeys: "()"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := view
			v.Redirects = test.redirects
			h := write(t, set, "fr", v, 0, test.page).Header
			for name, want := range map[string]string{
				"Content-Security-Policy": test.want, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
				"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Content-Language": "fr", "X-Robots-Tag": "noindex, nofollow",
				"Permissions-Policy": "publickey-credentials-get=" + test.passkeys +
					", publickey-credentials-create=" + cmp.Or(test.made, "()") + ", camera=(), microphone=(), geolocation=(), payment=(), usb=()",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s:\n got %s\nwant %s", name, got, want)
				}
			}
		})
	}
}

// TestRedirectsAreKept: the policy of a page writes nothing into what the caller holds.
func TestRedirectsAreKept(t *testing.T) {
	v := view
	v.Redirects = append(make([]string, 0, 4), "https://rp.example/")
	write(t, newSet(t), "fr", v, 0, page.FormPost{Action: "https://other.example/"})
	if got := v.Redirects[:2][1]; got != "" {
		t.Errorf("behind the redirects stands %q", got)
	}
}

func TestHeaders(t *testing.T) {
	set := newSet(t)
	for value, want := range map[any]string{
		page.TooMany{RetryAfter: 1500 * time.Millisecond}: "2",
		page.TooMany{}: "",
		page.Password{Action: action, Refused: authn.TooMany, RetryAfter: time.Minute}: "60",
		page.Password{Action: action, RetryAfter: time.Minute}:                         "",
	} {
		if got := write(t, set, "fr", view, 429, value).Header.Get("Retry-After"); got != want {
			t.Errorf("%+v: Retry-After %q, want %q", value, got, want)
		}
	}
	if got := write(t, set, "fr", view, 0, page.Continue{URL: "https://rp.example/cb?code=a;b&state=\"x"}).Header.Get("Refresh"); got != `0; url=https://rp.example/cb?code=a;b&state="x` {
		t.Errorf("Refresh %q", got)
	}
	r := httptest.NewRequest(http.MethodHead, "/", nil)
	w := httptest.NewRecorder()
	set.For(r, "fr", view).Write(w, r, 0, page.Choose{})
	if w.Body.Len() > 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD is answered by %d octets", w.Body.Len())
	}
}

func TestHere(t *testing.T) {
	v := view
	v.Here = "/etab/750712184/authorize?client_id=a&lang=de#f"
	root := parse(t, write(t, newSet(t), "nl", v, 0, page.Choose{}))
	href, _ := attribute(find(find(root, "nav")[0], "a")[0], "href")
	if want := "/etab/750712184/authorize?client_id=a&lang=fr"; href != want {
		t.Errorf("to French by %s, want %s", href, want)
	}
}

func TestLanguage(t *testing.T) {
	tests := []struct{ chosen, locales, accept, want string }{
		{want: "fr"},
		{chosen: "de", locales: "nl", accept: "en", want: "de"},
		{chosen: "xx", locales: "nl", accept: "en", want: "nl"},
		{chosen: "DE", accept: "en", want: "en"}, // the switch writes "de"
		{locales: "pt nl-BE fr", accept: "en", want: "nl"},
		{locales: "de-AT", want: "de"},
		{locales: "fr-CA fr en", accept: "nl", want: "fr"},
		{locales: "pt", accept: "ja, en;q=0.4, de;q=0.6", want: "de"},
		{locales: "!! \x00 -", accept: "en-GB,en;q=0.9,fr;q=0.8", want: "en"},
		{accept: "nl-BE,nl;q=0.9,fr;q=0.8,en;q=0.7", want: "nl"},
		{accept: "lb", want: "de"}, // Luxembourg reads German
		{accept: "ja", want: "fr"},
		{accept: "*", want: "fr"},
		{accept: ";;;,,,q=", want: "fr"},
		{locales: strings.Repeat("de ", 200), accept: strings.Repeat("en,", 200), want: "fr"},
	}
	for _, test := range tests {
		if got := page.Language(test.chosen, test.locales, test.accept); got != test.want {
			t.Errorf("Language(%q, %.40q, %.40q) = %s, want %s", test.chosen, test.locales, test.accept, got, test.want)
		}
	}
	root := parse(t, write(t, newSet(t), "xx", view, 0, page.Choose{}))
	if got, _ := attribute(find(root, "html")[0], "lang"); got != "fr" {
		t.Errorf("a language that is none: %q", got)
	}
}

func TestStatic(t *testing.T) {
	set := newSet(t)
	root := parse(t, write(t, set, "fr", view, 0, page.Passkey{Action: action}))
	seen := map[string]string{}
	for _, n := range elements(root) {
		for _, name := range []string{"href", "src"} {
			if value, _ := attribute(n, name); strings.HasPrefix(value, view.Static+"/") {
				w := httptest.NewRecorder()
				set.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, value, nil))
				if w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Body.Len() == 0 {
					t.Errorf("%s: %d %v", value, w.Code, w.Header())
				}
				kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
				seen[kind] = value
			}
		}
	}
	if seen["text/css"] == "" || seen["text/javascript"] == "" || seen["image/svg+xml"] == "" {
		t.Errorf("served: %v", seen)
	}
	for _, test := range []struct {
		method, path string
		want         int
	}{{"GET", view.Static + "/page.css", 404}, {"GET", view.Static + "/", 404}, {"GET", "/", 404}, {"GET", view.Static + "/../page.go", 404},
		{"POST", seen["text/css"], 405}, {"HEAD", seen["text/css"], 200}} {
		w := httptest.NewRecorder()
		set.Static().ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if w.Code != test.want || test.method == "HEAD" && w.Body.Len() > 0 || test.want != 200 && strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, w.Code, test.want)
		}
	}
}

package openid

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// A person is Alice, in front of a browser that is a script: it has cookies, follows what leads to the establishment, and stops before it is
// led elsewhere.
type person struct {
	*testing.T
	*world
	plain, card *http.Client // with the same cookies
}

// person opens a browser; certificate is what its card is, none if empty.
func (w *world) person(t *testing.T, certificate string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{T: t, world: w}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p.plain = &http.Client{Jar: jar, Transport: w.transport(t), CheckRedirect: stay}
	p.card = p.plain
	if certificate != "" {
		p.card = &http.Client{Jar: jar, Transport: w.transport(t, w.pki.pair(certificate)), CheckRedirect: stay}
	}
	return p
}

// A seen is an answer that was read.
type seen struct {
	*http.Response
	text string
}

var (
	outside = regexp.MustCompile(`(?s)^.*<main|</main>.*$`)
	markup  = regexp.MustCompile(`(?s)<[^>]*>|\s+`)
)

// words are those of a page, to say what a person saw.
func (s seen) words() string {
	return strings.Join(strings.Fields(markup.ReplaceAllString("<"+outside.ReplaceAllString(s.text, ""), " ")), " ")
}

func (p *person) do(q *http.Request) seen {
	p.Helper()
	q.Header.Set("Accept-Language", "fr")
	q.Header.Set("Sec-Fetch-Mode", "navigate") // as browsers do
	q.Header.Set("Sec-Fetch-Dest", "document")
	q.Header.Set("Accept", "text/html,application/xhtml+xml")
	c := p.plain
	if strings.HasPrefix(q.URL.String(), p.secure) {
		c = p.card
	}
	a, err := c.Do(q)
	if err != nil {
		p.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, 1<<20))
	if err != nil {
		p.Fatal(err)
	}
	return seen{a, string(text)}
}

func (p *person) request(method, to string, form url.Values) *http.Request {
	p.Helper()
	q, err := http.NewRequestWithContext(p.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		p.Fatal(err)
	}
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Origin", q.URL.Scheme+"://"+q.URL.Host)
	}
	return q
}

// follow goes where it is led while that is at the establishment, or at one of the hosts beside; there it ends with an answer, or with the
// address elsewhere.
func (p *person) follow(a seen, beside ...string) (seen, *url.URL) {
	p.Helper()
	for range 20 {
		to := a.Header.Get("Location")
		if refresh := a.Header.Get("Refresh"); to == "" && refresh != "" {
			_, to, _ = strings.Cut(refresh, "url=")
		}
		if to == "" {
			return a, nil
		}
		next, err := a.Request.URL.Parse(to)
		if err != nil {
			p.Fatal(err)
		}
		here := false
		for _, host := range append(beside, p.issuer, p.secure) {
			u, err := url.Parse(host)
			if err != nil {
				p.Fatal(err)
			}
			here = here || u.Host == next.Host
		}
		if !here {
			return a, next
		}
		a = p.do(p.request(http.MethodGet, next.String(), nil))
	}
	p.Fatal("led around in a circle")
	return a, nil
}

func (p *person) open(to string, beside ...string) (seen, *url.URL) {
	p.Helper()
	return p.follow(p.do(p.request(http.MethodGet, to, nil)), beside...)
}

var (
	links  = regexp.MustCompile(`<a [^>]*href="([^"]*)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
	action = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
)

// press follows the link of a page whose address ends so.
func (p *person) press(a seen, end string, beside ...string) (seen, *url.URL) {
	p.Helper()
	for _, m := range links.FindAllStringSubmatch(a.text, -1) {
		if to := html.UnescapeString(m[1]); strings.HasSuffix(to, end) {
			u, err := a.Request.URL.Parse(to)
			if err != nil {
				p.Fatal(err)
			}
			return p.open(u.String(), beside...)
		}
	}
	p.Fatalf("no link to %q at %s: %s", end, a.Request.URL, a.words())
	return seen{}, nil
}

// send sends the form of a page.
func (p *person) send(a seen, fields url.Values, beside ...string) (seen, *url.URL) {
	p.Helper()
	m := action.FindStringSubmatch(a.text)
	if m == nil {
		p.Fatalf("no form at %s: %s", a.Request.URL, a.words())
	}
	to, err := a.Request.URL.Parse(html.UnescapeString(m[1]))
	if err != nil {
		p.Fatal(err)
	}
	for _, m := range hidden.FindAllStringSubmatch(a.text, -1) {
		fields.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return p.follow(p.do(p.request(http.MethodPost, to.String(), fields)), beside...)
}

// byCard logs in with the card and gives where the browser is led then.
func (p *person) byCard(to string, beside ...string) (seen, *url.URL) {
	p.Helper()
	a, back := p.open(to, beside...)
	if back != nil {
		p.Fatalf("led to %s without logging in", back.Redacted())
	}
	if !strings.HasSuffix(a.Request.URL.Path, "/m/eid") { // where there is one means alone, nobody chooses
		a, _ = p.press(a, "/m/eid", beside...)
	}
	return p.press(a, "/m/eid", beside...)
}

// byPassword logs in with the password.
func (p *person) byPassword(to string, beside ...string) (seen, *url.URL) {
	p.Helper()
	a, back := p.open(to, beside...)
	if back != nil {
		p.Fatalf("led to %s without logging in", back.Redacted())
	}
	a, _ = p.press(a, "/m/password", beside...)
	return p.send(a, url.Values{"username": {"alice"}, "password": {password}}, beside...)
}

// led demands that a browser was led elsewhere.
func (p *person) led(a seen, to *url.URL) *url.URL {
	p.Helper()
	if to == nil {
		p.Fatalf("not led back: %s at %s: %s", a.Status, a.Request.URL, a.words())
	}
	return to
}

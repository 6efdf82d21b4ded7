package page

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"sceau/oidc/authn"
)

//go:embed templates/*.html
var templateFiles embed.FS

// A frame is what a template sees: the page, and all around it. Its exported methods are the words of the templates.
type frame struct {
	View     View
	Page     any
	Language string
	Failed   bool          // the page tells of a failure, and so does its title
	Alert    string        // what was refused; empty where nothing was
	Wait     time.Duration // how long to wait at least
	Script   string        // the script of the page, where it has one

	name    string   // of the template, and of the keys of its texts
	onward  string   // where the page leads at once
	targets []string // where the page posts to, where that is not ours
	texts   texts
	query   url.Values // of the address of the page
	here    string     // that address without its query
	assets  *assets
}

var errAction = errors.New("page: a form without an address")

// render makes the octets of a page.
func (p *pages) render(page any) (*frame, []byte, error) {
	if v := reflect.ValueOf(page); v.Kind() == reflect.Pointer && !v.IsNil() {
		page = v.Elem().Interface()
	}
	f := &frame{View: p.view, Page: page, assets: p.set.assets}
	f.Language, f.texts = textsOf(p.language)
	if u, err := url.Parse(p.view.Here); err == nil && p.view.Here != "" {
		f.query = u.Query()
		u.RawQuery, u.Fragment = "", ""
		f.here = u.String()
	} else if p.request != nil {
		f.query = p.request.URL.Query() // "?…" alone keeps the path
	}
	if err := f.read(page); err != nil {
		return nil, nil, err
	}
	t := p.set.templates[f.name]
	if t == nil {
		return nil, nil, fmt.Errorf("page: no template for %T", page)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", f); err != nil {
		return nil, nil, fmt.Errorf("page: %w", err)
	}
	return f, b.Bytes(), nil
}

// read takes from a page what the frame says of it.
func (f *frame) read(page any) error {
	post := func(action string) error {
		if _, ok := address(action); !ok {
			return errAction
		}
		return nil
	}
	switch page := page.(type) {
	case Choose:
		f.name = "choose"
		f.refuse(page.Refused, 0)
	case Password:
		f.name = "password"
		f.refuse(page.Refused, page.RetryAfter)
		return post(page.Action)
	case OneTimeCode:
		f.name = "code"
		f.refuse(page.Refused, page.RetryAfter)
		return post(page.Action)
	case Passkey:
		f.name, f.Script = "passkey", "passkey.js"
		f.refuse(page.Refused, 0)
		return post(page.Action)
	case Enrol:
		f.name = "enrol"
		if f.Failed = page.Missing != 0; f.Failed {
			return nil
		}
		f.Script = "passkey.js"
		return post(page.Action)
	case Enrolled:
		f.name = "enrolled"
	case Consents:
		f.name, f.Failed = "consents", page.Stranger
		if len(page.Given) > 0 {
			return post(page.Action)
		}
	case Certificate:
		f.name = "certificate"
		f.refuse(page.Refused, 0)
		if key := page.Fault.key(); key != "" {
			f.fail(f.T(key))
		}
	case Kerberos:
		f.name = "kerberos"
		f.refuse(page.Refused, 0)
	case Assertion:
		f.name = "assertion"
		f.refuse(page.Refused, 0)
		if page.Action != "" {
			return post(page.Action)
		}
	case Wallet:
		f.name = "wallet"
		f.refuse(page.Refused, 0)
		if !LeadsToWallet(page.Link) {
			return errAction
		}
	case Insufficient:
		f.name, f.Failed = "insufficient", true
	case Consent:
		f.name = "consent"
		if page.TermsMissing {
			f.fail(f.T("consent.terms.missing"))
		}
		return post(page.Action)
	case Logout:
		f.name = "logout"
		return post(page.Action)
	case Stayed:
		f.name = "stayed"
	case LoggedOut:
		f.name = "loggedout"
	case Error:
		f.name, f.Failed = "error", true
	case TooMany:
		f.name, f.Failed, f.Wait = "toomany", true, page.RetryAfter
	case Expired:
		f.name, f.Failed = "expired", true
	case Continue:
		f.name = "continue"
		onward, ok := address(page.URL)
		if !ok {
			return errAction
		}
		f.onward = onward
	case FormPost:
		f.name, f.Script, f.targets = "formpost", "formpost.js", []string{page.Action}
		return post(page.Action)
	default:
		return fmt.Errorf("page: %T is no page", page)
	}
	return nil
}

// refuse puts what a reason means on this page into the frame.
func (f *frame) refuse(reason authn.Reason, wait time.Duration) {
	var key string
	switch reason {
	case 0:
		return
	case authn.TooMany:
		if wait > 0 {
			f.Wait = wait
			f.fail(f.T("refused.too-many.wait", "wait", f.Duration(wait)))
			return
		}
		key = "too-many"
	case authn.Unsuitable:
		key = "unsuitable"
	case authn.Cancelled:
		key = "cancelled"
	case authn.NotEnrolled:
		key = "not-enrolled"
	case authn.Expired:
		key = "expired"
	default:
		key = "not-proven"
	}
	if own := f.name + ".refused." + key; f.Has(own) {
		f.fail(f.T(own))
		return
	}
	f.fail(f.T("refused." + key))
}

func (f *frame) fail(text string) { f.Failed, f.Alert = true, text }

func (c CertificateFault) key() string {
	switch c {
	case 0:
		return ""
	case CertificateNone:
		return "certificate.none"
	case CertificateExpired:
		return "certificate.expired"
	case CertificateRevoked:
		return "certificate.revoked"
	}
	return "certificate.foreign"
}

// Has says whether there is a text.
func (f *frame) Has(key string) bool { return f.texts[key] != "" }

// T is a text; pairs are names and what stands for them.
func (f *frame) T(key string, pairs ...string) string {
	var b strings.Builder
	f.expand(key, pairs, func(s string) { b.WriteString(s) }, func(s string) { b.WriteString(s) })
	return b.String()
}

// Strong is a text in which what is filled in stands out. It is isolated from its surroundings, whatever its direction.
func (f *frame) Strong(key string, pairs ...string) template.HTML {
	var b strings.Builder
	f.expand(key, pairs,
		func(s string) { b.WriteString(template.HTMLEscapeString(s)) },
		func(s string) { b.WriteString("<strong><bdi>" + template.HTMLEscapeString(s) + "</bdi></strong>") })
	return template.HTML(b.String()) // every part is escaped above
}

// expand walks a text: what it says, and what is filled in. What is filled in is not looked at again.
func (f *frame) expand(key string, pairs []string, said, filled func(string)) {
	text, ok := f.texts[key]
	if !ok {
		panic("page: no text " + key) // the tests render every page in every language
	}
	if f.Language == "fr" {
		text = unbreakable.Replace(text)
	}
	for {
		before, rest, open := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		said(before)
		if !open || !closed {
			return
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				filled(pairs[i+1])
			}
		}
		text = after
	}
}

// Duration says how long, in the unit that people use for it, rounded up.
func (f *frame) Duration(d time.Duration) string {
	n, unit := seconds(d), "second"
	switch {
	case n > 90*60:
		n, unit = (n+3599)/3600, "hour"
	case n > 90:
		n, unit = (n+59)/60, "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return f.T("wait."+unit, "n", strconv.FormatInt(n, 10))
}

// Title is what the page is about: its heading, and the beginning of its title.
func (f *frame) Title() string {
	name := f.name
	if name == "continue" || name == "formpost" {
		name = "onward"
	}
	return f.T(name + ".title")
}

// Asset is the address of a static file.
func (f *frame) Asset(name string) string { return f.View.Static + "/" + f.assets.names[name] }

// Link is an address where a link may lead, or empty.
func (f *frame) Link(text string) template.URL {
	text, ok := address(text)
	if !ok {
		return ""
	}
	return template.URL(text) // address admits no scheme that a browser would run
}

// Wallet is the address of the wallet of this device.
func (f *frame) Wallet() template.URL {
	page, _ := f.Page.(Wallet)
	return template.URL(page.Link) // LeadsToWallet admits no scheme that a browser would run
}

// Telephone is the address of the telephone of the support.
func (f *frame) Telephone() template.URL { return template.URL(telephone(f.View.Support.Telephone)) }

// A tongue is an entry of the language switch.
type tongue struct {
	Tag, Name string
	Current   bool
	URL       template.URL
}

// Tongues are the languages, each with the address of the same page in it.
func (f *frame) Tongues() []tongue {
	var list []tongue
	for _, l := range languages {
		query := url.Values{}
		for name, values := range f.query {
			query[name] = values
		}
		query.Set("lang", l.tag)
		list = append(list, tongue{Tag: l.tag, Name: l.texts["language.name"], Current: l.tag == f.Language,
			URL: f.Link(f.here + "?" + query.Encode())})
	}
	return list
}

// Words are how an offer is called, and what it is.
func (f *frame) Words(o Offer) map[string]string {
	kind := o.Kind
	switch kind {
	case KindCertificate, KindPasskey, KindDirectory, KindKerberos, KindAssertion, KindUpstream, KindWallet:
	default:
		kind = KindUpstream
	}
	words := map[string]string{"Kind": string(kind), "Label": o.Label, "How": f.T("kind." + string(kind) + ".how")}
	if o.Label == "" {
		words["Label"] = f.T("kind." + string(kind))
	}
	return words
}

// Scope says in words what a scope is.
func (f *frame) Scope(s Scope) string {
	switch {
	case s.Text != "":
		return s.Text
	case f.Has("scope." + s.Name):
		return f.T("scope." + s.Name)
	}
	return s.Name
}

// Lines are the two sentences of an error: what happened, and what to do.
func (f *frame) Lines(code string) [2]string {
	switch code {
	case "invalid_client":
		code = "unauthorized_client"
	case "server_error":
		code = "temporarily_unavailable"
	}
	happened, do := "error.is."+code, "error.is."+code+".do"
	if !f.Has(happened) {
		happened = "error.is.general"
	}
	if !f.Has(do) {
		do = "error.is.general.do"
	}
	return [2]string{f.T(happened), f.T(do)}
}

// Join joins names.
func (f *frame) Join(names []string) string { return strings.Join(names, " · ") }

// Field is the field to which an alert leads.
func (f *frame) Field() string {
	switch f.name {
	case "password":
		return "password"
	case "code":
		return "code"
	case "consent":
		return "terms"
	}
	return ""
}

// Again says why someone is asked once more.
func (f *frame) Again() string {
	page, _ := f.Page.(Choose)
	switch page.Again {
	case 0:
		return ""
	case AgainTooOld:
		return f.T("choose.too-old")
	case AgainStronger:
		return f.T("choose.stronger")
	}
	return f.T("choose.asked")
}

// Missing says what an enrolment needs.
func (f *frame) Missing() string {
	page, _ := f.Page.(Enrol)
	switch page.Missing {
	case 0:
		return ""
	case MissingRecent:
		return f.T("enrol.too-old", "within", f.Duration(page.Within))
	case MissingOther:
		return f.T("enrol.by-passkey")
	}
	return f.T("enrol.nobody")
}

// Date is a day, as the language writes it.
func (f *frame) Date(t time.Time) string { return t.Format(f.T("date")) }

// Digits says how many digits a code has, where that is known.
func (f *frame) Digits() string {
	page, _ := f.Page.(OneTimeCode)
	if page.Digits <= 0 {
		return ""
	}
	return f.T("code.digits", "n", strconv.Itoa(page.Digits))
}

// Options are what the script hands to the browser.
func (f *frame) Options() string {
	page, _ := f.Page.(Passkey)
	return string(page.Options)
}

// TermsName is what terms are called, with their version.
func (f *frame) TermsName(t *Terms) string {
	name := t.Title
	if name == "" {
		name = f.T("consent.terms.name")
	}
	if t.Version != "" {
		name += " (" + t.Version + ")"
	}
	return name
}

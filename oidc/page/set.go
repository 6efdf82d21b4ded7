package page

import (
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sceau/oidc/authn"
)

// A View is what all pages of one request have in common.
type View struct {
	// Static is the path below which Set.Static answers, without a slash at its end: "/etab/750712184/static". It has to be served
	// wherever pages are, at the address for certificates too.
	Static string
	// Establishment is the name of the establishment. Required: it is in the title of every page.
	Establishment string
	// Client is the name of the application; empty where none is known, or none may be named.
	Client string
	// Token goes into the hidden field "token" of every form that comes back to us.
	Token string
	// Redirects are addresses to which an answer to a form may redirect, beside our own: they become sources of form-action, which
	// Chromium applies to redirects that follow a form, all along the chain. None is needed where the answers go through Unchained.
	Redirects []string
	// Here is an address that shows this page in another language if the parameter lang is added to it. Empty means that of
	// the request. It is asked by GET, also if the page is the answer to a form.
	Here string
	// Support is whom a person asks for help.
	Support Support
}

// Support is the help of an establishment for its people. What is empty is left out.
type Support struct {
	URL, Telephone, Email string
}

// A Set is the pages. It is safe for concurrent use.
type Set struct {
	assets    *assets
	templates map[string]*template.Template // by the name of the page
}

// New makes a Set. Its error says that the files of the package do not fit together, which its tests exclude.
func New() (*Set, error) {
	files, err := readAssets(staticFiles)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	layout, err := template.New("layout.html").Option("missingkey=error").ParseFS(templateFiles, "templates/layout.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	s := &Set{assets: files, templates: map[string]*template.Template{}}
	for _, name := range names {
		clone, err := layout.Clone()
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		if clone, err = clone.ParseFS(templateFiles, name); err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		s.templates[strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")] = clone
	}
	return s, nil
}

// For returns what writes pages in a language: one that Language gave. The request is that of the browser, as it came.
func (s *Set) For(r *http.Request, language string, v View) authn.Pages {
	return &pages{set: s, request: r, language: language, view: v}
}

// Static answers for the style, the symbol and the scripts of the pages, whose names hold their digest: they never change. It looks
// at the last element of the path only.
func (s *Set) Static() http.Handler { return s.assets }

// pages writes pages of one request.
type pages struct {
	set      *Set
	request  *http.Request
	language string
	view     View
}

// Write writes one of the types of this package, or a pointer to one. What is none of them, or has no address to post to, is a
// mistake of the program, and the person is told that there is one.
func (p *pages) Write(w http.ResponseWriter, r *http.Request, status int, page any) {
	f, body, err := p.render(page)
	if err != nil {
		status = http.StatusInternalServerError
		if f, body, err = p.render(Error{Code: "server_error"}); err != nil {
			http.Error(w, http.StatusText(status), status)
			return
		}
	}
	h := w.Header()
	p.policy(h, f)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", f.Language)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if f.Wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(seconds(f.Wait), 10))
	}
	if f.onward != "" {
		h.Set("Refresh", "0; url="+f.onward)
	}
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	if r == nil || r.Method != http.MethodHead {
		w.Write(body) //nolint:errcheck // the browser is gone
	}
}

// policy says to the browser what a page may do: next to nothing.
func (p *pages) policy(h http.Header, f *frame) {
	directives := []string{"default-src 'none'", "style-src 'self'", "img-src 'self'"}
	if f.Script != "" {
		directives = append(directives, "script-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'")
	}
	if f.name == "enrol" && f.Script != "" {
		directives = append(directives, "connect-src 'self'")
	}
	targets := append([]string{"'self'"}, sources(slices.Concat(p.view.Redirects, f.targets))...)
	directives = append(directives, "form-action "+strings.Join(targets, " "), "frame-ancestors 'none'", "base-uri 'none'")
	h.Set("Content-Security-Policy", strings.Join(directives, "; "))
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with it, browsers send "Origin: null" with our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	passkeys, made := "()", "()"
	switch {
	case f.name == "passkey":
		passkeys = "(self)"
	case f.name == "enrol" && f.Script != "":
		made = "(self)"
	}
	h.Set("Permissions-Policy", "publickey-credentials-get="+passkeys+
		", publickey-credentials-create="+made+", camera=(), microphone=(), geolocation=(), payment=(), usb=()")
}

// seconds rounds up: who comes back after that is not too early.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

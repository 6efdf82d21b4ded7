package page

import (
	"net/http"

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
	// Token goes into the hidden field "token" of every form.
	Token string
	// Redirects are the addresses of the application to which an answer to a form may redirect. They become sources of form-action:
	// Chromium applies that to redirects which follow a form, all along the chain. Where the application itself redirects on
	// elsewhere, name that too, or answer with Continue, which breaks the chain.
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
type Set struct{}

// New makes a Set. Its error says that the texts and templates of the package do not fit together, which the tests exclude.
func New() (*Set, error) { return &Set{}, nil }

// For returns what writes pages in a language: one that Language gave.
func (s *Set) For(r *http.Request, language string, v View) authn.Pages { return nil }

// Static answers for the style, the symbol and the script of the pages, whose names hold their digest: they never change. It looks at the last
// element of the path only.
func (s *Set) Static() http.Handler { return nil }

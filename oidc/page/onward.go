package page

import (
	"net/http"
	"net/url"

	"sceau/oidc/authn"
)

// Unchained returns what answers a request like w, but that a redirect to another host becomes the page Continue if the request
// is a posted form. Chromium applies the form-action of the page of the form to all redirects that follow, those of the application
// too: where Pro Santé Connect leads on to the application that asked it, nobody here knows. Redirects among our own pages, and those
// that answer a GET, stay what they are.
func Unchained(w http.ResponseWriter, r *http.Request, pages authn.Pages) http.ResponseWriter {
	if r.Method != http.MethodPost {
		return w
	}
	return &unchained{ResponseWriter: w, request: r, pages: pages}
}

type unchained struct {
	http.ResponseWriter
	request     *http.Request
	pages       authn.Pages
	begun, done bool // the status is written; and the page, so that the body of the redirect is dropped
}

func (u *unchained) WriteHeader(status int) {
	location := u.Header().Get("Location")
	if u.begun || status < 300 || status > 399 || !foreign(location, u.request) {
		u.begun = u.begun || status >= 200
		u.ResponseWriter.WriteHeader(status)
		return
	}
	u.begun, u.done = true, true
	u.Header().Del("Location")
	u.pages.Write(u.ResponseWriter, u.request, http.StatusOK, Continue{URL: location})
}

func (u *unchained) Write(b []byte) (int, error) {
	if u.done {
		return len(b), nil
	}
	u.begun = true
	return u.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (u *unchained) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// foreign says whether a Location is elsewhere than the request. What cannot be read is.
func foreign(location string, r *http.Request) bool {
	if location == "" {
		return false
	}
	u, err := url.Parse(location)
	return err != nil || u.Host != r.Host && (u.Host != "" || u.Scheme != "")
}

package oidc

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/audit"
	"sceau/oidc/page"
)

// unredirected writes the page of an error that cannot be told to the client: nobody knows whose browser is to be led where.
func (p *Provider) unredirected(w http.ResponseWriter, r *http.Request, err error) error {
	c := callOf(r.Context())
	if b, ok := w.(*buffer); ok { // an attempt that answered, and then could not be kept
		cookies := b.header["Set-Cookie"]
		b.drop()
		if c != nil && c.endpoint == endpointAttempt { // a session that it led to is there, under the new one alone
			b.header["Set-Cookie"] = cookies
		}
	}
	var known goidc.Error
	code := string(goidc.ErrorCodeInternalError)
	if errors.As(err, &known) {
		code = string(known.Code)
	}
	status := http.StatusBadRequest
	id := ""
	if c != nil {
		c.cause, c.code, id = err, code, c.event.ID.String()
	}
	switch {
	case c != nil && c.outage != nil:
		code, status = "temporarily_unavailable", http.StatusServiceUnavailable
		c.code, c.event.Outcome = code, audit.Fault
	case code == string(goidc.ErrorCodeInternalError):
		status = http.StatusInternalServerError
	case c != nil && c.endpoint == endpointAttempt && code == string(goidc.ErrorCodeInvalidRequest):
		// There is no such attempt any more: somebody went back, or to lunch.
		p.write(w, r, status, page.Expired{})
		return nil
	}
	p.write(w, r, status, page.Error{Code: code, AuditID: id})
	return nil
}

// write writes a page that belongs to no attempt.
func (p *Provider) write(w http.ResponseWriter, r *http.Request, status int, value any) {
	p.writeWith(w, r, status, r.URL.Query(), "", value)
}

// languageOf is the language in which a request is answered that belongs to no attempt.
func languageOf(r *http.Request, form url.Values) string {
	return page.Language(r.URL.Query().Get("lang"), form.Get("ui_locales"), r.Header.Get("Accept-Language"))
}

// writeWith does it with the parameters of the request, and with the token that forms of the page carry.
func (p *Provider) writeWith(w http.ResponseWriter, r *http.Request, status int, form url.Values, token string, value any) {
	language := languageOf(r, form)
	name := p.config.Names[language]
	if name == "" {
		name = p.config.Names["fr"]
	}
	p.pages.For(r, language, page.View{Static: p.path + "/static", Establishment: name, Token: token, Support: p.config.Support}).Write(w, r, status, value)
}

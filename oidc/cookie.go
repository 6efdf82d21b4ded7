package oidc

import (
	"crypto/subtle"
	"net/http"
	"time"
)

// sessionCookie is the name of the cookie. Its path is the establishment's, so that another one never sees it.
const sessionCookie = "__Secure-sceau-session"

func (p *Provider) cookie(name, path, value string, until time.Time) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: p.path + path, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	} else if !until.IsZero() {
		c.Expires = until
	}
	return c
}

// sealCookie is the name of the cookie that says which cookie of a session is ours. A sibling of our host (another subdomain, or who
// speaks for one) sets cookies of the other name for a longer path than ours, so that a browser sends them first, or where it has none:
// its person would be logged in as somebody else, and not know it. A cookie of this name browsers take from our host alone, and for all of
// its paths (RFC 6265bis section 4.1.3.2). It is the digest of the cookie of the session, and opens nothing: other establishments
// of the host may see it.
func (p *Provider) sealCookie() string { return "__Host-sceau-session-" + p.config.Tenant }

func sealOf(cookie string) string { return digest("session cookie\x00" + cookie) }

// setSession gives a browser the cookies of a session; an empty one takes them.
func (p *Provider) setSession(w http.ResponseWriter, cookie string) {
	http.SetCookie(w, p.cookie(sessionCookie, "/", cookie, time.Time{}))
	seal := ""
	if cookie != "" {
		seal = sealOf(cookie)
	}
	c := p.cookie(p.sealCookie(), "/", seal, time.Time{})
	c.Path = "/"
	http.SetCookie(w, c)
}

// sessionOf is the session of a browser, or nil: of all cookies of the name that which the seal says is ours. Two seals, of a browser
// that takes them from anybody, are none.
func (p *Provider) sessionOf(r *http.Request) (*session, error) {
	seals := r.CookiesNamed(p.sealCookie())
	if len(seals) != 1 {
		return nil, nil
	}
	for _, c := range r.CookiesNamed(sessionCookie) {
		if same(sealOf(c.Value), seals[0].Value) {
			return p.session(r.Context(), p.state.key("session", c.Value))
		}
	}
	return nil, nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

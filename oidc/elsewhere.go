package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// An answered means is one that somebody else answers, at one address for all attempts: AttemptOf finds the attempt in the
// state of the answer.
type answered interface {
	AttemptOf(state string) (attempt string, ok bool)
}

// upstream leads the answer of an upstream provider to the attempt for which it was asked: the attempt's cookie goes to the attempt
// alone.
func (p *Provider) upstream(w http.ResponseWriter, r *http.Request, below string) {
	name, rest, _ := strings.Cut(below, "/")
	if rest == "callback" && r.Method == http.MethodGet {
		for _, m := range p.config.Means {
			if a, ok := m.Means.(answered); ok && m.Name == name {
				if attempt, ok := a.AttemptOf(r.URL.Query().Get("state")); ok {
					http.Redirect(w, r, p.config.Issuer+"/authorize/"+url.PathEscape(attempt)+"/m/"+name+"?"+r.URL.RawQuery, http.StatusSeeOther)
					return
				}
			}
		}
	}
	p.write(w, r, http.StatusNotFound, page.Error{Code: "not_found"})
}

// A respondent is a means that has somebody else's program ask and answer it, at an address of its own: a wallet, which has no cookie of the browser. Answer
// writes the answer; what it returns is for the trail: an *authn.Refusal, or an outage, and in which attempt.
type respondent interface {
	Answer(w http.ResponseWriter, r *http.Request, below string) (attempt string, err error)
}

// wallet lets a means answer a wallet, and says whether there is one. A refusal is recorded here, whether a browser comes back for it or not.
func (p *Provider) wallet(w http.ResponseWriter, r *http.Request, below string) bool {
	name, rest, _ := strings.Cut(below, "/")
	for _, m := range p.config.Means {
		a, ok := m.Means.(respondent)
		if !ok || m.Name != name {
			continue
		}
		r, c := p.call(r, endpointWallet, "")
		b := &buffer{header: http.Header{}}
		attempt, err := a.Answer(b, r, rest)
		if c.event.Attempt = attempt; err != nil {
			c.event.Operation, c.event.Means = audit.OperationAuthentication, m.Name
			c.cause, c.code, c.event.Outcome = err, string(goidc.ErrorCodeAccessDenied), audit.Refused
			if refusal := (*authn.Refusal)(nil); !errors.As(err, &refusal) {
				c.code, c.event.Outcome = "server_error", audit.Fault
			}
		}
		p.answer(w, r, b, c)
		return true
	}
	return false
}

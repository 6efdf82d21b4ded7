package oidc

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/means/passkey"
	"sceau/oidc/page"
)

// enrolWithin is how young the authentication of a person has to be that vouches for a new passkey of his.
const enrolWithin = 10 * time.Minute

// standing is who is logged in in a browser: the session, and its account as it is now. Both are nil where nobody is, and a session whose
// account is closed ends.
func (p *Provider) standing(r *http.Request) (*session, *authn.Account, error) {
	s, err := p.sessionOf(r)
	if s == nil || err != nil {
		return nil, nil, err
	}
	account, err := p.config.Accounts.Find(r.Context(), authn.Identifier{Type: "account", Value: s.Account.ID})
	switch {
	case err == nil && account.ID == s.Account.ID && !account.Locked:
		return s, account, nil
	case err != nil && !errors.Is(err, authn.ErrNoAccount):
		return nil, nil, err
	}
	_, err = p.over(r.Context(), s, "the account is closed")
	return nil, nil, err
}

// vouches is the login of a session that vouches for a new passkey: made just now, by a means of the establishment that is none of
// passkeys. Otherwise it says what is missing.
func (p *Provider) vouches(s *session) (*login, page.Missing) {
	if s == nil {
		return nil, page.MissingSession
	}
	now, missing := p.now(), page.MissingOther
	var best *login
	for i := range s.Logins {
		l := &s.Logins[i]
		m := slices.IndexFunc(p.config.Means, func(m Means) bool { return m.Name == l.Means })
		if m < 0 {
			continue // a means that the establishment has no longer
		}
		if _, is := p.config.Means[m].Means.(*passkey.Means); is || p.config.Means[m].Kind == page.KindPasskey {
			continue
		}
		if now.Sub(l.Time) >= enrolWithin || l.Time.After(now.Add(clocks)) {
			missing = page.MissingRecent
			continue
		}
		if best == nil || l.Time.After(best.Time) {
			best = l
		}
	}
	if best == nil {
		return nil, missing
	}
	return best, 0
}

// unvouched are the causes in the trail of an enrolment for which somebody is missing. The person learns the same from his page.
var unvouched = map[page.Missing]string{
	page.MissingSession: "nobody is logged in in this browser",
	page.MissingRecent:  "the login is too old",
	page.MissingOther:   "the login was by a passkey alone",
}

// enrol enrols a passkey for a person whom an administrator gave a ticket: nobody changes the strength of his own authentication
// (EXI FI 24). It shows the page, and answers its script.
func (p *Provider) enrol(w http.ResponseWriter, r *http.Request, below string) {
	switch {
	case r.Method == http.MethodPost && below == "":
		p.enrolled(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, POST")
		p.write(w, r, http.StatusMethodNotAllowed, page.Error{Code: "invalid_request"})
		return
	}
	r, c := p.call(r, endpointPerson, "")
	s, account, err := p.standing(r)
	if err != nil {
		p.failedPage(w, r, c, err)
		return
	}
	address := p.config.Issuer + "/enrol"
	again := inLanguage(r, address)
	if below == "done" {
		p.enrolledPage(w, r, c, account, again)
		return
	}
	if _, missing := p.vouches(s); missing != 0 {
		p.write(w, r, http.StatusForbidden, page.Enrol{Missing: missing, Within: enrolWithin, Retry: again})
		return
	}
	p.writeWith(w, r, http.StatusOK, r.URL.Query(), p.personToken("enrol", s), page.Enrol{Action: address, Done: inLanguage(r, address+"/done"), Person: personName(account)})
}

// inLanguage is an address of ours in the language that the person chose on the page before.
func inLanguage(r *http.Request, address string) string {
	if lang := r.URL.Query().Get("lang"); lang != "" {
		return address + "?lang=" + page.Language(lang, "", r.Header.Get("Accept-Language"))
	}
	return address
}

// enrolledPage tells a person of the passkey that he enrolled just now.
func (p *Provider) enrolledPage(w http.ResponseWriter, r *http.Request, c *call, account *authn.Account, again string) {
	if account != nil {
		all, err := p.passkeys.Of(r.Context(), account.ID)
		if err != nil {
			p.failedPage(w, r, c, err)
			return
		}
		if n := len(all); n > 0 && p.now().Sub(all[n-1].Created) < enrolWithin {
			p.write(w, r, http.StatusOK, page.Enrolled{Label: all[n-1].Label, Made: all[n-1].Created})
			return
		}
	}
	http.Redirect(w, r, again, http.StatusSeeOther)
}

// enrolled answers the script of the page of enrolment.
func (p *Provider) enrolled(w http.ResponseWriter, r *http.Request) {
	r, c := p.call(r, endpointPerson, audit.OperationEnrolment)
	b := &buffer{header: http.Header{}}
	var s *session
	e := passkey.Enrolment{
		Means: p.passkeys, Now: p.now,
		Proven: func(r *http.Request) (account *authn.Account, err error) {
			if s, account, err = p.standing(r); err != nil {
				return nil, err
			}
			if s != nil {
				c.of(p, s)
			}
			l, missing := p.vouches(s)
			if missing != 0 {
				return nil, &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("oidc: " + unvouched[missing])}
			}
			c.event.Authentication, _ = audit.ParseID(l.ID)
			return account, nil
		},
		Session: func(*http.Request) string { return s.SID },
		Enrolled: func(r *http.Request, made *passkey.Passkey) error {
			c.event.Means, c.event.Credential = p.passkeyMeans(), made.Name()
			return p.record(r.Context(), c)
		},
		Refused: func(_ *http.Request, err error) {
			if c.recorded { // it stands in the trail, and was not kept: that stands there too
				c.recorded, c.event.ID, c.event.Outcome = false, audit.NewID(p.now()), 0
			}
			c.cause, c.code = err, "temporarily_unavailable"
			var refusal *authn.Refusal
			if errors.As(err, &refusal) {
				c.code, c.event.Outcome = "access_denied", audit.Refused
			}
		},
	}
	e.ServeHTTP(b, r)
	if b.status == http.StatusOK { // options: nothing was decided
		c.event.Operation = ""
	}
	p.answer(w, r, b, c)
}

func (p *Provider) passkeyMeans() string {
	for _, m := range p.config.Means {
		if m.Means == authn.Means(p.passkeys) {
			return m.Name
		}
	}
	return ""
}

// of says whose session the request is of.
func (c *call) of(p *Provider, s *session) {
	c.event.Session, c.event.Sealed.Account = s.SID, s.Account.ID
	c.event.Subject = audit.Identifier{Type: audit.SubjectType, Value: p.subject(&s.Account)}
}

// personToken is what forms of the pages of a person carry: clients know the claim sid, and nobody knows this but the browser.
func (p *Provider) personToken(what string, s *session) string { return digest(what + "\x00" + s.key) }

// withdrawnNote goes with the answer to a withdrawal, in the browser of the person alone.
func (p *Provider) withdrawnNote(client string, s *session) string {
	return p.personToken("withdrawn\x00"+client, s)
}

// failedPage says that something could not be asked.
func (p *Provider) failedPage(w http.ResponseWriter, r *http.Request, c *call, err error) {
	p.log.Error("a request failed", "id", c.event.ID, "cause", err)
	p.unavailable(w, r, c)
}

// consentsPage shows a person what he consented to, and lets him withdraw it.
func (p *Provider) consentsPage(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		p.write(w, r, http.StatusMethodNotAllowed, page.Error{Code: "invalid_request"})
		return
	}
	r, c := p.call(r, endpointPerson, "")
	s, account, err := p.standing(r)
	if err != nil {
		p.failedPage(w, r, c, err)
		return
	}
	if s == nil {
		p.write(w, r, http.StatusForbidden, page.Consents{Stranger: true})
		return
	}
	if r.Method == http.MethodPost {
		p.withdraw(w, r, c, s)
		return
	}
	all, err := p.consentsOf().Of(r.Context(), account.ID)
	if err != nil {
		p.failedPage(w, r, c, err)
		return
	}
	language := page.Language(r.URL.Query().Get("lang"), "", r.Header.Get("Accept-Language"))
	shown := page.Consents{Action: inLanguage(r, p.config.Issuer+"/consents"), Person: personName(account)}
	// Where it was withdrawn alone: a link of somebody else says nothing in our name.
	if id := r.URL.Query().Get("withdrawn"); id != "" && same(r.URL.Query().Get("note"), p.withdrawnNote(id, s)) && !slices.ContainsFunc(all, func(one Consent) bool { return one.Client == id }) {
		if known := p.config.Clients.Client(id); known != nil {
			shown.Withdrawn = known.Name(language)
		}
	}
	for _, one := range all {
		given := page.Given{Client: one.Client, Name: one.Client, Since: one.Given}
		if known := p.config.Clients.Client(one.Client); known != nil {
			given.Name = known.Name(language)
		}
		for _, name := range one.Scopes {
			given.Scopes = append(given.Scopes, page.Scope{Name: name})
		}
		if one.Terms != "" {
			given.Terms = &page.Terms{URL: one.Terms}
		}
		shown.Given = append(shown.Given, given)
	}
	p.writeWith(w, r, http.StatusOK, r.URL.Query(), p.personToken("consents", s), shown)
}

// withdraw takes back what a person consented to for one client.
func (p *Provider) withdraw(w http.ResponseWriter, r *http.Request, c *call, s *session) {
	c.event.Operation, c.event.Action = audit.OperationConsent, audit.ActionWithdraw
	c.of(p, s)
	b := &buffer{header: http.Header{}}
	err := p.tryWithdraw(b, r, c, s)
	var wrong *parameterError
	switch {
	case errors.As(err, &wrong):
		c.cause, c.code, c.event.Outcome = err, wrong.code, audit.Refused
		p.write(b, r, http.StatusForbidden, page.Error{Code: wrong.code, AuditID: c.event.ID.String(), Return: p.config.Issuer + "/consents"})
	case err != nil:
		c.cause, c.code, c.event.Outcome = err, "temporarily_unavailable", audit.Fault
		p.write(b, r, http.StatusServiceUnavailable, page.Error{Code: c.code, AuditID: c.event.ID.String()})
	}
	p.answer(w, r, b, c)
}

func (p *Provider) tryWithdraw(w http.ResponseWriter, r *http.Request, c *call, s *session) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return &parameterError{code: "invalid_request", text: "not a form"}
	}
	if err := r.ParseForm(); err != nil {
		return &parameterError{code: "invalid_request", text: "not a form"}
	}
	if !p.sameOrigin(r) || subtle.ConstantTimeCompare([]byte(r.PostForm.Get("token")), []byte(p.personToken("consents", s))) != 1 {
		return &parameterError{code: "access_denied", text: "a form without the token of the session, or from another site"}
	}
	id := r.PostForm.Get("client")
	all, err := p.consentsOf().Of(r.Context(), s.Account.ID)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(one Consent) bool { return one.Client != id })
	if id == "" || len(all) == 0 {
		return &parameterError{code: "invalid_request", text: "nothing was consented to for the client"}
	}
	c.event.Client = id
	var scopes []string
	for _, one := range all {
		scopes = append(scopes, one.Scopes...)
	}
	slices.Sort(scopes)
	c.event.Scope = strings.Join(slices.Compact(scopes), " ")
	if err := p.record(r.Context(), c); err != nil { // the trail has it before it counts
		return fmt.Errorf("oidc: it cannot be recorded: %w", err)
	}
	if _, err := p.consentsOf().Withdraw(r.Context(), s.Account.ID, id); err != nil {
		return err
	}
	q := url.Values{"withdrawn": {id}, "note": {p.withdrawnNote(id, s)}}
	if lang := r.URL.Query().Get("lang"); lang != "" {
		q.Set("lang", lang)
	}
	http.Redirect(w, r, p.config.Issuer+"/consents?"+q.Encode(), http.StatusSeeOther)
	return nil
}

package oidc

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/client"
	"sceau/oidc/page"
)

// A visit is one request of a browser to an attempt.
type visit struct {
	*Provider
	w       http.ResponseWriter
	r       *http.Request
	as      *goidc.AuthnSession
	client  *client.Client
	attempt *attempt
	call    *call
	session *session
	login   *login // of the session, that satisfies the client
	agreed  string // the id of the consent; empty where none was asked
}

// serve is asked by the library for every request of a browser to an attempt, the first included. Every end of an attempt is recorded:
// as a consent that was refused, or as an authorization.
func (p *Provider) serve(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession, c *goidc.Client) (goidc.Status, error) {
	v := &visit{Provider: p, w: w, r: r, as: as, attempt: &attempt{}, call: callOf(r.Context())}
	if v.call == nil {
		return goidc.StatusFailure, errors.New("oidc: a request that did not come through the front")
	}
	status, err := v.visited(c)
	if status != goidc.StatusPending && v.call.event.Operation == "" {
		v.call.event.Operation = audit.OperationAuthorization
	}
	return status, err
}

func (v *visit) visited(c *goidc.Client) (goidc.Status, error) {
	p, w, r, as := v.Provider, v.w, v.r, v.as
	var err error
	if v.client, err = p.asks(r.Context(), v.call, c.ID); temporary(err) {
		return goidc.StatusFailure, err
	} else if err != nil {
		return goidc.StatusFailure, goidc.WrapError(goidc.ErrorCodeUnauthorizedClient, "unknown client", fmt.Errorf("a client that is not registered any more: %w", err))
	}
	if err := getStore(as.Store, v.attempt); err != nil {
		return goidc.StatusFailure, err
	}
	v.call.event.Client, v.call.event.Attempt = c.ID, as.ID
	if !v.client.AllowsRedirect(as.RedirectURI) {
		// It was registered when the attempt began. Nothing leads there now, an error neither (O3).
		v.call.event.Operation, v.call.event.Outcome = audit.OperationAuthorization, audit.Refused
		v.call.cause, v.call.code = errors.New("redirect_uri is not registered any more"), string(goidc.ErrorCodeInvalidRequest)
		v.Provider.write(w, r, http.StatusBadRequest, page.Error{Code: v.call.code, AuditID: v.call.event.ID.String()})
		return goidc.StatusPending, nil
	}
	if r.Method == http.MethodPost {
		v.call.pages = v.pages()
	}
	status, err := v.serve()
	if status == goidc.StatusPending {
		if err := putStore(as.Store, v.attempt); err != nil {
			return goidc.StatusFailure, err
		}
	}
	if known := (goidc.Error{}); err != nil && !errors.As(err, &known) {
		// The library would say that access was denied. Nobody did: it was not decided (RFC 6749 section 4.1.2.1).
		v.call.event.Outcome = audit.Fault
		err = goidc.WrapError("temporarily_unavailable", "try again later", err)
	}
	return status, err
}

// rest is what stands behind the address of the attempt; first is the request of the client itself.
func (v *visit) rest() (rest string, first bool) {
	if v.r.PathValue("callback") == "" {
		return "", true
	}
	return v.r.PathValue("callback_path"), false
}

func (v *visit) address() string { return v.config.Issuer + "/authorize/" + v.as.ID }

func (v *visit) serve() (goidc.Status, error) {
	rest, first := v.rest()
	if first {
		return v.first()
	}
	if !v.bound() {
		v.write(http.StatusForbidden, page.Expired{})
		v.stranger("a browser that did not begin the attempt")
		return goidc.StatusPending, nil
	}
	if lang := v.r.URL.Query().Get("lang"); lang != "" && v.r.Method == http.MethodGet {
		v.attempt.Language = page.Language(lang, v.attempt.Locales, v.r.Header.Get("Accept-Language"))
	}
	if v.r.Method == http.MethodPost && !v.ours() {
		v.write(http.StatusForbidden, page.Expired{Restart: v.address()})
		v.stranger("a form without the token of the attempt, or from another site")
		return goidc.StatusPending, nil
	}
	var err error
	if v.session, err = v.sessionOf(v.r); err != nil {
		return goidc.StatusFailure, err
	}
	switch name, below, _ := strings.Cut(rest, "/"); {
	case rest == "":
		v.choose()
		return goidc.StatusPending, nil
	case rest == "cancel" && v.r.Method == http.MethodPost:
		return goidc.StatusFailure, goidc.WrapError(goidc.ErrorCodeAccessDenied, "the person gave up", errors.New("the person gave up"))
	case rest == "go":
		return v.proceed()
	case rest == "consent":
		return v.consent()
	case name == "m":
		means, deeper, _ := strings.Cut(below, "/")
		for i := range v.config.Means {
			if v.config.Means[i].Name == means {
				return v.ask(&v.config.Means[i], deeper)
			}
		}
	}
	v.write(http.StatusNotFound, page.Error{Code: "not_found", Return: v.address()})
	return goidc.StatusPending, nil
}

// stranger records a request that has no part in the attempt. It is no fault of ours, and no end of the attempt.
func (v *visit) stranger(cause string) {
	v.call.event.Operation, v.call.event.Outcome = audit.OperationAuthorization, audit.Refused
	v.call.cause, v.call.code = errors.New(cause), string(goidc.ErrorCodeAccessDenied)
}

// first answers the request of the client: by a code where a session satisfies it, else by leading to the attempt.
func (v *visit) first() (goidc.Status, error) {
	cookie := random()
	v.attempt.Binding = digest(cookie)
	// It ends with the attempt: a browser keeps so many cookies of a host, and would give up that of the session.
	http.SetCookie(v.w, v.cookie(attemptCookie, "/authorize/"+v.as.ID, cookie, time.Now().Add(v.config.Attempt)))
	var err error
	if v.session, err = v.sessionOf(v.r); err != nil {
		return goidc.StatusFailure, err
	}
	if v.login, v.attempt.Again = v.suitable(); v.login != nil {
		return v.proceed()
	}
	if v.prompts("none") {
		return goidc.StatusFailure, goidc.WrapError(goidc.ErrorCodeLoginRequired, "the person has to authenticate", errors.New("prompt=none without a session that will do"))
	}
	to := v.address()
	if offers := v.offers(); len(offers) == 1 && v.attempt.Again == 0 {
		to = offers[0].URL
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return goidc.StatusPending, nil
}

func (v *visit) prompts(value string) bool {
	return slices.Contains(strings.Fields(string(v.as.Prompt)), value)
}

// bound says whether the request is of the browser that began the attempt. Of several cookies of the name each is asked: one that a
// sibling of our host has put before ours (it may, for a longer path) shuts nobody out, and what it says opens nothing that it would
// not open alone.
func (v *visit) bound() bool {
	if v.attempt.Binding == "" {
		return false
	}
	for _, c := range v.r.CookiesNamed(attemptCookie) {
		if same(digest(c.Value), v.attempt.Binding) {
			return true
		}
	}
	return false
}

// ours says whether a form was written by us for this attempt (O8: CSRF).
func (v *visit) ours() bool {
	if o := v.r.Header.Get("Origin"); o != "" && o != origin(v.config.Issuer) && (v.config.SecureIssuer == "" || o != origin(v.config.SecureIssuer)) {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(v.r.PostFormValue("token")), []byte(v.attempt.Token)) == 1
}

// maxAge is how old an authentication may be: the client's rule, and less where the request says so (EXI FI 25, RECO FI 01).
func (v *visit) maxAge() time.Duration {
	asked := time.Duration(-1)
	if v.as.MaxAuthnAgeSecs != nil {
		asked = time.Duration(*v.as.MaxAuthnAgeSecs) * time.Second
	}
	return v.client.Session().MaxAge(asked)
}

// clocks is how far the clock of who says when somebody authenticated may be behind ours.
const clocks = time.Minute

func (v *visit) pages() authn.Pages {
	names := v.config.Names
	view := page.View{
		Static: v.path + "/static", Establishment: names[v.attempt.Language], Client: v.client.Name(v.attempt.Language),
		Token: v.attempt.Token, Support: v.config.Support,
	}
	if view.Establishment == "" {
		view.Establishment = names["fr"]
	}
	if v.config.SecureIssuer != "" {
		view.Redirects = []string{origin(v.config.SecureIssuer), origin(v.config.Issuer)}
	}
	return v.Provider.pages.For(v.r, v.attempt.Language, view)
}

func (v *visit) write(status int, value any) { v.pages().Write(v.w, v.r, status, value) }

// ask lets a means answer the request; below is what stands below its address.
func (v *visit) ask(m *Means, below string) (goidc.Status, error) {
	if !v.admits(m.References()) {
		v.write(http.StatusForbidden, page.Insufficient{Means: v.offers(), Cancel: v.address() + "/cancel"})
		return goidc.StatusPending, nil
	}
	now := v.now()
	a := &authn.Attempt{
		ID: v.as.ID, Issuer: v.config.Issuer, URL: v.meansURL(v.config.Issuer, m), Below: below, ReturnURL: v.address(), Language: v.attempt.Language,
		Hint: v.as.LoginHint, State: v.attempt.States[m.Name], Token: v.attempt.Token, Now: now,
		NotBefore: v.notBefore(), Pages: v.pages(),
	}
	if v.config.SecureIssuer != "" {
		a.SecureURL = v.meansURL(v.config.SecureIssuer, m)
	}
	if said, ok := v.attempt.Refused[m.Name]; ok && v.r.Method == http.MethodGet {
		a.Refused = &authn.Refusal{Reason: said.Reason, RetryAfter: said.RetryAfter}
		delete(v.attempt.Refused, m.Name)
	}
	proof, err := m.Serve(v.w, v.r, a)
	if v.attempt.States == nil {
		v.attempt.States = map[string]json.RawMessage{}
	}
	if len(a.State) > 0 {
		v.attempt.States[m.Name] = a.State
	} else {
		delete(v.attempt.States, m.Name)
	}
	if proof == nil && err == nil {
		return goidc.StatusPending, nil
	}
	v.call.event.Operation, v.call.event.Means = audit.OperationAuthentication, m.Name
	if err == nil {
		err = v.proven(m, proof)
	}
	if err != nil {
		return v.refuse(m, err)
	}
	delete(v.attempt.States, m.Name)
	http.SetCookie(v.w, v.cookie(lastCookie, "/", m.Name, now.Add(90*24*time.Hour)))
	return v.again()
}

// again leads on to what is next, by a request of its own: Chromium holds the whole chain of redirects behind a form against
// form-action, and where a client leads next is not ours to know.
func (v *visit) again() (goidc.Status, error) {
	to := v.address() + "/go"
	if v.r.Method == http.MethodGet {
		http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	} else {
		v.write(http.StatusOK, page.Continue{URL: to})
	}
	return goidc.StatusPending, nil
}

// refuse leads a person who was refused back to the means, whose page tells him what he may know of why.
func (v *visit) refuse(m *Means, err error) (goidc.Status, error) {
	v.call.cause, v.call.code = err, string(goidc.ErrorCodeAccessDenied)
	var refusal *authn.Refusal
	if !errors.As(err, &refusal) {
		v.call.event.Outcome = audit.Fault
		v.write(http.StatusServiceUnavailable, page.Error{Code: "temporarily_unavailable", AuditID: v.call.event.ID.String(), Return: v.address()})
		return goidc.StatusPending, nil
	}
	v.call.event.Outcome = audit.Refused
	to := v.meansURL(v.config.Issuer, m)
	if refusal.Reason == authn.Cancelled {
		to = v.address()
	} else {
		if v.attempt.Refused == nil {
			v.attempt.Refused = map[string]refused{}
		}
		v.attempt.Refused[m.Name] = refused{refusal.Reason, refusal.RetryAfter}
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return goidc.StatusPending, nil
}

// proven puts what was proven into the session.
func (v *visit) proven(m *Means, proof *authn.Proof) error {
	e := &v.call.event
	now := v.now()
	e.Methods, e.AuthTime = proof.References, proof.Time
	e.Identity = audit.Party{Kind: string(m.Kind), Identifier: audit.Identifier{Type: proof.Identifier.Type, Value: proof.Identifier.Value}}
	e.Credential = proof.Credential
	switch {
	case proof.Identifier.Type == "" || proof.Identifier.Value == "" || len(proof.References) == 0 || proof.Time.IsZero():
		return fmt.Errorf("oidc: means %q proved too little", m.Name)
	case proof.Time.After(now.Add(time.Minute)):
		return fmt.Errorf("oidc: means %q proved something in the future", m.Name)
	}
	l := login{ID: e.ID.String(), Attempt: digest(v.as.ID), Means: m.Name, References: proof.References, Time: proof.Time, Identifier: proof.Identifier,
		Credential: proof.Credential, Attributes: proof.Attributes}
	if l.Time.After(now) {
		l.Time = now
	}
	if proof.Certificate != nil {
		sum := sha256.Sum256(proof.Certificate)
		e.Identity.Fingerprint, l.Certificate = sum, base64.RawURLEncoding.EncodeToString(sum[:])
	}
	account := proof.Account
	if account == nil {
		var err error
		if account, err = v.config.Accounts.Find(v.r.Context(), proof.Identifier); errors.Is(err, authn.ErrNoAccount) {
			return &authn.Refusal{Reason: authn.NotProven, Cause: err}
		} else if err != nil {
			return err
		}
	}
	if account.ID == "" {
		return errors.New("oidc: an account without an id")
	}
	e.Subject, e.Sealed.Account = audit.Identifier{Type: audit.SubjectType, Value: v.subject(account)}, account.ID
	if account.Locked {
		return &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("the account is closed")}
	}
	if v.attempt.Hint != "" && v.attempt.Hint != v.subject(account) {
		return &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("another person than the one that the client means")}
	}
	s := v.session
	if s != nil && s.Account.ID != account.ID {
		if _, err := v.over(v.r.Context(), s, "another person at the same browser"); err != nil { // what was there ends
			return err
		}
		s = nil
	}
	if s == nil {
		s = &session{SID: random(), Created: now}
	}
	s.Account, s.Seen = *account, now
	s.add(l)
	e.Session = s.SID
	v.session = s
	// The trail has the authentication before anybody gets anything out of it.
	if err := v.record(v.r.Context(), v.call); err != nil {
		return err
	}
	return v.keep(v.r.Context(), v.w, s)
}

// proceed gives the client its code, where everything is there that it takes.
func (v *visit) proceed() (goidc.Status, error) {
	if v.login == nil {
		if v.login, v.attempt.Again = v.suitable(); v.login == nil {
			http.Redirect(v.w, v.r, v.address(), http.StatusSeeOther)
			return goidc.StatusPending, nil
		}
	}
	if open, err := v.open(); err != nil {
		return goidc.StatusFailure, err
	} else if !open {
		if v.prompts("none") {
			return goidc.StatusFailure, goidc.WrapError(goidc.ErrorCodeLoginRequired, "the person has to authenticate", errors.New("prompt=none for an account that is closed"))
		}
		v.setSession(v.w, "")
		http.Redirect(v.w, v.r, v.address(), http.StatusSeeOther)
		return goidc.StatusPending, nil
	}
	if missing, err := v.consents(); err != nil {
		return goidc.StatusFailure, err
	} else if missing {
		if v.prompts("none") {
			return goidc.StatusFailure, goidc.WrapError("consent_required", "the person has to consent", errors.New("prompt=none without consent"))
		}
		http.Redirect(v.w, v.r, v.address()+"/consent", http.StatusSeeOther)
		return goidc.StatusPending, nil
	}
	now := v.now()
	until := v.login.Time.Add(v.client.Session().MaxAuthenticationAge())
	r := &released{
		Subject: v.subject(&v.session.Account), SID: v.session.SID, Session: v.session.key, Login: *v.login, Account: v.session.Account,
		ACR: acrOf(v.client, v.login.References, v.wanted()), Until: until, Consent: v.agreed,
	}
	if !now.Before(until) {
		return goidc.StatusFailure, goidc.WrapError(goidc.ErrorCodeLoginRequired, "the authentication is too old", errors.New("the authentication is too old"))
	}
	v.as.Subject, v.as.Username, v.as.GrantedScopes = r.Subject, v.session.Account.Username, v.as.Scopes
	v.call.event.Operation = audit.OperationAuthorization
	return goidc.StatusSuccess, putStore(v.as.Store, r)
}

// open says whether the account of the session is still that of somebody, and takes its names as they are now. Who was just looked
// for is not looked for again.
func (v *visit) open() (bool, error) {
	if v.fresh(v.login) {
		return true, nil
	}
	s := v.session
	account, err := v.config.Accounts.Find(v.r.Context(), authn.Identifier{Type: "account", Value: s.Account.ID})
	switch {
	case err == nil && account.ID == s.Account.ID && !account.Locked:
		s.Account = *account
		return true, nil
	case err != nil && !errors.Is(err, authn.ErrNoAccount):
		return false, err
	}
	v.login, v.session = nil, nil
	_, err = v.over(v.r.Context(), s, "the account is closed")
	return false, err
}

package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/audit"
	"sceau/internal/opaque"
	"sceau/oidc/client"
	"sceau/oidc/page"
)

// logout serves RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0; RECO FI 02). Whoever shows an ID token of the session that
// this browser holds ends it at once; anyone else has the person asked, since a logout may be somebody else's wish (O8: logout CSRF).
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		p.write(w, r, http.StatusMethodNotAllowed, page.Error{Code: "invalid_request"})
		return
	}
	r, c := p.call(r, endpointLogout, audit.OperationLogout)
	b := &buffer{header: http.Header{}}
	if err := p.tryLogout(b, r, c); err != nil {
		c.cause, c.event.Outcome = err, audit.Fault
		c.code = "server_error"
		var wrong *parameterError
		if errors.As(err, &wrong) {
			c.code, c.event.Outcome = wrong.code, audit.Refused
			p.stop(w, r, c)
			return
		}
		p.unavailable(w, r, c)
		if err := p.record(r.Context(), c); err != nil {
			p.log.Error("an event cannot be recorded", "id", c.event.ID, "cause", err)
		}
		return
	}
	p.answer(w, r, b, c)
}

func (p *Provider) tryLogout(w http.ResponseWriter, r *http.Request, c *call) error {
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil && r.Method == http.MethodPost {
		err = r.ParseForm()
		form = r.PostForm
	}
	if err != nil {
		return &parameterError{code: "invalid_request", text: "not a form"}
	}
	if wrong := readable(form); wrong != nil {
		return wrong
	}
	var hint *hinted
	id := form.Get("client_id")
	if text := form.Get("id_token_hint"); text != "" {
		if hint, err = p.hinted(text, id); err != nil {
			return &parameterError{code: "invalid_request", text: "id_token_hint: " + err.Error()}
		}
		id = hint.Audience[0]
	}
	var known *client.Client
	if id != "" {
		if known, err = p.relyingParty(r.Context(), id); err != nil {
			return err
		}
		if known == nil {
			return &parameterError{code: "invalid_client", text: "no such client"}
		}
		c.event.Client = id
	}
	back := form.Get("post_logout_redirect_uri")
	if back != "" {
		if known == nil || !known.AllowsPostLogoutRedirect(back) {
			return &parameterError{code: "invalid_request", text: "post_logout_redirect_uri is not registered for the client"}
		}
		if s := form.Get("state"); s != "" { // the broker of Pro Santé Connect finds its own session by it
			u, err := url.Parse(back)
			if err != nil {
				return err
			}
			q := u.Query()
			q.Set("state", s)
			u.RawQuery = q.Encode()
			back = u.String()
		}
	}
	s, err := p.sessionOf(r)
	if err != nil {
		return err
	}
	var unreached []called
	ended := false
	if hint != nil && (s == nil || s.SID != hint.SID) {
		// The cookie is not there (another browser, another site's frame), or the session has lapsed and the client goes on by a refresh token:
		// the client, which has the token, ends what it began.
		if ended, unreached, err = p.overHinted(r.Context(), c, hint); err != nil {
			return err
		}
	}
	if s == nil {
		if !ended {
			c.event.Operation = "" // nothing ended
		}
		p.loggedOut(w, r, form, back, unreached)
		return nil
	}
	c.of(p, s)
	if sure := hint != nil && hint.SID == s.SID; !sure && !p.confirmed(w, r, c, form, s) {
		return nil
	}
	more, err := p.over(r.Context(), s, "logout")
	if err != nil {
		return err
	}
	p.setSession(w, "")
	p.loggedOut(w, r, form, back, append(unreached, more...))
	return nil
}

// confirmed says whether the person has said that he wants to log out. Else he is asked, or has said that he stays.
func (p *Provider) confirmed(w http.ResponseWriter, r *http.Request, c *call, form url.Values, s *session) bool {
	token := p.personToken("logout", s)
	decision := form.Get("decision")
	answers := r.Method == http.MethodPost && decision != "" && same(form.Get("token"), token) && p.sameOrigin(r)
	if answers && decision == "logout" {
		return true
	}
	c.event.Operation = "" // nothing ended
	if answers {
		p.writeWith(w, r, http.StatusOK, form, "", page.Stayed{})
		return false
	}
	ask := page.Logout{Action: p.config.Issuer + "/logout", Person: personName(&s.Account)}
	ask.Hidden = append(ask.Hidden, page.Field{Name: "ui_locales", Value: languageOf(r, form)}) // as it was chosen on the page
	for _, name := range []string{"client_id", "post_logout_redirect_uri", "state", "id_token_hint"} {
		if v := form.Get(name); v != "" {
			ask.Hidden = append(ask.Hidden, page.Field{Name: name, Value: v})
		}
	}
	p.writeWith(w, r, http.StatusOK, form, token, ask)
	return false
}

// overHinted ends the session of an ID token, whatever is kept of it: what clients have out of it is good no longer. It says whether
// there was anything to end.
func (p *Provider) overHinted(ctx context.Context, c *call, hint *hinted) (ended bool, unreached []called, err error) {
	if hint.SID == "" || hint.IssuedAt == nil || p.now().Sub(hint.IssuedAt.Time()) > p.state.longest {
		return false, nil, nil // nothing lives that is so old
	}
	if over, err := p.state.marked(ctx, "ended", hint.SID); over || err != nil {
		return false, nil, err
	}
	s, err := p.sessionBySID(ctx, hint.SID)
	if err != nil {
		return false, nil, err
	}
	if s == nil { // nobody is left to be told
		s = &session{SID: hint.SID}
		s.Account.ID, _ = strings.CutPrefix(hint.Subject, p.config.Tenant+":")
	}
	c.of(p, s)
	unreached, err = p.over(ctx, s, "logout")
	return err == nil, unreached, err
}

func (p *Provider) sameOrigin(r *http.Request) bool {
	o := r.Header.Get("Origin")
	return o == "" || o == origin(p.config.Issuer)
}

func (p *Provider) loggedOut(w http.ResponseWriter, r *http.Request, form url.Values, back string, unreached []called) {
	switch {
	case back == "":
		var names []string
		for _, c := range unreached {
			names = append(names, c.Name(languageOf(r, form)))
		}
		sort.Strings(names)
		p.writeWith(w, r, http.StatusOK, form, "", page.LoggedOut{Unreached: names})
	case r.Method == http.MethodPost && r.PostFormValue("decision") != "":
		p.writeWith(w, r, http.StatusOK, form, "", page.Continue{URL: back}) // see again
	default:
		http.Redirect(w, r, back, http.StatusSeeOther)
	}
}

// A called is a client as a person reads it. An unresolved is one of a federation that cannot be asked now.
type called interface{ Name(language string) string }

type unresolved string

func (u unresolved) Name(string) string { return string(u) }

// over ends a session, and tells its clients (OpenID Connect Back-Channel Logout 1.0). It gives those that could not be
// told. Why it ended is in the trail before it counts.
func (p *Provider) over(ctx context.Context, s *session, why string) (unreached []called, err error) {
	e := p.sessionEnded(s)
	e.Cause = why
	if c := callOf(ctx); c != nil {
		e.Remote, e.Attempt = c.event.Remote, c.event.Attempt
		e.Sealed.Source, e.Sealed.Agent = c.event.Sealed.Source, c.event.Sealed.Agent
	}
	if err := p.config.Recorder.Record(ctx, &e); err != nil {
		return nil, fmt.Errorf("oidc: it cannot be recorded: %w", err)
	}
	clients, err := p.end(ctx, s)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, id := range clients {
		wg.Go(func() {
			c, err := p.relyingParty(ctx, id)
			var name called = unresolved(id)
			if c != nil {
				if c.BackchannelLogoutURI() == "" {
					return
				}
				name, err = c, p.tell(ctx, s, c)
			}
			if err != nil {
				p.log.Warn("a client was not told of a logout", "client", id, "cause", err)
				mu.Lock()
				defer mu.Unlock()
				unreached = append(unreached, name)
			}
		})
	}
	wg.Wait()
	return unreached, nil
}

// tellTimeout bounds how long a client is waited for, and the tries to tell it.
const (
	tellTimeout = 3 * time.Second
	tellTries   = 2
)

// sessionEnded begins the event of the end of a session.
func (p *Provider) sessionEnded(s *session) audit.Event {
	now := p.now()
	return audit.Event{ID: audit.NewID(now), Time: now, Service: audit.ServiceOIDC, Operation: audit.OperationSessionEnd, Establishment: p.config.Tenant,
		Session: s.SID, Subject: audit.Identifier{Type: audit.SubjectType, Value: p.subject(&s.Account)}, Outcome: audit.Success, Sealed: audit.Sealed{Account: s.Account.ID}}
}

// tell sends a logout token.
func (p *Provider) tell(ctx context.Context, s *session, c *client.Client) error {
	now := time.Now()
	e := p.sessionEnded(s)
	e.Client = c.ID()
	claims := map[string]any{
		"iss": p.config.Issuer, "aud": c.ID(), "sub": p.subject(&s.Account), "sid": s.SID, "jti": e.ID.String(), "iat": now.Unix(),
		"exp":    now.Add(2 * time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": struct{}{}},
	}
	token, err := p.signed("logout+jwt", c.IDTokenAlgorithm(), claims)
	if err == nil {
		e.Tokens = []audit.Token{{Use: audit.Issued, Kind: "logout_token", ID: e.ID.String(), Expires: now.Add(2 * time.Minute)}}
		// The person waits: a client that does not answer is told once more, and then left.
		for range tellTries {
			if err = p.post(context.WithoutCancel(ctx), p.outside(c), c.BackchannelLogoutURI(), url.Values{"logout_token": {token}}); err == nil {
				break
			}
		}
	}
	if err != nil {
		e.Outcome, e.Cause = audit.Fault, err.Error()
	}
	if recorded := p.config.Recorder.Record(ctx, &e); recorded != nil {
		return errors.Join(err, recorded)
	}
	return err
}

func (p *Provider) post(ctx context.Context, by *http.Client, to string, form url.Values) error {
	ctx, stop := context.WithTimeout(ctx, tellTimeout)
	defer stop()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := by.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 4<<10))
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("it answered %d", answer.StatusCode)
	}
	return nil
}

// signed makes a JWT of a type, or of none.
func (p *Provider) signed(kind, algorithm string, claims map[string]any) (string, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return p.signedText(kind, algorithm, text)
}

// signedText makes a JWT of a type out of the text of its claims.
func (p *Provider) signedText(kind, algorithm string, text []byte) (string, error) {
	id, key, err := p.keys.signer(goidc.SignatureAlgorithm(algorithm))
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", id)
	if kind != "" {
		options = options.WithType(jose.ContentType(kind))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: opaque.Signer(key)}, options)
	if err != nil {
		return "", err
	}
	signature, err := signer.Sign(text)
	if err != nil {
		return "", err
	}
	return signature.CompactSerialize()
}

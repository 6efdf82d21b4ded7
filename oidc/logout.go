package oidc

import (
	"context"
	"crypto/subtle"
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
	if s == nil {
		if hint != nil && hint.SID != "" {
			// The cookie is not there (another browser, another site's frame): the client, which has the token, ends what it began.
			if s, err = p.sessionBySID(r.Context(), hint.SID); err != nil {
				return err
			}
		}
		if s == nil {
			c.event.Operation = "" // nothing ended
			p.loggedOut(w, r, form, back, nil)
			return nil
		}
	}
	c.event.Session = s.SID
	c.event.Subject = audit.Identifier{Type: audit.SubjectType, Value: p.subject(&s.Account)}
	c.event.Sealed.Account = s.Account.ID
	sure := hint != nil && hint.SID == s.SID
	if !sure {
		token := digest("logout\x00" + s.key) // clients know the claim sid, and nobody knows this but the browser
		switch decision := form.Get("decision"); {
		case r.Method == http.MethodPost && decision != "" && subtle.ConstantTimeCompare([]byte(form.Get("token")), []byte(token)) == 1 && p.sameOrigin(r):
			if decision != "logout" {
				c.event.Operation = ""
				p.writeWith(w, r, http.StatusOK, form, "", page.Stayed{})
				return nil
			}
		default:
			c.event.Operation = ""
			ask := page.Logout{Action: p.config.Issuer + "/logout", Person: personName(&s.Account)}
			ask.Hidden = append(ask.Hidden, page.Field{Name: "ui_locales", Value: languageOf(r, form)}) // as it was chosen on the page
			for _, name := range []string{"client_id", "post_logout_redirect_uri", "state", "id_token_hint"} {
				if v := form.Get(name); v != "" {
					ask.Hidden = append(ask.Hidden, page.Field{Name: name, Value: v})
				}
			}
			p.writeWith(w, r, http.StatusOK, form, token, ask)
			return nil
		}
	}
	unreached, err := p.over(r.Context(), s)
	if err != nil {
		return err
	}
	p.setSession(w, "")
	p.loggedOut(w, r, form, back, unreached)
	return nil
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
// told.
func (p *Provider) over(ctx context.Context, s *session) (unreached []called, err error) {
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

// tell sends a logout token.
func (p *Provider) tell(ctx context.Context, s *session, c *client.Client) error {
	now := time.Now()
	e := audit.Event{ID: audit.NewID(p.now()), Time: p.now(), Service: audit.ServiceOIDC, Operation: audit.OperationSessionEnd, Establishment: p.config.Tenant,
		Client: c.ID(), Session: s.SID, Subject: audit.Identifier{Type: audit.SubjectType, Value: p.subject(&s.Account)}, Outcome: audit.Success}
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

package upstream

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"sceau/oidc/authn"
	"sceau/oidc/page"
	"sceau/oidc/rp"
)

// Config is one provider as a means.
type Config struct {
	// Name tells it from other providers, in its address: lower-case letters, digits and hyphens. Required.
	Name string
	// Label is what persons call the provider: "Pro Santé Connect".
	Label string
	// Provider is who is asked. Its redirect URI is RedirectURI of the establishment and Name. Required.
	Provider *rp.Provider
	// Identify says how the person is named. Required: BySubject, ByClaim or ByProSante.
	Identify func(*rp.Login) (authn.Identifier, error)
	// Methods says what the provider's word is worth in method references; the first that fits counts. With none, the amr of the
	// provider is taken as it is; where none fits, or amr says nothing, the person is refused.
	Methods []Method
	// Least are the references that every login by it yields at least (authn.Means.References). Required, and held against each proof.
	Least []string
	// Attributes takes identification attributes from a login; nil takes none.
	Attributes func(*rp.Login) (map[string][]string, error)
	// Reauthenticate asks for an authentication made for this attempt (prompt=login); without it the provider's session will do.
	Reauthenticate bool
}

// A Method gives method references to logins. What it does not say fits everything; one that says nothing fits nothing.
type Method struct {
	ACR          []string // acr is one of them
	AMR          []string // all of them are in amr
	Claim, Value string   // the claim is this text
	References   []string // RFC 8176
}

func (m *Method) fits(l *rp.Login) bool {
	return len(m.ACR)+len(m.AMR)+len(m.Claim) > 0 && (len(m.ACR) == 0 || slices.Contains(m.ACR, l.ACR)) && !lacks(l.AMR, m.AMR) &&
		(m.Claim == "" || m.Value != "" && l.Claims.String(m.Claim) == m.Value)
}

// lacks says whether some of what is wanted is not there.
func lacks(have, want []string) bool {
	return slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(have, w) })
}

// ProSanteMethods gives references to logins at Pro Santé Connect, which sends acr and no amr: its authMode says whether the person
// used his card, and every other device that it admits is one of two factors.
func ProSanteMethods() []Method {
	return []Method{
		{ACR: eidas, Claim: "authMode", Value: "CARD", References: []string{"sc", "pin", "mfa", "hwk"}},
		{ACR: eidas, References: []string{"mfa"}},
	}
}

var eidas = []string{"eidas1", "eidas2", "eidas3"}

// BySubject names the person by sub, with the issuer.
func BySubject(l *rp.Login) (authn.Identifier, error) {
	return authn.Identifier{Type: "sub", Value: l.Subject, Authority: l.Issuer}, nil
}

// ByClaim names the person by a claim that is a text, as an identifier of a type.
func ByClaim(claim, kind string) func(*rp.Login) (authn.Identifier, error) {
	return func(l *rp.Login) (authn.Identifier, error) {
		id, err := authn.Name(kind, l.Claims.String(claim), l.Issuer)
		if err != nil {
			return id, fmt.Errorf("upstream: the claim %s: %w", claim, err)
		}
		return id, nil
	}
}

// ByProSante names the person by the RPPS number or the national identifier of Pro Santé Connect.
func ByProSante(l *rp.Login) (authn.Identifier, error) {
	s, err := rp.ParseProSante(l.Claims)
	if err != nil {
		return authn.Identifier{}, err
	}
	return s.Identifier(), nil
}

// ProSanteAttributes takes what Pro Santé Connect says of a professional.
func ProSanteAttributes(l *rp.Login) (map[string][]string, error) {
	s, err := rp.ParseProSante(l.Claims)
	if err != nil {
		return nil, err
	}
	return s.Attributes(), nil
}

// Claims takes claims that are a text or a list of texts, each as the attribute that is named for it. One that is not there is no
// attribute.
func Claims(attributes map[string]string) func(*rp.Login) (map[string][]string, error) {
	return func(l *rp.Login) (map[string][]string, error) {
		all := map[string][]string{}
		for claim, attribute := range attributes {
			if values := l.Claims.Strings(claim); len(values) > 0 {
				all[attribute] = append(all[attribute], values...)
			}
		}
		return all, nil
	}
}

// RedirectURI is the address to which a provider sends browsers back: registered there, and of that provider alone, so that what
// one provider answers cannot be taken for another's (RFC 9700 4.4).
func RedirectURI(issuer, name string) string {
	return strings.TrimSuffix(issuer, "/") + "/upstream/" + name + "/callback"
}

// AttemptOf gives the ID of the attempt to which a state belongs. It proves nothing: whoever asks holds the attempt against the
// browser, and the means holds the state against the attempt.
func AttemptOf(state string) (string, bool) {
	i := strings.LastIndexByte(state, '.')
	if i <= 0 || i == len(state)-1 || len(state) > 512 {
		return "", false
	}
	return state[:i], true
}

// AttemptOf is that of the package, for whoever serves the redirect URI and knows the means alone.
func (*Means) AttemptOf(state string) (string, bool) { return AttemptOf(state) }

// Means is a provider as a means. New makes it.
type Means struct{ c Config }

var _ authn.Means = (*Means)(nil)

var goodName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62})$`)

// New checks a configuration.
func New(c Config) (*Means, error) {
	switch {
	case !goodName.MatchString(c.Name):
		return nil, fmt.Errorf("upstream: %q is no name", c.Name)
	case c.Provider == nil, c.Identify == nil:
		return nil, errors.New("upstream: no provider, or nothing says how persons are named")
	case !strings.HasSuffix(c.Provider.RedirectURI(), "/upstream/"+c.Name+"/callback"):
		return nil, fmt.Errorf("upstream: the redirect URI of %s is not that of its name", c.Name)
	case len(c.Least) == 0:
		return nil, errors.New("upstream: nothing says what a login is worth at least")
	}
	for _, m := range c.Methods {
		if len(m.References) == 0 || len(m.ACR)+len(m.AMR) == 0 && m.Claim == "" || (m.Claim == "") != (m.Value == "") {
			return nil, errors.New("upstream: a method that fits everything, or is worth nothing")
		}
		if lacks(m.References, c.Least) {
			return nil, errors.New("upstream: a method is worth less than the least")
		}
	}
	c.Methods, c.Least = slices.Clone(c.Methods), slices.Clone(c.Least)
	return &Means{c}, nil
}

// References implements authn.Means.
func (m *Means) References() []string { return slices.Clone(m.c.Least) }

// state is what is kept of an attempt while the browser is away.
type state struct {
	Means string   `json:"means"`
	Flow  *rp.Flow `json:"flow"`
}

// Serve implements authn.Means: a GET with state is the provider's answer, any other begins.
func (m *Means) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	if r.Method != http.MethodGet {
		return nil, &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("upstream: only GET")}
	}
	query := r.URL.Query()
	if !query.Has("state") {
		if a.Refused != nil { // who was refused says himself that he tries again, or the browser would go round and round
			a.State = nil
			a.Pages.Write(w, r, http.StatusOK, page.Choose{Means: []page.Offer{{Kind: page.KindUpstream, Label: m.c.Label, URL: a.URL}},
				Refused: a.Refused.Reason, Return: a.ReturnURL})
			return nil, nil
		}
		return nil, m.begin(w, r, a)
	}
	var s state
	kept := a.State
	a.State = nil // an answer counts once, whatever it says
	if len(kept) == 0 || json.Unmarshal(kept, &s) != nil || s.Means != m.c.Name || s.Flow == nil {
		return nil, &authn.Refusal{Reason: authn.Expired, Cause: errors.New("upstream: an answer to nothing, or to what was answered")}
	}
	if id, ok := AttemptOf(query.Get("state")); !ok || id != a.ID {
		return nil, &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("upstream: an answer to another attempt")}
	}
	l, err := m.c.Provider.Finish(r.Context(), s.Flow, query)
	if err != nil {
		return nil, m.refusal(err)
	}
	p, err := m.proof(l)
	if err == nil && p.Time.Before(a.NotBefore) {
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("upstream: authenticated too long ago for this client")}
	}
	return p, err
}

// begin sends the browser to the provider.
func (m *Means) begin(w http.ResponseWriter, r *http.Request, a *authn.Attempt) error {
	request := rp.Request{State: a.ID + "." + rand.Text(), LoginHint: a.Hint}
	if a.Language != "" {
		request.Locales = []string{a.Language}
	}
	if m.c.Reauthenticate {
		request.Prompt = "login"
	}
	if !a.NotBefore.IsZero() { // a session of the provider that is older would not do: it asks for a new authentication itself
		request.MaxAge = max(a.Now.Sub(a.NotBefore).Truncate(time.Second), time.Second)
	}
	if _, ok := AttemptOf(request.State); !ok {
		return errors.New("upstream: the attempt has no ID that a state can bear")
	}
	f, err := m.c.Provider.Begin(r.Context(), request)
	if err != nil {
		return fmt.Errorf("upstream: %s: %w", m.c.Name, err)
	}
	if a.State, err = json.Marshal(state{m.c.Name, f}); err != nil {
		return fmt.Errorf("upstream: %w", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address names the attempt
	http.Redirect(w, r, f.URL, http.StatusSeeOther)
	return nil
}

// refusal tells what the person is told from what is an outage.
func (m *Means) refusal(err error) error {
	reasons := map[rp.Reason]authn.Reason{rp.Denied: authn.Cancelled, rp.Unmet: authn.NotProven, rp.Mismatch: authn.NotProven, rp.TooWeak: authn.Unsuitable}
	if reason, ok := reasons[rp.ReasonOf(err)]; ok {
		return &authn.Refusal{Reason: reason, Cause: err}
	}
	if e, ok := errors.AsType[*rp.Error](err); ok && e.Code == "invalid_grant" { // a code that was used, was another's, or is too old
		return &authn.Refusal{Reason: authn.NotProven, Cause: err}
	}
	return fmt.Errorf("upstream: %s: %w", m.c.Name, err)
}

// proof says what a login proves.
func (m *Means) proof(l *rp.Login) (*authn.Proof, error) {
	unsuitable := func(err error) error {
		return &authn.Refusal{Reason: authn.Unsuitable, Cause: fmt.Errorf("upstream: %s: %w", m.c.Name, err)}
	}
	if l.AuthTime.IsZero() {
		return nil, unsuitable(errors.New("the provider does not say when the person authenticated"))
	}
	references := l.AMR
	if len(m.c.Methods) > 0 {
		references = nil
		if i := slices.IndexFunc(m.c.Methods, func(method Method) bool { return method.fits(l) }); i >= 0 {
			references = m.c.Methods[i].References
		}
	}
	if len(references) == 0 || lacks(references, m.c.Least) {
		return nil, unsuitable(errors.New("how the person authenticated is not known, or worth too little"))
	}
	id, err := m.c.Identify(l)
	if err != nil {
		return nil, unsuitable(err)
	}
	if id.Type == "" || id.Value == "" {
		return nil, unsuitable(errors.New("nobody is named"))
	}
	p := &authn.Proof{Identifier: id, References: slices.Clone(references), Time: l.AuthTime, Credential: m.c.Name}
	if m.c.Attributes != nil {
		if p.Attributes, err = m.c.Attributes(l); err != nil {
			return nil, unsuitable(err)
		}
	}
	return p, nil
}

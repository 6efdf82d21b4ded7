package rp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// flowLife is how long a browser may be away.
const flowLife = time.Hour

// A Request is what one authorization request asks.
type Request struct {
	// State comes back with the response and leads to the browser's flow. Empty is a random one; one that is given must not be
	// guessable.
	State string
	// LoginHint says who will log in; untrusted.
	LoginHint string
	// Prompt is empty, "none", "login", "consent" or "select_account". With login, what was before the request does not do.
	Prompt string
	// MaxAge is how old the authentication may be, if that is less than Policy.MaxAge.
	MaxAge time.Duration
	// Locales are the languages of the person (ui_locales), the preferred first.
	Locales []string
}

// A Flow is one authorization under way. It is JSON, secret, and belongs to one browser: whoever keeps it binds it to that.
type Flow struct {
	// URL is where the browser is sent.
	URL string `json:"-"`

	Issuer   string    `json:"issuer"` // of the provider with which it began
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // PKCE
	MaxAge   int64     `json:"max_age,omitempty"`
	Login    bool      `json:"login,omitempty"` // prompt=login was sent
	Begun    time.Time `json:"begun"`
}

// A Login is who came back. Only this package makes one.
type Login struct {
	Issuer, Subject string
	SessionID       string // sid: which session of the provider, for its logout
	ACR             string
	AMR             []string
	AuthTime        time.Time // zero where the provider did not say
	Expires         time.Time // of the ID token
	// Claims are those of the ID token and of userinfo; what belongs to the login itself is the ID token's.
	Claims Claims
	// Tokens are as Config.Keep says.
	Tokens Tokens
}

// Tokens are the provider's tokens.
type Tokens struct {
	ID, Access, Refresh string
	Expires             time.Time // of the access token, where it was said
}

// Begin makes an authorization request: code flow with PKCE (S256), state and nonce.
func (p *Provider) Begin(ctx context.Context, r Request) (*Flow, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	maxAge := p.c.Policy.MaxAge
	if r.MaxAge > 0 && (maxAge == 0 || r.MaxAge < maxAge) {
		maxAge = r.MaxAge
	}
	f := &Flow{Issuer: p.c.Issuer, State: r.State, Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		MaxAge: int64(maxAge / time.Second), Login: slices.Contains(strings.Fields(r.Prompt), "login"), Begun: p.c.Now().UTC()}
	if maxAge > 0 && f.MaxAge == 0 {
		f.MaxAge = 1 // less than a second would ask for none
	}
	if f.State == "" {
		f.State = rand.Text()
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(f.Verifier), oauth2.SetAuthURLParam("nonce", f.Nonce)}
	add := func(name, value string) {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	add("acr_values", strings.Join(p.c.Policy.ACR, " "))
	add("login_hint", r.LoginHint)
	add("prompt", r.Prompt)
	add("ui_locales", strings.Join(r.Locales, " "))
	if f.MaxAge > 0 {
		add("max_age", strconv.FormatInt(f.MaxAge, 10))
	}
	for name, value := range p.c.Parameters {
		add(name, value)
	}
	f.URL = p.oauth(m).AuthCodeURL(f.State, options...)
	return f, nil
}

// Finish takes the response of the provider, the query with which the browser came to the redirect URI, and says who it is. A
// flow is finished once: whoever keeps it forgets it first.
func (p *Provider) Finish(ctx context.Context, f *Flow, response url.Values) (*Login, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	code, err := p.code(m, f, response)
	if err != nil {
		return nil, err
	}
	got, err := p.exchange(ctx, m, code, f.Verifier)
	if err != nil {
		return nil, err
	}
	return p.login(ctx, m, got, expected{nonce: f.Nonce, maxAge: time.Duration(f.MaxAge) * time.Second, since: f.since()})
}

// since is before when the authentication must not have been.
func (f *Flow) since() time.Time {
	if f.Login {
		return f.Begun
	}
	return time.Time{}
}

// code reads the response of the authorization endpoint. Whose response it is comes before what it says, also of an error.
func (p *Provider) code(m *Metadata, f *Flow, response url.Values) (string, error) {
	for _, name := range []string{"state", "iss", "code", "error"} {
		if len(response[name]) > 1 {
			return "", refuse(Mismatch, "%s stands twice in the response", name)
		}
	}
	now := p.c.Now()
	switch iss := response.Get("iss"); {
	case f == nil || f.State == "" || f.Nonce == "" || f.Verifier == "":
		return "", refuse(Mismatch, "no flow")
	case f.Issuer != p.c.Issuer:
		return "", refuse(Mismatch, "the flow began with another provider")
	case subtle.ConstantTimeCompare([]byte(response.Get("state")), []byte(f.State)) != 1:
		return "", refuse(Mismatch, "state")
	case response.Has("iss") && iss != p.c.Issuer:
		return "", refuse(Mismatch, "iss of the response is another provider's (mix-up)")
	case !response.Has("iss") && (m.ResponseIssuer || p.c.RequireResponseIssuer):
		return "", refuse(Mismatch, "no iss in the response")
	case now.Sub(f.Begun) > flowLife || f.Begun.Sub(now) > p.c.Skew:
		return "", refuse(Mismatch, "the flow is too old")
	}
	code := response.Get("code")
	switch {
	case response.Get("error") != "":
		return "", byCode(response.Get("error"))
	case code == "":
		return "", refuse(Mismatch, "neither code nor error in the response")
	}
	return code, nil
}

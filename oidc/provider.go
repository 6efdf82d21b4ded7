package oidc

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/bridge"
	"sceau/oidc/client"
	"sceau/oidc/means/passkey"
	"sceau/oidc/page"
)

// A Config is one establishment. New checks it.
type Config struct {
	// Issuer is the issuer identifier: an https URL with neither query nor fragment, and no slash at its end. Its path is where
	// the Server serves it. Required.
	Issuer string
	// SecureIssuer is the same address at the listener that asks for a certificate: the same host, another port. Without it
	// there is no authentication by certificate, neither of persons nor of clients.
	SecureIssuer string
	// Tenant is the claim tid: constant, and unique among all establishments of a relying party (EXI FI 22). Required.
	Tenant string
	// Names are what the establishment is called, by language ("fr", "nl", "de", "en"). French is required.
	Names map[string]string
	// Support is whom a person asks for help.
	Support page.Support

	// Keys sign tokens. The algorithm of the first is the default. Required.
	Keys []Key
	// Clients are the relying parties. Required.
	Clients *client.Registry
	// Means are those of the establishment, in the order in which they are offered. Required.
	Means []Means
	// Accounts are its persons. Required.
	Accounts authn.Accounts
	// MailDomains are those of the establishment. Where there are any, an address of another is given to nobody (EXI FI 26).
	MailDomains []string
	// Store keeps what outlives a request. Required.
	Store Store
	// Strangers bounds what those keep in Store who have not authenticated: one for all that share it. Nil: that of NewStrangers, for
	// this establishment alone.
	Strangers *Strangers
	// Recorder keeps the trace of every event. Required: what cannot be recorded does not happen.
	Recorder Recorder
	// Exchange says which tokens are exchanged (RFC 8693); nil: none. Of whose the tokens are New says itself: Issuer,
	// Recorder, Tokens, Minter and Subjects do not count.
	Exchange *bridge.Config
	// Federation lets relying parties in for which a federation vouches, and says what the establishment is in it; nil: there is none.
	Federation *Federation
	// Log is for the operator; nil: slog's default.
	Log *slog.Logger
	// Now is the clock of sessions and rules; nil: time.Now. The lifetimes of tokens are those of the system's clock.
	Now func() time.Time
	// BackChannel tells clients of a logout; nil: a client that reaches public addresses only.
	BackChannel *http.Client

	Lifetimes
}

// Lifetimes of what an establishment gives out. Zero is the default, in parentheses.
type Lifetimes struct {
	AccessToken     time.Duration // (5 min)
	IDToken         time.Duration // (5 min)
	RefreshToken    time.Duration // (30 min): unused for longer, it is over
	Code            time.Duration // (60 s)
	Attempt         time.Duration // (15 min): from the request to its end
	PushedRequest   time.Duration // (60 s)
	SessionLifetime time.Duration // (8 h)
	SessionIdle     time.Duration // (1 h)
}

func (l *Lifetimes) defaults() error {
	for _, d := range []struct {
		name        string
		value       *time.Duration
		zero, limit time.Duration
	}{
		{"access token", &l.AccessToken, 5 * time.Minute, 4 * time.Hour},
		{"ID token", &l.IDToken, 5 * time.Minute, time.Hour},
		{"refresh token", &l.RefreshToken, 30 * time.Minute, 30 * 24 * time.Hour},
		{"code", &l.Code, time.Minute, 10 * time.Minute},
		{"attempt", &l.Attempt, 15 * time.Minute, time.Hour},
		{"pushed request", &l.PushedRequest, time.Minute, 10 * time.Minute},
		{"session", &l.SessionLifetime, 8 * time.Hour, 24 * time.Hour},
		{"idle session", &l.SessionIdle, time.Hour, 24 * time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.zero
		}
		if *d.value < time.Second || *d.value > d.limit || *d.value%time.Second != 0 {
			return fmt.Errorf("oidc: lifetime of the %s: %v is not between 1 s and %v in whole seconds", d.name, *d.value, d.limit)
		}
	}
	return nil
}

// maxAge is how old an authentication may be at all, of any client (client.SessionRegistration).
const maxAge = 24 * time.Hour

// A Means is one that an establishment offers.
type Means struct {
	// Name is by what addresses, policies and the trail call it: letters, digits and hyphens. Required.
	Name string
	// Kind is what it looks like to a person. Required.
	Kind page.Kind
	// Labels are its own name, by language; without one it has that of the kind.
	Labels map[string]string
	// Cards are proper nouns in which people recognize it ("eID", "CPS").
	Cards []string
	authn.Means
}

// A Recorder keeps events; *audit.Journal is one. An event is kept when Record has returned.
type Recorder interface {
	Record(ctx context.Context, e *audit.Event) error
}

// A Provider is the identity provider of one establishment. It is immutable and safe for concurrent use.
type Provider struct {
	config Config
	path   string // of the issuer
	keys   *keySet
	state  *state
	pages  *page.Set
	// inside is what a request shows the library in the place of the client's credential, once that was verified here.
	inside string
	bridge *bridge.Exchanger // nil: no token is exchanged
	// parties are the relying parties of a federation, published what the establishment is in it; nil: there is none.
	parties   *parties
	published http.Handler
	// passkeys is the means that are enrolled at the address of the issuer and /enrol: the first of its kind; nil: there is none.
	passkeys *passkey.Means
	log      *slog.Logger
	now      func() time.Time

	library  atomic.Pointer[library]
	building sync.Mutex
}

// A library is go-oidc with the clients of one moment: it takes them once, and a registry may be loaded anew.
type library struct {
	http.Handler
	clients   []*client.Client
	knows     map[*client.Client]bool // the same
	discovery []byte
}

// New makes the provider of an establishment.
func New(c Config) (*Provider, error) {
	p := &Provider{config: c, inside: random(), log: c.Log, now: c.Now}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.config.BackChannel == nil {
		p.config.BackChannel = client.NewHTTPClient(client.Guard{})
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := p.config.Lifetimes.defaults(); err != nil {
		return nil, err
	}
	var err error
	strangers := c.Strangers
	if strangers == nil {
		if strangers, err = NewStrangers(c.Store, StrangersConfig{Log: p.log}); err != nil {
			return nil, err
		}
	}
	if p.keys, err = newKeySet(c.Keys, p.now); err != nil {
		return nil, err
	}
	if p.pages, err = page.New(); err != nil {
		return nil, err
	}
	l := &p.config.Lifetimes
	p.state = &state{
		store: watched{c.Store}, prefix: c.Tenant, now: p.now, tokens: l.AccessToken, strangers: strangers,
		longest: max(maxAge, l.RefreshToken) + l.AccessToken + l.Code + time.Hour,
	}
	if err := p.join(); err != nil {
		return nil, err
	}
	made, err := p.build()
	if err != nil {
		return nil, err
	}
	p.library.Store(made)
	if err := p.publish(); err != nil {
		return nil, err
	}
	if c.Exchange != nil {
		if p.bridge, err = p.exchanger(*c.Exchange); err != nil {
			return nil, fmt.Errorf("oidc: %s: %w", c.Issuer, err)
		}
	}
	return p, nil
}

// build makes a library of the clients that are registered now.
func (p *Provider) build() (*library, error) {
	l := &library{clients: p.config.Clients.Clients(), knows: map[*client.Client]bool{}}
	for _, c := range l.clients {
		l.knows[c] = true
	}
	registered, err := p.clients(l.clients)
	if err != nil {
		return nil, err
	}
	op, err := provider.New(p.config.Issuer, p.state, p.keys.jwks, p.options(registered)...)
	if err != nil {
		return nil, fmt.Errorf("oidc: %s: %w", p.config.Issuer, err)
	}
	l.Handler = op.Handler()
	return l, p.describe(l)
}

// knows has the library know a client as it is registered now: what it knew before may admit what is not admitted any more. While
// the registry has a client with which the establishment cannot work, none that was changed is served; the others are.
func (p *Provider) knows(q *call, c *client.Client) error {
	if q.party != nil { // for whom it asks
		return nil
	}
	if p.library.Load().knows[c] {
		return nil
	}
	p.building.Lock()
	defer p.building.Unlock()
	if p.library.Load().knows[c] {
		return nil
	}
	made, err := p.build()
	if err != nil {
		return err
	}
	if !made.knows[c] {
		return fmt.Errorf("oidc: %s: client %q is registered anew at this moment", p.config.Issuer, c.ID())
	}
	p.library.Store(made)
	return nil
}

func (p *Provider) check() error {
	c := &p.config
	u, err := issuer(c.Issuer)
	if err != nil {
		return fmt.Errorf("oidc: issuer %q: %w", c.Issuer, err)
	}
	p.path = u.Path
	if c.SecureIssuer != "" {
		s, err := issuer(c.SecureIssuer)
		if err != nil {
			return fmt.Errorf("oidc: secure issuer %q: %w", c.SecureIssuer, err)
		}
		// The cookies of an attempt go to every port of a host, and to no other host.
		if s.Hostname() != u.Hostname() || s.Path != u.Path || s.Host == u.Host {
			return fmt.Errorf("oidc: secure issuer %q is not the issuer's host and path at another port", c.SecureIssuer)
		}
	}
	switch {
	case c.Tenant == "" || len(c.Tenant) > 128 || strings.ContainsFunc(c.Tenant, notInName):
		return fmt.Errorf("oidc: %s: the tenant is no name of letters, digits, hyphens, dots and underscores", c.Issuer)
	case c.Names["fr"] == "":
		return fmt.Errorf("oidc: %s: no name in French", c.Issuer)
	case c.Clients == nil:
		return fmt.Errorf("oidc: %s: no clients", c.Issuer)
	case len(c.Means) == 0:
		return fmt.Errorf("oidc: %s: no means of authentication", c.Issuer)
	case c.Accounts == nil:
		return fmt.Errorf("oidc: %s: no accounts", c.Issuer)
	case c.Store == nil:
		return fmt.Errorf("oidc: %s: no store", c.Issuer)
	case c.Recorder == nil:
		return fmt.Errorf("oidc: %s: nothing keeps the trail", c.Issuer)
	}
	names := map[string]bool{}
	for _, m := range c.Means {
		if m.Name == "" || len(m.Name) > 64 || strings.ContainsFunc(m.Name, notInName) {
			return fmt.Errorf("oidc: %s: a means with the name %q", c.Issuer, m.Name)
		}
		if names[m.Name] {
			return fmt.Errorf("oidc: %s: two means with the name %q", c.Issuer, m.Name)
		}
		if m.Means == nil || len(m.References()) == 0 {
			return fmt.Errorf("oidc: %s: means %q: it proves nothing", c.Issuer, m.Name)
		}
		if m, ok := m.Means.(*passkey.Means); ok && p.passkeys == nil {
			p.passkeys = m
		}
		names[m.Name] = true
	}
	return nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

func issuer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https":
		return nil, errors.New("not https")
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("not a host and a path alone")
	case u.Port() == "443" || u.Host != strings.ToLower(u.Host) || path.Clean(u.Path) != u.Path && u.Path != "":
		return nil, errors.New("not as browsers write it") // in the header Origin
	case strings.HasSuffix(u.Path, "/") || u.RawPath != "" || strings.Contains(u.Path, "//") || u.String() != text:
		return nil, errors.New("not in its normal form")
	}
	return u, nil
}

// Issuer is the issuer identifier.
func (p *Provider) Issuer() string { return p.config.Issuer }

// Tenant is the claim tid.
func (p *Provider) Tenant() string { return p.config.Tenant }

// Clients are the relying parties.
func (p *Provider) Clients() []*client.Client { return p.config.Clients.Clients() }

// scopes are those that a client may ask for. What an application may see beyond openid depends on its registration.
var scopes = []string{"openid", "profile", "email", "identity", "offline_access"}

// numbers are the identifiers of a person that the scope identity gives as claims of the same names.
var numbers = []string{"rpps", "ssin", "nihii"}

// claims that tokens have, beside those of JWT.
var claims = []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "tid", "oid", "given_name",
	"family_name", "name", "preferred_username", "email", "email_verified", "rpps", "ssin", "nihii"}

// options say to the library what it does. What it is not told to do it does not.
func (p *Provider) options(registered []*goidc.Client) []provider.Option {
	l := &p.config.Lifetimes
	algorithms := make([]goidc.SignatureAlgorithm, 0, 3)
	for _, a := range p.keys.algorithms() {
		algorithms = append(algorithms, goidc.SignatureAlgorithm(a))
	}
	known := make([]goidc.Scope, 0, len(scopes))
	for _, s := range p.scopes() {
		known = append(known, goidc.NewScope(s))
	}
	options := []provider.Option{
		provider.WithSigner(p.sign),
		provider.WithIDTokenSignatureAlgs(algorithms[0], algorithms[1:]...),
		provider.WithUserInfoSignatureAlgs(algorithms[0], algorithms[1:]...),
		provider.WithIDTokenLifetime(seconds(l.IDToken)),
		provider.WithScopes(known...),
		provider.WithAuthCodeGrant(p.state, goidc.ResponseTypeCode),
		provider.WithAuthCodeFunc(func(context.Context) string { return random() }),
		provider.WithAuthCodeLifetime(seconds(l.Code)),
		provider.WithAuthnSessionIDFunc(func(context.Context) string { return random() }),
		provider.WithAuthSessionLifetime(seconds(l.Attempt)),
		provider.WithRefreshTokenGrant(p.state),
		provider.WithRefreshTokenFunc(func(context.Context) string { return random() }),
		provider.WithRefreshTokenLifetime(seconds(l.RefreshToken)),
		provider.WithRefreshTokenRotation(),
		provider.WithRefreshTokenShouldIssue(p.refreshes),
		provider.WithPAR(p.state),
		provider.WithPARLifetime(seconds(l.PushedRequest)),
		provider.WithPARSessionHandler(p.pushed),
		provider.WithPKCE(goidc.CodeChallengeMethodSHA256),
		provider.WithIssuerResponseParameter(),
		provider.WithClaimsParameter(),
		provider.WithSecretPostAuthn(),
		provider.WithNoneAuthn(),
		provider.WithClientSecretVerifier(p.insideOnly),
		provider.WithJTIConsumer(p.consume),
		provider.WithTokenIntrospection(p.mayIntrospect),
		provider.WithTokenRevocation(func(context.Context, *goidc.Client) bool { return true }),
		provider.WithTokenRevocationRevokeGrantOnAccessToken(),
		provider.WithTokenOptions(p.tokenOptions),
		provider.WithIDTokenClaims(p.idTokenClaims),
		provider.WithUserInfoClaims(p.userInfoClaims),
		provider.WithTokenClaims(p.tokenClaims),
		provider.WithGrantHandler(p.granted),
		provider.WithTokenHandler(p.issued),
		provider.WithErrorHandler(p.failed),
		provider.WithErrorRenderer(p.unredirected),
		provider.WithPolicies(goidc.NewPolicy("person", p.begin, p.serve)),
		provider.WithStaticClients(registered[0], registered[1:]...),
	}
	if p.config.SecureIssuer != "" {
		options = append(options, provider.WithMTLS(p.config.SecureIssuer, p.certificate), provider.WithTLSTokenBinding())
	}
	if p.parties != nil {
		options = append(options, provider.WithDCR(p.parties))
	}
	if acrs := p.acrs(); len(acrs) > 0 {
		options = append(options, provider.WithACRs(acrs[0], acrs[1:]...))
	}
	return options
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// insideOnly is the verifier of client secrets that the library is given. No client knows what it takes: the credential of the
// client itself was verified before the library saw the request.
func (p *Provider) insideOnly(_ context.Context, _, presented string) error {
	if subtle.ConstantTimeCompare([]byte(presented), []byte(p.inside)) != 1 {
		return errors.New("oidc: a request that did not come through the front")
	}
	return nil
}

// certificate is that to which the library binds a token, or against which it holds one: of a client that wants its tokens bound,
// and of whoever shows a token.
func (p *Provider) certificate(ctx context.Context) (*x509.Certificate, error) {
	c := callOf(ctx)
	if c == nil || c.certificate == nil || c.client != nil && !c.client.CertificateBoundAccessTokens() {
		return nil, errors.New("oidc: no certificate to bind a token to")
	}
	return c.certificate, nil
}

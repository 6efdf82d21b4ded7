package broker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Config is what the broker is told of an identity provider.
type Config struct {
	Discovery string // the address of its metadata
	ClientID  string
	Secret    string
	// Certificate is shown on every call that is not the browser's: Keycloak has one for all that it calls.
	Certificate *tls.Certificate
	Roots       *x509.CertPool
	Dial        func(ctx context.Context, network, address string) (net.Conn, error) // nil: as it is

	Endpoint string   // of the broker, for this provider: where the browser comes back
	Issuers  []string // iss is one of these
	Tenants  []string // tid is one of these
	// Hint is the kc_idp_hint by which applications choose the provider; Methods are the sets of amr that were agreed for it.
	Hint    string
	Methods [][]string
	PKCE    bool // a switch of each provider in Keycloak
	Skew    time.Duration
	Now     func() time.Time
}

// mostAge is how old an explicit authentication may be (EXI FI 25).
const mostAge = 4 * time.Hour

// A Rule is one of those that a provider has to keep.
type Rule string

// The rules, in the order in which they are looked at.
const (
	State         Rule = "state"
	Cancelled     Rule = "access_denied: the person gave up"
	Failed        Rule = "an error of the provider"
	Exchange      Rule = "the code is exchanged for tokens"
	NoAccessToken Rule = "an access token"
	NoIDToken     Rule = "an ID token"
	Signature     Rule = "signature of the ID token, RS256"
	Issuer        Rule = "iss"
	Audience      Rule = "aud"
	Party         Rule = "azp"
	Expired       Rule = "exp"
	Nonce         Rule = "nonce"
	Subject       Rule = "sub and oid"
	Tenant        Rule = "tid is on the list"
	AuthTime      Rule = "auth_time is there and less than four hours ago"
	Methods       Rule = "amr is a set that was agreed"
	AccessToken   Rule = "tid and oid of the access token"
	UserInfo      Rule = "userinfo"
	SameSubject   Rule = "sub of userinfo"
	Names         Rule = "given_name, family_name and email from userinfo"
	LogoutState   Rule = "state of the logout"
)

// A Refusal says which rule was broken.
type Refusal struct {
	Rule Rule
	Err  error
}

func (r *Refusal) Error() string { return fmt.Sprintf("broker: %s: %v", r.Rule, r.Err) }
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(rule Rule, format string, values ...any) error {
	return &Refusal{rule, fmt.Errorf(format, values...)}
}

// A Broker is the broker of one provider.
type Broker struct {
	config   Config
	client   *http.Client
	metadata metadata
	keys     jose.JSONWebKeySet
	// Fetched is how often the keys were fetched.
	Fetched int
}

type metadata struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
	Keys          string `json:"jwks_uri"`
	Logout        string `json:"end_session_endpoint"`
	Aliases       struct {
		Token    string `json:"token_endpoint"`
		UserInfo string `json:"userinfo_endpoint"`
	} `json:"mtls_endpoint_aliases"`
}

// New downloads the metadata. With a certificate the aliases for mutual TLS are preferred.
func New(ctx context.Context, c Config) (*Broker, error) {
	settings := &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
	if c.Certificate != nil {
		settings.Certificates = []tls.Certificate{*c.Certificate}
	}
	b := &Broker{config: c, client: &http.Client{
		Transport: &http.Transport{TLSClientConfig: settings, DialContext: c.Dial}, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if err := b.get(ctx, c.Discovery, &b.metadata); err != nil {
		return nil, err
	}
	m := &b.metadata
	if m.Authorization == "" || m.Token == "" || m.UserInfo == "" || m.Keys == "" {
		return nil, errors.New("broker: the metadata lacks an endpoint")
	}
	if c.Certificate != nil {
		for own, alias := range map[*string]string{&m.Token: m.Aliases.Token, &m.UserInfo: m.Aliases.UserInfo} {
			if alias != "" {
				*own = alias
			}
		}
	}
	return b, nil
}

// Close lets its connections go.
func (b *Broker) Close() { b.client.CloseIdleConnections() }

func (b *Broker) get(ctx context.Context, address string, value any) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	status, _, body, err := b.do(q)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("broker: %s: %d", address, status)
	}
	return json.Unmarshal(body, value)
}

func (b *Broker) do(q *http.Request) (status int, kind string, body []byte, err error) {
	a, err := b.client.Do(q)
	if err != nil {
		return 0, "", nil, err
	}
	defer a.Body.Close()
	kind, _, _ = mime.ParseMediaType(a.Header.Get("Content-Type")) // none is none that is known
	body, err = io.ReadAll(io.LimitReader(a.Body, 1<<20))
	return a.StatusCode, kind, body, err
}

// Wishes are what an application asked Pro Santé Connect for, and what is passed on.
type Wishes struct {
	ACRValues, Prompt, LoginHint, Locales string
	MaxAge                                *int // seconds
}

// A Flow is one browser on its way.
type Flow struct {
	URL                    string
	State, Nonce, verifier string
}

// Begin sends a browser to the provider.
func (b *Broker) Begin(w Wishes) *Flow {
	f := &Flow{State: rand.Text(), Nonce: rand.Text()}
	q := url.Values{"response_type": {"code"}, "client_id": {b.config.ClientID}, "redirect_uri": {b.config.Endpoint}, "scope": {"openid profile email"},
		"state": {f.State}, "nonce": {f.Nonce}}
	for name, value := range map[string]string{"acr_values": w.ACRValues, "prompt": w.Prompt, "login_hint": w.LoginHint, "ui_locales": w.Locales} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if w.MaxAge != nil {
		q.Set("max_age", strconv.Itoa(*w.MaxAge))
	}
	if b.config.PKCE {
		f.verifier = rand.Text() + rand.Text()
		sum := sha256.Sum256([]byte(f.verifier))
		q.Set("code_challenge_method", "S256")
		q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	f.URL = b.metadata.Authorization + "?" + q.Encode()
	return f
}

// An Identity is whom the provider identified.
type Identity struct {
	Issuer, Subject, Tenant, Username  string
	GivenName, FamilyName, Email, Name string
	Methods                            []string
	AuthTime                           time.Time
	IDToken, AccessToken               string
	Claims, UserInfo, AccessClaims     map[string]any
	logout                             string // the state of its logout
}

// Callback is what the broker does when the browser comes back.
func (b *Broker) Callback(ctx context.Context, f *Flow, query url.Values) (*Identity, error) {
	if query.Get("state") != f.State {
		return nil, refuse(State, "another")
	}
	switch e := query.Get("error"); e {
	case "":
	case "access_denied":
		return nil, refuse(Cancelled, "%s", query.Get("error_description"))
	default:
		return nil, refuse(Failed, "%s: %s", e, query.Get("error_description"))
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {query.Get("code")}, "redirect_uri": {b.config.Endpoint},
		"client_id": {b.config.ClientID}}
	if b.config.Secret != "" {
		form.Set("client_secret", b.config.Secret)
	}
	if f.verifier != "" {
		form.Set("code_verifier", f.verifier)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, b.metadata.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, _, body, err := b.do(q)
	if err != nil {
		return nil, &Refusal{Exchange, err}
	}
	var answer struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
		Error  string `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		return nil, refuse(Exchange, "%d %s", status, answer.Error)
	}
	switch {
	case answer.Access == "":
		return nil, refuse(NoAccessToken, "none")
	case answer.ID == "":
		return nil, refuse(NoIDToken, "none")
	}
	i := &Identity{IDToken: answer.ID, AccessToken: answer.Access}
	if err := b.idToken(ctx, f, i); err != nil {
		return nil, err
	}
	if err := b.userInfo(ctx, i); err != nil {
		return nil, err
	}
	return i, nil
}

// userInfo asks who it is: names are taken from there.
func (b *Broker) userInfo(ctx context.Context, i *Identity) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, b.metadata.UserInfo, nil)
	if err != nil {
		return err
	}
	q.Header.Set("Authorization", "Bearer "+i.AccessToken)
	status, kind, body, err := b.do(q)
	if err != nil {
		return &Refusal{UserInfo, err}
	}
	if status != http.StatusOK {
		return refuse(UserInfo, "%d", status)
	}
	switch kind {
	case "application/json":
	case "application/jwt":
		if body, err = b.verified(ctx, string(body)); err != nil {
			return &Refusal{UserInfo, err}
		}
	default:
		return refuse(UserInfo, "of the type %q", kind)
	}
	if err := json.Unmarshal(body, &i.UserInfo); err != nil {
		return &Refusal{UserInfo, err}
	}
	if text(i.UserInfo, "sub") != i.Subject {
		return refuse(SameSubject, "another than that of the ID token")
	}
	i.GivenName, i.FamilyName, i.Email, i.Name = text(i.UserInfo, "given_name"), text(i.UserInfo, "family_name"), text(i.UserInfo, "email"), text(i.UserInfo, "name")
	if i.GivenName == "" || i.FamilyName == "" || i.Email == "" {
		return refuse(Names, "one is missing") // EXI FI 23 and 26
	}
	for _, name := range []string{"preferred_username", "email", "sub"} {
		if i.Username == "" {
			i.Username = text(i.UserInfo, name)
		}
	}
	return nil
}

// Logout is where the browser goes to log out. Its state has to come back: the broker finds its own session by it.
func (b *Broker) Logout(i *Identity) string {
	i.logout = rand.Text()
	return b.metadata.Logout + "?" + url.Values{"state": {i.logout}, "id_token_hint": {i.IDToken}, "post_logout_redirect_uri": {b.LogoutEndpoint()}}.Encode()
}

// LogoutEndpoint is where the browser comes back after a logout.
func (b *Broker) LogoutEndpoint() string { return b.config.Endpoint + "/logout_response" }

// LogoutResponse is what the broker does when the browser comes back from a logout.
func (b *Broker) LogoutResponse(i *Identity, query url.Values) error {
	if s := query.Get("state"); s == "" || s != i.logout {
		return refuse(LogoutState, "%q", s)
	}
	return nil
}

func text(claims map[string]any, name string) string {
	s, _ := claims[name].(string) // of another kind is none
	return s
}

// agreed says whether amr is one of the sets, in whatever order.
func (b *Broker) agreed(amr []string) bool {
	given := slices.Sorted(slices.Values(amr))
	return len(given) > 0 && slices.ContainsFunc(b.config.Methods, func(set []string) bool { return slices.Equal(slices.Sorted(slices.Values(set)), given) })
}

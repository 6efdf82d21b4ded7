package rp

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"sceau/certs"
	"sceau/internal/opaque"
)

// Methods by which the client says to the provider who it is. A certificate may go with each, as what the provider demands of the
// connection (EXI PSC 24), and is the method itself in two.
const (
	TLSClientAuth           = "tls_client_auth"             // RFC 8705 2.1
	SelfSignedTLSClientAuth = "self_signed_tls_client_auth" // RFC 8705 2.2
	ClientSecretBasic       = "client_secret_basic"
	ClientSecretPost        = "client_secret_post"
	PrivateKeyJWT           = "private_key_jwt" // RFC 7523
)

// Config is one provider and what we are to it. What is not said refuses: there is no default for trust.
type Config struct {
	// Issuer is the issuer identifier, as the provider's tokens say it. Required.
	Issuer string
	// Metadata are the addresses of the provider; nil are those that stand in the document at Discovery.
	Metadata *Metadata
	// Discovery is the address of the discovery document, wherever it lies. Empty is the standard one below Issuer. Without meaning
	// when there are Metadata.
	Discovery string
	// Hosts are what else than the host of the issuer may be contacted, or a browser be sent to, with their port if it is not 443.
	Hosts []string

	// ClientID is our name there. Method, one of the constants, is how we prove it; Secret and SigningKey are what it needs.
	ClientID   string
	Method     string
	Secret     string
	SigningKey crypto.Signer // of private_key_jwt: RSA (PS256, or RS256 by SigningAlgorithm) or P-256 (ES256)
	// SigningKeyID is its kid. SigningAlgorithm is empty, or RS256.
	SigningKeyID, SigningAlgorithm string
	// AssertionAudience is the aud of private_key_jwt; empty is the issuer. Some providers want their token endpoint.
	AssertionAudience string

	// RedirectURI is where the provider sends browsers back to: registered there, and of this provider alone (RFC 9700 4.4). Required.
	RedirectURI string
	// LogoutRedirectURI is where it sends them after a logout.
	LogoutRedirectURI string
	// Scopes go beside openid.
	Scopes []string
	// Parameters go with each authorization request (kc_idp_hint, …). None may be one of ours.
	Parameters map[string]string

	// Policy is what the authentication must have been.
	Policy Policy
	// Algorithms sign tokens, among RS256, PS256 and ES256; empty is all three.
	Algorithms []string
	// DecryptionKey opens tokens that the provider encrypts for us: RSA (RSA-OAEP) or P-256 (ECDH-ES). With none, those are refused. What
	// is within must be signed all the same.
	DecryptionKey crypto.PrivateKey
	// RequireResponseIssuer demands iss in each response, also of a provider that does not announce it (RFC 9207).
	RequireResponseIssuer bool
	// UserInfo says that each login asks the userinfo endpoint. A login without its answer fails.
	UserInfo bool
	// UntypedLogout admits logout tokens whose typ is JWT or absent; older providers send such.
	UntypedLogout bool
	// LogoutState tells that the provider may drop state after a logout; one that it sends must still be ours.
	LogoutStateMayBeDropped bool
	// HintClaim, if said, must be equal to the login_hint of a login by CIBA: whoever confirms is whom we asked for.
	HintClaim string
	// Keep says what of the provider's tokens a Login holds. The zero value holds none: they are dropped when the login is known.
	Keep Keep

	// Skew is by how much the provider's clock may differ; at most five minutes, and half a minute when zero.
	Skew time.Duration
	// Roots are the authorities of the provider's servers. Required: those of the system are not consulted.
	Roots *x509.CertPool
	// Certificate gives the client certificate of the back channel, at each handshake; nil is none.
	Certificate func() (*tls.Certificate, error)
	// Proxy and Dial are those of http.Transport; nil goes straight. The environment is not consulted.
	Proxy func(*http.Request) (*url.URL, error)
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Once remembers logout tokens; nil remembers them in this process.
	Once Once
}

// Keep says what of the provider's tokens outlives a login.
type Keep uint8

// What is kept.
const (
	KeepNothing Keep = iota
	KeepIDToken      // the ID token, the id_token_hint of a logout
	KeepTokens       // the ID token, the access token and the refresh token
)

// Policy is what an authentication must have been. The zero Policy asks for nothing beyond the identity.
type Policy struct {
	// ACR are the admitted values of acr, the preferred first: they are asked for (acr_values), and one of them must come. Empty
	// asks for none.
	ACR []string
	// AcceptACR are admitted too, but not asked for: the stronger ones.
	AcceptACR []string
	// AMR are sets of method references: one set must be contained in amr. Empty asks for none.
	AMR [][]string
	// MaxAge is how old the authentication may be: it is asked for (max_age) and auth_time must satisfy it. Zero asks for none.
	MaxAge time.Duration
	// RequireAuthTime wants auth_time although no age was asked for.
	RequireAuthTime bool
}

// A Provider is one OpenID provider. New makes it. It is safe for concurrent use.
type Provider struct {
	c          Config
	hosts      []string
	signer     jose.Signer // of private_key_jwt
	http       *http.Client
	discovered *kept[Metadata]
	keys       *kept[keySet]
	verifier   *oidc.IDTokenVerifier
}

const (
	defaultSkew   = 30 * time.Second
	maxSkew       = 5 * time.Minute
	keysFresh     = time.Hour
	metadataFresh = 24 * time.Hour
	pause         = 10 * time.Second
)

var algorithms = []string{oidc.RS256, oidc.PS256, oidc.ES256}

// ours are the parameters of an authorization request that no configuration sets.
var ours = []string{"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
	"max_age", "acr_values", "prompt", "login_hint", "id_token_hint", "ui_locales", "request", "request_uri"}

// New checks a configuration. It contacts nobody: the provider may be down when we start.
func New(c Config) (*Provider, error) {
	c.Algorithms = slices.Clone(c.Algorithms)
	if len(c.Algorithms) == 0 {
		c.Algorithms = slices.Clone(algorithms)
	}
	if c.Skew == 0 {
		c.Skew = defaultSkew
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Once == nil {
		c.Once = NewMemoryOnce(1 << 16)
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Scheme != "https" || issuer.Host == "" || issuer.User != nil || issuer.RawQuery != "" || issuer.Fragment != "" {
		return nil, refuse(Misconfigured, "issuer: no https address without query and fragment")
	}
	if c.Discovery == "" {
		c.Discovery = strings.TrimSuffix(c.Issuer, "/") + "/.well-known/openid-configuration"
	}
	p := &Provider{hosts: append([]string{issuer.Host}, c.Hosts...)}
	if err := c.check(p.hosts); err != nil {
		return nil, err
	}
	if c.Metadata != nil {
		m := *c.Metadata
		c.Metadata = &m
	}
	p.c = c
	if c.Method == PrivateKeyJWT {
		if p.signer, err = c.assertionSigner(); err != nil {
			return nil, err
		}
	}
	p.http = p.client()
	p.discovered, p.keys = newKept[Metadata](metadataFresh, pause), newKept[keySet](keysFresh, pause)
	p.verifier = oidc.NewVerifier(c.Issuer, signedBy{p}, &oidc.Config{ClientID: c.ClientID, SupportedSigningAlgs: c.Algorithms,
		SkipExpiryCheck: true, // with our clock and skew instead: checkTimes
	})
	return p, nil
}

// check says what is wrong with a configuration.
func (c *Config) check(hosts []string) error {
	if c.Metadata != nil {
		if err := c.Metadata.check(c.Issuer, hosts); err != nil {
			return err
		}
		if c.UserInfo && c.Metadata.UserInfo == "" {
			return refuse(Misconfigured, "userinfo is wanted, and there is no address of it")
		}
	} else if _, err := allowed(c.Discovery, hosts); err != nil {
		return refuse(Misconfigured, "discovery: %w", err)
	}
	for _, host := range hosts {
		if u, err := url.Parse("https://" + host); err != nil || host == "" || u.Host != host || u.Hostname() == "" {
			return refuse(Misconfigured, "%q is no host", host)
		}
	}
	redirect, err := url.Parse(c.RedirectURI)
	if err != nil || redirect.Scheme != "https" || redirect.Host == "" || redirect.Fragment != "" {
		return refuse(Misconfigured, "redirect URI: no https address without fragment")
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(algorithms, a) {
			return refuse(Misconfigured, "algorithm %q", a)
		}
	}
	for name := range c.Parameters {
		if slices.Contains(ours, name) {
			return refuse(Misconfigured, "the parameter %s is not the configuration's", name)
		}
	}
	if c.Policy.MaxAge < 0 || c.Policy.MaxAge%time.Second != 0 {
		return refuse(Misconfigured, "max age: whole seconds")
	}
	if slices.ContainsFunc(c.Policy.AMR, func(set []string) bool { return len(set) == 0 }) {
		return refuse(Misconfigured, "a set of methods is empty: everything would satisfy it")
	}
	switch {
	case c.ClientID == "":
		return refuse(Misconfigured, "no client id")
	case c.Skew < 0 || c.Skew > maxSkew:
		return refuse(Misconfigured, "skew: at most %s", maxSkew)
	case c.Roots == nil:
		return refuse(Misconfigured, "no authorities of the provider's servers")
	case c.Keep > KeepTokens:
		return refuse(Misconfigured, "keep")
	}
	if err := c.checkDecryption(); err != nil {
		return err
	}
	return c.checkMethod()
}

func (c *Config) checkMethod() error {
	secret, key := false, false
	switch c.Method {
	case TLSClientAuth, SelfSignedTLSClientAuth:
		if c.Certificate == nil {
			return refuse(Misconfigured, "%s without a certificate", c.Method)
		}
	case ClientSecretBasic, ClientSecretPost:
		secret = true
	case PrivateKeyJWT:
		key = true
	default:
		return refuse(Misconfigured, "method %q", c.Method)
	}
	if secret != (c.Secret != "") || key != (c.SigningKey != nil) {
		return refuse(Misconfigured, "%s: what it needs is not there, or what is there it does not need", c.Method)
	}
	return nil
}

// assertionSigner makes the signer of private_key_jwt.
func (c *Config) assertionSigner() (jose.Signer, error) {
	algorithm := jose.PS256
	switch key := c.SigningKey.Public().(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < leastRSA {
			return nil, refuse(Misconfigured, "signing key: RSA below %d bits", leastRSA)
		}
		if c.SigningAlgorithm == oidc.RS256 {
			algorithm = jose.RS256
		}
	case *ecdsa.PublicKey:
		if algorithm = jose.ES256; key.Curve != elliptic.P256() {
			return nil, refuse(Misconfigured, "signing key: not on P-256")
		}
	default:
		return nil, refuse(Misconfigured, "signing key: neither RSA nor P-256")
	}
	if c.SigningAlgorithm != "" && c.SigningAlgorithm != string(algorithm) {
		return nil, refuse(Misconfigured, "signing key: not for %s", c.SigningAlgorithm)
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if c.SigningKeyID != "" {
		options.WithHeader("kid", c.SigningKeyID)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: opaque.Signer(c.SigningKey)}, options)
	if err != nil {
		return nil, refuse(Misconfigured, "signing key: %w", err)
	}
	return s, nil
}

// Issuer is the provider's issuer identifier.
func (p *Provider) Issuer() string { return p.c.Issuer }

// RedirectURI is where the provider sends browsers back to.
func (p *Provider) RedirectURI() string { return p.c.RedirectURI }

// oauth gives the settings of golang.org/x/oauth2.
func (p *Provider) oauth(m *Metadata) *oauth2.Config {
	style := oauth2.AuthStyleInParams // also where a certificate or an assertion proves it: client_id stands in the body
	if p.c.Method == ClientSecretBasic {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: p.c.ClientID, ClientSecret: p.c.Secret, RedirectURL: p.c.RedirectURI,
		Scopes: append([]string{oidc.ScopeOpenID}, p.c.Scopes...), Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style}}
}

// CertificateOf gives the certificate of one of our keys, for Config.Certificate.
func CertificateOf(s *certs.Signer) func() (*tls.Certificate, error) {
	pair := &tls.Certificate{PrivateKey: s, Certificate: [][]byte{s.Certificate().Raw()}}
	for _, c := range s.Chain() {
		pair.Certificate = append(pair.Certificate, c.Raw())
	}
	return func() (*tls.Certificate, error) { return pair, nil }
}

// CertificateIn reads certificate and key in PEM at each handshake, so that they can be renewed, for Config.Certificate. It reads
// them once to say whether they can be used.
func CertificateIn(certificateFile, keyFile string) (func() (*tls.Certificate, error), error) {
	read := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certificateFile, keyFile)
		if err != nil {
			return nil, refuse(Misconfigured, "client certificate: %w", err)
		}
		return &pair, nil
	}
	_, err := read()
	return read, err
}

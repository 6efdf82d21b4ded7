package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/policy"
	"sceau/saml/trust"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// A Client is who asks, authenticated at the token endpoint.
type Client struct {
	ID string
	// Certificate is the DER of the certificate that the client showed in TLS on this connection, Path what it sent with it.
	Certificate []byte
	Path        [][]byte
	// ByCertificate says that this certificate authenticated the client (tls_client_auth): it is the one that the registration of
	// the client names, not only one that was there.
	ByCertificate bool
	// Rule is what its registration says of the authentication of persons. Without one nobody's token is exchanged.
	Rule Rule
}

// A Rule is that of one client for the authentication of persons: the same by which it has its other tokens, so that an exchange gives it
// none that it would not have otherwise (EXI FI 24 and 25). client.Session of package sceau/oidc/client is one. It is safe for concurrent use.
type Rule interface {
	// Admits tells whether an authentication with these references (amr) will do.
	Admits(references []string) bool
	// MaxAuthenticationAge is how old an authentication may be.
	MaxAuthenticationAge() time.Duration
	// ACR is the strongest value of acr that references reach for the client, or empty.
	ACR(references []string) string
}

// A Claim is carried over from token to token, and says which attribute of assertions it is. What no Claim names is left behind.
type Claim struct {
	Name string // of the claim
	// Attribute may be zero: then assertions do not have it. A certified attribute becomes a claim, and never the other way: who certifies is
	// an authentic source (Assertions.Certified).
	Attribute attrs.Designator
	// Scope: a token has the claim where this scope was granted alone; empty: always.
	Scope string
	// Identifier: the value names the person, in the words of authn.Identifier ("ssin", "nihii", "rpps"); empty: it does not.
	Identifier string
}

// An Upstream is a provider whose access tokens are exchanged for ours: Pro Santé Connect.
type Upstream struct {
	// Issuer is the issuer identifier, compared exactly (attacks.md O1).
	Issuer       string
	Introspector Introspector
	// Parties says which of our clients may exchange tokens that the provider issued to which of its own (azp): one of its
	// clients must not be able to use here what another was given.
	Parties map[string][]string
	// Lifetime bounds what is issued, from an hour to four (ANS: 1 h to 4 h); the token of the provider itself lives two minutes.
	Lifetime time.Duration
	// Confirmed demands that the provider's token is bound to the certificate. A token that is bound to another is refused in any case.
	Confirmed bool
	// Levels are the admitted values of acr. Required.
	Levels []string
	// References says how the person was authenticated where the provider's token has an acr and no amr; nil is UpstreamReferences.
	References map[string][]string
	// Claims are names of claims that are carried over; ActorClaims those of the actor token that the client signs (lps_nom).
	Claims, ActorClaims []string
}

// A Signing is a key that signs assertions, with the validity of its certificate.
type Signing struct {
	Signer              *xmlsec.Signer
	NotBefore, NotAfter time.Time
}

// Assertions says how assertions are read and written. The zero Assertions reads and writes none.
type Assertions struct {
	// Issuers are the token services whose assertions are believed, by the exact value of Issuer; their certificates have certs.RoleSTS.
	Issuers []string
	// Audiences are the names by which an assertion may mean us.
	Audiences []string
	// Skew is how far the clock of a token service may differ; at most ten minutes. It lengthens nothing.
	Skew time.Duration

	// Issuer is ours, as we write it. An assertion of this issuer has sub, amr and act as we wrote them. Empty: none is written.
	Issuer string
	// Signing gives the key whose turn it is.
	Signing func(at time.Time) (Signing, error)
	// BackDate is how long before now an assertion begins, for clocks that are late; never before the subject token does.
	BackDate time.Duration

	// Certified are attributes that assertions for an audience have beside those of Claims, certified anew: Release decides which
	// may be released to the holder of the certificate, Attributes asks the authentic sources. Both are needed where there are any.
	Certified  map[string][]attrs.Designator
	Release    policy.PDP
	Attributes interface {
		Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error)
	}
}

// Config is all that an Exchanger is made of.
type Config struct {
	// Issuer is the issuer identifier of our tokens. Required.
	Issuer string
	// Certificates identifies the holders, in one of HolderRoles (nil is certs.RoleHolder; certs.RoleClient beside it for clients of IGC-Santé), and
	// the token services. Required.
	Certificates *certs.Verifier
	HolderRoles  []certs.Role
	// Policy decides (action exchange-token). Required.
	Policy policy.ExchangePDP
	// Recorder keeps the trace. Required: no exchange leaves unrecorded.
	Recorder Recorder

	Tokens     Tokens // verifies ours; nil: none is exchanged
	Minter     Minter // makes ours; nil: none is made
	Subjects   Subjects
	Grants     Grants // of assertions that are made; nil: they have none, and end with their time alone
	Assertions Assertions
	Upstreams  []Upstream
	// Once remembers the tokens of upstreams, which are exchanged once. Required where there are any.
	Once soap.ReplayState

	// MaximumValidity is the longest that anything issued may be valid; zero is an hour, at most twelve hours.
	MaximumValidity time.Duration
	// MaximumAge is how old the authentication of the person may be at the end of what is issued; zero is four hours (EXI FI 25), which is
	// also the most.
	MaximumAge time.Duration
	// Actors bounds the chain of actors; zero is 4.
	Actors int
	// Target is the audience where the client names none; empty: it must name one.
	Target string

	Claims  []Claim
	Methods *Methods       // nil is DefaultMethods
	Limits  xmltext.Limits // of assertions; zero is xmltext.DefaultLimits
	// Catalogue gives the definitions that are in force at the moment, from several goroutines; nil gives those of attrs.EHealth.
	Catalogue func() *attrs.Catalogue
}

// Bounds of a Config.
const (
	maxSkew      = 10 * time.Minute
	maxBackDate  = 5 * time.Minute
	maxValidity  = 12 * time.Hour
	maxAge       = 4 * time.Hour
	minUpstream  = time.Hour
	maxUpstream  = 4 * time.Hour
	maxActors    = 16
	defaultActor = 4
)

// An Exchanger exchanges tokens. New makes it; the zero Exchanger refuses. It is safe for concurrent use.
type Exchanger struct {
	config  Config
	judge   trust.Judge
	claims  map[string]*Claim           // by name
	carried map[attrs.Designator]*Claim // by attribute
}

// New checks a configuration, and reports all that is wrong with it.
func New(c Config) (*Exchanger, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	x := &Exchanger{config: c, claims: map[string]*Claim{}, carried: map[attrs.Designator]*Claim{}}
	for i := range x.config.Claims {
		one := &x.config.Claims[i]
		x.claims[one.Name], x.carried[one.Attribute] = one, one
	}
	delete(x.carried, attrs.Designator{})
	x.judge = trust.Judge{Certificates: c.Certificates, Issuers: c.Assertions.Issuers, Audiences: c.Assertions.Audiences,
		HolderRoles: c.HolderRoles, Skew: c.Assertions.Skew, Signature: xmlsec.DefaultPolicy()}
	x.judge.Signature.MaxReferences = 1 // attacks.md W19
	return x, nil
}

func (c Config) withDefaults() Config {
	c.HolderRoles, c.Upstreams, c.Claims = slices.Clone(c.HolderRoles), slices.Clone(c.Upstreams), slices.Clone(c.Claims)
	c.Assertions.Issuers, c.Assertions.Audiences = slices.Clone(c.Assertions.Issuers), slices.Clone(c.Assertions.Audiences)
	if c.HolderRoles == nil {
		c.HolderRoles = []certs.Role{certs.RoleHolder}
	}
	if c.MaximumValidity == 0 {
		c.MaximumValidity = time.Hour
	}
	if c.MaximumAge == 0 {
		c.MaximumAge = maxAge
	}
	if c.Actors == 0 {
		c.Actors = defaultActor
	}
	if c.Methods == nil {
		c.Methods = DefaultMethods()
	}
	for i := range c.Upstreams {
		if c.Upstreams[i].References == nil {
			c.Upstreams[i].References = UpstreamReferences()
		}
	}
	if c.Catalogue == nil {
		c.Catalogue = attrs.EHealth
	}
	catalogue := c.Catalogue()
	for i := range c.Claims { // under an alias an attribute would never be met
		if d, ok := catalogue.Find(c.Claims[i].Attribute); ok {
			c.Claims[i].Attribute = d.Designator
		}
	}
	if c.Limits == (xmltext.Limits{}) {
		c.Limits = xmltext.DefaultLimits()
	}
	return c
}

// reserved are the claims that say what a token is, and that no mapping may write.
var reserved = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "act", "may_act", "scope", "client_id", "azp", "auth_time", "amr", "acr",
	"nonce", "sid", "at_hash", "c_hash", "events", "typ", "token_type", "active"}

// check finds everything that is wrong, at once (attacks.md A8).
func (c *Config) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("bridge: configuration: "+format, args...))
	}
	if c.Issuer == "" || !visible(c.Issuer) {
		wrong("no Issuer")
	}
	if c.Certificates == nil {
		wrong("no Certificates: nobody could be a holder")
	} else {
		for _, role := range c.HolderRoles {
			if !c.Certificates.Serves(role) {
				wrong("no profile of Certificates serves the role %q", role)
			}
		}
		if len(c.Assertions.Issuers) > 0 && !c.Certificates.Serves(certs.RoleSTS) {
			wrong("no profile of Certificates serves the role %q: no assertion could be believed", certs.RoleSTS)
		}
	}
	if len(c.HolderRoles) == 0 || slices.Contains(c.HolderRoles, "") || slices.Contains(c.HolderRoles, certs.RoleSTS) {
		wrong("HolderRoles is empty, or has a role that is no holder's")
	}
	if c.Policy == nil {
		wrong("no Policy: nobody would decide")
	}
	if c.Recorder == nil {
		wrong("no Recorder: nothing would be traced")
	}
	if c.MaximumValidity < 0 || c.MaximumValidity > maxValidity || c.MaximumAge < 0 || c.MaximumAge > maxAge {
		wrong("MaximumValidity not up to %v, or MaximumAge not up to %v", maxValidity, maxAge)
	}
	if c.Actors < 0 || c.Actors > maxActors {
		wrong("more than %d Actors", maxActors)
	}
	if c.Target != "" && !visible(c.Target) {
		wrong("Target is no audience")
	}
	if l := c.Limits; min(l.Bytes, l.Depth, l.Nodes, l.Attributes, l.Namespaces, l.NameLength) <= 0 {
		wrong("a limit of the XML text that admits nothing")
	}
	if c.Minter != nil && (len(c.Assertions.Issuers) > 0 || len(c.Upstreams) > 0) && c.Subjects == nil {
		wrong("no Subjects: nobody would have a sub")
	}
	c.Assertions.check(c, wrong)
	c.checkClaims(wrong)
	if len(c.Upstreams) > 0 && c.Once == nil {
		wrong("no Once: a token of an upstream could be exchanged again")
	}
	for i := range c.Upstreams {
		c.Upstreams[i].check(c, i, wrong)
	}
	if err := c.Methods.check(); err != nil {
		wrong("%w", err)
	}
	return errors.Join(errs...)
}

func (a *Assertions) check(c *Config, wrong func(string, ...any)) {
	if slices.Contains(a.Issuers, "") || slices.Contains(a.Audiences, "") {
		wrong("an empty issuer or audience of assertions")
	}
	if a.Skew < 0 || a.Skew > maxSkew || a.BackDate < 0 || a.BackDate > maxBackDate {
		wrong("Skew not up to %v, or BackDate not up to %v", maxSkew, maxBackDate)
	}
	if (a.Issuer == "") != (a.Signing == nil) {
		wrong("Issuer and Signing of assertions go together")
	}
	if len(a.Certified) > 0 && (a.Release == nil || a.Attributes == nil) {
		wrong("Certified attributes need Release and Attributes")
	}
	catalogue := c.Catalogue()
	for audience, list := range a.Certified {
		for _, d := range list {
			definition, ok := catalogue.Find(d)
			if !ok || !definition.Certified() || definition.Computed {
				wrong("audience %q: %q is no certified attribute of the catalogue that a source answers", audience, d.Name)
			}
		}
	}
}

func (c *Config) checkClaims(wrong func(string, ...any)) {
	names, attributes := map[string]bool{}, map[attrs.Designator]bool{}
	for _, m := range c.Claims {
		switch {
		case m.Name == "" || !visible(m.Name) || m.Attribute.Name == "" && m.Attribute.Namespace != "" || m.Attribute.Namespace == ClaimNamespace:
			wrong("claim %q: no name, or an attribute that is none or one of our own", m.Name)
		case slices.Contains(reserved, m.Name):
			wrong("claim %q says what a token is", m.Name)
		case names[m.Name] || m.Attribute.Name != "" && attributes[m.Attribute]:
			wrong("claim %q: it, or its attribute, stands there twice", m.Name)
		}
		names[m.Name], attributes[m.Attribute] = true, true
	}
}

func (u *Upstream) check(c *Config, i int, wrong func(string, ...any)) {
	if u.Issuer == "" || u.Issuer == c.Issuer || u.Introspector == nil {
		wrong("upstream %d: no Issuer, one that is ours, or no Introspector", i)
	}
	for j := range i {
		if c.Upstreams[j].Issuer == u.Issuer {
			wrong("upstream %q stands there twice", u.Issuer)
		}
	}
	if u.Lifetime < minUpstream || u.Lifetime > maxUpstream {
		wrong("upstream %q: Lifetime not from %v to %v", u.Issuer, minUpstream, maxUpstream)
	}
	if len(u.Parties) == 0 || len(u.Levels) == 0 {
		wrong("upstream %q: no Parties or no Levels: no token of it could be exchanged", u.Issuer)
	}
	for _, name := range u.ActorClaims {
		if slices.Contains(u.Claims, name) { // the client signs the one, and would say what only the provider may
			wrong("upstream %q: claim %q of both the token and the actor token", u.Issuer, name)
		}
	}
	for _, name := range slices.Concat(u.Claims, u.ActorClaims) {
		if slices.Contains(reserved, name) || name == "" {
			wrong("upstream %q: claim %q says what a token is", u.Issuer, name)
		}
	}
}

// ClaimNamespace is the namespace of the attributes by which our assertions carry claims that SAML has no word for: amr, acr, act,
// client_id, and the name of their grant.
const ClaimNamespace = "urn:sceau:oidc:claim"

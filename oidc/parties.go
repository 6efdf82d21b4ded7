package oidc

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/oidc/client"
	"sceau/oidc/federation"
)

// A Federation is how an establishment takes part in an OpenID Federation (docs/federation.md). New checks it.
type Federation struct {
	// Resolver decides which relying parties are trusted that are not registered, and with which metadata: whoever has an entity
	// identifier as client_id. A registration of that client_id goes before. Nil: none is.
	Resolver *federation.Resolver
	// Scopes are those that such a relying party may ask for at most; openid is among them. Required with Resolver.
	Scopes []string
	// Session is the policy of the establishment for them, whatever they say of themselves: they may ask for less age, not for more.
	Session client.SessionRegistration
	// Consent is client.ConsentAsk unless it is said otherwise: nobody in the establishment knows them.
	Consent string
	// BackChannel tells them of a logout; nil: a client that reaches public addresses only. It is another than that of the
	// registered clients: what a stranger writes into his metadata leads into no network that was opened for those.
	BackChannel *http.Client
	// Publish is what the establishment says of itself; nil: nothing. Entity, Now and the metadata of openid_provider do not count:
	// the provider knows them.
	Publish *federation.PublisherConfig
}

// parties are the relying parties of a federation, each as long as its resolver believes it. The library asks it for clients that it
// does not know: that is all of its registration at run time which is used, and none of its endpoints is reached.
type parties struct {
	*Federation
	p   *Provider
	any *client.Client // what each of them has at most

	mu sync.Mutex
	by map[string]*party
}

// A party is a relying party as it was resolved once. It is immutable.
type party struct {
	resolved   *federation.Resolved
	client     *client.Client
	registry   *client.Registry // of it alone
	library    *goidc.Client
	algorithms []jose.SignatureAlgorithm // of its request objects
	signed     bool                      // it wants its pushed requests signed too
	err        error                     // what cannot be served here
}

// maxParties bounds those that are kept. Only an entity that was resolved is; one that is forgotten is resolved again.
const maxParties = 2000

// anyParty is the name under which an authority reads the policy for all of them. It is nobody's entity identifier.
const anyParty = "https://*"

// errNoClient says that nobody has that client_id.
var errNoClient = errors.New("no such client")

// join makes ready for the relying parties of a federation. What is wrong with the policy for them is found here, and not by the first
// that comes.
func (p *Provider) join() error {
	f := p.config.Federation
	if f == nil || f.Resolver == nil {
		return nil
	}
	kept := *f
	if kept.Consent == "" {
		kept.Consent = client.ConsentAsk
	}
	if kept.BackChannel == nil {
		kept.BackChannel = client.NewHTTPClient(client.Guard{})
	}
	wrong := func(err error) error { return fmt.Errorf("oidc: %s: federation: %w", p.config.Issuer, err) }
	if !slices.Contains(kept.Scopes, "openid") {
		return wrong(errors.New("openid is not among the scopes"))
	}
	p.parties = &parties{Federation: &kept, p: p, by: map[string]*party{}}
	any := client.Registration{
		ID: anyParty, Name: map[string]string{"fr": "any"}, RedirectURIs: []string{"https://any.invalid/"}, Scopes: kept.Scopes,
		Session: kept.Session, Consent: kept.Consent, IDTokenAlgorithm: p.keys.algorithms()[0],
		Authentication: client.AuthenticationRegistration{Method: client.None},
	}
	if slices.Contains(kept.Scopes, "offline_access") {
		any.GrantTypes = []string{client.AuthorizationCode, client.RefreshToken}
	}
	r, err := p.config.Clients.Beside(any, Replay(p.config.Store, p.config.Tenant))
	if err != nil {
		return wrong(err)
	}
	p.parties.any = r.Client(any.ID)
	if _, err := p.libraryClient(p.parties.any); err != nil {
		return wrong(err)
	}
	return nil
}

// publish makes the entity configuration of the establishment, and what an authority says of others.
func (p *Provider) publish() error {
	f := p.config.Federation
	if f == nil || f.Publish == nil {
		return nil
	}
	c, given := *f.Publish, f.Publish.Metadata
	for i, k := range c.Keys {
		public, ok := publicOf(k.Signer).(interface{ Equal(crypto.PublicKey) bool })
		if ok && slices.ContainsFunc(p.config.Keys, func(own Key) bool { return public.Equal(own.Signer.Public()) }) {
			return fmt.Errorf("oidc: %s: federation: key %d signs tokens too (OpenID Federation 3.1.1)", p.config.Issuer, i+1)
		}
	}
	c.Entity, c.Now = p.config.Issuer, p.now
	c.Metadata = func() (map[string]map[string]any, error) {
		m := map[string]map[string]any{}
		if given != nil {
			more, err := given()
			if err != nil {
				return nil, err
			}
			maps.Copy(m, more)
		}
		provider, err := p.library.Load().metadata()
		if err != nil {
			return nil, err
		}
		m["openid_provider"] = provider
		entity := map[string]any{"organization_name": p.config.Names["fr"]}
		for language, name := range p.config.Names {
			entity["organization_name#"+language] = name
		}
		maps.Copy(entity, m["federation_entity"])
		m["federation_entity"] = entity
		return m, nil
	}
	made, err := federation.NewPublisher(c)
	if err != nil {
		return fmt.Errorf("oidc: %s: %w", p.config.Issuer, err)
	}
	p.published = made.Handler()
	return nil
}

func publicOf(s crypto.Signer) crypto.PublicKey {
	if s == nil {
		return nil
	}
	return s.Public()
}

// party resolves a relying party that is not registered. The error is errNoClient or a *federation.Error.
func (p *Provider) party(ctx context.Context, id string) (*party, error) {
	s := p.parties
	if s == nil || !strings.HasPrefix(id, "https://") || p.config.Clients.Client(id) != nil {
		return nil, errNoClient
	}
	// One request sees one registration.
	if c := callOf(ctx); c != nil && c.party != nil && c.party.client.ID() == id {
		return c.party, nil
	}
	if c := callOf(ctx); c != nil {
		ctx = federation.AskedFrom(ctx, c.event.Sealed.Source)
	}
	// What is resolved is kept there, until it ends.
	registration, err := s.Resolver.Client(ctx, id, nil)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.by[id]
	if known == nil || known.resolved != registration.Resolved {
		known = s.admit(registration)
		s.room()
		s.by[id] = known
	}
	return known, known.err
}

// room makes room for one; s is locked.
func (s *parties) room() {
	if len(s.by) < maxParties {
		return
	}
	now := s.p.now()
	maps.DeleteFunc(s.by, func(_ string, k *party) bool { return !now.Before(k.resolved.ExpiresAt) })
	for id := range s.by {
		if len(s.by) < maxParties {
			return
		}
		delete(s.by, id)
	}
}

// admit makes a client of a relying party that was resolved, as the establishment's policy has it.
func (s *parties) admit(registration *federation.Registration) *party {
	k := &party{resolved: registration.Resolved}
	refuse := func(err error) *party {
		k.err = &federation.Error{Reason: federation.NotClient, Entity: registration.Entity, Cause: err}
		return k
	}
	r, err := s.registration(registration, k)
	if err != nil {
		return refuse(err)
	}
	if k.registry, err = s.p.config.Clients.Beside(r, Replay(s.p.config.Store, s.p.config.Tenant)); err != nil {
		return refuse(err)
	}
	k.client = k.registry.Client(r.ID)
	if k.library, err = s.p.libraryClient(k.client); err != nil {
		return refuse(err)
	}
	return k
}

// relyingParty is a client that is registered, or that a federation vouches for; nil where there is none.
func (p *Provider) relyingParty(ctx context.Context, id string) (*client.Client, error) {
	if known := p.config.Clients.Client(id); known != nil {
		return known, nil
	}
	k, err := p.party(ctx, id)
	switch {
	case err == nil:
		return k.client, nil
	case temporary(err):
		return nil, err
	}
	return nil, nil
}

// temporary says that a federation could not be asked: nobody was found wrong.
func temporary(err error) bool {
	var e *federation.Error
	return errors.As(err, &e) && e.Temporary()
}

// asks says which client a request names, and keeps that with its record.
func (p *Provider) asks(ctx context.Context, c *call, id string) (*client.Client, error) {
	known := p.config.Clients.Client(id)
	if known == nil {
		k, err := p.party(ctx, id)
		if err != nil {
			if temporary(err) {
				c.outage = err
			}
			return nil, err
		}
		c.party, c.event.Policies, known = k, k.resolved.Anchor, k.client
	}
	c.event.Client = known.ID()
	return known, nil
}

// byRequestObject is the way to authenticate at the endpoint for pushed requests of who signed the request itself (OpenID Federation
// 12.1.1.2).
const byRequestObject = "request_object"

// authenticate has a client prove to be itself, by what is registered of it or by what its federation says.
func (p *Provider) authenticate(r *http.Request, c *call, at client.Endpoint) (known *client.Client, how *client.Authentication, method string, err error) {
	registry := p.config.Clients
	if p.parties != nil {
		switch k, err := p.party(r.Context(), registry.Named(r)); {
		case err == nil:
			c.party, registry = k, k.registry
			if at == client.PAR && unaccompanied(r) {
				return k.client, nil, byRequestObject, nil // p.parameters wants it, and verifies it
			}
		case errors.Is(err, errNoClient):
		case temporary(err):
			c.outage = err
			return nil, nil, "", err
		case at != client.PAR: // RFC 6749 section 5.2
			return nil, nil, "", &client.Error{Reason: client.UnknownClient, Err: err}
		default:
			return nil, nil, "", err
		}
	}
	if known, how, err = registry.Authenticate(r, at); err != nil {
		return nil, nil, "", err
	}
	return known, how, string(how.Method()), nil
}

// unaccompanied says whether a request brings a request object, and nothing else by which a client would authenticate.
func unaccompanied(r *http.Request) bool {
	return r.PostForm.Get("request") != "" && r.Header.Get("Authorization") == "" && !r.PostForm.Has("client_secret") &&
		!r.PostForm.Has("client_assertion") && !r.PostForm.Has("client_assertion_type") && (r.TLS == nil || len(r.TLS.PeerCertificates) == 0)
}

// signs says whether an authorization request has to be signed. That of a party is what says that it comes from it (OpenID Federation
// 12.1.1), unless it authenticated when it pushed it.
func (c *call) signs(known *client.Client) bool {
	if c.party == nil {
		return known.RequireSignedRequestObject()
	}
	return c.endpoint != endpointPush || c.event.Mode == byRequestObject || c.party.signed
}

func partyOf(ctx context.Context) *party {
	if c := callOf(ctx); c != nil {
		return c.party
	}
	return nil
}

// outside is by what a client is contacted.
func (p *Provider) outside(c *client.Client) *http.Client {
	if p.parties != nil && p.config.Clients.Client(c.ID()) == nil {
		return p.parties.BackChannel
	}
	return p.config.BackChannel
}

// Client tells the library of a party.
func (s *parties) Client(ctx context.Context, id string) (*goidc.Client, error) {
	k, err := s.p.party(ctx, id)
	if err == nil {
		return k.library, nil
	}
	if temporary(err) {
		if c := callOf(ctx); c != nil {
			c.outage = err
		}
		return nil, err
	}
	return nil, goidc.ErrNotFound
}

var errNotKept = errors.New("oidc: a client that the library would register")

// SaveClient and DeleteClient refuse: the federation says who is a client.
func (s *parties) SaveClient(context.Context, *goidc.Client) error { return errNotKept }
func (s *parties) DeleteClient(context.Context, string) error      { return errNotKept }

// methods are those by which parties may authenticate: there is no secret between them and the establishment.
func (s *parties) methods() []string {
	all := []string{string(client.PrivateKeyJWT)}
	if s.p.config.SecureIssuer != "" {
		all = append(all, string(client.TLS), string(client.SelfSignedTLS))
	}
	return all
}

// describe adds to the metadata what parties may do.
func (s *parties) describe(m map[string]any, add func(*[]string, ...string), methods, assertions, objects *[]string) {
	delete(m, "registration_endpoint") // the library's, which nobody reaches
	if aliases, ok := m["mtls_endpoint_aliases"].(map[string]any); ok {
		delete(aliases, "registration_endpoint")
	}
	own := s.methods()
	add(methods, own...)
	add(assertions, partyAlgorithms...)
	add(objects, partyAlgorithms...)
	m["client_registration_types_supported"] = []string{"automatic"}
	m["request_authentication_methods_supported"] = map[string][]string{
		"authorization_endpoint":                {byRequestObject},
		"pushed_authorization_request_endpoint": append([]string{byRequestObject}, own...),
	}
	m["request_authentication_signing_alg_values_supported"] = partyAlgorithms
}

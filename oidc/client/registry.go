package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/certs"
)

// An Endpoint is where a client calls.
type Endpoint uint8

// The endpoints. The zero Endpoint is none, and nobody authenticates at it.
const (
	_             Endpoint = iota
	Token                  // RFC 6749 section 3.2, and the token exchange
	PAR                    // RFC 9126
	Introspection          // RFC 7662
	Revocation             // RFC 7009
)

func (e Endpoint) String() string {
	switch e {
	case Token:
		return "token"
	case PAR:
		return "pushed authorization request"
	case Introspection:
		return "introspection"
	case Revocation:
		return "revocation"
	}
	return "none"
}

// Certificates decides whom certificates identify: a *certs.Verifier.
type Certificates interface {
	Parse(der []byte) (*certs.Certificate, error)
	Identify(role certs.Role, leaf *certs.Certificate, intermediates []*certs.Certificate, at time.Time) (certs.Identity, error)
}

// Options are what all clients of an establishment share.
type Options struct {
	// Issuer is the issuer identifier. Required.
	Issuer string
	// Endpoints are the addresses under which each endpoint is known, aliases for mutual TLS included: the audiences that an
	// assertion may have beside the issuer. Those of Token are required.
	Endpoints map[Endpoint][]string

	// Certificates decides on client certificates, in the role Role. Nil: no client authenticates with one.
	Certificates Certificates
	Role         certs.Role // empty is certs.RoleClient
	// PeerCertificates gives the certificates, in DER and the client's own first, of whose key the sender of a request has proven
	// possession. Nil takes those of r.TLS, which a handshake has proven; no header is ever read. A function that reads one
	// vouches that nobody but its own proxy can write it.
	PeerCertificates func(*http.Request) [][]byte

	// SecretKey is the key of the server under which secrets are kept as HMAC, of at least 32 octets. Nil: none is.
	SecretKey []byte

	// HTTP fetches keys at jwks-uri: what NewHTTPClient makes. Nil refuses registrations with one.
	HTTP        *http.Client
	KeysAge     time.Duration // for which fetched keys are kept; zero is 15 minutes
	KeysPause   time.Duration // between two fetches of one client's keys, at least; zero is 1 minute
	KeysTimeout time.Duration // of one fetch; zero is 5 seconds

	// Replay remembers assertions for servers that share it. Nil remembers ReplayCapacity of each client in this process.
	Replay         ReplayState
	ReplayCapacity int // zero is 10 000

	MaxAssertionLifetime time.Duration // of an assertion from now on; zero is 10 minutes
	Skew                 time.Duration // how far the clock of a client may be ahead; zero is 30 seconds

	// Wrong is how many wrong secrets of one client in WrongWindow are answered like the first; then who sends one is told to
	// wait. Zero is 10 in a minute.
	Wrong       int
	WrongWindow time.Duration

	MaxBody int64 // of a request; zero is 1 MB

	Now func() time.Time // nil is time.Now
}

// A Registry is the registered clients of one establishment. New makes it; it is safe for concurrent use.
type Registry struct {
	options Options
	clients atomic.Pointer[map[string]*entry]
	unknown throttle // of whoever is not registered

	mu sync.Mutex // of Reload
	// states are those of every client that ever was registered here: what was seen of one that is taken out and comes back is
	// still known.
	states map[string]*state
}

// An entry is a client with what is remembered of it.
type entry struct {
	client *Client
	*state
	keys *fetched // of jwks-uri
}

// A state is what is remembered of a client. It outlives Reload.
type state struct {
	wrong  throttle
	replay memoryReplay
}

// New checks registrations and makes a Registry of them. The error joins everything that is wrong, each with the client and key.
func New(registrations []Registration, o Options) (*Registry, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &Registry{options: o, states: map[string]*state{}}
	r.clients.Store(&map[string]*entry{})
	if err := r.Reload(registrations); err != nil {
		return nil, err
	}
	return r, nil
}

// Beside makes a registry of one client alone, with the options of r: of one that is registered for a while and by another than the
// operator. What it asserts is remembered in replay, which outlives that registry.
func (r *Registry) Beside(registration Registration, replay ReplayState) (*Registry, error) {
	if replay == nil {
		return nil, errors.New("clients: nothing remembers the assertions of a client beside those that are registered")
	}
	o := r.options
	o.Replay, o.HTTP = replay, nil // its keys are those that were registered, and fetched from nowhere else
	return New([]Registration{registration}, o)
}

// check puts in the defaults.
func (o *Options) check() error {
	if o.Issuer == "" || len(o.Endpoints[Token]) == 0 {
		return errors.New("clients: the issuer and the address of the token endpoint are needed")
	}
	if o.SecretKey != nil && len(o.SecretKey) < minSecretKey {
		return fmt.Errorf("clients: the key of secrets has less than %d octets", minSecretKey)
	}
	o.SecretKey = slices.Clone(o.SecretKey)
	endpoints := map[Endpoint][]string{}
	for e, addresses := range o.Endpoints {
		endpoints[e] = slices.Clone(addresses)
	}
	o.Endpoints = endpoints
	if o.Role == "" {
		o.Role = certs.RoleClient
	}
	if o.PeerCertificates == nil {
		o.PeerCertificates = handshake
	}
	for _, d := range []struct {
		of    *time.Duration
		usual time.Duration
	}{{&o.KeysAge, 15 * time.Minute}, {&o.KeysPause, time.Minute}, {&o.KeysTimeout, 5 * time.Second},
		{&o.MaxAssertionLifetime, 10 * time.Minute}, {&o.Skew, 30 * time.Second}, {&o.WrongWindow, time.Minute}} {
		if *d.of < 0 {
			return errors.New("clients: a negative duration")
		}
		if *d.of == 0 {
			*d.of = d.usual
		}
	}
	if o.ReplayCapacity < 0 || o.Wrong < 0 || o.MaxBody < 0 {
		return errors.New("clients: a negative bound")
	}
	if o.ReplayCapacity == 0 {
		o.ReplayCapacity = 10_000
	}
	if o.Wrong == 0 {
		o.Wrong = 10
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// Reload takes new registrations. On error the old ones stay, wholly. What is remembered of a client stays: its assertions, so that
// none is replayed by a reload, its wrong secrets, and keys that were fetched from the same address.
func (r *Registry) Reload(registrations []Registration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.clients.Load()
	clients := make(map[string]*entry, len(registrations))
	var errs []error
	for i, registration := range registrations {
		c, err := newClient(registration, fmt.Sprintf("number %d", i+1), &r.options)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if clients[c.ID()] != nil {
			errs = append(errs, fmt.Errorf("client %s: id: registered twice", c.ID()))
			continue
		}
		e := &entry{client: c}
		if c.JWKSURI() != "" {
			e.keys = &fetched{uri: c.JWKSURI(), options: &r.options}
		}
		if before := old[c.ID()]; before != nil && e.keys != nil && before.keys != nil && before.keys.uri == e.keys.uri {
			e.keys = before.keys
		}
		clients[c.ID()] = e
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for id, e := range clients {
		if r.states[id] == nil {
			r.states[id] = &state{replay: memoryReplay{capacity: r.options.ReplayCapacity}}
		}
		e.state = r.states[id]
	}
	r.clients.Store(&clients)
	return nil
}

// Client gives a registered client, or nil.
func (r *Registry) Client(id string) *Client {
	if e := r.entry(id); e != nil {
		return e.client
	}
	return nil
}

func (r *Registry) entry(id string) *entry { return (*r.clients.Load())[id] }

// Clients gives all clients, by their id.
func (r *Registry) Clients() []*Client {
	var all []*Client
	for _, e := range *r.clients.Load() {
		all = append(all, e.client)
	}
	slices.SortFunc(all, func(a, b *Client) int { return strings.Compare(a.ID(), b.ID()) })
	return all
}

// Keys gives the public keys with which a token of a client beside its assertions, a request object, may be verified: of those that are
// registered, or at its jwks-uri, the ones of the token's key identifier, or without one all that fit its algorithm. It is the rule of
// assertions: a key for encryption verifies nothing, and a stranger who names no key does not have every key of a client tried with
// what he made up. Keys at an address are fetched anew when none fits.
func (r *Registry) Keys(ctx context.Context, c *Client, algorithm, kid string) ([]jose.JSONWebKey, error) {
	e := r.entry(c.ID())
	if e == nil || e.client != c {
		return nil, errors.New("client: not registered any more")
	}
	of := assertion{algorithm: algorithm, kid: kid}
	keys, err := r.keysOf(ctx, e, r.options.Now(), func(keys []key) bool { return len(of.choose(keys)) > 0 })
	if err != nil {
		return nil, err
	}
	chosen := of.choose(keys)
	if len(chosen) > maxTried {
		return nil, errTooManyKeys
	}
	all := make([]jose.JSONWebKey, len(chosen))
	for i := range chosen {
		all[i] = chosen[i].jwk
	}
	return all, nil
}

var (
	errNoKeys      = errors.New("the client has no keys")
	errTooManyKeys = fmt.Errorf("more than the %d keys that a token without kid is tried with", maxTried)
)

func (r *Registry) keysOf(ctx context.Context, e *entry, now time.Time, known func([]key) bool) ([]key, error) {
	switch {
	case e.keys != nil:
		return e.keys.get(ctx, now, known)
	case len(e.client.inline) > 0:
		return e.client.inline, nil
	}
	return nil, errNoKeys
}

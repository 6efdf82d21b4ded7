package federation

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/internal/strictjson"
)

// Limits bound what a stranger can make a resolver do. A zero field is the default that it names.
type Limits struct {
	// Depth is how many intermediates may stand between an entity and the anchor; 4. Negative is none.
	Depth int
	// Hints is how many authorities of one entity are looked at; 6. More are ignored.
	Hints int
	// Statements is how many answers of others one resolution may read; 32.
	Statements int
	// Size is how large an answer, or a chain that is sent, may be; 128 KiB. All answers of a resolution together are at most a
	// quarter of Statements times Size.
	Size int
	// Time is how long a resolution may take; 8 s.
	Time time.Duration
	// Concurrent is how many resolutions may be under way; 16. More are refused. A quarter of them is for entities that were resolved
	// before; of the others those of one host, and those that one address asked for (AskedFrom), are a quarter at most.
	Concurrent int
	// Left is for how long a resolution goes on for which nobody waits any more; 1 s. Negative is not at all.
	Left time.Duration
	// Kept is how many resolved entities are kept; 2000.
	Kept int
	// Lifetime bounds for how long what was resolved is believed, however long its statements are good; 1 h. After it a
	// revocation is seen.
	Lifetime time.Duration
	// Retry is for how long a failure is kept; 20 s.
	Retry time.Duration
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
	*v = max(*v, 0)
}

func (l Limits) filled() Limits {
	orDefault(&l.Depth, 4)
	orDefault(&l.Hints, 6)
	orDefault(&l.Statements, 32)
	orDefault(&l.Size, 128<<10)
	orDefault(&l.Time, 8*time.Second)
	orDefault(&l.Concurrent, 16)
	orDefault(&l.Left, time.Second)
	orDefault(&l.Kept, 2000)
	orDefault(&l.Lifetime, time.Hour)
	orDefault(&l.Retry, 20*time.Second)
	return l
}

// Config says whom a resolver trusts.
type Config struct {
	// Anchors are the trust anchors by their entity identifiers, each with its keys, got otherwise than over the network (4).
	// Required: no anchor, nobody is trusted.
	Anchors map[string]jose.JSONWebKeySet
	// Roots are the authorities for TLS to entities; nil is those of the system.
	Roots *x509.CertPool
	// Networks are networks with addresses that are not public and where entities may be all the same.
	Networks []netip.Prefix
	// Proxy is an HTTP proxy through which entities are reached; nil is none. It judges where names lead, since it resolves them: it
	// must not lead into networks that are not for strangers. Addresses in identifiers are judged here all the same.
	Proxy *url.URL
	// TrustMarks are the types of trust marks that an entity must have to be resolved, by entity type; those of "" for every type.
	TrustMarks map[string][]string
	// TrustMarkStatus asks the issuer of each required trust mark whether it is still active, each time an entity is resolved anew. A
	// mark without an end is asked about in any case.
	TrustMarkStatus bool
	Limits          Limits
	// Log is for the operator; nil: slog's default.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A Resolver resolves entities to what their federation says of them. It is safe for concurrent use.
type Resolver struct {
	anchors  map[string]keySet
	required map[string][]string
	status   bool
	limits   Limits
	fetcher  *fetcher
	log      *slog.Logger
	now      func() time.Time
	places   *places
	kept     *kept
}

// NewResolver checks the configuration.
func NewResolver(c Config) (*Resolver, error) {
	if len(c.Anchors) == 0 {
		return nil, errors.New("federation: no trust anchor")
	}
	r := &Resolver{anchors: map[string]keySet{}, required: c.TrustMarks, status: c.TrustMarkStatus, limits: c.Limits.filled(), log: c.Log, now: c.Now}
	for id, set := range c.Anchors {
		if _, err := identified(id); err != nil {
			return nil, err
		}
		text, err := json.Marshal(set)
		if err != nil {
			return nil, fmt.Errorf("federation: keys of anchor %q: %w", id, err)
		}
		o, err := strictjson.Object(text)
		if err != nil {
			return nil, fmt.Errorf("federation: keys of anchor %q: %w", id, err)
		}
		if r.anchors[id], err = keys(o); err != nil {
			return nil, fmt.Errorf("federation: keys of anchor %q: %w", id, err)
		}
		if len(r.anchors[id]) == 0 {
			return nil, fmt.Errorf("federation: anchor %q has no key that verifies signatures", id)
		}
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	r.fetcher = newFetcher(c, r.limits)
	r.places = newPlaces(r.limits.Concurrent)
	r.kept = &kept{r: r, limit: r.limits.Kept, entries: map[question]*entry{}, before: map[string]struct{}{}}
	return r, nil
}

// Resolved is an entity as its federation knows it. Only a Resolver makes it. It is shared: do not change it.
type Resolved struct {
	// Entity is its identifier, Type the entity type as which it was resolved, Anchor the trust anchor.
	Entity, Type, Anchor string
	// Metadata are its metadata of all its types, after the policies of its superiors.
	Metadata Metadata
	// Keys is its federation key set, as its immediate superior vouches for it, in JSON.
	Keys []byte
	// Chain are the statements of the trust chain, from the entity to the anchor.
	Chain []string
	// TrustMarks are the required trust marks, verified, by their types.
	TrustMarks map[string]string
	// ExpiresAt is until when this may be believed.
	ExpiresAt time.Time

	keys   keySet
	client []byte // of a relying party that registers
}

type question struct {
	entity, typ string
	client      bool
}

// Resolve resolves an entity that plays a role, by its entity type ("openid_relying_party", …); "" is whatever role it plays, with only
// the trust marks that every type needs. It fetches what is not kept. Errors are of type *Error.
func (r *Resolver) Resolve(ctx context.Context, entity, typ string) (*Resolved, error) {
	if _, err := identified(entity); err != nil {
		return nil, err
	}
	return r.kept.get(ctx, question{entity, typ, false}, func(ctx context.Context) (*Resolved, error) {
		return r.fresh(ctx, entity, typ, nil)
	})
}

// ResolveChain resolves an entity by a trust chain that it sent (4.3). Nothing is fetched, but what trust marks need. What was
// resolved is not kept: the chain is not the entity's only one.
func (r *Resolver) ResolveChain(ctx context.Context, entity, typ string, tokens []string) (*Resolved, error) {
	if _, err := identified(entity); err != nil {
		return nil, err
	}
	return r.sent(ctx, entity, typ, tokens, nil)
}

// then is what follows a resolution, on the same budget.
type then func(context.Context, *budget, *Resolved) error

func (r *Resolver) fresh(ctx context.Context, entity, typ string, next then) (*Resolved, error) {
	b := r.fetcher.budget()
	c, err := r.find(ctx, b, entity)
	if err != nil {
		return nil, err
	}
	return r.resolved(ctx, b, c, typ, next)
}

func (r *Resolver) sent(ctx context.Context, entity, typ string, tokens []string, next then) (*Resolved, error) {
	c, err := chained(tokens, entity, r.anchors, r.limits, r.now())
	if err != nil {
		return nil, err
	}
	ctx, done, err := r.enter(ctx, entity, r.kept.known(entity))
	if err != nil {
		return nil, err
	}
	defer done()
	return r.resolved(ctx, r.fetcher.budget(), c, typ, next)
}

// Kept returns what is kept of an entity, and nothing else: for answers to whoever asks. "" is as whatever it was resolved.
func (r *Resolver) Kept(entity, typ string) (*Resolved, bool) {
	now := r.now()
	asked := []question{{entity, typ, false}, {entity, typ, true}}
	if typ == "" {
		asked = append(asked, question{entity, relyingParty, true}, question{entity, relyingParty, false}, question{entity, "openid_provider", false})
	}
	for _, q := range asked {
		if v, there := r.kept.peek(q, now); there {
			return v, true
		}
	}
	return nil, false
}

// enter takes one of the places for resolutions. Its context ends when a resolution has taken too long.
func (r *Resolver) enter(ctx context.Context, entity string, before bool) (context.Context, func(), error) {
	free, ok := r.places.take(entity, askerOf(ctx), before)
	if !ok {
		return nil, nil, &Error{Reason: Busy}
	}
	ctx, cancel := context.WithTimeout(ctx, r.limits.Time)
	return ctx, func() { cancel(); free() }, nil
}

func (r *Resolver) resolved(ctx context.Context, b *budget, c *chain, typ string, next then) (*Resolved, error) {
	entity := c.subject.subject
	m, err := c.resolve()
	if err != nil {
		return nil, err
	}
	if _, plays := m[typ]; typ != "" && !plays {
		return nil, refuse(EntityType, entity, "is no %.60q, or may not be", typ)
	}
	marks := map[string]string{}
	end := c.expires()
	required := slices.Clone(r.required[""])
	if typ != "" {
		required = append(required, r.required[typ]...)
	}
	for _, t := range required {
		mark, err := r.mark(ctx, b, c, t)
		if err != nil {
			return nil, err
		}
		marks[t] = mark.raw
		if !mark.end.IsZero() && mark.end.Before(end) {
			end = mark.end
		}
	}
	now := r.now()
	if latest := now.Add(r.limits.Lifetime); latest.Before(end) {
		end = latest
	}
	set := c.subject.keys
	published := c.subject.published
	if len(c.links) > 0 {
		set, published = c.links[0].keys, c.links[0].published
	}
	text, err := json.Marshal(published)
	if err != nil {
		return nil, &Error{Reason: Malformed, Entity: entity, Cause: err}
	}
	v := &Resolved{Entity: entity, Type: typ, Anchor: c.name, Metadata: m, Keys: text, Chain: c.tokens(), TrustMarks: marks,
		ExpiresAt: end, keys: set}
	if next != nil {
		if err := next(ctx, b, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

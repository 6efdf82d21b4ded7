package federation

import (
	"context"
	"net/netip"
	"net/url"
	"sync"
)

// places are those of resolutions under way. A stranger starts one by naming himself, and a host that takes a connection and says nothing
// holds it for as long as a resolution may take: whoever names sixteen of them must not shut out everybody else. So of all places a
// quarter is for entities that were resolved before, which are the ones on which people work; and nobody else's entities of one
// host, and no one who asks, have more than a quarter.
type places struct {
	total, strangers, share int

	mu           sync.Mutex
	taken        int
	takenByOther int // of entities that were not resolved before
	hosts        map[string]int
	askers       map[netip.Prefix]int
}

func newPlaces(total int) *places {
	total = max(total, 1)
	return &places{total: total, strangers: total - total/4, share: max(total/4, 1), hosts: map[string]int{}, askers: map[netip.Prefix]int{}}
}

// take takes a place for an entity, which whoever takes it gives back by free. The zero asker is not known, and not bounded.
func (p *places) take(entity string, asker netip.Prefix, before bool) (free func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.total {
		return nil, false
	}
	if before {
		p.taken++
		return func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.taken--
		}, true
	}
	host := hostOf(entity)
	if p.takenByOther >= p.strangers || p.hosts[host] >= p.share || asker.IsValid() && p.askers[asker] >= p.share {
		return nil, false
	}
	p.taken++
	p.takenByOther++
	p.hosts[host]++
	if asker.IsValid() {
		p.askers[asker]++
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		p.takenByOther--
		less(p.hosts, host)
		less(p.askers, asker)
	}, true
}

// less takes one off a count. What counts nothing is forgotten: names are strangers' own.
func less[K comparable](counts map[K]int, of K) {
	if counts[of]--; counts[of] <= 0 {
		delete(counts, of)
	}
}

func hostOf(entity string) string {
	u, err := url.Parse(entity)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

type askerKey struct{}

// AskedFrom says from which address a question comes, for those that a resolver is asked with the context: of one address no more than
// a quarter of the places are taken. One of IPv6 stands for its network, where everybody has as many as he likes.
func AskedFrom(ctx context.Context, a netip.Addr) context.Context {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	network, err := a.Prefix(bits)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, askerKey{}, network)
}

func askerOf(ctx context.Context) netip.Prefix {
	network, _ := ctx.Value(askerKey{}).(netip.Prefix)
	return network
}

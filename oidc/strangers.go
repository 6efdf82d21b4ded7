package oidc

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sceau/internal/network"
)

// StrangersConfig says how much strangers keep, and who is none.
type StrangersConfig struct {
	// Octets are what all of them keep together. Zero: a quarter of a MemoryStore, 64 MiB of another. More than half of a MemoryStore is
	// refused: what the authenticated need stands in the rest.
	Octets int
	// Proxies are the addresses from which many come: theirs count among all alone.
	Proxies []netip.Prefix
	// Log is for the operator; nil: slog's default.
	Log *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Strangers bounds what those keep in a Store who have proven nothing: the attempts that they began, what was pushed, and the
// identifiers of request objects, which a client makes for anybody. A Store that is full refuses everybody; so all strangers together
// have a share of it, and each of them at most a sixteenth of what is free of that. A stranger is an address, as network.Of counts it, or
// a client that pushes for strangers. The more somebody keeps by many addresses, the less the next of them gets: with a share of 64 MiB
// it takes more than a hundred networks to leave nothing for another, and then nobody begins a login until theirs end; whoever is logged
// in has what he has.
//
// One bounds all establishments that share a Store, in one process: replicas count for themselves, and what another began is not counted
// here. It is safe for concurrent use. The zero value lets nobody keep anything.
type Strangers struct {
	octets  int
	proxies []netip.Prefix
	log     *slog.Logger
	now     func() time.Time
	told    rate.Sometimes

	mu    sync.Mutex
	kept  map[string]*holding // by the key in the Store
	by    map[stranger]int    // octets
	total int
	ends  holdings
}

// A stranger is whom something is counted for.
type stranger struct {
	network netip.Prefix
	client  string // of an establishment
	proxy   bool
}

// A holding is what one keeps under a key.
type holding struct {
	key    string
	of     stranger
	octets int
	until  time.Time
	at     int // in holdings
}

const (
	// part is of what is free the part that one has.
	part = 16
	// attemptRoom is counted for an attempt beyond what it takes when it begins: for what means keep of it until it ends, so that
	// nobody is refused in its midst, and for the two entries of what was pushed. Measured: 774 octets at the beginning, 342 more for
	// an upstream provider, 238 for a passkey, 360 for what was pushed, 1200 for the questions to a wallet on this device and on another.
	attemptRoom = 2 << 10
	// strangersOctets is the share of a Store that is not bounded by octets. It bounds what is remembered here.
	strangersOctets = 64 << 20
)

// errStrangers is each refusal of Strangers.
var (
	errStrangers    = errors.New("oidc: no room for who has not authenticated")
	errAllStrangers = fmt.Errorf("%w: all of them keep as much as they may", errStrangers)
	errOneStranger  = fmt.Errorf("%w: one keeps as much as one may", errStrangers)
)

// NewStrangers makes the bound of a Store.
func NewStrangers(s Store, c StrangersConfig) (*Strangers, error) {
	memory, bounded := s.(*MemoryStore)
	switch {
	case c.Octets < 0, bounded && c.Octets > memory.limit/2:
		return nil, errors.New("oidc: strangers may keep between nothing and half of the store")
	case c.Octets == 0 && bounded:
		c.Octets = memory.limit / 4
	case c.Octets == 0:
		c.Octets = strangersOctets
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Strangers{octets: c.Octets, proxies: c.Proxies, log: c.Log, now: c.Now, told: rate.Sometimes{Interval: time.Minute},
		kept: map[string]*holding{}, by: map[stranger]int{}}, nil
}

// take counts what is kept under a key until its end for somebody, whoever it was counted for before, or refuses it.
func (s *Strangers) take(key string, of stranger, octets int, until time.Time) error {
	err := s.tryTake(key, of, octets, until)
	if err != nil && s.log != nil {
		s.told.Do(func() { s.log.Warn("logins are refused", "cause", err, "most", s.octets) })
	}
	return err
}

func (s *Strangers) tryTake(key string, of stranger, octets int, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	old := s.kept[key]
	free, has := s.octets-s.total, s.by[of]
	if old != nil {
		if free += old.octets; old.of == of {
			has -= old.octets
		}
	}
	if old == nil || old.of != of || octets > old.octets { // who needs no more than he had is not refused
		switch {
		case octets > free:
			return errAllStrangers
		case !of.proxy && has+octets > free/part:
			return errOneStranger
		}
	}
	if old != nil {
		s.remove(old)
	}
	h := &holding{key: key, of: of, octets: octets, until: until}
	s.kept[key] = h
	s.by[of] += octets
	s.total += octets
	heap.Push(&s.ends, h)
	return nil
}

// grow counts that there is more under a key, for the same. Of what is not counted here (another replica began it, or it came before
// this process) nothing is.
func (s *Strangers) grow(key string, octets int, until time.Time) error {
	s.mu.Lock()
	h := s.kept[key]
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	return s.take(key, h.of, max(octets, h.octets), until)
}

// leave says that nothing is under a key any more.
func (s *Strangers) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.kept[key]; h != nil {
		s.remove(h)
	}
}

// expire forgets what the Store does not find any more.
func (s *Strangers) expire() {
	if len(s.ends) == 0 {
		return
	}
	for now := s.now(); len(s.ends) > 0 && !now.Before(s.ends[0].until); {
		s.remove(s.ends[0])
	}
}

func (s *Strangers) remove(h *holding) {
	delete(s.kept, h.key)
	s.total -= h.octets
	if s.by[h.of] -= h.octets; s.by[h.of] == 0 {
		delete(s.by, h.of)
	}
	heap.Remove(&s.ends, h.at)
}

// holdings are a heap, the one that ends first in front.
type holdings []*holding

func (a holdings) Len() int           { return len(a) }
func (a holdings) Less(i, j int) bool { return a[i].until.Before(a[j].until) }
func (a holdings) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].at, a[j].at = i, j
}

func (a *holdings) Push(h any) {
	h.(*holding).at = len(*a)
	*a = append(*a, h.(*holding))
}

func (a *holdings) Pop() any {
	last := len(*a) - 1
	h := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return h
}

// by is whom what a request keeps is counted for: the client that has authenticated, or else the address.
func (s *state) by(c *call) stranger {
	switch {
	case c == nil:
		return stranger{}
	case c.client != nil && !c.client.Public():
		return s.client(c.client.ID())
	}
	from := c.event.Sealed.Source
	return stranger{network: network.Of(from), proxy: network.Within(s.strangers.proxies, from)}
}

func (s *state) client(id string) stranger { return stranger{client: s.prefix + "/" + id} }

// begun counts an attempt, or what was pushed. What goes on is not begun again, and stays with whom it began with.
func (s *state) begun(ctx context.Context, key string, octets int, until time.Time) error {
	c := callOf(ctx)
	if c != nil && c.endpoint == endpointAttempt {
		return c.refused(s.strangers.grow(key, octets, until))
	}
	return c.refused(s.strangers.take(key, s.by(c), octets+attemptRoom, until))
}

// unbegun takes that back: it could not be written. What goes on is there as it was.
func (s *state) unbegun(ctx context.Context, key string) {
	if c := callOf(ctx); c == nil || c.endpoint != endpointAttempt {
		s.strangers.leave(key)
	}
}

// refused notes that there is no room: the client comes again with what it has.
func (c *call) refused(err error) error {
	if c != nil && c.outage == nil && err != nil {
		c.outage = err
	}
	return err
}

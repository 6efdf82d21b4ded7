// Package limit makes guessing slow: it counts attempts by key, a name that was typed or an address, and lets one that failed
// often wait ever longer. It knows nothing of whether a name exists, so that its answers tell nobody.
package limit

import (
	"container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sceau/internal/network"
)

// Config says how many attempts there are. The zero Config is refused.
type Config struct {
	// Free is how many attempts may fail before one waits. After that the wait is First, and doubles with each that fails, up
	// to Most.
	Free        int
	First, Most time.Duration

	// Keys bounds what is remembered. Where there is no room the key that was tried longest ago is forgotten: a key under attack
	// is tried all the time, and whoever would push it out has to fail with as many others.
	Keys int
}

// Names are the limits of a name or an account: five attempts, then from two seconds to a quarter of an hour.
func Names() Config {
	return Config{Free: 5, First: 2 * time.Second, Most: 15 * time.Minute, Keys: 1 << 16}
}

// Addresses are the limits of an address, behind which a whole hospital may be.
func Addresses() Config {
	return Config{Free: 60, First: time.Second, Most: 5 * time.Minute, Keys: 1 << 16}
}

// A Limiter counts. It is safe for concurrent use. It keeps no key, but digests under a secret of the process.
type Limiter struct {
	config Config
	secret [32]byte

	mu     sync.Mutex
	counts map[digest]*list.Element
	order  list.List // of *count, the one tried last at the front
}

type digest [16]byte

type count struct {
	key   digest
	tried int
	until time.Time // nobody tries before
	last  time.Time
}

// New makes a Limiter.
func New(c Config) (*Limiter, error) {
	if c.Free < 1 || c.First <= 0 || c.Most < c.First || c.Keys < 1 {
		return nil, errors.New("limit: a limit without a bound")
	}
	l := &Limiter{config: c, counts: make(map[digest]*list.Element)}
	rand.Read(l.secret[:]) // never fails (crypto/rand)
	return l, nil
}

// Try counts an attempt before it is known how it ends, so that a thousand at once are a thousand. It returns how long the key has
// to wait; where that is more than nothing there is no attempt and nothing was counted.
func (l *Limiter) Try(now time.Time, key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.find(key)
	if wait := c.until.Sub(now); wait > 0 {
		return wait
	}
	if now.Sub(c.last) > 2*l.config.Most {
		c.tried = 0
	}
	c.tried++
	c.last = now
	if over := c.tried - l.config.Free; over >= 0 {
		c.until = now.Add(l.wait(over))
	}
	return 0
}

// wait is First, doubled.
func (l *Limiter) wait(times int) time.Duration {
	wait := l.config.First
	for range times {
		if wait *= 2; wait >= l.config.Most {
			return l.config.Most
		}
	}
	return min(wait, l.config.Most)
}

// Forget forgets all attempts of a key: one succeeded.
func (l *Limiter) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.digest(key)
	if e := l.counts[k]; e != nil {
		l.order.Remove(e)
		delete(l.counts, k)
	}
}

// Return takes back one attempt of a key that said nothing: it succeeded for an address from which others try too, or there was
// nobody to judge it.
func (l *Limiter) Return(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.counts[l.digest(key)]; e != nil {
		c := e.Value.(*count)
		c.tried = max(c.tried-1, 0)
		if c.tried < l.config.Free {
			c.until = time.Time{}
		}
	}
}

func (l *Limiter) find(key string) *count {
	k := l.digest(key)
	if e := l.counts[k]; e != nil {
		l.order.MoveToFront(e)
		return e.Value.(*count)
	}
	if len(l.counts) >= l.config.Keys {
		last := l.order.Back()
		delete(l.counts, last.Value.(*count).key)
		l.order.Remove(last)
	}
	c := &count{key: k}
	l.counts[k] = l.order.PushFront(c)
	return c
}

func (l *Limiter) digest(key string) (d digest) {
	mac := hmac.New(sha256.New, l.secret[:])
	mac.Write([]byte(key))
	copy(d[:], mac.Sum(nil))
	return d
}

// Address is the key of who asks, of the RemoteAddr of a request: his address, or the network of one of IPv6, where everybody has
// as many addresses as he likes.
func Address(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return "unknown"
	}
	return network.Of(at.Addr()).String()
}

// Name is the key of a name that was typed. Whoever looks a name up takes no entry whose name has another key: two spellings of
// one name would have two counters.
func Name(typed string) string { return strings.ToLower(typed) }

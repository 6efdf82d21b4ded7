package oidc

import (
	"errors"
	"maps"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNewStrangers(t *testing.T) {
	memory := NewMemoryStore(1<<20, nil)
	for _, c := range []struct {
		name   string
		store  Store
		octets int
		want   int // 0: refused
	}{
		{"a quarter of the memory", memory, 0, 1 << 18},
		{"half of it", memory, 1 << 19, 1 << 19},
		{"more than half of it", memory, 1<<19 + 1, 0},
		{"less than nothing", memory, -1, 0},
		{"of another store", &faulty{}, 0, 64 << 20},
		{"less than nothing of another", &faulty{}, -1, 0},
		{"much of another", &faulty{}, 1 << 40, 1 << 40},
	} {
		s, err := strangersOf(c.store, StrangersConfig{Octets: c.octets})
		if (err == nil) != (c.want != 0) || err == nil && s.octets != c.want {
			t.Errorf("%s: %+v %v", c.name, s, err)
		}
	}
	if err := new(Strangers).take("k", stranger{}, 1, time.Now().Add(time.Hour)); !errors.Is(err, errStrangers) {
		t.Errorf("the zero value: %v", err)
	}
}

// TestStrangersAddresses: how many addresses it takes to leave no room for another, with what is kept of an attempt.
func TestStrangersAddresses(t *testing.T) {
	const attempt = 774 + attemptRoom
	s := must(strangersOf(&faulty{}, StrangersConfig{}))
	until, attempts, addresses := time.Now().Add(time.Hour), 0, 0
	for ; ; addresses++ {
		of, n := stranger{network: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(addresses >> 8), byte(addresses)}), 32)}, 0
		for s.take(strconv.Itoa(attempts), of, attempt, until) == nil {
			n++
			attempts++
		}
		if addresses == 0 && n < 1300 {
			t.Errorf("one has room for %d", n)
		}
		if n == 0 {
			break
		}
	}
	if addresses < 100 || attempts < 23_000 {
		t.Errorf("%d attempts of %d addresses leave no room", attempts, addresses)
	}
}

// TestStrangersModel holds the count against a reference that looks at all that is kept.
func TestStrangersModel(t *testing.T) {
	who := []stranger{{client: "a"}, {network: netip.MustParsePrefix("192.0.2.1/32")}, {network: netip.MustParsePrefix("2001:db8::/64")}, {proxy: true}}
	type entry struct {
		of     stranger
		octets int
		until  time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_800_000_000, 0)
		s := must(strangersOf(&faulty{}, StrangersConfig{Octets: rapid.IntRange(1, 400).Draw(t, "octets"), Now: func() time.Time { return now }}))
		kept := map[string]entry{}
		sum := func(of *stranger, but string) (n int) {
			for key, e := range kept {
				if key != but && (of == nil || e.of == *of) {
					n += e.octets
				}
			}
			return n
		}
		take := func(t *rapid.T, key string, e entry, do func() error) {
			old, had := kept[key]
			free := s.octets - sum(nil, key)
			fits := e.octets <= free && (e.of.proxy || part*(sum(&e.of, key)+e.octets) <= free) || had && old.of == e.of && e.octets <= old.octets
			if err := do(); (err == nil) != fits {
				t.Fatalf("%+v under %s, with %v: %v", e, key, kept, err)
			}
			if fits {
				kept[key] = e
			}
		}
		keys := rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6"})
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				e := entry{rapid.SampledFrom(who).Draw(t, "of"), rapid.IntRange(1, 60).Draw(t, "octets"), now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "for")) * time.Minute)}
				take(t, key, e, func() error { return s.take(key, e.of, e.octets, e.until) })
			},
			"grow": func(t *rapid.T) {
				key, octets := keys.Draw(t, "key"), rapid.IntRange(1, 90).Draw(t, "octets")
				e, had := kept[key]
				if !had {
					if err := s.grow(key, octets, now.Add(time.Minute)); err != nil {
						t.Fatalf("what is not counted: %v", err)
					}
					return
				}
				e.octets = max(e.octets, octets)
				take(t, key, e, func() error { return s.grow(key, octets, e.until) })
			},
			"leave": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				s.leave(key)
				delete(kept, key)
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 150).Draw(t, "seconds")) * time.Second)
				maps.DeleteFunc(kept, func(_ string, e entry) bool { return !now.Before(e.until) })
				s.mu.Lock()
				s.expire()
				s.mu.Unlock()
			},
			"": func(t *rapid.T) {
				if s.total != sum(nil, "") || s.total > s.octets || len(s.kept) != len(kept) || len(s.ends) != len(kept) {
					t.Fatalf("%d octets in %d of %d, for %v", s.total, len(s.kept), len(s.ends), kept)
				}
				for _, of := range who {
					if s.by[of] != sum(&of, "") {
						t.Fatalf("%+v has %d, for %v", of, s.by[of], kept)
					}
				}
			},
		})
	})
}

package message

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/bench/load/measure"
)

// TestSeed: a seed decides kinds and consumers, whoever asks; another seed decides otherwise.
func TestSeed(t *testing.T) {
	kinds := func(seed uint64) (list []string) {
		maker := newMaker(t, MakerConfig{PKI: only(t, 3), Mix: everything(), Seed: seed, Replay: NewRing(1, time.Hour)})
		for n := range uint64(60) {
			m, err := maker.make(n, time.Now())
			fatal(t, err)
			consumer, _ := consumerIn(m.id)
			list = append(list, string(m.kind)+" "+string(rune('0'+consumer)))
		}
		return list
	}
	if first, again := kinds(7), kinds(7); !slices.Equal(first, again) {
		t.Errorf("one seed:\n%v\n%v", first, again)
	}
	if slices.Equal(kinds(7), kinds(8)) {
		t.Error("two seeds, one sequence")
	}
}

// TestIdentifiers: no identifier comes twice, from one Maker or from two, also when many ask
// at the same time; nor does a message.
func TestIdentifiers(t *testing.T) {
	var mu sync.Mutex
	ids, bodies := map[string]bool{}, map[string]bool{}
	for range 2 {
		maker := newMaker(t, MakerConfig{PKI: only(t, 3), Mix: Queries(), Seed: 1})
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 25 {
					var shot measure.Shot
					if err := maker.Next(time.Time{}, &shot); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if ids[shot.ID] || bodies[string(shot.Body)] || shot.ID == "" {
						t.Errorf("%q comes twice", shot.ID)
					}
					ids[shot.ID], bodies[string(shot.Body)] = true, true
					mu.Unlock()
				}
			})
		}
		group.Wait()
	}
	if len(ids) != 200 {
		t.Errorf("%d identifiers", len(ids))
	}
}

// TestIdentifier: the consumer is read back from an identifier, and from nothing else.
func TestIdentifier(t *testing.T) {
	maker := newMaker(t, MakerConfig{Mix: Queries()})
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.IntRange(0, maxConsumers-1).Draw(t, "consumer")
		id := maker.id(number, rapid.Uint64().Draw(t, "n"))
		if found, ok := consumerIn(id); !ok || found != number {
			t.Fatalf("%s: %d %t", id, found, ok)
		}
	})
	for _, id := range []string{"", "request-", "request-.", "request-1", "request-1x.", "assertion-1.", "request--1.", "request-99999999999999999999999."} {
		if number, ok := consumerIn(id); ok && number < maxConsumers {
			t.Errorf("%q is consumer %d", id, number)
		}
	}
}

// TestDraw: an index is drawn exactly as often as its weight says, over all numbers.
func TestDraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 6).Draw(t, "weights")
		sum := 0
		for _, w := range weights {
			sum += w
		}
		d, err := newDraw(weights)
		if sum == 0 {
			if err == nil {
				t.Fatal("nothing can be drawn, and no error")
			}
			return
		}
		found := make([]int, len(weights))
		for n := range sum {
			found[d.at(uint64(n+3*sum))]++
		}
		if err != nil || !slices.Equal(found, weights) {
			t.Fatalf("%v instead of %v, %v", found, weights, err)
		}
	})
}

// TestMoment: messages are made for now, whatever is due, or for the agreed moment.
func TestMoment(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	for name, test := range map[string]struct {
		config MakerConfig
		want   []string
	}{
		"now":    {MakerConfig{}, []string{"Created>2026-03-01T12:00:00.123Z<", "Expires>2026-03-01T12:01:00.123Z<", `IssueInstant="2026-03-01T12:00:00.123Z"`, `NotOnOrAfter="2026-03-01T20:00:00.123Z"`}},
		"agreed": {MakerConfig{Clock: now.AddDate(1, 0, 0), Lifetime: 5 * time.Minute}, []string{"Created>2027-03-01T12:00:00.123Z<", "Expires>2027-03-01T12:05:00.123Z<"}},
	} {
		test.config.Mix, test.config.Now = Queries(), func() time.Time { return now }
		var shot measure.Shot
		maker := newMaker(t, test.config)
		fatal(t, maker.Next(now.Add(-time.Hour), &shot))
		for _, want := range test.want {
			if !bytes.Contains(shot.Body, []byte(want)) {
				t.Errorf("%s: no %s in\n%s", name, want, shot.Body)
			}
		}
		if shot.Action != DefaultWire().Action || shot.Kind != measure.Query || !maker.Live() {
			t.Errorf("%s: %+v", name, shot)
		}
	}
}

// TestReplayed: before anything was answered a good query goes in the place of a replay, and is
// counted as one; afterwards what was answered, octet for octet.
func TestReplayed(t *testing.T) {
	ring := NewRing(2, time.Minute)
	maker := newMaker(t, MakerConfig{Mix: Mix{measure.Replay: 1}, Replay: ring})
	var shot measure.Shot
	fatal(t, maker.Next(time.Now(), &shot))
	if shot.Kind != measure.Query || shot.ID == "" || !bytes.Contains(shot.Body, []byte(shot.ID)) {
		t.Errorf("%s %q", shot.Kind, shot.ID)
	}
	ring.put([]byte("answered"), time.Now())
	fatal(t, maker.Next(time.Now(), &shot))
	if shot.Kind != measure.Replay || shot.ID != "" || string(shot.Body) != "answered" {
		t.Errorf("%s %q", shot.Kind, shot.Body)
	}
}

// TestRing: the ring is bounded, gives all that it has in turn, and nothing that is old.
func TestRing(t *testing.T) {
	at := time.Unix(1000, 0)
	ring := NewRing(3, 10*time.Second)
	if ring.take(at) != nil {
		t.Error("something of nothing")
	}
	for _, text := range []string{"a", "b", "c", "d", "e"} {
		ring.put([]byte(text), at)
		at = at.Add(time.Second)
	}
	taken := map[string]int{}
	for range 6 {
		taken[string(ring.take(at))]++
	}
	if len(taken) != 3 || taken["c"] != 2 || taken["d"] != 2 || taken["e"] != 2 {
		t.Error(taken)
	}
	at = time.Unix(1000, 0).Add(13 * time.Second) // e is 9 seconds old, d 10
	for range 3 {
		if body := ring.take(at); string(body) != "e" {
			t.Errorf("%q", body)
		}
	}
	if body := ring.take(at.Add(time.Hour)); body != nil {
		t.Errorf("%q", body)
	}
}

// TestRingTurns: what gives its place to another costs nobody its turn.
func TestRingTurns(t *testing.T) {
	at, ring, taken := time.Unix(1000, 0), NewRing(3, time.Hour), ""
	for _, text := range []string{"a", "b", "c", "d", "e"} {
		ring.put([]byte(text), at)
		if text >= "c" {
			taken += string(ring.take(at))
		}
	}
	if taken += string(ring.take(at)); taken != "abcd" {
		t.Errorf("taken in the order %s", taken)
	}
}

// TestRingBytes: however many places there are, no more than so many bytes are held; the youngest are.
func TestRingBytes(t *testing.T) {
	at := time.Unix(1000, 0)
	ring := NewRing(1000, time.Hour)
	big := make([]byte, maxRingBytes/4)
	for i := range 10 {
		ring.put(big[:len(big)-i], at)
	}
	taken := map[int]int{}
	for range 8 {
		taken[len(ring.take(at))]++
	}
	if len(taken) != 4 || taken[len(big)-9] != 2 || taken[len(big)-6] != 2 {
		t.Errorf("%v", taken)
	}
	ring.put(make([]byte, maxRingBytes+1), at)
	ring.put([]byte("small"), at)
	if ring.held != 5 || ring.bytes != 4*len(big)-6-7-8-9+5 {
		t.Errorf("%d messages of %d bytes", ring.held, ring.bytes)
	}
}

// TestSpoil: one character of the header's signature is another, and nothing else.
func TestSpoil(t *testing.T) {
	for i := range profiles() {
		shot, _ := good(t, i)
		spoilt := bytes.Clone(shot.Body)
		fatal(t, spoil(spoilt))
		different := 0
		for i := range spoilt {
			if spoilt[i] != shot.Body[i] {
				different++
			}
		}
		if different != 1 || len(spoilt) != len(shot.Body) {
			t.Errorf("%d characters differ", different)
		}
	}
	if err := spoil([]byte("<ds:SignatureValue>")); err == nil {
		t.Error("a signature was spoilt that is not there")
	}
}

// TestMakerRefused: what can make no messages is said.
func TestMakerRefused(t *testing.T) {
	p := testPKI(t)
	for name, test := range map[string]struct {
		config MakerConfig
		want   string
	}{
		"no PKI":            {MakerConfig{Mix: Queries()}, "no PKI"},
		"no mix":            {MakerConfig{PKI: p}, "no weight"},
		"unknown kind":      {MakerConfig{PKI: p, Mix: Mix{"odd": 1}}, `no kind "odd"`},
		"negative":          {MakerConfig{PKI: p, Mix: Mix{measure.Query: -1}}, "weight -1"},
		"no ring":           {MakerConfig{PKI: p, Mix: everything()}, "no ring"},
		"negative pad":      {MakerConfig{PKI: p, Mix: Queries(), Pad: -1}, "padded to -1 bytes"},
		"too much pad":      {MakerConfig{PKI: p, Mix: Queries(), Pad: MaxPad + 1}, "padded to 1000001 bytes"},
		"negative lifetime": {MakerConfig{PKI: p, Mix: Queries(), Lifetime: -1}, "lifetime"},
		"negative cold":     {MakerConfig{PKI: p, Mix: Queries(), Cold: -1}, "cold"},
	} {
		if m, err := NewMaker(t.Context(), test.config); err == nil || m != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package client

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

func number(n int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// TestO4ReplayExact: of concurrent calls with one digest exactly one succeeds (attacks.md R1).
func TestO4ReplayExact(t *testing.T) {
	m := &memoryReplay{capacity: 100}
	var admitted [100]atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range admitted {
				switch err := m.Remember(number(i), start.Add(time.Minute), start); {
				case err == nil:
					admitted[i].Add(1)
				case !errors.Is(err, ErrReplayed):
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for i := range admitted {
		if n := admitted[i].Load(); n != 1 {
			t.Errorf("%d was admitted %d times", i, n)
		}
	}
}

// TestO4ReplayProperty: whatever comes and however the clock goes, nothing is taken twice before it ends, never more are kept than
// may be, and with room and a clock that goes on what is new is taken. An identifier with another end is another assertion, which
// its client signed: it is kept apart from the first by a clock that goes on, and only then.
func TestO4ReplayProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &memoryReplay{capacity: rapid.IntRange(0, 5).Draw(t, "capacity")}
		taken := map[int]time.Time{} // until
		now, latest := start, start
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-5, 20).Draw(t, "seconds")) * time.Second)
			n := rapid.IntRange(0, 9).Draw(t, "which")
			until := now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "life")) * time.Second)
			live := 0
			for _, end := range taken {
				if now.Before(end) {
					live++
				}
			}
			end, seen := taken[n]
			if seen && now.Before(end) && rapid.Bool().Draw(t, "the same") {
				until = end
			}
			switch err := m.Remember(number(n), until, now); {
			case err == nil && seen && now.Before(end) && (until.Equal(end) || !now.Before(latest)):
				t.Fatal("taken twice")
			case err == nil:
				taken[n] = until
			case errors.Is(err, ErrReplayed) && !(seen && now.Before(end)):
				t.Fatal("not seen before")
			case errors.Is(err, ErrReplayFull) && live < m.capacity:
				t.Fatalf("full with %d of %d", live, m.capacity)
			case errors.Is(err, errForgotten) && !now.Before(latest):
				t.Fatal("forgotten, and the clock went on")
			}
			if now.After(latest) {
				latest = now
			}
			if len(m.until) > m.capacity {
				t.Fatalf("%d are kept of %d", len(m.until), m.capacity)
			}
		}
	})
}

// TestJTI: names of clients and of assertions are kept apart.
func TestJTI(t *testing.T) {
	if jtiDigest("a", "bc") == jtiDigest("ab", "c") || jtiDigest("", "a") == jtiDigest("a", "") {
		t.Error("two assertions with one digest")
	}
}

// TestO5Public: the addresses of the Special-Purpose Address Registries, one of each.
func TestO5Public(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1": true, "193.190.1.1": true, "192.0.1.1": true, "172.15.0.1": true, "172.32.0.1": true, "100.128.0.1": true,
		"2a02:2788::1": true, "2606:4700::1111": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "127.255.255.254": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false,
		"192.168.1.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "240.0.0.1": false,
		"255.255.255.255": false,
		"::":              false, "::1": false, "::ffff:10.0.0.1": false, "::10.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false, "100::1": false,
		"2001::1": false, "2001:db8::1": false, "2002:7f00:1::": false, "3fff::1": false, "5f00::1": false, "fc00::1": false, "fd12::1": false,
		"fe80::1": false, "fec0::1": false, "ff02::1": false,
	} {
		err := permit(nil, "tcp4", netip.AddrPortFrom(netip.MustParseAddr(text), 443).String())
		if (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s: %v is not ErrForbiddenAddress", text, err)
		}
		allow := []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(text).Unmap(), netip.MustParseAddr(text).Unmap().BitLen())}
		if err := permit(allow, "tcp6", netip.AddrPortFrom(netip.MustParseAddr(text), 443).String()); err != nil {
			t.Errorf("%s is allowed: %v", text, err)
		}
	}
	for _, address := range []string{"", "1.1.1.1", "name:443", "/tmp/socket"} {
		if permit(nil, "tcp4", address) == nil {
			t.Errorf("%q", address)
		}
	}
	if permit([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, "unix", "1.1.1.1:443") == nil {
		t.Error("a socket of this machine")
	}
}

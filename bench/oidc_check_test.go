package bench

import (
	"testing"

	"sceau/internal/testpki"
)

// TestTokenAllocations holds the token endpoint, with everything on, to its ceilings: allocations of a request, and what it asks of the store. Most
// of the former are the library's and crypto's.
func TestTokenAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	pki := testpki.Load()
	for _, c := range []struct {
		algorithm               string
		key                     *testpki.Leaf
		code, refresh, exchange float64
	}{{"ES256", &pki.STSP256, 725, 740, 190}, {"RS256", &pki.STS, 600, 612, 130}} {
		e := newEstablishment(t, c.algorithm, c.key, &pki.STS, 0)
		for _, l := range []struct {
			*grantLane
			most  float64
			asked int
		}{{e.codes(), c.code, 8}, {e.refreshes(8 + 100), c.refresh, 9}, {e.exchanges(&pki.STS), c.exchange, 3}} {
			t.Run(c.algorithm+"/"+l.name, func(t *testing.T) {
				l.establishment.TB = t
				got, keys := l.heap(100), l.operationsHeap()
				asked := l.asks()
				t.Logf("%.1f allocations, %.1f of them in public-key operations, %.0f octets; the store is asked %d times", got.allocations, keys, got.bytes, asked)
				if got.allocations > l.most {
					t.Errorf("%.1f allocations a request, want at most %.0f", got.allocations, l.most)
				}
				if asked > l.asked {
					t.Errorf("the store is asked %d times, want at most %d", asked, l.asked)
				}
			})
		}
	}
}

// asks counts what one request asks of the store.
func (l *grantLane) asks() int {
	l.take(1)
	before := l.store.asked
	l.ServeHTTP(&l.answers[0], l.requests[0])
	asked := l.store.asked - before
	l.check()
	return asked
}

// TestTokenIgnoresSize: what a request takes and asks of the store is the same for a few and for many clients, grants and sessions.
func TestTokenIgnoresSize(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	pki := testpki.Load()
	small := newEstablishment(t, "ES256", &pki.STSP256, &pki.STS, 0)
	clients := newEstablishment(t, "ES256", &pki.STSP256, &pki.STS, 2000)
	kept := newEstablishment(t, "ES256", &pki.STSP256, &pki.STS, 0)
	kept.fill(3000)
	for _, lanes := range [][3]*grantLane{
		{small.codes(), clients.codes(), kept.codes()},
		{small.refreshes(150), clients.refreshes(150), kept.refreshes(150)},
		{small.exchanges(&pki.STS), clients.exchanges(&pki.STS), kept.exchanges(&pki.STS)},
	} {
		t.Run(lanes[0].name, func(t *testing.T) {
			few, asked := lanes[0].heap(40), lanes[0].asks()
			for i, what := range []string{"clients", "grants and sessions"} {
				l := lanes[1+i]
				same(t, what, few, l.heap(40))
				if got := l.asks(); got != asked {
					t.Errorf("%s: the store is asked %d times, by an empty establishment %d", what, got, asked)
				}
			}
		})
	}
}

// fill has n more persons begin a session and not redeem their code: so many sessions, and twice as many grants.
func (e *establishment) fill(n int) {
	e.Helper()
	for range n {
		e.login()
		e.code(scope)
	}
}

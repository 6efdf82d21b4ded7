package bench

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"sceau/internal/testpki"
)

// A grantLane is one kind of request to the token endpoint, turn by turn with its public-key operations.
type grantLane struct {
	*establishment
	name       string
	next       func() *http.Request // a request that was not made before
	answered   func(*answered)      // is told of every answer, untimed; may be nil
	signatures int                  // of one answer
	verifies   func() error         // the verification that a request costs; nil: none
	target     float64              // of the request by one signature or, where it verifies, by its operations

	requests []*http.Request
	answers  []answered
}

const scope = "openid profile email"

func (e *establishment) codes() *grantLane {
	return &grantLane{establishment: e, name: "code", signatures: 2, target: 3, next: func() *http.Request { return e.redeem(scope) }}
}

// refreshes has so many grants that one turn does not need the answers of its own requests.
func (e *establishment) refreshes(grants int) *grantLane {
	var old []string
	l := &grantLane{establishment: e, name: "refresh", signatures: 2, target: 3}
	l.answered = func(a *answered) { old = append(old, a.tokens(e).Refresh) }
	for range grants {
		a := &answered{header: http.Header{}}
		e.ServeHTTP(a, e.redeem(scope+" offline_access"))
		l.answered(a)
	}
	l.next = func() *http.Request {
		if len(old) == 0 {
			e.Fatal("no refresh token is left")
		}
		first := old[0]
		old = old[1:]
		return e.refresh(first)
	}
	return l
}

func (e *establishment) exchanges(sts *testpki.Leaf) *grantLane {
	return &grantLane{establishment: e, name: "exchange", signatures: 1, target: 1.5, next: e.exchange, verifies: verifying(e, sts.Key)}
}

// take makes n requests, and room for their answers.
func (l *grantLane) take(n int) {
	l.requests, l.answers = l.requests[:0], l.answers[:0]
	for range n {
		l.requests = append(l.requests, l.next())
		l.answers = append(l.answers, answered{header: http.Header{}, body: *bytes.NewBuffer(make([]byte, 0, 8<<10))})
	}
}

func (l *grantLane) check() {
	l.Helper()
	for i := range l.answers {
		l.answers[i].tokens(l)
		if l.answered != nil {
			l.answered(&l.answers[i])
		}
	}
}

// turn answers n requests after one that is not timed, and gives the CPU time of one.
func (l *grantLane) turn(n int) time.Duration {
	l.take(n + 1)
	l.ServeHTTP(&l.answers[0], l.requests[0])
	begin := cpu()
	for i, r := range l.requests[1:] {
		l.ServeHTTP(&l.answers[i+1], r)
	}
	used := cpu() - begin
	l.check()
	return used / time.Duration(n)
}

// operations makes the public-key operations of n requests, and gives the time of those of one.
func (l *grantLane) operations(n int) time.Duration {
	l.operate()
	begin := cpu()
	for range n {
		l.operate()
	}
	return (cpu() - begin) / time.Duration(n)
}

func (l *grantLane) operate() {
	sum := sha256.Sum256([]byte("a token"))
	for range l.signatures {
		_, err := l.key.Sign(rand.Reader, sum[:], crypto.SHA256)
		fatal(l, err)
	}
	if l.verifies != nil {
		fatal(l, l.verifies())
	}
}

// verifying gives the verification of a signature by the key, as the standard library makes it.
func verifying(tb testing.TB, key crypto.Signer) func() error {
	tb.Helper()
	sum := sha256.Sum256([]byte("an assertion"))
	value, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	fatal(tb, err)
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		return func() error { return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], value) }
	case *ecdsa.PublicKey:
		return func() error {
			if !ecdsa.VerifyASN1(public, sum[:], value) {
				return rsa.ErrVerification
			}
			return nil
		}
	}
	tb.Fatal("a key of another kind")
	return nil
}

// heap counts what a request takes from the heap: the least of heapRuns.
func (l *grantLane) heap(n int) cost {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var least cost
	for i := range heapRuns {
		l.take(n + 8)
		for k := range 8 {
			l.ServeHTTP(&l.answers[k], l.requests[k])
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for k := 8; k < n+8; k++ {
			l.ServeHTTP(&l.answers[k], l.requests[k])
		}
		runtime.ReadMemStats(&after)
		l.check()
		c := cost{float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)}
		if i == 0 {
			least = c
		}
		least = cost{min(least.allocations, c.allocations), min(least.bytes, c.bytes)}
	}
	return least
}

// operationsHeap is what the public-key operations of a request take.
func (l *grantLane) operationsHeap() float64 {
	return testing.AllocsPerRun(100, l.operate)
}

// BenchmarkToken is the token endpoint of the identity provider, turn by turn with the public-key operations of the same requests. Every iteration is ten
// rounds.
func BenchmarkToken(b *testing.B) {
	pki := testpki.Load()
	for _, c := range []struct {
		algorithm string
		key, sts  *testpki.Leaf
	}{{"ES256", &pki.STSP256, &pki.STS}, {"ES256", &pki.STSP256, &pki.STSP256}, {"RS256", &pki.STS, &pki.STS}} {
		e := func(b *testing.B) *establishment { return newEstablishment(b, c.algorithm, c.key, c.sts, 0) }
		if c.key == c.sts {
			b.Run("code/"+c.algorithm, func(b *testing.B) { e(b).codes().race(b, c.algorithm, "") })
			b.Run("refresh/"+c.algorithm, func(b *testing.B) { e(b).refreshes(many).race(b, c.algorithm, "") })
		}
		sts := rsa2048.name
		if c.sts == &pki.STSP256 {
			sts = p256.name
		}
		b.Run("exchange/"+c.algorithm+"/STS_"+sts, func(b *testing.B) { e(b).exchanges(c.sts).race(b, c.algorithm, sts) })
	}
}

// race gives request and operations their turns.
func (l *grantLane) race(b *testing.B, algorithm, sts string) {
	l.establishment.TB = b
	estimate := l.turn(4)
	for range 10 {
		estimate = min(estimate, l.turn(4))
	}
	n := max(1, int(turnTime/estimate))
	var requests, operations times
	for b.Loop() {
		percent := debug.SetGCPercent(-1)
		for range short {
			requests = append(requests, l.turn(n))
			operations = append(operations, l.operations(n))
		}
		debug.SetGCPercent(percent)
		runtime.GC()
	}
	r := tokenResult{name: l.name, algorithm: algorithm, sts: sts, rounds: len(requests), signatures: l.signatures, verifies: l.verifies != nil, target: l.target,
		ratio: compare(requests, operations), request: requests.min(), operations: operations.min(), cost: l.heap(100), operationsAllocations: l.operationsHeap()}
	results.tokens = append(results.tokens, r)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(r.ratio.quiet, "request/operations")
	b.ReportMetric(r.ratio.median, "request/operations(median)")
	b.ReportMetric(r.ratio.best, "request/operations(best)")
	b.ReportMetric(micros(r.request), "request-µs")
	b.ReportMetric(micros(r.operations), "operations-µs")
	b.ReportMetric(micros(r.ratio.apart), "outside-µs")
	b.ReportMetric(r.cost.allocations, "allocs/request")
	b.ReportMetric(r.cost.bytes, "B/request")
}

// BenchmarkGrowthToken is a code for two ES256 tokens, by the number of clients, and by that of sessions with their grants.
func BenchmarkGrowthToken(b *testing.B) {
	pki := testpki.Load()
	for _, c := range []struct {
		name, title, first string
		sizes              []int
		start              func(n int) *establishment
	}{
		{"clients", "Clients that are registered", "clients", choose([]int{10, 100, 1000, 10_000}, []int{10, 100}),
			func(n int) *establishment { return newEstablishment(b, "ES256", &pki.STSP256, &pki.STS, n) }},
		{"sessions", "Sessions, with two grants each", "sessions", choose([]int{10, 100, 1000, 10_000}, []int{10, 100}),
			func(n int) *establishment {
				e := newEstablishment(b, "ES256", &pki.STSP256, &pki.STS, 0)
				e.fill(n)
				return e
			}},
	} {
		b.Run(c.name, func(b *testing.B) {
			g := &growth{title: c.title, first: c.first, roads: []road{{steady: steadily}}}
			var lanes []*grantLane
			for _, n := range c.sizes {
				g.add(n, nil, lane{})
				lanes = append(lanes, c.start(n).codes())
				lanes[len(lanes)-1].turn(16)
			}
			for b.Loop() {
				for range growthRounds {
					for i, l := range lanes {
						runtime.GC()
						percent := debug.SetGCPercent(-1)
						g.sizes[i].times[0] = append(g.sizes[i].times[0], l.turn(5))
						debug.SetGCPercent(percent)
					}
				}
			}
			for i, l := range lanes {
				g.sizes[i].costs[0] = l.heap(40)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(g.fit(0).whole, "exponent")
			b.ReportMetric(g.fit(0).most, "most/least")
			results.tokenGrowths = append(results.tokenGrowths, g)
		})
	}
}

package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/sts"
	"sceau/sts/ststest"
)

// BenchmarkCRLSwap is what requests notice of a new CRL: as many as there are processors are answered all the time, in
// windows in which the list of the eID's authority is fetched, verified, indexed and swapped in, and in windows in which
// it is not, turn by turn. Every request must be answered.
func BenchmarkCRLSwap(b *testing.B) {
	for _, entries := range choose([]int{1_000, 100_000, 1_000_000}, []int{1_000}) {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			s := newSwapping(b, entries)
			var quiet, swapping []time.Duration
			swaps := 0
			for b.Loop() {
				for range choose([]int{5}, []int{1})[0] {
					quiet = append(quiet, s.window(b, func() {})...)
					swapping = append(swapping, s.window(b, func() { s.swap(b); swaps++ })...)
					s.prepare(b)
				}
			}
			slices.Sort(quiet)
			slices.Sort(swapping)
			report := func(name string, q float64) {
				calm, busy := quiet[int(q*float64(len(quiet)-1))], swapping[int(q*float64(len(swapping)-1))]
				b.ReportMetric(micros(calm), name+"-quiet-us")
				b.ReportMetric(micros(busy), name+"-swap-us")
				b.ReportMetric(float64(busy)/float64(calm), name+"-ratio")
			}
			report("p50", 0.50)
			report("p99", 0.99)
			report("p99.9", 0.999)
			report("max", 1)
			b.ReportMetric(float64(len(quiet)+len(swapping)), "answered")
			b.ReportMetric(float64(swaps), "swaps")
			b.ReportMetric(s.takes.Seconds()*1000, "swap-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// swapping is a service whose CRL grows a number at each fetch.
type swapping struct {
	services []*ststest.Fixture
	messages [][]byte
	verifier *certs.Verifier
	next     func() minipki.CRL
	served   atomic.Pointer[[]byte]
	asked    atomic.Int64
	takes    time.Duration // one swap, measured at the beginning
}

const swapAddress = "http://ca.example/citizen.crl"

func newSwapping(tb testing.TB, entries int) *swapping {
	tb.Helper()
	s := &swapping{}
	pki := testpki.Load()
	config := certstest.Config(tb)
	for i := range config.Profiles {
		for _, a := range config.Profiles[i].Intermediates {
			if bytes.Equal(a.Certificate, pki.CitizenCA.DER()) {
				a.DistributionPoints = []string{swapAddress}
			}
		}
	}
	config.CRL.Transport, config.CRL.MaxBytes, config.CRL.Refresh = s, 256<<20, 24*time.Hour
	revoked := make([]minipki.Revoked, entries)
	for i := range revoked {
		revoked[i] = minipki.Revoked{Serial: serialNumber(i), At: testpki.NotBefore()}
	}
	number := int64(1)
	s.next = func() minipki.CRL {
		number++
		return minipki.CRL{Number: number, ThisUpdate: testpki.Now().Add(-time.Hour), NextUpdate: testpki.Now().Add(24 * time.Hour), Revoked: revoked}
	}
	s.prepare(tb)
	s.verifier = newVerifier(tb, config)
	for s.asked.Load() == 0 { // its background has the first list, and comes again in half a day at the earliest
		time.Sleep(time.Millisecond)
	}
	fatal(tb, s.verifier.Fetch(context.Background()))
	s.prepare(tb)
	begin := time.Now()
	s.swap(tb)
	s.takes = time.Since(begin)
	s.prepare(tb)
	runtime.GC()
	people := newPeople(tb)
	s.messages = people.messages(tb, len(people.leaves))
	for range runtime.GOMAXPROCS(0) {
		s.services = append(s.services, service{signer: &pki.STSP256, verifier: s.verifier, change: func(c *sts.Config) {
			c.Security.Replay = &renewing{ReplayState: c.Security.Replay}
		}}.start(tb))
	}
	s.window(tb, func() {}) // warm
	s.verifier.Settle()
	return s
}

// renewing is a replay state for which no message is the same: each costs what it costs.
type renewing struct {
	soap.ReplayState
	asked atomic.Uint64
}

func (r *renewing) Remember(digest [32]byte, until, now time.Time) error {
	binary.BigEndian.PutUint64(digest[8:], r.asked.Add(1))
	return r.ReplayState.Remember(digest, until, now)
}

// prepare signs the next list: the CA's work, and not ours.
func (s *swapping) prepare(tb testing.TB) {
	tb.Helper()
	der, err := testpki.Load().CitizenCA.CRL(s.next())
	fatal(tb, err)
	s.served.Store(&der)
}

// RoundTrip serves the list.
func (s *swapping) RoundTrip(*http.Request) (*http.Response, error) {
	der := *s.served.Load()
	s.asked.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(der)), Body: io.NopCloser(bytes.NewReader(der))}, nil
}

// swap has the verifier fetch and take the list that was prepared.
func (s *swapping) swap(tb testing.TB) {
	before := s.verifier.Epoch()
	if err := s.verifier.Fetch(context.Background()); err != nil {
		tb.Fatal(err)
	}
	if s.verifier.Epoch() == before {
		tb.Fatal("the list was not taken")
	}
}

// windowTime is the least time of a window.
const windowTime = time.Second

// window answers requests, one at a time on every processor, while work goes on and for windowTime at least, and gives
// how long each took.
func (s *swapping) window(tb testing.TB, work func()) []time.Duration {
	tb.Helper()
	var done atomic.Bool
	took := make([][]time.Duration, len(s.services))
	errs := make([]error, len(s.services))
	var group sync.WaitGroup
	for i, f := range s.services {
		group.Go(func() {
			var in, out []byte
			for n := i; !done.Load() && errs[i] == nil; n++ {
				in = append(in[:0], s.messages[n%len(s.messages)]...)
				begin := time.Now()
				out, errs[i] = answer(f, in, out[:0])
				took[i] = append(took[i], time.Since(begin))
			}
		})
	}
	end := time.After(windowTime)
	time.Sleep(windowTime / 10)
	work()
	<-end
	done.Store(true)
	group.Wait()
	fatal(tb, errors.Join(errs...))
	return slices.Concat(took...)
}

package bench

import (
	"crypto/sha256"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
	"sceau/sts/ststest"
	"sceau/wsp"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
)

// BenchmarkAdmit is the guard of a provider, turn by turn with its floor: one verification
// with the holder's key, and SHA-256 of the parts it covers, of SignedInfo and of the
// assertion. The assertion is one that the guard has seen before, as it is in all calls of
// a session but the first.
func BenchmarkAdmit(b *testing.B) {
	pki := testpki.Load()
	for _, c := range []struct {
		name        string
		holder, sts *testpki.Leaf
	}{{"holder_RSA-2048/STS_RSA-2048", &pki.AliceEHealth, &pki.STS}, {"holder_P-256/STS_P-256", &pki.AliceEHealthP256, &pki.STSP256}} {
		b.Run(c.name, func(b *testing.B) {
			r := newAdmission(b, c.holder, c.sts)
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			var admits, floors times
			for b.Loop() {
				for range short {
					admits = append(admits, r.turn(b, r.admit))
					floors = append(floors, r.turn(b, r.floor))
				}
				runtime.GC()
			}
			ratios := compare(admits, floors)
			allocations := testing.AllocsPerRun(200, func() { fatal(b, r.admit(r.take(1)[0])) })
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ratios.quiet, "admit/floor")
			b.ReportMetric(ratios.median, "admit/floor(median)")
			b.ReportMetric(ratios.best, "admit/floor(best)")
			b.ReportMetric(micros(admits.min()), "admit-µs")
			b.ReportMetric(micros(floors.min()), "floor-µs")
			b.ReportMetric(allocations, "allocs")
			results.admit(admitResult{c.name, ratios, admits.min(), floors.min(), allocations})
		})
	}
}

type admission struct {
	guard    *wsp.Guard
	replay   renewed
	messages [][]byte
	next     int
	received [9][]byte
	octets   [][]byte
	signed   signedInfo
}

func newAdmission(tb testing.TB, holder, signer *testpki.Leaf) *admission {
	tb.Helper()
	pki := testpki.Load()
	f := handler(tb, signer, written, nil)
	out, err := answer(f, f.Message(tb, ststest.Query{Identity: &pki.AliceEID, Holder: holder}), nil)
	fatal(tb, err)
	n := find(tb, parse(tb, out).Root(), saml.NamespaceAssertion, "Assertion")
	id, _ := n.Attribute("", "AssertionID")
	sealed, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: holder.Key}, string(id))
	fatal(tb, err)
	r := &admission{replay: renewed{soap.NewMemoryReplay(1_000_000)}}
	for i := range many {
		at := testpki.Now().Add(time.Duration(i) * time.Millisecond)
		call := soap.Outgoing{Content: []byte(`<echo:Echo xmlns:echo="urn:sceau:echo">` + "a prescription of some length, " + `</echo:Echo>`),
			Created: at, Expires: at.Add(time.Minute), Assertion: n.Source(), AssertionID: string(id)}
		message, err := call.Append(nil, sealed)
		fatal(tb, err)
		r.messages = append(r.messages, message)
	}

	d := parse(tb, r.messages[0])
	header := find(tb, d.Root(), xmlsec.NamespaceWSSE, "Security")
	taken := &floor{}
	r.signed = taken.take(tb, child1(header, "Signature"), holder.Key.Public())
	assertion, err := c14n.Append(nil, child1(header, "Assertion"), c14n.Options{})
	fatal(tb, err)
	r.octets = append(taken.digested, r.signed.octets, assertion)

	verifier := certstest.Verifier(tb)
	config := wsp.Config{Certificates: verifier, Issuers: []string{sts.IssuerName},
		Require: []wsp.Requirement{{Designator: attrs.Designator{Name: ststest.DoctorBoolean, Namespace: attrs.NamespaceCertified}, Values: []string{"true"}}},
		Now:     testpki.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Replay: &r.replay}
	r.guard, err = wsp.NewGuard(config)
	fatal(tb, err)
	tb.Cleanup(r.guard.Close)
	for range 3 { // the guard remembers an assertion a moment after it saw it
		fatal(tb, r.admit(r.take(1)[0]))
		verifier.Settle()
		time.Sleep(20 * time.Millisecond)
	}
	return r
}

// A renewed is a replay state that can be emptied.
type renewed struct{ *soap.MemoryReplay }

// take gives n different messages; when there are not so many left, all are forgotten
// and as good as new.
func (r *admission) take(n int) [][]byte {
	if r.next+n > len(r.messages) {
		r.replay.MemoryReplay = soap.NewMemoryReplay(1_000_000)
		r.next = 0
	}
	r.next += n
	return r.messages[r.next-n : r.next]
}

// turn times some calls, after one that is not timed, and gives the CPU time of one.
func (r *admission) turn(tb testing.TB, path func([]byte) error) time.Duration {
	const n = 8
	batch := r.take(n + 1)
	for i, message := range batch {
		r.received[i] = append(r.received[i][:0], message...)
	}
	batch = r.received[:]
	fatal(tb, path(batch[0]))
	begin := cpu()
	for _, message := range batch[1:] {
		if err := path(message); err != nil {
			tb.Fatal(err)
		}
	}
	return (cpu() - begin) / n
}

func (r *admission) admit(message []byte) error {
	_, err := r.guard.Admit(message, testpki.Now())
	return err
}

func (r *admission) floor([]byte) error {
	for _, octets := range r.octets {
		sink = sha256.Sum256(octets)
	}
	return r.signed.verify()
}

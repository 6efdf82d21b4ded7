package message

import (
	"testing"
	"time"

	"sceau/bench/load/measure"
)

// good returns a good query of a profile of the test PKI and the answer to it.
func good(tb testing.TB, profile int) (*measure.Shot, []byte) {
	tb.Helper()
	maker := newMaker(tb, MakerConfig{PKI: only(tb, profile), Mix: Queries()})
	shot := new(measure.Shot)
	fatal(tb, maker.Next(time.Now(), shot))
	status, answer := ask(service(tb, testPKI(tb), RSA2048, time.Now), shot)
	if status != 200 {
		tb.Fatalf("%s", answer)
	}
	return shot, answer
}

// BenchmarkNext is what one live message costs, by profile.
func BenchmarkNext(b *testing.B) {
	for i, p := range profiles() {
		b.Run(string(p.Identity)+"_"+string(p.Holder), func(b *testing.B) {
			maker := newMaker(b, MakerConfig{PKI: only(b, i), Mix: Queries()})
			var shot measure.Shot
			b.ReportAllocs()
			for b.Loop() {
				fatal(b, maker.Next(time.Time{}, &shot))
			}
		})
	}
}

// BenchmarkCheck is what one answer costs, verified and not.
func BenchmarkCheck(b *testing.B) {
	shot, answer := good(b, 1)
	for name, sample := range map[string]float64{"unverified": 0, "verified": 1} {
		b.Run(name, func(b *testing.B) {
			checker := newChecker(b, CheckerConfig{Sample: sample})
			b.ReportAllocs()
			for b.Loop() {
				if v := checker.Check(shot, 200, answer); v.Class != measure.Right {
					b.Fatal(v.Why)
				}
			}
		})
	}
}

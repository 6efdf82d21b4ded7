package bench

import (
	"testing"
	"time"

	"sceau/internal/testpki"
)

// BenchmarkHandler is the handler alone, to be profiled: -bench=Handler -cpuprofile.
func BenchmarkHandler(b *testing.B) {
	messages := &store{}
	for _, c := range cells() {
		b.Run(c.String(), func(b *testing.B) { loop(b, c, written, messages, 1) })
	}
}

// BenchmarkJournal is one cell with every way of keeping the journal: what the disk
// adds. Each iteration is twenty requests, one after another, which is the worst case of
// fsync: nobody shares it.
func BenchmarkJournal(b *testing.B) {
	messages := &store{}
	for _, kind := range []journalKind{written, relaxed, synced} {
		b.Run(string(kind), func(b *testing.B) {
			used, took := loop(b, cell{eid: p256, sts: p256}, kind, messages, 20)
			results.journals = append(results.journals, journalResult{kind, used, took})
		})
	}
}

// loop answers n messages an iteration and gives the means of the CPU time and of the
// time that a request took.
func loop(b *testing.B, c cell, kind journalKind, s *store, n int) (used, took time.Duration) {
	f := handler(b, c.sts.sts(testpki.Load()), kind, nil)
	all := s.sealed(b, c.eid, many)
	out, err := answer(f, all[0], nil)
	fatal(b, err)
	f.Certificates.Settle()
	next := 1
	usedBefore, begin := cpu(), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		for range n {
			if next == len(all) {
				forget(b, f)
				next = 0
			}
			if out, err = answer(f, all[next], out[:0]); err != nil {
				b.Fatal(err)
			}
			next++
		}
	}
	requests := time.Duration(b.N * n)
	used, took = (cpu()-usedBefore)/requests, time.Since(begin)/requests
	b.ReportMetric(float64(used.Nanoseconds())/1000, "cpu-µs/request")
	return used, took
}

//go:build openssl && cgo && unix

package openssl_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"syscall"
	"testing"
	"time"

	"sceau/internal/testpki"
)

// processTime returns the CPU time that the process has used, of all its threads.
func processTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkSign measures what a signature costs in Go and in OpenSSL, turn by turn in
// one process: CPU time of the process for one signature, the minimum of the rounds,
// and the median of the ratios of each round. Use -benchtime 100x or so.
func BenchmarkSign(b *testing.B) {
	for _, c := range []struct {
		name string
		key  crypto.Signer
		opts crypto.SignerOpts
	}{
		{"RSA-2048", testpki.Load().STS.Key, crypto.SHA256},
		{"RSA-2048-PSS", testpki.Load().STS.Key, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}},
		{"P-256", testpki.Load().STSP256.Key, crypto.SHA256},
		{"P-521", generate(b, elliptic.P521()), crypto.SHA256},
	} {
		b.Run(c.name, func(b *testing.B) {
			inGo, inC := c.key, inOpenSSL(b, c.key)
			digest := make([]byte, 32)
			sign := func(key crypto.Signer) func() {
				return func() {
					if _, err := key.Sign(rand.Reader, digest, c.opts); err != nil {
						b.Fatal(err)
					}
				}
			}
			turns(b, sign(inGo), sign(inC))
		})
	}
}

// turns runs two functions turn by turn and reports what they cost.
func turns(b *testing.B, inGo, inC func()) {
	const each = 20 // calls a turn: the clock of the process is coarse beside one
	round := func(f func()) time.Duration {
		began := processTime(b)
		for range each {
			f()
		}
		return processTime(b) - began
	}
	inGo()
	inC()
	leastGo, leastC := time.Duration(1<<62), time.Duration(1<<62)
	var ratios []float64
	for b.Loop() {
		g, c := round(inGo), round(inC)
		leastGo, leastC = min(leastGo, g), min(leastC, c)
		if g > 0 {
			ratios = append(ratios, float64(c)/float64(g))
		}
	}
	micro := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / each }
	b.ReportMetric(micro(leastGo), "go-µs")
	b.ReportMetric(micro(leastC), "openssl-µs")
	b.ReportMetric(testing.AllocsPerRun(20, inGo), "go-allocs")
	b.ReportMetric(testing.AllocsPerRun(20, inC), "openssl-allocs")
	if len(ratios) > 0 {
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "openssl/go")
	}
}

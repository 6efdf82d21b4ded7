package certs

import (
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// BenchmarkOCSPLookUp: what the answer of one of 10 000 certificates costs a request, on every processor at once.
func BenchmarkOCSPLookUp(b *testing.B) {
	at := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	p := &ocspPolicy{OCSP: OCSP{Mode: OCSPHard}, entries: 10_000, shelf: newOCSPShelf()}
	all := make([]*Certificate, 10_000)
	for i := range all {
		serial := new(big.Int).Lsh(big.NewInt(int64(i+1)), 100)
		all[i] = &Certificate{x509: &x509.Certificate{SerialNumber: serial}, serial: digestSerial(serial)}
		p.shelf.see(all[i], p.entries).answer.Store(&ocspAnswer{status: ocsp.Good, thisUpdate: at, nextUpdate: at.Add(time.Hour)})
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if p.state(all[i%len(all)], at, true) != OCSPGood {
				b.Fatal("not good")
			}
		}
	})
}

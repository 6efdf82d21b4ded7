package certs

import (
	"crypto/x509"
	"math/big"
	"slices"
	"testing"
	"time"
)

// TestOCSPAdmit: an entry that comes onto the shelf while a keeper begins is in its
// queue once. Twice, it would be dropped once and asked about for ever.
func TestOCSPAdmit(t *testing.T) {
	shelf := newOCSPShelf()
	p := &ocspPolicy{OCSP: OCSP{Mode: OCSPHard}, entries: 100, shelf: shelf}
	k := &ocspKeeper{policy: p, config: &OCSPConfig{}, pace: func() time.Time { return time.Unix(1, 0) }}
	for i := range 3 {
		serial := big.NewInt(int64(i + 1))
		shelf.see(&Certificate{x509: &x509.Certificate{SerialNumber: serial}, serial: digestSerial(serial)}, p.entries)
	}
	fresh := slices.Clone(shelf.fresh)
	k.adopt()
	shelf.fresh = append(shelf.fresh, fresh...) // as if they had come between the two looks of adopt
	k.admit(k.pace())
	if len(k.queue) != 3 {
		t.Errorf("%d in the queue", len(k.queue))
	}
	for i, e := range k.queue {
		if e.index != i {
			t.Errorf("entry %d has index %d", i, e.index)
		}
	}
}

// TestOCSPTwoNumbersOfOneDigest: were two serial numbers to have one digest, the
// answer about one must not be taken for the other's.
func TestOCSPTwoNumbersOfOneDigest(t *testing.T) {
	shelf := newOCSPShelf()
	one := &Certificate{x509: &x509.Certificate{SerialNumber: big.NewInt(1)}}
	two := &Certificate{x509: &x509.Certificate{SerialNumber: big.NewInt(2)}}
	if first := shelf.see(one, 10); first == nil || first != shelf.see(one, 10) {
		t.Fatal("the first is not kept")
	}
	if shelf.see(two, 10) != nil {
		t.Error("the second found the answer of the first")
	}
}

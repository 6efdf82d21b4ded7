package certs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"math/bits"
	"runtime"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// serialDigest stands for a serial number in an index: 128 bits of the SHA-256 of
// its magnitude. Two numbers with one digest would refuse a good certificate,
// never admit a revoked one.
type serialDigest [16]byte

// digestSerial digests the serial number of a certificate; crypto/x509 has refused negative ones.
func digestSerial(n *big.Int) serialDigest { return digestMagnitude(n.Bytes()) }

// digestMagnitude digests the content octets of an INTEGER without its leading
// zeros. A number that is written as negative by mistake meets the positive one
// of the same octets: it must not escape by that.
func digestMagnitude(octets []byte) serialDigest {
	sum := sha256.Sum256(bytes.TrimLeft(octets, "\x00"))
	return serialDigest(sum[:16])
}

// The reasons of an entry (RFC 5280 section 5.3.1) that mean more than revoked.
const (
	certificateHold = 6
	removeFromCRL   = 8
)

// crlEntry is one revoked certificate: 24 octets.
type crlEntry struct {
	serial serialDigest
	at     uint32 // revocation date in Unix seconds
	reason uint8
}

// crlIndex finds entries by serial. Since digests are spread evenly, their first
// bits lead to the few that can be it.
// A million entries take 25 MB. It is immutable.
type crlIndex struct {
	entries []crlEntry
	first   []uint32 // first[b] is where the entries begin whose digest begins with the bits of b
	shift   uint
}

// find gives the entry of a serial, or nil. Of several, which no list should have, it
// gives one that nothing lifts, if there is one. It does not allocate.
func (x *crlIndex) find(serial *serialDigest) *crlEntry {
	if len(x.entries) == 0 {
		return nil
	}
	var found *crlEntry
	bucket := x.bucket(serial)
	for i := x.first[bucket]; i < x.first[bucket+1]; i++ {
		if e := &x.entries[i]; e.serial == *serial && (found == nil || e.lifts() < found.lifts()) {
			found = e
		}
	}
	return found
}

// lifts ranks an entry: 2 lifts a hold, 1 may be lifted, 0 is a revocation for good.
func (e *crlEntry) lifts() int {
	switch e.reason {
	case removeFromCRL:
		return 2
	case certificateHold:
		return 1
	}
	return 0
}

// indexRevoked reads revokedCertificates (RFC 5280 section 5.1.2.6). Every entry
// counts as revoked, whatever its reason or date: certificateHold is a revocation
// while it lasts, removeFromCRL has no meaning but in a delta, and a date in the
// future is an announcement that costs nothing to heed (K2, K4).
func indexRevoked(revoked cryptobyte.String) (crlIndex, error) {
	var turn yielding
	count := 0
	for rest := revoked; !rest.Empty(); count++ {
		if !rest.SkipASN1(asn1.SEQUENCE) {
			return crlIndex{}, errCRL("entry")
		}
		turn.step()
	}
	if count > math.MaxUint32-1 {
		return crlIndex{}, refuse(TooLarge, errors.New("CRL: entries"))
	}
	x := crlIndex{entries: make([]crlEntry, 0, count)}
	for !revoked.Empty() {
		e, err := readEntry(&revoked)
		if err != nil {
			return crlIndex{}, err
		}
		x.entries = append(x.entries, e)
		turn.step()
	}
	x.order()
	return x, nil
}

// order brings the entries into buckets by their first bits, about eight in each, and
// makes the table of where each begins. Within a bucket their order means nothing.
func (x *crlIndex) order() {
	var turn yielding
	width := uint(bits.Len(uint(len(x.entries) / 8)))
	x.shift = 32 - width
	x.first = make([]uint32, 1<<width+1)
	for i := range x.entries {
		x.first[x.bucket(&x.entries[i].serial)+1]++
		turn.step()
	}
	for b := range len(x.first) - 1 {
		x.first[b+1] += x.first[b]
	}
	next := slices.Clone(x.first) // where the next entry of a bucket goes
	for b := range len(x.first) - 1 {
		for next[b] < x.first[b+1] {
			e := &x.entries[next[b]]
			if home := x.bucket(&e.serial); home != uint32(b) {
				other := &x.entries[next[home]]
				*e, *other = *other, *e
				next[home]++
			} else {
				next[b]++
			}
			turn.step()
		}
	}
}

func (x *crlIndex) bucket(serial *serialDigest) uint32 {
	return binary.BigEndian.Uint32(serial[:4]) >> x.shift
}

// yielding lets requests go first while something long is done: a large list is read in
// the background, and what does not give way holds a processor for ten milliseconds at a
// time.
type yielding struct{ steps uint }

func (y *yielding) step() {
	if y.steps++; y.steps%256 == 0 {
		runtime.Gosched()
	}
}

func readEntry(revoked *cryptobyte.String) (crlEntry, error) {
	var entry, serial, extensions cryptobyte.String
	var at time.Time
	if !revoked.ReadASN1(&entry, asn1.SEQUENCE) || !entry.ReadASN1(&serial, asn1.INTEGER) || serial.Empty() || !readTime(&entry, &at) {
		return crlEntry{}, errCRL("entry")
	}
	e := crlEntry{serial: digestMagnitude(serial)}
	e.at = uint32(min(max(at.Unix(), 0), math.MaxUint32))
	if entry.Empty() {
		return e, nil
	}
	if !entry.ReadASN1(&extensions, asn1.SEQUENCE) || !entry.Empty() {
		return crlEntry{}, errCRL("entry extensions")
	}
	var err error
	e.reason, err = readReason(extensions)
	return e, err
}

// readReason reads the extensions of an entry.
func readReason(extensions cryptobyte.String) (reason uint8, err error) {
	err = eachExtension(extensions, func(oid string, critical bool, value cryptobyte.String) error {
		switch {
		case oid == oidReasonCode:
			var code int
			if !value.ReadASN1Enum(&code) || !value.Empty() || code < 0 || code > 10 {
				return errCRL("reason")
			}
			reason = uint8(code)
		case critical: // certificateIssuer of an indirect list is one of these (K2)
			return refuse(Unsupported, errors.New("CRL: unknown critical entry extension"))
		}
		return nil
	})
	return reason, err
}

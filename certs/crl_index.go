package certs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"math/bits"
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

// crlIndex finds entries by serial. The entries are sorted by digest; since
// digests are spread evenly, the first bits lead to the few that can be it.
// A million entries take 25 MB. It is immutable.
type crlIndex struct {
	entries []crlEntry
	first   []uint32 // first[b] is where the entries begin whose digest begins with the bits of b
	shift   uint
}

// find gives the entry of a serial, or nil. It does not allocate.
func (x *crlIndex) find(serial *serialDigest) *crlEntry {
	if len(x.entries) == 0 {
		return nil
	}
	bucket := binary.BigEndian.Uint32(serial[:4]) >> x.shift
	for i := x.first[bucket]; i < x.first[bucket+1]; i++ {
		if x.entries[i].serial == *serial {
			return &x.entries[i]
		}
	}
	return nil
}

// indexRevoked reads revokedCertificates (RFC 5280 section 5.1.2.6). Every entry
// counts as revoked, whatever its reason or date: certificateHold is a revocation
// while it lasts, removeFromCRL has no meaning but in a delta, and a date in the
// future is an announcement that costs nothing to heed (K2, K4).
func indexRevoked(revoked cryptobyte.String) (crlIndex, error) {
	count := 0
	for rest := revoked; !rest.Empty(); count++ {
		if !rest.SkipASN1(asn1.SEQUENCE) {
			return crlIndex{}, errCRL("entry")
		}
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
	}
	x.order()
	return x, nil
}

// order sorts the entries and makes the table of first bits: about eight entries a bucket.
func (x *crlIndex) order() {
	slices.SortFunc(x.entries, func(a, b crlEntry) int { return bytes.Compare(a.serial[:], b.serial[:]) })
	width := uint(bits.Len(uint(len(x.entries) / 8)))
	x.shift = 32 - width
	x.first = make([]uint32, 1<<width+1)
	bucket := 0
	for i := range x.entries {
		for b := int(binary.BigEndian.Uint32(x.entries[i].serial[:4]) >> x.shift); bucket <= b; bucket++ {
			x.first[bucket] = uint32(i)
		}
	}
	for ; bucket < len(x.first); bucket++ {
		x.first[bucket] = uint32(len(x.entries))
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
	err := eachExtension(extensions, func(oid string, critical bool, value cryptobyte.String) error {
		switch {
		case oid == oidReasonCode:
			var reason int
			if !value.ReadASN1Enum(&reason) || !value.Empty() || reason < 0 || reason > 10 {
				return errCRL("reason")
			}
			e.reason = uint8(reason)
		case critical: // certificateIssuer of an indirect list is one of these (K2)
			return refuse(Unsupported, errors.New("CRL: unknown critical entry extension"))
		}
		return nil
	})
	return e, err
}

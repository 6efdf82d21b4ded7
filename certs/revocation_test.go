package certs

import (
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

func contains(s, word string) bool { return strings.Contains(s, word) }

// TestRevocationTable is the table of the package comment (K1): every state under every policy.
func TestRevocationTable(t *testing.T) {
	const grace = 10 * time.Hour
	policies := []Revocation{{}, {Mode: Grace, Grace: grace}, {Mode: Off}}
	type answer struct {
		status RevocationStatus
		reason Reason
	}
	var (
		revoked, unknown             = answer{0, Revoked}, answer{0, RevocationUnknown}
		cleared, late, notCheckedRow = answer{Cleared, 0}, answer{ClearedLate, 0}, answer{NotChecked, 0}
	)
	table := []struct {
		state  CRLState
		late   time.Duration
		listed bool
		want   [3]answer // require, grace, off
	}{
		{CRLFresh, 0, false, [3]answer{cleared, cleared, cleared}},
		{CRLFresh, 0, true, [3]answer{revoked, revoked, revoked}},
		{CRLLate, grace, false, [3]answer{unknown, late, notCheckedRow}},
		{CRLLate, grace, true, [3]answer{revoked, revoked, revoked}},
		{CRLLate, grace + 1, false, [3]answer{unknown, unknown, notCheckedRow}},
		{CRLLate, grace + 1, true, [3]answer{revoked, revoked, revoked}},
		{CRLNotYetValid, 0, false, [3]answer{unknown, unknown, notCheckedRow}},
		{CRLNotYetValid, 0, true, [3]answer{revoked, revoked, revoked}},
		{CRLMissing, 0, false, [3]answer{unknown, unknown, notCheckedRow}},
		{CRLState(9), 0, false, [3]answer{unknown, unknown, notCheckedRow}},
	}
	for _, row := range table {
		for i, policy := range policies {
			status, reason := decide(policy, row.state, row.late, row.listed)
			if got := (answer{status, reason}); got != row.want[i] {
				t.Errorf("%v, late %v, listed %v under %v: %v", row.state, row.late, row.listed, policy, got)
			}
		}
	}
	if status, reason := decide(Revocation{Mode: 7}, CRLLate, 0, false); status != 0 || reason != RevocationUnknown {
		t.Error("an unknown policy cleared a late CRL")
	}
}

func TestParseRevocation(t *testing.T) {
	for text, want := range map[string]Revocation{
		"": {}, "require": {}, " off ": {Mode: Off}, "grace 72h": {Mode: Grace, Grace: 72 * time.Hour}, "grace: 90m": {Mode: Grace, Grace: 90 * time.Minute},
	} {
		got, err := ParseRevocation(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if again, err := ParseRevocation(got.String()); err != nil || again != want {
			t.Errorf("%q does not read back", got.String())
		}
	}
	for _, text := range []string{"soft", "grace", "grace 0s", "grace -1h", "grace 800h", "grace x", "off 1h", "require now", "grace 1h 2h"} {
		if _, err := ParseRevocation(text); ReasonOf(err) != Malformed {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestFreshness: the edges of thisUpdate and nextUpdate, with skew.
func TestFreshness(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	l := &revocationList{thisUpdate: from, nextUpdate: from.Add(24 * time.Hour)}
	const skew = 5 * time.Minute
	for _, tt := range []struct {
		at   time.Duration
		want CRLState
	}{
		{-skew - 1, CRLNotYetValid}, {-skew, CRLFresh}, {0, CRLFresh}, {24*time.Hour + skew, CRLFresh}, {24*time.Hour + skew + 1, CRLLate},
	} {
		if got, _ := l.state(from.Add(tt.at), skew); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.at, got, tt.want)
		}
	}
}

// bigCRL gives an index of n entries with the serials first, first+step, …
func bigIndex(tb testing.TB, n int) crlIndex {
	tb.Helper()
	x := crlIndex{entries: make([]crlEntry, n)}
	for i := range n {
		x.entries[i].serial = digestSerial(big.NewInt(int64(2 * i)))
	}
	x.order()
	return x
}

func TestIndex(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 8, 9, 100, 10_000} {
		x := bigIndex(t, n)
		for i := range n {
			if even := digestSerial(big.NewInt(int64(2 * i))); x.find(&even) == nil {
				t.Fatalf("%d entries: %d is not found", n, 2*i)
			}
			if odd := digestSerial(big.NewInt(int64(2*i + 1))); x.find(&odd) != nil {
				t.Fatalf("%d entries: %d is found", n, 2*i+1)
			}
		}
	}
}

// TestSerialForms: a serial number meets itself however its octets are written.
func TestSerialForms(t *testing.T) {
	high := big.NewInt(0x80ff)
	for _, octets := range []string{"\x00\x80\xff", "\x80\xff", "\x00\x00\x80\xff"} {
		if digestMagnitude([]byte(octets)) != digestSerial(high) {
			t.Errorf("%x is another number", octets)
		}
	}
	if digestSerial(big.NewInt(1)) == digestSerial(big.NewInt(256)) {
		t.Error("1 is 256")
	}
}

// TestReadTime: a time is read as the standard library writes it, and no other way of
// writing it is (RFC 5280 section 4.1.2.5).
func TestReadTime(t *testing.T) {
	for _, want := range []time.Time{
		time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2000, 2, 29, 12, 0, 1, 0, time.UTC),
		time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		der, err := asn1.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		in := cryptobyte.String(der)
		var got time.Time
		if !readTime(&in, &got) || !got.Equal(want) || !in.Empty() {
			t.Errorf("%v is read as %v", want, got)
		}
	}
	for _, text := range []string{
		"\x17\x0b2611281200Z", "\x17\x11261128120000+0100", "\x17\x0d261328120000Z", "\x17\x0d260230120000Z", "\x17\x0d26112812000xZ", "\x17\x0d261128120060Z",
		"\x17\x0d2611281200000", "\x18\x1120261128120000.1Z", "\x18\x0f20261128120000+", "\x16\x0d261128120000Z", "\x17\x00", "", "\x17\x0d26", "\x17\x0d261128240000Z",
	} {
		in := cryptobyte.String(text)
		var got time.Time
		if readTime(&in, &got) {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// FuzzParseCRL: no panic; a list that no authority signed is never proven; on error nothing comes back.
func FuzzParseCRL(f *testing.F) {
	p := testpki.Load()
	for _, der := range p.CRLs() {
		f.Add(der)
	}
	ca, err := ParseCertificate(p.CitizenCA.DER())
	if err != nil {
		f.Fatal(err)
	}
	signed := string(p.CRL(p.CitizenCA))
	f.Fuzz(func(t *testing.T, der []byte) {
		list, err := parseCRL(der)
		if err != nil {
			if list != nil || ReasonOf(err) == 0 {
				t.Fatalf("refused with a list or without a reason: %v", err)
			}
			return
		}
		if _, err := indexRevoked(list.revoked); err != nil && ReasonOf(err) == 0 {
			t.Fatal(err)
		}
		if _, err := (&authority{certificate: ca}).prove(list, nil, testpki.Now()); err == nil && string(der) != signed {
			t.Fatal("a list was proven that its issuer did not sign")
		}
	})
}

func BenchmarkRevocationLookUp(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		x := bigIndex(b, n)
		serials := make([]serialDigest, 4096) // half of them listed, all over the index
		for i := range serials {
			serials[i] = digestSerial(big.NewInt(int64(i*(n/4096*2) | i&1)))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				x.find(&serials[i&4095])
				i++
			}
		})
	}
}

func BenchmarkLoadCRL(b *testing.B) {
	p := testpki.Load()
	ca, err := ParseCertificate(p.CitizenCA.DER())
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1_000, 1_000_000} {
		revoked := make([]minipki.Revoked, n)
		for i := range revoked {
			revoked[i] = minipki.Revoked{Serial: new(big.Int).Lsh(big.NewInt(int64(i)+1), 64), At: testpki.NotBefore()}
		}
		der, err := p.CitizenCA.CRL(minipki.CRL{Number: 1, ThisUpdate: testpki.NotBefore(), NextUpdate: testpki.NotAfter(), Revoked: revoked})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(der)))
			for b.Loop() {
				list, err := parseCRL(der)
				if err != nil {
					b.Fatal(err)
				}
				proven, err := (&authority{certificate: ca}).prove(list, nil, testpki.Now())
				if err != nil || len(proven.index.entries) != n {
					b.Fatal(err)
				}
				b.ReportMetric(float64(24*cap(proven.index.entries)+4*len(proven.index.first))/float64(n), "B/entry")
			}
		})
	}
}

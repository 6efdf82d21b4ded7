package certs

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"sceau/internal/minipki"
	"sceau/internal/testpki"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// sequenceOf is a SEQUENCE of n elements, each ended by two octets of its own.
func sequenceOf(n int, element string) string {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := range n {
			b.AddBytes([]byte(element))
			b.AddBytes([]byte{0x81 + byte(i>>7), byte(i & 0x7f)})
		}
	})
	return string(b.BytesOrPanic())
}

// sequenceAgain is a SEQUENCE of one element n times.
func sequenceAgain(n int, element string) string {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes([]byte(strings.Repeat(element, n))) })
	return string(b.BytesOrPanic())
}

// bearing parses a certificate with one more extension.
func bearing(tb testing.TB, value string, id ...int) (*Certificate, error) {
	tb.Helper()
	p := testpki.Load()
	tmpl := minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN})
	tmpl.ExtKeyUsage, tmpl.Policies, tmpl.CRLPoints = nil, nil, nil
	tmpl.Extra = []pkix.Extension{{Id: asn1.ObjectIdentifier(id), Value: []byte(value)}}
	der, err := p.CitizenCA.Issue(tmpl, p.OtherKey().Public())
	if err != nil {
		tb.Fatal(err)
	}
	return ParseCertificate(der)
}

// TestZ8CertificateThatSwells: anybody may send certificates, and what was parsed is kept.
// Small elements that become large values (an alternative name of two octets takes 136)
// would let 200 MB of messages fill 10 GB.
func TestZ8CertificateThatSwells(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value string
		id    []int
	}{
		{"points", sequenceAgain(1800, "\x30\x06\xa0\x04\xa0\x02\x86\x00"), []int{2, 5, 29, 31}},
		{"names of a point", "\x30\x82\x1f\x4c\x30\x82\x1f\x48\xa0\x82\x1f\x44\xa0\x82\x1f\x40" + strings.Repeat("\x86\x00", 4000), []int{2, 5, 29, 31}},
		{"alternative names", sequenceAgain(7000, "\x86\x00"), []int{2, 5, 29, 17}},
		{"purposes", sequenceOf(2800, "\x06\x03\x2a"), []int{2, 5, 29, 37}},
		{"policies", sequenceOf(2000, "\x30\x05\x06\x03\x2a"), []int{2, 5, 29, 32}},
		{"policy mappings", sequenceAgain(1800, "\x30\x06\x06\x01\x2a\x06\x01\x2b"), []int{2, 5, 29, 33}},
		{"excluded subtrees", "\x30\x82\x2e\xe4\xa1\x82\x2e\xe0" + strings.Repeat("\x30\x04\xa4\x02\x30\x00", 2000), []int{2, 5, 29, 30}},
		{"issuers' addresses", sequenceAgain(900, "\x30\x0c\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x00"), []int{1, 3, 6, 1, 5, 5, 7, 1, 1}},
		{"alternative names, and an octet after them", sequenceAgain(7000, "\x86\x00") + "x", []int{2, 5, 29, 17}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := bearing(t, tt.value, tt.id...); ReasonOf(err) != TooLarge {
				t.Errorf("%v, want %v", err, TooLarge)
			}
		})
	}
}

// TestCertificateWeight: a cache that counted each certificate as one would hold ten times
// as much of those that a stranger makes large.
func TestCertificateWeight(t *testing.T) {
	common, err := ParseCertificate(testpki.Load().AliceEID.DER)
	if err != nil || common.weight != 1 {
		t.Errorf("a common certificate weighs %d: %v", common.weight, err)
	}
	many, err := bearing(t, sequenceAgain(900, "\x86\x00"), 2, 5, 29, 17)
	if err != nil || many.weight < 14 {
		t.Errorf("one of 900 names: %v", err)
	}
	large, err := bearing(t, "\x04\x82\x3a\x98"+strings.Repeat("\x00", 15000), 1, 2, 3)
	if err != nil || large.weight < 8 {
		t.Errorf("one of 15 KB: %v", err)
	}
}

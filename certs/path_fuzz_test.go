package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"log/slog"
	"strconv"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// fuzzKey gives a P-256 key that is always the same.
func fuzzKey(n byte) crypto.Signer {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{n + 1}, 32))
	if err != nil {
		panic(err)
	}
	return key
}

// fuzzRung is one certificate of a path below the root: its name, and its extensions.
type fuzzRung struct {
	name     string
	policies []string
	extra    []pkix.Extension
}

// fuzzPath makes a path: authorities under a root, and a person.
func fuzzPath(tb testing.TB, authorities []fuzzRung, person fuzzRung) []*Certificate {
	tb.Helper()
	template := func(r fuzzRung) minipki.Template {
		c := minipki.CA(minipki.DN("C", "BE", "CN", r.name), testpki.NotBefore(), testpki.NotAfter())
		c.Policies, c.Extra = r.policies, r.extra
		return c
	}
	parse := func(der []byte, err error) *Certificate {
		if err != nil {
			tb.Skip(err) // the fuzzer made what cannot be written
		}
		c, err := ParseCertificate(der)
		if err != nil {
			if ReasonOf(err) == 0 {
				tb.Fatal(err)
			}
			return nil
		}
		return c
	}
	above, err := minipki.NewRoot(template(fuzzRung{name: "R"}), fuzzKey(0))
	if err != nil {
		tb.Fatal(err)
	}
	path := []*Certificate{parse(above.DER(), nil)}
	for i, r := range authorities {
		below, err := above.Subordinate(template(r), fuzzKey(byte(i+1)))
		if err != nil {
			tb.Skip(err)
		}
		above = below
		path = append([]*Certificate{parse(above.DER(), nil)}, path...)
	}
	leaf := minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN})
	leaf.Policies, leaf.Extra = person.policies, person.extra
	path = append([]*Certificate{parse(above.Issue(leaf, fuzzKey(9).Public()))}, path...)
	for _, c := range path {
		if c == nil {
			return nil
		}
	}
	return path
}

// fuzzIdentify gives how we refuse the person of a path.
func fuzzIdentify(path []*Certificate, change func(*Profile)) error {
	p := BelgianEID()
	off := Revocation{Mode: Off}
	for i, c := range path[1:] {
		if a := (&Authority{Certificate: c.Raw(), Revocation: off}); i == len(path)-2 {
			p.Roots = append(p.Roots, a)
		} else {
			p.Intermediates = append(p.Intermediates, a)
		}
	}
	change(&p)
	t, err := newTrust(&Config{Profiles: []Profile{p}, Log: slog.New(slog.DiscardHandler)}, func(authorityID) *crlSlot { return &crlSlot{} })
	if err != nil {
		return err
	}
	_, _, err = t.verify(RoleIdentity, path[0], nil, testpki.Now())
	return err
}

// fuzzOracle gives how crypto/x509 by itself refuses it.
func fuzzOracle(path []*Certificate, policies []string) error {
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: testpki.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for i, c := range path[1:] {
		if i == len(path)-2 {
			o.Roots.AddCert(c.x509)
		} else {
			o.Intermediates.AddCert(c.x509)
		}
	}
	for _, dotted := range policies {
		oid, err := x509.ParseOID(dotted)
		if err != nil {
			return err
		}
		o.CertificatePolicies = append(o.CertificatePolicies, oid)
	}
	_, err := path[0].x509.Verify(o)
	return err
}

// FuzzExtensions: what is read of an extension is what crypto/x509 reads of it, when
// both read it; nothing panics.
func FuzzExtensions(f *testing.F) {
	for _, seed := range []struct {
		arc   byte
		value string
	}{
		{arcKeyUsage, "\x03\x02\x07\x80"}, {arcBasicConstraints, "\x30\x06\x01\x01\xff\x02\x01\x00"},
		{arcPolicies, "\x30\x06\x30\x04\x06\x02\x2a\x03"}, {arcPolicyMappings, "\x30\x0a\x30\x08\x06\x02\x2a\x03\x06\x02\x2a\x04"},
		{arcPolicyConstraints, "\x30\x06\x80\x01\x00\x81\x01\x02"}, {arcInhibitAnyPolicy, "\x02\x01\x05"},
		{arcNameConstraints, "\x30\x0d\xa0\x0b\x30\x09\xa4\x07\x30\x05\x31\x03\x30\x01\x05"}, {arcExtKeyUsage, "\x30\x04\x06\x02\x2a\x03"},
		{arcSubjectAltName, "\x30\x04\xa4\x02\x30\x00"},
	} {
		f.Add(seed.arc, []byte(seed.value))
	}
	f.Fuzz(func(t *testing.T, arc byte, value []byte) {
		c := minipki.EID(minipki.Person{GivenNames: "A", Surname: "B", SSIN: testpki.AliceSSIN})
		c.KeyUsage, c.ExtKeyUsage, c.Policies, c.OmitBasicConstraints = 0, nil, nil, true
		c.Extra = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, int(arc)}, Critical: true, Value: value}}
		root, err := minipki.NewRoot(minipki.CA(minipki.DN("CN", "R"), testpki.NotBefore(), testpki.NotAfter()), fuzzKey(0))
		if err != nil {
			t.Fatal(err)
		}
		der, err := root.Issue(c, fuzzKey(1).Public())
		if err != nil {
			t.Skip(err)
		}
		got, err := ParseCertificate(der)
		if err != nil {
			if ReasonOf(err) == 0 {
				t.Fatal(err)
			}
			return
		}
		x, e := got.x509, &got.extensions.policies
		count := func(value int, zero bool) int64 {
			if value == 0 && !zero {
				return -1
			}
			return int64(value)
		}
		if len(e.asserted) != len(x.Policies) || len(e.mappings) != len(x.PolicyMappings) ||
			e.inhibitAny != count(x.InhibitAnyPolicy, x.InhibitAnyPolicyZero) ||
			e.requireExplicit != count(x.RequireExplicitPolicy, x.RequireExplicitPolicyZero) ||
			e.inhibitMapping != count(x.InhibitPolicyMapping, x.InhibitPolicyMappingZero) {
			t.Errorf("%+v, and crypto/x509 %v %v %d %d %d", e, x.Policies, x.PolicyMappings, x.InhibitAnyPolicy, x.RequireExplicitPolicy, x.InhibitPolicyMapping)
		}
		if got.extensions.keyUsage != (x.KeyUsage != 0) && arc == arcKeyUsage && x.KeyUsage>>9 == 0 {
			t.Errorf("key usage %v, and crypto/x509 %b", got.extensions.keyUsage, x.KeyUsage)
		}
		if n := got.extensions.constraints; n != nil && n.complete && (len(n.permitted.mailboxes) != len(x.PermittedEmailAddresses) ||
			len(n.excluded.mailboxes) != len(x.ExcludedEmailAddresses) || len(n.permitted.hosts) != len(x.PermittedURIDomains) || len(n.excluded.hosts) != len(x.ExcludedURIDomains)) {
			t.Errorf("%+v, and crypto/x509 differs", n)
		}
		if got.extensions.unknown && len(x.UnhandledCriticalExtensions) == 0 && got.extensions.constraints == nil {
			t.Error("a critical extension that crypto/x509 processes is unknown")
		}
		if _, err := got.constrainedNames(); err != nil && ReasonOf(err) == 0 {
			t.Error(err)
		}
	})
}

// FuzzNameConstraints: a name that is admitted under permitted subtrees crypto/x509
// does not refuse under the same: it takes a host for its domain too.
func FuzzNameConstraints(f *testing.F) {
	f.Add(byte(tagEmail), "example.be", "a@example.be")
	f.Add(byte(tagEmail), ".example.be", "a@mail.example.be")
	f.Add(byte(tagEmail), "A@example.be", "A@EXAMPLE.be")
	f.Add(byte(tagEmail), "0", "0@@0")
	f.Add(byte(tagEmail), "0", "0\\@0")
	f.Add(byte(tagEmail), ".be", "a@b..be")
	f.Add(byte(tagEmail), "\"a@b\"@be", "\"a@b\"@be")
	f.Add(byte(tagURI), "example.be", "https://example.be:443/")
	f.Add(byte(tagURI), ".be", "https://b..be/")
	f.Add(byte(tagURI), ".example.be", "https://www.example.be/")
	f.Add(byte(tagDNS), "example.be", "www.example.be")
	f.Fuzz(func(t *testing.T, form byte, base, name string) {
		if form != tagEmail && form != tagURI && form != tagDNS || len(base)+len(name) > 200 {
			t.Skip("a form of name that is not looked at, or too much of it")
		}
		element := func(tag casn1.Tag, content ...[]byte) []byte {
			var b cryptobyte.Builder
			b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(content, nil)) })
			return b.BytesOrPanic()
		}
		general := func(text string) []byte { return element(casn1.Tag(form).ContextSpecific(), []byte(text)) }
		extension := func(arc int, value []byte) []pkix.Extension {
			return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, arc}, Critical: arc == arcNameConstraints, Value: value}}
		}
		permitted := element(casn1.Tag(0).Constructed().ContextSpecific(), element(casn1.SEQUENCE, general(base)))
		path := fuzzPath(t, []fuzzRung{{name: "A", extra: extension(arcNameConstraints, element(casn1.SEQUENCE, permitted))}},
			fuzzRung{extra: extension(arcSubjectAltName, element(casn1.SEQUENCE, general(name)))})
		if path == nil {
			return
		}
		err := fuzzIdentify(path, func(p *Profile) { p.Policies, p.AnyPolicy = nil, true })
		if err != nil {
			if ReasonOf(err) == 0 {
				t.Error(err)
			}
			return
		}
		if err := fuzzOracle(path, nil); err != nil {
			t.Errorf("%q under %q is admitted, and crypto/x509 refuses it: %v", name, base, err)
		}
	})
}

// FuzzPolicies: a path on which a policy is granted explicitly, with mappings
// inhibited, crypto/x509 does not refuse: it asks for less.
func FuzzPolicies(f *testing.F) {
	f.Add([]byte{0x02, 0, 0, 0x02})
	f.Add([]byte{0x01, 0x11, 0x21, 0x03, 0, 0, 0x02})
	f.Add([]byte{0x06, 0x80, 0x01, 0x0a, 0x01, 0x12, 0x02})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) < 1 || len(program) > 10 {
			t.Skip("no program, or one for too long a path")
		}
		policies := func(bits byte) (out []string) {
			for i, dotted := range []string{"2.5.29.32.0", "1.2.3.1", "1.2.3.2"} {
				if bits&(1<<i) != 0 {
					out = append(out, dotted)
				}
			}
			return out
		}
		var authorities []fuzzRung
		name := 0
		for ; len(program) >= 4; program = program[3:] {
			if program[0]&8 == 0 { // else self-issued
				name++
			}
			authorities = append(authorities, fuzzRung{name: "A" + strconv.Itoa(name), policies: policies(program[0]), extra: fuzzPolicyExtensions(program[1], program[2])})
		}
		path := fuzzPath(t, authorities, fuzzRung{policies: policies(program[0])})
		if path == nil {
			return
		}
		demanded := []string{"1.2.3.1"}
		err := fuzzIdentify(path, func(p *Profile) { p.Policies, p.ExplicitPolicy = demanded, true })
		if err != nil {
			if ReasonOf(err) == 0 {
				t.Error(err)
			}
			return
		}
		if err := fuzzOracle(path, demanded); err != nil {
			t.Errorf("admitted, and crypto/x509 refuses it: %v", err)
		}
		for _, c := range path[:len(path)-1] {
			if len(c.x509.Policies) == 0 {
				t.Error("admitted through a certificate without a policy")
			}
		}
	})
}

// fuzzPolicyExtensions writes what two octets say: mappings between three policies,
// and three skip counts, each perhaps absent.
func fuzzPolicyExtensions(mappings, counts byte) (out []pkix.Extension) {
	add := func(arc int, value any) {
		der, err := asn1.Marshal(value)
		if err != nil {
			panic(err)
		}
		out = append(out, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, arc}, Critical: true, Value: der})
	}
	ids := []asn1.ObjectIdentifier{{2, 5, 29, 32, 0}, {1, 2, 3, 1}, {1, 2, 3, 2}, {1, 2, 3, 3}}
	type pair struct{ Issuer, Subject asn1.ObjectIdentifier }
	var pairs []pair
	for ; mappings&0x0f != 0; mappings >>= 4 {
		pairs = append(pairs, pair{ids[mappings&3], ids[mappings>>2&3]})
	}
	if len(pairs) > 0 {
		add(arcPolicyMappings, pairs)
	}
	if counts&0x03 != 0 {
		add(arcInhibitAnyPolicy, int(counts&0x03)-1)
	}
	if require, inhibit := int(counts>>2&0x03)-1, int(counts>>4&0x03)-1; require >= 0 || inhibit >= 0 {
		add(arcPolicyConstraints, struct {
			Require int `asn1:"optional,tag:0,default:-1"`
			Inhibit int `asn1:"optional,tag:1,default:-1"`
		}{require, inhibit})
	}
	return out
}

// TestFuzzOracle: the oracle of the fuzz targets does refuse.
func TestFuzzOracle(t *testing.T) {
	path := fuzzPath(t, []fuzzRung{{name: "A", policies: []string{"1.2.3.2"}, extra: fuzzPolicyExtensions(0, 1<<2)}}, fuzzRung{policies: []string{"1.2.3.1"}})
	var invalid x509.CertificateInvalidError
	if err := fuzzOracle(path, []string{"1.2.3.1"}); !errors.As(err, &invalid) || invalid.Reason != x509.NoValidChains {
		t.Error(err)
	}
	path = fuzzPath(t, []fuzzRung{{name: "A", policies: []string{"1.2.3.1"}}}, fuzzRung{policies: []string{"1.2.3.1"}})
	if err := fuzzIdentify(path, func(p *Profile) { p.Policies, p.ExplicitPolicy = []string{"1.2.3.1"}, true }); err != nil {
		t.Error("nothing is admitted:", err)
	}
}

package certs_test

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// numbered is a CRL of a number, later than those before it, that lists certificates with a reason.
func numbered(number int64, reason int, revoked ...[]byte) minipki.CRL {
	c := list(revoked...)
	c.Number = number
	c.ThisUpdate = c.ThisUpdate.Add(time.Duration(number) * time.Second)
	for i := range c.Revoked {
		c.Revoked[i].Reason = reason
	}
	return c
}

// deltaOn makes a CRL a delta on a base.
func deltaOn(base int64, c minipki.CRL) minipki.CRL {
	var b cryptobyte.Builder
	b.AddASN1Int64(base)
	c.Extra = append(c.Extra, extension(true, string(b.BytesOrPanic()), 2, 5, 29, 27))
	return c
}

// twice lists each entry once more, for another reason.
func twice(c minipki.CRL, reason int) minipki.CRL {
	for _, r := range c.Revoked[:len(c.Revoked):len(c.Revoked)] {
		r.Reason = reason
		c.Revoked = append(c.Revoked, r)
	}
	return c
}

// late lets a CRL have ended before testpki.Now.
func late(c minipki.CRL) minipki.CRL {
	c.ThisUpdate = c.ThisUpdate.Add(-48 * time.Hour)
	c.NextUpdate = testpki.Now().Add(-time.Hour)
	return c
}

// The reasons of RFC 5280 section 5.3.1 that these tests write.
const (
	keyCompromise   = 1
	certificateHold = 6
	removeFromCRL   = 8
)

// TestK2DeltaCRL: a delta taken for more than it is would clear what was revoked
// between it and its base, or lift a revocation for good.
func TestK2DeltaCRL(t *testing.T) {
	pki := testpki.Load()
	ca, eid := pki.CitizenCA, pki.AliceEID.DER
	const ok, revoked, unknown = certs.Reason(0), certs.Revoked, certs.RevocationUnknown
	otherKey := deltaOn(5, numbered(6, 0))
	otherKey.Key = pki.BobEID.Key
	for _, tt := range []struct {
		name  string
		lists []minipki.CRL
		want  certs.Reason
	}{
		{"revokes", []minipki.CRL{numbered(5, 0), deltaOn(5, numbered(6, keyCompromise, eid))}, revoked},
		{"revokes, and came before its base", []minipki.CRL{deltaOn(5, numbered(6, keyCompromise, eid)), numbered(5, 0)}, revoked},
		{"says nothing of it", []minipki.CRL{numbered(5, 0), deltaOn(5, numbered(6, 0))}, ok},
		{"alone", []minipki.CRL{deltaOn(5, numbered(6, 0))}, unknown},
		{"alone, revokes", []minipki.CRL{deltaOn(5, numbered(6, keyCompromise, eid))}, revoked},
		{"lifts a hold", []minipki.CRL{numbered(5, certificateHold, eid), deltaOn(5, numbered(6, removeFromCRL, eid))}, ok},
		{"lifts what cannot be lifted", []minipki.CRL{numbered(5, keyCompromise, eid), deltaOn(5, numbered(6, removeFromCRL, eid))}, revoked},
		{"lifts a hold, on a later base", []minipki.CRL{numbered(5, certificateHold, eid), deltaOn(6, numbered(7, removeFromCRL, eid))}, revoked},
		{"lifts a hold, late", []minipki.CRL{numbered(5, certificateHold, eid), late(deltaOn(5, numbered(6, removeFromCRL, eid)))}, revoked},
		{"lifts a hold, signed by another", []minipki.CRL{numbered(5, certificateHold, eid), otherKey}, revoked},
		{"revokes, late", []minipki.CRL{numbered(5, 0), late(deltaOn(5, numbered(6, keyCompromise, eid)))}, revoked},
		{"keeps a late base fresh", []minipki.CRL{late(numbered(5, 0)), deltaOn(5, numbered(6, 0))}, ok},
		{"does not keep a late base fresh that is not its own", []minipki.CRL{late(numbered(5, 0)), deltaOn(6, numbered(7, 0))}, unknown},
		{"lifts one of two entries", []minipki.CRL{twice(numbered(5, keyCompromise, eid), certificateHold), deltaOn(5, numbered(6, removeFromCRL, eid))}, revoked},
		{"lifts the other of two entries", []minipki.CRL{twice(numbered(5, certificateHold, eid), keyCompromise), deltaOn(5, numbered(6, removeFromCRL, eid))}, revoked},
		{"lifts and revokes", []minipki.CRL{numbered(5, certificateHold, eid), deltaOn(5, twice(numbered(6, removeFromCRL, eid), keyCompromise))}, revoked},
		{"revokes and lifts", []minipki.CRL{numbered(5, certificateHold, eid), deltaOn(5, twice(numbered(6, keyCompromise, eid), removeFromCRL))}, revoked},
		{"on a later base, after one on a later base that revoked", []minipki.CRL{numbered(5, 0), deltaOn(6, numbered(7, keyCompromise, eid)), deltaOn(8, numbered(9, 0))}, revoked},
		{"on a later base, after one on a later base that revoked, whose base then comes", []minipki.CRL{numbered(5, 0), deltaOn(6, numbered(7, certificateHold, eid)), deltaOn(8, numbered(9, 0)), numbered(8, 0)}, ok},
		{"outrun by the complete list", []minipki.CRL{deltaOn(5, numbered(6, certificateHold, eid)), numbered(7, 0)}, ok},
		{"older than the complete list", []minipki.CRL{numbered(7, 0), deltaOn(5, numbered(6, certificateHold, eid))}, ok},
		{"on a later base, after one that revoked", []minipki.CRL{numbered(5, 0), deltaOn(5, numbered(6, keyCompromise, eid)), deltaOn(8, numbered(9, 0))}, revoked},
		{"on a later base, whose base then comes", []minipki.CRL{numbered(5, certificateHold, eid), deltaOn(8, numbered(9, removeFromCRL, eid)), numbered(8, certificateHold, eid)}, ok},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ders [][]byte
			for _, one := range tt.lists {
				ders = append(ders, sign(t, ca, one))
			}
			c := anchored(ca, certs.Revocation{})
			c.CRL.Files = []string{files(t, ders...)}
			if got := reasonOf(t, open(t, c), certs.RoleIdentity, eid); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestK3DeltaRollback: an older delta sent again would take a revocation back.
func TestK3DeltaRollback(t *testing.T) {
	pki := testpki.Load()
	ca, eid := pki.CitizenCA, pki.AliceEID.DER
	base, newer, older := sign(t, ca, numbered(5, 0)), sign(t, ca, deltaOn(5, numbered(7, keyCompromise, eid))), sign(t, ca, deltaOn(5, numbered(6, 0)))
	c := anchored(ca, certs.Revocation{})
	c.CRL.Files = []string{files(t, base, newer, older)}
	v := open(t, c)
	if got := reasonOf(t, v, certs.RoleIdentity, eid); got != certs.Revoked {
		t.Error(got)
	}
	s := v.Status(testpki.Now()).Authorities[0]
	if certs.ReasonOf(s.LastError()) != certs.RolledBack || s.Lists != 1 || s.Deltas != 1 || s.Number.Int64() != 5 && s.Number.Int64() != 7 {
		t.Errorf("%+v", s)
	}
}

// onlyReasons is an IssuingDistributionPoint with onlySomeReasons.
func onlyReasons(flags ...int) string {
	bits := [2]byte{}
	for _, n := range flags {
		bits[n/8] |= 0x80 >> (n % 8)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.Tag(3).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte{7, bits[0], bits[1]}) })
	})
	return string(b.BytesOrPanic())
}

// TestK2SomeReasons: a list for some reasons does not clear a certificate; those for all
// of them together do, as fresh as the least fresh of them.
func TestK2SomeReasons(t *testing.T) {
	pki := testpki.Load()
	ca, eid := pki.CitizenCA, pki.AliceEID.DER
	with := func(c minipki.CRL, flags ...int) minipki.CRL {
		c.Extra = append(c.Extra, extension(true, onlyReasons(flags...), 2, 5, 29, 28))
		return c
	}
	compromise, rest := []int{1, 2}, []int{3, 4, 5, 6, 7, 8}
	const ok, revoked, unknown = certs.Reason(0), certs.Revoked, certs.RevocationUnknown
	for _, tt := range []struct {
		name  string
		lists []minipki.CRL
		want  certs.Reason
	}{
		{"some", []minipki.CRL{with(numbered(5, 0), compromise...)}, unknown},
		{"some, lists it", []minipki.CRL{with(numbered(5, keyCompromise, eid), compromise...)}, revoked},
		{"all in two", []minipki.CRL{with(numbered(5, 0), compromise...), with(numbered(5, 0), rest...)}, ok},
		{"all in two, one lists it", []minipki.CRL{with(numbered(5, 0), compromise...), with(numbered(5, certificateHold, eid), rest...)}, revoked},
		{"all in two, one late", []minipki.CRL{with(numbered(5, 0), compromise...), with(late(numbered(5, 0)), rest...)}, unknown},
		{"all but one reason", []minipki.CRL{with(numbered(5, 0), compromise...), with(numbered(5, 0), rest[1:]...)}, unknown},
		{"a late list of all and a fresh one of some", []minipki.CRL{late(numbered(5, 0)), with(numbered(5, 0), compromise...)}, unknown},
		{"a fresh list of all and a late one of some", []minipki.CRL{numbered(5, 0), with(late(numbered(5, 0)), compromise...)}, ok},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ders [][]byte
			for _, one := range tt.lists {
				ders = append(ders, sign(t, ca, one))
			}
			c := anchored(ca, certs.Revocation{})
			c.CRL.Files = []string{files(t, ders...)}
			if got := reasonOf(t, open(t, c), certs.RoleIdentity, eid); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestK2DelegatedSigner: whoever may sign CRLs for an authority may clear what it
// revoked. Only whom the configuration names may, while he is good himself.
func TestK2DelegatedSigner(t *testing.T) {
	pki := testpki.Load()
	eid := pki.AliceEID.DER
	signerTemplate := caTemplate("C", "BE", "CN", "TEST Citizen CA", "serialNumber", "202601")
	signerTemplate.IsCA, signerTemplate.KeyUsage = false, x509.KeyUsageCRLSign
	key, err := minipki.GenerateKey(minipki.P256)
	if err != nil {
		t.Fatal(err)
	}
	signerBy := func(issuer *minipki.Authority, change func(*minipki.Template)) []byte {
		tmpl := signerTemplate
		if change != nil {
			change(&tmpl)
		}
		return issue(t, issuer, tmpl, key.Public())
	}
	delegated := func(c minipki.CRL) []byte {
		c.Key, c.OmitAuthorityKeyID = key, true
		return sign(t, pki.CitizenCA, c)
	}
	good := signerBy(pki.CitizenRoot, nil)
	own := signerBy(pki.CitizenCA, nil)
	ended := signerBy(pki.CitizenRoot, func(m *minipki.Template) { m.NotAfter = testpki.Now().Add(-time.Hour) })
	const ok, revoked, unknown = certs.Reason(0), certs.Revoked, certs.RevocationUnknown
	for _, tt := range []struct {
		name    string
		signers [][]byte
		root    minipki.CRL // of the root, which answers for a signer that it issued
		list    []byte      // of the CA
		start   certs.Reason
		want    certs.Reason
	}{
		{"not configured", nil, list(), delegated(list()), ok, unknown},
		{"configured", [][]byte{good}, list(), delegated(list()), ok, ok},
		{"configured, lists it", [][]byte{good}, list(), delegated(list(eid)), ok, revoked},
		{"revoked", [][]byte{good}, list(good), delegated(list()), ok, unknown},
		{"its issuer has no fresh list", [][]byte{good}, late(list()), delegated(list()), ok, unknown},
		{"ended", [][]byte{ended}, list(), delegated(list()), ok, unknown},
		{"issued by the CA itself", [][]byte{own}, list(), delegated(list()), ok, ok},
		{"issued by the CA itself, and listed by himself", [][]byte{own}, list(), delegated(list(own)), ok, unknown},
		{"may not sign CRLs", [][]byte{signerBy(pki.CitizenRoot, func(m *minipki.Template) { m.KeyUsage = x509.KeyUsageDigitalSignature })}, list(), delegated(list()), certs.WrongUsage, unknown},
		{"of another name", [][]byte{signerBy(pki.CitizenRoot, func(m *minipki.Template) { m.Subject = minipki.DN("C", "BE", "CN", "TEST another") })}, list(), delegated(list()), certs.WrongSigner, unknown},
		{"issued by a stranger", [][]byte{signerBy(pki.StrangerCA, nil)}, list(), delegated(list()), certs.UntrustedIssuer, unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := certs.BelgianEID()
			p.Roots = []*certs.Authority{{Certificate: pki.CitizenRoot.DER()}}
			p.Intermediates = []*certs.Authority{{Certificate: pki.CitizenCA.DER(), CRLSigners: tt.signers}}
			c := certs.Config{Profiles: []certs.Profile{p}, Now: testpki.Now, Log: quiet()}
			c.CRL.Files = []string{files(t, sign(t, pki.CitizenRoot, tt.root), tt.list)}
			v, err := certs.NewVerifier(c)
			if certs.ReasonOf(err) != tt.start {
				t.Fatalf("configuration: %v, want %v", err, tt.start)
			}
			if err != nil {
				return
			}
			defer v.Close()
			if got := reasonOf(t, v, certs.RoleIdentity, eid); got != tt.want {
				t.Fatalf("%v, want %v", got, tt.want)
			}
			if tt.want != ok {
				return
			}
			p.Intermediates = []*certs.Authority{{Certificate: pki.CitizenCA.DER()}}
			c.Profiles = []certs.Profile{p}
			if err := v.Reload(c); err != nil {
				t.Fatal(err)
			}
			if got := reasonOf(t, v, certs.RoleIdentity, eid); got != unknown {
				t.Errorf("after a reload that no longer names the signer: %v", got)
			}
		})
	}
}

// TestZ8ScopeThatSwells: whoever stands between us and a distribution point would fill the
// memory with one list that nobody signed: each name of its scope, of two octets, takes
// sixteen and more, and there is room for thirty million.
func TestZ8ScopeThatSwells(t *testing.T) {
	pki := testpki.Load()
	scope := func(n int) []byte {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
					b.AddBytes(bytes.Repeat([]byte("\x86\x00"), n))
				})
			})
		})
		c := numbered(5, 0)
		c.Key, c.OmitAuthorityKeyID = pki.BobEID.Key, true
		c.Extra = append(c.Extra, extension(true, string(b.BytesOrPanic()), 2, 5, 29, 28))
		return sign(t, pki.CitizenCA, c)
	}
	v := open(t, anchored(pki.CitizenCA, certs.Revocation{}))
	for n, want := range map[int]certs.Reason{100: certs.WrongSigner, 100_000: certs.TooLarge} {
		if got := v.ReportCRL(scope(n), testpki.Now()); certs.ReasonOf(got.Err) != want {
			t.Errorf("%d names: %v, want %v", n, got.Err, want)
		}
	}
}

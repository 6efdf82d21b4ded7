package certs_test

import (
	"context"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestK1UnusableCRL: with any of these in place of a CRL, a revoked certificate
// would pass a verifier that fails open. Here nothing passes, but by policy.
func TestK1UnusableCRL(t *testing.T) {
	pki := testpki.Load()
	ca, now := pki.CitizenCA, testpki.Now()
	expired := list()
	expired.ThisUpdate, expired.NextUpdate = now.Add(-48*time.Hour), now.Add(-5*time.Hour)
	future := list()
	future.ThisUpdate = now.Add(time.Hour)
	endless := list()
	endless.OmitNextUpdate = true
	backwards := list()
	backwards.NextUpdate = backwards.ThisUpdate.Add(-time.Hour)
	lateListing := expired
	lateListing.Revoked = list(pki.AliceEID.DER).Revoked

	const ok = certs.Reason(0)
	require, grace, off := certs.Revocation{}, certs.Revocation{Mode: certs.Grace, Grace: 6 * time.Hour}, certs.Revocation{Mode: certs.Off}
	short := certs.Revocation{Mode: certs.Grace, Grace: 4 * time.Hour}
	policies := []certs.Revocation{require, grace, short, off}
	unknown := certs.RevocationUnknown
	tests := []struct {
		name string
		crl  []byte
		want [4]certs.Reason // require, grace 6h, grace 4h, off
	}{
		{"fresh", sign(t, ca, list()), [4]certs.Reason{ok, ok, ok, ok}},
		{"fresh, lists it", sign(t, ca, list(pki.AliceEID.DER)), [4]certs.Reason{certs.Revoked, certs.Revoked, certs.Revoked, certs.Revoked}},
		{"late by five hours", sign(t, ca, expired), [4]certs.Reason{unknown, ok, unknown, ok}},
		{"late, lists it", sign(t, ca, lateListing), [4]certs.Reason{certs.Revoked, certs.Revoked, certs.Revoked, certs.Revoked}},
		{"missing", nil, [4]certs.Reason{unknown, unknown, unknown, ok}},
		{"from the future", sign(t, ca, future), [4]certs.Reason{unknown, unknown, unknown, ok}},
		{"without an end", sign(t, ca, endless), [4]certs.Reason{unknown, unknown, unknown, ok}},
		{"ends before it begins", sign(t, ca, backwards), [4]certs.Reason{unknown, unknown, unknown, ok}},
		{"unparsable", []byte("0\x03no CRL"), [4]certs.Reason{unknown, unknown, unknown, ok}},
		{"empty", []byte{}, [4]certs.Reason{unknown, unknown, unknown, ok}},
		{"cut off", sign(t, ca, list())[:200], [4]certs.Reason{unknown, unknown, unknown, ok}},
	}
	for _, tt := range tests {
		for i, policy := range policies {
			t.Run(tt.name+"/"+policy.String(), func(t *testing.T) {
				c := anchored(ca, policy)
				if tt.crl != nil {
					c.CRL.Files = []string{files(t, tt.crl)}
				}
				if got := reasonOf(t, open(t, c), certs.RoleIdentity, pki.AliceEID.DER); got != tt.want[i] {
					t.Errorf("%v, want %v", got, tt.want[i])
				}
			})
		}
	}
}

// TestK1UnusableServer: a distribution point that answers badly takes nothing
// away from what is known, and adds nothing.
func TestK1UnusableServer(t *testing.T) {
	pki := testpki.Load()
	ca := pki.CitizenCA
	good, newer := sign(t, ca, list(pki.BobEID.DER)), list()
	newer.Number = 6
	redirected := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("a redirect was followed") }))
	defer redirected.Close()
	tests := []struct {
		name   string
		serve  http.HandlerFunc
		reason certs.Reason
	}{
		{"404", http.NotFound, certs.Unavailable},
		{"500 with a body", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			w.Write(sign(t, ca, newer))
		}, certs.Unavailable},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, redirected.URL, http.StatusFound) }, certs.Unavailable},
		{"304 unasked", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(304) }, certs.Unavailable},
		{"page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>maintenance</html>") }, certs.Malformed},
		{"nothing", func(w http.ResponseWriter, r *http.Request) {}, certs.Malformed},
		{"wrong key", func(w http.ResponseWriter, r *http.Request) { w.Write(sign(t, pki.StrangerCA, newer)) }, certs.WrongSigner},
		{"2 GB said", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2147483648")
			w.WriteHeader(200)
		}, certs.TooLarge},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, certs.TooLarge},
		{"hangs", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, certs.Unavailable},
		{"hangs in the middle", func(w http.ResponseWriter, r *http.Request) {
			w.Write(good[:100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, certs.Unavailable},
		{"resets", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		}, certs.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.serve)
			c := anchored(ca, certs.Revocation{}, server.URL+"/ca.crl")
			c.CRL.Files, c.CRL.MaxBytes = []string{files(t, good)}, 1<<20
			if strings.HasPrefix(tt.name, "hangs") {
				c.CRL.Timeout = 100 * time.Millisecond
			}
			v := open(t, c)
			defer server.Close()
			defer v.Close()
			if err := v.Fetch(context.Background()); certs.ReasonOf(err) != tt.reason {
				t.Errorf("%v, want %v", err, tt.reason)
			}
			if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
				t.Errorf("Alice: %v", got)
			}
			if got := reasonOf(t, v, certs.RoleIdentity, pki.BobEID.DER); got != certs.Revoked {
				t.Errorf("Bob, revoked: %v", got)
			}
			status := v.Status(testpki.Now())
			if a := status.Authorities[0]; a.State != certs.CRLFresh || certs.ReasonOf(a.LastError()) != tt.reason || a.Entries != 1 || !status.Ready() {
				t.Errorf("status: %+v", a)
			}
		})
	}
}

// distributionPoint is the DER of an IssuingDistributionPoint.
const (
	onlyUsers       = "\x30\x03\x81\x01\xff"
	onlyAuthorities = "\x30\x03\x82\x01\xff"
	someReasons     = "\x30\x04\x83\x02\x01\x02"
	noReason        = "\x30\x04\x83\x02\x00\x00"
	indirect        = "\x30\x03\x84\x01\xff"
	onlyAttributes  = "\x30\x03\x85\x01\xff"
	anotherPoint    = "\x30\x18\xa0\x16\xa0\x14\x86\x12http://x.example/1"
	relativeName    = "\x30\x11\xa0\x0f\xa1\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04name"
)

// TestK2CRLSigner: a CRL of another, or of another scope, taken for the CA's own,
// would clear what the CA has revoked.
func TestK2CRLSigner(t *testing.T) {
	pki := testpki.Load()
	ca := pki.CitizenCA
	with := func(change func(*minipki.CRL)) []byte {
		c := list()
		change(&c)
		return sign(t, ca, c)
	}
	withExtension := func(critical bool, value string, oid ...int) []byte {
		return with(func(c *minipki.CRL) { c.Extra = append(c.Extra, extension(critical, value, oid...)) })
	}
	withEntry := func(critical bool, value string, oid ...int) []byte {
		return with(func(c *minipki.CRL) {
			c.Revoked = []minipki.Revoked{{Serial: big.NewInt(7), At: testpki.NotBefore()}}
			c.Revoked[0].Extra = append(c.Revoked[0].Extra, extension(critical, value, oid...))
		})
	}
	reasonCode := func(reason int) []byte {
		return with(func(c *minipki.CRL) {
			c.Revoked = []minipki.Revoked{{Serial: serialOf(pki.AliceEID.DER), At: testpki.NotBefore(), Reason: reason}}
		})
	}
	altered := sign(t, ca, list())
	altered[len(altered)-1] ^= 1
	const ok = certs.Reason(0)
	tests := []struct {
		name   string
		crl    []byte
		load   certs.Reason // of the file, when the configuration names it
		verify certs.Reason // of Alice's eID
	}{
		{"its own", sign(t, ca, list()), ok, ok},
		{"without extensions (v1)", with(func(c *minipki.CRL) { c.Version1 = true }), certs.Malformed, certs.RevocationUnknown},
		{"without a number", with(func(c *minipki.CRL) { c.OmitNumber = true }), certs.Malformed, certs.RevocationUnknown},
		{"RSA-PSS", with(func(c *minipki.CRL) { c.SignatureAlgorithm = 13 }), ok, ok},
		{"of another CA with the same name", sign(t, pki.StrangerCA, list()), certs.WrongSigner, certs.RevocationUnknown},
		{"signed by an end-entity key", with(func(c *minipki.CRL) { c.Key = pki.BobEID.Key }), certs.WrongSigner, certs.RevocationUnknown},
		{"of another CA", sign(t, pki.EHealthCA, list()), certs.UntrustedIssuer, certs.RevocationUnknown},
		{"wrong authority key identifier", with(func(c *minipki.CRL) { c.AuthorityKeyID = []byte("another") }), certs.WrongSigner, certs.RevocationUnknown},
		{"altered", altered, certs.WrongSigner, certs.RevocationUnknown},
		{"SHA-1", with(func(c *minipki.CRL) { c.SignatureAlgorithm = 3 }), certs.WeakSignature, certs.RevocationUnknown},
		{"delta without base", withExtension(true, "\x02\x01\x01", 2, 5, 29, 27), ok, certs.RevocationUnknown},
		{"delta, not critical", withExtension(false, "\x02\x01\x01", 2, 5, 29, 27), ok, certs.RevocationUnknown},
		{"indirect", withExtension(true, indirect, 2, 5, 29, 28), certs.Unsupported, certs.RevocationUnknown},
		{"for some reasons", withExtension(true, someReasons, 2, 5, 29, 28), ok, certs.RevocationUnknown},
		{"for no reason", withExtension(true, noReason, 2, 5, 29, 28), certs.Malformed, certs.RevocationUnknown},
		{"for attribute certificates", withExtension(true, onlyAttributes, 2, 5, 29, 28), certs.Unsupported, certs.RevocationUnknown},
		{"relative distribution point", withExtension(true, relativeName, 2, 5, 29, 28), ok, certs.RevocationUnknown},
		{"for CA certificates only", withExtension(true, onlyAuthorities, 2, 5, 29, 28), ok, certs.RevocationUnknown},
		{"for user certificates only", withExtension(true, onlyUsers, 2, 5, 29, 28), ok, ok},
		{"of a partition that is not Alice's", withExtension(true, anotherPoint, 2, 5, 29, 28), ok, certs.RevocationUnknown},
		{"distribution point that is none", withExtension(true, "\x04\x00", 2, 5, 29, 28), certs.Malformed, certs.RevocationUnknown},
		{"unknown critical extension", withExtension(true, "\x05\x00", 1, 2, 3), certs.Unsupported, certs.RevocationUnknown},
		{"unknown extension", withExtension(false, "\x05\x00", 1, 2, 3), ok, ok},
		{"two numbers", withExtension(false, "\x02\x01\x07", 2, 5, 29, 20), certs.Malformed, certs.RevocationUnknown},
		{"certificateIssuer in an entry", withEntry(true, "\x30\x00", 2, 5, 29, 29), certs.Unsupported, certs.RevocationUnknown},
		{"unknown critical entry extension", withEntry(true, "\x05\x00", 1, 2, 3), certs.Unsupported, certs.RevocationUnknown},
		{"reason that is none", withEntry(false, "\x0a\x01\x63", 2, 5, 29, 21), certs.Malformed, certs.RevocationUnknown},
		{"certificateHold", reasonCode(6), ok, certs.Revoked},
		{"removeFromCRL in a full list", reasonCode(8), ok, certs.Revoked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := files(t, tt.crl)
			c := anchored(ca, certs.Revocation{})
			c.CRL.Files = []string{filepath.Join(dir, "a.crl")}
			v, err := certs.NewVerifier(c)
			if certs.ReasonOf(err) != tt.load {
				t.Errorf("named file: %v, want %v", err, tt.load)
			}
			if err == nil {
				v.Close()
			}
			c.CRL.Files = []string{dir}
			if got := reasonOf(t, open(t, c), certs.RoleIdentity, pki.AliceEID.DER); got != tt.verify {
				t.Errorf("Alice: %v, want %v", got, tt.verify)
			}
		})
	}
}

// TestK2PartitionedCRL: a list of the partition that the certificate names speaks for it.
func TestK2PartitionedCRL(t *testing.T) {
	pki := testpki.Load()
	tmpl := alice()
	tmpl.CRLPoints = []string{"http://x.example/1"}
	der := issue(t, pki.CitizenCA, tmpl, pki.OtherKey().Public())
	partition := list(der)
	partition.Extra = append(partition.Extra, extension(true, anotherPoint, 2, 5, 29, 28))
	c := anchored(pki.CitizenCA, certs.Revocation{})
	c.CRL.Files = []string{files(t, sign(t, pki.CitizenCA, partition), sign(t, pki.CitizenCA, list()))}
	v := open(t, c)
	if got := reasonOf(t, v, certs.RoleIdentity, der); got != certs.Revoked {
		t.Errorf("listed in its partition: %v", got)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
		t.Errorf("of no partition: %v", got)
	}
	if s := v.Status(testpki.Now()); s.Authorities[0].Lists != 2 {
		t.Errorf("status: %+v", s.Authorities[0])
	}
}

// TestK2WithoutCRLSign: an authority that may not sign CRLs has none.
func TestK2WithoutCRLSign(t *testing.T) {
	pki := testpki.Load()
	tmpl := caTemplate("C", "BE", "CN", "TEST no CRLs")
	tmpl.KeyUsage = 1 << 5 // keyCertSign alone
	ca := subordinate(t, pki.CitizenRoot, tmpl, minipki.P256)
	c := anchored(ca, certs.Revocation{})
	c.CRL.Files = []string{files(t, sign(t, ca, list()))}
	leaf := issue(t, ca, alice(), pki.OtherKey().Public())
	if got := reasonOf(t, open(t, c), certs.RoleIdentity, leaf); got != certs.RevocationUnknown {
		t.Error(got)
	}
}

// TestK3Rollback: an old CRL from before the revocation, sent again by whoever
// stands between us and the distribution point.
func TestK3Rollback(t *testing.T) {
	pki := testpki.Load()
	ca := pki.CitizenCA
	var served atomic.Pointer[[]byte]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(*served.Load()) }))
	defer server.Close()
	current := sign(t, ca, list(pki.AliceEID.DER))
	served.Store(&current)
	v := open(t, anchored(ca, certs.Revocation{}, server.URL))
	defer v.Close()
	if err := v.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	older, reused, earlier := list(), list(), list()
	older.Number = 4
	earlier.Number = 6
	earlier.ThisUpdate = earlier.ThisUpdate.Add(-time.Minute)
	for name, c := range map[string]minipki.CRL{"smaller number": older, "number used again": reused, "earlier thisUpdate": earlier} {
		bad := sign(t, ca, c)
		served.Store(&bad)
		epoch := v.Epoch()
		if err := v.Fetch(context.Background()); certs.ReasonOf(err) != certs.RolledBack {
			t.Errorf("%s: %v", name, err)
		}
		if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != certs.Revoked || v.Epoch() != epoch {
			t.Errorf("%s: Alice: %v", name, got)
		}
	}
	served.Store(&current)
	if err := v.Fetch(context.Background()); err != nil {
		t.Errorf("the same list again: %v", err)
	}
	// Nor does a reload forget what was known.
	c := anchored(ca, certs.Revocation{})
	c.CRL.Files = []string{files(t, sign(t, ca, older))}
	if err := v.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != certs.Revoked {
		t.Errorf("after a reload with the old list: %v", got)
	}
}

// TestK3AddressInCertificate: SSRF by a distribution point that the attacker wrote into his certificate.
func TestK3AddressInCertificate(t *testing.T) {
	pki := testpki.Load()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("the address in a certificate was contacted") }))
	defer server.Close()
	tmpl := alice()
	tmpl.CRLPoints = []string{server.URL + "/ca.crl"}
	c := anchored(pki.CitizenCA, certs.Revocation{})
	v := open(t, c)
	if got := reasonOf(t, v, certs.RoleIdentity, issue(t, pki.CitizenCA, tmpl, pki.OtherKey().Public())); got != certs.RevocationUnknown {
		t.Error(got)
	}
	if err := v.Fetch(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestK4RevokedIntermediate: a CA whose key was stolen issues what it likes until its own revocation counts.
func TestK4RevokedIntermediate(t *testing.T) {
	pki := testpki.Load()
	p := certs.BelgianEID()
	p.Roots, p.Intermediates = []*certs.Authority{{Certificate: pki.CitizenRoot.DER()}}, []*certs.Authority{{Certificate: pki.CitizenCA.DER()}}
	c := certs.Config{Profiles: []certs.Profile{p}, Now: testpki.Now, Log: quiet()}
	dir := files(t, sign(t, pki.CitizenCA, list()), sign(t, pki.CitizenRoot, list()))
	c.CRL.Files = []string{dir}
	v := open(t, c)
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
		t.Fatal(got)
	}
	v.Settle()
	newer := list(pki.CitizenCA.DER())
	newer.Number = 6
	c.CRL.Files = []string{dir, files(t, sign(t, pki.CitizenRoot, newer))}
	if err := v.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != certs.Revoked {
		t.Error(got)
	}
}

// TestK4RevokedAfterwards: a certificate that was just identified, and is known,
// is refused as soon as the next CRL lists it, even with a date in the future.
func TestK4RevokedAfterwards(t *testing.T) {
	pki := testpki.Load()
	ca := pki.CitizenCA
	var served atomic.Pointer[[]byte]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(*served.Load()) }))
	defer server.Close()
	before := sign(t, ca, list())
	served.Store(&before)
	v := open(t, anchored(ca, certs.Revocation{}, server.URL))
	defer v.Close()
	if err := v.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
		t.Fatal(got)
	}
	v.Settle()
	c := list(pki.AliceEID.DER)
	c.Number = 6
	c.Revoked[0].At = testpki.Now().Add(24 * time.Hour)
	after := sign(t, ca, c)
	served.Store(&after)
	if err := v.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != certs.Revoked {
		t.Error(got)
	}
}

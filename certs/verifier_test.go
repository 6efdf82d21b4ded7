package certs_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPinned: a certificate that the configuration names by its octets is trusted
// as it stands, but not beyond its validity, and no other with its names is.
func TestPinned(t *testing.T) {
	pki := testpki.Load()
	self, err := minipki.NewRoot(caTemplate("O", "TEST", "CN", "TEST STS signing"), pki.OtherKeyP256())
	if err != nil {
		t.Fatal(err)
	}
	encipher := alice()
	encipher.KeyUsage = 1 << 2 // keyEncipherment
	encipherOnly := issue(t, pki.CitizenCA, encipher, pki.OtherKeyP256().Public())
	p := certs.TokenIssuer()
	p.Pinned = [][]byte{self.DER(), encipherOnly, pki.ExpiredEHealth.DER}
	v := open(t, certs.Config{Profiles: []certs.Profile{p}, Log: quiet()})
	tests := []struct {
		name string
		der  []byte
		want certs.Reason
	}{
		{"not for signatures", encipherOnly, certs.WrongUsage},
		{"expired", pki.ExpiredEHealth.DER, certs.Expired},
		{"not pinned", pki.STS.DER, certs.WrongProfile},
		{"same names, signed again", func() []byte {
			tmpl := caTemplate("O", "TEST", "CN", "TEST STS signing")
			return issue(t, self, tmpl, pki.OtherKeyP256().Public())
		}(), certs.WrongProfile},
	}
	for _, tt := range tests {
		if got := reasonOf(t, v, certs.RoleSTS, tt.der); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	// The self-signed one is a CA whose key usage lacks digitalSignature: refused; without a key usage it is admitted.
	if got := reasonOf(t, v, certs.RoleSTS, self.DER()); got != certs.WrongUsage {
		t.Errorf("CA key usage: %v", got)
	}
	tmpl := caTemplate("O", "TEST", "CN", "TEST STS signing")
	tmpl.KeyUsage = 0
	plain, err := minipki.NewRoot(tmpl, pki.OtherKeyP256())
	if err != nil {
		t.Fatal(err)
	}
	p.Pinned = [][]byte{plain.DER()}
	id := certstest.Identify(t, open(t, certs.Config{Profiles: []certs.Profile{p}, Log: quiet()}), certs.RoleSTS, plain.DER())
	if typ, value := id.Identifier(); id.Kind() != certs.Service || id.Revocation() != certs.NotChecked || typ != "" || value != "" || len(id.Path()) != 1 {
		t.Errorf("pinned: %v", id)
	}
}

// TestSamplePKI loads the sample certificates of the wire document.
func TestSamplePKI(t *testing.T) {
	shared := os.Getenv("SCEAU_SHARED")
	if shared == "" {
		t.Skip("SCEAU_SHARED does not say where the shared samples lie")
	}
	dir := filepath.Join(shared, "samples", "ehealth", "pki")
	read := func(name string) []byte {
		ders, err := certs.ReadCertificates(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return ders[0]
	}
	off := certs.Revocation{Mode: certs.Off}
	eid := certs.BelgianEID()
	eid.Policies, eid.AnyPolicy = nil, true // the sample names no policy
	eid.Roots = []*certs.Authority{{Certificate: read("citca.pem"), Revocation: off}}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{Certificate: read("ehca.pem"), Revocation: off}}
	fallback := certs.EHealthPlatform(certs.RoleIdentity)
	fallback.Roots = holder.Roots
	sts := certs.TokenIssuer()
	sts.Pinned = [][]byte{read("sts.pem")}
	v := open(t, certs.Config{Profiles: []certs.Profile{eid, fallback, holder, sts}, Log: quiet()})
	for _, tt := range []struct {
		role certs.Role
		file string
		kind certs.Kind
		ssin string
	}{
		{certs.RoleIdentity, "eid.pem", certs.EID, "00000000097"},
		{certs.RoleIdentity, "hok.pem", certs.EHealthPerson, "00000000097"},
		{certs.RoleHolder, "hok.pem", certs.EHealthPerson, "00000000097"},
		{certs.RoleSTS, "sts.pem", certs.Service, ""},
	} {
		id := certstest.Identify(t, v, tt.role, read(tt.file))
		if id.Kind() != tt.kind || id.SSIN() != tt.ssin {
			t.Errorf("%s as %s: %v %s", tt.file, tt.role, id.Kind(), id.SSIN())
		}
	}
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(passphrase, []byte("test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"eid", "hok", "sts"} {
		pem, err := certs.LoadSigner(certs.KeyConfig{Key: filepath.Join(dir, name+".key"), Certificate: filepath.Join(dir, name+".pem"), At: testpki.Now()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p12, err := certs.LoadSigner(certs.KeyConfig{PKCS12: filepath.Join(dir, name+".p12"), PassphraseFile: passphrase, At: testpki.Now()})
		if err != nil || p12.Certificate().Fingerprint() != pem.Certificate().Fingerprint() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEverythingWrongAtOnce: an operator mends a configuration in one go.
func TestEverythingWrongAtOnce(t *testing.T) {
	_, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{{Name: "first", Role: certs.RoleHolder}, {Name: "second", Kinds: []certs.Kind{certs.EID}}}})
	for _, want := range []string{`"first": admits no kind`, `"first": neither a root`, `"second": no role`, `"second": neither a root`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

// TestReload: a bad configuration changes nothing; a good one is seen by whoever is known already.
func TestReload(t *testing.T) {
	pki := testpki.Load()
	v := certstest.Verifier(t)
	certstest.Identify(t, v, certs.RoleIdentity, pki.AliceEID.DER)
	v.Settle()
	epoch := v.Epoch()
	bad := certstest.Config(t)
	bad.Profiles[1].Kinds = nil
	if err := v.Reload(bad); certs.ReasonOf(err) != certs.NoTrust || v.Epoch() != epoch {
		t.Errorf("bad profile: %v", err)
	}
	bad = certstest.Config(t)
	bad.CRL.Files = append(bad.CRL.Files, filepath.Join(t.TempDir(), "missing"))
	if err := v.Reload(bad); certs.ReasonOf(err) != certs.Unavailable || v.Epoch() != epoch {
		t.Errorf("missing file: %v", err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
		t.Errorf("after bad reloads: %v", got)
	}
	next := certstest.Config(t)
	next.Profiles = next.Profiles[1:] // no eID any more
	if err := v.Reload(next); err != nil || v.Epoch() == epoch {
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != certs.WrongProfile {
		t.Errorf("after a reload without eID: %v", got)
	}
	v.Close()
	v.Close()
	if err := v.Reload(next); certs.ReasonOf(err) != certs.Unavailable {
		t.Errorf("after Close: %v", err)
	}
	if got := reasonOf(t, v, certs.RoleHolder, pki.AliceEHealth.DER); got != 0 {
		t.Errorf("after Close: %v", got)
	}
}

// TestConcurrentUse: requests, reloads and new CRLs at once; the race detector watches, and nobody is refused.
func TestConcurrentUse(t *testing.T) {
	pki := testpki.Load()
	var number atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := list(pki.BobEID.DER)
		c.Number = 100 + number.Add(1)
		der, err := pki.CitizenCA.CRL(c)
		if err == nil {
			w.Write(der)
		}
	}))
	defer server.Close()
	c := anchored(pki.CitizenCA, certs.Revocation{}, server.URL)
	v := open(t, c)
	defer v.Close()
	fetch := func() {
		// Two fetches may overtake each other: the later list stays.
		if err := v.Fetch(context.Background()); err != nil && certs.ReasonOf(err) != certs.RolledBack {
			t.Error(err)
		}
	}
	fetch()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 300 {
				if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
					t.Errorf("Alice: %v", got)
				}
				if got := reasonOf(t, v, certs.RoleIdentity, pki.BobEID.DER); got != certs.Revoked {
					t.Errorf("Bob: %v", got)
				}
			}
		})
	}
	group.Go(func() {
		for range 20 {
			fetch()
		}
	})
	group.Go(func() {
		for range 10 {
			if err := v.Reload(c); err != nil {
				t.Error(err)
			}
			v.Status(testpki.Now())
		}
	})
	group.Wait()
}

// TestStatus: what readiness and metrics read.
func TestStatus(t *testing.T) {
	pki := testpki.Load()
	c := certstest.Config(t)
	v := open(t, c)
	s := v.Status(testpki.Now())
	if !s.Ready() || len(s.Authorities) != 6 {
		t.Fatalf("%+v", s)
	}
	for _, a := range s.Authorities {
		if a.State != certs.CRLFresh || a.Age != 20*time.Hour || a.Lists != 1 || a.Number.Int64() != 1 || a.Soon || len(a.Sources) != 1 || a.Sources[0].Source == "" || a.Subject == "" {
			t.Errorf("%+v", a)
		}
	}
	if late := v.Status(testpki.NotAfter().Add(time.Hour)); late.Ready() || late.Authorities[0].State != certs.CRLLate || !late.Authorities[0].Soon {
		t.Errorf("%+v", late.Authorities[0])
	}
	pinned := certs.TokenIssuer()
	pinned.Pinned = [][]byte{pki.STS.DER}
	if s := open(t, certs.Config{Profiles: []certs.Profile{pinned}, Log: quiet()}).Status(testpki.Now()); !s.Ready() {
		t.Error("pinned only is not ready")
	}
}

// TestOffIsLoud: whoever turns revocation off reads it in the log.
func TestOffIsLoud(t *testing.T) {
	var out strings.Builder
	c := anchored(testpki.Load().CitizenCA, certs.Revocation{Mode: certs.Off})
	c.Log = logTo(&out)
	open(t, c)
	if !strings.Contains(out.String(), "level=WARN") || !strings.Contains(out.String(), "TEST Citizen CA") {
		t.Errorf("log: %s", out.String())
	}
}

// TestErrorsNameNobody: no error that a certificate causes quotes its holder.
func TestErrorsNameNobody(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	for _, l := range []*testpki.Leaf{&pki.RevokedEID, &pki.ExpiredEHealth, &pki.FutureEID, &pki.StrangerEID, &pki.AliceEHealth} {
		leaf := certstest.Parse(t, v, l.DER)
		_, err := v.Identify(certs.RoleSTS, leaf, nil, testpki.Now())
		_, err2 := v.Identify(certs.RoleIdentity, leaf, nil, testpki.Now())
		text := errors.Join(err, err2).Error()
		for _, secret := range []string{testpki.AliceSSIN, testpki.DaveSSIN, testpki.ErinSSIN, "Alice", "Dave", "Erin", "ALICE"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q names %s", text, secret)
			}
		}
	}
}

// FuzzIdentify: whatever DER arrives, nobody is identified but by the very octets that a CA signed.
func FuzzIdentify(f *testing.F) {
	pki := testpki.Load()
	known := map[string]bool{}
	for _, l := range []*testpki.Leaf{&pki.AliceEID, &pki.FrankEID, &pki.AliceEHealthP256, &pki.Application, &pki.STS, &pki.RevokedEID, &pki.ExpiredEID, &pki.StrangerEID} {
		f.Add(l.DER)
		known[string(l.DER)] = true
	}
	f.Add(pki.CitizenCA.DER())
	v := certstest.Verifier(f)
	v.Close() // without caches and background every input takes the same road each time
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := v.Parse(der)
		if err != nil {
			if c != nil || certs.ReasonOf(err) == 0 {
				t.Fatalf("refused with a certificate or without a reason: %v", err)
			}
			return
		}
		for _, role := range []certs.Role{certs.RoleIdentity, certs.RoleHolder, certs.RoleSTS} {
			id, err := v.Identify(role, c, []*certs.Certificate{c}, testpki.Now())
			if err != nil && (id != certs.Identity{} || certs.ReasonOf(err) == 0) {
				t.Fatalf("refused with an identity or without a reason: %v", err)
			}
			if err == nil && !known[string(der)] {
				t.Fatalf("somebody was identified by octets that no CA signed: %x", der)
			}
		}
		for _, text := range []string{c.Subject().String(), c.Subject().JavaRFC1779()} {
			if len(text) < 2048 && text != "" && !c.SubjectIs([]byte(text)) {
				t.Fatalf("the subject is not %q", text)
			}
		}
	})
}

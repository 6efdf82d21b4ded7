package certs_test

import (
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// eidUnder gives a configuration of eID rules under roots and intermediates, without revocation.
func eidUnder(roots, intermediates []*minipki.Authority, change func(*certs.Profile)) certs.Config {
	p := certs.BelgianEID()
	for _, ca := range roots {
		p.Roots = append(p.Roots, &certs.Authority{Certificate: ca.DER(), Revocation: certs.Revocation{Mode: certs.Off}})
	}
	for _, ca := range intermediates {
		p.Intermediates = append(p.Intermediates, &certs.Authority{Certificate: ca.DER(), Revocation: certs.Revocation{Mode: certs.Off}})
	}
	if change != nil {
		change(&p)
	}
	return certs.Config{Profiles: []certs.Profile{p}, Now: testpki.Now, Log: quiet()}
}

// TestK5PathExplosion: candidates by the thousand under one name make a verifier
// try signatures without end. Here the number of tries is bounded and the refusal
// says so; a key identifier finds the right candidate at once, and a path that does
// not exist is never found.
func TestK5PathExplosion(t *testing.T) {
	pki := testpki.Load()
	root, err := minipki.NewRoot(caTemplate("C", "BE", "CN", "TEST root of many"), pki.OtherKeyP256())
	if err != nil {
		t.Fatal(err)
	}
	many := caTemplate("C", "BE", "CN", "TEST many")
	var same []*minipki.Authority
	for range 1000 {
		same = append(same, subordinate(t, root, many, minipki.P256))
	}
	v := open(t, eidUnder([]*minipki.Authority{root}, same, nil))
	anonymous := alice()
	anonymous.OmitKeyIDs = true
	stranger := subordinate(t, pki.StrangerCA, many, minipki.P256)
	key := pki.OtherKey().Public()
	for _, tt := range []struct {
		name string
		leaf []byte
		want certs.Reason
	}{
		{"of a stranger", issue(t, stranger, alice(), key), certs.TooManyCertificates},
		{"of a stranger, without a key identifier", issue(t, stranger, anonymous, key), certs.TooManyCertificates},
		{"of the first", issue(t, same[0], alice(), key), 0},
		{"of the last", issue(t, same[999], alice(), key), 0},
		{"of the last, without a key identifier", issue(t, same[999], anonymous, key), certs.TooManyCertificates},
	} {
		if got := reasonOf(t, v, certs.RoleIdentity, tt.leaf); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestK5Loop: two authorities that certify each other lead nowhere.
func TestK5Loop(t *testing.T) {
	pki := testpki.Load()
	a := subordinate(t, pki.StrangerCA, caTemplate("C", "BE", "CN", "TEST loop A"), minipki.P256)
	b, err := a.Subordinate(caTemplate("C", "BE", "CN", "TEST loop B"), pki.OtherKeyP256())
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Subordinate(caTemplate("C", "BE", "CN", "TEST loop A"), a.Key())
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, eidUnder([]*minipki.Authority{pki.CitizenRoot}, []*minipki.Authority{b, again}, nil))
	leaf := issue(t, b, alice(), pki.OtherKey().Public())
	if got := reasonOf(t, v, certs.RoleIdentity, leaf, b.DER(), again.DER(), a.DER()); got != certs.UntrustedIssuer {
		t.Error(got)
	}
}

// TestK5Bounds: a message brings at most four intermediates, a path has at most five certificates.
func TestK5Bounds(t *testing.T) {
	pki := testpki.Load()
	ca := pki.CitizenRoot
	var path [][]byte
	for _, name := range []string{"1", "2", "3", "4"} {
		ca = subordinate(t, ca, caTemplate("C", "BE", "CN", "TEST level "+name), minipki.P256)
		path = append(path, ca.DER())
	}
	issuer := func(name string) func(*certs.Profile) {
		return func(p *certs.Profile) { p.Issuers = []string{"CN=TEST level " + name + ", C=BE"} }
	}
	leaf := issue(t, ca, alice(), pki.OtherKey().Public())
	v := open(t, eidUnder([]*minipki.Authority{pki.CitizenRoot}, nil, issuer("4")))
	if got := reasonOf(t, v, certs.RoleIdentity, leaf, path...); got != certs.TooManyCertificates {
		t.Errorf("a path of six: %v", got)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, leaf, append(path, pki.CitizenCA.DER())...); got != certs.TooManyCertificates {
		t.Errorf("five intermediates: %v", got)
	}
}

// TestK5MessageIntermediate: an intermediate that came with the message extends
// a path only where the profile names it, and has no CRL here.
func TestK5MessageIntermediate(t *testing.T) {
	pki := testpki.Load()
	ca := subordinate(t, pki.CitizenRoot, caTemplate("C", "BE", "CN", "TEST new CA"), minipki.P256)
	leaf := issue(t, ca, alice(), pki.OtherKey().Public())
	named := func(p *certs.Profile) { p.Issuers = []string{"C=be, CN=test new ca"} }
	roots := []*minipki.Authority{pki.CitizenRoot}
	if got := reasonOf(t, open(t, eidUnder(roots, nil, nil)), certs.RoleIdentity, leaf, ca.DER()); got != certs.UntrustedIssuer {
		t.Errorf("not named: %v", got)
	}
	if got := reasonOf(t, open(t, eidUnder(roots, nil, named)), certs.RoleIdentity, leaf, ca.DER()); got != certs.RevocationUnknown {
		t.Errorf("named: %v", got)
	}
	weak := subordinate(t, pki.CitizenRoot, caTemplate("C", "BE", "CN", "TEST new CA"), minipki.P224)
	if got := reasonOf(t, open(t, eidUnder(roots, nil, named)), certs.RoleIdentity, leaf, weak.DER()); got != certs.WeakKey {
		t.Errorf("weak: %v", got)
	}
	if got := reasonOf(t, open(t, eidUnder(roots, []*minipki.Authority{ca}, nil)), certs.RoleIdentity, leaf); got != 0 {
		t.Errorf("configured: %v", got)
	}
}

// TestK6Certificate: one defect each, in a certificate that is good otherwise.
func TestK6Certificate(t *testing.T) {
	pki := testpki.Load()
	ca, key := pki.CitizenCA, pki.OtherKey().Public()
	tests := []struct {
		name   string
		change func(*minipki.Template)
		want   certs.Reason
	}{
		{"none", func(*minipki.Template) {}, 0},
		{"no digitalSignature", func(c *minipki.Template) { c.KeyUsage = x509.KeyUsageContentCommitment }, certs.WrongUsage},
		{"key encipherment only", func(c *minipki.Template) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, certs.WrongUsage},
		{"no key usage", func(c *minipki.Template) { c.KeyUsage = 0 }, certs.WrongUsage},
		{"CA certificate", func(c *minipki.Template) { c.IsCA, c.PathLength = true, -1; c.KeyUsage |= x509.KeyUsageCertSign }, certs.WrongUsage},
		{"no extended key usage", func(c *minipki.Template) { c.ExtKeyUsage = nil }, certs.WrongUsage},
		{"serverAuth only", func(c *minipki.Template) { c.ExtKeyUsage = []string{minipki.ServerAuth} }, certs.WrongUsage},
		{"any extended key usage", func(c *minipki.Template) { c.ExtKeyUsage = []string{"2.5.29.37.0"} }, certs.WrongUsage},
		{"policy of a test PKI", func(c *minipki.Template) { c.Policies = []string{"2.16.56.99.1"} }, certs.WrongPolicy},
		{"any policy", func(c *minipki.Template) { c.Policies = []string{minipki.AnyPolicy} }, certs.WrongPolicy},
		{"no policy", func(c *minipki.Template) { c.Policies = nil }, certs.WrongPolicy},
		{"unknown critical extension", func(c *minipki.Template) { c.Extra = append(c.Extra, extension(true, "\x05\x00", 1, 2, 3)) }, certs.UnknownCriticalExtension},
		{"version 1", func(c *minipki.Template) { c.Version = 1 }, certs.WrongUsage},
		{"negative serial", func(c *minipki.Template) { c.Serial = big.NewInt(-5) }, certs.Malformed},
		{"serial of zero", func(c *minipki.Template) { c.Serial = new(big.Int) }, certs.Malformed},
		{"serial of 20 octets", func(c *minipki.Template) { c.Serial = new(big.Int).Lsh(big.NewInt(1), 158) }, 0},
		{"serial of 21 octets", func(c *minipki.Template) { c.Serial = new(big.Int).Lsh(big.NewInt(1), 165) }, certs.Malformed},
		{"key usage of a CA", func(c *minipki.Template) { c.KeyUsage |= x509.KeyUsageCertSign }, certs.WrongUsage},
		{"name constraints", func(c *minipki.Template) { c.PermittedDirs = []minipki.Name{minipki.DN("C", "BE")} }, certs.ConstraintViolated},
		{"expired", func(c *minipki.Template) { c.NotAfter = testpki.Now().Add(-time.Second) }, certs.Expired},
		{"not yet valid", func(c *minipki.Template) { c.NotBefore = testpki.Now().Add(time.Second) }, certs.NotYetValid},
		{"valid never", func(c *minipki.Template) { c.NotBefore, c.NotAfter = testpki.NotAfter(), testpki.NotBefore() }, certs.NotYetValid},
		{"signed with SHA-1", func(c *minipki.Template) { c.SignatureAlgorithm = x509.SHA1WithRSA }, certs.WeakSignature},
		{"signed with MD5", func(c *minipki.Template) { c.SignatureAlgorithm = x509.MD5WithRSA }, certs.WeakSignature},
		{"signed with RSA-PSS", func(c *minipki.Template) { c.SignatureAlgorithm = x509.SHA256WithRSAPSS }, 0},
		{"key of no algorithm", func(c *minipki.Template) {
			c.RawPublicKey = []byte("\x30\x0c\x30\x06\x06\x04\x2a\x03\x04\x05\x03\x02\x00\x01")
		}, certs.WeakKey},
		{"no key at all", func(c *minipki.Template) { c.RawPublicKey = []byte("\x05\x00") }, certs.Malformed},
		{"SSIN with a wrong check digit", func(c *minipki.Template) {
			c.Subject = minipki.DN("C", "BE", "CN", "x", "serialNumber", "00000000098")
		}, certs.WrongProfile},
	}
	v := open(t, eidUnder([]*minipki.Authority{ca}, nil, nil))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tmpl := alice()
			tt.change(&tmpl)
			if got := reasonOf(t, v, certs.RoleIdentity, issue(t, ca, tmpl, key)); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	t.Run("altered signature", func(t *testing.T) {
		der := issue(t, ca, alice(), key)
		der[len(der)-1] ^= 1
		if got := reasonOf(t, v, certs.RoleIdentity, der); got != certs.UntrustedIssuer {
			t.Error(got)
		}
	})
	t.Run("RSA with exponent 3", func(t *testing.T) { // A3, in a certificate
		weak := &rsa.PublicKey{N: key.(*rsa.PublicKey).N, E: 3}
		if got := reasonOf(t, v, certs.RoleIdentity, issue(t, ca, alice(), weak)); got != certs.WeakKey {
			t.Error(got)
		}
	})
	t.Run("key below the profile's minimum", func(t *testing.T) {
		strict := open(t, eidUnder([]*minipki.Authority{ca}, nil, func(p *certs.Profile) { p.MinRSABits = 3072 }))
		if got := reasonOf(t, strict, certs.RoleIdentity, issue(t, ca, alice(), key)); got != certs.WeakKey {
			t.Error(got)
		}
	})
}

// TestK6Authority: one defect each, in the authority between the root and a good certificate.
func TestK6Authority(t *testing.T) {
	pki := testpki.Load()
	root, key := pki.CitizenRoot, pki.OtherKey().Public()
	tests := []struct {
		name   string
		change func(*minipki.Template)
		config certs.Reason // when it is configured
		path   certs.Reason // when it comes with the message
	}{
		{"none", func(*minipki.Template) {}, 0, certs.RevocationUnknown},
		{"not a CA", func(c *minipki.Template) { c.IsCA = false }, certs.ConstraintViolated, certs.ConstraintViolated},
		{"no basic constraints", func(c *minipki.Template) { c.OmitBasicConstraints = true }, certs.ConstraintViolated, certs.ConstraintViolated},
		{"version 1", func(c *minipki.Template) { c.Version = 1 }, certs.ConstraintViolated, certs.ConstraintViolated},
		{"no keyCertSign", func(c *minipki.Template) { c.KeyUsage = x509.KeyUsageCRLSign }, certs.WrongUsage, certs.WrongUsage},
		{"unknown critical extension", func(c *minipki.Template) { c.Extra = append(c.Extra, extension(true, "\x05\x00", 1, 2, 3)) }, certs.UnknownCriticalExtension, certs.UnknownCriticalExtension},
		{"name constraints of directory names", func(c *minipki.Template) { c.PermittedDirs = []minipki.Name{minipki.DN("C", "FR")} }, 0, certs.ConstraintViolated},
		{"signed with SHA-1", func(c *minipki.Template) { c.SignatureAlgorithm = x509.SHA1WithRSA }, certs.WeakSignature, certs.WeakSignature},
		{"expired", func(c *minipki.Template) { c.NotAfter = testpki.Now().Add(-time.Second) }, 0, certs.Expired},
		{"not yet valid", func(c *minipki.Template) { c.NotBefore = testpki.Now().Add(time.Second) }, 0, certs.NotYetValid},
		{"for servers only", func(c *minipki.Template) { c.ExtKeyUsage = []string{minipki.ServerAuth} }, 0, certs.WrongUsage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tmpl := caTemplate("C", "BE", "CN", "TEST between")
			tt.change(&tmpl)
			ca := subordinate(t, root, tmpl, minipki.P256)
			leaf := issue(t, ca, alice(), key)
			v := open(t, eidUnder([]*minipki.Authority{root}, nil, func(p *certs.Profile) { p.Issuers = []string{"CN=TEST between, C=BE"} }))
			if got := reasonOf(t, v, certs.RoleIdentity, leaf, ca.DER()); got != tt.path {
				t.Errorf("with the message: %v, want %v", got, tt.path)
			}
			configured, err := certs.NewVerifier(eidUnder([]*minipki.Authority{root}, []*minipki.Authority{ca}, nil))
			if certs.ReasonOf(err) != tt.config {
				t.Fatalf("configured: %v, want %v", err, tt.config)
			}
			if err != nil {
				return
			}
			defer configured.Close()
			want := tt.path
			if want == certs.RevocationUnknown {
				want = 0
			}
			if got := reasonOf(t, configured, certs.RoleIdentity, leaf); got != want {
				t.Errorf("configured: %v, want %v", got, want)
			}
		})
	}
	t.Run("path length", func(t *testing.T) {
		tmpl := caTemplate("C", "BE", "CN", "TEST short")
		tmpl.PathLength = 0
		short := subordinate(t, root, tmpl, minipki.P256)
		below := subordinate(t, short, caTemplate("C", "BE", "CN", "TEST below"), minipki.P256)
		v := open(t, eidUnder([]*minipki.Authority{root}, []*minipki.Authority{short, below}, nil))
		if got := reasonOf(t, v, certs.RoleIdentity, issue(t, below, alice(), key)); got != certs.ConstraintViolated {
			t.Error(got)
		}
		if got := reasonOf(t, v, certs.RoleIdentity, issue(t, short, alice(), key)); got != 0 {
			t.Error(got)
		}
	})
	t.Run("policy that the authority may not grant", func(t *testing.T) {
		tmpl := caTemplate("C", "BE", "CN", "TEST poor")
		tmpl.Policies = []string{"1.2.3.4"}
		tmpl.Extra = append(tmpl.Extra, extension(true, "\x30\x03\x80\x01\x00", 2, 5, 29, 36)) // requireExplicitPolicy 0
		poor := subordinate(t, root, tmpl, minipki.P256)
		v := open(t, eidUnder([]*minipki.Authority{root}, []*minipki.Authority{poor}, nil))
		if got := reasonOf(t, v, certs.RoleIdentity, issue(t, poor, alice(), key)); got != certs.WrongPolicy {
			t.Error(got)
		}
	})
}

// TestK7Configuration: a chain to a CA alone proves too little, so a profile that
// says no more is not taken (A8: nor is an empty one).
func TestK7Configuration(t *testing.T) {
	pki := testpki.Load()
	roots := []*certs.Authority{{Certificate: pki.EHealthCA.DER()}}
	sts := func(change func(*certs.Profile)) certs.Profile {
		p := certs.TokenIssuer()
		change(&p)
		return p
	}
	eid := func(change func(*certs.Profile)) certs.Profile {
		p := certs.BelgianEID()
		p.Roots = roots
		change(&p)
		return p
	}
	tests := map[string]struct {
		profiles []certs.Profile
		reason   certs.Reason
	}{
		"no profile":                  {nil, certs.NoTrust},
		"empty profile":               {[]certs.Profile{{}}, certs.NoTrust},
		"no root":                     {[]certs.Profile{certs.BelgianEID()}, certs.NoTrust},
		"nil root":                    {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = []*certs.Authority{nil} })}, certs.NoTrust},
		"root that is no certificate": {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = []*certs.Authority{{}} })}, certs.Malformed},
		"root that is no CA":          {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = []*certs.Authority{{Certificate: pki.AliceEID.DER}} })}, certs.ConstraintViolated},
		"no role":                     {[]certs.Profile{eid(func(p *certs.Profile) { p.Role = "" })}, certs.NoTrust},
		"no kind":                     {[]certs.Profile{eid(func(p *certs.Profile) { p.Kinds = nil })}, certs.NoTrust},
		"the kind nobody":             {[]certs.Profile{eid(func(p *certs.Profile) { p.Kinds = []certs.Kind{certs.Nobody} })}, certs.NoTrust},
		"no extended key usage":       {[]certs.Profile{eid(func(p *certs.Profile) { p.ExtKeyUsage = nil })}, certs.NoTrust},
		"no policy":                   {[]certs.Profile{eid(func(p *certs.Profile) { p.Policies = nil })}, certs.NoTrust},
		"policies and any policy":     {[]certs.Profile{eid(func(p *certs.Profile) { p.AnyPolicy = true })}, certs.NoTrust},
		"policy that is none":         {[]certs.Profile{eid(func(p *certs.Profile) { p.Policies = []string{"x"} })}, certs.Malformed},
		"issuer that is no name":      {[]certs.Profile{eid(func(p *certs.Profile) { p.Issuers = []string{"x"} })}, certs.Malformed},
		"service without subjects":    {[]certs.Profile{sts(func(p *certs.Profile) { p.Roots = roots })}, certs.NoTrust},
		"pinned for a kind":           {[]certs.Profile{eid(func(p *certs.Profile) { p.Pinned = [][]byte{pki.AliceEID.DER} })}, certs.NoTrust},
		"pinned that is none":         {[]certs.Profile{sts(func(p *certs.Profile) { p.Pinned = [][]byte{{0x30}} })}, certs.Malformed},
		"minimum beyond the maximum":  {[]certs.Profile{eid(func(p *certs.Profile) { p.MinRSABits = 16384 })}, certs.NoTrust},
		"file address":                {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = authority(pki.EHealthCA, "file:///etc/passwd") })}, certs.Malformed},
		"address with a user":         {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = authority(pki.EHealthCA, "http://u:p@x/") })}, certs.Malformed},
		"two policies for a authority": {[]certs.Profile{eid(func(p *certs.Profile) {
			p.Intermediates = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: certs.Revocation{Mode: certs.Off}}}
		})}, certs.NoTrust},
		"unbounded grace": {[]certs.Profile{eid(func(p *certs.Profile) {
			p.Roots = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: certs.Revocation{Mode: certs.Grace, Grace: 365 * 24 * time.Hour}}}
		})}, certs.Malformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := certs.NewVerifier(certs.Config{Profiles: tt.profiles, Log: quiet()})
			if certs.ReasonOf(err) != tt.reason || v != nil {
				t.Errorf("%v, want %v", err, tt.reason)
			}
		})
	}
}

// TestA8Skew: clocks that may differ by years make every list that was ever fresh so.
func TestA8Skew(t *testing.T) {
	base := anchored(testpki.Load().CitizenCA, certs.Revocation{})
	for name, change := range map[string]func(*certs.Config){
		"CRL":          func(c *certs.Config) { c.CRL.Skew = time.Hour + 1 },
		"OCSP":         func(c *certs.Config) { c.OCSP.Skew = time.Hour + 1 },
		"negative CRL": func(c *certs.Config) { c.CRL.Skew = -1 },
	} {
		c := base
		change(&c)
		if v, err := certs.NewVerifier(c); certs.ReasonOf(err) != certs.Malformed || v != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	base.CRL.Skew, base.OCSP.Skew = time.Hour, time.Hour
	open(t, base)
}

func authority(ca *minipki.Authority, points ...string) []*certs.Authority {
	return []*certs.Authority{{Certificate: ca.DER(), DistributionPoints: points}}
}

// TestK7Leaf: any other certificate of the STS's CA, the holder of which would sign assertions.
func TestK7Leaf(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	for name, der := range map[string][]byte{"person": pki.AliceEHealth.DER, "organisation": pki.Organisation.DER, "application": pki.Application.DER} {
		if got := reasonOf(t, v, certs.RoleSTS, der); got != certs.WrongProfile {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestK8RoleSwap: a certificate of one kind in the place of another.
func TestK8RoleSwap(t *testing.T) {
	pki := testpki.Load()
	off := certs.Revocation{Mode: certs.Off}
	eid := certs.BelgianEID()
	eid.Roots = []*certs.Authority{{Certificate: pki.CitizenCA.DER(), Revocation: off}}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: off}}
	v := open(t, certs.Config{Profiles: []certs.Profile{eid, holder}, Log: quiet()})

	eidUnderEHealth := issue(t, pki.EHealthCA, alice(), pki.OtherKey().Public())
	ehealthUnderCitizen := issue(t, pki.CitizenCA, minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE"}), pki.OtherKey().Public())
	both := alice()
	both.Subject = append(minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE"}).Subject, minipki.DN("serialNumber", testpki.BobSSIN)...)
	for _, tt := range []struct {
		name string
		role certs.Role
		der  []byte
		want certs.Reason
	}{
		{"eID as identity", certs.RoleIdentity, pki.AliceEID.DER, 0},
		{"eHealth as holder", certs.RoleHolder, pki.AliceEHealth.DER, 0},
		{"eHealth as identity", certs.RoleIdentity, pki.AliceEHealth.DER, certs.WrongProfile},
		{"eID as holder", certs.RoleHolder, pki.AliceEID.DER, certs.WrongProfile},
		{"eID of the eHealth CA as identity", certs.RoleIdentity, eidUnderEHealth, certs.UntrustedIssuer},
		{"eID of the eHealth CA as holder", certs.RoleHolder, eidUnderEHealth, certs.WrongProfile},
		{"eHealth of the Citizen CA as holder", certs.RoleHolder, ehealthUnderCitizen, certs.UntrustedIssuer},
		{"eHealth of the Citizen CA as identity", certs.RoleIdentity, ehealthUnderCitizen, certs.WrongProfile},
		{"both at once as identity", certs.RoleIdentity, issue(t, pki.CitizenCA, both, pki.OtherKey().Public()), certs.WrongProfile},
		{"both at once as holder", certs.RoleHolder, issue(t, pki.EHealthCA, both, pki.OtherKey().Public()), certs.WrongProfile},
		{"foreigner without the Foreigner CA", certs.RoleIdentity, pki.FrankEID.DER, certs.UntrustedIssuer},
		{"test CA in production", certs.RoleIdentity, pki.StrangerEID.DER, certs.UntrustedIssuer},
	} {
		for range 2 {
			if got := reasonOf(t, v, tt.role, tt.der); got != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
			v.Settle() // what is known in one role is not known in another
		}
	}
}

// TestZ8LargeCertificate: what a message brings is bounded before it is parsed.
func TestZ8LargeCertificate(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	tmpl := alice()
	tmpl.Extra = append(tmpl.Extra, extension(false, string(make([]byte, 20<<10)), 1, 2, 3))
	if got := reasonOf(t, v, certs.RoleIdentity, issue(t, pki.CitizenCA, tmpl, pki.OtherKey().Public())); got != certs.TooLarge {
		t.Error(got)
	}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 16383, 1), E: 65537} // CVE-2023-29409
	if got := reasonOf(t, v, certs.RoleIdentity, issue(t, pki.CitizenCA, alice(), huge)); got != certs.WeakKey {
		t.Error(got)
	}
}

package certs_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestK6PathLength: an authority that may have none below it makes one (RFC 5280
// section 6.1.4 (l), (m)). A renewed key of an authority, self-issued, is not one below.
func TestK6PathLength(t *testing.T) {
	ca := func(name string, length int) minipki.Template {
		c := caTemplate("C", "BE", "CN", name)
		c.PathLength = length
		return c
	}
	for _, tt := range []struct {
		name        string
		authorities []minipki.Template
		want        certs.Reason
	}{
		{"unbounded", []minipki.Template{ca("A", -1), ca("B", -1), ca("C", -1)}, 0},
		{"none below", []minipki.Template{ca("A", 0)}, 0},
		{"one below none", []minipki.Template{ca("A", 0), ca("B", -1)}, certs.ConstraintViolated},
		{"one below one", []minipki.Template{ca("A", 1), ca("B", 0)}, 0},
		{"two below one", []minipki.Template{ca("A", 1), ca("B", -1), ca("C", -1)}, certs.ConstraintViolated},
		{"a bound that is lifted below", []minipki.Template{ca("A", 0), ca("B", 5)}, certs.ConstraintViolated},
		{"a bound that is lifted further than above", []minipki.Template{ca("A", 1), ca("B", 5), ca("C", 5)}, certs.ConstraintViolated},
		{"a tighter bound below", []minipki.Template{ca("A", 5), ca("B", 0), ca("C", -1)}, certs.ConstraintViolated},
		{"a renewed key below none", []minipki.Template{ca("A", 0), ca("A", 0)}, 0},
		{"another below a renewed key", []minipki.Template{ca("A", 0), ca("A", 0), ca("B", -1)}, certs.ConstraintViolated},
		{"another below a renewed key, unbounded itself", []minipki.Template{ca("A", 0), ca("A", -1), ca("B", -1)}, certs.ConstraintViolated},
		{"a renewed key below one", []minipki.Template{ca("A", 1), ca("B", 0), ca("B", 0)}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := under(t, ladder(t, tt.authorities...), alice(), nil); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	t.Run("of the root", func(t *testing.T) {
		pki := testpki.Load()
		root, err := minipki.NewRoot(func() minipki.Template { c := caTemplate("C", "BE", "CN", "R"); c.PathLength = 0; return c }(), pki.OtherKeyP256())
		if err != nil {
			t.Fatal(err)
		}
		below := subordinate(t, root, ca("A", -1), minipki.P256)
		v := open(t, eidUnder([]*minipki.Authority{root}, []*minipki.Authority{below}, nil))
		if got := reasonOf(t, v, certs.RoleIdentity, issue(t, below, alice(), pki.OtherKeyP256().Public())); got != certs.ConstraintViolated {
			t.Error(got)
		}
	})
}

// TestK6Extensions: an extension that says a restriction in a form that it does not
// have. Who passes over it takes the restriction for none; the last of these are
// passed over by crypto/x509.
func TestK6Extensions(t *testing.T) {
	raw := func(arc int, value string) pkix.Extension { return extension(true, value, 2, 5, 29, arc) }
	without := func(c *minipki.Template, arc int) {
		switch arc {
		case 15:
			c.KeyUsage = 0
		case 19:
			c.OmitBasicConstraints = true
		case 32:
			c.Policies = nil
		case 37:
			c.ExtKeyUsage = nil
		}
	}
	for _, tt := range []struct {
		name  string
		arc   int
		value string
		leaf  bool
	}{
		{"key usage that is no bit string", 15, "\x04\x02\x07\x80", true},
		{"key usage without a bit", 15, "\x03\x02\x07\x00", true},
		{"key usage of nothing", 15, "\x03\x01\x00", true},
		{"key usage and more", 15, "\x03\x02\x07\x80\x05\x00", true},
		{"key usage of an authority without a bit", 15, "\x03\x02\x07\x00", false},
		{"basic constraints and more", 19, "\x30\x05\x01\x01\xff\x05\x00", false},
		{"basic constraints with a negative length", 19, "\x30\x06\x01\x01\xff\x02\x01\xff", false},
		{"basic constraints twice over", 19, "\x30\x03\x01\x01\xff\x30\x00", false},
		{"extended key usage of nothing", 37, "\x30\x00", true},
		{"extended key usage of an authority of nothing", 37, "\x30\x00", false},
		{"extended key usage that is none", 37, "\x30\x02\x05\x00", false},
		{"policies of nothing", 32, "\x30\x00", false},
		{"policy with more than qualifiers", 32, "\x30\x08\x30\x06\x06\x02\x2a\x03\x05\x00", false},
		{"policies twice the same", 32, "\x30\x0c\x30\x04\x06\x02\x2a\x03\x30\x04\x06\x02\x2a\x03", false},
		{"mappings of nothing", 33, "\x30\x00", false},
		{"mapping to nothing", 33, "\x30\x06\x30\x04\x06\x02\x2a\x03", false},
		{"policy constraints of nothing", 36, "\x30\x00", false},
		{"policy constraints with a negative count", 36, "\x30\x03\x80\x01\xff", false},
		{"policy constraints and more", 36, "\x30\x05\x80\x01\x00\x05\x00", false},
		{"inhibit any policy with a negative count", 54, "\x02\x01\xff", false},
		{"inhibit any policy and more", 54, "\x02\x01\x00\x05\x00", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca, leaf := caTemplate("C", "BE", "CN", "TEST extension"), alice()
			where := &ca
			if tt.leaf {
				where = &leaf
			}
			without(where, tt.arc)
			where.Extra = append(where.Extra, raw(tt.arc, tt.value))
			key, err := minipki.GenerateKey(minipki.P256)
			if err != nil {
				t.Fatal(err)
			}
			authority, err := testpki.Load().CitizenRoot.Subordinate(ca, key)
			if err != nil {
				t.Fatal(err)
			}
			if got := under(t, []*minipki.Authority{authority}, leaf, nil); got != certs.Malformed {
				t.Errorf("%v, want %v", got, certs.Malformed)
			}
		})
	}
	t.Run("an extension twice", func(t *testing.T) {
		leaf := alice()
		leaf.Extra = []pkix.Extension{raw(15, "\x03\x02\x07\x80")}
		if got := under(t, ladder(t, caTemplate("C", "BE", "CN", "TEST")), leaf, nil); got != certs.Malformed {
			t.Error(got)
		}
	})
}

// TestK6SignatureAlgorithms: the algorithm that is signed over and the one that is
// verified with are two.
func TestK6SignatureAlgorithms(t *testing.T) {
	pki := testpki.Load()
	der := issue(t, pki.CitizenCA, alice(), pki.OtherKeyP256().Public())
	sha256 := []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")
	der[bytes.LastIndex(der, sha256)+8] = 0x0c
	v := open(t, eidUnder([]*minipki.Authority{pki.CitizenCA}, nil, nil))
	if got := reasonOf(t, v, certs.RoleIdentity, der); got != certs.Malformed {
		t.Error(got)
	}
}

// TestK6Purposes: an authority for servers certifies people, one step further away.
func TestK6Purposes(t *testing.T) {
	ca := func(name string, usages ...string) minipki.Template {
		c := caTemplate("C", "BE", "CN", name)
		c.ExtKeyUsage = usages
		return c
	}
	for _, tt := range []struct {
		name        string
		authorities []minipki.Template
		want        certs.Reason
	}{
		{"none said", []minipki.Template{ca("A"), ca("B")}, 0},
		{"admitted all the way", []minipki.Template{ca("A", minipki.ServerAuth, minipki.ClientAuth), ca("B", minipki.ClientAuth)}, 0},
		{"any", []minipki.Template{ca("A", "2.5.29.37.0")}, 0},
		{"not admitted at the top", []minipki.Template{ca("A", minipki.ServerAuth), ca("B", minipki.ClientAuth)}, certs.WrongUsage},
		{"not admitted below", []minipki.Template{ca("A", minipki.ClientAuth), ca("B", minipki.EmailProtection)}, certs.WrongUsage},
		{"unknown ones only", []minipki.Template{ca("A", "1.2.3.4")}, certs.WrongUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := under(t, ladder(t, tt.authorities...), alice(), nil); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestK5CrossCertificates: an authority has certificates from two others. The path
// that breaks a rule does not hide the one that holds, whichever is tried first, and
// when none holds the more telling refusal is told.
func TestK5CrossCertificates(t *testing.T) {
	pki := testpki.Load()
	key := pki.OtherKeyP256()
	name := caTemplate("C", "BE", "CN", "TEST crossed")
	cross := func(by *minipki.Authority, change func(*minipki.Template)) *minipki.Authority {
		c := name
		change(&c)
		a, err := by.Subordinate(c, key)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	other, err := minipki.NewRoot(caTemplate("C", "BE", "CN", "TEST other root"), pki.OtherKey())
	if err != nil {
		t.Fatal(err)
	}
	good := func(*minipki.Template) {}
	defects := []struct {
		name   string
		change func(*minipki.Template)
		want   certs.Reason // alone
	}{
		{"expired", func(c *minipki.Template) { c.NotAfter = testpki.Now().Add(-time.Second) }, certs.Expired},
		{"not yet valid", func(c *minipki.Template) { c.NotBefore = testpki.Now().Add(time.Second) }, certs.NotYetValid},
		{"for another name", func(c *minipki.Template) { c.PermittedDirs = []minipki.Name{minipki.DN("C", "FR")} }, certs.ConstraintViolated},
		{"for servers", func(c *minipki.Template) { c.ExtKeyUsage = []string{minipki.ServerAuth} }, certs.WrongUsage},
		{"demanding a policy", func(c *minipki.Template) {
			c.Policies, c.Extra = []string{policyOne}, []pkix.Extension{policyRules(0, -1)}
		}, certs.WrongPolicy},
	}
	roots := []*minipki.Authority{pki.CitizenRoot, other}
	for _, tt := range defects {
		for _, order := range [][2]*minipki.Authority{{pki.CitizenRoot, other}, {other, pki.CitizenRoot}} {
			broken, holds := cross(order[0], tt.change), cross(order[1], good)
			leaf := issue(t, holds, alice(), pki.OtherKey().Public())
			for _, both := range [][]*minipki.Authority{{broken, holds}, {holds, broken}} {
				if got := reasonOf(t, open(t, eidUnder(roots, both, nil)), certs.RoleIdentity, leaf); got != 0 {
					t.Errorf("%s: it hides the other: %v", tt.name, got)
				}
			}
			if got := reasonOf(t, open(t, eidUnder(roots, []*minipki.Authority{broken}, nil)), certs.RoleIdentity, leaf); got != tt.want {
				t.Errorf("%s, alone: %v, want %v", tt.name, got, tt.want)
			}
			if got := reasonOf(t, open(t, eidUnder(roots, []*minipki.Authority{broken}, nil)), certs.RoleIdentity, leaf, holds.DER()); got != certs.RevocationUnknown && got != 0 {
				t.Errorf("%s, with one that holds in the message: %v", tt.name, got)
			}
		}
	}
	t.Run("the more telling refusal", func(t *testing.T) {
		expired, constrained := cross(pki.CitizenRoot, defects[0].change), cross(other, defects[2].change)
		leaf := issue(t, constrained, alice(), pki.OtherKey().Public())
		for _, both := range [][]*minipki.Authority{{expired, constrained}, {constrained, expired}} {
			if got := reasonOf(t, open(t, eidUnder(roots, both, nil)), certs.RoleIdentity, leaf); got != certs.ConstraintViolated {
				t.Error(got)
			}
		}
	})
}

// TestK5UselessIntermediates: a message brings certificates that are of no use beside
// those that are. They hide no path, and no signature is verified with them.
func TestK5UselessIntermediates(t *testing.T) {
	pki := testpki.Load()
	named := func(p *certs.Profile) { p.Issuers = []string{"CN=TEST new CA, C=BE"} }
	ca := subordinate(t, pki.CitizenRoot, caTemplate("C", "BE", "CN", "TEST new CA"), minipki.P256)
	leaf := issue(t, ca, alice(), pki.OtherKey().Public())
	weak := subordinate(t, pki.CitizenRoot, caTemplate("C", "BE", "CN", "TEST new CA"), minipki.P224)
	old := caTemplate("C", "BE", "CN", "TEST new CA")
	old.SignatureAlgorithm = x509.SHA1WithRSA
	sha1 := subordinate(t, pki.CitizenRoot, old, minipki.P256)
	fresh := func() *certs.Verifier { return open(t, eidUnder([]*minipki.Authority{pki.CitizenRoot}, nil, named)) }
	if got := reasonOf(t, fresh(), certs.RoleIdentity, leaf, leaf, weak.DER(), sha1.DER(), ca.DER()); got != certs.RevocationUnknown {
		t.Errorf("among useless ones: %v", got)
	}
	if got := reasonOf(t, fresh(), certs.RoleIdentity, leaf, leaf); got != certs.UntrustedIssuer {
		t.Errorf("the certificate twice: %v", got)
	}
	if got := reasonOf(t, fresh(), certs.RoleIdentity, leaf, sha1.DER()); got != certs.WeakSignature {
		t.Errorf("one signed with SHA-1: %v", got)
	}
}

// TestTellingProfile: of two profiles of a role the one that says more is told.
func TestTellingProfile(t *testing.T) {
	pki := testpki.Load()
	first, second := certs.BelgianEID(), certs.BelgianEID()
	first.Policies = []string{policyOne}
	first.Roots, second.Roots = authority(pki.CitizenCA), authority(pki.CitizenCA)
	for _, profiles := range [][]certs.Profile{{first, second}, {second, first}} {
		v := open(t, certs.Config{Profiles: profiles, Now: testpki.Now, Log: quiet()})
		if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != certs.RevocationUnknown {
			t.Error(got)
		}
	}
}

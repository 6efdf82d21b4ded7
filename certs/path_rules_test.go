package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// rung is a certificate of a path that is only read: no signature of it is verified.
func rung(tb testing.TB, change func(*minipki.Template), kind minipki.KeyKind) *Certificate {
	tb.Helper()
	c := minipki.CA(minipki.DN("C", "BE", "CN", "TEST rung"), testpki.NotBefore(), testpki.NotAfter())
	if change != nil {
		change(&c)
	}
	key, err := minipki.GenerateKey(kind)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := testpki.Load().CitizenRoot.Issue(c, key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed
}

// TestRules asks each rule by itself, of a path that crypto/x509 would not have
// built: each is a wall of its own, and holds when the one before it should fall.
func TestRules(t *testing.T) {
	pki := testpki.Load()
	parse := func(der []byte) *Certificate {
		c, err := ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	leaf, root, good := parse(pki.AliceEID.DER), parse(pki.CitizenRoot.DER()), rung(t, nil, minipki.P256)
	is := func(change func(*minipki.Template)) *Certificate { return rung(t, change, minipki.P256) }
	mapped := func(from, to byte) *Certificate {
		return is(func(c *minipki.Template) {
			c.Policies, c.Extra = []string{"2.5.29.32.0"}, fuzzPolicyExtensions(from|to<<2, 0)
		})
	}
	empty, err := minipki.NewRoot(minipki.CA(minipki.DN(), testpki.NotBefore(), testpki.NotAfter()), fuzzKey(0))
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := empty.Issue(minipki.EID(minipki.Person{GivenNames: "A", Surname: "B", SSIN: testpki.AliceSSIN}), fuzzKey(1).Public())
	if err != nil {
		t.Fatal(err)
	}
	named, err := empty.Issue(minipki.CA(minipki.DN("CN", "x"), testpki.NotBefore(), testpki.NotAfter()), fuzzKey(1).Public())
	if err != nil {
		t.Fatal(err)
	}
	zero := func(c *minipki.Template) { c.Serial = new(big.Int) }
	for _, tt := range []struct {
		name  string
		rules []rule
		path  []*Certificate
		want  Reason
	}{
		{"all of a path", pathRules(), []*Certificate{leaf, good, root}, 0},
		{"all of a certificate", leafRules(), []*Certificate{leaf}, 0},
		{"signature with SHA-1", pathRules(), []*Certificate{leaf, is(func(c *minipki.Template) { c.SignatureAlgorithm = x509.SHA1WithRSA }), root}, WeakSignature},
		{"root with SHA-1, whose signature proves nothing", pathRules(), []*Certificate{leaf, good, is(func(c *minipki.Template) { c.SignatureAlgorithm = x509.SHA1WithRSA })}, 0},
		{"key of an authority", pathRules(), []*Certificate{leaf, rung(t, nil, minipki.P224), root}, WeakKey},
		{"authority that is none", pathRules(), []*Certificate{leaf, is(func(c *minipki.Template) { c.IsCA = false; c.KeyUsage = x509.KeyUsageDigitalSignature }), root}, ConstraintViolated},
		{"authority that may not sign", pathRules(), []*Certificate{leaf, is(func(c *minipki.Template) { c.KeyUsage = x509.KeyUsageCRLSign }), root}, WrongUsage},
		{"authority of version 1", pathRules(), []*Certificate{leaf, is(func(c *minipki.Template) { c.Version = 1 }), root}, ConstraintViolated},
		{"authority without a subject", pathRules(), []*Certificate{leaf, parse(empty.DER()), root}, ConstraintViolated},
		{"authority without an issuer", pathRules(), []*Certificate{leaf, parse(named), root}, ConstraintViolated},
		{"authority with a serial number of zero", pathRules(), []*Certificate{leaf, is(zero), root}, Malformed},
		{"root with a serial number of zero", pathRules(), []*Certificate{leaf, good, is(zero)}, 0},
		{"root that has expired", pathRules(), []*Certificate{leaf, good, is(func(c *minipki.Template) { c.NotAfter = testpki.Now().Add(-time.Second) })}, Expired},
		{"certificate that has expired", pathRules(), []*Certificate{parse(pki.ExpiredEID.DER), good, root}, Expired},
		{"six certificates", pathRules(), []*Certificate{leaf, good, good, good, good, root}, TooManyCertificates},
		{"certificate without an issuer", leafRules(), []*Certificate{parse(orphan)}, Malformed},
		{"mapping from any policy", pathRules(), []*Certificate{leaf, mapped(0, 1), root}, WrongPolicy},
		{"mapping to any policy", pathRules(), []*Certificate{leaf, mapped(2, 0), root}, WrongPolicy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &profile{Profile: BelgianEID(), issuers: map[authorityID]bool{}}
			p.KeyUsage = x509.KeyUsageDigitalSignature
			p.policyIDs = []string{"\x60\x38\x0c\x01\x01\x02\x02"} // 2.16.56.12.1.1.2.2
			p.ExplicitPolicy = tt.want == WrongPolicy
			if len(tt.path) > 1 {
				p.issuers[tt.path[1].name] = true
			}
			if got := ReasonOf(firstBroken(tt.rules, p, tt.path, testpki.Now())); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	if err := (&trust{}).checkPath(&profile{}, []*Certificate{root}, testpki.Now()); ReasonOf(err) != UntrustedIssuer {
		t.Errorf("a root alone: %v", err)
	}
}

// TestConstrainedNames: names that constraints concern, in forms that are hard to see.
func TestConstrainedNames(t *testing.T) {
	alternative := func(value string) func(*minipki.Template) {
		return func(c *minipki.Template) {
			c.Extra = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: []byte(value)}}
		}
	}
	within := func(change func(*minipki.Template), n nameConstraints) Reason {
		check := constraintCheck{left: maxConstraintComparisons}
		return ReasonOf(check.certificate(&n, rung(t, change, minipki.P256)))
	}
	mailboxes := nameConstraints{excluded: subtrees{mailboxes: []string{"example.be"}}}
	hosts := nameConstraints{excluded: subtrees{hosts: []string{""}}}
	for _, tt := range []struct {
		name string
		got  Reason
		want Reason
	}{
		{"every host excluded", within(alternative("\x30\x0b\x86\x09http://a/"), hosts), ConstraintViolated},
		{"every host excluded, and none there", within(nil, hosts), 0},
		{"a directory that is no name", within(alternative("\x30\x07\xa4\x02\x31\x00\x82\x01a"), hosts), Malformed},
		{"a host, of which nothing is said", within(alternative("\x30\x0b\x86\x09http://a/"), mailboxes), 0},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	opaque, err := parseNameDER([]byte("\x30\x12\x31\x10\x30\x0e\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01\x04\x01a"))
	if err != nil {
		t.Fatal(err)
	}
	if found := opaque.mailboxes(); len(found) != 1 || found[0] != "" {
		t.Errorf("a mailbox that is no text would pass for none: %q", found)
	}
	for name, der := range map[string]string{"no sequence": "\x31\x00", "and more": "\x30\x00\x05\x00", "cut off": "\x30\x02\x82\x05"} {
		if _, err := readDirectoryNames([]byte(der)); ReasonOf(err) != Malformed {
			t.Errorf("alternative names, %s: %v", name, err)
		}
	}
	for name, der := range map[string]string{"no sequence": "\x31\x00", "nothing": "\x30\x00", "and more": "\x30\x04\xa0\x02\x30\x00\x05\x00",
		"a third list": "\x30\x0e\xa0\x06\x30\x04\x82\x02be\xa2\x04\x30\x02\x82\x00", "a subtree that is none": "\x30\x04\xa0\x02\x05\x00"} {
		if _, err := readNameConstraints([]byte(der)); ReasonOf(err) != Malformed {
			t.Errorf("name constraints, %s: %v", name, err)
		}
	}
}

package certs_test

import (
	"crypto/x509/pkix"
	"strconv"
	"testing"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestK6NameConstraints: an authority that may name only its own people names
// somebody else's (RFC 5280 section 4.2.1.10).
func TestK6NameConstraints(t *testing.T) {
	belgium, france := dn(t, "C", "BE"), dn(t, "C", "FR")
	text := func(s string) []byte { return []byte(s) }
	one := func(form byte, base []byte) [][]byte { return [][]byte{subtree(form, base)} }
	withMail := func(mail string) func(*minipki.Template) {
		return func(c *minipki.Template) { c.Subject = append(c.Subject, minipki.DN("E", mail)...) }
	}
	withNames := func(names ...[]byte) func(*minipki.Template) {
		return func(c *minipki.Template) { c.Extra = append(c.Extra, alternative(names...)) }
	}
	none := func(*minipki.Template) {}
	const violated = certs.ConstraintViolated
	for _, tt := range []struct {
		name                string
		permitted, excluded [][]byte
		leaf                func(*minipki.Template)
		want                certs.Reason
	}{
		{"directory permitted", one(directory, belgium), nil, none, 0},
		{"directory not permitted", one(directory, france), nil, none, violated},
		{"directory permitted among others", [][]byte{subtree(directory, france), subtree(directory, belgium)}, nil, none, 0},
		{"directory permitted in other case", one(directory, dn(t, "C", "be")), nil, none, 0},
		{"directory excluded", nil, one(directory, belgium), none, violated},
		{"another directory excluded", nil, one(directory, france), none, 0},
		{"permitted and excluded", one(directory, belgium), one(directory, belgium), none, violated},
		{"every directory permitted", one(directory, dn(t)), nil, none, 0},
		{"every directory excluded", nil, one(directory, dn(t)), none, violated},
		{"a base longer than the name", one(directory, dn(t, "C", "BE", "CN", "Alice Test Example (Authentication)", "SN", "Example", "GN", "Alice Test", "serialNumber", testpki.AliceSSIN, "OU", "x")), nil, none, violated},
		{"a base in another order", one(directory, dn(t, "SN", "Example")), nil, none, violated},
		{"alternative directory permitted", one(directory, belgium), nil, withNames(der(directory, dn(t, "C", "BE", "CN", "other"))), 0},
		{"alternative directory not permitted", one(directory, belgium), nil, withNames(der(directory, france)), violated},
		{"alternative directory excluded", nil, one(directory, france), withNames(der(directory, dn(t, "C", "FR", "CN", "other"))), violated},

		{"mailbox of the host", one(mailbox, text("example.be")), nil, withNames(der(mailbox, text("a@EXAMPLE.be"))), 0},
		{"mailbox of a host below it", one(mailbox, text("example.be")), nil, withNames(der(mailbox, text("a@mail.example.be"))), violated},
		{"mailbox in the domain", one(mailbox, text(".example.be")), nil, withNames(der(mailbox, text("a@mail.example.be"))), 0},
		{"mailbox of the domain's own host", one(mailbox, text(".example.be")), nil, withNames(der(mailbox, text("a@example.be"))), violated},
		{"mailbox of another host with that end", one(mailbox, text("example.be")), nil, withNames(der(mailbox, text("a@notexample.be"))), violated},
		{"the mailbox itself", one(mailbox, text("a@example.be")), nil, withNames(der(mailbox, text("a@Example.be"))), 0},
		{"another mailbox", one(mailbox, text("a@example.be")), nil, withNames(der(mailbox, text("b@example.be"))), violated},
		{"mailbox of the subject permitted", one(mailbox, text("example.be")), nil, withMail("a@example.be"), 0},
		{"mailbox of the subject not permitted", one(mailbox, text("example.be")), nil, withMail("a@example.fr"), violated},
		{"mailbox of the subject excluded", nil, one(mailbox, text("example.fr")), withMail("a@example.fr"), violated},
		{"mailbox of the subject that is none", nil, one(mailbox, text("example.fr")), withMail("example.be"), violated},
		{"mailbox with two signs", one(mailbox, text("example.be")), nil, withNames(der(mailbox, text("a@example.fr@example.be"))), violated},
		{"mailbox with a quoted local part", one(mailbox, text("example.be")), nil, withNames(der(mailbox, text(`"a"@example.be`))), violated},
		{"mailbox with an empty atom", one(mailbox, text("example.be")), nil, withNames(der(mailbox, text("a..b@example.be"))), violated},
		{"mailbox of an absolute host", nil, one(mailbox, text("example.fr")), withNames(der(mailbox, text("a@example.fr."))), violated},
		{"base with a quoted local part", nil, one(mailbox, text(`"a"@example.fr`)), withNames(der(mailbox, text("a@example.fr"))), certs.UnknownCriticalExtension},
		{"base of an absolute host", nil, one(mailbox, text("example.fr.")), withNames(der(mailbox, text("a@example.fr"))), certs.Malformed},
		{"every mailbox excluded", nil, one(mailbox, text("")), withNames(der(mailbox, text("a@example.fr"))), violated},
		{"no mailbox", one(mailbox, text("example.be")), nil, none, 0},

		{"URI of the host", one(uri, text("example.be")), nil, withNames(der(uri, text("https://example.be:8443/a"))), 0},
		{"URI of a host below it", one(uri, text("example.be")), nil, withNames(der(uri, text("https://www.example.be/"))), violated},
		{"URI in the domain", one(uri, text(".example.be")), nil, withNames(der(uri, text("https://www.example.be/"))), 0},
		{"URI excluded", nil, one(uri, text(".example.fr")), withNames(der(uri, text("https://www.example.fr/"))), violated},
		{"URI without a host", one(uri, text("example.be")), nil, withNames(der(uri, text("urn:example:be"))), violated},
		{"URI of an absolute host", nil, one(uri, text("example.fr")), withNames(der(uri, text("https://example.fr./"))), certs.Malformed},
		{"base of an absolute host of URIs", nil, one(uri, text("example.fr.")), withNames(der(uri, text("https://example.fr/"))), certs.Malformed},
		{"URI of an address", nil, one(uri, text("example.be")), withNames(der(uri, text("https://192.0.2.1/"))), violated},

		{"host permitted", one(dnsName, text("example.be")), nil, withNames(der(dnsName, text("www.example.be"))), 0},
		{"host not permitted", one(dnsName, text("example.be")), nil, withNames(der(dnsName, text("www.example.fr"))), violated},
		{"address permitted", one(address, text("\xc0\x00\x02\x00\xff\xff\xff\x00")), nil, withNames(der(address, text("\xc0\x00\x02\x01"))), 0},
		{"address excluded", nil, one(address, text("\xc0\x00\x02\x00\xff\xff\xff\x00")), withNames(der(address, text("\xc0\x00\x02\x01"))), violated},

		{"minimum of zero, which DER leaves out", [][]byte{subtree(directory, belgium, der(0x80, text("\x00")))}, nil, none, certs.UnknownCriticalExtension},
		{"minimum", [][]byte{subtree(directory, belgium, der(0x80, text("\x01")))}, nil, none, certs.UnknownCriticalExtension},
		{"maximum", [][]byte{subtree(directory, belgium, der(0x81, text("\x05")))}, nil, none, certs.UnknownCriticalExtension},
		{"other names", one(otherName, der(0x06, text("\x2a\x03"))), nil, none, certs.UnknownCriticalExtension},
		{"registered identifiers beside a directory", one(directory, belgium), one(registeredID, text("\x2a\x03")), none, certs.UnknownCriticalExtension},
		{"neither list", nil, nil, none, certs.Malformed},
		{"empty list", [][]byte{}, one(directory, france), none, certs.Malformed},
		{"base that is no name", one(directory, text("\x31\x00")), nil, none, certs.Malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, critical := range []bool{true, false} { // RFC 5280 wants it critical; it binds either way
				ca := caTemplate("C", "BE", "CN", "TEST constrained")
				ca.Extra = []pkix.Extension{constraints(critical, tt.permitted, tt.excluded)}
				leaf := alice()
				tt.leaf(&leaf)
				var got certs.Reason
				if ca, err := testpki.Load().CitizenRoot.Subordinate(ca, testpki.Load().OtherKeyP256()); err != nil {
					t.Fatal(err)
				} else {
					got = under(t, []*minipki.Authority{ca}, leaf, nil)
				}
				if got != tt.want {
					t.Errorf("critical %v: %v, want %v", critical, got, tt.want)
				}
			}
		})
	}
}

// TestK6NameConstraintsBelow: constraints bind every certificate below, those of an
// authority between too, and a renewed key of the authority is exempt unless it is the last.
func TestK6NameConstraintsBelow(t *testing.T) {
	constrained := func(bases ...[]byte) minipki.Template {
		c := caTemplate("C", "BE", "O", "TEST", "CN", "A")
		var permitted [][]byte
		for _, base := range bases {
			permitted = append(permitted, subtree(directory, base))
		}
		c.Extra = []pkix.Extension{constraints(true, permitted, nil)}
		return c
	}
	person := alice() // C=BE, CN=…
	inside := alice()
	inside.Subject = append(minipki.DN("C", "BE", "O", "TEST"), person.Subject[1:]...)
	for _, tt := range []struct {
		name        string
		authorities []minipki.Template
		leaf        minipki.Template
		want        certs.Reason
	}{
		{"all inside", []minipki.Template{constrained(dn(t, "C", "BE", "O", "TEST")), caTemplate("C", "BE", "O", "TEST", "CN", "B")}, inside, 0},
		{"an authority outside", []minipki.Template{constrained(dn(t, "C", "BE", "O", "TEST")), caTemplate("C", "BE", "O", "OTHER", "CN", "B")}, inside, certs.ConstraintViolated},
		{"the certificate outside", []minipki.Template{constrained(dn(t, "C", "BE", "O", "TEST")), caTemplate("C", "BE", "O", "TEST", "CN", "B")}, person, certs.ConstraintViolated},
		{"two constraints of which each permits another", []minipki.Template{constrained(dn(t, "C", "BE")), func() minipki.Template {
			c := caTemplate("C", "BE", "CN", "B")
			c.Extra = []pkix.Extension{constraints(true, [][]byte{subtree(directory, dn(t, "C", "FR"))}, nil)}
			return c
		}()}, person, certs.ConstraintViolated},
		{"a renewed key, whose name is outside", []minipki.Template{constrained(dn(t, "C", "BE", "CN", person.Subject[1][0].Value)), caTemplate("C", "BE", "O", "TEST", "CN", "A")}, person, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := under(t, ladder(t, tt.authorities...), tt.leaf, nil); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestZ8NameConstraints: a hundred subtrees above a hundred names, as many as a certificate
// may hold, are more than ten thousand comparisons (Go CVE-2025-58187). They are counted, and refused.
func TestZ8NameConstraints(t *testing.T) {
	var bases, names [][]byte
	for i := range 130 {
		bases = append(bases, subtree(directory, dn(t, "CN", strconv.Itoa(i))))
		names = append(names, der(directory, dn(t, "CN", strconv.Itoa(1000+i))))
	}
	ca := caTemplate("C", "BE", "CN", "TEST many names")
	ca.Extra = []pkix.Extension{constraints(true, nil, bases)}
	leaf := alice()
	authorities := ladder(t, ca)
	if got := under(t, authorities, leaf, nil); got != 0 {
		t.Errorf("one name: %v", got)
	}
	leaf.Extra = []pkix.Extension{alternative(names...)}
	if got := under(t, authorities, leaf, nil); got != certs.TooLarge {
		t.Errorf("a hundred and thirty names: %v", got)
	}
}

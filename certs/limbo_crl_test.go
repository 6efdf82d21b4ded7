package certs_test

import (
	"math/big"
	"testing"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestLimboCRL makes the cases of x509-limbo's crl:: namespace, which is published by
// its texts only, on a PKI of our own.
func TestLimboCRL(t *testing.T) {
	pki := testpki.Load()
	authority := func(usage int) *minipki.Authority {
		tmpl := caTemplate("C", "BE", "CN", "TEST limbo")
		tmpl.KeyUsage = 0
		if usage != 0 {
			tmpl.KeyUsage = 1 << 5 // keyCertSign
		}
		if usage > 1 {
			tmpl.KeyUsage |= 1 << 6 // cRLSign
		}
		return subordinate(t, pki.CitizenRoot, tmpl, minipki.P256)
	}
	const noUsage, certSign, both = 0, 1, 2
	leafOf := func(ca *minipki.Authority) []byte { return issue(t, ca, alice(), pki.OtherKey().Public()) }
	criticalNumber := func(c *minipki.CRL) {
		c.OmitNumber = true
		c.Extra = append(c.Extra, extension(true, "\x02\x01\x05", 2, 5, 29, 20))
	}
	for _, tt := range []struct {
		name   string
		usage  int
		lists  bool // the certificate
		change func(*minipki.CRL)
		other  bool // the list that bears its number is another CA's
		want   certs.Reason
	}{
		{"revoked-certificate-with-crl", both, true, nil, false, certs.Revoked},
		{"crlnumber-missing", both, false, func(c *minipki.CRL) { c.OmitNumber = true }, false, certs.RevocationUnknown},
		{"certificate-not-on-crl", both, false, nil, false, 0},
		{"certificate-serial-on-crl-different-issuer", both, false, nil, true, 0},
		{"crlnumber-critical", both, false, criticalNumber, false, certs.RevocationUnknown},
		{"issuer-missing-crlsign", certSign, false, nil, false, certs.RevocationUnknown},
		{"issuer-no-keyusage-extension", noUsage, false, nil, false, 0},
		{"issuer-valid-crlsign-and-keycertsign", both, false, nil, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca := authority(tt.usage)
			leaf := leafOf(ca)
			crl := list()
			if tt.lists {
				crl = list(leaf)
			} else {
				crl.Revoked = []minipki.Revoked{{Serial: new(big.Int).Add(serialOf(leaf), big.NewInt(1)), At: testpki.NotBefore()}}
			}
			if tt.change != nil {
				tt.change(&crl)
			}
			ders := [][]byte{sign(t, ca, crl)}
			c := anchored(ca, certs.Revocation{})
			if tt.other {
				ders = append(ders, sign(t, pki.EHealthCA, list(leaf)))
				c.Profiles[0].Roots = append(c.Profiles[0].Roots, &certs.Authority{Certificate: pki.EHealthCA.DER()})
			}
			c.CRL.Files = []string{files(t, ders...)}
			if got := reasonOf(t, open(t, c), certs.RoleIdentity, leaf); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

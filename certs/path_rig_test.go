package certs_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// Forms of a GeneralName.
const (
	otherName    = 0xa0
	mailbox      = 0x81
	dnsName      = 0x82
	directory    = 0xa4
	uri          = 0x86
	address      = 0x87
	registeredID = 0x88
	anyPolicyID  = "2.5.29.32.0"
	policyOne    = "1.2.3.1"
	policyTwo    = "1.2.3.2"
)

// der writes one element.
func der(tag byte, content ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(casn1.Tag(tag), func(b *cryptobyte.Builder) {
		for _, c := range content {
			b.AddBytes(c)
		}
	})
	return b.BytesOrPanic()
}

// dn writes a directory name.
func dn(tb testing.TB, pairs ...string) []byte {
	tb.Helper()
	name, err := minipki.DN(pairs...).DER()
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

// subtree writes a GeneralSubtree; more is what follows the base.
func subtree(form byte, base []byte, more ...[]byte) []byte {
	return der(0x30, append([][]byte{der(form, base)}, more...)...)
}

// constraints writes the extension; a nil list is not written.
func constraints(critical bool, permitted, excluded [][]byte) pkix.Extension {
	var content [][]byte
	if permitted != nil {
		content = append(content, der(0xa0, permitted...))
	}
	if excluded != nil {
		content = append(content, der(0xa1, excluded...))
	}
	return extension(critical, string(der(0x30, content...)), 2, 5, 29, 30)
}

// alternative writes the extension with subject alternative names.
func alternative(names ...[]byte) pkix.Extension {
	return extension(false, string(der(0x30, names...)), 2, 5, 29, 17)
}

// oid writes an object identifier.
func oid(tb testing.TB, dotted string) []byte {
	tb.Helper()
	var id asn1.ObjectIdentifier
	arc := 0
	for _, c := range dotted + "." {
		if c == '.' {
			id, arc = append(id, arc), 0
			continue
		}
		arc = arc*10 + int(c-'0')
	}
	out, err := asn1.Marshal(id)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// policyRules writes policyConstraints; a negative count is not written.
func policyRules(requireExplicit, inhibitMapping int) pkix.Extension {
	var content [][]byte
	if requireExplicit >= 0 {
		content = append(content, der(0x80, []byte{byte(requireExplicit)}))
	}
	if inhibitMapping >= 0 {
		content = append(content, der(0x81, []byte{byte(inhibitMapping)}))
	}
	return extension(true, string(der(0x30, content...)), 2, 5, 29, 36)
}

func inhibitAny(count int) pkix.Extension {
	return extension(true, string(der(0x02, []byte{byte(count)})), 2, 5, 29, 54)
}

func mapping(tb testing.TB, from, to string) pkix.Extension {
	tb.Helper()
	return extension(true, string(der(0x30, der(0x30, oid(tb, from), oid(tb, to)))), 2, 5, 29, 33)
}

// ladder makes authorities one under the other, the first under CitizenRoot.
func ladder(tb testing.TB, templates ...minipki.Template) []*minipki.Authority {
	tb.Helper()
	above := testpki.Load().CitizenRoot
	var out []*minipki.Authority
	for _, t := range templates {
		above = subordinate(tb, above, t, minipki.P256)
		out = append(out, above)
	}
	return out
}

// under identifies an eID of the last authority of a ladder, all configured.
func under(tb testing.TB, authorities []*minipki.Authority, leaf minipki.Template, change func(*certs.Profile)) certs.Reason {
	tb.Helper()
	pki := testpki.Load()
	v, err := certs.NewVerifier(eidUnder([]*minipki.Authority{pki.CitizenRoot}, authorities, change))
	if err != nil {
		return certs.ReasonOf(err)
	}
	defer v.Close()
	return reasonOf(tb, v, certs.RoleIdentity, issue(tb, authorities[len(authorities)-1], leaf, pki.OtherKeyP256().Public()))
}

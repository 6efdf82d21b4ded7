package xmlsec_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

func samplePublicKey(t testing.TB, name string) any {
	t.Helper()
	text, err := os.ReadFile(judge.Shared(t, "samples", "ehealth", "pki", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.PublicKey
}

// signatures returns every ds:Signature of a document in document order.
func signatures(n xmltext.Node) []xmltext.Node {
	var all []xmltext.Node
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		if c.Is(xmlsec.NamespaceDS, "Signature") {
			all = append(all, c)
		}
		all = append(all, signatures(c)...)
	}
	return all
}

// TestSamples verifies every signature of the messages that other implementations
// made, and refuses the SHA-1 ones under the default policy.
func TestSamples(t *testing.T) {
	files := map[string][]string{ // file: the key of each signature in document order
		"connector-saml11-request-eid-hok-sha256.xml":                      {"eid", "hok"},
		"connector402-saml11-request-eid-hok-header-sha256-inner-sha1.xml": {"eid", "hok"},
		"connector-saml11-request-eid-hok-sha1.xml":                        {"eid", "hok"},
		"connector-saml11-request-fallback-samecert-sha256.xml":            {"hok"},
		"connector-wstrust-issue-eid-hok-sha256.xml":                       {"eid"},
		"connector-wstrust-challenge-hok-sha256.xml":                       {"hok"},
		"wsp-call-saml-hok-sha256.xml":                                     {"sts", "hok"},
		"inferred-assertion-sha256.xml":                                    {"sts"},
	}
	for file, keys := range files {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(judge.Shared(t, "samples", "ehealth", file))
			if err != nil {
				t.Fatal(err)
			}
			d, err := xmltext.Parse(text, xmltext.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			defer d.Release()
			found := signatures(d.Root())
			if len(found) != len(keys) {
				t.Fatalf("%d signatures, want %d", len(found), len(keys))
			}
			for i, n := range found {
				s, err := xmlsec.ParseSignature(n)
				if err != nil {
					t.Fatal(err)
				}
				policy := xmlsec.DefaultPolicy()
				if s.Method() == xmlsec.RSASHA1 {
					if _, err := s.Verify(samplePublicKey(t, keys[i]), &policy); err == nil || !strings.Contains(err.Error(), "algorithm refused") {
						t.Errorf("signature %d with SHA-1 under the default policy: %v", i, err)
					}
					policy.SHA1 = true
				}
				v, err := s.Verify(samplePublicKey(t, keys[i]), &policy)
				if err != nil {
					t.Fatalf("signature %d: %v", i, err)
				}
				target, _ := s.Refers(0)
				if !v.Signs(target) || v.Covers(n) {
					t.Errorf("signature %d: coverage", i)
				}
				if _, err := xmlsec.ParseKeyInfo(s.KeyInfo()); err != nil {
					t.Errorf("KeyInfo %d: %v", i, err)
				}
			}
		})
	}
}

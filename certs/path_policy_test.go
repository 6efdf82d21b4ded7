package certs_test

import (
	"crypto/x509/pkix"
	"testing"

	"sceau/certs"
	"sceau/internal/minipki"
)

// TestK6ExplicitPolicy: a role demands a policy of the whole path (RFC 5280 section
// 6.1.2 with initial-explicit-policy and initial-policy-mapping-inhibit). Without
// that, an authority that was never allowed to grant a policy grants it.
func TestK6ExplicitPolicy(t *testing.T) {
	ca := func(name string, policies []string, extra ...pkix.Extension) minipki.Template {
		c := caTemplate("C", "BE", "CN", name)
		c.Policies, c.Extra = policies, extra
		return c
	}
	leaf := func(policies ...string) minipki.Template {
		c := alice()
		c.Policies = policies
		return c
	}
	one, both, any := []string{policyOne}, []string{policyOne, policyTwo}, []string{anyPolicyID}
	const wrong = certs.WrongPolicy
	for _, tt := range []struct {
		name        string
		authorities []minipki.Template
		leaf        minipki.Template
		want        certs.Reason
	}{
		{"granted all the way", []minipki.Template{ca("A", one), ca("B", one)}, leaf(policyOne), 0},
		{"granted among others", []minipki.Template{ca("A", both), ca("B", one)}, leaf(policyTwo, policyOne), 0},
		{"no policy in an authority", []minipki.Template{ca("A", one), ca("B", nil)}, leaf(policyOne), wrong},
		{"no policy anywhere above", []minipki.Template{ca("A", nil)}, leaf(policyOne), wrong},
		{"another policy in an authority", []minipki.Template{ca("A", one), ca("B", []string{policyTwo})}, leaf(policyOne), wrong},
		{"another policy in the certificate", []minipki.Template{ca("A", both)}, leaf(policyTwo), wrong},
		{"any policy in the authorities", []minipki.Template{ca("A", any), ca("B", any)}, leaf(policyOne), 0},
		{"any policy in the certificate: it must name one", []minipki.Template{ca("A", one)}, leaf(anyPolicyID), wrong},
		{"any policy does not widen", []minipki.Template{ca("A", []string{policyTwo}), ca("B", any)}, leaf(policyOne), wrong},
		{"any policy beside another", []minipki.Template{ca("A", both), ca("B", []string{policyTwo, anyPolicyID})}, leaf(policyOne), 0},

		{"any policy inhibited at once", []minipki.Template{ca("A", one, inhibitAny(0)), ca("B", any)}, leaf(policyOne), wrong},
		{"any policy inhibited after one more", []minipki.Template{ca("A", one, inhibitAny(1)), ca("B", any)}, leaf(policyOne), 0},
		{"any policy inhibited after one, two below", []minipki.Template{ca("A", one, inhibitAny(1)), ca("B", one), ca("C", any)}, leaf(policyOne), wrong},
		{"a later count does not lift an earlier", []minipki.Template{ca("A", one, inhibitAny(0)), ca("B", one, inhibitAny(5)), ca("C", any)}, leaf(policyOne), wrong},
		{"any policy inhibited, in a renewed key", []minipki.Template{ca("A", one, inhibitAny(0)), ca("A", any)}, leaf(policyOne), 0},
		{"a renewed key does not use up a count", []minipki.Template{ca("A", one, inhibitAny(1)), ca("A", one), ca("B", any)}, leaf(policyOne), 0},
		{"any policy inhibited, in the certificate's own issuer only", []minipki.Template{ca("A", any, inhibitAny(0))}, leaf(policyOne), 0},

		{"the policy mapped to another", []minipki.Template{ca("A", one, mapping(t, policyOne, policyTwo)), ca("B", both)}, leaf(policyOne, policyTwo), wrong},
		{"another policy mapped to it", []minipki.Template{ca("A", []string{policyTwo}, mapping(t, policyTwo, policyOne))}, leaf(policyOne), wrong},
		{"another policy mapped", []minipki.Template{ca("A", both, mapping(t, policyTwo, "1.2.3.3"))}, leaf(policyOne), 0},
		{"mapped from any policy", []minipki.Template{ca("A", any, mapping(t, anyPolicyID, policyOne))}, leaf(policyOne), wrong},
		{"mapped to any policy", []minipki.Template{ca("A", one, mapping(t, policyTwo, anyPolicyID))}, leaf(policyOne), wrong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := under(t, ladder(t, tt.authorities...), tt.leaf, func(p *certs.Profile) {
				p.Policies, p.ExplicitPolicy = []string{policyOne}, true
			})
			if got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestK6CertificatePolicyDemands: what the certificates themselves demand holds in
// every role, also in one that demands nothing.
func TestK6CertificatePolicyDemands(t *testing.T) {
	ca := func(name string, policies []string, extra ...pkix.Extension) minipki.Template {
		c := caTemplate("C", "BE", "CN", name)
		c.Policies, c.Extra = policies, extra
		return c
	}
	leaf := func(policies ...string) minipki.Template {
		c := alice()
		c.Policies = policies
		return c
	}
	one := []string{policyOne}
	for _, tt := range []struct {
		name        string
		authorities []minipki.Template
		leaf        minipki.Template
		want        certs.Reason
	}{
		{"nothing demanded", []minipki.Template{ca("A", nil)}, leaf(), 0},
		{"explicit policy, granted", []minipki.Template{ca("A", one, policyRules(0, -1))}, leaf(policyOne), 0},
		{"explicit policy, none", []minipki.Template{ca("A", one, policyRules(0, -1))}, leaf(), certs.WrongPolicy},
		{"explicit policy, another", []minipki.Template{ca("A", one, policyRules(0, -1))}, leaf(policyTwo), certs.WrongPolicy},
		{"explicit policy after one more", []minipki.Template{ca("A", one, policyRules(1, -1)), ca("B", nil)}, leaf(), certs.WrongPolicy},
		{"explicit policy beyond the path", []minipki.Template{ca("A", one, policyRules(2, -1))}, leaf(), 0},
		{"mapped", []minipki.Template{ca("A", one, policyRules(0, -1), mapping(t, policyOne, policyTwo))}, leaf(policyTwo), 0},
		{"mapped where mapping is inhibited", []minipki.Template{ca("A", one, policyRules(0, 0)), ca("B", one, mapping(t, policyOne, policyTwo))}, leaf(policyTwo), certs.WrongPolicy},
		{"any policy where it is inhibited", []minipki.Template{ca("A", one, policyRules(0, -1), inhibitAny(0))}, leaf(anyPolicyID), certs.WrongPolicy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := under(t, ladder(t, tt.authorities...), tt.leaf, func(p *certs.Profile) { p.Policies, p.AnyPolicy = nil, true })
			if got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

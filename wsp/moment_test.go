package wsp_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsp"
)

// TestWindow judges Conditions at their exact boundaries (attacks.md R4), with and
// without skew, verified now and remembered.
func TestWindow(t *testing.T) {
	pki := testpki.Load()
	const ms = time.Millisecond
	from, to := now.Add(time.Hour), now.Add(2*time.Hour)
	i := aliceIssue(pki.AliceEHealth.DER)
	i.NotBefore, i.NotOnOrAfter = from, to
	assertion := issue(t, i, &pki.STS)
	for name, c := range map[string]struct {
		skew   time.Duration
		at     time.Time
		reason wsp.Reason
	}{
		"long before":              {0, now, wsp.AssertionNotYetValid},
		"just before NotBefore":    {0, from.Add(-ms), wsp.AssertionNotYetValid},
		"at NotBefore":             {0, from, 0},
		"just before NotOnOrAfter": {0, to.Add(-ms), 0},
		"at NotOnOrAfter":          {0, to, wsp.AssertionExpired},
		"after":                    {0, to.Add(time.Hour), wsp.AssertionExpired},
		"skew, too early":          {time.Minute, from.Add(-time.Minute - ms), wsp.AssertionNotYetValid},
		"skew, first moment":       {time.Minute, from.Add(-time.Minute), 0},
		"skew, last moment":        {time.Minute, to.Add(time.Minute - ms), 0},
		"skew, too late":           {time.Minute, to.Add(time.Minute), wsp.AssertionExpired},
	} {
		for _, remembered := range []bool{false, true} {
			if remembered {
				name += ", remembered"
			}
			t.Run(name, func(t *testing.T) {
				g := guard(t, func(config *wsp.Config) { config.Skew, config.Replay = c.skew, forgetful{} })
				if remembered {
					if _, err := g.Admit(call(t, assertion, pki.AliceEHealth.Key, from), from); err != nil {
						t.Fatal(err)
					}
					g.Settle()
				}
				message := call(t, assertion, pki.AliceEHealth.Key, c.at)
				if c.reason == 0 {
					if _, err := g.Admit(message, c.at); err != nil {
						t.Error(err)
					}
					return
				}
				refused(t, g, string(message), c.at, c.reason, soap.FaultInvalidSecurityToken, soap.SOANotAuthenticated)
			})
		}
	}
	i.NotOnOrAfter = i.NotBefore
	message := call(t, issue(t, i, &pki.STS), pki.AliceEHealth.Key, from)
	refused(t, guard(t), string(message), from, wsp.BadAssertion, soap.FaultInvalidSecurityToken, soap.SOANotAuthenticated)
}

// TestTimestamp judges the moment of the message; package soap has the boundaries.
func TestTimestamp(t *testing.T) {
	message := string(aliceCall(t))
	refused(t, guard(t), message, now.Add(2*time.Minute), wsp.MessageExpired, soap.FaultMessageExpired, soap.SOANotAuthenticated)
	refused(t, guard(t), message, now.Add(-2*time.Minute), wsp.MessageNotYetValid, soap.FaultInvalidSecurity, soap.SOANotAuthenticated)
	g := guard(t)
	if _, err := g.Admit([]byte(message), now); err != nil {
		t.Fatal(err)
	}
	refused(t, g, message, now.Add(time.Second), wsp.Replayed, soap.FaultFailedCheck, soap.SOANotAuthenticated)
	// attacks.md R2: at the last moment at which the Timestamp is fresh it is still known.
	refused(t, g, message, now.Add(2*time.Minute-time.Millisecond), wsp.Replayed, soap.FaultFailedCheck, soap.SOANotAuthenticated)
}

// TestAudience compares audiences exactly (attacks.md H5), each condition by itself.
func TestAudience(t *testing.T) {
	pki := testpki.Load()
	condition := func(audiences ...string) string {
		s := "<AudienceRestrictionCondition>"
		for _, a := range audiences {
			s += "<Audience>" + a + "</Audience>"
		}
		return s + "</AudienceRestrictionCondition>"
	}
	for name, c := range map[string]struct {
		conditions string
		audiences  []string
		admitted   bool
	}{
		"ours":                     {condition("urn:a"), []string{"urn:a"}, true},
		"ours among others":        {condition("urn:b", "urn:a"), []string{"urn:a"}, true},
		"one of ours":              {condition("urn:b"), []string{"urn:a", "urn:b"}, true},
		"of others":                {condition("urn:b"), []string{"urn:a"}, false},
		"we have none":             {condition("urn:b"), nil, false},
		"begins as ours":           {condition("urn:a:b"), []string{"urn:a"}, false},
		"ours begins so":           {condition("urn:a"), []string{"urn:a:b"}, false},
		"empty":                    {condition(""), []string{"urn:a"}, false},
		"two conditions, both":     {condition("urn:a") + condition("urn:b"), []string{"urn:a", "urn:b"}, true},
		"two conditions, one":      {condition("urn:a") + condition("urn:b"), []string{"urn:a"}, false},
		"two conditions, last one": {condition("urn:b") + condition("urn:a"), []string{"urn:a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, func(config *wsp.Config) { config.Audiences = c.audiences })
			token := edited(t, aliceIssue(pki.AliceEHealth.DER), stsSigner(t, &pki.STS), func(s string) string {
				return strings.Replace(s, "</Conditions>", c.conditions+"</Conditions>", 1)
			})
			message := newDraft(token).sign(t, pki.AliceEHealth.Key, assertionID)
			if c.admitted {
				if _, err := g.Admit([]byte(message), now); err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, g, message, now, wsp.WrongAudience, soap.FaultInvalidSecurityToken, soap.SOANotAuthenticated)
		})
	}
}

// TestCertificates refuses what package certs refuses of the STS and of the holder.
func TestCertificates(t *testing.T) {
	pki := testpki.Load()
	failed := soap.FaultFailedAuthentication
	stsAs := func(leaf *testpki.Leaf) string {
		return string(call(t, issue(t, aliceIssue(pki.AliceEHealth.DER), leaf), pki.AliceEHealth.Key, now))
	}
	holderAs := func(leaf *testpki.Leaf) string {
		return string(call(t, issue(t, aliceIssue(leaf.DER), &pki.STS), leaf.Key, now))
	}
	template := minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "EXAMPLE PLATFORM", Application: testpki.ServiceID})
	template.Serial = big.NewInt(4711)
	revokedSTS := pki.Issue(pki.EHealthCA, template, pki.OtherKey())
	template.Serial = big.NewInt(4712)
	template.NotBefore, template.NotAfter = testpki.NotBefore(), now.Add(-time.Hour)
	expiredSTS := pki.Issue(pki.EHealthCA, template, pki.OtherKey())
	byName := guard(t, func(c *wsp.Config) {
		c.Certificates = trust(t, stsByName, func(c *certs.Config) { replaceCRL(t, c, "f.crl", pki.CRL(pki.EHealthCA, big.NewInt(4711))) })
	})
	noCRL := guard(t, func(c *wsp.Config) { c.Certificates = trust(t, func(c *certs.Config) { c.CRL.Files = nil }) })
	for name, c := range map[string]struct {
		guard   *wsp.Guard
		message string
		reason  wsp.Reason
		because certs.Reason
	}{
		"unknown STS":               {guard(t), stsAs(&pki.Organisation), wsp.UntrustedSTS, certs.WrongProfile},
		"STS not pinned":            {guard(t), stsAs(&revokedSTS), wsp.UntrustedSTS, certs.WrongProfile},
		"revoked STS":               {byName, stsAs(&revokedSTS), wsp.UntrustedSTS, certs.Revoked},
		"expired STS":               {byName, stsAs(&expiredSTS), wsp.UntrustedSTS, certs.Expired},
		"revoked holder":            {guard(t), holderAs(&pki.RevokedEHealth), wsp.UntrustedHolder, certs.Revoked},
		"expired holder":            {guard(t), holderAs(&pki.ExpiredEHealth), wsp.UntrustedHolder, certs.Expired},
		"holder with an eID":        {guard(t), holderAs(&pki.BobEID), wsp.UntrustedHolder, certs.WrongProfile},
		"holder of a stranger":      {guard(t), holderAs(&pki.StrangerEID), wsp.UntrustedHolder, certs.WrongProfile},
		"no CRL of the holder":      {noCRL, holderAs(&pki.AliceEHealth), wsp.UntrustedHolder, certs.RevocationUnknown},
		"no CRL, and the STS by it": {guard(t, func(c *wsp.Config) { c.Certificates = trust(t, stsByName, func(c *certs.Config) { c.CRL.Files = nil }) }), stsAs(&pki.STS), wsp.UntrustedSTS, certs.RevocationUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.guard, c.message, now, c.reason, failed, soap.SOANotAuthenticated)
			if _, err := c.guard.Admit([]byte(c.message), now); certs.ReasonOf(err) != c.because {
				t.Errorf("because %v, want %v", certs.ReasonOf(err), c.because)
			}
		})
	}
}

// TestRevokedSince: what is remembered of an assertion does not outlive the trust in
// its STS or in its holder.
func TestRevokedSince(t *testing.T) {
	pki := testpki.Load()
	for name, c := range map[string]struct {
		leaf   *testpki.Leaf
		reason wsp.Reason
	}{
		"STS":    {&pki.STS, wsp.UntrustedSTS},
		"holder": {&pki.AliceEHealth, wsp.UntrustedHolder},
	} {
		t.Run(name, func(t *testing.T) {
			var config certs.Config
			v := trust(t, stsByName, func(c *certs.Config) { config = *c })
			g := guard(t, func(c *wsp.Config) { c.Certificates = v })
			assertion := issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS)
			if _, err := g.Admit(call(t, assertion, pki.AliceEHealth.Key, now), now); err != nil {
				t.Fatal(err)
			}
			g.Settle()
			replaceCRL(t, &config, "f.crl", newerCRL(t, c.leaf))
			if err := v.Reload(config); err != nil {
				t.Fatal(err)
			}
			message := call(t, assertion, pki.AliceEHealth.Key, now.Add(time.Second))
			refused(t, g, string(message), now.Add(time.Second), c.reason, soap.FaultFailedAuthentication, soap.SOANotAuthenticated)
		})
	}
	t.Run("another STS is trusted now", func(t *testing.T) {
		var config certs.Config
		v := trust(t, func(c *certs.Config) { config = *c })
		g := guard(t, func(c *wsp.Config) { c.Certificates = v })
		assertion := issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS)
		if _, err := g.Admit(call(t, assertion, pki.AliceEHealth.Key, now), now); err != nil {
			t.Fatal(err)
		}
		g.Settle()
		config.Profiles[0].Pinned = [][]byte{pki.STSP256.DER}
		if err := v.Reload(config); err != nil {
			t.Fatal(err)
		}
		message := call(t, assertion, pki.AliceEHealth.Key, now.Add(time.Second))
		refused(t, g, string(message), now.Add(time.Second), wsp.UntrustedSTS, soap.FaultFailedAuthentication, soap.SOANotAuthenticated)
	})
}

// TestUnservedRole: a Verifier without the role is the operator's fault, at the start
// and when a reload takes the role away.
func TestUnservedRole(t *testing.T) {
	bare := func(c *certs.Config) { c.Profiles = c.Profiles[:1]; c.CRL.Files = nil }
	config := wsp.Config{Certificates: trust(t, bare), Issuers: []string{issuer}, Replay: soap.NewMemoryReplay(10)}
	if _, err := wsp.NewGuard(config); err == nil || !strings.Contains(err.Error(), `serves the role "holder"`) {
		t.Errorf("a Guard without trusted holders: %v", err)
	}
	var later certs.Config
	v := trust(t, func(c *certs.Config) { later = *c })
	g := guard(t, func(c *wsp.Config) { c.Certificates = v })
	bare(&later)
	if err := v.Reload(later); err != nil {
		t.Fatal(err)
	}
	refused(t, g, string(aliceCall(t)), now, wsp.Unconfigured, soap.FaultServer, soap.SOAServiceError)
}

package wsp_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec"
)

// shared returns the path of a shared sample, or skips.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	root := os.Getenv("SCEAU_SHARED")
	if root == "" {
		t.Skip("SCEAU_SHARED is not set: the shared samples are not at hand")
	}
	return filepath.Join(append([]string{root, "samples", "ehealth"}, parts...)...)
}

// sampleCRL makes a CRL of the sample PKI's holder authority.
func sampleCRL(t testing.TB, at time.Time) (certificate, crl []byte) {
	t.Helper()
	der := func(name string) []byte {
		text, err := os.ReadFile(shared(t, "pki", name))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		return block.Bytes
	}
	key, err := x509.ParsePKCS8PrivateKey(der("ehca.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der("ehca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	list := &x509.RevocationList{Number: ca.SerialNumber, ThisUpdate: at.Add(-time.Minute), NextUpdate: at.Add(24 * time.Hour)}
	ca.KeyUsage |= x509.KeyUsageCRLSign // the sample authority does not say its usage
	crl, err = x509.CreateRevocationList(nil, list, ca, key.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	return ca.Raw, crl
}

// TestSample admits the call that other implementations made and signed.
func TestSample(t *testing.T) {
	message, err := os.ReadFile(shared(t, "wsp-call-saml-hok-sha256.xml"))
	if err != nil {
		t.Fatal(err)
	}
	const created = "<wsu:Created>"
	from := strings.Index(string(message), created) + len(created)
	at, err := time.Parse(time.RFC3339, string(message[from:from+len("2026-11-21T19:51:20.102Z")]))
	if err != nil {
		t.Fatal(err)
	}
	at = at.Add(time.Second)
	pinned, err := certs.ReadCertificates(shared(t, "pki", "sts.pem"))
	if err != nil {
		t.Fatal(err)
	}
	ca, crl := sampleCRL(t, at)
	list := filepath.Join(t.TempDir(), "ehca.crl")
	if err := os.WriteFile(list, crl, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, revocation := range map[string]certs.Revocation{"CRL": {}, "revocation off": {Mode: certs.Off}} {
		t.Run(name, func(t *testing.T) {
			sts := certs.TokenIssuer()
			sts.Pinned = pinned
			holder := certs.EHealthPlatform(certs.RoleHolder)
			holder.Roots = []*certs.Authority{{Certificate: ca, Revocation: revocation}}
			config := certs.Config{Profiles: []certs.Profile{sts, holder}, Now: func() time.Time { return at }, Log: quiet}
			if revocation.Mode != certs.Off {
				config.CRL.Files = []string{list}
			}
			v, err := certs.NewVerifier(config)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			g := guard(t, func(c *wsp.Config) {
				c.Certificates = v
				c.Require = []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}}
			})
			caller, err := g.Admit(message, at)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(caller.Body()); got != echoContent {
				t.Errorf("body %s", got)
			}
			if caller.Holder().SSIN() != testpki.AliceSSIN || caller.AssertionID() != "_1dc743ee94554da595f5f7b271f39d16" {
				t.Errorf("holder %q, assertion %q", caller.Holder().SSIN(), caller.AssertionID())
			}
			refused(t, g, string(message), at, wsp.Replayed, soap.FaultFailedCheck, soap.SOANotAuthenticated)
		})
	}
}

// TestAdmit shows what a caller tells.
func TestAdmit(t *testing.T) {
	pki := testpki.Load()
	for name, c := range map[string]struct{ holder, sts *testpki.Leaf }{
		"RSA":            {&pki.AliceEHealth, &pki.STS},
		"P-256":          {&pki.AliceEHealthP256, &pki.STSP256},
		"P-384 by RSA":   {&pki.AliceEHealthP384, &pki.STS},
		"organisation":   {&pki.Organisation, &pki.STS},
		"RSA by P-256":   {&pki.Hospital, &pki.STSP256},
		"an application": {&pki.Application, &pki.STS},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, func(c *wsp.Config) { c.Require = []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}} })
			assertion := issue(t, aliceIssue(c.holder.DER), c.sts)
			caller, err := g.Admit(call(t, assertion, c.holder.Key, now), now.Add(time.Second))
			if err != nil {
				t.Fatal(err)
			}
			checkAlice(t, caller)
			if string(caller.Holder().Certificate().Raw()) != string(c.holder.DER) {
				t.Error("holder is somebody else")
			}
			g.Settle()
			if !g.Remembers() {
				t.Fatal("the assertion is not remembered")
			}
			// The same assertion again, remembered now.
			caller, err = g.Admit(call(t, assertion, c.holder.Key, now.Add(time.Second)), now.Add(time.Second))
			if err != nil {
				t.Fatal(err)
			}
			checkAlice(t, caller)
		})
	}
}

func checkAlice(t *testing.T, caller *wsp.Caller) {
	t.Helper()
	if caller.IsZero() || caller.AssertionID() != assertionID || caller.Issuer() != issuer || !strings.Contains(caller.Subject().Name, "Alice") {
		t.Error("assertion")
	}
	if from, to := caller.Validity(); !from.Equal(now.Add(-6*time.Minute)) || !to.Equal(now.Add(12*time.Hour)) {
		t.Error("validity", from, to)
	}
	if value, ok := caller.Bool(doctor); !value || !ok {
		t.Error("not a doctor")
	}
	if value, ok := caller.Bool(nurse); value || !ok {
		t.Error("a nurse, or unknown")
	}
	if value, ok := caller.Value(nihii); value != "" || !ok {
		t.Error("an unknown value is an empty one")
	}
	if value, ok := caller.Bool(nihii); value || ok {
		t.Error("an empty value is no boolean")
	}
	if value, ok := caller.Value(ssin); value != testpki.AliceSSIN || !ok {
		t.Error("ssin")
	}
	alias := attrs.Designator{Name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean", Namespace: attrs.NamespaceCertified}
	if value, ok := caller.Bool(alias); !value || !ok {
		t.Error("not a doctor by the seed's name")
	}
	if value, ok := caller.Bool(attrs.Designator{Name: doctor.Name, Namespace: attrs.NamespaceIdentification}); value || ok {
		t.Error("attacks.md H4: an attribute of another namespace")
	}
	n := 0
	for a := range caller.Attributes() {
		n++
		if a.Definition == nil {
			t.Errorf("%s is not in the catalogue", a.Name)
		}
	}
	if n != 4 {
		t.Errorf("%d attributes", n)
	}
	if got := string(caller.Body()); got != echoContent {
		t.Errorf("body %s", got)
	}
	if namespace, local := caller.Operation(); namespace != "urn:test" || local != "Echo" {
		t.Errorf("operation {%s}%s", namespace, local)
	}
}

// TestWireForms admits the forms of a call that section 7 of the wire document lists.
func TestWireForms(t *testing.T) {
	pki := testpki.Load()
	assertion := string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))
	for name, message := range map[string]string{
		"by hand":              newDraft(assertion).sign(t, pki.AliceEHealth.Key, assertionID),
		"assertion referenced": newDraft(assertion).sign(t, pki.AliceEHealth.Key, assertionID, assertionID),
		"token first": func() string {
			d := newDraft(assertion)
			d.timestamp, d.token = d.token, d.timestamp
			return d.sign(t, pki.AliceEHealth.Key, assertionID)
		}(),
		"confirmation repeated with the attributes": func() string {
			from, to := strings.Index(assertion, "<SubjectConfirmation>"), strings.Index(assertion, "</SubjectConfirmation>")+len("</SubjectConfirmation>")
			token := edited(t, aliceIssue(pki.AliceEHealth.DER), stsSigner(t, &pki.STS), func(s string) string {
				return strings.Replace(s, "</NameIdentifier></Subject><Attribute ", "</NameIdentifier>"+assertion[from:to]+"</Subject><Attribute ", 1)
			})
			return newDraft(token).sign(t, pki.AliceEHealth.Key, assertionID)
		}(),
		"assertion by STR-Transform": strTransform(t, newDraft(assertion), &pki.AliceEHealth),
		"other header blocks": func() string {
			d := newDraft(assertion)
			d.headers = `<x:Trace xmlns:x="urn:x">1</x:Trace><wsse:Security soapenv:actor="urn:somebody"/>`
			return d.sign(t, pki.AliceEHealth.Key, assertionID)
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := guard(t).Admit([]byte(message), now)
			if err != nil {
				t.Fatal(err)
			}
			checkAlice(t, caller)
		})
	}
}

// TestSTSByName trusts an STS by its name under an authority, so that its key may roll.
func TestSTSByName(t *testing.T) {
	pki := testpki.Load()
	g := guard(t, func(c *wsp.Config) { c.Certificates = trust(t, stsByName) })
	for i, sts := range []*testpki.Leaf{&pki.STS, &pki.STSP256} {
		at := now.Add(time.Duration(i) * time.Second)
		if _, err := g.Admit(call(t, issue(t, aliceIssue(pki.AliceEHealth.DER), sts), pki.AliceEHealth.Key, at), at); err != nil {
			t.Error(err)
		}
	}
	// A holder's certificate of the same authority is not an STS (attacks.md K7).
	message := call(t, issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.BobEHealth), pki.AliceEHealth.Key, now)
	refused(t, g, string(message), now, wsp.UntrustedSTS, soap.FaultFailedAuthentication, soap.SOANotAuthenticated)
}

func stsByName(c *certs.Config) {
	pki := testpki.Load()
	sts := certs.TokenIssuer()
	sts.Roots = []*certs.Authority{{Certificate: pki.EHealthRoot.DER()}}
	sts.Intermediates = []*certs.Authority{{Certificate: pki.EHealthCA.DER()}}
	name, err := certs.ParseCertificate(pki.STS.DER)
	if err != nil {
		panic(err)
	}
	sts.Subjects = []string{name.Subject().String()}
	c.Profiles[0] = sts
}

// TestHolderRoles admits an eID as holder only where the configuration says so.
func TestHolderRoles(t *testing.T) {
	pki := testpki.Load()
	message := call(t, issue(t, aliceIssue(pki.AliceEID.DER), &pki.STS), pki.AliceEID.Key, now)
	refused(t, guard(t), string(message), now, wsp.UntrustedHolder, soap.FaultFailedAuthentication, soap.SOANotAuthenticated)
	g := guard(t, func(c *wsp.Config) { c.HolderRoles = []certs.Role{certs.RoleHolder, certs.RoleIdentity} })
	caller, err := g.Admit(message, now)
	if err != nil {
		t.Fatal(err)
	}
	if caller.Holder().Kind() != certs.EID || caller.Holder().Role() != certs.RoleIdentity {
		t.Error("holder is", caller.Holder().Kind())
	}
}

// TestHolderKeyValue admits a bare key only where the configuration says so.
func TestHolderKeyValue(t *testing.T) {
	pki := testpki.Load()
	token := edited(t, aliceIssue(pki.AliceEHealth.DER), stsSigner(t, &pki.STS), func(s string) string {
		from, to := strings.Index(s, "<ds:X509Data>"), strings.Index(s, "</ds:X509Data>")+len("</ds:X509Data>")
		return s[:from] + rsaKeyValue(&pki.AliceEHealth) + s[to:]
	})
	message := newDraft(token).sign(t, pki.AliceEHealth.Key, assertionID)
	refused(t, guard(t), message, now, wsp.UnconfirmedSubject, soap.FaultFailedAuthentication, soap.SOANotAuthenticated)
	g := guard(t, func(c *wsp.Config) { c.HolderKeyValue = true })
	caller, err := g.Admit([]byte(message), now)
	if err != nil {
		t.Fatal(err)
	}
	if caller.Holder().Kind() != certs.Nobody || caller.IsZero() {
		t.Error("a bare key is the key of somebody")
	}
	stolen := newDraft(token).sign(t, pki.BobEHealth.Key, assertionID)
	refused(t, g, stolen, now, wsp.BadSignature, soap.FaultFailedCheck, soap.SOANotAuthenticated)
}

// TestZero: a Guard and a Caller that nobody made admit nobody and are nobody.
func TestZero(t *testing.T) {
	for _, g := range []*wsp.Guard{nil, {}} {
		refused(t, g, string(aliceCall(t)), now, wsp.Unconfigured, soap.FaultServer, soap.SOAServiceError)
		g.Close()
	}
	for _, c := range []*wsp.Caller{nil, {}} {
		_, ok1 := c.Value(doctor)
		value, ok2 := c.Bool(doctor)
		_, ok3 := c.Lookup(doctor)
		from, to := c.Validity()
		namespace, local := c.Operation()
		method, at := c.Authentication()
		if !c.IsZero() || ok1 || ok2 || ok3 || value || !from.IsZero() || !to.IsZero() || namespace+local+method != "" || !at.IsZero() ||
			c.Body() != nil || len(c.AppendBody(nil)) != 0 || c.AssertionID()+c.Issuer() != "" || c.Subject() != (wsp.Subject{}) ||
			c.Holder().Kind() != certs.Nobody || !c.Created().IsZero() || !c.IssueInstant().IsZero() || c.MessageDigest() != [32]byte{} {
			t.Error("nobody has something")
		}
		for range c.Attributes() {
			t.Error("nobody has an attribute")
		}
	}
	if !wsp.CallerFrom(context.Background()).IsZero() {
		t.Error("a caller from nowhere")
	}
}

// TestAliasing: what Admit gives does not live in the message.
func TestAliasing(t *testing.T) {
	message := aliceCall(t)
	caller, err := guard(t).Admit(message, now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range message {
		message[i] = 'x'
	}
	caller.Body()[0] = 'x'
	checkAlice(t, caller)
}

// TestCaps bounds what an assertion may hold.
func TestCaps(t *testing.T) {
	g := guard(t, func(c *wsp.Config) { c.MaxAttributes = 3 })
	refused(t, g, string(aliceCall(t)), now, wsp.BadAssertion, soap.FaultInvalidSecurityToken, soap.SOANotAuthenticated)
	g = guard(t, func(c *wsp.Config) { c.MaxAssertionBytes = 1000 })
	refused(t, g, string(aliceCall(t)), now, wsp.BadAssertion, soap.FaultInvalidSecurityToken, soap.SOANotAuthenticated)
}

// TestSHA1 keeps the two switches apart.
func TestSHA1(t *testing.T) {
	pki := testpki.Load()
	sha1 := func(c *xmlsec.SignerConfig) { c.Method, c.Digest, c.SHA1 = xmlsec.RSASHA1, xmlsec.SHA1, true }
	old := edited(t, aliceIssue(pki.AliceEHealth.DER), stsSigner(t, &pki.STS, sha1), func(s string) string { return strings.Replace(s, `MinorVersion="1">`, `MinorVersion="1" >`, 1) })
	modern := string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))
	sign := func(token string, change ...func(*xmlsec.SignerConfig)) string {
		return signText(t, newDraft(token).text(), messageSigner(t, pki.AliceEHealth.Key, assertionID, change...), detached, "id-1", "TS-1")
	}
	for name, c := range map[string]struct {
		message            string
		message1, asserted bool
		admitted           bool
	}{
		"assertion, off":         {sign(old), false, false, false},
		"assertion, other on":    {sign(old), true, false, false},
		"assertion, on":          {sign(old), false, true, true},
		"message, off":           {sign(modern, sha1), false, false, false},
		"message, other on":      {sign(modern, sha1), false, true, false},
		"message, on":            {sign(modern, sha1), true, false, true},
		"both, on":               {sign(old, sha1), true, true, true},
		"both, only message on":  {sign(old, sha1), true, false, false},
		"both, only assertion's": {sign(old, sha1), false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, func(config *wsp.Config) { config.MessageSHA1, config.AssertionSHA1 = c.message1, c.asserted })
			if c.admitted {
				if _, err := g.Admit([]byte(c.message), now); err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, g, c.message, now, wsp.UnsupportedAlgorithm, soap.FaultUnsupportedAlgorithm, soap.SOANotAuthenticated)
		})
	}
}

// TestReplayStates: without memory nothing is admitted.
func TestReplayStates(t *testing.T) {
	message := string(aliceCall(t))
	refused(t, guard(t, func(c *wsp.Config) { c.Replay = soap.NewMemoryReplay(0) }), message, now, wsp.ReplayUnavailable, soap.FaultServer, soap.SOATemporarily)
	refused(t, guard(t, func(c *wsp.Config) { c.Replay = broken{} }), message, now, wsp.ReplayUnavailable, soap.FaultServer, soap.SOATemporarily)
}

type broken struct{}

func (broken) Remember([32]byte, time.Time, time.Time) error { return errors.New("down") }

// TestReplayByHolder: the same request at the same moment is one message when one
// holder sends it, whatever the assertion, and two when two do.
func TestReplayByHolder(t *testing.T) {
	pki := testpki.Load()
	g := guard(t)
	for name, holder := range map[string]*testpki.Leaf{"Alice": &pki.AliceEHealth, "Bob": &pki.BobEHealth} {
		if _, err := g.Admit(call(t, issue(t, aliceIssue(holder.DER), &pki.STS), holder.Key, now), now); err != nil {
			t.Error(name, err)
		}
	}
	g = guard(t)
	// attacks.md R1: a captured call with another assertion of the same holder.
	first := newDraft(string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS))).sign(t, pki.AliceEHealth.Key, assertionID)
	if _, err := g.Admit([]byte(first), now); err != nil {
		t.Fatal(err)
	}
	other := aliceIssue(pki.AliceEHealth.DER)
	other.Subject.Subject = "CN=Bob"
	again := strings.Replace(first, string(issue(t, aliceIssue(pki.AliceEHealth.DER), &pki.STS)), string(issue(t, other, &pki.STS)), 1)
	if again == first {
		t.Fatal("the assertion was not exchanged")
	}
	refused(t, g, again, now, wsp.Replayed, soap.FaultFailedCheck, soap.SOANotAuthenticated)
}

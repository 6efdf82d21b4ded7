package trust_test

import (
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/saml/trust"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

const issuer = "urn:be:fgov:ehealth:sts:1_0"

var now = testpki.Now()

func judge(t testing.TB, change ...func(*trust.Judge)) *trust.Judge {
	t.Helper()
	j := &trust.Judge{Certificates: certstest.Verifier(t), Issuers: []string{issuer}, Audiences: []string{"urn:us"}, HolderRoles: []certs.Role{certs.RoleHolder},
		Signature: xmlsec.DefaultPolicy()}
	for _, f := range change {
		f(j)
	}
	return j
}

// assertion makes one by an STS, with what a test changes before it is signed and in the text after.
func assertion(t testing.TB, leaf *testpki.Leaf, change func(*saml.Issue), text func(string) string) *saml.Assertion {
	t.Helper()
	pki := testpki.Load()
	i := &saml.Issue{AssertionID: "_1", Issuer: issuer, IssueInstant: now, NotBefore: now, NotOnOrAfter: now.Add(time.Hour), Holder: pki.AliceEHealth.DER,
		Subject: saml.Name{Subject: "CN=Alice", Issuer: "CN=CA"}, Attributes: []saml.Statement{{Name: "a", Namespace: "n"}}}
	if change != nil {
		change(i)
	}
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: leaf.Key, KeyInfo: xmlsec.CertificateKeyInfo(leaf.DER)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := saml.AppendAssertion(nil, i, signer)
	if err != nil {
		t.Fatal(err)
	}
	if text != nil {
		out = []byte(text(string(out)))
	}
	document, err := xmltext.Parse(out, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(document.Release)
	a := new(saml.Assertion)
	if err := saml.ParseAssertion(document.Root(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestBelieve: the reason of each refusal. The guard's tests (package wsp) go through the whole list of attacks by the same code.
func TestBelieve(t *testing.T) {
	pki := testpki.Load()
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for name, c := range map[string]struct {
		by     *testpki.Leaf
		change func(*saml.Issue)
		text   func(string) string
		judge  func(*trust.Judge)
		vouch  bool
		want   trust.Reason
	}{
		"believed":                  {},
		"by another key of the STS": {by: &pki.STSP256},
		"for us":                    {change: func(i *saml.Issue) { i.Audiences = []string{"urn:other", "urn:us"} }},
		"skew":                      {change: func(i *saml.Issue) { i.NotBefore = now.Add(time.Minute) }, judge: func(j *trust.Judge) { j.Skew = time.Minute }},
		"zero judge":                {judge: func(j *trust.Judge) { *j = trust.Judge{} }, want: trust.Unconfigured},
		"no issuers":                {judge: func(j *trust.Judge) { j.Issuers = nil }, want: trust.WrongIssuer},
		"issuer":                    {change: func(i *saml.Issue) { i.Issuer += ":1" }, want: trust.WrongIssuer},
		"turned":                    {change: func(i *saml.Issue) { i.NotOnOrAfter = i.NotBefore }, want: trust.Malformed},
		"not yet":                   {change: func(i *saml.Issue) { i.NotBefore = now.Add(time.Second) }, want: trust.NotYetValid},
		"expired":                   {change: func(i *saml.Issue) { i.NotBefore, i.NotOnOrAfter = now.Add(-time.Hour), now }, want: trust.Expired},
		"audience":                  {change: func(i *saml.Issue) { i.Audiences = []string{"urn:us:1"} }, want: trust.WrongAudience},
		"no audiences":              {change: func(i *saml.Issue) { i.Audiences = []string{"urn:us"} }, judge: func(j *trust.Judge) { j.Audiences = nil }, want: trust.WrongAudience},
		"bearer":                    {text: replace(saml.HolderOfKey, "urn:oasis:names:tc:SAML:1.0:cm:bearer"), want: trust.Unconfirmed},
		"vouched":                   {vouch: true, want: trust.Unconfirmed},
		"another subject":           {text: func(s string) string { i := strings.LastIndex(s, "CN=Alice"); return s[:i] + "CN=Malic" + s[i+8:] }, want: trust.Unconfirmed},
		"unsigned": {text: func(s string) string {
			return s[:strings.Index(s, "<ds:Signature")] + s[strings.Index(s, "</ds:Signature>")+len("</ds:Signature>"):]
		}, want: trust.Unsigned},
		"no certificate": {text: func(s string) string {
			i, j := strings.LastIndex(s, "<ds:KeyInfo>"), strings.LastIndex(s, "</ds:KeyInfo>")+len("</ds:KeyInfo>")
			return s[:i] + s[j:]
		}, want: trust.Unsigned},
		"by its holder":    {by: &pki.AliceEHealth, want: trust.UntrustedSTS},
		"altered":          {text: replace(`AttributeName="a"`, `AttributeName="b"`), want: trust.BadSignature},
		"another element":  {text: replace(`URI="#_1"`, `URI="#_2"`), want: trust.BadSignature},
		"zero policy":      {judge: func(j *trust.Judge) { j.Signature = xmlsec.Policy{} }, want: trust.UnsupportedAlgorithm},
		"no role for STSs": {judge: func(j *trust.Judge) { j.Certificates = without(t, certs.RoleSTS) }, want: trust.Unconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			by := c.by
			if by == nil {
				by = &pki.STS
			}
			j := judge(t)
			if c.judge != nil {
				c.judge(j)
			}
			b, err := j.Believe(assertion(t, by, c.change, c.text), c.vouch, now, nil)
			if trust.ReasonOf(err) != c.want || (err == nil) != (c.want == 0) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if err != nil {
				if b.STS != (certs.Identity{}) || b.Key.Selector != 0 {
					t.Errorf("%+v beside an error", b)
				}
				return
			}
			if string(b.STS.Certificate().Raw()) != string(by.DER) || b.Key.Selector != xmlsec.ByCertificate {
				t.Errorf("%+v", b)
			}
		})
	}
}

// without is a verifier that has no profile for a role.
func without(t testing.TB, role certs.Role) *certs.Verifier {
	t.Helper()
	config := certstest.Config(t)
	var kept []certs.Profile
	for _, p := range config.Profiles {
		if p.Role != role {
			kept = append(kept, p)
		}
	}
	config.Profiles = kept
	v, err := certs.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func TestHolder(t *testing.T) {
	pki := testpki.Load()
	j := judge(t)
	parse := func(leaf *testpki.Leaf) *certs.Certificate { return certstest.Parse(t, j.Certificates, leaf.DER) }
	if i, err := j.Holder(parse(&pki.Hospital), nil, now); err != nil || i.Role() != certs.RoleHolder {
		t.Errorf("%v, %v", i, err)
	}
	for name, leaf := range map[string]*testpki.Leaf{"revoked": &pki.RevokedEHealth, "expired": &pki.ExpiredEHealth, "stranger": &pki.StrangerEID, "server": &pki.Server} {
		if i, err := j.Holder(parse(leaf), nil, now); trust.ReasonOf(err) != trust.UntrustedHolder || i != (certs.Identity{}) {
			t.Errorf("%s: %v, %v", name, i, err)
		}
	}
	// That the authority knows it and revoked it tells more than that another role does not know it.
	both := judge(t, func(j *trust.Judge) { j.HolderRoles = []certs.Role{certs.RoleSTS, certs.RoleHolder} })
	if _, err := both.Holder(certstest.Parse(t, both.Certificates, pki.RevokedEHealth.DER), nil, now); certs.ReasonOf(err) != certs.Revoked {
		t.Errorf("%v", err)
	}
	for _, j := range []*trust.Judge{{}, judge(t, func(j *trust.Judge) { j.HolderRoles = nil })} {
		if i, err := j.Holder(parse(&pki.Hospital), nil, now); err == nil || i != (certs.Identity{}) {
			t.Errorf("%v, %v", i, err)
		}
	}
}

func TestReasons(t *testing.T) {
	for r := trust.Unconfigured; r <= trust.UntrustedHolder; r++ {
		if strings.HasPrefix(r.String(), "reason ") || (&trust.Error{Reason: r}).Error() != "trust: "+r.String() {
			t.Errorf("%d: %s", r, r)
		}
	}
	if trust.Reason(0).String() != "reason 0" || trust.ReasonOf(nil) != 0 {
		t.Error("no reason is one")
	}
}

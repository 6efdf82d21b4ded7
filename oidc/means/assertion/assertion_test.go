package assertion_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/means/assertion"
	"sceau/oidc/page"
	"sceau/saml"
	"sceau/saml/trust"
	"sceau/xmlsec"
)

const (
	issuer    = "urn:be:fgov:ehealth:sts:1_0"
	secureURL = "https://card.example/authorize/a/m/assertion"
)

var (
	now    = testpki.Now()
	ssin   = attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}
	doctor = attrs.Designator{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: attrs.NamespaceCertified}
)

func config(t testing.TB) assertion.Config {
	t.Helper()
	c := assertion.Config{
		Judge: trust.Judge{Certificates: certstest.Verifier(t), Issuers: []string{issuer}, Audiences: []string{"https://op.example"},
			HolderRoles: []certs.Role{certs.RoleHolder}, Skew: time.Minute, Signature: xmlsec.DefaultPolicy()},
		Persons:    []assertion.Person{{Attribute: ssin, Type: "ssin"}},
		Attributes: map[attrs.Designator]string{doctor: "doctor"},
		References: map[string][]string{},
	}
	for _, p := range []certs.Profile{certs.BelgianEID(), certs.EHealthPlatform(certs.RoleHolder)} {
		c.References[p.Name] = []string{"swk"}
	}
	c.References[certs.BelgianEID().Name] = []string{"sc", "pin", "mfa", "hwk", "swk"}
	return c
}

func means(t testing.TB, c assertion.Config) *assertion.Means {
	t.Helper()
	m, err := assertion.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// issued is an assertion of the token service about Alice, for her eHealth certificate.
func issued(t testing.TB, change func(*saml.Issue)) []byte {
	t.Helper()
	return issuedBy(t, &testpki.Load().STS, change)
}

func issuedBy(t testing.TB, sts *testpki.Leaf, change func(*saml.Issue)) []byte {
	t.Helper()
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: sts.Key, KeyInfo: xmlsec.CertificateKeyInfo(sts.DER)})
	if err != nil {
		t.Fatal(err)
	}
	i := &saml.Issue{AssertionID: "_a", Issuer: issuer, IssueInstant: now.Add(-time.Minute), NotBefore: now.Add(-2 * time.Minute), NotOnOrAfter: now.Add(time.Hour),
		Subject: saml.Name{Subject: "CN=Alice", Issuer: "CN=CA"}, Holder: testpki.Load().AliceEHealthP256.DER,
		Attributes: []saml.Statement{{Name: ssin.Name, Namespace: ssin.Namespace, Values: []string{testpki.AliceSSIN}}, {Name: doctor.Name, Namespace: doctor.Namespace, Values: []string{"true"}}}}
	if change != nil {
		change(i)
	}
	out, err := saml.AppendAssertion(nil, i, signer)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A visit is one request over a real TLS connection of a holder.
type visit struct {
	holder  *testpki.Leaf // nil shows no certificate
	form    url.Values
	attempt authn.Attempt
}

type pages struct{ shown any }

func (p *pages) Write(w http.ResponseWriter, _ *http.Request, status int, page any) {
	p.shown = page
	w.WriteHeader(status)
}

func (v visit) call(t testing.TB, m *assertion.Means) (*authn.Proof, error) {
	t.Helper()
	var proof *authn.Proof
	var err error
	v.attempt.Now = now
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proof, err = m.Serve(w, r, &v.attempt) }))
	pki := testpki.Load()
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{pki.Server.DER}, PrivateKey: pki.Server.Key}}, ClientAuth: tls.RequestClientCert, Time: testpki.Now}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	root, e := x509.ParseCertificate(pki.EHealthRoot.DER())
	if e != nil {
		t.Fatal(e)
	}
	roots.AddCert(root)
	settings := &tls.Config{RootCAs: roots, Time: testpki.Now, MinVersion: tls.VersionTLS12}
	if v.holder != nil {
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{v.holder.DER}, PrivateKey: v.holder.Key}, nil
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}}
	answer, e := client.PostForm(server.URL+"/assertion", v.form)
	if e != nil {
		t.Fatal(e)
	}
	answer.Body.Close()
	return proof, err
}

func shown(octets []byte) url.Values {
	return url.Values{"assertion": {base64.StdEncoding.EncodeToString(octets)}, "token": {"t"}}
}

func TestProof(t *testing.T) {
	pki := testpki.Load()
	m := means(t, config(t))
	octets := issued(t, nil)
	for name, form := range map[string]url.Values{
		"in one line": shown(octets),
		"in lines":    {"assertion": {strings.Join(slices.Collect(chunks(base64.StdEncoding.EncodeToString(octets), 76)), "\r\n") + "\n"}},
	} {
		p, err := visit{holder: &pki.AliceEHealthP256, form: form}.call(t, m)
		if err != nil {
			t.Fatal(name, err)
		}
		if p.Identifier != (authn.Identifier{Type: "ssin", Value: testpki.AliceSSIN}) || !slices.Equal(p.References, []string{"swk"}) || !p.Time.Equal(now.Add(-time.Minute)) ||
			!bytes.Equal(p.Certificate, pki.AliceEHealthP256.DER) || len(p.Credential) != 64 || !slices.Equal(p.Attributes["doctor"], []string{"true"}) || len(p.Attributes) != 1 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	p, err := visit{holder: &pki.AliceEID, form: shown(issued(t, func(i *saml.Issue) {
		i.Holder, i.Instant = pki.AliceEID.DER, now.Add(-30*time.Minute)
	}))}.call(t, m)
	if err != nil || !slices.Contains(p.References, "sc") || !p.Time.Equal(now.Add(-30*time.Minute)) {
		t.Errorf("an eID: %+v, %v", p, err)
	}
	if !slices.Equal(m.References(), []string{"swk"}) {
		t.Errorf("%v", m.References())
	}
}

func chunks(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for ; len(s) > n; s = s[n:] {
			if !yield(s[:n]) {
				return
			}
		}
		yield(s)
	}
}

// TestAttacks: each line says what it would have achieved.
func TestAttacks(t *testing.T) {
	pki := testpki.Load()
	alice := &pki.AliceEHealthP256
	outage := authn.Reason(0)
	attribute := func(values ...string) []saml.Statement {
		return []saml.Statement{{Name: ssin.Name, Namespace: ssin.Namespace, Values: values}}
	}
	for name, tt := range map[string]struct {
		holder *testpki.Leaf
		form   func() url.Values
		change func(*assertion.Config)
		before time.Duration // NotBefore, before now
		want   authn.Reason
		why    string
	}{
		"found by somebody who has no key (bearer)": {nil, func() url.Values { return shown(issued(t, nil)) }, nil, 0, authn.Unsuitable, "no certificate"},
		"found by Bob":                 {&pki.BobEHealth, func() url.Values { return shown(issued(t, nil)) }, nil, 0, authn.NotProven, "another than who shows"},
		"another certificate of Alice": {&pki.AliceEHealth, func() url.Values { return shown(issued(t, nil)) }, nil, 0, authn.NotProven, "another than who shows"},
		"Bob's assertion that names Alice": {&pki.BobEHealth, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.Holder = pki.BobEHealth.DER }))
		}, nil, 0, authn.Unsuitable, "another person"},
		"a hospital that holds one about Alice": {&pki.Hospital, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.Holder = pki.Hospital.DER }))
		}, nil, 0, authn.Unsuitable, "another person"},
		"a holder whose certificate was revoked": {&pki.RevokedEHealth, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.Holder = pki.RevokedEHealth.DER; i.Attributes = attribute(testpki.DaveSSIN) }))
		}, nil, 0, authn.Unsuitable, "holder"},
		"a profile that proves nothing": {alice, func() url.Values { return shown(issued(t, nil)) }, func(c *assertion.Config) {
			c.References = map[string][]string{certs.BelgianEID().Name: {"sc"}}
		}, 0, authn.Unsuitable, "profile"},
		"two persons": {alice, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.Attributes = attribute(testpki.AliceSSIN, testpki.BobSSIN) }))
		}, nil, 0, authn.Unsuitable, "another person"},
		"nobody": {alice, func() url.Values { return shown(issued(t, func(i *saml.Issue) { i.Attributes = i.Attributes[1:] })) }, nil, 0, authn.Unsuitable, "names no person"},
		"an attribute twice": {alice, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.Attributes = append(i.Attributes, i.Attributes[1]) }))
		}, nil, 0, authn.NotProven, ""},
		"expired": {alice, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.NotOnOrAfter = now.Add(-time.Minute) }))
		}, nil, 0, authn.Unsuitable, "expired"},
		"not yet": {alice, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.NotBefore = now.Add(2 * time.Minute) }))
		}, nil, 0, authn.Unsuitable, "not yet"},
		"for a service": {alice, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.Audiences = []string{"https://records.example"} }))
		}, nil, 0, authn.Unsuitable, "audience"},
		"of another issuer":    {alice, func() url.Values { return shown(issued(t, func(i *saml.Issue) { i.Issuer = "urn:evil" })) }, nil, 0, authn.Unsuitable, "issuer"},
		"signed by the person": {alice, func() url.Values { return shown(issuedBy(t, alice, nil)) }, nil, 0, authn.Unsuitable, "STS"},
		"another person written into it": {alice, func() url.Values {
			return shown(bytes.Replace(issued(t, func(i *saml.Issue) { i.Attributes = attribute(testpki.BobSSIN) }), []byte(testpki.BobSSIN), []byte(testpki.AliceSSIN), 1))
		}, nil, 0, authn.NotProven, "signature"},
		"a comment": {alice, func() url.Values {
			return shown(bytes.Replace(issued(t, nil), []byte(testpki.AliceSSIN), []byte(testpki.AliceSSIN[:3]+"<!-- -->"+testpki.AliceSSIN[3:]), 1))
		}, nil, 0, authn.NotProven, "comment"},
		"an entity": {alice, func() url.Values {
			return shown([]byte(`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`))
		}, nil, 0, authn.NotProven, ""},
		"no XML":       {alice, func() url.Values { return shown([]byte("{}")) }, nil, 0, authn.NotProven, ""},
		"no base64":    {alice, func() url.Values { return url.Values{"assertion": {"<a/>"}} }, nil, 0, authn.NotProven, "base64"},
		"nothing":      {alice, func() url.Values { return url.Values{} }, nil, 0, authn.NotProven, "not one"},
		"two":          {alice, func() url.Values { f := shown(issued(t, nil)); f.Add("assertion", f.Get("assertion")); return f }, nil, 0, authn.NotProven, "not one"},
		"huge":         {alice, func() url.Values { return shown(bytes.Repeat([]byte(" "), 1<<18)) }, nil, 0, authn.NotProven, "too long"},
		"too long ago": {alice, func() url.Values { return shown(issued(t, nil)) }, nil, 30 * time.Second, authn.Unsuitable, "too long ago"},
		"a method that was before": {alice, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.Instant = now.Add(-3 * time.Hour) }))
		}, nil, 2 * time.Hour, authn.Unsuitable, "too long ago"},
		"an authentication after the assertion": {alice, func() url.Values {
			return shown(issued(t, func(i *saml.Issue) { i.Instant = now.Add(-time.Second) }))
		}, nil, 30 * time.Second, authn.Unsuitable, "too long ago"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			if tt.change != nil {
				tt.change(&c)
			}
			v := visit{holder: tt.holder, form: tt.form()}
			if tt.before != 0 {
				v.attempt.NotBefore = now.Add(-tt.before)
			}
			p, err := v.call(t, means(t, c))
			refusal, ok := errors.AsType[*authn.Refusal](err)
			if p != nil || err == nil || ok != (tt.want != outage) || ok && refusal.Reason != tt.want || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%+v, %v", p, err)
			}
			if err != nil && (strings.Contains(err.Error(), testpki.AliceSSIN) || strings.Contains(err.Error(), testpki.BobSSIN)) {
				t.Errorf("the error names a person: %v", err)
			}
		})
	}
}

func TestPage(t *testing.T) {
	m := means(t, config(t))
	for secure, want := range map[string]string{secureURL: secureURL + "/assertion", "": ""} {
		p := new(pages)
		a := &authn.Attempt{SecureURL: secure, ReturnURL: "/choice", Pages: p, Refused: &authn.Refusal{Reason: authn.Unsuitable}}
		proof, err := m.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), a)
		if got, ok := p.shown.(page.Assertion); proof != nil || err != nil || !ok || got != (page.Assertion{Action: want, Refused: authn.Unsuitable, Return: "/choice"}) {
			t.Errorf("%+v, %v", p.shown, err)
		}
	}
	w := httptest.NewRecorder()
	if proof, err := m.Serve(w, httptest.NewRequest(http.MethodPut, "/", nil), &authn.Attempt{}); proof != nil || err != nil || w.Code != http.StatusMethodNotAllowed {
		t.Errorf("%d, %v", w.Code, err)
	}
	// Without TLS, and with a session that was resumed.
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	for _, state := range []*tls.ConnectionState{nil, {}, {DidResume: true, PeerCertificates: []*x509.Certificate{testpki.Load().AliceEID.X509()}}} {
		r.TLS = state
		_, err := m.Serve(httptest.NewRecorder(), r, &authn.Attempt{Now: now})
		if refusal, ok := errors.AsType[*authn.Refusal](err); !ok || refusal.Reason != authn.Unsuitable {
			t.Errorf("%v", err)
		}
	}
}

func TestNew(t *testing.T) {
	for name, change := range map[string]func(*assertion.Config){
		"nothing":                  func(c *assertion.Config) { *c = assertion.Config{} },
		"no certificates":          func(c *assertion.Config) { c.Judge.Certificates = nil },
		"no issuers":               func(c *assertion.Config) { c.Judge.Issuers = nil },
		"no roles":                 func(c *assertion.Config) { c.Judge.HolderRoles = nil },
		"an empty issuer":          func(c *assertion.Config) { c.Judge.Issuers = []string{""} },
		"an empty audience":        func(c *assertion.Config) { c.Judge.Audiences = []string{""} },
		"a role that nobody has":   func(c *assertion.Config) { c.Judge.HolderRoles = []certs.Role{"persons"} },
		"an empty role":            func(c *assertion.Config) { c.Judge.HolderRoles = []certs.Role{""} },
		"the role of the signer":   func(c *assertion.Config) { c.Judge.HolderRoles = []certs.Role{certs.RoleSTS} },
		"no persons":               func(c *assertion.Config) { c.Persons = nil },
		"a person by another name": func(c *assertion.Config) { c.Persons = []assertion.Person{{Attribute: ssin, Type: "username"}} },
		"no references":            func(c *assertion.Config) { c.References = nil },
		"a profile of nothing":     func(c *assertion.Config) { c.References["x"] = nil },
	} {
		c := config(t)
		change(&c)
		if m, err := assertion.New(c); m != nil || err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestUnsaidPolicy: who says nothing of signatures has those of the default, and not none at all.
func TestUnsaidPolicy(t *testing.T) {
	c := config(t)
	c.Judge.Signature = xmlsec.Policy{}
	m := means(t, c)
	if p, err := (visit{holder: &testpki.Load().AliceEHealthP256, form: shown(issued(t, nil))}).call(t, m); err != nil || p == nil || p.Identifier.Value != testpki.AliceSSIN {
		t.Errorf("%+v, %v", p, err)
	}
}

// FuzzProve: whatever Alice shows on her connection, it proves Alice or nobody.
func FuzzProve(f *testing.F) {
	m := means(f, config(f))
	f.Add(issued(f, nil))
	f.Add(issued(f, func(i *saml.Issue) { i.Holder = testpki.Load().BobEHealth.DER }))
	f.Add([]byte(`<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion"/>`))
	alice := testpki.Load().AliceEHealthP256.X509()
	f.Fuzz(func(t *testing.T, octets []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(shown(octets).Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{alice}}
		p, err := m.Serve(nil, r, &authn.Attempt{Now: now})
		if (p == nil) == (err == nil) {
			t.Fatalf("%+v, %v", p, err)
		}
		if p != nil && (p.Identifier != authn.Identifier{Type: "ssin", Value: testpki.AliceSSIN} || !slices.Equal(p.References, []string{"swk"}) || p.Time.After(now)) {
			t.Fatalf("%+v", p)
		}
		if _, refusal := errors.AsType[*authn.Refusal](err); err != nil && !refusal {
			t.Fatalf("an outage by what is shown: %v", err)
		}
	})
}

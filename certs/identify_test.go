package certs_test

import (
	"encoding/asn1"
	"testing"
	"time"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
)

// TestIdentify: whom each certificate of the test PKI identifies, in every role.
func TestIdentify(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	const ok = certs.Reason(0)
	tests := []struct {
		name   string
		leaf   *testpki.Leaf
		role   certs.Role
		reason certs.Reason
		kind   certs.Kind
		typ    certs.IdentifierType
		value  string
	}{
		{"eid rsa", &pki.AliceEID, certs.RoleIdentity, ok, certs.EID, certs.SSIN, testpki.AliceSSIN},
		{"eid p256", &pki.AliceEIDP256, certs.RoleIdentity, ok, certs.EID, certs.SSIN, testpki.AliceSSIN},
		{"eid p384", &pki.AliceEIDP384, certs.RoleIdentity, ok, certs.EID, certs.SSIN, testpki.AliceSSIN},
		{"eid of bob", &pki.BobEID, certs.RoleIdentity, ok, certs.EID, certs.SSIN, testpki.BobSSIN},
		{"eid of a foreigner", &pki.FrankEID, certs.RoleIdentity, ok, certs.EID, certs.SSIN, testpki.FrankSSIN},
		{"eid as holder", &pki.AliceEID, certs.RoleHolder, ok, certs.EID, certs.SSIN, testpki.AliceSSIN},
		{"ehealth as holder", &pki.AliceEHealth, certs.RoleHolder, ok, certs.EHealthPerson, certs.SSIN, testpki.AliceSSIN},
		{"ehealth p256", &pki.AliceEHealthP256, certs.RoleHolder, ok, certs.EHealthPerson, certs.SSIN, testpki.AliceSSIN},
		{"ehealth in fallback", &pki.AliceEHealthP384, certs.RoleIdentity, ok, certs.EHealthPerson, certs.SSIN, testpki.AliceSSIN},
		{"hospital", &pki.Hospital, certs.RoleHolder, ok, certs.EHealthOrganisation, "NIHII-HOSPITAL", testpki.HospitalNIHII},
		{"organisation", &pki.Organisation, certs.RoleHolder, ok, certs.EHealthOrganisation, certs.CBE, testpki.OrganisationCBE},
		{"application", &pki.Application, certs.RoleHolder, ok, certs.EHealthOrganisation, certs.CBE, testpki.OrganisationCBE},
		{"sts", &pki.STS, certs.RoleSTS, ok, certs.Service, certs.CBE, testpki.ServiceCBE},
		{"sts p256", &pki.STSP256, certs.RoleSTS, ok, certs.Service, certs.CBE, testpki.ServiceCBE},
		{"another of the sts's CA", &pki.Application, certs.RoleSTS, certs.WrongProfile, 0, "", ""},
		{"a person as sts", &pki.AliceEHealth, certs.RoleSTS, certs.WrongProfile, 0, "", ""},
		{"tls server", &pki.Server, certs.RoleHolder, certs.WrongProfile, 0, "", ""},
		{"revoked eid", &pki.RevokedEID, certs.RoleIdentity, certs.Revoked, 0, "", ""},
		{"revoked ehealth", &pki.RevokedEHealth, certs.RoleHolder, certs.Revoked, 0, "", ""},
		{"expired eid", &pki.ExpiredEID, certs.RoleIdentity, certs.Expired, 0, "", ""},
		{"expired ehealth", &pki.ExpiredEHealth, certs.RoleHolder, certs.Expired, 0, "", ""},
		{"future eid", &pki.FutureEID, certs.RoleIdentity, certs.NotYetValid, 0, "", ""},
		{"same names, another key", &pki.StrangerEID, certs.RoleIdentity, certs.UntrustedIssuer, 0, "", ""},
		{"no such role", &pki.AliceEID, "auditor", certs.UnknownRole, 0, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf := certstest.Parse(t, v, tt.leaf.DER)
			for range 2 { // cold and warm
				id, err := v.Identify(tt.role, leaf, nil, testpki.Now())
				if certs.ReasonOf(err) != tt.reason {
					t.Fatalf("%v, want %v", err, tt.reason)
				}
				if typ, value := id.Identifier(); id.Kind() != tt.kind || typ != tt.typ || value != tt.value {
					t.Errorf("%v %s=%s, want %v %s=%s", id.Kind(), typ, value, tt.kind, tt.typ, tt.value)
				}
				if err == nil && (id.Certificate() != leaf || id.Role() != tt.role || !id.NotAfter().Equal(testpki.NotAfter()) || id.Revocation() != certs.Cleared || id.PublicKey() == nil || len(id.Path()) != 3) {
					t.Errorf("identity: %+v", id)
				}
				if err != nil && id != (certs.Identity{}) {
					t.Error("a refusal came with an identity")
				}
				v.Settle()
			}
		})
	}
}

func TestIdentityAccessors(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	alice := certstest.Identify(t, v, certs.RoleIdentity, pki.AliceEID.DER)
	if alice.SSIN() != testpki.AliceSSIN || alice.CBE() != "" || alice.NIHII() != "" || alice.EHP() != "" {
		t.Error("identifiers of Alice")
	}
	if n := alice.Names(); n.Given != "Alice Test" || n.Surname != "Example" || n.Common != "Alice Test Example (Authentication)" {
		t.Errorf("names of Alice: %+v", n)
	}
	application := certstest.Identify(t, v, certs.RoleHolder, pki.Application.DER)
	if n := application.Names(); n.Holder != "EXAMPLE ORGANISATION" || n.Given != "" {
		t.Errorf("names of the application: %+v", n)
	}
	if application.Application() != testpki.ApplicationID || application.CBE() != testpki.OrganisationCBE || application.SSIN() != "" {
		t.Error("identifiers of the application")
	}
}

// TestZeroIdentity: a proof that nobody made proves nothing.
func TestZeroIdentity(t *testing.T) {
	var id certs.Identity
	typ, value := id.Identifier()
	if id.Kind() != certs.Nobody || id.Role() != "" || id.Profile() != "" || id.Certificate() != nil || id.PublicKey() != nil || id.Path() != nil ||
		!id.NotAfter().IsZero() || !id.NotBefore().IsZero() || id.Revocation() != 0 || typ != "" || value != "" || id.SSIN() != "" ||
		id.Application() != "" || id.Names() != (certs.Names{}) {
		t.Error("the zero identity is somebody")
	}
}

func TestIdentifyNothing(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	leaf := certstest.Parse(t, v, pki.AliceEID.DER)
	if _, err := v.Identify(certs.RoleIdentity, nil, nil, testpki.Now()); certs.ReasonOf(err) != certs.Malformed {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := v.Identify(certs.RoleIdentity, leaf, nil, time.Time{}); certs.ReasonOf(err) != certs.Malformed {
		t.Errorf("no moment: %v", err)
	}
	if _, err := v.Identify(certs.RoleIdentity, leaf, []*certs.Certificate{nil}, testpki.Now()); certs.ReasonOf(err) != certs.Malformed {
		t.Errorf("nil intermediate: %v", err)
	}
}

// TestMoment: a certificate that is known is nevertheless judged at the moment that is asked.
func TestMoment(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	leaf := certstest.Parse(t, v, pki.ExpiredEID.DER)
	in := time.Date(2026, 5, 31, 0, 0, 0, 0, time.UTC)
	if _, err := v.Identify(certs.RoleIdentity, leaf, nil, in); certs.ReasonOf(err) != certs.RevocationUnknown { // the CRL begins later
		t.Errorf("while it was valid: %v", err)
	}
	alice := certstest.Parse(t, v, pki.AliceEID.DER)
	for range 2 {
		certstest.Identify(t, v, certs.RoleIdentity, pki.AliceEID.DER)
		v.Settle()
		for at, reason := range map[time.Time]certs.Reason{
			testpki.NotBefore().Add(-time.Second): certs.NotYetValid,
			testpki.NotAfter():                    0,
			testpki.NotAfter().Add(time.Second):   certs.Expired,
		} {
			if _, err := v.Identify(certs.RoleIdentity, alice, nil, at); certs.ReasonOf(err) != reason {
				t.Errorf("at %v: %v, want %v", at, err, reason)
			}
		}
	}
}

// TestWarmAllocations: a request whose certificates are known costs none.
func TestWarmAllocations(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	leaf := certstest.Parse(t, v, pki.AliceEID.DER)
	subject, issuer := []byte(leaf.Subject().JavaRFC1779()), []byte(leaf.Issuer().String())
	other := []byte(`C=be;  CN=alice   test example (authentication), SURNAME="Example",GN=#0c0a416c6963652054657374, serialNumber=00000000097`)
	certstest.Identify(t, v, certs.RoleIdentity, pki.AliceEID.DER)
	v.Settle()
	der := pki.AliceEID.DER
	allocs := testing.AllocsPerRun(1000, func() {
		c, err := v.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		id, err := v.Identify(certs.RoleIdentity, c, nil, testpki.Now())
		if err != nil || id.SSIN() != testpki.AliceSSIN {
			t.Fatal(err)
		}
		if !c.SubjectIs(subject) || !c.IssuerIs(issuer) || !c.SubjectIs(other) || c.SubjectIs(issuer) {
			t.Fatal("names")
		}
	})
	if allocs > 0 && !raceDetector {
		t.Errorf("%v allocations", allocs)
	}
}

// TestParsePath: a PkiPath gives a leaf and its intermediates, in bounds.
func TestParsePath(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	path := func(ders ...[]byte) []byte {
		var elements []asn1.RawValue
		for _, der := range ders {
			elements = append(elements, asn1.RawValue{FullBytes: der})
		}
		out, err := asn1.Marshal(elements)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	leaf, above, err := v.ParsePath(path(pki.CitizenRoot.DER(), pki.CitizenCA.DER(), pki.AliceEID.DER))
	if err != nil || len(above) != 2 || leaf != certstest.Parse(t, v, pki.AliceEID.DER) && leaf.Fingerprint() != certstest.Parse(t, v, pki.AliceEID.DER).Fingerprint() {
		t.Fatal(err)
	}
	if id, err := v.Identify(certs.RoleIdentity, leaf, above, testpki.Now()); err != nil || id.SSIN() != testpki.AliceSSIN {
		t.Error(err)
	}
	der := pki.CitizenCA.DER()
	for name, tt := range map[string]struct {
		der    []byte
		reason certs.Reason
	}{
		"six":       {path(der, der, der, der, der, der), certs.TooManyCertificates},
		"none":      {path(), certs.Malformed},
		"trailing":  {append(path(der), 0), certs.Malformed},
		"no path":   {[]byte("x"), certs.Malformed},
		"no member": {path([]byte("\x30\x00")), certs.Malformed},
		"a number":  {path([]byte("\x02\x01\x00")), certs.Malformed},
	} {
		if leaf, above, err := v.ParsePath(tt.der); certs.ReasonOf(err) != tt.reason || leaf != nil || above != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefusedIsKnown: a revoked certificate that comes again and again is not proven again and again.
func TestRefusedIsKnown(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	leaf := certstest.Parse(t, v, pki.RevokedEID.DER)
	try := func() {
		if id, err := v.Identify(certs.RoleIdentity, leaf, nil, testpki.Now()); certs.ReasonOf(err) != certs.Revoked || id != (certs.Identity{}) {
			t.Fatal(err)
		}
	}
	try()
	v.Settle()
	if allocs := testing.AllocsPerRun(100, try); allocs > 5 && !raceDetector { // the error; a path costs hundreds
		t.Errorf("%v allocations", allocs)
	}
}

// TestPinnedAndListed: a certificate that the configuration pins is trusted as it stands, also
// where another profile of the role, before or after, would refuse it by its authority's CRL;
// and what is known of it from before changes nothing.
func TestPinnedAndListed(t *testing.T) {
	pki := testpki.Load()
	pinned, named := certs.TokenIssuer(), certs.TokenIssuer()
	pinned.Pinned = [][]byte{pki.STS.DER}
	named.Roots = []*certs.Authority{{Certificate: pki.EHealthCA.DER()}}
	named.Subjects = []string{subjectText(t, pki.STS.DER)}
	for name, profiles := range map[string][]certs.Profile{"pinned first": {pinned, named}, "pinned last": {named, pinned}} {
		t.Run(name, func(t *testing.T) {
			c := certs.Config{Profiles: profiles, Now: testpki.Now, Log: quiet()}
			c.CRL.Files = []string{files(t, sign(t, pki.EHealthCA, list()))}
			v := open(t, c)
			for range 2 {
				if got := reasonOf(t, v, certs.RoleSTS, pki.STS.DER); got != 0 {
					t.Errorf("before it is listed: %v", got)
				}
				v.Settle()
			}
			newer := list(pki.STS.DER)
			newer.Number = 6
			c.CRL.Files = []string{files(t, sign(t, pki.EHealthCA, newer))}
			if err := v.Reload(c); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got := reasonOf(t, v, certs.RoleSTS, pki.STS.DER); got != 0 {
					t.Errorf("listed: %v", got)
				}
				v.Settle()
			}
		})
	}
}

func subjectText(t *testing.T, der []byte) string {
	t.Helper()
	c, err := certs.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c.Subject().String()
}

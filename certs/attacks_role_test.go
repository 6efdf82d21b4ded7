package certs_test

import (
	"crypto/x509"
	"testing"
	"time"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestK7Configuration: a chain to a CA alone proves too little, so a profile that
// says no more is not taken (A8: nor is an empty one).
func TestK7Configuration(t *testing.T) {
	pki := testpki.Load()
	roots := []*certs.Authority{{Certificate: pki.EHealthCA.DER()}}
	sts := func(change func(*certs.Profile)) certs.Profile {
		p := certs.TokenIssuer()
		change(&p)
		return p
	}
	eid := func(change func(*certs.Profile)) certs.Profile {
		p := certs.BelgianEID()
		p.Roots = roots
		change(&p)
		return p
	}
	tests := map[string]struct {
		profiles []certs.Profile
		reason   certs.Reason
	}{
		"no profile":                  {nil, certs.NoTrust},
		"empty profile":               {[]certs.Profile{{}}, certs.NoTrust},
		"no root":                     {[]certs.Profile{certs.BelgianEID()}, certs.NoTrust},
		"nil root":                    {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = []*certs.Authority{nil} })}, certs.NoTrust},
		"root that is no certificate": {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = []*certs.Authority{{}} })}, certs.Malformed},
		"root that is no CA":          {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = []*certs.Authority{{Certificate: pki.AliceEID.DER}} })}, certs.ConstraintViolated},
		"no role":                     {[]certs.Profile{eid(func(p *certs.Profile) { p.Role = "" })}, certs.NoTrust},
		"no kind":                     {[]certs.Profile{eid(func(p *certs.Profile) { p.Kinds = nil })}, certs.NoTrust},
		"the kind nobody":             {[]certs.Profile{eid(func(p *certs.Profile) { p.Kinds = []certs.Kind{certs.Nobody} })}, certs.NoTrust},
		"no extended key usage":       {[]certs.Profile{eid(func(p *certs.Profile) { p.ExtKeyUsage = nil })}, certs.NoTrust},
		"no policy":                   {[]certs.Profile{eid(func(p *certs.Profile) { p.Policies = nil })}, certs.NoTrust},
		"policies and any policy":     {[]certs.Profile{eid(func(p *certs.Profile) { p.AnyPolicy = true })}, certs.NoTrust},
		"policy that is none":         {[]certs.Profile{eid(func(p *certs.Profile) { p.Policies = []string{"x"} })}, certs.Malformed},
		"issuer that is no name":      {[]certs.Profile{eid(func(p *certs.Profile) { p.Issuers = []string{"x"} })}, certs.Malformed},
		"service without subjects":    {[]certs.Profile{sts(func(p *certs.Profile) { p.Roots = roots })}, certs.NoTrust},
		"pinned for a kind":           {[]certs.Profile{eid(func(p *certs.Profile) { p.Pinned = [][]byte{pki.AliceEID.DER} })}, certs.NoTrust},
		"pinned that is none":         {[]certs.Profile{sts(func(p *certs.Profile) { p.Pinned = [][]byte{{0x30}} })}, certs.Malformed},
		"any policy as a policy":      {[]certs.Profile{eid(func(p *certs.Profile) { p.Policies = []string{"2.5.29.32.0"} })}, certs.NoTrust},
		"explicit policy of none":     {[]certs.Profile{eid(func(p *certs.Profile) { p.Policies, p.AnyPolicy, p.ExplicitPolicy = nil, true, true })}, certs.NoTrust},
		"pattern that is none":        {[]certs.Profile{eid(func(p *certs.Profile) { p.SubjectPatterns = []string{"C=BE", "Citizen"} })}, certs.Malformed},
		"service with patterns only":  {[]certs.Profile{sts(func(p *certs.Profile) { p.Roots, p.SubjectPatterns = roots, []string{"CN=*"} })}, certs.NoTrust},
		"a kind beyond the last":      {[]certs.Profile{eid(func(p *certs.Profile) { p.Kinds = []certs.Kind{certs.IGCSantePerson + 1} })}, certs.NoTrust},
		"minimum beyond the maximum":  {[]certs.Profile{eid(func(p *certs.Profile) { p.MinRSABits = 16384 })}, certs.NoTrust},
		"file address":                {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = authority(pki.EHealthCA, "file:///etc/passwd") })}, certs.Malformed},
		"address with a user":         {[]certs.Profile{eid(func(p *certs.Profile) { p.Roots = authority(pki.EHealthCA, "http://u:p@x/") })}, certs.Malformed},
		"two policies for a authority": {[]certs.Profile{eid(func(p *certs.Profile) {
			p.Intermediates = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: certs.Revocation{Mode: certs.Off}}}
		})}, certs.NoTrust},
		"unbounded grace": {[]certs.Profile{eid(func(p *certs.Profile) {
			p.Roots = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: certs.Revocation{Mode: certs.Grace, Grace: 365 * 24 * time.Hour}}}
		})}, certs.Malformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := certs.NewVerifier(certs.Config{Profiles: tt.profiles, Log: quiet()})
			if certs.ReasonOf(err) != tt.reason || v != nil {
				t.Errorf("%v, want %v", err, tt.reason)
			}
		})
	}
}

func authority(ca *minipki.Authority, points ...string) []*certs.Authority {
	return []*certs.Authority{{Certificate: ca.DER(), DistributionPoints: points}}
}

// TestK7Leaf: any other certificate of the STS's CA, the holder of which would sign assertions.
func TestK7Leaf(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	for name, der := range map[string][]byte{"person": pki.AliceEHealth.DER, "organisation": pki.Organisation.DER, "application": pki.Application.DER} {
		if got := reasonOf(t, v, certs.RoleSTS, der); got != certs.WrongProfile {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestK7SubjectPattern: a certificate of the right authority and kind, whose name is
// not of the shape that the role wants.
func TestK7SubjectPattern(t *testing.T) {
	pki := testpki.Load()
	for _, tt := range []struct {
		name     string
		patterns []string
		want     certs.Reason
	}{
		{"none", nil, 0},
		{"its shape", []string{"C=BE, CN=*(Authentication)"}, 0},
		{"one of two", []string{"C=FR", "C=BE, SERIALNUMBER=*"}, 0},
		{"another shape", []string{"C=BE, CN=*(Signature)"}, certs.WrongProfile},
		{"an attribute that it does not have", []string{"C=BE, O=*"}, certs.WrongProfile},
	} {
		v := open(t, eidUnder([]*minipki.Authority{pki.CitizenCA}, nil, func(p *certs.Profile) { p.SubjectPatterns = tt.patterns }))
		if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// structure is the template of an organisation's client certificate of IGC-Santé.
func structure(unit string) minipki.Template {
	return minipki.Template{
		Subject:     minipki.DN("C", "FR", "ST", "Ain (01)", "O", "CENTRE DE SANTE TEST", "OU", unit, "CN", "TEST-CLIENT"),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []string{minipki.ClientAuth},
	}
}

// TestK8IGCSante: a French structure in the place of a Belgian person or
// organisation, and the reverse; and what its own authority issues for other ends.
func TestK8IGCSante(t *testing.T) {
	pki := testpki.Load()
	root, err := minipki.NewRoot(caTemplate("C", "FR", "O", "ASIP-SANTE", "OU", "0002 187512751", "OU", "IGC-SANTE", "CN", "AC RACINE IGC-SANTE ELEMENTAIRE"), pki.OtherKey())
	if err != nil {
		t.Fatal(err)
	}
	name := []string{"C", "FR", "O", "ASIP-SANTE", "OU", "0002 187512751", "OU", "IGC-SANTE", "CN"}
	ca := subordinate(t, root, caTemplate(append(name, "AC IGC-SANTE ELEMENTAIRE ORGANISATIONS")...), minipki.RSA2048)
	people := subordinate(t, root, caTemplate(append(name, "AC IGC-SANTE ELEMENTAIRE PERSONNES")...), minipki.P256)
	off := certs.Revocation{Mode: certs.Off}
	authorities := []*certs.Authority{{Certificate: ca.DER(), Revocation: off}}
	client := certs.IGCSante()
	client.Roots = []*certs.Authority{{Certificate: root.DER(), Revocation: off}}
	client.Intermediates = authorities
	eid, holder := certs.BelgianEID(), certs.EHealthPlatform(certs.RoleHolder)
	eid.AnyPolicy, eid.Policies = true, nil
	// Even where the Belgian roles trust the French authority.
	eid.Roots = append(authorities, &certs.Authority{Certificate: pki.CitizenCA.DER(), Revocation: off})
	holder.Roots = append(authorities, &certs.Authority{Certificate: pki.EHealthCA.DER(), Revocation: off})
	client.Intermediates = append(client.Intermediates, &certs.Authority{Certificate: pki.CitizenCA.DER(), Revocation: off}, &certs.Authority{Certificate: pki.EHealthCA.DER(), Revocation: off})
	client.Roots = append(client.Roots, &certs.Authority{Certificate: pki.CitizenRoot.DER(), Revocation: off}, &certs.Authority{Certificate: pki.EHealthRoot.DER(), Revocation: off})
	v := open(t, certs.Config{Profiles: []certs.Profile{client, eid, holder}, Now: testpki.Now, Log: quiet()})

	key := pki.OtherKeyP256().Public()
	good := issue(t, ca, structure("1010000024"), key)
	changed := func(change func(*minipki.Template)) []byte {
		c := structure("1010000024")
		change(&c)
		return issue(t, ca, c, key)
	}
	for _, tt := range []struct {
		name string
		role certs.Role
		der  []byte
		want certs.Reason
	}{
		{"a structure as client", certs.RoleClient, good, 0},
		{"a structure as identity", certs.RoleIdentity, good, certs.WrongProfile},
		{"a structure as holder", certs.RoleHolder, good, certs.WrongProfile},
		{"an eID as client", certs.RoleClient, pki.AliceEID.DER, certs.WrongProfile},
		{"an eHealth organisation as client", certs.RoleClient, pki.Organisation.DER, certs.WrongProfile},
		{"a structure with an SSIN", certs.RoleIdentity, changed(func(c *minipki.Template) {
			c.Subject = append(c.Subject, minipki.DN("serialNumber", testpki.AliceSSIN)...)
		}), certs.WrongProfile},
		{"the same as client", certs.RoleClient, changed(func(c *minipki.Template) {
			c.Subject = append(c.Subject, minipki.DN("serialNumber", testpki.AliceSSIN)...)
		}), certs.WrongProfile},
		{"for signatures", certs.RoleClient, changed(func(c *minipki.Template) {
			c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageContentCommitment, nil
		}), certs.WrongUsage},
		{"for servers", certs.RoleClient, changed(func(c *minipki.Template) { c.ExtKeyUsage = []string{minipki.ServerAuth} }), certs.WrongUsage},
		{"of the authority for people", certs.RoleClient, issue(t, people, structure("1010000024"), key), certs.UntrustedIssuer},
		{"of a stranger", certs.RoleClient, issue(t, pki.StrangerCA, structure("1010000024"), key), certs.UntrustedIssuer},
	} {
		if got := reasonOf(t, v, tt.role, tt.der); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	id, err := v.Identify(certs.RoleClient, certstest.Parse(t, v, good), nil, testpki.Now())
	if err != nil || id.Kind() != certs.IGCSanteOrganisation || id.FINESS() != "010000024" || id.SSIN()+id.CBE()+id.SIRET()+id.SIREN() != "" ||
		id.Names().Holder != "CENTRE DE SANTE TEST" || id.Names().Common != "TEST-CLIENT" {
		t.Errorf("%v, %v, %+v", id.Kind(), err, id.Names())
	}
}

// TestPresets: each preset is sound once it has authorities, and admits what it is for.
func TestPresets(t *testing.T) {
	pki := testpki.Load()
	for _, policy := range []string{
		"2.16.56.9.1.1.2.2", "2.16.56.9.1.1.7.2", "2.16.56.10.1.1.2.2", "2.16.56.10.1.1.7.2", "2.16.56.12.1.1.2.2", "2.16.56.12.1.1.7.2",
	} {
		card := alice()
		card.Policies = []string{policy}
		if got := reasonOf(t, open(t, eidUnder([]*minipki.Authority{pki.CitizenCA}, nil, nil)), certs.RoleIdentity, issue(t, pki.CitizenCA, card, pki.OtherKey().Public())); got != 0 {
			t.Errorf("card with policy %s: %v", policy, got)
		}
	}
	signature := alice()
	signature.Policies = []string{"2.16.56.12.1.1.2.1"}
	if got := reasonOf(t, open(t, eidUnder([]*minipki.Authority{pki.CitizenCA}, nil, nil)), certs.RoleIdentity, issue(t, pki.CitizenCA, signature, pki.OtherKey().Public())); got != certs.WrongPolicy {
		t.Errorf("the signature key of a card: %v", got)
	}
	// Root CA6: P-384, with whatever policy the configuration says.
	root, err := minipki.NewRoot(caTemplate("C", "BE", "CN", "TEST Belgium Root CA6"), pki.FrankEID.Issuer.Parent().Key())
	if err != nil {
		t.Fatal(err)
	}
	ca := subordinate(t, root, caTemplate("C", "BE", "CN", "Citizen CA"), minipki.P384)
	card := alice()
	card.Policies = []string{"2.16.56.99.1.1.2.2"}
	added := func(p *certs.Profile) { p.Policies = append(p.Policies, card.Policies...) }
	der := issue(t, ca, card, pki.AliceEIDP384.Key.Public())
	for _, tt := range []struct {
		change func(*certs.Profile)
		want   certs.Reason
	}{{nil, certs.WrongPolicy}, {added, 0}} {
		if got := reasonOf(t, open(t, eidUnder([]*minipki.Authority{root}, []*minipki.Authority{ca}, tt.change)), certs.RoleIdentity, der); got != tt.want {
			t.Errorf("P-384: %v, want %v", got, tt.want)
		}
	}
}

// TestK8RoleSwap: a certificate of one kind in the place of another.
func TestK8RoleSwap(t *testing.T) {
	pki := testpki.Load()
	off := certs.Revocation{Mode: certs.Off}
	eid := certs.BelgianEID()
	eid.Roots = []*certs.Authority{{Certificate: pki.CitizenCA.DER(), Revocation: off}}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: off}}
	v := open(t, certs.Config{Profiles: []certs.Profile{eid, holder}, Log: quiet()})

	eidUnderEHealth := issue(t, pki.EHealthCA, alice(), pki.OtherKey().Public())
	ehealthUnderCitizen := issue(t, pki.CitizenCA, minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE"}), pki.OtherKey().Public())
	both := alice()
	both.Subject = append(minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE"}).Subject, minipki.DN("serialNumber", testpki.BobSSIN)...)
	for _, tt := range []struct {
		name string
		role certs.Role
		der  []byte
		want certs.Reason
	}{
		{"eID as identity", certs.RoleIdentity, pki.AliceEID.DER, 0},
		{"eHealth as holder", certs.RoleHolder, pki.AliceEHealth.DER, 0},
		{"eHealth as identity", certs.RoleIdentity, pki.AliceEHealth.DER, certs.WrongProfile},
		{"eID as holder", certs.RoleHolder, pki.AliceEID.DER, certs.WrongProfile},
		{"eID of the eHealth CA as identity", certs.RoleIdentity, eidUnderEHealth, certs.UntrustedIssuer},
		{"eID of the eHealth CA as holder", certs.RoleHolder, eidUnderEHealth, certs.WrongProfile},
		{"eHealth of the Citizen CA as holder", certs.RoleHolder, ehealthUnderCitizen, certs.UntrustedIssuer},
		{"eHealth of the Citizen CA as identity", certs.RoleIdentity, ehealthUnderCitizen, certs.WrongProfile},
		{"both at once as identity", certs.RoleIdentity, issue(t, pki.CitizenCA, both, pki.OtherKey().Public()), certs.WrongProfile},
		{"both at once as holder", certs.RoleHolder, issue(t, pki.EHealthCA, both, pki.OtherKey().Public()), certs.WrongProfile},
		{"foreigner without the Foreigner CA", certs.RoleIdentity, pki.FrankEID.DER, certs.UntrustedIssuer},
		{"test CA in production", certs.RoleIdentity, pki.StrangerEID.DER, certs.UntrustedIssuer},
	} {
		for range 2 {
			if got := reasonOf(t, v, tt.role, tt.der); got != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
			v.Settle() // what is known in one role is not known in another
		}
	}
}

// TestA8Skew: clocks that may differ by years make every list that was ever fresh so.
func TestA8Skew(t *testing.T) {
	base := anchored(testpki.Load().CitizenCA, certs.Revocation{})
	for name, change := range map[string]func(*certs.Config){
		"CRL":          func(c *certs.Config) { c.CRL.Skew = time.Hour + 1 },
		"OCSP":         func(c *certs.Config) { c.OCSP.Skew = time.Hour + 1 },
		"negative CRL": func(c *certs.Config) { c.CRL.Skew = -1 },
	} {
		c := base
		change(&c)
		if v, err := certs.NewVerifier(c); certs.ReasonOf(err) != certs.Malformed || v != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	base.CRL.Skew, base.OCSP.Skew = time.Hour, time.Hour
	open(t, base)
}

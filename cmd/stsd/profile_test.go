package main

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"sceau/certs"
)

// profileOf reads the one profile of a text and gives what is wrong with it.
func profileOf(t *testing.T, keys string) (certs.Profile, string) {
	t.Helper()
	p := &problems{file: "c.yaml"}
	text := "trust:\n  profiles:\n    - name: p\n" + regexp.MustCompile(`(?m)^`).ReplaceAllString(keys, "      ")
	c := parseConfig([]byte(text), ".", p)
	if len(p.list) > 0 {
		t.Fatal(p.err())
	}
	authorities := map[string]*certs.Authority{"ca": {}}
	profile := (&system{config: c}).profile(&c.Trust.Profiles[0], authorities, p)
	if err := p.err(); err != nil {
		return profile, err.Error()
	}
	return profile, ""
}

func TestProfileProblems(t *testing.T) {
	const sound = "kind: belgian-eid\nrole: identity\nroots: [ca]\n"
	for _, tt := range []struct{ name, keys, want string }{
		{"nothing", sound, ""},
		{"kind", "kind: passport\nrole: identity\nroots: [ca]", `c.yaml:4: profile "p": kind is belgian-eid, ehealth, igc-sante, cps or attestation-issuer`},
		{"role", "kind: ehealth\nrole: sts\nroots: [ca]", `c.yaml:5: profile "p": role is identity, holder, client, person or attestation`},
		{"no role: it would serve none", "kind: ehealth\nroots: [ca]", `c.yaml:3: profile "p": role is`},
		{"a French structure that signs requests", "kind: igc-sante\nrole: identity\nroots: [ca]", `c.yaml:5: profile "p": kind igc-sante is for the role client`},
		{"an issuer of attestations", "kind: attestation-issuer\nrole: attestation\nroots: [ca]\nsubjects: [CN=Ordre]", ""},
		{"any issuer of attestations", "kind: attestation-issuer\nrole: attestation\nroots: [ca]", `c.yaml:3: profile "p": any certificate of its authorities`},
		{"an issuer of attestations as a person", "kind: attestation-issuer\nrole: person\nroots: [ca]\nsubjects: [CN=Ordre]", `c.yaml:5: profile "p": kind attestation-issuer is for the role attestation`},
		{"a card as an issuer of attestations", "kind: belgian-eid\nrole: attestation\nroots: [ca]", `c.yaml:5: profile "p": kind attestation-issuer is for the role attestation`},
		{"no root", "kind: igc-sante\nrole: client", `c.yaml:3: profile "p": no root`},
		{"root that is not there", "kind: igc-sante\nrole: client\nroots: [cb]", `c.yaml:6: profile "p": no authority "cb"`},
		{"issuer", sound + "issuers: [Citizen CA]", `c.yaml:7: profile "p": issuer "Citizen CA"`},
		{"subject", sound + "subjects:\n- CN=a\n- x", `c.yaml:9: profile "p": subject "x"`},
		{"subject pattern", sound + "subject-patterns: ['CN=*+O=b']", `c.yaml:7: profile "p": subject pattern "CN=*+O=b"`},
		{"policy", sound + "policies: [1.2.3, citizen]", `c.yaml:7: profile "p": policy "citizen" is not`},
		{"policies twice over", sound + "policies: [1.2.3]\nany-policy: true", `c.yaml:8: profile "p": policies or any-policy, not both`},
		{"explicit policy of none", sound + "any-policy: true\nexplicit-policy: true", `c.yaml:8: profile "p": explicit-policy wants policies`},
		{"key usage", sound + "key-usage: [cert-sign]", `c.yaml:7: profile "p": no key usage "cert-sign"`},
		{"extended key usage", sound + "ext-key-usage: [all]", `c.yaml:7: profile "p": no extended key usage "all"`},
		{"key algorithm", sound + "key-algorithms: [P-224]", `c.yaml:7: profile "p": key algorithm "P-224" is not`},
		{"RSA bits: a minimum below the least", sound + "min-rsa-bits: 1024", `c.yaml:7: profile "p": min-rsa-bits is`},
		{"RSA bits: zero, which is written and would be the default", sound + "min-rsa-bits: 0", `c.yaml:7: profile "p": min-rsa-bits is`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got := profileOf(t, tt.keys)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestProfileKeys: a key that is left out is that of the kind; one that is given replaces it.
func TestProfileKeys(t *testing.T) {
	preset, wrong := profileOf(t, "kind: igc-sante\nrole: client\nroots: [ca]")
	want := certs.IGCSante()
	want.Name, want.Roots = "p", preset.Roots
	if wrong != "" || !reflect.DeepEqual(preset, want) {
		t.Errorf("preset: %+v, %s", preset, wrong)
	}
	got, wrong := profileOf(t, `kind: ehealth
role: holder
roots: [ca]
intermediates: [ca]
issuers: ["CN=x, C=BE"]
subjects: ["CN=y"]
subject-patterns: ["OU=z*"]
key-usage: [digital-signature, content-commitment]
ext-key-usage: [client-auth, any]
policies: [1.2.3]
explicit-policy: true
key-algorithms: [RSA, P-384]
min-rsa-bits: 3072
test-cards: true`)
	want = certs.Profile{
		Name: "p", Role: certs.RoleHolder, Kinds: []certs.Kind{certs.EHealthPerson, certs.EHealthOrganisation},
		Roots: got.Roots, Intermediates: got.Intermediates,
		Issuers: []string{"CN=x, C=BE"}, Subjects: []string{"CN=y"}, SubjectPatterns: []string{"OU=z*"},
		KeyUsage: 3, ExtKeyUsage: got.ExtKeyUsage, Policies: []string{"1.2.3"}, ExplicitPolicy: true,
		KeyAlgorithms: []certs.KeyAlgorithm{certs.RSA, certs.P384}, MinRSABits: 3072, TestCards: true,
	}
	if wrong != "" || !reflect.DeepEqual(got, want) || len(got.Roots) != 1 || len(got.ExtKeyUsage) != 2 {
		t.Errorf("all keys: %+v, %s", got, wrong)
	}
}

// TestExampleProfileKeys: the keys that the example shows behind a # are keys, and in order.
func TestExampleProfileKeys(t *testing.T) {
	text := regexp.MustCompile(`(?m)^#(      [a-z#])`).ReplaceAllString(string(exampleConfig), "$1")
	if !strings.Contains(text, "\n      key-algorithms: ") {
		t.Fatal("the example does not show them")
	}
	p := &problems{file: "example.yaml"}
	c := parseConfig([]byte(text), ".", p)
	if len(p.list) == 0 {
		(&system{config: c}).profile(&c.Trust.Profiles[0], map[string]*certs.Authority{"citizen-ca": {}}, p)
	}
	if err := p.err(); err != nil {
		t.Error(err)
	}
}

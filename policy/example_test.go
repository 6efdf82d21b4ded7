package policy_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/policy"
)

func Example() {
	rules, err := policy.Load(strings.NewReader(`
version: 1
profiles:
  APP2:
    description: is he a doctor?
    maximum-validity: 12h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:person:ssin:doctor:boolean", namespace: certified}
rules:
  - id: care-providers
    effect: permit
    identity: {kinds: [eid]}
    holder: {kinds: [ehealth-organisation]}
    modes: [session]
    profiles: [APP2]
`), attrs.EHealth())
	if err != nil {
		panic(err)
	}
	certified := func(name string) *attrs.Definition {
		d, _ := attrs.EHealth().Lookup([]byte(name), []byte(attrs.NamespaceCertified))
		return d
	}
	var release policy.Release
	err = rules.Release(context.Background(), &policy.ReleaseRequest{
		Identity:   policy.Requestor{Kind: policy.KindEID, IdentifierType: "SSIN", Identifier: "00000000097"},
		Holder:     policy.Requestor{Kind: policy.KindEHealthOrganisation, IdentifierType: "CBE", Identifier: "0809394427"},
		Mode:       policy.ModeSession,
		At:         time.Now(),
		Attributes: []*attrs.Definition{certified("urn:be:fgov:person:ssin:doctor:boolean"), certified("urn:be:fgov:person:ssin:nurse:boolean")},
	}, &release)
	if err != nil {
		panic(err)
	}
	for _, decision := range release.Decisions {
		fmt.Printf("%v %q\n", decision.Permitted(), decision.Rule())
	}
	fmt.Println(release.Profiles, release.MaximumValidity, release.OnDenied)
	// Output:
	// true "care-providers"
	// false ""
	// [APP2] 12h0m0s refuse
}

// The example in the package comment is a rule file.
func TestPackageCommentLoads(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for line := range strings.Lines(string(source)) {
		if text, ok := strings.CutPrefix(line, "//\t"); ok {
			file.WriteString(text)
		}
	}
	rules, err := policy.Load(strings.NewReader(file.String()), attrs.EHealth())
	if err != nil {
		t.Fatal(err)
	}
	if problems := rules.Lint(); len(rules.Rules()) != 2 || len(rules.Profiles()) != 1 || len(problems) != 0 {
		t.Errorf("%d rules, %v", len(rules.Rules()), problems)
	}
}

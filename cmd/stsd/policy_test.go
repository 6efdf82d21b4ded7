package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/audit"
	"sceau/internal/minipki"
	"sceau/policy"
	"sceau/sts"
	"sceau/wsc"
)

const cedarProfiles = `version: 1
profiles:
  APP1:
    maximum-validity: 12h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", namespace: certified}
  APP2:
    maximum-validity: 2h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:person:ssin:doctor:boolean", namespace: certified}
`

const cedarRoles = `[{"uid": {"type": "Role", "id": "doctor"}, "attrs": {"attribute": "urn:be:fgov:person:ssin:doctor:boolean"}, "parents": []},
 {"uid": {"type": "Application", "id": "DTW"}, "attrs": {}, "parents": []}]`

const cedarPolicies = `@id("doctors") permit (principal in Role::"doctor", action == Action::"release-attribute", resource in Profile::"APP1");
@id("session") permit (principal is Person, action == Action::"release-attribute", resource in Profile::"APP2")
when { principal.kind == "eid" && context.mode == "session" };
`

// useCedar writes a directory of policies and points a configuration at it.
func useCedar(t *testing.T, more ...string) func(dir, config string) string {
	return func(dir, config string) string {
		t.Helper()
		writeFiles(t, filepath.Join(dir, "policies"), append([]string{"profiles.yaml", cedarProfiles, "roles.json", cedarRoles, "release.cedar", cedarPolicies}, more...)...)
		return strings.Replace(config, "policy: policy.yaml", "policy: {engine: cedar, directory: policies}", 1)
	}
}

// writeFiles writes name, content, name, content, … into a folder.
func writeFiles(t *testing.T, dir string, pairs ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, pairs[i]), []byte(pairs[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// demoClient is a consumer that trusts what the demonstration trusts.
func demoClient(t *testing.T, d *demo) *wsc.Client {
	t.Helper()
	trust, err := d.providerTrust()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trust.Close() })
	client, err := wsc.NewClient(wsc.Config{Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A road with policies in Cedar: a role that the registry certifies opens APP1 to Alice and not to Bob, the audit trail
// names the policies, and a SIGHUP takes others, or none of them when one is wrong.
func TestCedarPolicies(t *testing.T) {
	v, d := startDemoServerWith(t, useCedar(t))
	client := demoClient(t, d)
	ask := func(name, attribute string) (*wsc.Token, string) {
		t.Helper()
		who, err := d.credentials(name, name)
		if err != nil {
			t.Fatal(err)
		}
		token, err := client.Token(t.Context(), v.url, who, request(attribute))
		if err != nil {
			return nil, err.Error()
		}
		return token, ""
	}
	refused := func(name, attribute string, code sts.Code) {
		t.Helper()
		if _, wrong := ask(name, attribute); !strings.Contains(wrong, code.String()) {
			t.Errorf("%s, %s: %q instead of %s", name, attribute, wrong, code)
		}
	}
	issued := func(name, attribute string, longest time.Duration) {
		t.Helper()
		token, wrong := ask(name, attribute)
		if token == nil {
			t.Fatalf("%s, %s: %s", name, attribute, wrong)
		}
		if left := time.Until(token.NotOnOrAfter()); left > longest || left < longest-time.Minute {
			t.Errorf("%s, %s: valid for %s instead of %s", name, attribute, left, longest)
		}
	}
	issued("alice", doctorNIHII, 8*time.Hour) // as asked, within the profile's twelve
	issued("alice", doctorBoolean, 2*time.Hour)
	issued("bob", doctorBoolean, 2*time.Hour)
	refused("bob", doctorNIHII, sts.AttributeDenied)

	writeFiles(t, filepath.Join(v.dir, "policies"), "no.cedar", `@id("nobody") forbid (principal, action, resource);`)
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "msg=reloaded")
	refused("alice", doctorNIHII, sts.AttributeDenied)

	writeFiles(t, filepath.Join(v.dir, "policies"), "no.cedar", `@id("nobody") forbid (principal, action, resource) when { principal.shoeSize > 3 };`)
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, `no.cedar:1: policy \"nobody\": `)
	refused("alice", doctorNIHII, sts.AttributeDenied) // as before

	rules := map[string]bool{}
	for entry, err := range audit.List(filepath.Join(v.dir, "audit"), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range entry.Attributes {
			rules[a.Disposition+" "+a.Rule] = true
		}
	}
	for _, want := range []string{"released doctors", "released session", "withheld nobody", "withheld "} {
		if !rules[want] {
			t.Errorf("the audit trail has no %q: %v", want, rules)
		}
	}
}

// What a policy needs of a source that is down is REQ-14, not a denial.
func TestCedarSourceDown(t *testing.T) {
	v, d := startDemoServerWith(t, useCedar(t))
	who, err := d.credentials("alice", "alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.entries[0].source.Close(); err != nil {
		t.Fatal(err)
	}
	client := demoClient(t, d)
	_, err = client.Token(t.Context(), v.url, who, request(doctorNIHII))
	if err == nil || !strings.Contains(err.Error(), sts.SourceUnavailable.String()) {
		t.Errorf("%v instead of %s", err, sts.SourceUnavailable)
	}
	for entry := range audit.List(filepath.Join(v.dir, "audit"), audit.Query{Code: sts.SourceUnavailable.String()}) {
		if entry.Stage != "permit" {
			t.Errorf("stage %q", entry.Stage)
		}
	}
}

// readPolicies reads what of a configuration speaks of policies, without sources.
func readPolicies(c *fileConfig, p *problems) policy.PDP {
	s := &system{config: c, now: time.Now}
	s.set = s.openPolicySet(p)
	s.loadCatalogue(p)
	return s.loadRules(p)
}

func TestPolicyKeys(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "policy.yaml", "version: 1\n")
	writeFiles(t, filepath.Join(dir, "policies"), "a.cedar", "permit (")
	writeFiles(t, filepath.Join(dir, "failing"), "rules.yaml", "version: 1\n")
	writeFiles(t, filepath.Join(dir, "failing", "tests"), "a.yaml",
		"tests:\n  - name: x\n    identity: {kind: eid, id: SSIN=1}\n    attributes: [urn:be:fgov:person:ssin]\n    expect: permit\n")
	writeFiles(t, filepath.Join(dir, "defining"), "rules.yaml", "version: 1\n", "definitions.yaml", "- {nam: x}\n")
	writeFiles(t, filepath.Join(dir, "again"), "rules.yaml", "version: 1\n", "definitions.yaml", "- {name: \"urn:be:fgov:person:ssin:doctor:boolean\", kind: boolean, keyed-by: [\"urn:be:fgov:person:ssin\"]}\n")
	for text, want := range map[string]string{
		"issuer: x":                 "policy: no rule file",
		"policy: [a]":               "stsd.yaml:1: policy is a rule file, or engine and directory",
		"policy: {engin: cedar}":    `stsd.yaml:1: unknown key "engin"`,
		"policy: {engine: [cedar]}": "policy: engine is a text",
		"policy: {engine: prolog}":  "stsd.yaml:1: policy: engine is rules or cedar",
		"policy: {engine: cedar}":   "policy: no directory or store",
		"policy: {engine: cedar, directory: a, store: {}}":                                             "one of file, directory and store",
		"policy: {engine: cedar, directory: policy.yaml}":                                              "is no directory",
		"policy: {directory: policies}":                                                                "beside a rule file stand definitions.yaml",
		"policy: {directory: failing}":                                                                 `tests/a.yaml:2: test "x": urn:be:fgov:person:ssin: deny, want permit`,
		"policy: {directory: defining}":                                                                `definitions.yaml:1: unknown key "nam"`,
		"policy: {directory: again}":                                                                   `definitions.yaml:1: `,
		"policy: {store: [a]}":                                                                         "policy: store: want keys and values",
		"policy: {store: {fil: a}}":                                                                    `unknown key "fil"`,
		"policy: {store: {file: a, approvals: 0}}":                                                     "approvals: at least one",
		"policy: {store: {file: a}}":                                                                   "at least two administrators",
		"policy: {store: {file: a, password-file: b}}":                                                 "a file has no password",
		"policy: {store: {dsn: 'host=a password=b'}}":                                                  "a password belongs into password-file",
		"policy: {store: {file: a, administrators: [{name: jan}]}}":                                    "has name and certificate",
		"policy: {store: {file: a, administrators: [{name: jan, certificate: nowhere.pem}]}}":          "nowhere.pem",
		"policy: {store: {file: a, administrators: [{name: jan, certificate: x, may: [everything]}]}}": "a right is one of",
		"policy: {engine: cedar, file: x}":                                                             "file is for engine rules",
		"policy: {engine: rules}":                                                                      "policy: no rule file",
		"policy: {directory: x}":                                                                       "no such file",
		"policy: nowhere.yaml":                                                                         "nowhere.yaml",
		"policy:\n  engine: cedar\n  directory: policies":                                              "a.cedar:1: no Cedar: ",
	} {
		p := &problems{file: "stsd.yaml"}
		if c := parseConfig([]byte(text+"\n"), dir, p); c != nil && len(p.list) == 0 {
			readPolicies(c, p)
		}
		if err := p.err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"policy: policy.yaml", "policy: {file: policy.yaml}", "policy: {engine: rules, file: policy.yaml}"} {
		p := &problems{file: "stsd.yaml"}
		if rules := readPolicies(parseConfig([]byte(text), dir, p), p); rules == nil || p.err() != nil {
			t.Errorf("%s: %v", text, p.err())
		}
	}
}

// check tells what is allowed and hardly meant, and that all is in order all the same.
func TestCheckLints(t *testing.T) {
	v, _ := startDemoServerWith(t, useCedar(t, "open.cedar", `@id("open") permit (principal, action == Action::"enter", resource);`))
	c := checkCommand()
	var out, complaints bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&complaints)
	c.SetArgs([]string{"--config", v.path})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "in order") || !strings.Contains(complaints.String(), `open.cedar:1: policy "open": it permits`) {
		t.Errorf("out %q, complaints %q", out.String(), complaints.String())
	}
}

// TestReloadPoliciesWithSources: a reload holds policies against the sources that it brings: what both add together is taken, and an
// attribute that policies read cannot be taken from the sources under them.
func TestReloadPoliciesWithSources(t *testing.T) {
	const attribute = `attributes: ["` + doctorBoolean + `"`
	v, _ := startDemoServerWith(t, func(dir, config string) string {
		config = strings.Replace(config, "registry:\n  file: registry.db\n", "sources:\n  - {id: main, kind: registry, file: registry.db, "+attribute+"]}\n", 1)
		return useCedar(t)(dir, config)
	})
	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	nurses := strings.Replace(string(config), attribute, attribute+`, "`+nurseBoolean+`"`, 1)
	reload := func(text, policy string) error {
		t.Helper()
		writeFiles(t, filepath.Join(v.dir, "policies"), "nurses.cedar", policy)
		if err := os.WriteFile(v.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return v.reload(v.path)
	}
	const reads = `@id("no-nurse") forbid (principal, action == Action::"enter", resource) when { principal.hasTag("` + nurseBoolean + `") };`
	if err := reload(nurses, reads); err != nil {
		t.Errorf("both at once: %v", err)
	}
	if err := reload(string(config), reads); err == nil || !strings.Contains(err.Error(), "no source certifies") {
		t.Errorf("the source alone taken away: %v", err)
	}
	if err := reload(string(config), ""); err != nil {
		t.Errorf("both taken away: %v", err)
	}
}

// The keys of a policy store that the example shows behind a # are keys.
func TestExamplePolicyStoreKeys(t *testing.T) {
	_, text, ok := strings.Cut(string(exampleConfig), "\n#policy:\n#  engine: cedar\n#  store:\n")
	text, _, _ = strings.Cut(text, "\n\n")
	if !ok {
		t.Fatal("the example does not show them")
	}
	for _, without := range []string{"##", "file: policy.db"} { // a file; a PostgreSQL
		var lines []string
		for line := range strings.Lines(text) {
			if !strings.Contains(line, without) {
				lines = append(lines, strings.TrimLeft(line, "#"))
			}
		}
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(strings.Join(lines, "")), &node); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, name := range []string{"jan", "marie"} {
			writeFiles(t, dir, name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificateOf(t, name)})))
		}
		p := &problems{file: "example.yaml"}
		s := &system{config: &fileConfig{dir: dir}, now: time.Now}
		s.config.Policy.Store = *node.Content[0]
		c, poll := s.readPolicyStore(p)
		if err := p.err(); err != nil {
			t.Fatal(err)
		}
		if len(c.Administrators) != 2 || len(c.Administrators[1].May) != 3 || c.Administrators[1].Until.IsZero() || poll != 5*time.Second || c.Approvals != 1 || (c.File == "") == (c.DSN == "") {
			t.Errorf("%+v, %s", c, poll)
		}
	}
}

// certificateOf gives a certificate of its own, in DER.
func certificateOf(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root, err := minipki.NewRoot(minipki.CA(minipki.DN("CN", name), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)), key)
	if err != nil {
		t.Fatal(err)
	}
	return root.DER()
}

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sceau/audit"
	"sceau/policy/store"
	"sceau/sts"
)

const allOfAPP1 = `@id("all") permit (principal is Person, action == Action::"release-attribute", resource in Profile::"APP1");`

// TestAnotherStoreUnderServer: a store that the same people filled for something else, such as tests, does not come in force because it lies where the
// store was. Their signatures are good: whoever writes to the database would need no key. Where the configuration names another, it does.
func TestAnotherStoreUnderServer(t *testing.T) {
	v, d := startDemoServerWith(t, useStore(t, "file: policy.db"))
	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(v.dir, "tests.yaml")
	writeFiles(t, v.dir, "tests.yaml", strings.Replace(string(config), "file: policy.db", "file: tests.db", 1))
	writeFiles(t, filepath.Join(v.dir, "policies"), "all.cedar", allOfAPP1)
	pap(t, elsewhere, "init")
	adopt(t, elsewhere, v.dir)
	content, err := os.ReadFile(filepath.Join(v.dir, "tests.db"))
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, v.dir, "copy.db", string(content))
	if err := os.Rename(filepath.Join(v.dir, "copy.db"), filepath.Join(v.dir, "policy.db")); err != nil {
		t.Fatal(err)
	}
	v.waitLog(t, "policies stay as they were")
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "reload refused")
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("another store is in force: %q", wrong)
	}
	if err := v.reload(elsewhere); err != nil {
		t.Fatal(err)
	}
	if wrong := v.token(t, d, "bob", doctorNIHII); wrong != "" {
		t.Errorf("%q", wrong)
	}
	// Version 1 of that store is another than version 1 of this.
	if got := recordedPolicies(t, v.dir); !strings.HasPrefix(got, "success 1, fault 1, success 1") {
		t.Error(got)
	}
}

// recordedPolicies gives what the trail says of policies: outcome and version.
func recordedPolicies(t *testing.T, dir string) string {
	t.Helper()
	var trail []string
	for entry, err := range audit.List(filepath.Join(dir, "audit"), audit.Query{Service: servicePolicy}) {
		if err != nil {
			t.Fatal(err)
		}
		version, _, _ := strings.Cut(entry.Resource.Name, " ")
		trail = append(trail, entry.Outcome+" "+version)
	}
	return strings.Join(trail, ", ")
}

// TestExplainedByTheTrail: what was decided while a server refused the version of its store is explained by the one that decided.
func TestExplainedByTheTrail(t *testing.T) {
	v, d := startDemoServerWith(t, func(dir, config string) string {
		config = strings.Replace(config, "registry:\n  file: registry.db\n", "sources:\n"+
			"  - {id: main, kind: registry, file: registry.db, attributes: ["+doctorNIHII+", "+doctorBoolean+"]}\n", 1)
		return useStore(t, "file: policy.db")(dir, config)
	})
	writeFiles(t, filepath.Join(v.dir, "policies"), "all.cedar",
		allOfAPP1+"\n"+`@id("no-nurse") forbid (principal, action, resource) when { principal.hasTag("`+nurseBoolean+`") };`)
	adopt(t, v.path, v.dir)
	v.waitLog(t, "no source certifies")
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("part of a version is in force: %q", wrong)
	}
	refused := ""
	for entry, err := range audit.List(filepath.Join(v.dir, "audit"), audit.Query{Code: sts.AttributeDenied.String()}) {
		if err != nil {
			t.Fatal(err)
		}
		refused = entry.ID
	}
	if out := pap(t, v.path, "explain", refused); !strings.Contains(out, "by version 1, which was in force then") || !strings.Contains(out, "doctor:boolean were true") {
		t.Error(out)
	}
}

// TestRulesInStore: a rule file lives in a store, or in a directory, as policies in Cedar do, with its tests.
func TestRulesInStore(t *testing.T) {
	const rule = `  - id: eid
    effect: permit
    identity: {kinds: [eid]}
    profiles: [APP1]
`
	const test = `tests:
  - name: somebody with an eID has the number
    identity: {kind: eid, id: SSIN=00000000097}
    mode: eid-only
    attributes: ["` + doctorNIHII + `"]
    expect: permit
    by: [eid]
`
	v, d := startDemoServerWith(t, func(dir, config string) string {
		writeFiles(t, filepath.Join(dir, "policies"), "rules.yaml", cedarProfiles, "README.md", "# Rules\n")
		config = strings.Replace(config, "policy: policy.yaml", strings.Replace(storeConfig("file: policy.db"), "engine: cedar", "engine: rules", 1), 1)
		writeFiles(t, dir, "stsd.yaml", config)
		pap(t, filepath.Join(dir, "stsd.yaml"), "init")
		adopt(t, filepath.Join(dir, "stsd.yaml"), dir)
		return config
	})
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("%q", wrong)
	}
	policies := filepath.Join(v.dir, "policies")
	writeFiles(t, policies, "rules.yaml", cedarProfiles+"rules:\n"+rule)
	writeFiles(t, filepath.Join(policies, "tests"), "eid.yaml", strings.Replace(test, "expect: permit", "expect: deny", 1))
	if out, err := tryPAP(t.Context(), v.path, "propose", policies, "--key", filepath.Join(v.dir, "pki", "alice-eid.key")); err == nil || !strings.Contains(err.Error(), "permit, want deny") {
		t.Errorf("rules whose tests do not hold are proposed: %v, %s", err, out)
	}
	writeFiles(t, filepath.Join(policies, "tests"), "eid.yaml", test)
	if out, err := tryPAP(t.Context(), v.path, "dry-run", policies); err == nil || !strings.Contains(out, "1 would change") {
		t.Errorf("%v, %s", err, out)
	}
	adopt(t, v.path, v.dir)
	v.waitLog(t, "version 2")
	if wrong := v.token(t, d, "bob", doctorNIHII); wrong != "" {
		t.Errorf("%q", wrong)
	}
	pap(t, v.path, "rollback", "1", "--key", filepath.Join(v.dir, "pki", "alice-eid.key"))
	v.waitLog(t, "event=9")
	// From the store to the directory, and back: each is recorded as it comes in force.
	content, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	config := string(content)
	place, rest, _ := strings.Cut(config, "policy:\n")
	_, rest, _ = strings.Cut(rest, "may: [propose, approve]}\n")
	writeFiles(t, v.dir, "stsd.yaml", place+"policy: {engine: rules, directory: policies}\n"+rest)
	if err := v.reload(v.path); err != nil {
		t.Fatal(err)
	}
	if wrong := v.token(t, d, "bob", doctorNIHII); wrong != "" {
		t.Errorf("%q", wrong)
	}
	writeFiles(t, v.dir, "stsd.yaml", config)
	if err := v.reload(v.path); err != nil {
		t.Fatal(err)
	}
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("%q", wrong)
	}
	if got := recordedPolicies(t, v.dir); got != "success 1, success 2, success 1, success 1" {
		t.Error(got)
	}
}

// TestEnoughPeople: administrators who could never bring anything in force are refused when the configuration is read.
func TestEnoughPeople(t *testing.T) {
	now := time.Now()
	one := func(name string, until time.Time, may ...store.Right) store.Administrator {
		return store.Administrator{Name: name, May: may, Until: until}
	}
	const propose, approve = store.RightPropose, store.RightApprove
	jan, marie := one("jan", time.Time{}, propose, approve), one("marie", time.Time{}, approve)
	for name, tt := range map[string]struct {
		list      []store.Administrator
		approvals int
		want      bool
	}{
		"two":                      {[]store.Administrator{jan, marie}, 1, true},
		"each has a half of it":    {[]store.Administrator{jan, one("piet", time.Time{}, propose, store.RightRollback)}, 1, true}, // piet proposes
		"nobody else":              {[]store.Administrator{jan, one("piet", time.Time{}, store.RightRollback)}, 1, false},
		"one of two names":         {[]store.Administrator{jan, one("jan", time.Time{}, approve)}, 1, false},
		"who left":                 {[]store.Administrator{jan, one("marie", now, approve)}, 1, false},
		"fewer than are asked for": {[]store.Administrator{jan, marie}, 2, false},
		"nobody proposes":          {[]store.Administrator{marie, one("piet", time.Time{}, approve)}, 1, false},
	} {
		if got := enoughPeople(tt.list, tt.approvals, now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAlike: a database that is away is told once, although what it says differs by a port each time.
func TestAlike(t *testing.T) {
	away := func(port string) error {
		return &store.Error{Reason: store.Unavailable, Err: errors.New("read tcp 127.0.0.1:" + port + ": connection reset")}
	}
	broken := func(text string) error { return &store.Error{Reason: store.Broken, Err: errors.New(text)} }
	if alike(nil, away("1")) || !alike(away("1"), away("2")) || alike(away("1"), broken("x")) || !alike(broken("x"), broken("x")) || alike(broken("x"), broken("y")) {
		t.Error("what was told, and what was not")
	}
}

// TestFileNames: nor does the name of a file steer the terminal.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "stsd.yaml", "policy: {engine: rules, directory: policies}\n")
	writeFiles(t, filepath.Join(dir, "policies"), "rules.yaml", cedarProfiles)
	writeFiles(t, filepath.Join(dir, "policies", "tests"), "\x1b[2J.yaml",
		"tests:\n  - {name: x, identity: {kind: eid, id: SSIN=00000000097}, attributes: [\""+doctorNIHII+"\"], expect: deny}\n")
	out := pap(t, filepath.Join(dir, "stsd.yaml"), "test", filepath.Join(dir, "policies"))
	if !strings.Contains(out, `tests/\x1b[2J.yaml`) {
		t.Errorf("%q", out)
	}
}

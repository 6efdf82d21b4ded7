package main

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sceau/audit"
	"sceau/internal/postgresql"
	"sceau/policy/store"
	"sceau/sts"
)

// storeConfig is the key policy with a store at a place; Alice and Bob administer it with their eIDs.
func storeConfig(place string) string {
	return `policy:
  engine: cedar
  store:
    ` + place + `
    poll-interval: 50ms
    administrators:
      - {name: alice, certificate: pki/alice-eid.pem, may: [propose, approve, rollback]}
      - {name: bob, certificate: pki/bob-eid.pem, may: [propose, approve]}`
}

// useStore puts the policies of useCedar into a store and points a configuration at it.
func useStore(t *testing.T, place string) func(dir, config string) string {
	return func(dir, config string) string {
		t.Helper()
		writeFiles(t, filepath.Join(dir, "policies"), "profiles.yaml", cedarProfiles, "roles.json", cedarRoles, "release.cedar", cedarPolicies)
		config = strings.Replace(config, "policy: policy.yaml", storeConfig(place), 1)
		writeFiles(t, dir, "stsd.yaml", config)
		path := filepath.Join(dir, "stsd.yaml")
		pap(t, path, "init")
		adopt(t, path, dir)
		return config
	}
}

// pap runs stsd policy and gives what it writes.
func pap(t *testing.T, config string, args ...string) string {
	t.Helper()
	out, err := tryPAP(t.Context(), config, args...)
	if err != nil {
		t.Fatalf("stsd policy %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryPAP(ctx context.Context, config string, args ...string) (string, error) {
	var out bytes.Buffer
	c := newPolicyCommand(time.Now)
	c.SetOut(&out)
	c.SetErr(io.Discard)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append(args, "--config", config))
	err := c.ExecuteContext(ctx)
	return out.String(), err
}

// adopt brings the files of dir/policies in force: Alice proposes, Bob approves. It gives the number of the version.
func adopt(t *testing.T, config, dir string) string {
	t.Helper()
	out := pap(t, config, "propose", filepath.Join(dir, "policies"), "--key", filepath.Join(dir, "pki", "alice-eid.key"))
	number, _, _ := strings.Cut(strings.TrimPrefix(out, "version "), ":")
	_, content, _ := strings.Cut(out, "content ")
	pap(t, config, "approve", number, "--content", strings.TrimSpace(content), "--key", filepath.Join(dir, "pki", "bob-eid.key"))
	return number
}

// token tells whether a person gets an attribute: "" or the error.
func (v *served) token(t *testing.T, d *demo, name, attribute string) string {
	t.Helper()
	who, err := d.credentials(name, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := demoClient(t, d).Token(t.Context(), v.url, who, request(attribute)); err != nil {
		return err.Error()
	}
	return ""
}

// metric reads one figure of the server.
func (v *served) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := v.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// TestPolicyStoreUnderServer: a server on a store takes what is approved, keeps what it has where that is not good or not proven, says why,
// and goes on by itself.
func TestPolicyStoreUnderServer(t *testing.T) {
	v, d := startDemoServerWith(t, useStore(t, "file: policy.db"))
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("%q", wrong)
	}
	policies := filepath.Join(v.dir, "policies")

	// What is approved is taken, on the road of tokens too.
	writeFiles(t, policies, "all.cedar", `@id("all") permit (principal is Person, action == Action::"release-attribute", resource in Profile::"APP1");`)
	adopt(t, v.path, v.dir)
	v.waitLog(t, "version 2")
	if wrong := v.token(t, d, "bob", doctorNIHII); wrong != "" {
		t.Errorf("%q", wrong)
	}
	if n := v.metric(t, "sceau_policy_version"); n != 2 {
		t.Errorf("version %v", n)
	}

	// A version brings an attribute along: it is there with it.
	writeFiles(t, policies, "definitions.yaml", "- {name: \"urn:example:sector:boolean\", kind: boolean, keyed-by: [\"urn:be:fgov:person:ssin\"]}\n",
		"all.cedar", `@id("sector") @maximum_validity("1h") permit (principal is Person, action == Action::"release-attribute",
			resource == Attribute::"certified:urn:example:sector:boolean") when { principal.kind == "eid" };`)
	adopt(t, v.path, v.dir)
	v.waitLog(t, "version 3")
	if wrong := v.token(t, d, "bob", "urn:example:sector:boolean"); wrong != "" {
		t.Errorf("%q", wrong)
	}
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("%q", wrong)
	}

	// A version that is good, and speaks of an attribute that no source of this server has, is not taken, and nothing of it.
	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, v.dir, "stsd.yaml", strings.Replace(string(config), "registry:\n  file: registry.db\n", "sources:\n"+
		"  - {id: main, kind: registry, file: registry.db, attributes: ["+doctorNIHII+", "+doctorBoolean+", \"urn:example:sector:boolean\"]}\n", 1))
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "msg=reloaded")
	writeFiles(t, policies, "all.cedar", `@id("nobody") forbid (principal, action, resource) when { principal.hasTag("`+nurseBoolean+`") };`)
	adopt(t, v.path, v.dir)
	v.waitLog(t, "no source certifies")
	if wrong := v.token(t, d, "bob", "urn:example:sector:boolean"); wrong != "" {
		t.Errorf("part of a version that was refused is in force: %q", wrong)
	}
	if n := v.metric(t, "sceau_policy_refused"); n != 1 || v.metric(t, "sceau_policy_version") != 3 {
		t.Errorf("refused %v", n)
	}
	notes, err := v.ready(t.Context())
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0].Error(), "policies stay as they were") {
		t.Errorf("%v, %v", notes, err)
	}

	// A rollback by one who may; the server is in order again.
	pap(t, v.path, "rollback", "3", "--key", filepath.Join(v.dir, "pki", "alice-eid.key"))
	v.waitLog(t, "in order again")
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("%q", wrong)
	}

	// Whoever writes to the database without a key brings nothing in force: another content under an approved version …
	db, err := sql.Open("sqlite", filepath.Join(v.dir, "policy.db")+"?_pragma=busy_timeout(10000)") // the server reads it meanwhile
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE kept AS SELECT * FROM policy_event`)
	exec(`UPDATE policy_event SET version = 2, content = (SELECT content FROM policy_event WHERE version = 2 LIMIT 1) WHERE number = (SELECT max(number) FROM policy_event)`)
	exec(`UPDATE policy_event SET signature = 'AAAA' WHERE number = (SELECT max(number) FROM policy_event)`)
	v.waitLog(t, "the signature is not that of the statement")
	// … or the same with the newest event taken away, which would bring version 4 back.
	exec(`DELETE FROM policy_event`)
	exec(`INSERT INTO policy_event SELECT * FROM kept WHERE number < (SELECT max(number) FROM kept)`)
	v.waitLog(t, "lacks events that were there")
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("%q", wrong)
	}
	// Not by a reload either.
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "reload refused")
	exec(`DELETE FROM policy_event`)
	exec(`INSERT INTO policy_event SELECT * FROM kept`)
	v.hangup <- syscall.SIGHUP
	for deadline := time.Now().Add(10 * time.Second); v.metric(t, "sceau_policy_refused") != 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	if v.metric(t, "sceau_policy_refused") != 0 {
		t.Error("it is in order and says it is not")
	}

	var trail []string
	for entry, err := range audit.List(filepath.Join(v.dir, "audit"), audit.Query{Service: servicePolicy}) {
		if err != nil {
			t.Fatal(err)
		}
		version, _, _ := strings.Cut(entry.Resource.Name, " ")
		trail = append(trail, entry.Outcome+" "+version)
	}
	if got := strings.Join(trail, ", "); !strings.HasPrefix(got, "success 1, success 2, success 3, fault 4, fault ") {
		t.Error(got)
	}
}

// TestPolicyStorePostgres: the same with a PostgreSQL, read by a role that may only read, which goes away and comes back.
func TestPolicyStorePostgres(t *testing.T) {
	server := postgresql.Start(t)
	server.Exec(t, "create schema pap")
	admin := "dsn-file: admin.dsn"
	var dir string
	use := func(d, config string) string {
		dir = d
		writeFiles(t, d, "admin.dsn", server.Admin+" search_path=pap")
		config = useStore(t, admin)(d, config)
		server.Exec(t, "grant usage on schema pap to reader", "grant select on all tables in schema pap to reader")
		reader := "dsn: \"host=127.0.0.1 port=" + server.Port + " user=reader dbname=postgres sslmode=disable search_path=pap\"\n    password-file: \"" + server.PasswordFile + "\"\n    timeout: 2s"
		writeFiles(t, d, "admin.yaml", config)
		return strings.Replace(config, admin, reader, 1)
	}
	v, d := startDemoServerWith(t, use)
	adminConfig := filepath.Join(dir, "admin.yaml")
	if wrong := v.token(t, d, "bob", doctorNIHII); !strings.Contains(wrong, sts.AttributeDenied.String()) {
		t.Errorf("%q", wrong)
	}
	if _, err := tryPAP(t.Context(), v.path, "propose", filepath.Join(dir, "policies"), "--key", filepath.Join(dir, "pki", "alice-eid.key")); store.ReasonOf(err) != store.Unavailable {
		t.Errorf("the role that reads can write: %v", err)
	}
	server.Kill()
	v.waitLog(t, "policies stay as they were")
	if wrong := v.token(t, d, "alice", doctorNIHII); wrong != "" {
		t.Errorf("without its store: %q", wrong)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	v.waitLog(t, "in order again")
	writeFiles(t, filepath.Join(dir, "policies"), "all.cedar", `@id("all") permit (principal is Person, action == Action::"release-attribute", resource in Profile::"APP1");`)
	adopt(t, adminConfig, dir)
	v.waitLog(t, "version 2")
	if wrong := v.token(t, d, "bob", doctorNIHII); wrong != "" {
		t.Errorf("%q", wrong)
	}
}

// TestPolicyStoreAfterReload: what a reload changed of the decisions over HTTP stays changed when a version of the policies comes in force: a
// token that was replaced does not work again.
func TestPolicyStoreAfterReload(t *testing.T) {
	address, config := freeAddress(t), ""
	v, _ := startDemoServerWith(t, func(dir, c string) string {
		writeFiles(t, dir, "a.token", "Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHNlY3JldA\n", "b.token", "b-Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHNlY3JldA\n")
		config = useStore(t, "file: policy.db")(dir, c) + `
decisions:
  address: ` + address + `
  clients:
    - {name: dtw, token-file: a.token, resources: [Role]}
`
		return config
	})
	ask := func() int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/access/v1/search/resource",
			strings.NewReader(`{"subject": {"type": "Person", "id": "SSIN=00000000097"}, "action": {"name": "hold"}, "resource": {"type": "Role"}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHNlY3JldA")
		r.Header.Set("Content-Type", "application/json")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		return a.StatusCode
	}
	if got := ask(); got != http.StatusOK {
		t.Errorf("at first: %d", got)
	}
	writeFiles(t, v.dir, "stsd.yaml", strings.Replace(config, "a.token", "b.token", 1))
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "msg=reloaded")
	if got := ask(); got != http.StatusUnauthorized {
		t.Errorf("a token that was replaced: %d", got)
	}
	writeFiles(t, filepath.Join(v.dir, "policies"), "all.cedar", `@id("all") permit (principal is Person, action == Action::"release-attribute", resource in Profile::"APP1");`)
	adopt(t, v.path, v.dir)
	v.waitLog(t, "version 2")
	if got := ask(); got != http.StatusUnauthorized {
		t.Errorf("a token that was replaced is good again since other policies are in force: %d", got)
	}
}

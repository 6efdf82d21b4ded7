package trial

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"sceau/attrs"
	"sceau/policy"
)

// exampleTests are tests that hold for the examples.
const exampleTests = `
tests:
  - name: a doctor enters DTW
    subject: {type: Person, id: SSIN=00000000097}
    action: enter
    resource: {type: Application, id: DTW}
    facts: {"urn:be:fgov:person:ssin:doctor:boolean": true}
    expect: permit
    by: [doctors-enter-dtw]
  - name: who is none does not
    subject: {type: Person, id: SSIN=00000000097}
    action: enter
    resource: {type: Application, id: DTW}
    facts: {"urn:be:fgov:person:ssin:doctor:boolean": unknown}
    expect: deny
    by: []
  - name: a mandatary acts for the owner
    subject: {type: Person, id: SSIN=00000000097}
    action: enter
    resource: {type: Application, id: HOSPITAL-PORTAL}
    context: {mandate: {grantor: NIHII-HOSPITAL=71000436, scope: [enter], until: 2026-02-01T00:00:00Z}}
    expect: permit
  - name: and no longer than that
    at: 2026-02-01T00:00:00Z
    subject: {type: Person, id: SSIN=00000000097}
    action: enter
    resource: {type: Application, id: HOSPITAL-PORTAL}
    context: {mandate: {grantor: NIHII-HOSPITAL=71000436, scope: [enter], until: 2026-02-01T00:00:00Z}}
    expect: deny
  - name: doctor:boolean for APP2
    identity: {kind: eid, id: SSIN=00000000097}
    holder: {kind: ehealth-organisation, id: CBE=0417497106}
    attributes: ["urn:be:fgov:person:ssin:doctor:boolean", "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"]
    facts:
      "urn:be:fgov:person:ssin:doctor:boolean": {is: false, until: 2026-02-01T00:00:00Z}
    expect:
      permitted: ["certified:urn:be:fgov:person:ssin:doctor:boolean"]
      denied: ["urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"]
      on-denied: omit
      valid-for: 4h
  - name: not to the software whose key was lost
    identity: {kind: eid, id: SSIN=00000000097}
    holder: {kind: ehealth-organisation, id: CBE=0809394427}
    attributes: ["urn:be:fgov:person:ssin:doctor:boolean"]
    expect: deny
    by: [lost-key]
`

func run(t *testing.T, text string) ([]Result, error) {
	t.Helper()
	files := files(t, nil).(fstest.MapFS)
	files["tests/a.yaml"] = &fstest.MapFile{Data: []byte(text)}
	tests, err := Load(files, attrs.EHealth())
	if err != nil {
		return nil, err
	}
	results, err := Run(t.Context(), tests, opener(files))
	if err != nil {
		t.Fatal(err)
	}
	return results, nil
}

func TestExampleTestsHold(t *testing.T) {
	results, err := run(t, exampleTests)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 6 {
		t.Errorf("%d tests", len(results))
	}
	for _, p := range Problems(results) {
		t.Error(p)
	}
}

// TestEachExpectationCounts: each thing that a test expects makes it fail when it is otherwise.
func TestEachExpectationCounts(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{"expect: permit\n    by: [doctors-enter-dtw]", "expect: deny", `tests/a.yaml:3: test "a doctor enters DTW": permit, want deny (by doctors-enter-dtw)`},
		{"by: [doctors-enter-dtw]", "by: [other]", "by doctors-enter-dtw, want other"},
		{"by: []", "by: [x]", "by none, want x"},
		{"doctor:boolean\": true", "doctor:boolean\": false", "deny, want permit"},
		{"{is: false, until", "{is: true, until", "nihii11: permit, want deny"},
		{"permitted: [\"certified:", "denied: [\"certified:", ""}, // twice: told when it is read
		{"on-denied: omit", "on-denied: refuse", "on denied: omit, want refuse"},
		{"valid-for: 4h", "valid-for: 5h", "valid for 4h0m0s, want 5h0m0s"},
		{"until: 2026-02-01T00:00:00Z}\n    expect:", "until: 2026-01-15T14:00:00Z}\n    expect:", "valid for 2h0m0s, want 4h0m0s"},
		{"    facts: {\"urn:be:fgov:person:ssin:doctor:boolean\": true}\n", "", "it does not say whether urn:be:fgov:person:ssin:doctor:boolean holds"},
		{"expect: deny\n    by: [lost-key]", "expect: permit", "deny, want permit (by lost-key)"},
		{"action: enter\n    resource: {type: Application, id: DTW}\n    facts: {\"urn:be:fgov:person:ssin:doctor:boolean\": true}", "action: leave\n    resource: {type: Application, id: DTW}", "the schema has no action leave"},
		{"grantor: NIHII-HOSPITAL=71000436, scope: [enter]", "grantor: NIHII-HOSPITAL=71000436, scope: enter", "mandate"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			if !strings.Contains(exampleTests, tt.old) {
				t.Fatalf("no %q", tt.old)
			}
			results, err := run(t, strings.Replace(exampleTests, tt.old, tt.new, 1))
			if tt.want == "" {
				if err == nil {
					t.Error("it is read")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			problems := Problems(results)
			if len(problems) != 1 || !strings.Contains(problems[0].String(), tt.want) {
				t.Errorf("%v", problems)
			}
		})
	}
}

// TestFileProblems: what is wrong with a file of tests is told with its line.
func TestFileProblems(t *testing.T) {
	const question = "tests:\n  - name: x\n    subject: {type: Person, id: SSIN=1}\n    action: enter\n    resource: {type: Application, id: DTW}\n    expect: permit\n"
	const asked = "tests:\n  - name: x\n    identity: {kind: eid, id: SSIN=1}\n    attributes: [\"urn:be:fgov:person:ssin\"]\n    expect: permit\n"
	for _, tt := range []struct{ text, want string }{
		{"", "tests/a.yaml: no test in it"},
		{"tests: []\n", "no test in it"},
		{"test: []\n", "tests/a.yaml:1: field test not found"},
		{"tests: [\n", "tests/a.yaml"},
		{question + "---\n" + question, "more than one document"},
		{question + "    colour: red\n", ":7: field colour not found"},
		{strings.Replace(question, "permit", "maybe", 1), ":2: test \"x\": expect is permit or deny"},
		{strings.Replace(question, "expect: permit", "by: [x]", 1), "expect is permit or deny"},
		{strings.Replace(question, "name: x", "name: ''", 1), "no name"},
		{strings.Replace(question, "action: enter", "mode: session", 1), "either a question"},
		{strings.Replace(question, "    action: enter\n", "", 1), "has subject, action and resource"},
		{question + "  - name: x\n" + strings.SplitN(question, "\n", 3)[2], "another has this name"},
		{question + "    facts: {\"urn:x\": true}\n", "no source certifies \"urn:x\""},
		{question + "    facts: {\"urn:be:fgov:person:ssin:doctor:boolean\": perhaps}\n", "is true, false or unknown"},
		{question + "    facts: {\"urn:be:fgov:person:ssin:doctor:boolean\": {is: true}}\n", ":7: a fact that ends is"},
		{question + "    facts: {\"urn:be:fgov:person:ssin:doctor:boolean\": {was: true}}\n", ":7: unknown key \"was\""},
		{question + "    facts: {\"urn:be:fgov:person:ssin:doctor:boolean\": [[true]]}\n", "a value is a text"},
		{strings.Replace(asked, "expect: permit", "expect: {}", 1), "which attributes are permitted"},
		{strings.Replace(asked, "expect: permit", "expect: {permitted: [\"urn:be:fgov:person:ssin:doctor:boolean\"]}", 1), "and not asked for"},
		{strings.Replace(asked, "expect: permit", "expect: {allowed: []}", 1), "unknown key \"allowed\""},
		{strings.Replace(asked, "expect: permit", "expect: {denied: [\"urn:x\"], on-denied: perhaps, valid-for: long}", 1), "valid-for is a duration"},
		{strings.Replace(asked, "urn:be:fgov:person:ssin", "urn:none", 1), "the catalogue has no \"urn:none\""},
		{strings.Replace(asked, "    attributes: [\"urn:be:fgov:person:ssin\"]\n", "", 1), "a release has identity and attributes"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			_, err := run(t, tt.text)
			var wrong *policy.Error
			if !errors.As(err, &wrong) || wrong.Reason != policy.InvalidRules || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	strange := fstest.MapFS{"tests/a.yml": {Data: []byte(question)}, "tests/notes.md": {}}
	if _, err := Load(strange, attrs.EHealth()); err == nil || !strings.Contains(err.Error(), "not a file of tests") {
		t.Error(err)
	}
	if tests, err := Load(fstest.MapFS{"a.cedar": {}}, attrs.EHealth()); tests != nil || err != nil {
		t.Errorf("%v, %v", tests, err)
	}
}

// FuzzLoad: no file of tests panics, and what is read can be run.
func FuzzLoad(f *testing.F) {
	f.Add(exampleTests)
	f.Add("tests:\n  - name: x\n    facts: {a: {is: [1], until: 2026-01-01T00:00:00Z}}\n")
	f.Add("tests: [{name: x, subject: {type: Role, id: y}, action: hold, resource: {type: Role, id: z}, expect: deny}]")
	open := opener(files(f, nil))
	f.Fuzz(func(t *testing.T, text string) {
		tests, err := Load(fstest.MapFS{"tests/a.yaml": {Data: []byte(text)}}, attrs.EHealth())
		if err != nil {
			return
		}
		results, err := Run(t.Context(), tests, open)
		if err != nil || len(results) != len(tests) {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.question == nil && r.release == nil {
				t.Error("a test that asks nothing")
			}
		}
	})
}

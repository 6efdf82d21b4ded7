package trial

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sceau/audit"
	"sceau/policy"
)

var (
	alice    = policy.Requestor{Kind: policy.KindEID, IdentifierType: "SSIN", Identifier: "00000000097"}
	bob      = policy.Requestor{Kind: policy.KindEID, IdentifierType: "SSIN", Identifier: "00000000196"}
	software = policy.Requestor{Kind: policy.KindEHealthOrganisation, IdentifierType: "CBE", Identifier: "0417497106"}
	stolen   = policy.Requestor{Kind: policy.KindEHealthOrganisation, IdentifierType: "CBE", Identifier: "0809394427"}
	hospital = policy.Requestor{Kind: policy.KindEHealthOrganisation, IdentifierType: "NIHII-HOSPITAL", Identifier: "71000436"}
)

// recordedDay is a trail under the examples.
func recordedDay(t *testing.T) []*audit.Entry {
	return []*audit.Entry{
		release(t, "app2", "session", alice, software, asked{doctorBoolean, "released", "doctor-for-app2"}),
		release(t, "app2-again", "session", bob, software, asked{doctorBoolean, "released", "doctor-for-app2"}),
		release(t, "number", "session", alice, software, asked{doctorNumber, "released", "number-of-doctors-only"}),
		release(t, "no-doctor", "session", bob, software, asked{doctorNumber, "withheld", ""}),
		release(t, "lost", "session", alice, stolen, asked{doctorBoolean, "withheld", "lost-key"}),
		question(t, "enters", "Person", "SSIN=00000000097", "enter", "Application", "DTW", "doctors-enter-dtw"),
		question(t, "stays", "Person", "SSIN=00000000196", "enter", "Application", "DTW", ""),
		question(t, "operator", "Person", "SSIN=00000100067", "administer", "Application", "DTW", "operators-administer"),
		{Kind: "event", ID: "fault", Service: "saml11", Outcome: "fault", Code: "SOA-01001"},
		{Kind: "open"},
	}
}

// replayed gives a report as text: counts, and each change with its first id.
func replayed(t *testing.T, before, after Candidate, entries []*audit.Entry) string {
	t.Helper()
	report, err := Replay(t.Context(), trail(entries...), ReplayConfig{
		Before: before, After: after, Pseudonym: key(t).Pseudonym,
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{fmt.Sprintf("%d decisions, %d the same", report.Decisions, report.Same)}
	changed := 0
	for _, c := range report.Changes {
		may := "may"
		if c.Surely {
			may = "will"
		}
		changed += c.Count
		lines = append(lines, fmt.Sprintf("%s x%d %s: %s", c.IDs[0], c.Count, may, strings.Join(c.Lines, "; ")))
	}
	for why, n := range report.Unrepeatable {
		changed += n
		lines = append(lines, fmt.Sprintf("%d not: %s", n, why[:20]))
	}
	if report.Same+changed != report.Decisions {
		t.Errorf("%d decisions are not %d", report.Same+changed, report.Decisions)
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n")
}

// TestReplay: which decisions of a day change under other policies, from records without a value and without a name.
func TestReplay(t *testing.T) {
	abac := string(must(t, "abac.cedar"))
	rbac := string(must(t, "rbac.cedar"))
	number := "certified:" + doctorNumber
	boolean := "certified:" + doctorBoolean
	for _, tt := range []struct {
		name    string
		changes map[string]string
		want    string
	}{
		{"the same", nil, "8 decisions, 8 the same"},
		{"a permit is gone", map[string]string{"abac.cedar": strings.Replace(abac, `principal.kind == "eid" &&`, `principal.kind == "service" &&`, 1)},
			"8 decisions, 6 the same\napp2 x2 will: " + boolean + ": permit (by doctor-for-app2) → deny"},
		{"another condition on a fact", map[string]string{"abac.cedar": strings.Replace(abac, `.contains("true")`, `.contains("false")`, 1)},
			"8 decisions, 6 the same\nno-doctor x1 may: " + number + ": deny → permit (by number-of-doctors-only)\nnumber x1 will: " + number + ": permit (by number-of-doctors-only) → deny"},
		{"found keys are admitted again", map[string]string{"abac.cedar": abac[:strings.Index(abac, `@id("lost-key")`)]},
			"8 decisions, 7 the same\nlost x1 will: " + boolean + ": deny (by lost-key) → permit (by doctor-for-app2)"},
		{"another key is lost", map[string]string{"abac.cedar": strings.Replace(abac, "0809394427", "0417497106", 1)},
			"8 decisions, 4 the same\napp2 x2 will: " + boolean + ": permit (by doctor-for-app2) → deny (by lost-key)\n" +
				"lost x1 will: " + boolean + ": deny (by lost-key) → permit (by doctor-for-app2)\n" +
				"number x1 will: " + number + ": permit (by number-of-doctors-only) → deny (by lost-key)"},
		{"a shorter window", map[string]string{"profiles.yaml": strings.Replace(string(must(t, "profiles.yaml")), "maximum-validity: 4h", "maximum-validity: 2h", 1)},
			"8 decisions, 6 the same\napp2 x2 will: valid for: 4h0m0s → 2h0m0s"},
		{"nurses enter too", map[string]string{"rbac.cedar": rbac + "\n@id(\"nurses\")\npermit (principal in Role::\"nurse\", action == Action::\"enter\", resource == Application::\"DTW\");\n"},
			"8 decisions, 7 the same\nstays x1 may: enter: deny → permit (by nurses)"},
		{"nobody enters", map[string]string{"rbac.cedar": strings.Replace(rbac, `principal in Role::"doctor"`, `principal in Role::"hospital"`, 1)},
			"8 decisions, 6 the same\nenters x1 will: enter: permit (by doctors-enter-dtw) → deny\nstays x1 may: enter: deny → permit (by doctors-enter-dtw)"},
		{"another operator", map[string]string{"roles.json": strings.Replace(string(must(t, "roles.json")), "SSIN=00000100067", "SSIN=00000000097", 1)},
			"8 decisions, 7 the same\noperator x1 will: administer: permit (by operators-administer) → deny"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := replayed(t, policies(t, nil), policies(t, tt.changes), recordedDay(t)); got != tt.want {
				t.Errorf("\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func must(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "cedar", "testdata", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestNotRepeated: what the record cannot tell is not guessed.
func TestNotRepeated(t *testing.T) {
	entries := []*audit.Entry{
		question(t, "mandate", "Person", "SSIN=00000000097", "enter", "Application", "HOSPITAL-PORTAL", "mandatary-enters"), // the context is not on the trail
		release(t, "older", "eid-only", alice, alice, asked{doctorBoolean, "released", "a-policy-of-yesterday"}),
	}
	long := release(t, "long", "session", alice, software, asked{doctorBoolean, "released", "doctor-for-app2"})
	long.MoreAttributes = 1
	gone := release(t, "gone", "session", alice, software, asked{doctorBoolean, "released", "doctor-for-app2"})
	gone.Attributes[0].Name = "urn:gone"
	want := "4 decisions, 0 the same\n1 not: the record does not \n3 not: they do not end so u"
	if got := replayed(t, policies(t, nil), policies(t, nil), append(entries, long, gone)); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

const rulesBefore = `
version: 1
profiles:
  APP2:
    maximum-validity: 4h
    attributes:
      - {name: "urn:be:fgov:person:ssin:doctor:boolean", namespace: certified}
rules:
  - id: software
    effect: permit
    identity: {kinds: [eid]}
    holder: {kinds: [ehealth-organisation], identifier-prefixes: ["CBE=04", "CBE=08"]}
    profiles: [APP2]
  - id: lost-key
    effect: deny
    holder: {identifiers: ["CBE=0809394427"]}
`

// TestReplayRules: a rule file, whose rules speak of beginnings of identifiers: which a pseudonym has is not known, and is narrowed down by
// how the decision ended.
func TestReplayRules(t *testing.T) {
	entries := []*audit.Entry{
		release(t, "software", "session", alice, software, asked{doctorBoolean, "released", "software"}),
		release(t, "lost", "session", alice, stolen, asked{doctorBoolean, "withheld", "lost-key"}),
		release(t, "hospital", "session", alice, hospital, asked{doctorBoolean, "withheld", ""}),
	}
	boolean := "certified:" + doctorBoolean
	for _, tt := range []struct{ name, old, new, want string }{
		{"the same", "x", "x", "3 decisions, 3 the same"},
		{"one beginning less", `"CBE=04", `, ``, "3 decisions, 2 the same\nsoftware x1 may: " + boolean + ": permit (by software) → deny"},
		{"all beginnings", `, identifier-prefixes: ["CBE=04", "CBE=08"]`, ``, "3 decisions, 2 the same\nhospital x1 will: " + boolean + ": deny → permit (by software)"},
		{"other kinds", `kinds: [eid]`, `kinds: [service]`, "3 decisions, 2 the same\nsoftware x1 will: " + boolean + ": permit (by software) → deny"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := replayed(t, ruleFile(t, rulesBefore), ruleFile(t, strings.Replace(rulesBefore, tt.old, tt.new, 1)), entries); got != tt.want {
				t.Errorf("\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	// From a rule file to policies.
	if got := replayed(t, ruleFile(t, rulesBefore), policies(t, nil), entries); got != "3 decisions, 2 the same\nhospital x1 will: "+boolean+": deny → permit (by doctor-for-app2)" {
		t.Error(got)
	}
}

// TestWithoutKey: without the key of the trail whoever policies mention may have been anybody: less is sure, nothing is wrong.
func TestWithoutKey(t *testing.T) {
	abac := string(must(t, "abac.cedar"))
	report, err := Replay(t.Context(), trail(release(t, "app2", "session", alice, software, asked{doctorBoolean, "released", "doctor-for-app2"})), ReplayConfig{
		Before: policies(t, nil), After: policies(t, map[string]string{"abac.cedar": strings.Replace(abac, "0809394427", "0417497106", 1)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Changes) != 1 || report.Changes[0].Surely {
		t.Errorf("%+v", report)
	}
}

// TestTrailThatBreaks: an error of the trail is not the end of it.
func TestTrailThatBreaks(t *testing.T) {
	broken := errors.New("torn")
	_, err := Replay(t.Context(), func(yield func(*audit.Entry, error) bool) { yield(nil, broken) }, ReplayConfig{
		Before: policies(t, nil), After: policies(t, nil),
	})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// TestExplain: why was it refused, and what would have to be otherwise?
func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		under  Candidate
		entry  *audit.Entry
		by     string
		unless []string
	}{
		{"no doctor", policies(t, nil), recordedDay(t)[3], "", []string{doctorBoolean + " were true"}},
		{"a lost key", policies(t, nil), recordedDay(t)[4], "lost-key", []string{
			"the holder were one that a policy names", "the holder's identifier were of type EHP",
		}},
		{"does not enter", policies(t, nil), recordedDay(t)[6], "", []string{doctorBoolean + " were true"}},
		{"the mode", policies(t, nil), release(t, "mode", "eid-only", alice, alice, asked{doctorBoolean, "withheld", ""}), "",
			[]string{"the holder's certificate were of kind ehealth-organisation & the mode were session"}},
		{"a rule file", ruleFile(t, rulesBefore), release(t, "kind", "session", hospital, software, asked{doctorBoolean, "withheld", ""}), "",
			[]string{"the signer's certificate were of kind eid"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, err := Explain(t.Context(), tt.entry, tt.under, key(t).Pseudonym)
			if err != nil {
				t.Fatal(err)
			}
			if x.Reason != "" || len(x.Denied) != 1 {
				t.Fatalf("%+v", x)
			}
			d := x.Denied[0]
			var unless []string
			for _, u := range d.Unless {
				unless = append(unless, strings.Join(u, " & "))
			}
			if strings.Join(d.By, " ") != tt.by {
				t.Errorf("by %v", d.By)
			}
			for _, want := range tt.unless {
				if !slices.Contains(unless, want) {
					t.Errorf("%q, want %q", unless, want)
				}
			}
			if len(d.Policies)+len(d.Profiles) == 0 {
				t.Error("it names nothing that concerns it")
			}
			for _, secret := range []string{"00000000097", "00000000196", "0417497106"} {
				if strings.Contains(fmt.Sprint(x.What, x.Denied[0].Unless), secret) {
					t.Errorf("it names somebody: %v", d.Unless)
				}
			}
		})
	}
	if x, err := Explain(t.Context(), recordedDay(t)[8], policies(t, nil), nil); err != nil || x.Reason != undecided {
		t.Errorf("%+v, %v", x, err)
	}
}

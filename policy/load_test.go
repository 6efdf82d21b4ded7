package policy

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"sceau/attrs"
)

// wrongIn gives the problems that Load finds, one a line.
func wrongIn(t testing.TB, file string) string {
	t.Helper()
	rules, err := Load(strings.NewReader(file), attrs.EHealth())
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) || e.Reason != InvalidRules || len(e.Problems) == 0 || rules != nil {
		t.Fatalf("%v, %v", rules, err)
	}
	var all []string
	for _, p := range e.Problems {
		all = append(all, p.String())
	}
	return strings.Join(all, "\n")
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	file := `version: 2
profile: {}
profiles:
  APP1:
    maximum-validity: 0h
    fallback-maximum-validity: -1h
    colour: red
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:person:ssin", namespace: certified}
      - {name: "urn:none", namespace: certified}
      - {name: "urn:be:fgov:person:ssin"}
  APP1:
    maximum-validity: 12h
  "bad name":
    maximum-validity: 1.5s
    attributes: []
rules:
  - id: one
    effect: permit
    effect: deny
    profiles: [APP1, APP9]
  - id: one
    effect: allow
    modes: [session, session, always]
  - effect: permit
    identity: {kinds: [eid], identifiers: [CBE=0809394427]}
    profiles: [APP1]
  - just text
`
	want := `line 1: version: this program reads version 1
line 2: the file: unknown key "profile"
line 5: profile "APP1": maximum-validity: must be above zero
line 6: profile "APP1": fallback-maximum-validity: must be above zero
line 7: profile "APP1": unknown key "colour"
line 10: profile "APP1": attributes: the catalogue has no "urn:be:fgov:person:ssin" in "urn:be:fgov:certified-namespace:ehealth"
line 11: profile "APP1": attributes: the catalogue has no "urn:none" in "urn:be:fgov:certified-namespace:ehealth"
line 12: profile "APP1": attributes: no namespace
line 13: profiles: "APP1" stands in line 4 already
line 15: profile "bad name": a name is of up to 64 letters, digits, and inside it - _ .
line 16: profile "bad name": maximum-validity: must be of whole seconds
line 17: profile "bad name": attributes: the list is empty; leave the key out if nothing is meant
line 21: rule: "effect" stands in line 20 already
line 22: rule "one": there is no profile "APP9"
line 23: rule "one": another rule has this id, in line 19
line 24: rule "one": effect: "allow" is none of ["permit" "deny"]
line 25: rule "one": modes: "session" stands in line 25 already
line 25: rule "one": modes: "always" is none of ["session" "eid-only" "fallback"]
line 26: rule: no id
line 27: rule: identity: it can never match: no certificate of these kinds has such an identifier
line 29: rule: must be a mapping, is a text`
	if got := wrongIn(t, file); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOneThingWrong(t *testing.T) {
	const permit = profilesYAML + "rules:\n  - id: r\n    effect: permit\n    identity: {kinds: [eid]}\n    profiles: [APP1]\n"
	const deny = profilesYAML + "rules:\n  - id: r\n    effect: deny\n"
	if got := wrongIn(t, permit) + wrongIn(t, deny); got != "" {
		t.Fatalf("the base of the cases is wrong itself: %s", got)
	}
	replace := func(old, new string) string {
		if !strings.Contains(permit, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(permit, old, new, 1)
	}
	tests := []struct{ name, file, want string }{
		// YAML that is not taken as it may be meant.
		{"not YAML", "version: [", "line 1: not YAML"},
		{"tabs", "version: 1\nrules:\n\t- id: x", "not YAML"},
		{"a list", "- version", "line 1: the file: must be a mapping, is a list"},
		{"a text", "version", "line 1: the file: must be a mapping, is a text"},
		{"two documents", permit + "---\nversion: 1\n", "line 25: a second document"},
		{"two documents, the first empty", "---\n---\n" + permit, "a second document"},
		{"no version", "rules: []", "line 1: the file: no version"},
		{"version as text", "version: \"1\"", "line 1: version: this program reads version 1"},
		{"anchor and alias", replace("profiles: [APP1]", "profiles: &p [APP1]\n    modes: *p"), "must be a list, is an alias"},
		{"anchored text", replace("id: r", "id: &a r"), "tags and anchors are not used here"},
		{"merge key", replace("effect: permit", "<<: {effect: permit}"), `rule: a key: must be a text, is a "!!merge"`},
		{"own tag", replace("id: r", "id: !mine r"), `rule: id: must be a text, is a "!mine"`},
		{"explicit tag", replace("id: r", "id: !!str 5"), "tags and anchors are not used here"},
		{"binary", replace("id: r", "id: !!binary cg=="), `is a "!!binary"`},
		{"number for a text", replace("id: r", "id: 007"), "rule: id: must be a text, is a number (quote it)"},
		{"boolean for a text", replace("id: r", "id: true"), "is a boolean (quote it)"},
		{"nothing for a text", replace("id: r", "id:"), "rule: id: must be a text, is empty"},
		{"empty text", replace("id: r", `id: ""`), "the text is empty"},
		{"long text", replace("id: r", "id: "+strings.Repeat("x", 2000)), "longer than 1024 bytes"},
		{"mapping for a text", replace("id: r", "id: {}"), "must be a text, is a mapping"},
		{"text for a list", replace("[APP1]", "APP1"), "must be a list, is a text"},
		{"text for a mapping", replace("{kinds: [eid]}", "eid"), "identity: must be a mapping, is a text"},
		{"key in another case", replace("effect: permit", "Effect: permit"), `unknown key "Effect"`},
		{"text that steers a terminal", replace("id: r", `id: "a\x1b[2J"`), `rule "a\x1b[2J": a name is`},

		// Durations.
		{"no duration", replace("12h", "soon"), `"soon" is not a duration`},
		{"a number of what", replace("12h", `"12"`), `"12" is not a duration`},
		{"a bare number", replace("12h", "12"), "must be a text, is a number"},
		{"zero", replace("12h", "0s"), "line 5: profile \"APP1\": maximum-validity: must be above zero"},
		{"negative", replace("12h", "-12h"), "must be above zero"},
		{"milliseconds", replace("12h", "1500ms"), "must be of whole seconds"},
		{"for ever", replace("12h", "9000h"), "must not be above 744h0m0s"},
		{"overflow", replace("12h", "9999999999999h"), "is not a duration"},
		{"fallback longer than usual", replace("fallback-maximum-validity: 1h", "fallback-maximum-validity: 13h"), "line 6: profile \"APP1\": fallback-maximum-validity is longer"},

		// Attributes.
		{"namespace of another", replace("namespace: identification}", "namespace: certified}"), "the catalogue has no"},
		{"a wildcard", replace("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", "urn:be:fgov:person:*"), "the catalogue has no"},
		{"a beginning", replace("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", "urn:be:fgov:person:ssin:"), "the catalogue has no"},
		{"twice", replace("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11\", namespace: certified", "urn:be:fgov:person:ssin\", namespace: identification"), "stands there twice"},
		{"twice under an alias", strings.Replace(permit, "      - {name: \"urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean\"",
			"      - {name: \"urn:be:fgov:person:ssin:doctor:boolean\", namespace: certified}\n      - {name: \"urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean\"", 1), "line 15: profile \"APP2\": attributes: \"urn:be:fgov:person:ssin:doctor:boolean\" stands there twice"},

		{"no name", replace("{name: \"urn:be:fgov:person:ssin\", namespace: identification}", "{namespace: identification}"), "line 8: profile \"APP1\": attributes: no name"},
		{"a name of another sort", replace("{name: \"urn:be:fgov:person:ssin\", namespace: identification}", "{name: 1, namespace: identification}"), "attributes: name: must be a text"},
		{"a namespace of another sort", replace("{name: \"urn:be:fgov:person:ssin\", namespace: identification}", "{name: \"urn:be:fgov:person:ssin\", namespace: []}"), "namespace: must be a text"},
		{"a name that begins with a dash", replace("id: r", "id: -r"), "a name is of up to 64"},
		{"a name too long", replace("id: r", "id: "+strings.Repeat("r", 65)), "a name is of up to 64"},

		// Rules that mean nothing.
		{"a permit for nobody in particular", replace("    identity: {kinds: [eid]}\n", ""), "line 21: rule \"r\": a permit rule must say something of the identity"},
		{"an identity that asks nothing", replace("{kinds: [eid]}", "{}"), "it asks nothing"},
		{"a permit of nothing", replace("    profiles: [APP1]\n", ""), "a permit rule must grant profiles"},
		{"a permit of an attribute", permit + "    attributes: [{name: \"urn:be:fgov:person:ssin\", namespace: identification}]\n", "lists no attributes"},
		{"an empty list", replace("[APP1]", "[]"), "the list is empty"},
		{"no rule in rules", profilesYAML + "rules: []\n", "rules: the list is empty"},
		{"no kind", replace("[eid]", "[EID]"), `"EID" is none of`},

		// Identifiers that no certificate has.
		{"no type", deny + "    holder: {identifiers: [\"0809394427\"]}\n", "an identifier is written TYPE=value"},
		{"unknown type", deny + "    holder: {identifiers: [cbe=0809394427]}\n", `no identifier has the type "cbe"`},
		{"unknown NIHII type", deny + "    holder: {identifier-types: [NIHII-HOTEL]}\n", `no identifier has the type "NIHII-HOTEL"`},
		{"letters", deny + "    holder: {identifiers: [CBE=BE08093944]}\n", "is of digits"},
		{"a wildcard in an identifier", deny + "    holder: {identifiers: [\"CBE=08*\"]}\n", "is of digits"},
		{"short", deny + "    holder: {identifiers: [CBE=080939442]}\n", "another number of digits"},
		{"check digits of a CBE", deny + "    holder: {identifiers: [CBE=0809394428]}\n", "the check digits are wrong"},
		{"check digits of an SSIN", deny + "    identity: {identifiers: [SSIN=00000000098]}\n", "the check digits are wrong"},
		{"a beginning that is whole", deny + "    holder: {identifier-prefixes: [CBE=0809394427]}\n", "a beginning is shorter"},
		{"a beginning of nothing", deny + "    holder: {identifier-prefixes: [CBE=]}\n", "is of digits"},

		// Rules that can never match.
		{"an eID with the number of a company", replace("{kinds: [eid]}", "{kinds: [eid], identifiers: [CBE=0809394427]}"), "identity: it can never match"},
		{"a person with the number of a hospital", replace("{kinds: [eid]}", "{kinds: [ehealth-person], identifier-types: [NIHII-HOSPITAL]}"), "it can never match"},
		{"a number of another type", replace("{kinds: [eid]}", "{identifier-types: [NIHII], identifiers: [SSIN=00000000097]}"), "it can never match"},
		{"fallback with an eID", permit + "    modes: [fallback]\n", "line 25: rule \"r\": it can never match: in these modes"},
		{"session without an eID", replace("{kinds: [eid]}", "{kinds: [ehealth-person]}") + "    modes: [session, eid-only]\n", "it can never match"},
		{"eID only with a software key", permit + "    holder: {kinds: [ehealth-organisation]}\n    modes: [eid-only]\n", "it can never match"},
		{"fallback without a validity for it", replace("profiles: [APP1]", "profiles: [APP2]\n    modes: [fallback]") + "", "it can never match"},
		{"fallback, right kind, no validity", strings.Replace(replace("profiles: [APP1]", "profiles: [APP2]\n    modes: [fallback]"), "{kinds: [eid]}", "{kinds: [ehealth-person]}", 1), "it can never permit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := wrongIn(t, test.file)
			if !strings.Contains(got, test.want) {
				t.Errorf("got\n%s\nwant %s", got, test.want)
			}
			if strings.Count(got, "\n") > 1 {
				t.Errorf("one mistake, told as\n%s", got)
			}
			for _, r := range got {
				if r < ' ' && r != '\n' || r == 0x7f {
					t.Errorf("the message holds %U", r)
				}
			}
		})
	}
}

func TestLoadOfWhatIsNoFile(t *testing.T) {
	if _, err := Load(iotest.ErrReader(io.ErrUnexpectedEOF), attrs.EHealth()); reasonOf(err) != Unreadable || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if _, err := Load(strings.NewReader(""), nil); reasonOf(err) != InvalidRules {
		t.Errorf("without a catalogue: %v", err)
	}
	if got := wrongIn(t, "version: 1 #"+strings.Repeat("x", maxFileBytes)); !strings.Contains(got, "larger than") {
		t.Error(got)
	}
	for _, empty := range []string{"", "\n\n", "# nothing yet\n", "---\n", "~\n"} {
		if got := wrongIn(t, empty); got != "" {
			t.Errorf("%q: %s", empty, got)
		}
	}
	// What yaml takes long for is refused by its size or by its depth.
	deep := strings.Repeat("[", 100_000)
	began := time.Now()
	wrongIn(t, deep)
	wrongIn(t, "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n")
	t.Logf("%v", time.Since(began))
}

func TestLint(t *testing.T) {
	told := func(file string) string {
		var all []string
		for _, p := range mustLoad(t, file).Lint() {
			all = append(all, p.String())
		}
		return strings.Join(all, "\n")
	}
	const all = "rules:\n  - {id: all, effect: permit, identity: {kinds: [eid]}, profiles: [APP1, APP2, NAMES]}\n"
	const alias = `line 14: profile "APP2": attributes: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean" is an alias of "urn:be:fgov:person:ssin:doctor:boolean"`
	tests := []struct{ name, file, want string }{
		{"empty", "", "there is no rule: everything is denied"},
		{"an alias", profilesYAML + all, alias},
		{"nobody gets a profile", strings.Replace(profilesYAML+all, ", NAMES", "", 1), alias + "\n" + `line 15: profile "NAMES": no rule grants it`},
		{"a long validity", strings.Replace(profilesYAML+all, "24h", "25h", 1), alias + "\n" + `line 15: profile "NAMES": maximum-validity is above 24h0m0s`},
		{"denied to all", profilesYAML + all + "  - {id: stop, effect: deny}\n",
			alias + "\n" + `line 21: rule "all": it permits nothing, since "stop" denies the same to the same` + "\n" + `line 22: rule "stop": it denies everything to everybody`},
		{"denied to the same", profilesYAML + all + "  - {id: stop, effect: deny, identity: {kinds: [eid, service]}, profiles: [APP1, APP2, NAMES]}\n",
			alias + "\n" + `line 21: rule "all": it permits nothing, since "stop" denies the same to the same`},
		{"denied to some", profilesYAML + all + "  - {id: stop, effect: deny, holder: {kinds: [service]}, profiles: [APP1, APP2, NAMES]}\n", alias},
		{"denied in part", profilesYAML + all + "  - {id: stop, effect: deny, profiles: [APP1]}\n", alias},
		{"denies what nobody has", strings.Replace(profilesYAML+all, ", NAMES", "", 1) + "  - {id: stop, effect: deny, profiles: [NAMES]}\n",
			alias + "\n" + `line 15: profile "NAMES": no rule grants it` + "\n" + `line 22: rule "stop": no rule grants what it denies`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := told(test.file); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
	// A permit rule is dead if a deny rule surely matches whenever it does; where that is not sure nothing is said.
	for _, test := range []struct {
		permit, deny string
		dead         bool
	}{
		{"identity: {kinds: [eid]}", "identity: {kinds: [eid]}", true},
		{"identity: {kinds: [eid, service]}", "identity: {kinds: [eid]}", false},
		{"identity: {identifier-types: [SSIN]}", "identity: {kinds: [eid]}", false},
		{"identity: {identifier-types: [SSIN]}", "identity: {identifier-types: [SSIN, NIHII]}", true},
		{"identity: {identifier-types: [SSIN, NIHII]}", "identity: {identifier-types: [SSIN]}", false},
		{"identity: {kinds: [eid]}", "identity: {identifier-types: [SSIN]}", false},
		{"identity: {identifiers: [SSIN=00000000097]}", "identity: {identifiers: [SSIN=00000000097, SSIN=00000100067]}", true},
		{"identity: {identifiers: [SSIN=00000000097, SSIN=00000100067]}", "identity: {identifiers: [SSIN=00000000097]}", false},
		{"identity: {kinds: [eid]}", "identity: {identifiers: [SSIN=00000000097]}", false},
		{"identity: {identifiers: [SSIN=00000000097], identifier-prefixes: [SSIN=1]}", "identity: {identifiers: [SSIN=00000000097]}", false},
		{"identity: {identifier-prefixes: [SSIN=1]}", "identity: {identifier-prefixes: [SSIN=1]}", false},
		{"identity: {kinds: [eid]}, holder: {kinds: [service]}", "holder: {kinds: [service]}", true},
		{"identity: {kinds: [eid]}, holder: {kinds: [service]}", "holder: {kinds: [eid]}", false},
		{"identity: {kinds: [eid]}, modes: [session]", "modes: [session, eid-only]", true},
		{"identity: {kinds: [eid]}, modes: [session, eid-only]", "modes: [session]", false},
		{"identity: {kinds: [eid]}", "modes: [session]", false},
		{"identity: {kinds: [eid]}, modes: [session]", "identity: {kinds: [eid]}", true},
	} {
		file := profilesYAML + "rules:\n  - {id: p, effect: permit, " + test.permit + ", profiles: [APP1, APP2, NAMES]}\n  - {id: d, effect: deny, " + test.deny + "}\n"
		if got := strings.Contains(told(file), "permits nothing"); got != test.dead {
			t.Errorf("%s against %s: %v", test.permit, test.deny, got)
		}
	}
	if got := (*Rules)(nil).Lint(); len(got) != 1 {
		t.Errorf("nil rules: %v", got)
	}
}

func TestTables(t *testing.T) {
	rules := mustLoad(t, rulesYAML)
	profiles := rules.Profiles()
	if len(profiles) != 3 || profiles[0].Name != "APP1" || profiles[0].Description != "number of a doctor" || profiles[0].MaximumValidity != 12*time.Hour ||
		profiles[0].FallbackMaximumValidity != time.Hour || profiles[0].Line != 3 || len(profiles[0].Attributes) != 2 || !slices.Equal(profiles[0].GrantedBy, []string{"doctors", "fallback"}) {
		t.Errorf("%+v", profiles)
	}
	all := rules.Rules()
	if got := fmt.Sprintf("%+v", all[0]); got != `{ID:doctors Description: Line:21 Permit:true Identity:{Kinds:[eid] IdentifierTypes:[] Identifiers:[] IdentifierPrefixes:[]} `+
		`Holder:{Kinds:[ehealth-organisation] IdentifierTypes:[CBE NIHII-HOSPITAL] Identifiers:[] IdentifierPrefixes:[]} Modes:[] Profiles:[APP1 APP2] Attributes:[] Everything:false OnDenied:omit}` {
		t.Error(got)
	}
	if !all[3].Everything || all[3].Permit || all[4].Everything || all[4].Attributes[0].Name != doctorNIHII || all[2].Holder.IdentifierPrefixes[0] != "NIHII-HOSPITAL=71" || all[1].Modes[0] != "fallback" {
		t.Errorf("%+v", all)
	}
	profiles[0].Attributes[0] = nil
	if rules.Profiles()[0].Attributes[0] == nil {
		t.Error("a table gives away the rules' own memory")
	}
	if (*Rules)(nil).Profiles() != nil || (*Rules)(nil).Rules() != nil {
		t.Error("nil rules have something")
	}
}

// The table that documents the file and the reader of the file are one.
func TestSchemaIsWhatIsRead(t *testing.T) {
	places := map[string]bool{}
	for _, key := range Schema() {
		places[key.In] = true
		if key.Name == "" || key.Text == "" {
			t.Errorf("%+v", key)
		}
		if !strings.Contains(packageComment(t), key.Name) {
			t.Errorf("the package comment does not mention %s", key.Name)
		}
	}
	if len(places) != 6 {
		t.Errorf("%v", places)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(rulesYAML)
	f.Add("")
	f.Add("version: 1\nrules:\n  - {id: a, effect: deny}\n")
	f.Add("version: 1\nprofiles: {A: &x {maximum-validity: 1h, attributes: *x}}\n<<: {}\n")
	f.Fuzz(func(t *testing.T, file string) {
		rules, err := Load(strings.NewReader(file), attrs.EHealth())
		if err != nil {
			if rules != nil || reasonOf(err) != InvalidRules {
				t.Fatalf("%v, %v", rules, err)
			}
			// YAML ends lines at all of these.
			lines := 2 + strings.Count(file, "\n") + strings.Count(file, "\r") + strings.Count(file, "\u0085") + strings.Count(file, "\u2028") + strings.Count(file, "\u2029")
			for _, p := range err.(*Error).Problems {
				if p.Line < 0 || p.Line > lines || p.Text == "" {
					t.Fatalf("%+v", p)
				}
			}
			return
		}
		rules.Lint()
		for _, mode := range modeNames {
			for _, identity := range []Requestor{alice, doctor, company} {
				r := ask(t, identity, hospital, mode, personSSIN, doctorBoolean, doctorNIHII, nurseBoolean, givenName)
				d := release(t, rules, r)
				permitted, maximum, onDenied := reference(rules.Rules(), rules.Profiles(), r)
				for i := range permitted {
					if d.Decisions[i].Permitted() != permitted[i] {
						t.Fatalf("%s: %v", told(d), permitted)
					}
				}
				if d.MaximumValidity != maximum || d.OnDenied != onDenied || d.MaximumValidity > maxDuration {
					t.Fatalf("%v %v, %v %v", d.MaximumValidity, d.OnDenied, maximum, onDenied)
				}
			}
		}
	})
}

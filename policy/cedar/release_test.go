package cedar

import (
	"context"
	"errors"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/policy"
)

func TestReleaseExamples(t *testing.T) {
	const session, eidOnly, fallback = policy.ModeSession, policy.ModeEIDOnly, policy.ModeFallback
	doctorByNumber := policy.Requestor{Kind: policy.KindEHealthPerson, IdentifierType: "NIHII11", Identifier: "10000007004"}
	for _, c := range []struct {
		name             string
		identity, holder policy.Requestor
		mode             string
		attributes       []string
		want             string
	}{
		{"a doctor may have doctor:boolean for APP2", doctor, hospital, session, []string{ssin, doctorBoolean},
			// the number of the person stands in APP1 too, whose window is the longer
			"+number-of-doctors-only doctor-for-app2, +doctor-for-app2; APP1 APP2 2h0m0s omit"},
		{"so may who is none: it is the answer that says so", layman, hospital, session, []string{doctorBoolean}, "+doctor-for-app2; APP2 4h0m0s omit"},
		{"the number of a doctor, no longer than his recognition", doctor, hospital, session, []string{doctorNumber}, "+number-of-doctors-only; APP1 2h0m0s omit"},
		{"not of who is none", layman, hospital, session, []string{doctorNumber}, "-; 0s refuse"},
		{"what nobody permits is left out", doctor, hospital, session, []string{doctorBoolean, givenName}, "+doctor-for-app2, -; APP2 4h0m0s omit"},
		{"the condition does not hold", doctor, doctor, eidOnly, []string{doctorBoolean}, "-; 0s refuse"},
		{"forbid wins", doctor, stolen, session, []string{doctorBoolean, doctorNumber}, "-lost-key, -lost-key; 0s refuse"},
		{"a hospital asks about itself", hospital, hospital, session, []string{recognised}, "+hospital-asks-about-itself; RECOGNITION 24h0m0s refuse"},
		{"not with another's key", hospital, stolen, session, []string{recognised}, "-lost-key; 0s refuse"},
		{"nor in fallback mode, for which it has no window", hospital, hospital, fallback, []string{recognised}, "-; 0s refuse"},
		{"no source knows a doctor by that number", doctorByNumber, hospital, fallback, []string{doctorNumber}, "-; 0s refuse"},
		{"fallback has its own window", doctor, hospital, fallback, []string{doctorNumber}, "+number-of-doctors-only; APP1 1h0m0s omit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := examples(t)
			var d policy.Release
			if err := p.Release(t.Context(), ask(t, c.identity, c.holder, c.mode, c.attributes...), &d); err != nil {
				t.Fatal(err)
			}
			if got := told(&d); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// A source that is down does not make anybody a layman: the decision fails, with the source's reason for whoever reports.
func TestSilentSourceIsAnError(t *testing.T) {
	p, from := examples(t)
	from.fail = &attrs.Error{Reason: attrs.SourceUnavailable, Source: "registry"}
	d := policy.Release{Decisions: []policy.Decision{policy.Permit("of before")}, MaximumValidity: time.Hour, OnDenied: policy.Omit}
	err := p.Release(t.Context(), ask(t, doctor, hospital, policy.ModeSession, doctorNumber), &d)
	if attrs.ReasonOf(err) != attrs.SourceUnavailable {
		t.Errorf("error %v", err)
	}
	if got := told(&d); got != "-; 0s refuse" {
		t.Errorf("beside the error: %s", got)
	}
	// What needs no source is decided without one.
	if err := p.Release(t.Context(), ask(t, doctor, hospital, policy.ModeSession, doctorBoolean), &d); err != nil || !d.Decisions[0].Permitted() {
		t.Errorf("%v, %s", err, told(&d))
	}
}

func TestRolesAreAskedOnce(t *testing.T) {
	p, from := examples(t)
	var d policy.Release
	if err := p.Release(t.Context(), ask(t, doctor, hospital, policy.ModeSession, ssin, doctorNumber, doctorBoolean, givenName), &d); err != nil {
		t.Fatal(err)
	}
	if from.asked != 1 {
		t.Errorf("sources were asked %d times", from.asked)
	}
}

// Nothing fails open: zero and nil policies, an attribute of another catalogue, requests that are none.
func TestZeroDenies(t *testing.T) {
	for name, p := range map[string]*Policies{"nil": nil, "zero": {}, "an empty directory": load(t, files(), nil)} {
		var d policy.Release
		if err := p.Release(t.Context(), ask(t, doctor, hospital, policy.ModeSession, doctorBoolean), &d); err != nil || told(&d) != "-; 0s refuse" {
			t.Errorf("%s: %v, %s", name, err, told(&d))
		}
		answer, err := p.Decide(t.Context(), &Question{Subject: Entity{Type: Person, ID: "SSIN=00000000097"}, Action: Enter,
			Resource: Entity{Type: Application, ID: "DTW"}, At: start})
		if err != nil || answer.Permitted() {
			t.Errorf("%s: %v, %v", name, err, answer)
		}
	}
	p, _ := examples(t)
	foreign, err := attrs.NewCatalogue([]attrs.Definition{*definition(t, ssin)})
	if err != nil {
		t.Fatal(err)
	}
	r := ask(t, doctor, hospital, policy.ModeSession, ssin)
	for d := range foreign.All() {
		r.Attributes = append(r.Attributes, d, nil)
	}
	var d policy.Release
	if err := p.Release(t.Context(), r, &d); err != nil || d.Decisions[1].Permitted() || d.Decisions[2].Permitted() || !d.Decisions[0].Permitted() {
		t.Errorf("of another catalogue: %v, %s", err, told(&d))
	}
	for name, change := range map[string]func(*policy.ReleaseRequest){
		"no mode":   func(r *policy.ReleaseRequest) { r.Mode = "" },
		"no kind":   func(r *policy.ReleaseRequest) { r.Identity.Kind = "" },
		"no holder": func(r *policy.ReleaseRequest) { r.Holder.Kind = "eID" },
		"no time":   func(r *policy.ReleaseRequest) { r.At = time.Time{} },
	} {
		r := ask(t, doctor, hospital, policy.ModeSession, doctorBoolean)
		change(r)
		var wrong *policy.Error
		if err := p.Release(t.Context(), r, &d); !errors.As(err, &wrong) || wrong.Reason != policy.InvalidRequest || d.Decisions[0].Permitted() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A policy whose condition cannot be evaluated: a forbid denies, since it might have held; a permit permits nothing. The
// sum overflows, which the validator cannot foresee.
func TestErrorsDeny(t *testing.T) {
	const overflow = `when { context.assurance + 9223372036854775807 > 0 && context.assurance + 9223372036854775807 + 1 > 0 };`
	permit := `@id("all") @maximum_validity("1h") permit (principal is Person, action == Action::"release-attribute", resource);`
	for name, c := range map[string]struct{ policies, want string }{
		"none":     {permit, "+all; 1h0m0s refuse"},
		"a forbid": {permit + `@id("broken") @on_denied("omit") forbid (principal, action, resource) ` + overflow, "-broken; 0s refuse"},
		"a permit": {`@id("broken") @maximum_validity("1h") permit (principal, action == Action::"release-attribute", resource) ` + overflow, "-; 0s refuse"},
		"both, and another permit": {permit + `@id("broken") @maximum_validity("2h") permit (principal, action == Action::"release-attribute", resource) ` + overflow,
			"+all; 1h0m0s refuse"},
	} {
		t.Run(name, func(t *testing.T) {
			var d policy.Release
			if err := load(t, files("a.cedar", c.policies), nil).Release(t.Context(), ask(t, doctor, hospital, policy.ModeSession, doctorBoolean), &d); err != nil {
				t.Fatal(err)
			}
			if got := told(&d); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Every decision names all policies that determined it, the one whose window counts first.
func TestDeterminingPolicies(t *testing.T) {
	p := load(t, files("a.cedar", `
@id("short") @maximum_validity("1h") permit (principal is Person, action == Action::"release-attribute", resource);
@id("long")  @maximum_validity("5h") permit (principal is Person, action == Action::"release-attribute", resource);
@id("no-numbers") forbid (principal, action == Action::"release-attribute", resource == Attribute::"certified:`+doctorNumber+`");
@id("no-doctors") @on_denied("omit") forbid (principal, action, resource) when { resource has name && resource.name like "*:doctor:*" };
`), nil)
	var d policy.Release
	if err := p.Release(context.Background(), ask(t, doctor, hospital, policy.ModeSession, ssin, doctorNumber), &d); err != nil {
		t.Fatal(err)
	}
	if got, want := told(&d), "+long short, -no-numbers no-doctors; 5h0m0s refuse"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a decision costs beside the engine's own work does not creep up.
func TestReleaseAllocations(t *testing.T) {
	p := load(t, files("profiles.yaml", manyProfiles, "many.cedar", manyPolicies(10)), nil)
	r := ask(t, hospital, hospital, policy.ModeSession, ssin, doctorBoolean)
	var d policy.Release
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		if err := p.Release(ctx, r, &d); err != nil || !d.Decisions[1].Permitted() {
			t.Error(err, told(&d))
		}
	})
	if n > 75+raceSlack {
		t.Errorf("%v allocations for two attributes", n)
	}
}

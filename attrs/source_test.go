package attrs

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestStatic(t *testing.T) {
	now := func() time.Time { return instant }
	doctor, surname := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified), find(t, person+"surname", NamespaceCertified)
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	sound := StaticFact{Subject{SubjectSSIN, alice}, doctor, Fact{Value: "true"}}
	s, err := NewStatic("static", now, []StaticFact{sound, {sound.Subject, surname, Fact{Value: "Example", NotOnOrAfter: instant.Add(1)}}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(who string, at time.Time) string {
		t.Helper()
		got, err := s.Resolve(t.Context(), &Query{Subjects: []Keyed{{ssin, who}}, Definitions: []*Definition{surname, doctor}, At: at}, nil)
		if err != nil || len(got) != 2 {
			t.Fatalf("%v, %v", got, err)
		}
		for i := range got {
			if err := got[i].Check(at); err != nil {
				t.Error(err)
			}
		}
		return strings.Join(wire(got[0]), ",") + " " + strings.Join(wire(got[1]), ",")
	}
	if got := ask(alice, instant); got != "Example true" {
		t.Error(got)
	}
	if got := ask(alice, instant.Add(1)); got != " true" {
		t.Error(got)
	}
	if got := ask("93051822361", instant); got != " false" {
		t.Error(got)
	}
	if epoch, ok := s.Epoch(); !ok || epoch == 0 || s.ID() != "static" {
		t.Error("epoch or ID")
	}
	if _, err := s.Resolve(t.Context(), &Query{Definitions: []*Definition{doctor}, At: instant}, nil); ReasonOf(err) != NoSubject {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Resolve(gone, &Query{Subjects: []Keyed{{ssin, alice}}, Definitions: []*Definition{doctor}, At: instant}, nil); ReasonOf(err) != Canceled {
		t.Error(err)
	}

	with := func(change func(*StaticFact)) StaticFact { f := sound; change(&f); return f }
	for name, f := range map[string]StaticFact{
		"zero":                  {},
		"no attribute":          with(func(f *StaticFact) { f.Definition = nil }),
		"identification":        with(func(f *StaticFact) { f.Definition = ssin }),
		"computed":              with(func(f *StaticFact) { f.Definition = find(t, UserSession, NamespaceCertified) }),
		"wrong check digit":     with(func(f *StaticFact) { f.Subject.Value = "00000000098" }),
		"wrong type":            with(func(f *StaticFact) { f.Subject = Subject{SubjectCBE, "0809394427"} }),
		"wrong value":           with(func(f *StaticFact) { f.Value = "yes" }),
		"ends at its beginning": with(func(f *StaticFact) { f.NotBefore, f.NotOnOrAfter = instant, instant }),
	} {
		if _, err := NewStatic("static", now, []StaticFact{f}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewStatic("", now, nil); err == nil {
		t.Error("no ID: accepted")
	}
	if _, err := NewStatic("static", nil, nil); err == nil {
		t.Error("no clock: accepted")
	}
	conflict, err := NewStatic("static", now, []StaticFact{sound, with(func(f *StaticFact) { f.Value = "false" })})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := conflict.Resolve(t.Context(), &Query{Subjects: []Keyed{{ssin, alice}}, Definitions: []*Definition{doctor}, At: instant}, nil); ReasonOf(err) != BadAnswer || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestErrorText(t *testing.T) {
	e := &Error{Reason: BadAnswer, Source: "s", Attribute: "a", Err: errKind}
	if got := e.Error(); got != "attributes: bad answer: source s: a: "+errKind.Error() {
		t.Error(got)
	}
	for r := SourceUnavailable; r <= InvalidQuery; r++ {
		if r.String() == "" || r.String() == "invalid reason" {
			t.Errorf("reason %d has no name", r)
		}
		if r.Temporary() != (r <= Canceled) {
			t.Errorf("%v: temporary %v", r, r.Temporary())
		}
	}
	if Reason(0).String() != "invalid reason" || Reason(99).String() != "invalid reason" || ReasonOf(nil) != 0 || ReasonOf(errKind) != 0 {
		t.Error("a reason of nothing")
	}
	for _, s := range []string{State(0).String(), State(9).String(), ValueKind(0).String(), ValueKind(99).String(), Group(0).String()} {
		if !strings.HasPrefix(s, "invalid") {
			t.Error(s)
		}
	}
}

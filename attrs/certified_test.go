package attrs

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var instant = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

const alice = "00000000097"

func find(t testing.TB, name, namespace string) *Definition {
	t.Helper()
	d, ok := EHealth().Find(Designator{name, namespace})
	if !ok {
		t.Fatalf("no attribute %q in %q", name, namespace)
	}
	return d
}

func wire(c Certified) []string { return slices.Collect(c.WireValues) }

func TestWireValues(t *testing.T) {
	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	name := find(t, person+"givenname", NamespaceCertified)
	tests := map[string]struct {
		answer Certified
		want   []string
	}{
		"boolean affirmed":          {Certified{Definition: doctor, State: Affirmed}, []string{"true"}},
		"boolean denied":            {Certified{Definition: doctor, State: Denied}, []string{"false"}},
		"boolean unknown":           {Certified{Definition: doctor, State: Unknown}, []string{"false"}},
		"text affirmed":             {Certified{Definition: name, State: Affirmed, Values: []string{"Alice"}}, []string{"Alice"}},
		"several values":            {Certified{Definition: name, State: Affirmed, Values: []string{"a", "b"}}, []string{"a", "b"}},
		"text unknown":              {Certified{Definition: name, State: Unknown}, []string{""}},
		"the zero answer":           {Certified{}, nil},
		"no state":                  {Certified{Definition: doctor}, nil},
		"no state, with values":     {Certified{Definition: name, Values: []string{"Alice"}}, nil},
		"no definition":             {Certified{State: Affirmed, Values: []string{"Alice"}}, nil},
		"a state that is not one":   {Certified{Definition: doctor, State: Unknown + 1}, nil},
		"boolean, value smuggled":   {Certified{Definition: doctor, State: Denied, Values: []string{"true"}}, []string{"false"}},
		"unknown, value smuggled":   {Certified{Definition: name, State: Unknown, Values: []string{"Alice"}}, []string{""}},
		"text denied, is no answer": {Certified{Definition: name, State: Denied}, []string{""}},
	}
	for name, test := range tests {
		if got := wire(test.answer); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	c := Certified{Definition: name, State: Affirmed, Values: []string{"a", "b"}}
	for v := range c.WireValues {
		if v != "a" {
			t.Error("it goes on after the loop has ended")
		}
		break
	}
	total := 0
	if n := testing.AllocsPerRun(100, func() {
		for v := range c.WireValues {
			total += len(v)
		}
	}); n != 0 {
		t.Errorf("WireValues allocates %v times", n)
	}
}

func TestCheck(t *testing.T) {
	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	nihii := find(t, person+"doctor:nihii11", NamespaceCertified)
	sound := func(d *Definition, s State, values ...string) Certified {
		return Certified{Definition: d, State: s, Values: values, Source: "s", RetrievedAt: instant}
	}
	with := func(c Certified, change func(*Certified)) Certified { change(&c); return c }
	for name, c := range map[string]Certified{
		"boolean affirmed":  sound(doctor, Affirmed),
		"boolean denied":    sound(doctor, Denied),
		"boolean unknown":   sound(doctor, Unknown),
		"nihii11 affirmed":  sound(nihii, Affirmed, "71000040001"),
		"nihii11 unknown":   sound(nihii, Unknown),
		"begins now":        with(sound(doctor, Affirmed), func(c *Certified) { c.NotBefore = instant }),
		"ends just after":   with(sound(doctor, Affirmed), func(c *Certified) { c.NotOnOrAfter = instant.Add(1) }),
		"retrieved earlier": with(sound(doctor, Affirmed), func(c *Certified) { c.RetrievedAt = instant.Add(-time.Hour) }),
	} {
		if err := c.Check(instant); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]Certified{
		"zero":                     {},
		"no definition":            with(sound(doctor, Affirmed), func(c *Certified) { c.Definition = nil }),
		"no state":                 sound(doctor, 0),
		"unknown state":            sound(doctor, Unknown+1),
		"no source":                with(sound(doctor, Affirmed), func(c *Certified) { c.Source = "" }),
		"no time of retrieval":     with(sound(doctor, Affirmed), func(c *Certified) { c.RetrievedAt = time.Time{} }),
		"boolean with a value":     sound(doctor, Affirmed, "true"),
		"denied with a value":      sound(doctor, Denied, "false"),
		"nihii11 without a value":  sound(nihii, Affirmed),
		"nihii11 denied":           sound(nihii, Denied),
		"nihii11 unknown, a value": sound(nihii, Unknown, "71000040001"),
		"nihii11 twice":            sound(nihii, Affirmed, "71000040001", "71000040002"),
		"wrong check digit":        sound(nihii, Affirmed, "71000041001"),
		"markup":                   sound(nihii, Affirmed, "<saml:Attribute/>"),
		"empty value":              sound(nihii, Affirmed, ""),
		"not yet valid":            with(sound(doctor, Affirmed), func(c *Certified) { c.NotBefore = instant.Add(1) }),
		"no longer valid (R4)":     with(sound(doctor, Affirmed), func(c *Certified) { c.NotOnOrAfter = instant }),
	} {
		if err := c.Check(instant); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEarliest(t *testing.T) {
	a, b := instant, instant.Add(time.Hour)
	tests := []struct {
		ends []time.Time
		want time.Time
	}{
		{nil, time.Time{}}, {[]time.Time{{}}, time.Time{}}, {[]time.Time{{}, b, {}, a, {}}, a}, {[]time.Time{b}, b},
	}
	for i, test := range tests {
		var answers []Certified
		for _, end := range test.ends {
			answers = append(answers, Certified{NotOnOrAfter: end})
		}
		if got := Earliest(answers); !got.Equal(test.want) {
			t.Errorf("%d: %v", i, got)
		}
	}
}

func TestCertify(t *testing.T) {
	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	nihii := find(t, person+"doctor:nihii11", NamespaceCertified)
	several := *nihii
	several.Multiple = true
	day := 24 * time.Hour
	at := func(days int) time.Time { return instant.Add(time.Duration(days) * day) }
	ever := time.Time{}
	const a, b = "71000040001", "71000040002"
	tests := []struct {
		name      string
		d         *Definition
		facts     []Fact
		state     State // zero: an error
		values    []string
		from, end time.Time
	}{
		{"nothing about a boolean", doctor, nil, Denied, nil, ever, ever},
		{"nothing about another", nihii, nil, Unknown, nil, ever, ever},
		{"true for ever", doctor, []Fact{{"true", ever, ever}}, Affirmed, nil, ever, ever},
		{"false for ever", doctor, []Fact{{"false", ever, ever}}, Denied, nil, ever, ever},
		{"true for a while", doctor, []Fact{{"true", at(-1), at(1)}}, Affirmed, nil, at(-1), at(1)},
		{"false for a while", doctor, []Fact{{"false", at(-1), at(1)}}, Denied, nil, at(-1), at(1)},
		{"begins now", doctor, []Fact{{"true", at(0), at(1)}}, Affirmed, nil, at(0), at(1)},
		{"ends now", doctor, []Fact{{"true", at(-1), at(0)}}, Denied, nil, ever, ever},
		{"begins later", doctor, []Fact{{"true", at(1), ever}}, Denied, nil, ever, at(1)},
		{"false begins later", doctor, []Fact{{"false", at(1), ever}}, Denied, nil, ever, ever},
		{"false, then true", doctor, []Fact{{"false", ever, at(2)}, {"true", at(2), ever}}, Denied, nil, ever, at(2)},
		{"true, then false", doctor, []Fact{{"true", ever, at(2)}, {"false", at(2), ever}}, Affirmed, nil, ever, at(2)},
		{"renewed without a gap", doctor, []Fact{{"true", at(1), at(2)}, {"true", at(-1), at(1)}, {"true", at(2), at(3)}}, Affirmed, nil, at(-1), at(3)},
		{"renewed for ever", doctor, []Fact{{"true", at(-1), at(1)}, {"true", at(1), ever}}, Affirmed, nil, at(-1), ever},
		{"renewed after a gap", doctor, []Fact{{"true", at(-1), at(1)}, {"true", at(2), ever}}, Affirmed, nil, at(-1), at(1)},
		{"true and false at once", doctor, []Fact{{"true", ever, ever}, {"false", at(-1), at(1)}}, 0, nil, ever, ever},
		{"not a boolean", doctor, []Fact{{"maybe", ever, ever}}, 0, nil, ever, ever},
		{"not a boolean, in the past", doctor, []Fact{{"TRUE", ever, at(-1)}}, 0, nil, ever, ever},
		{"a number", nihii, []Fact{{a, ever, at(1)}}, Affirmed, []string{a}, ever, at(1)},
		{"a number changes", nihii, []Fact{{a, ever, at(1)}, {b, at(1), ever}}, Affirmed, []string{a}, ever, at(1)},
		{"a number begins later", nihii, []Fact{{a, at(1), ever}}, Unknown, nil, ever, at(1)},
		{"two numbers at once", nihii, []Fact{{a, ever, ever}, {b, ever, ever}}, 0, nil, ever, ever},
		{"one number twice", nihii, []Fact{{a, at(-2), at(1)}, {a, at(-1), at(2)}}, Affirmed, []string{a}, at(-2), at(2)},
		{"wrong check digit", nihii, []Fact{{"71000041001", ever, ever}}, 0, nil, ever, ever},
		{"several numbers, sorted", &several, []Fact{{b, at(-1), at(2)}, {a, at(-2), at(1)}}, Affirmed, []string{a, b}, at(-1), at(1)},
	}
	for _, test := range tests {
		c, err := Certify(test.d, test.facts, instant)
		if test.state == 0 {
			if err == nil || c.State != 0 || c.Definition != nil {
				t.Errorf("%s: %+v, %v", test.name, c, err)
			}
			continue
		}
		if err != nil || c.State != test.state || !slices.Equal(c.Values, test.values) || !c.NotBefore.Equal(test.from) || !c.NotOnOrAfter.Equal(test.end) {
			t.Errorf("%s: %+v, %v", test.name, c, err)
		}
	}
}

// Whatever the facts, an answer says what holds at its instant and goes on being right until the end it gives itself,
// and an end in another zone is the same end.
func TestCertifyHoldsUntilItsEnd(t *testing.T) {
	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	several := *find(t, person+"givenname", NamespaceCertified)
	several.Multiple = true
	zones := []*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("", -7200)}
	rapid.Check(t, func(t *rapid.T) {
		d, values := doctor, []string{"true", "false"}
		if rapid.Bool().Draw(t, "text") {
			d, values = &several, []string{"a", "b", "c"}
		}
		moment := func(label string) time.Time {
			n := rapid.IntRange(-6, 6).Draw(t, label)
			if n == -6 {
				return time.Time{}
			}
			return instant.Add(time.Duration(n) * time.Hour).In(rapid.SampledFrom(zones).Draw(t, "zone"))
		}
		var facts []Fact
		for range rapid.IntRange(0, 6).Draw(t, "facts") {
			f := Fact{rapid.SampledFrom(values).Draw(t, "value"), moment("from"), moment("to")}
			if f.NotOnOrAfter.IsZero() || f.NotBefore.Before(f.NotOnOrAfter) {
				facts = append(facts, f)
			}
		}
		holding := func(at time.Time) []string {
			var all []string
			for _, f := range facts {
				if !at.Before(f.NotBefore) && (f.NotOnOrAfter.IsZero() || at.Before(f.NotOnOrAfter)) && !slices.Contains(all, f.Value) {
					all = append(all, f.Value)
				}
			}
			slices.Sort(all)
			return all
		}
		c, err := Certify(d, facts, instant)
		now := holding(instant)
		if len(now) > 1 && d.Kind == Boolean {
			if err == nil {
				t.Fatal("a contradiction is certified")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Source, c.RetrievedAt = "s", instant
		if err := c.Check(instant); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		affirmed := len(now) > 0 && now[0] != "false"
		if affirmed != (c.State == Affirmed) || d.Kind != Boolean && !slices.Equal(c.Values, now) {
			t.Fatalf("%+v, but %q hold", c, now)
		}
		for h := 0; h <= 7; h++ {
			later := instant.Add(time.Duration(h) * time.Hour)
			if !c.NotOnOrAfter.IsZero() && !later.Before(c.NotOnOrAfter) {
				break
			}
			then := holding(later)
			switch {
			case affirmed:
				for _, v := range now {
					if !slices.Contains(then, v) {
						t.Fatalf("%q, affirmed until %v, does not hold at %v", v, c.NotOnOrAfter, later)
					}
				}
			case len(then) > 0 && then[len(then)-1] != "false":
				t.Fatalf("%v until %v, but %q hold at %v", c.State, c.NotOnOrAfter, then, later)
			}
		}
	})
}

package rp_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

func text(t testing.TB, m rptest.Members) []byte {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseClaims(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		good bool
	}{
		"empty object":          {`{}`, true},
		"spaces around":         {" {\"a\":1}\r\n", true},
		"nothing":               {``, false},
		"a list":                {`[]`, false},
		"null":                  {`null`, false},
		"a name twice":          {`{"a":1,"a":2}`, false},
		"a name twice, escaped": {`{"a":1,"\u0061":2}`, false},
		"a name twice within":   {`{"a":{"b":1,"b":2}}`, false},
		"in a list within":      {`{"a":[{"b":1,"b":2}]}`, false},
		"two names of two":      {`{"a":{"b":1},"c":{"b":2}}`, true},
		"another case":          {`{"a":1,"A":2}`, true},
		"two objects":           {`{}{}`, false},
		"a comma too many":      {`{"a":1,}`, false},
		"cut":                   {`{"a":[1`, false},
		"no UTF-8":              {"{\"a\":\"\xff\"}", false},
		"half a pair in a name": {`{"\ud800":1}`, false},
		"eleven deep":           {`{"a":` + strings.Repeat("[", 11) + strings.Repeat("]", 11) + `}`, true},
		"twelve deep":           {`{"a":` + strings.Repeat("[", 12) + strings.Repeat("]", 12) + `}`, false},
		"too many":              {`{"a":[` + strings.Repeat("1,", 5000) + `1]}`, false},
		"a big number":          {`{"a":1e999}`, true},
	} {
		c, err := rp.ParseClaims([]byte(tt.text))
		if (err == nil) != tt.good || err != nil && len(c.Names()) != 0 {
			t.Errorf("%s: %v, %v", name, c.Names(), err)
		}
	}
}

func TestClaims(t *testing.T) {
	c, err := rp.ParseClaims([]byte(`{"s":"x","l":["a","b"],"e":[""],"n":1796000000,"f":1796000000.9,"b":true,"t":"true","z":null,"big":1e999,"o":{"a":1},"m":["a",1],"neg":-5}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.String("s") != "x" || c.String("l") != "" || c.String("n") != "" || c.String("S") != "" || c.String("z") != "" {
		t.Error("String")
	}
	if !slices.Equal(c.Strings("s"), []string{"x"}) || !slices.Equal(c.Strings("l"), []string{"a", "b"}) || c.Strings("e") != nil || c.Strings("m") != nil || c.Strings("o") != nil || c.Strings("none") != nil {
		t.Error("Strings")
	}
	at := time.Unix(1796000000, 0)
	if !c.Time("n").Equal(at) || !c.Time("f").Equal(at) || !c.Time("big").IsZero() || !c.Time("neg").IsZero() || !c.Time("s").IsZero() || !c.Time("none").IsZero() {
		t.Error("Time")
	}
	if !c.Bool("b") || !c.Bool("t") || c.Bool("s") || c.Bool("n") || c.Bool("none") {
		t.Error("Bool")
	}
	if !c.Has("z") || c.Has("none") || c.Decode("z", new(string)) {
		t.Error("Has")
	}
	var zero rp.Claims
	if zero.Has("a") || zero.String("a") != "" || zero.Names() != nil || zero.Decode("a", new(any)) {
		t.Error("the zero Claims")
	}
}

// FuzzClaims: what is read is one object in which every reader finds the same, and what Pro Santé Connect says comes through as it is.
func FuzzClaims(f *testing.F) {
	f.Add(text(f, professional()))
	for _, s := range []string{`{}`, `{"a":1,"a":2}`, `{"SubjectNameID":"8","SubjectRole":"10^1.2"}`, `{"SubjectNameID":"899700000017","otherIDs":[{"qualite":1}],"SubjectRefPro":{"exercices":[{"activities":[{}]}]}}`, `{"exp":1e308,"aud":["a",null]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		c, err := rp.ParseClaims(octets)
		if err != nil {
			if len(c.Names()) != 0 {
				t.Fatal("an error, and claims")
			}
			return
		}
		var whole map[string]any
		if err := json.Unmarshal(octets, &whole); err != nil && !strings.Contains(err.Error(), "range") && !strings.Contains(err.Error(), "cannot unmarshal number") {
			t.Fatal(err)
		}
		for _, name := range c.Names() {
			c.Strings(name)
			c.Bool(name)
			if at := c.Time(name); !at.IsZero() && (at.Unix() < 0 || at.Year() > 9999) {
				t.Fatalf("%s", at)
			}
		}
		s, err := rp.ParseProSante(c)
		if (err == nil) != (s != nil) {
			t.Fatal("an error, and a professional")
		}
		if err != nil {
			return
		}
		if id := s.Identifier(); id.Value == "" || !strings.HasSuffix(s.NameID, id.Value) || s.NameID != c.String("SubjectNameID") {
			t.Fatalf("%+v", id)
		}
		for name, values := range s.Attributes() {
			if name == "" || len(values) == 0 || slices.Contains(values, "") {
				t.Fatalf("%s: %q", name, values)
			}
		}
		for _, r := range s.Roles {
			if back, err := rp.ParseCoded(r.String()); err != nil || back != r {
				t.Fatalf("%v", r)
			}
		}
	})
}

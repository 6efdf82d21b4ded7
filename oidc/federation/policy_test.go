package federation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/oidc/internal/strictjson"
)

const typ = relyingParty

// one is a policy of one parameter "p", written as JSON.
func one(ops string) []byte { return []byte(`{"` + typ + `":{"p":` + ops + `}}`) }

// TestOperators: each operator on a parameter that is there, that is not, and of another type (6.1.3.1). "-" is a parameter that is not there.
func TestOperators(t *testing.T) {
	for _, c := range []struct{ ops, in, want string }{
		{`{"value":"a"}`, `"b"`, `"a"`}, {`{"value":"a"}`, `-`, `"a"`}, {`{"value":["a"]}`, `["b"]`, `["a"]`}, {`{"value":7}`, `"b"`, `7`},
		{`{"value":false}`, `true`, `false`}, {`{"value":null}`, `"b"`, `-`}, {`{"value":null}`, `-`, `-`}, {`{"value":{"a":1}}`, `-`, `{"a":1}`},
		{`{"value":"a","essential":true}`, `-`, `"a"`}, {`{"value":[]}`, `["a"]`, `[]`},
		{`{"add":["a"]}`, `["b"]`, `["b","a"]`}, {`{"add":["a"]}`, `["a"]`, `["a"]`}, {`{"add":["a","b"]}`, `-`, `["a","b"]`}, {`{"add":["a"]}`, `"a"`, `error`},
		{`{"add":["a"]}`, `[1]`, `error`}, {`{"add":[1,2]}`, `[2,3]`, `[2,3,1]`}, {`{"add":[{"a":1}]}`, `[{"a":1}]`, `[{"a":1}]`}, {`{"add":[]}`, `-`, `[]`},
		{`{"default":"a"}`, `"b"`, `"b"`}, {`{"default":"a"}`, `-`, `"a"`}, {`{"default":false}`, `true`, `true`}, {`{"default":0}`, `-`, `0`}, {`{"default":[]}`, `-`, `[]`},
		{`{"default":["a"]}`, `[]`, `[]`},
		{`{"one_of":["a","b"]}`, `"b"`, `"b"`}, {`{"one_of":["a","b"]}`, `"c"`, `error`}, {`{"one_of":["a","b"]}`, `-`, `-`}, {`{"one_of":[1,2]}`, `2`, `2`},
		{`{"one_of":["true"]}`, `true`, `error`}, {`{"one_of":["a"]}`, `["a"]`, `error`}, {`{"one_of":["1"]}`, `1`, `error`}, {`{"one_of":[{"a":1,"b":2}]}`, `{"b":2,"a":1}`, `{"a":1,"b":2}`},
		{`{"subset_of":["a","b","c"]}`, `["a","e"]`, `["a"]`}, {`{"subset_of":["a","b","c"]}`, `["d","e"]`, `[]`}, {`{"subset_of":["a"]}`, `-`, `-`},
		{`{"subset_of":["a"]}`, `"a"`, `error`}, {`{"subset_of":[]}`, `["a"]`, `[]`}, {`{"subset_of":["1"]}`, `[1]`, `[]`}, {`{"subset_of":["a"]}`, `[["a"]]`, `error`},
		{`{"subset_of":["a","b","c"],"essential":true}`, `["d"]`, `[]`}, {`{"subset_of":["a"],"essential":true}`, `-`, `error`}, {`{"subset_of":["a"],"essential":false}`, `-`, `-`},
		{`{"superset_of":["a"]}`, `["a","b"]`, `["a","b"]`}, {`{"superset_of":["a"]}`, `["b"]`, `error`}, {`{"superset_of":["a"]}`, `-`, `-`}, {`{"superset_of":["a"]}`, `"a"`, `error`},
		{`{"superset_of":[]}`, `[]`, `[]`},
		{`{"essential":true}`, `-`, `error`}, {`{"essential":true}`, `""`, `""`}, {`{"essential":true}`, `[]`, `[]`}, {`{"essential":false}`, `-`, `-`}, {`{"essential":true}`, `{"a":1}`, `{"a":1}`},
		// In order: value, add, default, one_of, subset_of, superset_of, essential.
		{`{"add":["a"],"default":["b"]}`, `-`, `["a"]`}, {`{"default":["a","x"],"subset_of":["a","b"]}`, `-`, `["a"]`}, {`{"default":"x","one_of":["a"]}`, `-`, `error`},
		{`{"subset_of":["a","b"],"superset_of":["a"]}`, `["a","x"]`, `["a"]`}, {`{"subset_of":["a","b"],"superset_of":["a"]}`, `["b","x"]`, `error`},
		{`{"add":["b"],"subset_of":["a","b"],"superset_of":["b"]}`, `["x"]`, `["b"]`}, {`{"value":["a","b"],"add":["b"],"default":["z"]}`, `-`, `["a","b"]`},
		// What is not understood and not critical is left out.
		{`{"regexp":"^a"}`, `"b"`, `"b"`}, {`{}`, `"b"`, `"b"`}, {`{"one_of":["a"]}`, `null`, `error`},
	} {
		p, err := ParsePolicy(one(c.ops))
		if err != nil {
			t.Errorf("%s: %v", c.ops, err)
			continue
		}
		in := map[string]any{}
		if c.in != "-" {
			in = parseJSON(t, `{"p":`+c.in+`}`)
		}
		out, err := p.Apply(Metadata{typ: in})
		got := "-"
		switch v, there := out[typ]["p"]; {
		case err != nil:
			if got = "error"; out != nil || reasonOf(err) != PolicyViolated {
				t.Errorf("%s on %s: %v with %v", c.ops, c.in, err, out)
			}
		case there:
			got = strings.TrimSpace(canonical(v))
		}
		if got != c.want {
			t.Errorf("%s on %s: %s, want %s (%v)", c.ops, c.in, got, c.want, err)
		}
	}
}

// TestIllegalPolicies: what may not stand in a policy, alone or together.
func TestIllegalPolicies(t *testing.T) {
	for _, ops := range []string{
		`{"value":"a","one_of":["b"]}`, `{"value":["a"],"add":["b"]}`, `{"value":["a"],"subset_of":["b"]}`, `{"value":["a"],"superset_of":["a","b"]}`,
		`{"value":"a","add":["a"]}`, `{"value":"a","subset_of":["a"]}`, `{"value":null,"essential":true}`, `{"value":null,"default":"a"}`, `{"value":null,"one_of":["a"]}`,
		`{"value":null,"add":["a"]}`, `{"value":null,"subset_of":["a"]}`, `{"value":null,"superset_of":[]}`, `{"value":["a",null]}`,
		`{"add":["a"],"one_of":["a"]}`, `{"add":["a"],"subset_of":["b"]}`, `{"add":"a"}`, `{"add":null}`, `{"add":[null]}`, `{"add":["a",1]}`, `{"add":[["a"]]}`, `{"add":[true]}`,
		`{"default":null}`, `{"one_of":"a"}`, `{"one_of":[]}`, `{"one_of":[true]}`, `{"one_of":null}`, `{"one_of":["a"],"subset_of":["a"]}`, `{"one_of":["a"],"superset_of":["a"]}`,
		`{"subset_of":"a"}`, `{"subset_of":{}}`, `{"subset_of":["a"],"superset_of":["a","b"]}`, `{"superset_of":1}`, `{"essential":"true"}`, `{"essential":null}`, `{"essential":1}`,
		`[]`, `"a"`, `null`,
	} {
		_, err := ParsePolicy(one(ops))
		if reasonOf(err) != BadPolicy {
			t.Errorf("%s: %v", ops, err)
		}
	}
	for _, text := range []string{`{"a":{"p":{"value":1}},"a":{}}`, `{"a":{"p":{"value":1},"p":{"value":2}}}`, `{"a":{"p":{"value":1,"value":2}}}`, `{"a":{"p":{"value":1}}} {}`, `[]`, ``, "{\"a\xff\":{}}"} {
		if _, err := ParsePolicy([]byte(text)); reasonOf(err) != Malformed {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParsePolicy([]byte(`{"a":1}`)); reasonOf(err) != BadPolicy {
		t.Errorf("a type without parameters: %v", err)
	}
}

// TestMerge: a superior's operators with those of the one below (6.1.3.1, 6.1.4.1).
func TestMerge(t *testing.T) {
	for _, c := range []struct{ above, below, want string }{
		{`{"value":"a"}`, `{"value":"a"}`, `{"value":"a"}`}, {`{"value":"a"}`, `{"value":"b"}`, `error`}, {`{"value":null}`, `{"value":"a"}`, `error`}, {`{"value":null}`, `{"value":null}`, `{"value":null}`},
		{`{"value":["a","b"]}`, `{"value":["b","a"]}`, `{"value":["a","b"]}`}, {`{"value":["a"]}`, `{"value":["a","a"]}`, `error`}, {`{"value":"1"}`, `{"value":1}`, `error`},
		{`{"add":["a"]}`, `{"add":["b"]}`, `{"add":["a","b"]}`}, {`{"default":"a"}`, `{"default":"a"}`, `{"default":"a"}`}, {`{"default":true}`, `{"default":false}`, `error`},
		{`{"one_of":["a","b"]}`, `{"one_of":["b","c"]}`, `{"one_of":["b"]}`}, {`{"one_of":["a"]}`, `{"one_of":["b"]}`, `error`},
		{`{"subset_of":["a","b"]}`, `{"subset_of":["b","c"]}`, `{"subset_of":["b"]}`}, {`{"subset_of":["a"]}`, `{"subset_of":["b"]}`, `{"subset_of":[]}`},
		{`{"superset_of":["a"]}`, `{"superset_of":["b"]}`, `{"superset_of":["a","b"]}`}, {`{"essential":true}`, `{"essential":false}`, `{"essential":true}`},
		{`{"essential":false}`, `{"essential":true}`, `{"essential":true}`}, {`{"subset_of":["a","b"]}`, `{"add":["b"]}`, `{"subset_of":["a","b"],"add":["b"]}`},
		// What could not stand together in one policy cannot in two.
		{`{"subset_of":["a"]}`, `{"add":["b"]}`, `error`}, {`{"value":"a"}`, `{"one_of":["b"]}`, `error`}, {`{"one_of":["a"]}`, `{"add":["a"]}`, `error`}, {`{"value":null}`, `{"essential":true}`, `error`},
		{`{"subset_of":["a","b"],"superset_of":["a"]}`, `{"subset_of":["b"]}`, `error`}, {`{"value":["a"]}`, `{"superset_of":["a","b"]}`, `error`}, {`{"essential":true}`, `{"value":null}`, `error`},
	} {
		above, err := ParsePolicy(one(c.above))
		below, err2 := ParsePolicy(one(c.below))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		got, err := above.Merge(below)
		if c.want == "error" {
			if reasonOf(err) != BadPolicy {
				t.Errorf("%s with %s: %v", c.above, c.below, err)
			}
			continue
		}
		want, err2 := ParsePolicy(one(c.want))
		if err != nil || err2 != nil || !sameOperators(got, want) {
			t.Errorf("%s with %s: %+v, want %s (%v)", c.above, c.below, got, c.want, err)
		}
	}
}

// TestScope: the parameter scope is a text of words, and operators see an array (6.1.3.2).
func TestScope(t *testing.T) {
	for _, c := range []struct{ typ, ops, in, want string }{
		{typ, `{"subset_of":["openid","email"]}`, `"openid profile email"`, `"openid email"`}, {typ, `{"add":["email"]}`, `"openid"`, `"openid email"`}, {typ, `{"add":"email"}`, `-`, `"email"`},
		{typ, `{"value":"openid email"}`, `"x"`, `"openid email"`}, {typ, `{"value":["openid"]}`, `-`, `"openid"`}, {typ, `{"default":["openid"]}`, `-`, `"openid"`},
		{typ, `{"superset_of":["openid"]}`, `"email"`, `error`}, {typ, `{"subset_of":["openid"]}`, `["openid"]`, `error`}, {"oauth_client", `{"subset_of":["a"]}`, `"a b"`, `"a"`},
		{"other", `{"subset_of":["a"]}`, `["a","b"]`, `["a"]`}, {"other", `{"one_of":["a"]}`, `"a"`, `"a"`},
	} {
		p, err := ParsePolicy([]byte(`{"` + c.typ + `":{"scope":` + c.ops + `}}`))
		if err != nil {
			t.Errorf("%s: %v", c.ops, err)
			continue
		}
		in := map[string]any{}
		if c.in != "-" {
			in = parseJSON(t, `{"scope":`+c.in+`}`)
		}
		out, err := p.Apply(Metadata{c.typ: in})
		got := "error"
		if err == nil {
			got = strings.TrimSpace(canonical(out[c.typ]["scope"]))
		}
		if got != c.want {
			t.Errorf("%s on %s: %s, want %s (%v)", c.ops, c.in, got, c.want, err)
		}
	}
	for _, ops := range []string{`{"one_of":["openid"]}`, `{"value":1}`, `{"default":{}}`} {
		if _, err := ParsePolicy([]byte(`{"` + typ + `":{"scope":` + ops + `}}`)); reasonOf(err) != BadPolicy {
			t.Errorf("scope %s: %v", ops, err)
		}
	}
}

func TestApplyChangesNothingElse(t *testing.T) {
	p, err := ParsePolicy([]byte(`{"a":{"p":{"add":["x"]}},"absent":{"p":{"value":"v","essential":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	in := Metadata{"a": parseJSON(t, `{"p":["y"],"q":{"r":[1]}}`), "b": {}}
	before := canonical(map[string]any{"a": in["a"]})
	out, err := p.Apply(in)
	if err != nil || len(out) != 2 || out["absent"] != nil {
		t.Fatalf("%v %v: a policy makes no entity play a role", out, err)
	}
	out["a"]["q"].(map[string]any)["r"].([]any)[0] = "changed"
	if canonical(map[string]any{"a": in["a"]}) != before {
		t.Error("what was given was changed")
	}
}

// drawPolicy draws operators on small sets, so that they meet.
func drawPolicy(t *rapid.T, name string) Policy {
	letters := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{`"a"`, `"b"`, `"c"`, `"d"`}), 0, 4, rapid.ID[string])
	array := func(what string) string { return "[" + strings.Join(letters.Draw(t, name+what), ",") + "]" }
	var ops []string
	for _, op := range []string{"value", "add", "default", "subset_of", "superset_of"} {
		if rapid.IntRange(0, 2).Draw(t, name+op+"?") == 0 {
			ops = append(ops, fmt.Sprintf("%q:%s", op, array(op)))
		}
	}
	if rapid.Bool().Draw(t, name+"essential") {
		ops = append(ops, `"essential":true`)
	}
	p, err := ParsePolicy(one("{" + strings.Join(ops, ",") + "}"))
	if err != nil {
		t.Skip("illegal by itself")
	}
	return p
}

func drawMetadata(t *rapid.T) Metadata {
	if rapid.IntRange(0, 3).Draw(t, "absent") == 0 {
		return Metadata{typ: {}}
	}
	m := Metadata{typ: {}}
	a := []any{}
	for _, s := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 0, 5, rapid.ID[string]).Draw(t, "p") {
		a = append(a, s)
	}
	m[typ]["p"] = a
	return m
}

// TestMergeNarrows: what a superior demands holds for what comes out of its policy with any other below it. An intermediate can neither
// repeal nor widen it (6.1.1): each check of the superior's operators passes on the result.
func TestMergeNarrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		above, below := drawPolicy(t, "above"), drawPolicy(t, "below")
		merged, err := above.Merge(below)
		if err != nil {
			if reasonOf(err) != BadPolicy {
				t.Fatal(err)
			}
			return
		}
		out, err := merged.Apply(drawMetadata(t))
		if err != nil {
			return
		}
		ops := above.types[typ]["p"]
		v, there := out[typ]["p"].([]any)
		switch {
		case ops.essential && !there:
			t.Fatal("essential, and missing")
		case ops.value.there && !(there && equal(v, ops.value.v)):
			t.Fatalf("value %v, got %v", ops.value.v, v)
		case there && ops.subsetOf != nil && !subset(v, ops.subsetOf):
			t.Fatalf("%v beyond subset_of %v", v, ops.subsetOf)
		case there && ops.supersetOf != nil && !subset(ops.supersetOf, v):
			t.Fatalf("%v without superset_of %v", v, ops.supersetOf)
		case ops.add != nil && !subset(ops.add, v):
			t.Fatalf("%v without add %v", v, ops.add)
		}
		// What came out satisfies the whole policy again, and does not change.
		again, err := merged.Apply(out)
		if err != nil || !equal(out[typ]["p"], again[typ]["p"]) {
			t.Fatalf("applied twice: %v, then %v (%v)", out, again, err)
		}
	})
}

// TestMergeOfThree: it does not matter which two of three are merged first.
func TestMergeOfThree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawPolicy(t, "a"), drawPolicy(t, "b"), drawPolicy(t, "c")
		left, err := a.Merge(b)
		if err == nil {
			left, err = left.Merge(c)
		}
		right, err2 := b.Merge(c)
		if err2 == nil {
			right, err2 = a.Merge(right)
		}
		if err == nil && err2 == nil && !sameOperators(left, right) {
			t.Fatalf("%+v and %+v", left, right)
		}
		m := drawMetadata(t)
		if err == nil && err2 == nil {
			x, ex := left.Apply(m)
			y, ey := right.Apply(m)
			if (ex == nil) != (ey == nil) || ex == nil && !equal(x[typ]["p"], y[typ]["p"]) {
				t.Fatalf("%v %v, %v %v", x, ex, y, ey)
			}
		}
		if err != nil && err2 == nil || err == nil && err2 != nil {
			t.Fatalf("one order is refused: %v, %v", err, err2)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	for _, s := range []string{`{"openid_relying_party":{"scope":{"subset_of":["openid"]}}}`, `{"a":{"p":{"value":null}}}`, `{"a":{"p":{"value":["a","b"],"add":["a"]}}}`, `{"a":{"a":{"one_of":[{"x":[1,2.0]}]}}}`} {
		f.Add([]byte(s), []byte(`{"openid_relying_party":{"scope":{"essential":true}}}`), []byte(`{"p":["a"],"scope":"openid"}`))
	}
	f.Fuzz(func(t *testing.T, above, below, metadata []byte) {
		p, err := ParsePolicy(above)
		q, err2 := ParsePolicy(below)
		if err != nil && len(p.types) != 0 || err2 != nil && len(q.types) != 0 {
			t.Fatal("a policy with an error")
		}
		o, err3 := strictjson.Object(metadata)
		if err != nil || err2 != nil || err3 != nil {
			return
		}
		merged, err := p.Merge(q)
		if err != nil {
			return
		}
		out, err := merged.Apply(Metadata{relyingParty: o, "a": o})
		if err != nil {
			if out != nil {
				t.Fatal("metadata with an error")
			}
			return
		}
		for _, m := range out {
			for name, v := range m {
				if v == nil {
					t.Fatalf("null comes out of %q", name)
				}
			}
		}
		if again, err := merged.Apply(out); err != nil || !slices.Equal(jsonOf(t, out), jsonOf(t, again)) {
			t.Fatalf("applied twice: %s, then %s (%v)", jsonOf(t, out), jsonOf(t, again), err)
		}
	})
}

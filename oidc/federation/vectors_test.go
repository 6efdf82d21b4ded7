package federation

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/oidc/internal/strictjson"
)

// officialVectors finds the metadata policy vectors of the working group among the public suites, under any folder for them.
func officialVectors(t *testing.T) []string {
	t.Helper()
	shared := os.Getenv("SCEAU_SHARED")
	if shared == "" {
		t.Skip("no vectors: SCEAU_SHARED is not set")
	}
	var files []string
	for _, pattern := range []string{"*federation*", "*oidfed*"} {
		for _, below := range []string{"*.json", "*/*.json"} {
			m, err := filepath.Glob(filepath.Join(shared, "vectors", pattern, below))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, m...)
		}
	}
	return files
}

// TestOfficialVectors plays the vectors of the working group: the policies of an anchor and of an intermediate, merged and applied.
func TestOfficialVectors(t *testing.T) {
	played := 0
	for _, file := range officialVectors(t) {
		if !strings.Contains(filepath.Base(file), "polic") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var vectors []struct {
			N                                   int `json:"n"`
			TA, INT, Merged, Metadata, Resolved json.RawMessage
			Error                               string `json:"error"`
		}
		if err := json.Unmarshal(data, &vectors); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		refused := 0
		for _, v := range vectors {
			const typ = `{"openid_relying_party":`
			merged, out, err := play([]byte(typ+string(v.TA)+"}"), []byte(typ+string(v.INT)+"}"), v.Metadata)
			reason := Reason(0)
			if e := new(Error); errors.As(err, &e) {
				reason = e.Reason
			} else if err != nil {
				t.Fatalf("vector %d: %v is no Error", v.N, err)
			}
			switch want := map[string]Reason{"": 0, "invalid_policy": BadPolicy, "invalid_metadata": PolicyViolated}[v.Error]; {
			case v.Error != "" && want == 0:
				t.Errorf("vector %d: unknown error %q", v.N, v.Error)
			case reason != want:
				t.Errorf("vector %d: %v, want %v\nanchor %s\nintermediate %s\nmetadata %s", v.N, err, want, v.TA, v.INT, v.Metadata)
			case want != 0:
				refused++
			case !alike(t, out["openid_relying_party"], v.Resolved):
				t.Errorf("vector %d: resolved %v, want %s", v.N, out, v.Resolved)
			}
			if v.Merged != nil && reason != BadPolicy {
				p, err := ParsePolicy([]byte(typ + string(v.Merged) + "}"))
				if err != nil {
					t.Errorf("vector %d: merged policy of the suite: %v", v.N, err)
				} else if !sameOperators(p, merged) {
					t.Errorf("vector %d: merged %+v, want %s", v.N, merged, v.Merged)
				}
			}
		}
		played += len(vectors)
		t.Logf("%s: %d vectors, %d of them refused as they must", filepath.Base(file), len(vectors), refused)
	}
	if played == 0 {
		t.Skip("no vectors of OpenID Federation in SCEAU_SHARED")
	}
}

func play(anchor, intermediate, metadata []byte) (Policy, Metadata, error) {
	above, err := ParsePolicy(anchor)
	if err != nil {
		return Policy{}, nil, err
	}
	below, err := ParsePolicy(intermediate)
	if err != nil {
		return Policy{}, nil, err
	}
	merged, err := above.Merge(below)
	if err != nil {
		return Policy{}, nil, err
	}
	o, err := strictjson.Object(metadata)
	if err != nil {
		return Policy{}, nil, err
	}
	out, err := merged.Apply(Metadata{"openid_relying_party": o})
	return merged, out, err
}

// alike compares metadata with what is wanted; arrays are sets.
func alike(t *testing.T, got map[string]any, want []byte) bool {
	t.Helper()
	o, err := strictjson.Object(want)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(o) {
		return false
	}
	for name, v := range o {
		g, there := got[name]
		if !there || !equal(g, v) {
			return false
		}
	}
	return true
}

func sameOperators(a, b Policy) bool {
	x, y := a.types["openid_relying_party"], b.types["openid_relying_party"]
	if len(x) != len(y) {
		return false
	}
	same := func(a, b []any) bool { return (a == nil) == (b == nil) && subset(a, b) && subset(b, a) }
	for name, p := range x {
		q, there := y[name]
		if !there || p.essential != q.essential || p.value.there != q.value.there || p.fallback.there != q.fallback.there ||
			!equal(p.value.v, q.value.v) || !equal(p.fallback.v, q.fallback.v) || !same(p.add, q.add) || !same(p.oneOf, q.oneOf) ||
			!same(p.subsetOf, q.subsetOf) || !same(p.supersetOf, q.supersetOf) {
			return false
		}
	}
	return true
}

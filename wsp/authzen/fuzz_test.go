package authzen

import (
	"encoding/json"
	"testing"
)

// FuzzDecision: what is taken for a permission is one for whoever else reads JSON, and there is one of it.
func FuzzDecision(f *testing.F) {
	for _, s := range []string{`{"decision": true}`, `{"decision": false}`, `{"decision": true, "decision": false}`, `{"Decision": true}`, `{"a": {"decision": true}}`, `{"decision":true}x`, `[]`, ``,
		`{"d\u0065cision": true}`, `{"decision": true, "x": "\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		permitted, err := decision(text)
		if err != nil && permitted {
			t.Fatal("permitted beside an error")
		}
		if !permitted {
			return
		}
		var read map[string]any
		if err := json.Unmarshal(text, &read); err != nil || read["decision"] != true {
			t.Fatalf("%q: another reader finds %v, %v", text, read["decision"], err)
		}
	})
}

package strictjson

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestValue(t *testing.T) {
	for _, s := range []string{`{}`, `{"a":[1,2.50,true,null,"é"],"b":{"a":{}}}`, ` "x" `, `[]`, strings.Repeat("[", 24) + strings.Repeat("]", 24)} {
		if _, err := Value([]byte(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for name, s := range map[string]string{
		"two members": `{"a":1,"a":2}`, "two members by escape": `{"a":1,"\u0061":2}`, "two members inside": `{"x":[{"a":1,"a":1}]}`, "no UTF-8": "{\"a\":\"\xff\"}", "two values": `{} {}`,
		"nothing": ``, "cut": `{"a":`, "trailing comma": `[1,]`, "too deep": strings.Repeat("[", 26) + strings.Repeat("]", 26), "no JSON": `{a:1}`,
	} {
		if v, err := Value([]byte(s)); err == nil || v != nil {
			t.Errorf("%s: %v", name, v)
		}
	}
	if _, err := Object([]byte(`[]`)); err == nil {
		t.Error("an array as an object")
	}
	if o, err := Object([]byte(`{"n":1.50}`)); err != nil || o["n"] != json.Number("1.50") {
		t.Errorf("%v %v: a number is as it was written", o, err)
	}
}

// FuzzValue: what is read is what encoding/json reads, or it is refused.
func FuzzValue(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.50,true,null,"é"],"b":{}}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Value(data)
		if err != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var other any
		if err := d.Decode(&other); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		a, err := json.Marshal(v)
		b, err2 := json.Marshal(other)
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Fatalf("%s and %s", a, b)
		}
	})
}

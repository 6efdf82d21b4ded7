package federation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// claims are the claims of a token. Each reader says whether the claim is there; a claim of another type is an error.
type claims map[string]any

func (c claims) text(name string) (string, bool, error) {
	v, there := c[name]
	if !there {
		return "", false, nil
	}
	s, ok := v.(string)
	if !ok || s == "" {
		return "", true, fmt.Errorf("%s is no string, or empty", name)
	}
	return s, true, nil
}

// instant reads a NumericDate.
func (c claims) instant(name string) (time.Time, bool, error) {
	v, there := c[name]
	if !there {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, true, fmt.Errorf("%s is no number", name)
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1<<40 {
		return time.Time{}, true, fmt.Errorf("%s is no time", name)
	}
	return time.Unix(int64(math.Floor(f)), 0), true, nil
}

// texts reads an array of strings.
func (c claims) texts(name string) ([]string, bool, error) {
	v, there := c[name]
	if !there {
		return nil, false, nil
	}
	s, ok := textsOf(v)
	if !ok {
		return nil, true, fmt.Errorf("%s is no array of strings", name)
	}
	return s, true, nil
}

func textsOf(v any) ([]string, bool) {
	a, ok := v.([]any)
	if !ok {
		return nil, false
	}
	s := make([]string, len(a))
	for i, v := range a {
		if s[i], ok = v.(string); !ok {
			return nil, false
		}
	}
	return s, true
}

func (c claims) object(name string) (map[string]any, bool, error) {
	v, there := c[name]
	if !there {
		return nil, false, nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, true, fmt.Errorf("%s is no object", name)
	}
	return o, true, nil
}

// cloned is a deep copy, so that applying a policy to metadata changes nobody else's.
func cloned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := make(map[string]any, len(v))
		for k, e := range v {
			o[k] = cloned(e)
		}
		return o
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			a[i] = cloned(e)
		}
		return a
	}
	return v
}

// canonical is the same text for the same value: object members sorted, numbers as they were written.
func canonical(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // unreachable: v was read from JSON
	}
	return b.String()
}

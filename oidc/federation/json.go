package federation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"
)

const maxDepth = 24 // of values in values

// object reads one JSON object. Unlike encoding/json it refuses two members of one name (the standard, 6.1.2; who reads the first
// and who reads the last would otherwise see two different statements under one signature), and text that is not UTF-8.
func object(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("JSON too deep")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := map[string]any{}
		for d.More() {
			t, err := d.Token()
			if err != nil {
				return nil, err
			}
			name := t.(string)
			if _, twice := o[name]; twice {
				return nil, fmt.Errorf("two members %.50q", name)
			}
			if o[name], err = value(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return o, err
	case json.Delim('['):
		a := []any{}
		for d.More() {
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			a = append(a, v)
		}
		_, err := d.Token()
		return a, err
	}
	return t, nil
}

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

package authzen

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// Bounds of a request.
const (
	maxBody        = 256 << 10
	maxDepth       = 16
	maxEvaluations = 256
)

// parse reads one JSON object, strictly: UTF-8, no key twice in an object, nothing behind it. Readers that disagree
// about a repeated key would let a client's proxy see another question than we answer.
func parse(body []byte) (map[string]any, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	value, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something stands behind the object")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return object, nil
}

var errJSON = errors.New("not JSON")

func parseValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errJSON
	}
	delimiter, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxDepth {
		return nil, errors.New("nested too deeply")
	}
	if delimiter == '[' {
		list := []any{}
		for d.More() {
			item, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		return list, end(d)
	}
	object := map[string]any{}
	for d.More() {
		name, err := d.Token()
		key, ok := name.(string)
		if err != nil || !ok {
			return nil, errJSON
		}
		if _, twice := object[key]; twice {
			return nil, errors.New("a key stands twice in an object")
		}
		if object[key], err = parseValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	return object, end(d)
}

func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errJSON
	}
	return nil
}

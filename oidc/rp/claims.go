package rp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxDepth   = 12   // of JSON in JSON
	maxMembers = 4096 // of all objects and arrays together
)

// Claims are what a provider says: JSON values by name. Names are compared octet by octet. The zero Claims say nothing.
type Claims struct{ members map[string]json.RawMessage }

// ParseClaims reads one JSON object. Of what encoding/json lets pass it refuses what two readers may read in two ways: a name that
// stands twice in an object, text that is no UTF-8, half of a surrogate pair in a name; and what is deep or large beyond reason.
func ParseClaims(text []byte) (Claims, error) {
	if len(text) > maxBody {
		return Claims{}, errors.New("claims: too long")
	}
	if !utf8.Valid(text) {
		return Claims{}, errors.New("claims: no UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return Claims{}, errors.New("claims: no JSON object")
	}
	count := 0
	if err := walkObject(d, 1, &count); err != nil {
		return Claims{}, fmt.Errorf("claims: %w", err)
	}
	if rest := bytes.TrimLeft(text[d.InputOffset():], " \t\r\n"); len(rest) != 0 {
		return Claims{}, errors.New("claims: something after the object")
	}
	var c Claims
	if err := json.Unmarshal(text, &c.members); err != nil {
		return Claims{}, errors.New("claims: no JSON object")
	}
	return c, nil
}

// walkObject reads what is left of an object whose brace was read.
func walkObject(d *json.Decoder, depth int, count *int) error {
	names := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		switch {
		case err != nil || !ok:
			return errors.New("ill-formed JSON")
		case strings.ContainsRune(name, utf8.RuneError):
			return errors.New("a name that is no text")
		case names[name]:
			return errors.New("a name stands twice")
		}
		names[name] = true
		if err := walkValue(d, depth, count); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.New("ill-formed JSON")
	}
	return nil
}

func walkValue(d *json.Decoder, depth int, count *int) error {
	if *count++; *count > maxMembers {
		return errors.New("too many members")
	}
	t, err := d.Token()
	if err != nil {
		return errors.New("ill-formed JSON")
	}
	if _, open := t.(json.Delim); !open {
		return nil
	}
	if depth == maxDepth {
		return errors.New("too deep")
	}
	if t == json.Delim('{') {
		return walkObject(d, depth+1, count)
	}
	for d.More() {
		if err := walkValue(d, depth+1, count); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.New("ill-formed JSON")
	}
	return nil
}

// Has says whether the claim is there, whatever its value.
func (c Claims) Has(name string) bool { return c.members[name] != nil }

// Names gives the names in order.
func (c Claims) Names() []string { return slices.Sorted(maps.Keys(c.members)) }

// Decode reads a claim as encoding/json does; it says whether the claim is there and of that kind.
func (c Claims) Decode(name string, into any) bool {
	raw := c.members[name]
	return raw != nil && !bytes.Equal(raw, []byte("null")) && json.Unmarshal(raw, into) == nil
}

// String gives a claim that is a string, and empty for every other.
func (c Claims) String(name string) string {
	var s string
	if !c.Decode(name, &s) {
		return ""
	}
	return s
}

// Strings gives a claim that is a string or an array of strings, and none for every other.
func (c Claims) Strings(name string) []string {
	var s string
	if c.Decode(name, &s) {
		return []string{s}
	}
	var list []string
	if !c.Decode(name, &list) || slices.Contains(list, "") {
		return nil
	}
	return list
}

// Bool gives a claim that is true, or, as some providers write it, "true".
func (c Claims) Bool(name string) bool {
	var b bool
	return c.Decode(name, &b) && b || c.String(name) == "true"
}

// maxInstant is the end of the year 9999: what is later is no instant of a token.
const maxInstant = 253402300799

// Time gives a claim that is a NumericDate (RFC 7519 2), to the second, and the zero Time for every other.
func (c Claims) Time(name string) time.Time {
	var seconds float64
	if !c.Decode(name, &seconds) || seconds <= 0 || seconds > maxInstant {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// protocol are the claims of the login itself. They are taken from what is signed for it, and from nothing else.
var protocol = []string{"iss", "sub", "aud", "azp", "exp", "nbf", "iat", "jti", "nonce", "at_hash", "c_hash", "s_hash", "auth_time", "acr", "amr", "sid"}

// with gives the claims and, before them, those of userinfo but for what belongs to the login.
func (c Claims) with(info Claims) Claims {
	all := maps.Clone(c.members)
	for name, raw := range info.every() {
		if !slices.Contains(protocol, name) {
			all[name] = raw
		}
	}
	return Claims{all}
}

func (c Claims) every() iter.Seq2[string, json.RawMessage] { return maps.All(c.members) }

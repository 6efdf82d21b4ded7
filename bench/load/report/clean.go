package report

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sceau/bench/load/measure"
)

// longestText is how many characters of a text from outside are shown.
const longestText = 600

// cleaned returns a copy of r that is safe to lay out: every text printable, every number finite. It walks the types
// instead of naming their fields, so that a field added to package measure cannot be forgotten here. The copy shares
// histograms with r and nothing else that is written to.
func cleaned(r *measure.Report) *measure.Report {
	c := copied(reflect.ValueOf(r), printable).Interface().(*measure.Report)
	c.Scenario = printableLines(r.Scenario)
	return c
}

// finite returns a copy of r without numbers that are not finite, which JSON cannot hold.
func finite(r *measure.Report) *measure.Report {
	return copied(reflect.ValueOf(r), func(s string) string { return s }).Interface().(*measure.Report)
}

// copied returns a deep copy of v with every string as text makes it, and zero for every number that is not finite.
// What has unexported fields (a Histogram, a time.Time) is taken over as it is.
func copied(v reflect.Value, text func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(text(v.String()))
	case reflect.Float64:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			out.SetFloat(f)
		}
	case reflect.Pointer:
		if v.IsNil() || opaque(v.Type().Elem()) {
			return v
		}
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(copied(v.Elem(), text))
	case reflect.Struct:
		if opaque(v.Type()) {
			return v
		}
		for i := range v.NumField() {
			out.Field(i).Set(copied(v.Field(i), text))
		}
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(copied(v.Index(i), text))
		}
	case reflect.Map:
		return copiedMap(v, text)
	default:
		return v
	}
	return out
}

// copiedMap copies a map. When keys become one, counts are added up, and of other values the first by its key before stays.
func copiedMap(v reflect.Value, text func(string) string) reflect.Value {
	if v.IsNil() {
		return v
	}
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	keys := v.MapKeys() // all are texts
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		key, value := copied(k, text), copied(v.MapIndex(k), text)
		switch had := out.MapIndex(key); {
		case !had.IsValid():
			out.SetMapIndex(key, value)
		case value.CanUint():
			out.SetMapIndex(key, reflect.ValueOf(value.Uint()+had.Uint()).Convert(value.Type()))
		}
	}
	return out
}

// opaque says that a type is not looked into: it has fields that only its own package may set.
func opaque(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

// printable makes a text from outside safe to show on one line, in a terminal and on a page: control characters, marks
// that turn the direction of writing, zero-width characters and bytes that are no text become escapes (log injection);
// a long text is cut.
func printable(text string) string {
	var b strings.Builder
	shown := 0
	for i, r := range text {
		if shown == longestText {
			b.WriteString("…")
			break
		}
		shown++
		_, width := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			escape(&b, 'x', rune(text[i]))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			escape(&b, 'x', r)
		default:
			escape(&b, 'u', r)
		}
	}
	return b.String()
}

// escape writes \x1b or \u202e.
func escape(b *strings.Builder, letter byte, r rune) {
	const digits = "0123456789abcdef"
	b.WriteByte('\\')
	b.WriteByte(letter)
	begun := false
	for shift := 20; shift >= 0; shift -= 4 {
		begun = begun || shift == 4 || letter == 'u' && shift == 12 || r>>shift != 0
		if begun {
			b.WriteByte(digits[r>>shift&15])
		}
	}
}

// printableLines is printable for a text of several lines; tabs become blanks.
func printableLines(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = printable(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

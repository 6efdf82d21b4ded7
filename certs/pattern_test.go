package certs

import (
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	const organisation = `C=BE, O=Federal Government, OU=eHealth-platform Belgium, CN=CBE=*`
	for _, tt := range []struct {
		name, pattern, subject string
		want                   bool
	}{
		{"itself", "CN=a, C=BE", "CN=a, C=BE", true},
		{"order does not matter", "C=BE, CN=a", "CN=a, C=BE", true},
		{"further attributes do not matter", "CN=a", "CN=a, OU=b, C=BE", true},
		{"further attributes in the RDN do not matter", "CN=a", "CN=a + OU=b, C=BE", true},
		{"an attribute that is missing", "CN=a, O=b", "CN=a, C=BE", false},
		{"an attribute of another type", "CN=a", "OU=a", false},
		{"case and spaces", "O=Federal  Government", "O=federal government", true},
		{"organisation", organisation, `CN="CBE=0809394427, SCEAU", OU=eHealth-platform Belgium, OU="CBE=0809394427", O=Federal Government, C=BE`, true},
		{"organisation with another identifier", organisation, `CN="SSIN=00000000097", OU=eHealth-platform Belgium, O=Federal Government, C=BE`, false},
		{"organisation of another platform", organisation, `CN="CBE=0809394427", OU=eHealth-platform Belgium (TEST), O=Federal Government, C=BE`, false},
		{"any value", "O=*", "O=anything", true},
		{"any value, the empty one", "O=*", "O=", true},
		{"any value, of an attribute that is not there", "O=*", "CN=anything", false},
		{"begins", "CN=a*", "CN=abc", true},
		{"begins with it in another case", "CN=A*", "CN=abc", true},
		{"does not begin", "CN=a*", "CN=bac", false},
		{"ends", "CN=*c", "CN=abc", true},
		{"does not end", "CN=*c", "CN=abcd", false},
		{"both ends may not overlap", "CN=aba*aba", "CN=ababa", false},
		{"both ends touch", "CN=aba*aba", "CN=abaaba", true},
		{"between, in order", "CN=a*b*c*d", "CN=a-b-c-d", true},
		{"between, in another order", "CN=a*c*b*d", "CN=a-b-c-d", false},
		{"several asterisks", "CN=**a**", "CN=xay", true},
		{"an asterisk that stands for itself", `CN=a\*`, "CN=a*", true},
		{"an asterisk that stands for itself only", `CN=a\*`, "CN=ab", false},
		{"an asterisk in quotes", `CN="a, *"`, `CN="a, b"`, true},
		{"an escape that is not of an asterisk", `CN=a\,*`, `CN="a,b"`, true},
		{"a backslash before an asterisk", `CN=a\\*`, `CN=a\\b`, true},
		{"no regular expression", "CN=a.c", "CN=abc", false},
		{"no regular expression, a set", "CN=[ab]", "CN=a", false},
		{"each needs its own attribute", "OU=*, OU=*", "OU=a", false},
		{"each has its own attribute", "OU=*, OU=*", "OU=a, OU=b", true},
		{"the wide one leaves the narrow one its own", "OU=*, OU=a", "OU=a, OU=b", true},
		{"the wide one leaves the narrow one its own, in another order", "OU=*, OU=b", "OU=a, OU=b", true},
		{"by object identifier", "2.5.4.10=a*", "O=ab", true},
		{"a value that is no text", "CN=*", "CN=#0500", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePattern(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			n, err := ParseName([]byte(tt.subject))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(n); got != tt.want {
				t.Errorf("%s matches %s: %v", tt.pattern, tt.subject, got)
			}
			if p.String() != tt.pattern {
				t.Error(p.String())
			}
		})
	}
	if n, err := ParseName([]byte("CN=a")); err != nil || (Pattern{}).Match(n) {
		t.Error("the zero pattern admits a name")
	}
	if p, err := ParsePattern("CN=*"); err != nil || p.Match(Name{}) {
		t.Error("the name of nobody has a shape")
	}
}

func TestPatternMalformed(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                                "",
		"no attribute":                         "*",
		"unknown type":                         "*=a",
		"an asterisk in a type":                "C*=a",
		"RDN of two":                           "CN=a + OU=b",
		"value in DER":                         "CN=#0500",
		"quote that does not end":              `CN="a*`,
		"escape that does not end":             `CN=a\`,
		"the character for asterisks":          "CN=\U0001fffe",
		"the character for asterisks, escaped": `CN=\f0\9f\bf\be`,
		"the character for asterisks, in DER":  "CN=#0c04f09fbfbe",
		"more attributes than a name":          strings.Repeat("CN=*,", 40) + "CN=*",
		"longer than a name":                   "CN=" + strings.Repeat("*", 2000),
		"control character":                    "CN=a\x00*",
		"an asterisk in an identifier":         "2.5.4.*=a",
	} {
		if p, err := ParsePattern(text); ReasonOf(err) == 0 || p.wanted != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzPattern: a pattern without asterisks admits the name of its own text; one with
// them admits whatever an independent matcher admits, and never more.
func FuzzPattern(f *testing.F) {
	f.Add("C=BE, O=Federal Government, CN=CBE=*", "CN=CBE=0809394427, O=federal government, C=BE")
	f.Add(`OU=*, OU=a\*`, "OU=a*, OU=b")
	f.Add(`CN="a, *b"`, `CN="a, xb" + OU=c`)
	f.Add("CN=a*b*c", "CN=abbc")
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			if ReasonOf(err) == 0 || p.wanted != nil {
				t.Fatal(err)
			}
			return
		}
		if !strings.Contains(pattern, "*") {
			if n, err := ParseName([]byte(pattern)); err != nil || !p.Match(n) {
				t.Errorf("%q does not admit its own name: %v", pattern, err)
			}
		}
		n, err := ParseName([]byte(subject))
		if err != nil {
			return
		}
		if got, want := p.Match(n), assignable(p.wanted, n, 0, map[int]bool{}); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, subject, got, want)
		}
	})
}

// assignable tries every assignment, and every place of every piece.
func assignable(wanted []wantedAttribute, n Name, i int, taken map[int]bool) bool {
	if len(wanted) > 6 || len(n.rdns) > 6 { // all of them would take for ever
		return Pattern{wanted: wanted}.Match(n)
	}
	if i == len(wanted) {
		return true
	}
	at := 0
	for _, rdn := range n.rdns {
		for _, a := range rdn {
			at++
			if taken[at] || a.opaque || a.oid != wanted[i].oid || !glob(wanted[i].pieces, a.folded) {
				continue
			}
			taken[at] = true
			if assignable(wanted, n, i+1, taken) {
				return true
			}
			taken[at] = false
		}
	}
	return false
}

func glob(pieces []string, s string) bool {
	rest, ok := strings.CutPrefix(s, pieces[0])
	if !ok || len(pieces) == 1 {
		return ok && rest == ""
	}
	for i := 0; i <= len(rest); i++ {
		if glob(pieces[1:], rest[i:]) {
			return true
		}
	}
	return false
}

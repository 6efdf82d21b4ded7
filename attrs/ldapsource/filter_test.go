package ldapsource

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"

	"sceau/attrs"
)

// TestFilterTemplates: which templates are read, and which are refused when a source is opened.
func TestFilterTemplates(t *testing.T) {
	for name, tt := range map[string]struct {
		subject  attrs.SubjectType
		template string
		want     string // rendered for 1, or 1 and 2; or, after "!", what the refusal says
	}{
		"alone":                      {"ssin", "(employeeNumber={ssin})", "(employeeNumber=1)"},
		"below and":                  {"ssin", "(&(objectClass=person)(&(a={ssin})(!(b=c))))", "(&(objectClass=person)(&(a=1)(!(b=c))))"},
		"by an OID":                  {"ssin", "(1.2.3.4={ssin})", "(1.2.3.4=1)"},
		"a relation":                 {"nihii/ssin", "(&(holder={ssin})(pharmacy={nihii}))", "(&(holder=2)(pharmacy=1))"},
		"no placeholder":             {"ssin", "(a=b)", "!{ssin} must be"},
		"empty":                      {"ssin", "", "!filter"},
		"no filter":                  {"ssin", "{ssin}", "!filter"},
		"twice":                      {"ssin", "(&(a={ssin})(b={ssin}))", "!twice"},
		"one number missing":         {"nihii/ssin", "(a={nihii})", "!{ssin} must be"},
		"another number":             {"ssin", "(a={cbe})", "!none of ssin"},
		"a number of no name":        {"ssin", "(a={})", "!none of ssin"},
		"part of a value":            {"ssin", "(a=x{ssin})", "!{ssin} must be"},
		"a prefix: anybody's":        {"ssin", "(a={ssin}*)", "!{ssin} must be"},
		"as the attribute":           {"ssin", "({ssin}=x)", "!{ssin} must be"},
		"in an or: others too":       {"ssin", "(|(a={ssin})(b=c))", "!{ssin} must be"},
		"in a not: everybody else":   {"ssin", "(!(a={ssin}))", "!{ssin} must be"},
		"more or equal":              {"ssin", "(a>={ssin})", "!{ssin} must be"},
		"nearly":                     {"ssin", "(a~={ssin})", "!{ssin} must be"},
		"a rule of its own":          {"ssin", "(a:1.2.3:={ssin})", "!{ssin} must be"},
		"an option":                  {"ssin", "(a;lang-en={ssin})", "!no attribute"},
		"a brace that is not closed": {"ssin", "(a={ssin)", "!none of ssin"},
		"a brace that is not opened": {"ssin", "(&(a={ssin})(b=c}))", "!not opened"},
		"more after it":              {"ssin", "(a={ssin})(b=c)", "!filter"},
		"not closed":                 {"ssin", "(a={ssin}", "!filter"},
		"in two places, one an or":   {"ssin", "(&(a={ssin})(|(b={ssin})(c=d)))", "!stands once"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := parseFilter(tt.subject, tt.template)
			if why, refused := strings.CutPrefix(tt.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), why) {
					t.Errorf("%v, want %q", err, why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := f.render([]string{"1", "2"}); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// FuzzFilter: whatever stands in the place of a number, the filter has the shape of the template and the number as its
// one value (H6: "*" or "x)(uid=*" would certify another's attributes).
func FuzzFilter(f *testing.F) {
	for _, s := range []string{alice, "*", "x)(uid=*", `\2a`, "\x00", "a*b", "(", "\xff\xfe", "é", `\`, "{ssin}", "", " a "} {
		f.Add(s)
	}
	const template = "(&(objectClass=inetOrgPerson)(employeeNumber={ssin})(!(employeeType=999)))"
	read, err := parseFilter(attrs.SubjectSSIN, template)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, number string) {
		packet, err := ldap.CompileFilter(read.render([]string{number}))
		if err != nil {
			t.Fatal(err)
		}
		if packet.Tag != ldap.FilterAnd || len(packet.Children) != 3 || packet.Children[0].Tag != ldap.FilterEqualityMatch || packet.Children[2].Tag != ldap.FilterNot {
			t.Fatal("another shape")
		}
		match := packet.Children[1]
		if match.Tag != ldap.FilterEqualityMatch || len(match.Children) != 2 || match.Children[0].Value != "employeeNumber" || match.Children[1].Value != number {
			t.Fatalf("not an equality match with the number")
		}
	})
}

// FuzzTemplate: a template that is read renders to a filter that demands the number of every entry.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"(a={ssin})", "(&(a={ssin})(b=c))", "(|(a={ssin})(b=c))", "(a={ssin}*)", `(a=\7b{ssin})`, "(&(&(a={ssin})))"} {
		f.Add(s, "1*")
	}
	f.Fuzz(func(t *testing.T, template, number string) {
		read, err := parseFilter(attrs.SubjectSSIN, template)
		if err != nil {
			return
		}
		packet, err := ldap.CompileFilter(read.render([]string{number}))
		if err != nil {
			t.Fatalf("%q: %v", template, err)
		}
		and := append(packet.Children[:0:0], packet)
		for len(and) > 0 {
			p := and[0]
			if and = and[1:]; p.Tag == ldap.FilterAnd {
				and = append(and, p.Children...)
			} else if p.Tag == ldap.FilterEqualityMatch && p.Children[0].Value == read.places[0].attribute && p.Children[1].Value == number {
				return
			}
		}
		t.Errorf("%q does not demand the number", template)
	})
}

// TestEscapingAtDirectory: what the fuzz targets say of the text of a filter, a real directory says of what it finds. There is
// an entry for each of many hostile numbers; each finds its own entry or none, and nothing finds two.
func TestEscapingAtDirectory(t *testing.T) {
	hostile := []string{"*", "0*", "*)(objectClass=*", "x)(cn=alice", `\2a`, `\`, `\00`, "(", ")", "()", "&", "|(a=b)", "!", "a/b", "é", "=", "a=b", "\u2028x", "{ssin}", "#1", "1,2", "00000000097)"}
	var more strings.Builder
	for i, v := range hostile {
		name := "hostile" + string(rune('a'+i))
		more.WriteString("dn: cn=" + name + ",ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nobjectClass: care\ncn: " + name + "\nsn: " + name + "\nssin:: " + base64.StdEncoding.EncodeToString([]byte(v)) + "\n\n")
	}
	d := startDirectory(t, more.String())
	c := d.config("ldap://" + d.Plain)
	c.Filters = map[attrs.SubjectType]string{attrs.SubjectSSIN: "(ssin={ssin})"}
	s := open(t, c)
	ask := func(t interface{ Fatalf(string, ...any) }, number string) string {
		answers, err := s.Resolve(context.Background(), query(number, surname), nil)
		if err != nil {
			t.Fatalf("%q: %v", number, err)
		}
		return told(answers)
	}
	expected := func(number string) string {
		if at := slices.Index(hostile, number); at >= 0 {
			return "hostile" + string(rune('a'+at))
		}
		return ""
	}
	for _, v := range hostile {
		if got := ask(t, v); got != expected(v) {
			t.Errorf("%q found %q", v, got)
		}
	}
	pieces := []string{"*", "(", ")", `\`, "2a", "00", "cn=alice", "objectClass=", "&", "|", "!", "\x00", "é", "\xff", "a", "0", " ", "=", "/"}
	rapid.Check(t, func(r *rapid.T) {
		number := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 8).Draw(r, "pieces"), "")
		if got := ask(r, number); got != expected(number) {
			r.Fatalf("%q found %q", number, got)
		}
	})
}

// TestNumbers: a number that is none is not asked about.
func TestNumbers(t *testing.T) {
	for _, s := range []attrs.Subject{{}, {Type: "ssin"}, {Type: "nihii/ssin", Value: "1"}, {Type: "nihii/ssin", Value: "1/"}, {Type: "nihii/ssin", Value: "/2"},
		{Type: "ssin", Value: strings.Repeat("1", maxSubjectBytes+1)}} {
		if got, err := numbers(s); err == nil {
			t.Errorf("%v: %q", s, got)
		}
	}
	if got, err := numbers(attrs.Subject{Type: "nihii/ssin", Value: "71000040/00000000097"}); err != nil || !slices.Equal(got, []string{"71000040", "00000000097"}) {
		t.Errorf("%q, %v", got, err)
	}
}

package httpsource

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	cleaner "path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sceau/attrs"
)

// TestTemplates: which addresses are read, and which are refused when a source is opened.
func TestTemplates(t *testing.T) {
	const at = "https://api.example"
	for name, tt := range map[string]struct {
		subject       attrs.SubjectType
		address, body string
		want          string // rendered for 1, or 1 and 2; or, after "!", what the refusal says
	}{
		"a segment":                   {"ssin", at + "/v1/persons/{ssin}", "", at + "/v1/persons/1"},
		"in the middle":               {"ssin", at + "/v1/{ssin}/roles?x=y", "", at + "/v1/1/roles?x=y"},
		"a value":                     {"ssin", at + "/v1/persons?ssin={ssin}&x=", "", at + "/v1/persons?ssin=1&x="},
		"a relation":                  {"nihii/ssin", at + "/p/{nihii}?h={ssin}", "", at + "/p/1?h=2"},
		"twice":                       {"ssin", at + "/{ssin}/x/{ssin}", "", at + "/1/x/1"},
		"an encoded literal":          {"ssin", at + "/a%20b/{ssin}", "", at + "/a%20b/1"},
		"in the body":                 {"ssin", at + "/persons", `{"ssin":"{ssin}"}`, at + "/persons"},
		"a port":                      {"ssin", "https://[::1]:8443/{ssin}", "", "https://[::1]:8443/1"},
		"nowhere":                     {"ssin", at + "/persons", "", "!stands nowhere"},
		"one nowhere":                 {"nihii/ssin", at + "/p/{nihii}", "", "!{ssin} stands nowhere"},
		"another number":              {"ssin", at + "/{cbe}", "", "!none of ssin"},
		"a part of a segment":         {"ssin", at + "/p-{ssin}", "", "!whole segment"},
		"two in a segment":            {"nihii/ssin", at + "/{nihii}{ssin}", "", "!none of"},
		"with an extension":           {"ssin", at + "/{ssin}.json", "", "!whole segment"},
		"a part of a value":           {"ssin", at + "/p?q=ssin:{ssin}", "", "!whole segment"},
		"a name of the query":         {"ssin", at + "/p?{ssin}=1", "", "!names are fixed"},
		"a query without names":       {"ssin", at + "/p?{ssin}", "", "!names are fixed"},
		"the host":                    {"ssin", "https://{ssin}/x", "", "!fixed"},
		"a part of the host":          {"ssin", "https://{ssin}.example/x", "", "!fixed"},
		"the port":                    {"ssin", "https://api.example:{ssin}/x", "", "!"},
		"the scheme":                  {"ssin", "{ssin}://api.example/x", "", "!"},
		"the user":                    {"ssin", "https://{ssin}@api.example/x", "", "!"},
		"a user":                      {"ssin", "https://a:b@api.example/{ssin}", "", "!without user"},
		"a fragment":                  {"ssin", at + "/x#{ssin}", "", "!fragment"},
		"http elsewhere":              {"ssin", "http://api.example/{ssin}", "", "!only on loopback"},
		"http to a name of loopback":  {"ssin", "http://localhost.api.example/{ssin}", "", "!only on loopback"},
		"another scheme":              {"ssin", "ftp://api.example/{ssin}", "", "!want https"},
		"no path":                     {"ssin", at + "?x={ssin}", "", "!fixed"},
		"dots":                        {"ssin", at + "/a/../{ssin}", "", "!leads elsewhere"},
		"encoded dots":                {"ssin", at + "/a/%2e%2E/{ssin}", "", "!leads elsewhere"},
		"an encoded slash":            {"ssin", at + "/a%2Fb/{ssin}", "", "!leads elsewhere"},
		"a blank":                     {"ssin", at + "/a b/{ssin}", "", "!percent-encoded"},
		"a line":                      {"ssin", at + "/a\n/{ssin}", "", "!"},
		"a brace that is not closed":  {"ssin", at + "/{ssin", "", "!whole segment"},
		"a body that is no JSON":      {"ssin", at + "/x", `{`, "!no JSON"},
		"a body with a name twice":    {"ssin", at + "/x", `{"a":"{ssin}","a":1}`, "!twice"},
		"a part of a string":          {"ssin", at + "/x", `{"q":"ssin={ssin}"}`, "!that alone"},
		"a name of the body":          {"ssin", at + "/x", `{"{ssin}":1}`, "!in a name"},
		"another number in the body":  {"ssin", at + "/x", `["{cbe}"]`, "!one of ssin"},
		"a deep body":                 {"ssin", at + "/x", strings.Repeat("[", 20) + `"{ssin}"` + strings.Repeat("]", 20), "!deeply"},
		"a placeholder of both names": {"nihii/ssin", at + "/{nihii/ssin}", "", "!whole segment"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parseTemplate(tt.subject, tt.address, tt.body)
			if why, refused := strings.CutPrefix(tt.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), why) {
					t.Errorf("%v, want %q", err, why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.address([]string{"1", "2"}); err != nil || got != tt.want {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// TestSubjects: numbers that could leave their place are not sent. A server that takes dots away, or decodes twice, would be
// asked about somebody else, or for something else.
func TestSubjects(t *testing.T) {
	segment, err := parseTemplate("ssin", "https://api.example/v1/persons/{ssin}/roles", "")
	if err != nil {
		t.Fatal(err)
	}
	value, err := parseTemplate("ssin", "https://api.example/v1?ssin={ssin}&admin=0", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ number, segment, value string }{
		{"00000000097", "00000000097", "00000000097"},
		{"..", "", ".."}, {".", "", "."}, {"...", "...", "..."},
		{"../admin", "", "..%2Fadmin"}, {"a/b", "", "a%2Fb"}, {`a\b`, "", "a%5Cb"}, {"%2e%2e", "", "%252e%252e"}, {"%2F", "", "%252F"},
		{"a?b=c", "a%3Fb=c", "a%3Fb%3Dc"}, {"a&admin=1", "a&admin=1", "a%26admin%3D1"}, {"a#b", "a%23b", "a%23b"}, {"a;b", "a%3Bb", "a%3Bb"},
		{"a b", "a%20b", "a+b"}, {"é", "%C3%A9", "%C3%A9"}, {"@x:1", "@x:1", "%40x%3A1"},
		{"", "", ""}, {"a\r\nX: y", "", ""}, {"a\x00", "", ""}, {"\xff", "", ""}, {strings.Repeat("1", 257), "", ""},
	} {
		render := func(p *template) string {
			numbers, err := p.numbers(tt.number)
			if err != nil {
				return ""
			}
			got, err := p.address(numbers)
			if err != nil {
				return ""
			}
			return got
		}
		want := [2]string{}
		if tt.segment != "" {
			want[0] = "https://api.example/v1/persons/" + tt.segment + "/roles"
		}
		if tt.value != "" {
			want[1] = "https://api.example/v1?ssin=" + tt.value + "&admin=0"
		}
		if got := [2]string{render(segment), render(value)}; got != want {
			t.Errorf("%q: %q, want %q", tt.number, got, want)
		}
	}
}

// TestSubjectsAreNotSent: a number that cannot stand in a request is the query's fault, and the service is not asked.
func TestSubjectsAreNotSent(t *testing.T) {
	asked := false
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { asked = true; answering(w, r) })
	s := open(t, config(server.URL))
	answers, err := s.Resolve(t.Context(), query("../"+alice, doctor), nil)
	if attrs.ReasonOf(err) != attrs.InvalidQuery || len(answers) != 0 || asked {
		t.Errorf("%q, %v, asked %t", told(answers), err, asked)
	}
	discreet(t, err)
}

// FuzzTemplate: whatever the number holds, scheme, host, the other segments and the names of the query stay, what the server
// reads as the number is the number, and cleaning the path changes nothing (H6).
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{alice, "..", "../x", "%2e%2e", "a/b", "?a=b", "#", "a&b=c", "//evil.example", "@evil.example", "\r\n", "é", "\xff", `\`, ";", "{ssin}"} {
		f.Add(s)
	}
	p, err := parseTemplate("ssin", "https://api.example:8443/v1/persons/{ssin}/roles?by={ssin}&view=all", `{"ssin": "{ssin}", "view": "all"}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, number string) {
		numbers, err := p.numbers(number)
		if err != nil {
			return
		}
		var body struct{ SSIN, View string }
		if err := json.Unmarshal(p.content(numbers), &body); err != nil || body.SSIN != number || body.View != "all" {
			t.Fatalf("body: %+v, %v", body, err)
		}
		address, err := p.address(numbers)
		if err != nil {
			return
		}
		request, err := http.NewRequest("GET", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.ParseRequestURI(request.URL.RequestURI()) // as the server reads it
		if err != nil {
			t.Fatal(err)
		}
		values, err := url.ParseQuery(u.RawQuery)
		if request.URL.Scheme != "https" || request.URL.Host != "api.example:8443" || request.URL.User != nil || request.URL.Fragment != "" ||
			err != nil || len(values) != 2 || !slices.Equal(values["by"], []string{number}) || !slices.Equal(values["view"], []string{"all"}) {
			t.Fatalf("%s", address)
		}
		if segments := strings.Split(u.EscapedPath(), "/"); len(segments) != 5 || segments[1] != "v1" || segments[2] != "persons" || segments[4] != "roles" {
			t.Fatalf("%s", address)
		}
		if u.Path != "/v1/persons/"+number+"/roles" || cleaner.Clean(u.Path) != u.Path {
			t.Fatalf("%s becomes %s", address, cleaner.Clean(u.Path))
		}
	})
}

// FuzzAddress: an address that is read keeps its scheme and host for every number.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://a.example/{ssin}", "https://a.example/?x={ssin}", "https://{ssin}/", "http://127.0.0.1/{ssin}", "https://a.example/a/../{ssin}", "https://a?/{ssin}", `https://a\/{ssin}`} {
		f.Add(s, "..")
	}
	f.Add("https{://a/{ssin}", "0")
	f.Fuzz(func(t *testing.T, address, number string) {
		p, err := parseTemplate("ssin", address, "")
		if err != nil {
			return
		}
		numbers, err := p.numbers(number)
		if err != nil {
			return
		}
		one, err := p.address(numbers)
		if err != nil {
			return
		}
		other, err := p.address([]string{"1"})
		if err != nil {
			t.Fatal(err)
		}
		a, err1 := url.Parse(one)
		b, err2 := url.Parse(other)
		if err1 != nil || err2 != nil || a.Scheme != b.Scheme || a.Host != b.Host || a.User != nil || a.Fragment != "" ||
			strings.Count(a.EscapedPath(), "/") != strings.Count(b.EscapedPath(), "/") || strings.Count(a.RawQuery, "&") != strings.Count(b.RawQuery, "&") {
			t.Errorf("%q: %q, %q", address, one, other)
		}
		if checkAddress(one) != nil {
			t.Errorf("%q is not an address that would be taken", one)
		}
	})
}

// TestPaths: places in a JSON text, by pointers (the examples of RFC 6901 section 5 among them) and by the part of JSONPath.
func TestPaths(t *testing.T) {
	const text = `{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7, "k\"l": 6, "o": {"p": null, "list": [{"x": 1}, {"x": 2}, {}]}, "0": "zero"}`
	document, err := parseJSON([]byte(text), 10)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/foo/0": "bar", "/foo/1": "baz", "/": "0", "/a~1b": "1", "/c%d": "2", "/m~0n": "8", "/ ": "7", `/k"l`: "6", "/0": "zero",
		"/foo/2": "missing", "/foo/-": "shape", "/foo/00": "shape", "/foo/bar": "shape", "/none": "missing", "/o/p": "null", "/o/p/q": "missing", "/foo/0/1": "shape",
		"$.foo[0]": "bar", "$['foo'][1]": "baz", "$.foo[*]": "bar baz", "$.o.list[*].x": "1 2 missing", "$.o.list[1]['x']": "2", "$.o[0]": "shape", "$.foo.x": "shape",
		"$.o[*]": "shape", "$['a/b']": "1", "$.foo[9]": "missing", "$['']": "0",
		"": "refused", "foo": "refused", "$foo": "refused", "$.": "refused", "$..x": "refused", "$[?(@.x)]": "refused", "$[0:1]": "refused", "$[-1]": "refused", "$[00]": "refused",
		"$.foo[": "refused", "$['a": "refused", "$.a b": "refused", "$.0": "refused", "/~": "refused", "/~2": "refused", `$['a\'b']`: "refused", "$.*": "refused",
		"/" + strings.Repeat("a", 2000): "refused",
	} {
		p, err := parsePath(path)
		if err != nil {
			if want != "refused" {
				t.Errorf("%q: %v", path, err)
			}
			continue
		}
		found, missing, err := p.find(document)
		var got []string
		for _, n := range found {
			if n.kind == null {
				got = append(got, "null")
			} else {
				got = append(got, n.text)
			}
		}
		if missing {
			got = append(got, "missing")
		}
		if err != nil {
			got = append(got, "shape")
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// FuzzJSON: what is read is what encoding/json reads of it, with every name once, and survives being written.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{document, unknownPerson, `{"a":1,"a":2}`, `[1,]`, `{"a":}`, "[[[[", `"\ud800"`, `"\ud83d\ude00"`, "1e999", "\"\xff\"", "null null", " 1 ", `{"a":{"b":[{}]}}`, ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		n, err := parseJSON(octets, 16)
		if err != nil {
			return
		}
		if !json.Valid(octets) || !utf8.Valid(octets) || depthOf(n) > 16 {
			t.Fatal("not what is read")
		}
		var theirs any
		in := json.NewDecoder(strings.NewReader(string(octets)))
		in.UseNumber()
		if err := in.Decode(&theirs); err != nil || !same(n, theirs) {
			t.Fatalf("%+v, %v", theirs, err)
		}
		var b bytes.Buffer
		n.write(&b, func(s string) string { return s })
		again, err := parseJSON(b.Bytes(), 16)
		if err != nil || !same(again, theirs) {
			t.Fatalf("%s: %v", b.String(), err)
		}
	})
}

// FuzzMapping: whatever the service says, an answer is one that its definition allows, or an error.
func FuzzMapping(f *testing.F) {
	f.Add([]byte(document))
	f.Add([]byte(`{"recognition": {"doctor": [true, true]}, "numbers": []}`))
	c := config("https://api.example")
	p, err := parseTemplate("ssin", c.URLs[attrs.SubjectSSIN], "")
	if err != nil {
		f.Fatal(err)
	}
	for i := range c.Mappings {
		if err := c.Mappings[i].check(map[attrs.SubjectType]*template{attrs.SubjectSSIN: p}); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		n, err := parseJSON(octets, DefaultMaxDepth)
		if err != nil {
			return
		}
		for i := range c.Mappings {
			m := &c.Mappings[i]
			facts, err := m.facts(n)
			if err != nil {
				continue
			}
			answer, err := attrs.Certify(m.Definition, facts, testNow())
			if err != nil {
				continue
			}
			answer.Source, answer.RetrievedAt = "x", testNow()
			if err := answer.Check(testNow()); err != nil {
				t.Errorf("%s: %v", m.Definition.Name, err)
			}
		}
	})
}

func depthOf(n *node) int {
	depth := 0
	if n.kind == array || n.kind == object {
		depth = 1
	}
	for _, m := range n.members {
		depth = max(depth, 1+depthOf(m))
	}
	return depth
}

// same compares with what encoding/json made.
func same(n *node, v any) bool {
	switch v := v.(type) {
	case nil:
		return n.kind == null
	case bool:
		return n.kind == boolean && (n.text == "true") == v
	case json.Number:
		return n.kind == number && n.text == string(v)
	case string:
		return n.kind == text && n.text == v
	case []any:
		return n.kind == array && slices.EqualFunc(n.members, v, same)
	case map[string]any:
		if n.kind != object || len(n.names) != len(v) {
			return false
		}
		for name, value := range v {
			if m := n.member(name); m == nil || !same(m, value) {
				return false
			}
		}
		return true
	}
	return false
}

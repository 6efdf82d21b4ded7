package page_test

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"sceau/oidc/page"
)

// What breaks out of a text, an attribute, an address or a template, where something is not escaped.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus='alert(1)`, `</title><svg/onload=alert(1)>`,
	`</strong></bdi><h1>x</h1>`, `javascript:alert(1)`, `{{.View.Token}}`, `{client}`, "`${1}`", `<!--`, `]]>`, `&lt;&#x3c;`, "\x00", "\r\n\r\n<p>", "\u202e\u2028", "\xff\xfe",
	`</form><form action=//evil.example>`, `<noscript><p title="</noscript><b>">`, `<base href=//evil>`, `+ADw-script+AD4-`,
}

// fill puts text into every string that is shown; addresses and kinds stay what they are, but for what addresses ask.
func fill(v reflect.Value, draw func() string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			made := reflect.New(v.Type().Elem())
			made.Elem().Set(v.Elem())
			fill(made.Elem(), draw)
			v.Set(made)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if v.Len() > 0 {
				v.SetBytes([]byte(draw()))
			}
			return
		}
		made := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(made, v)
		for i := range made.Len() {
			fill(made.Index(i), draw)
		}
		v.Set(made)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), draw)
		}
	case reflect.String:
		switch text := v.String(); {
		case text == "" || v.Type() == reflect.TypeFor[page.Kind]():
		case strings.HasPrefix(text, "/") || strings.Contains(text, "://"):
			v.SetString(text + "?" + url.QueryEscape(draw()) + "'\"<>")
		default:
			v.SetString(draw())
		}
	}
}

// skeleton is what of a page is markup: elements and the names of their attributes.
func skeleton(root *html.Node) []string {
	var list []string
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			line := n.Data
			for _, a := range n.Attr {
				line += " " + a.Key
			}
			list = append(list, line)
		case html.CommentNode, html.DoctypeNode:
			list = append(list, "!"+n.Data)
		}
	}
	return list
}

// TestHostile: whatever stands in the data of a page, its markup is the same. Otherwise a name in a directory or a parameter of
// a stranger would be a script in the page where passwords are typed.
func TestHostile(t *testing.T) {
	set := newSet(t)
	rapid.Check(t, func(t *rapid.T) {
		c := cases[rapid.IntRange(0, len(cases)-1).Draw(t, "case")]
		language := rapid.SampledFrom(tongues).Draw(t, "language")
		text := rapid.OneOf(rapid.SampledFrom(hostile), rapid.StringN(1, 40, -1),
			rapid.Map(rapid.SliceOfN(rapid.SampledFrom(hostile), 1, 3), func(s []string) string { return strings.Join(s, "") }))
		filled := func(draw func() string) (page.View, any) {
			value := reflect.New(reflect.TypeOf(c.page)).Elem()
			value.Set(reflect.ValueOf(c.page))
			fill(value, draw)
			v := view
			fill(reflect.ValueOf(&v).Elem(), draw)
			// These are the operator's: they are not shown, and a telephone without a digit is no link.
			v.Static, v.Redirects, v.Support.Telephone = view.Static, view.Redirects, view.Support.Telephone+v.Support.Telephone
			return v, value.Interface()
		}
		v, value := filled(func() string { return "x" })
		want := write(t, set, language, v, c.status, value)
		v, value = filled(func() string { return text.Draw(t, "text") })
		got := write(t, set, language, v, c.status, value)
		if a, b := skeleton(parse(t, want)), skeleton(parse(t, got)); !slices.Equal(a, b) {
			t.Fatalf("%s: the markup is\n%q\nand not\n%q", c.name, b, a)
		}
		for name := range want.Header {
			if name == "Content-Length" || name == "Refresh" {
				continue
			}
			if a, b := want.Header[name], got.Header[name]; !slices.Equal(a, b) {
				t.Fatalf("%s: %s is %q and not %q", c.name, name, b, a)
			}
		}
	})
}

// FuzzAddress: no address makes a link that a browser would run, or one to another host that does not say so.
func FuzzAddress(f *testing.F) {
	for _, seed := range append(hostile, "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", " javascript:x", "\x01javascript:x", "//evil.example", `/\evil.example`, `\\evil`, "///evil",
		"data:text/html,x", "vbscript:x", "https://a.example/?q=\"><b>", "https:evil", "http:///x", "/x?y", "?lang=fr", "org.example.app:/cb", "a.b:javascript:alert(1)", "blob:https://x", "%6aavascript:x", "javascript&colon;alert(1)") {
		f.Add(seed)
	}
	set := newSet(f)
	f.Fuzz(func(t *testing.T, text string) {
		root := parse(t, write(t, set, "fr", view, 0, page.LoggedOut{Return: text}))
		for _, a := range find(find(root, "main")[0], "a") {
			href, _ := attribute(a, "href")
			// The URL standard: controls and spaces at the ends go, tabs and line ends anywhere; \ is / in what is special.
			seen := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimFunc(href, func(c rune) bool { return c <= ' ' }))
			scheme, _, found := strings.Cut(seen, ":")
			if found && !strings.ContainsAny(scheme, "/?#") {
				scheme = strings.ToLower(scheme)
				if scheme != "https" && scheme != "http" && !strings.Contains(scheme, ".") {
					t.Fatalf("%q is a link to %q", text, href)
				}
			}
			if strings.HasPrefix(seen, "//") {
				t.Fatalf("%q is a link to another host: %q", text, href)
			}
		}
	})
}

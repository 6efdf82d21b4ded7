package c14n_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/internal/vector"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// corpus returns documents that parse: generated ones, hand-made ones and, where
// they are at hand, every XML file of the shared samples and vectors.
func corpus(t testing.TB, generated int, options vector.Options) [][]byte {
	t.Helper()
	documents := vector.Documents(generated, options)
	for _, text := range handMade {
		documents = append(documents, []byte(text))
	}
	root := os.Getenv("SCEAU_SHARED")
	if root == "" {
		return documents
	}
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "java-opensaml" { // many, and all of one shape
				return fs.SkipDir
			}
			return nil
		}
		switch filepath.Ext(name) {
		case ".xml", ".res", ".tmpl":
		default:
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil || len(text) > 1<<18 || seen[string(text)] {
			return err
		}
		seen[string(text)] = true
		if d, err := xmltext.Parse(text, xmltext.DefaultLimits()); err == nil {
			d.Release()
			documents = append(documents, text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

var handMade = []string{
	`<a/>`,
	"<a\tb = 'x'\n/>",
	`<a xmlns="urn:d"><b xmlns=""><c xmlns="urn:d"><d xmlns="urn:d"/></c></b></a>`,
	`<a xmlns:p="urn:p" xmlns:q="urn:q"><p:b q:x="1"><q:c/></p:b><q:c p:y="2" q:y="3"/></a>`,
	`<a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c xmlns:p="urn:1"/><p:c/></p:b><p:c/></a>`,
	`<p:a xmlns:p="urn:1" xmlns:q="urn:1"><q:b p:x="" q:y=""/><p:b p:x="" q:y=""/></p:a>`,
	`<a xmlns:b="urn:z" xmlns:c="urn:a" b:a="1" c:a="2" a="3" c:b="4" xml:lang="nl"/>`,
	"<a b=\"1\r\n2\r3\n4\t5&#13;&#10;&#9;\">1\r\n2\r3\n4\t5&#13;&#10;&#9;</a>",
	`<a>]]&gt;<![CDATA[]]]]><![CDATA[>]]>&amp;amp;<![CDATA[&amp;]]></a>`,
	`<é xmlns:ü="urn:u" ü:ö="ß">日本語 &#x65E5;&#26412;</é>`,
	`<a xml:space="preserve">  <b xml:space="default">  </b>  </a>`,
	`<a><b/><b></b><b> </b><b>&#x20;</b></a>`,
	"\xEF\xBB\xBF<?xml version='1.0' encoding='utf-8' standalone='no' ?>\r\n<a/>\r\n",
	"<a>\u007f\u0085\u00a0\u2028\ufeff\ufffd\U0010fffd</a>",
	`<xs:a xmlns:xs="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:b"/>`,
}

// uncommented returns text without its comments, for a judge that keeps them.
func uncommented(t testing.TB, text []byte) []byte {
	t.Helper()
	d := parse(t, text)
	defer d.Release()
	var out []byte
	from := int32(0)
	tokens := d.Tokens()
	for i := range tokens {
		if tokens[i].Kind == xmltext.Comment {
			out = append(out, text[from:tokens[i].Start]...)
			from = tokens[i].End
		}
	}
	root := &tokens[0]
	return append(append([]byte(nil), out...), text[from:root.End]...)
}

// withoutMisc cuts everything around the root.
func withoutMisc(t testing.TB, text []byte) []byte {
	t.Helper()
	d := parse(t, text)
	defer d.Release()
	root := d.Tokens()[0]
	return append([]byte(nil), text[root.Start:root.End]...)
}

// notForXMLLint are documents on which libxml2 differs from the recommendation and
// from the JDK: it writes "&" in a namespace name as it is, and makes no form at all
// of a name that RFC 3986 does not admit.
var notForXMLLint = []string{
	`<a xmlns="http://example.org/?a=1&amp;b='2'"><b xmlns:x='http://example.org/"x"&lt;' x:y=""/></a>`,
	`<ü:a xmlns:ü="urn:ü"/>`,
}

// TestXMLLint: whole documents, byte for byte as xmllint --exc-c14n writes them.
func TestXMLLint(t *testing.T) {
	judge.Require(t, "xmllint")
	compared, formless := 0, 0
	for i, text := range corpus(t, 330, vector.Options{NoEscapedNamespace: true}) {
		plain := uncommented(t, withoutMisc(t, text))
		want, ok := judge.Exclusive(t, plain)
		d := parse(t, text)
		got, err := c14n.Append(nil, d.Root(), c14n.Options{})
		d.Release()
		switch {
		case !ok && err != nil:
			formless++
		case !ok:
			t.Errorf("document %d: a form, where xmllint makes none: %.300q", i, text)
		case err != nil:
			t.Errorf("document %d: %v: %.300q", i, err, text)
		case !bytes.Equal(got, want):
			t.Errorf("document %d:\ntext %.1000q\ngot  %.1000q\nwant %.1000q", i, text, got, want)
		default:
			compared++
		}
	}
	t.Logf("%d documents equal to xmllint --exc-c14n, %d without a form in both", compared, formless)
	if compared < 300 {
		t.Errorf("only %d documents compared", compared)
	}
}

// prefixLists answers with a PrefixList for the k-th question about a document.
func prefixLists(choose vector.Source) string {
	var list []string
	for range choose(5) {
		list = append(list, []string{"a", "b", "c", "ds", "#default", "A", "zz", "nothere", "soapenv", "wsse"}[choose(10)])
	}
	return strings.Join(list, " ")
}

// TestJDK: any apex, any PrefixList, with and without an omitted subtree, as the
// JDK (Apache Santuario) writes them.
func TestJDK(t *testing.T) {
	j := judge.JDK(t)
	type question struct {
		text     []byte
		n, omit  int
		prefixes string
		number   int
	}
	var questions []question
	documents := corpus(t, 300, vector.Options{FourthEdition: true})
	for _, text := range notForXMLLint {
		documents = append(documents, []byte(text))
	}
	for i, text := range documents {
		d := parse(t, text)
		count := len(elements(d))
		choose := vector.Seeded(uint64(i) + 1<<32)
		for range 4 {
			q := question{text: text, n: choose(count), omit: -1, prefixes: prefixLists(choose)}
			if choose(3) == 0 {
				// Something inside the apex, if there is anything.
				apex := elements(d)[q.n]
				for k := q.n + 1; k < count && apex.Contains(elements(d)[k]); k++ {
					if q.omit = k; choose(3) == 0 {
						break
					}
				}
			}
			// The numbers of elements are the same in both readings of the text.
			q.number = j.Canonicalize(text, q.n, q.omit, q.prefixes)
			questions = append(questions, q)
		}
		d.Release()
	}
	j.Run()
	compared, formless := 0, 0
	for _, q := range questions {
		d := parse(t, q.text)
		options := c14n.Options{PrefixList: []byte(q.prefixes)}
		if q.omit >= 0 {
			options.Omit = elements(d)[q.omit]
		}
		got, err := c14n.Append(nil, elements(d)[q.n], options)
		d.Release()
		want, ok := j.Output(q.number)
		switch {
		case !ok && err != nil:
			formless++
		case !ok || err != nil:
			t.Errorf("JDK %s, ours %v: %.300q", j.Answer(q.number), err, q.text)
		case !bytes.Equal(got, want):
			t.Errorf("element %d, omit %d, list %q:\ntext %.1500q\ngot  %.800q\nwant %.800q", q.n, q.omit, q.prefixes, q.text, got, want)
		default:
			compared++
		}
	}
	t.Logf("%d subtrees equal to the JDK, %d without a form in both", compared, formless)
}

// TestVectorsLibxml2: the expected octets of libxml2's own tests, those whose node
// set is a subtree.
func TestVectorsLibxml2(t *testing.T) {
	in := judge.Shared(t, "vectors", "libxml2-c14n", "test", "c14n", "exc-without-comments")
	out := judge.Shared(t, "vectors", "libxml2-c14n", "result", "c14n", "exc-without-comments")
	apexes := map[string]string{ // the element whose subtree the node set is
		"test-0": "e6", "test-1": "e6", "test-2": "SignedInfo",
		"merlin-c14n-two-09": "Something", "merlin-c14n-two-18": "Something",
	}
	outside := map[string]string{ // why the rest is outside the profile
		"test-0": "DTD", "test-1": "DTD",
		"merlin-c14n-two-10": "node set without its namespace nodes", "merlin-c14n-two-11": "node set without its namespace nodes",
		"merlin-c14n-two-12": "node set with gaps", "merlin-c14n-two-13": "node set with gaps", "merlin-c14n-two-14": "node set with gaps",
		"merlin-c14n-two-15": "node set with gaps", "merlin-c14n-two-16": "node set with gaps", "merlin-c14n-two-17": "node set with gaps",
		"merlin-c14n-two-19": "node set with gaps", "merlin-c14n-two-20": "node set with gaps", "merlin-c14n-two-21": "node set with gaps",
		"merlin-c14n-two-22": "node set with gaps", "merlin-c14n-two-23": "node set with gaps", "merlin-c14n-two-24": "node set with gaps",
		"merlin-c14n-two-25": "node set with gaps", "merlin-c14n-two-26": "node set with gaps",
	}
	names, err := filepath.Glob(filepath.Join(in, "*.xml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	compared := 0
	for _, name := range names {
		base := strings.TrimSuffix(filepath.Base(name), ".xml")
		t.Run(base, func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			list, err := os.ReadFile(strings.TrimSuffix(name, ".xml") + ".ns")
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if reason, ok := outside[base]; ok {
				if reason == "DTD" {
					if _, err := xmltext.Parse(text, xmltext.DefaultLimits()); err == nil {
						t.Error("a DTD was read")
					}
					// The same document without the DTD, which declares a default attribute.
					_, after, _ := bytes.Cut(text, []byte("]>"))
					text = bytes.Replace(after, []byte("<e9"), []byte(`<e9 attr="default"`), 1)
				} else {
					t.Logf("outside: %s", reason)
					return
				}
			}
			want, err := os.ReadFile(filepath.Join(out, base))
			if err != nil {
				t.Fatal(err)
			}
			d := parse(t, text)
			defer d.Release()
			got, err := c14n.Append(nil, find(t, d, apexes[base]), c14n.Options{PrefixList: list})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
			}
			compared++
		})
	}
	t.Logf("%d equal, %d outside the profile", compared, len(names)-compared)
}

// TestVectorsSpecification: section 2.2 of the recommendation, one subtree in two
// contexts.
func TestVectorsSpecification(t *testing.T) {
	const want = `<n1:elem2 xmlns:n1="http://example.net" xml:lang="en">
      <n3:stuff xmlns:n3="ftp://example.org"></n3:stuff>
   </n1:elem2>`
	for i, text := range []string{
		`<n0:local xmlns:n0="http://something.example" xmlns:n3="ftp://example.org"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en">
      <n3:stuff xmlns:n3="ftp://example.org"/>
   </n1:elem2></n0:local>`,
		`<n0:pdu xmlns:n0="http://a.example" xmlns:n1="http://b.example" xml:lang="fr" xml:space="retain"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en">
      <n3:stuff xmlns:n3="ftp://example.org"/>
   </n1:elem2></n0:pdu>`,
	} {
		d := parse(t, []byte(text))
		got, err := c14n.Append(nil, find(t, d, "elem2"), c14n.Options{})
		d.Release()
		if err != nil || string(got) != want {
			t.Errorf("context %d: %v\n%s", i, err, got)
		}
	}
}

// TestVectorsMerlin: the digests of merlin-exc-c14n-one, with and without a
// PrefixList. Its other two references are over comments.
func TestVectorsMerlin(t *testing.T) {
	text, err := os.ReadFile(judge.Shared(t, "vectors", "xmlsec", "merlin-exc-c14n-one", "exc-signature.xml"))
	if err != nil {
		t.Fatal(err)
	}
	d := parse(t, text)
	defer d.Release()
	apex, ok := d.ElementByID([]byte("to-be-signed"))
	if !ok {
		t.Fatal("no element to-be-signed")
	}
	for list, want := range map[string]string{"": "7yOTjUu+9oEhShgyIIXDLjQ08aY=", "bar #default": "09xMy0RTQM1Q91demYe/0F6AGXo="} {
		out, err := c14n.Append(nil, apex, c14n.Options{PrefixList: []byte(list)})
		sum := sha1.Sum(out)
		if got := base64.StdEncoding.EncodeToString(sum[:]); err != nil || got != want {
			t.Errorf("list %q: %v, digest %s of %s", list, err, got, out)
		}
	}
}

package saml_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// anyString is any string at all, most of them hostile.
func anyString() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
		rapid.StringOfN(rapid.RuneFrom([]rune("<>&\"'\r\n\t ]-!a\u0000\u0001\u000b\u001f\u007f\u0085\u2028\ufffd\ufffe\uffff\U0001F600\U0010ffff")), 0, 12, -1),
		rapid.SampledFrom([]string{"", "x", "</AttributeValue><AttributeValue>", `" AttributeName="evil`, "]]>", "<![CDATA[", "<!--", "&lt;", "&#0;", "&amp;amp;",
			"</Attribute></AttributeStatement></Assertion>", "<!DOCTYPE a>", "<?pi?>", "\xff", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\r\nb", " a ", "\ufeff"}),
	)
}

// A drawer draws the parts of one message: all of them such as XML can hold, so that
// the message is written, or any.
type drawer struct {
	t      *rapid.T
	proper bool
}

func newDrawer(t *rapid.T) drawer {
	return drawer{t, rapid.IntRange(0, 3).Draw(t, "any at all") != 0}
}

func (d drawer) text(label string) string {
	if d.proper {
		return anyString().Filter(func(s string) bool { return xmltext.IsText(s) }).Draw(d.t, label)
	}
	return anyString().Draw(d.t, label)
}

func (d drawer) identifier(label string) string {
	if d.proper {
		return rapid.StringMatching(`[_a-zé][_a-z0-9.·-]{0,8}`).Draw(d.t, label)
	}
	return anyString().Draw(d.t, label)
}

func (d drawer) statement() saml.Statement {
	s := saml.Statement{Name: d.text("name"), Namespace: d.text("namespace")}
	if d.proper {
		s.Name += "x"
	}
	for range rapid.IntRange(0, 3).Draw(d.t, "values") {
		s.Values = append(s.Values, d.text("value"))
	}
	return s
}

func (d drawer) time() time.Time {
	from, to := int64(-62135596800), int64(253402300799) // the years 1 to 9999
	if !d.proper {
		from, to = from-1_000_000_000, to+1_000_000_000
	}
	return time.Unix(rapid.Int64Range(from, to).Draw(d.t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(d.t, "nanoseconds"))
}

func (d drawer) least() int {
	if d.proper {
		return 1
	}
	return 0
}

// TestAssertionProperty: what is written is read back as it was, or not written: no
// string can add, end or change an element (attacks.md H4).
func TestAssertionProperty(t *testing.T) {
	s := signer(t, &testpki.Load().STSP256)
	written := 0
	rapid.Check(t, func(t *rapid.T) {
		draw := newDrawer(t)
		i := &saml.Issue{
			AssertionID: draw.identifier("AssertionID"), Issuer: draw.text("Issuer"), IssueInstant: draw.time(), NotBefore: draw.time(), NotOnOrAfter: draw.time(),
			Subject: saml.Name{Subject: draw.text("subject"), Issuer: draw.text("issuer")}, Holder: rapid.SliceOf(rapid.Byte()).Draw(t, "holder"),
		}
		for range rapid.IntRange(draw.least(), 3).Draw(t, "attributes") {
			i.Attributes = append(i.Attributes, draw.statement())
		}
		out, err := saml.AppendAssertion(nil, i, s)
		if err != nil {
			if out != nil {
				t.Fatalf("an assertion with the error %v", err)
			}
			return
		}
		written++
		d, err := xmltext.Parse(out, xmltext.DefaultLimits())
		if err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		defer d.Release()
		var a saml.Assertion
		if err := saml.ParseAssertion(d.Root(), &a); err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		same(t, &a, i)
		signature, err := xmlsec.ParseSignature(a.Signature)
		if err != nil {
			t.Fatalf("%v", err)
		}
		policy := xmlsec.DefaultPolicy()
		if v, err := signature.Verify(s.Public(), &policy); err != nil || !v.Signs(d.Root()) {
			t.Fatalf("%v: %q", err, out)
		}
	})
	if written < 20 {
		t.Errorf("%d were written: the property was not tested", written)
	}
}

// TestQueryProperty is the same for the request.
func TestQueryProperty(t *testing.T) {
	s := signer(t, &testpki.Load().AliceEHealthP256)
	written := 0
	rapid.Check(t, func(t *rapid.T) {
		draw := newDrawer(t)
		q := &saml.Query{
			RequestID: draw.identifier("RequestID"), AssertionID: draw.identifier("AssertionID"), Issuer: draw.text("Issuer"),
			IssueInstant: draw.time(), NotBefore: draw.time(), NotOnOrAfter: draw.time(),
			Subject: saml.Name{Subject: draw.text("subject"), Issuer: draw.text("issuer")}, Holder: rapid.SliceOf(rapid.Byte()).Draw(t, "holder"),
		}
		for range rapid.IntRange(draw.least(), 2).Draw(t, "identification") {
			q.Identification = append(q.Identification, draw.statement())
		}
		for range rapid.IntRange(0, 2).Draw(t, "designators") {
			q.Designators = append(q.Designators, draw.statement())
		}
		with := s
		if rapid.Bool().Draw(t, "unsigned") {
			with = nil
		}
		out, err := saml.AppendQuery(nil, q, with)
		if err != nil {
			if out != nil {
				t.Fatalf("a request with the error %v", err)
			}
			return
		}
		d, err := xmltext.Parse(out, xmltext.DefaultLimits())
		if err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		written++
		defer d.Release()
		var r saml.Request
		if err := saml.ParseRequest(d.Root(), &r); err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		if string(r.RequestID) != q.RequestID || !r.IssueInstant.Equal(q.IssueInstant.Truncate(time.Millisecond)) || r.Signature.IsZero() != (with == nil) ||
			string(r.Subject.NameIdentifier.Value) != q.Subject.Subject || string(r.Subject.NameIdentifier.NameQualifier) != q.Subject.Issuer || len(r.Designators()) != len(q.Designators) {
			t.Fatalf("%+v", r)
		}
		for i, d := range r.Designators() {
			if string(d.Name) != q.Designators[i].Name || string(d.Namespace) != q.Designators[i].Namespace {
				t.Fatalf("designator %q", d)
			}
		}
		var a saml.Assertion
		if err := saml.ParseAssertion(r.Subject.Confirmation.Data.FirstElement(), &a); err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		if string(a.AssertionID) != q.AssertionID || string(a.Issuer) != q.Issuer || !a.Conditions.NotBefore.Equal(q.NotBefore.Truncate(time.Millisecond)) || !a.Conditions.NotOnOrAfter.Equal(q.NotOnOrAfter.Truncate(time.Millisecond)) {
			t.Fatalf("%+v", a)
		}
		attributesSame(t, a.Attributes(), q.Identification)
		if with == nil {
			return
		}
		signature, err := xmlsec.ParseSignature(r.Signature)
		if err != nil {
			t.Fatalf("%v", err)
		}
		policy := xmlsec.DefaultPolicy()
		if v, err := signature.Verify(s.Public(), &policy); err != nil || !v.Signs(d.Root()) || !v.Covers(a.Node) {
			t.Fatalf("%v: %q", err, out)
		}
	})
	if written < 20 {
		t.Errorf("%d were written: the property was not tested", written)
	}
}

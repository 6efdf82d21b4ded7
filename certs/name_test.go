package certs

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// derOf gives the DER of a name, through a certificate that bears it.
func derOf(tb testing.TB, n minipki.Name) []byte {
	tb.Helper()
	p := testpki.Load()
	der, err := p.CitizenCA.Issue(minipki.Template{Subject: n}, p.OtherKeyP256().Public())
	if err != nil {
		tb.Fatal(err)
	}
	c, err := ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return c.x509.RawSubject
}

func nameOf(tb testing.TB, n minipki.Name) Name {
	tb.Helper()
	out, err := parseNameDER(derOf(tb, n))
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// TestNameAsJavaWritesIt: the texts on the right were written by the JDK
// (X500Principal.toString and getName("RFC1779")) from certificates with these names.
func TestNameAsJavaWritesIt(t *testing.T) {
	tests := []struct {
		name   minipki.Name
		text   string
		rfc179 string
	}{
		{minipki.DN("C", "BE", "O", "A, B", "OU", " lead", "CN", "x  y"),
			`CN="x  y", OU=" lead", O="A, B", C=BE`,
			`CN="x  y", OU=" lead", O="A, B", C=BE`},
		{minipki.DN("C", "BE", "O", `quo"te\back`, "OU", "#hash", "CN", "a<b>c;d+e=f"),
			`CN="a<b>c;d+e=f", OU="#hash", O="quo\"te\\back", C=BE`,
			`CN="a<b>c;d+e=f", OU="#hash", O="quo\"te\\back", C=BE`},
		{minipki.DN("C", "BE", "E", "a@b.be", "DC", "example", "UID", "u1", "ST", "state", "2.5.4.9", "street", "CN", "trail "),
			`CN="trail ", STREET=street, ST=state, UID=u1, DC=example, EMAILADDRESS=a@b.be, C=BE`,
			`CN="trail ", STREET=street, ST=state, OID.0.9.2342.19200300.100.1.1=u1, OID.0.9.2342.19200300.100.1.25=example, OID.1.2.840.113549.1.9.1=a@b.be, C=BE`},
		{minipki.DN("C", "BE", "SN", "Müster", "GN", "Zoë", "+serialNumber", "123", "2.5.4.97", "VATBE-1", "2.5.4.65", "ps", "CN", ""),
			`CN=, OID.2.5.4.65=ps, OID.2.5.4.97=VATBE-1, SERIALNUMBER=123 + GIVENNAME=Zoë, SURNAME=Müster, C=BE`,
			`CN=, OID.2.5.4.65=ps, OID.2.5.4.97=VATBE-1, OID.2.5.4.5=123 + OID.2.5.4.42=Zoë, OID.2.5.4.4=Müster, C=BE`},
		{minipki.DN("2.5.4.12", "title", "2.5.4.43", "ini", "2.5.4.44", "gen", "2.5.4.46", "dnq", "2.5.4.17", "1000", "1.2.3.4.5.678", "odd", "CN", "z"),
			`CN=z, OID.1.2.3.4.5.678=odd, OID.2.5.4.17=1000, DNQ=dnq, GENERATION=gen, INITIALS=ini, T=title`,
			`CN=z, OID.1.2.3.4.5.678=odd, OID.2.5.4.17=1000, OID.2.5.4.46=dnq, OID.2.5.4.44=gen, OID.2.5.4.43=ini, OID.2.5.4.12=title`},
		{minipki.Name{{{Type: "2.5.4.10", Value: "\x00C\x00a\x00f\x00\xe9", Tag: 30}}, {{Type: "2.5.4.11", Value: "Caf\xe9", Tag: 20}}},
			`OU=Café, O=Café`, `OU=Café, O=Café`},
	}
	for _, tt := range tests {
		n := nameOf(t, tt.name)
		if n.String() != tt.text {
			t.Errorf("String: %s\n  want: %s", n.String(), tt.text)
		}
		if n.JavaRFC1779() != tt.rfc179 {
			t.Errorf("JavaRFC1779: %s\n       want: %s", n.JavaRFC1779(), tt.rfc179)
		}
		for _, text := range []string{tt.text, tt.rfc179} {
			parsed, err := ParseName([]byte(text))
			if err != nil || !parsed.Equal(n) || !n.Equal(parsed) || parsed.String() != tt.text {
				t.Errorf("%s: reads back as %s, %v", text, parsed.String(), err)
			}
		}
	}
}

// TestNameForms: the forms in which clients of the wire document write one name (D10).
func TestNameForms(t *testing.T) {
	n := nameOf(t, minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN}).Subject)
	equal := []string{
		`OID.2.5.4.5=00000000097, OID.2.5.4.42=Alice Test, OID.2.5.4.4=Example, CN=Alice Test Example (Authentication), C=BE`,
		`SERIALNUMBER=00000000097, GIVENNAME=Alice Test, SURNAME=Example, CN=Alice Test Example (Authentication), C=BE`,
		`serialNumber=00000000097,G=Alice Test,SN=Example,CN=Alice Test Example (Authentication),C=BE`,
		`2.5.4.5=00000000097,2.5.4.42=Alice Test,2.5.4.4=Example,2.5.4.3=Alice Test Example (Authentication),2.5.4.6=BE`,
		`C=BE, CN=Alice Test Example (Authentication), SN=Example, GN=Alice Test, serialNumber=00000000097`,
		`C=be;CN="ALICE  TEST EXAMPLE (authentication)"; SN=example ;GN= Alice   Test ;SERIALNUMBER=\300000000097`,
		`2.5.4.5=#130b3030303030303030303937,2.5.4.42=#0c0a416c6963652054657374,2.5.4.4=Example,CN=Alice Test Example (Authentication),C=BE`,
		"OID.2.5.4.5=00000000097,\n  OID.2.5.4.42=Alice Test,\r\n\tOID.2.5.4.4=Example, CN=Alice Test Example (Authentication), C=BE\n",
		`oid.2.5.4.5 = "00000000097", GN = Alice\ Test, SN=Example, CN=Alice Test Example (Authentication), C=BE`,
	}
	for _, text := range equal {
		parsed, err := ParseName([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !parsed.Equal(n) || !n.Equal(parsed) || !nameIs(&n, []byte(text)) {
			t.Errorf("%s: is not the name", text)
		}
	}
	different := []string{
		`OID.2.5.4.5=00000000196, OID.2.5.4.42=Alice Test, OID.2.5.4.4=Example, CN=Alice Test Example (Authentication), C=BE`, // another SSIN
		`OID.2.5.4.42=Alice Test, OID.2.5.4.5=00000000097, OID.2.5.4.4=Example, CN=Alice Test Example (Authentication), C=BE`, // neither order
		`OID.2.5.4.42=Alice Test, OID.2.5.4.4=Example, CN=Alice Test Example (Authentication), C=BE`,                          // one less
		`OID.2.5.4.5=00000000097, OID.2.5.4.42=Alice Test + OID.2.5.4.4=Example, CN=Alice Test Example (Authentication), C=BE`,
		`OID.2.5.4.5=00000000097, OID.2.5.4.42=AliceTest, OID.2.5.4.4=Example, CN=Alice Test Example (Authentication), C=BE`,
		`OID.2.5.4.5="00000000097, OID.2.5.4.42=Alice Test, OID.2.5.4.4=Example", CN=Alice Test Example (Authentication), C=BE`,
	}
	for _, text := range different {
		parsed, err := ParseName([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if parsed.Equal(n) || n.Equal(parsed) || nameIs(&n, []byte(text)) {
			t.Errorf("%s: is the name", text)
		}
	}
}

// TestNameNormalization: NFC and NFD are different names here: refused, not confused (D10).
func TestNameNormalization(t *testing.T) {
	n := nameOf(t, minipki.DN("C", "BE", "CN", "Zo\u00eb"))
	if !nameIs(&n, []byte("CN=zo\u00cb, C=BE")) {
		t.Error("case of a letter with an accent")
	}
	if nameIs(&n, []byte("CN=Zoe\u0308, C=BE")) {
		t.Error("NFD is equal to NFC")
	}
}

func TestNameRefused(t *testing.T) {
	tests := map[string]struct {
		text   string
		reason Reason
	}{
		"empty":                   {"", Malformed},
		"no value":                {"CN", Malformed},
		"no type":                 {"=x", Malformed},
		"unknown keyword":         {"FOO=x", Malformed},
		"keyword too long":        {strings.Repeat("C", 25) + "=x", Malformed},
		"ends with a comma":       {"CN=x,", Malformed},
		"ends with a plus":        {"CN=x+", Malformed},
		"two commas":              {"CN=x,,C=BE", Malformed},
		"open quote":              {`CN="x`, Malformed},
		"text after a quote":      {`CN="x"y`, Malformed},
		"quote inside":            {`CN=x"y"`, Malformed},
		"bare special":            {"CN=x<y", Malformed},
		"escape at the end":       {`CN=x\`, Malformed},
		"unknown escape":          {`CN=\q`, Malformed},
		"escape of half a byte":   {`CN=\4`, Malformed},
		"escape of no UTF-8":      {`CN=\ff`, Malformed},
		"escape of a control":     {`CN=a\00b`, Malformed},
		"escape of a line end":    {`CN=a\0aC=BE`, Malformed},
		"control character":       {"CN=a\x01b", Malformed},
		"line end in a value":     {"CN=a\nb", Malformed},
		"C1 control":              {"CN=a\u0085b", Malformed},
		"noncharacter":            {"CN=a\uffffb", Malformed},
		"no UTF-8":                {"CN=a\xffb", Malformed},
		"hex of nothing":          {"CN=#", Malformed},
		"hex of half a byte":      {"CN=#0c0", Malformed},
		"hex that is too short":   {"CN=#0c0261", Malformed},
		"hex that is too long":    {"CN=#0c016161", Malformed},
		"hex with odd length":     {"CN=#0c8101aa", Malformed},
		"hex then text":           {"CN=#0c0161x", Malformed},
		"object identifier":       {"2.5.=x", Malformed},
		"object identifier alone": {"2=x", Malformed},
		"leading zero":            {"2.05.4=x", Malformed},
		"arc out of range":        {"1.40=x", Malformed},
		"arc too great":           {"2.5.99999999999999999999=x", Malformed},
		"too long":                {"CN=" + strings.Repeat("x", maxNameText), TooLarge},
		"too many attributes":     {strings.Repeat("CN=x,", maxNameAttributes) + "CN=x", TooLarge},
		"too many in one RDN":     {strings.Repeat("CN=x+", maxNameAttributes) + "CN=x", TooLarge},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n, err := ParseName([]byte(tt.text))
			if ReasonOf(err) != tt.reason {
				t.Errorf("%v, want %v", err, tt.reason)
			}
			if !n.IsZero() {
				t.Error("a refusal came with a name")
			}
			if len(tt.text) > 4 && err != nil && strings.Contains(err.Error(), tt.text) {
				t.Errorf("the error quotes the text: %v", err)
			}
		})
	}
}

// TestNameOfCertificateRefused: what a certificate's own name may not hold.
func TestNameOfCertificateRefused(t *testing.T) {
	p := testpki.Load()
	for name, value := range map[string]string{"line end": "a\nb", "NUL": "a\x00b", "C1": "a\u0085b"} {
		der, err := p.CitizenCA.Issue(minipki.Template{Subject: minipki.DN("CN", value)}, p.OtherKeyP256().Public())
		if err != nil {
			t.Fatal(err)
		}
		if c, err := ParseCertificate(der); ReasonOf(err) != Malformed || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestZeroName(t *testing.T) {
	var n Name
	if n.Equal(n) || n.String() != "" || nameIs(&n, nil) || nameIs(&n, []byte("CN=x")) {
		t.Error("the zero name equals something")
	}
}

// TestNameRoundTrip: what is written reads back to the same name, in both forms and both orders.
func TestNameRoundTrip(t *testing.T) {
	value := rapid.StringOf(rapid.RuneFrom([]rune(`aZ0 ,+="<>#;\é٣漢 '()/-.:?`))).Filter(func(s string) bool { return len(s) < 40 })
	types := rapid.SampledFrom([]string{"2.5.4.3", "2.5.4.4", "2.5.4.5", "2.5.4.6", "2.5.4.10", "2.5.4.11", "2.5.4.42", "1.2.840.113549.1.9.1", "1.2.3.4.5.678", "2.999.1"})
	rapid.Check(t, func(rt *rapid.T) {
		var n minipki.Name
		for range rapid.IntRange(1, 5).Draw(rt, "rdns") {
			var rdn minipki.RDN
			for range rapid.IntRange(1, 2).Draw(rt, "attributes") {
				rdn = append(rdn, minipki.Attribute{Type: types.Draw(rt, "type"), Value: value.Draw(rt, "value"), Tag: 12})
			}
			n = append(n, rdn)
		}
		p := testpki.Load()
		der, err := p.CitizenCA.Issue(minipki.Template{Subject: n, Version: 1}, p.OtherKeyP256().Public())
		if err != nil {
			rt.Fatal(err)
		}
		c, err := ParseCertificate(der)
		if err != nil {
			rt.Fatal(err)
		}
		for _, text := range []string{c.subject.String(), c.subject.JavaRFC1779()} {
			parsed, err := ParseName([]byte(text))
			if err != nil {
				rt.Fatalf("%q: %v", text, err)
			}
			if !parsed.Equal(c.subject) || parsed.String() != c.subject.String() || !c.SubjectIs([]byte(text)) {
				rt.Fatalf("%q reads back as %q", text, parsed.String())
			}
		}
	})
}

// FuzzParseName: no panic; what is read is written, and that reads back to the
// same name and the same text; the way without allocation agrees.
func FuzzParseName(f *testing.F) {
	for _, text := range []string{
		`CN="SSIN=00000000097", OU=eHealth-platform Belgium, OU=ALICE EXAMPLE, OU="SSIN=00000000097", O=Federal Government, C=BE`,
		`OID.2.5.4.5=201709, CN=Citizen CA, O=http://repository.eid.belgium.be/, C=BE`,
		`CN=#0c0a416c6963652054657374+SN=\,\+\"\\\<\>\;\#\=\ ;1.2.3="a  b"`, `CN=#1e0400e900e9`, `CN=#1c0400000061`, `CN=#0402aabb`, "C=", `2.999.1=x`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		n, err := ParseName(text)
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed")
		}
		if err != nil {
			if !n.IsZero() || ReasonOf(err) == 0 {
				t.Fatalf("refused with a name or without a reason: %v", err)
			}
			return
		}
		if !n.Equal(n) || !nameIs(&n, text) {
			t.Fatal("the name is not itself")
		}
		for _, out := range []string{n.String(), n.JavaRFC1779()} {
			if len(out) > maxNameText {
				continue // quotes made it longer than what is read
			}
			again, err := ParseName([]byte(out))
			if err != nil {
				t.Fatalf("%q: %v", out, err)
			}
			if !again.Equal(n) || again.String() != n.String() {
				t.Fatalf("%q reads back as %q", out, again.String())
			}
		}
	})
}

func BenchmarkSubjectIs(b *testing.B) {
	c, err := ParseCertificate(testpki.Load().AliceEID.DER)
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"java":     []byte(c.Subject().JavaRFC1779()),
		"reversed": []byte(`C=BE, CN=Alice Test Example (Authentication), SN=Example, GN=Alice Test, serialNumber=00000000097`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !c.SubjectIs(text) {
					b.Fatal("not the subject")
				}
			}
		})
	}
}

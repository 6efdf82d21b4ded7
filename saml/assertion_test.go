package saml_test

import (
	"reflect"
	"strings"
	"testing"

	"sceau/saml"
)

func TestParseAssertion(t *testing.T) {
	good := assertion(assertionHead, conditions+authenticated+attributes+`<ds:Signature/>`)
	head := func(old, new string) string { return assertion(change(t, assertionHead, old, new), attributes) }
	restricted := func(content string) string {
		return assertion(assertionHead, `<saml:Conditions>`+content+`</saml:Conditions>`+attributes)
	}
	for name, c := range map[string]struct {
		text   string
		reason saml.Reason
	}{
		"as the STS writes it":           {good, 0},
		"only attributes":                {assertion(assertionHead, attributes), 0},
		"only authentication":            {assertion(assertionHead, authenticated), 0},
		"attributes first":               {assertion(assertionHead, attributes+authenticated), 0},
		"default namespace":              {strings.NewReplacer("xmlns:saml", "xmlns", "saml:", "").Replace(good), 0},
		"another element":                {`<saml:Attribute xmlns:saml="` + nsSAML + `"/>`, saml.Malformed},
		"SAML 2.0":                       {change(t, good, nsSAML, "urn:oasis:names:tc:SAML:2.0:assertion"), saml.Malformed},
		"text":                           {assertion(assertionHead, "x"+attributes), saml.Malformed},
		"version 1.0":                    {head(`MinorVersion="1"`, `MinorVersion="0"`), saml.VersionTooLow},
		"version 1.2":                    {head(`MinorVersion="1"`, `MinorVersion="2"`), saml.VersionTooHigh},
		"version 2.0":                    {head(versions, ` MajorVersion="2" MinorVersion="0"`), saml.VersionTooHigh},
		"no version":                     {head(versions, ""), saml.Malformed},
		"no AssertionID":                 {head(` AssertionID="a"`, ""), saml.Malformed},
		"AssertionID no NCName":          {head(`"a"`, `"1"`), saml.Malformed},
		"ID for AssertionID (D5)":        {head("AssertionID", "ID"), saml.Malformed},
		"qualified AssertionID (D5)":     {head(" AssertionID", " saml:AssertionID"), saml.Malformed},
		"no Issuer":                      {head(` Issuer="CN=Alice"`, ""), saml.Malformed},
		"empty Issuer":                   {head(`"CN=Alice"`, `""`), 0},
		"no IssueInstant":                {head(` IssueInstant="`+instant+`"`, ""), saml.Malformed},
		"IssueInstant":                   {head(instant, "now"), saml.BadTime},
		"no statement":                   {assertion(assertionHead, conditions), saml.Malformed},
		"empty":                          {assertion(assertionHead, ""), saml.Malformed},
		"two attribute statements":       {assertion(assertionHead, attributes+attributes), saml.UnsupportedMember},
		"two authentication statements":  {assertion(assertionHead, authenticated+authenticated), saml.UnsupportedMember},
		"two, parted":                    {assertion(assertionHead, attributes+authenticated+attributes), saml.UnsupportedMember},
		"authorization":                  {assertion(assertionHead, `<saml:AuthorizationDecisionStatement/>`+attributes), saml.UnsupportedMember},
		"an abstract statement":          {assertion(assertionHead, attributes+`<saml:Statement/>`), saml.UnsupportedMember},
		"SubjectStatement":               {assertion(assertionHead, attributes+`<saml:SubjectStatement/>`), saml.UnsupportedMember},
		"Advice":                         {assertion(assertionHead, conditions+`<saml:Advice/>`+attributes), saml.UnsupportedMember},
		"Conditions after the statement": {assertion(assertionHead, attributes+conditions), saml.UnsupportedMember},
		"two Conditions":                 {assertion(assertionHead, conditions+conditions+attributes), saml.UnsupportedMember},
		"signature first":                {assertion(assertionHead, `<ds:Signature/>`+attributes), saml.UnsupportedMember},
		"two signatures (W20)":           {assertion(assertionHead, attributes+`<ds:Signature/><ds:Signature/>`), saml.UnsupportedMember},
		"an assertion inside (W4)":       {assertion(assertionHead, attributes+`<saml:Assertion/>`), saml.UnsupportedMember},
		"Conditions: NotBefore":          {assertion(assertionHead, change(t, conditions, instant, "x")+attributes), saml.BadTime},
		"Conditions: NotOnOrAfter":       {assertion(assertionHead, change(t, conditions, "2026-11-22T20:00:00.000Z", "")+attributes), saml.BadTime},
		"Conditions: none":               {restricted(""), 0},
		"Conditions: text":               {restricted("x"), saml.Malformed},
		"Conditions: DoNotCache":         {restricted(`<saml:DoNotCacheCondition/>`), saml.UnsupportedMember},
		"Conditions: unknown":            {restricted(`<saml:Condition/>`), saml.UnsupportedMember},
		"Conditions: foreign":            {restricted(`<x xmlns="urn:x"/>`), saml.UnsupportedMember},
		"Conditions: audience":           {restricted(`<saml:AudienceRestrictionCondition><saml:Audience>u</saml:Audience></saml:AudienceRestrictionCondition>`), 0},
		"Conditions: no audience":        {restricted(`<saml:AudienceRestrictionCondition/>`), saml.Malformed},
		"Conditions: text in audience":   {restricted(`<saml:AudienceRestrictionCondition>u</saml:AudienceRestrictionCondition>`), saml.UnsupportedMember},
		"Conditions: another audience":   {restricted(`<saml:AudienceRestrictionCondition><x>u</x></saml:AudienceRestrictionCondition>`), saml.Malformed},
		"Conditions: nested audience":    {restricted(`<saml:AudienceRestrictionCondition><saml:Audience>u<x/></saml:Audience></saml:AudienceRestrictionCondition>`), saml.Malformed},
		"statement without Subject":      {assertion(assertionHead, `<saml:AttributeStatement>`+attribute+`</saml:AttributeStatement>`), saml.Malformed},
		"statement with text":            {assertion(assertionHead, change(t, attributes, "<saml:Subject>", "x<saml:Subject>")), saml.Malformed},
		"statement with empty Subject":   {assertion(assertionHead, `<saml:AttributeStatement><saml:Subject/>`+attribute+`</saml:AttributeStatement>`), saml.Malformed},
		"no attribute":                   {statement(""), saml.Malformed},
		"another element for one":        {statement(attribute + `<saml:AttributeDesignator AttributeName="n" AttributeNamespace="s"/>`), saml.Malformed},
		"attribute without name":         {statement(change(t, attribute, ` AttributeName="n"`, "")), saml.Malformed},
		"attribute with empty name":      {statement(change(t, attribute, `"n"`, `""`)), saml.Malformed},
		"attribute without namespace":    {statement(change(t, attribute, ` AttributeNamespace="s"`, "")), saml.Malformed},
		"attribute without value":        {statement(`<saml:Attribute AttributeName="n" AttributeNamespace="s"/>`), saml.Malformed},
		"attribute with text":            {statement(change(t, attribute, "<saml:AttributeValue>", "x<saml:AttributeValue>")), saml.Malformed},
		"attribute with another element": {statement(change(t, attribute, "<saml:AttributeValue>", "<x/><saml:AttributeValue>")), saml.Malformed},
		"value of another namespace":     {statement(`<saml:Attribute AttributeName="n" AttributeNamespace="s"><AttributeValue>v</AttributeValue></saml:Attribute>`), saml.Malformed},
		"element in a value":             {statement(change(t, attribute, ">v<", "><x>v</x><")), saml.Malformed},
		"element beside a value":         {statement(change(t, attribute, ">v<", ">v<x/><")), saml.Malformed},
		"authentication without method":  {assertion(assertionHead, change(t, authenticated, ` AuthenticationMethod="`+saml.MethodX509PKI+`"`, "")), saml.Malformed},
		"authentication without instant": {assertion(assertionHead, change(t, authenticated, ` AuthenticationInstant="`+instant+`"`, "")), saml.Malformed},
		"authentication instant":         {assertion(assertionHead, change(t, authenticated, instant, "x")), saml.BadTime},
		"authentication, SubjectLocality": {assertion(assertionHead, change(t, authenticated, "</saml:AuthenticationStatement>",
			`<saml:SubjectLocality IPAddress="127.0.0.1"/></saml:AuthenticationStatement>`)), saml.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			a := saml.Assertion{Issuer: []byte("left")}
			err := saml.ParseAssertion(parse(t, c.text), &a)
			verdict(t, err, c.reason)
			if err == nil {
				return
			}
			if !a.Node.IsZero() || a.AssertionID != nil || a.Issuer != nil || !a.IssueInstant.IsZero() || len(a.Conditions.Audiences) != 0 || a.Conditions.Restrictions != 0 ||
				!a.Conditions.NotBefore.IsZero() || !a.Conditions.NotOnOrAfter.IsZero() || a.Authenticated || a.AuthenticationMethod != nil || !a.AuthenticationInstant.IsZero() ||
				!reflect.DeepEqual(a.AuthenticationSubject, saml.Subject{}) || !reflect.DeepEqual(a.AttributeSubject, saml.Subject{}) ||
				a.HasAttributes || len(a.Attributes()) != 0 || !a.Signature.IsZero() {
				t.Errorf("with an error something is left: %+v", a)
			}
		})
	}
}

// TestValues: a value is all of its text, whatever stands between (attacks.md D1, D8).
func TestValues(t *testing.T) {
	const ssin = "79121312345"
	for written, want := range map[string]string{
		ssin:                              ssin,
		"79<!---->121312345":              ssin,
		"<!-- x -->79121312345<!-- -->":   ssin,
		"791213<!-- -->123<!-- -->45":     ssin,
		"<![CDATA[79121312345]]>":         ssin,
		"791213<![CDATA[12345]]>":         ssin,
		"79121<![CDATA[]]>312345":         ssin,
		"7912131<!-- --><![CDATA[2345]]>": ssin,
		"&#55;9121312345":                 ssin,
		"&#x37;9121312345":                ssin,
		"":                                "",
		"<!-- -->":                        "",
		" a\r\nb\t":                       " a\nb\t",
		"a&#13;&#10;b":                    "a\r\nb",
		"&lt;x/&gt;":                      "<x/>",
		"<![CDATA[<x/>&amp;]]>":           "<x/>&amp;",
		"é\u0301\U0001F600":               "é\u0301\U0001F600",
	} {
		for _, typed := range []string{"", ` xsi:type="xs:string" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema"`, ` xmlns=""`, ` xmlns:ns4="urn:4"`} {
			text := statement(`<saml:Attribute AttributeName="n" AttributeNamespace="s"><saml:AttributeValue` + typed + `>` + written + `</saml:AttributeValue><saml:AttributeValue>2</saml:AttributeValue></saml:Attribute>` + attribute)
			text = change(t, text, ">CN=Alice<", ">"+written+"<")
			var a saml.Assertion
			if err := saml.ParseAssertion(parse(t, text), &a); err != nil {
				t.Errorf("%q: %v", written, err)
				continue
			}
			v := a.Attributes()
			if len(v) != 2 || len(v[0].Values) != 2 || string(v[0].Values[0]) != want || string(v[0].Values[1]) != "2" || len(v[1].Values) != 1 || string(v[1].Values[0]) != "v" {
				t.Errorf("%q is %q, want %q", written, v, want)
			}
			if got := a.AttributeSubject.NameIdentifier.Value; string(got) != want {
				t.Errorf("NameIdentifier %q is %q", written, got)
			}
		}
	}
}

func TestAssertionValues(t *testing.T) {
	audience := `<saml:AudienceRestrictionCondition><saml:Audience>u1</saml:Audience><saml:Audience>u2</saml:Audience></saml:AudienceRestrictionCondition>`
	text := assertion(assertionHead, change(t, conditions, "/>", ">"+audience+change(t, audience, "<saml:Audience>u1</saml:Audience>", "")+"</saml:Conditions>")+authenticated+attributes+`<ds:Signature/>`)
	n := parse(t, text)
	var a saml.Assertion
	for range 2 {
		if err := saml.ParseAssertion(n, &a); err != nil {
			t.Fatal(err)
		}
		c := &a.Conditions
		if a.Node != n || string(a.AssertionID) != "a" || string(a.Issuer) != "CN=Alice" || !a.IssueInstant.Equal(at(t, instant)) ||
			!c.NotBefore.Equal(at(t, instant)) || !c.NotOnOrAfter.Equal(at(t, "2026-11-22T20:00:00Z")) ||
			c.Restrictions != 2 || len(c.Audiences) != 3 || string(c.Audiences[0])+string(c.Audiences[2]) != "u1u2" ||
			!a.Authenticated || string(a.AuthenticationMethod) != saml.MethodX509PKI || !a.AuthenticationInstant.Equal(at(t, instant)) || !a.AuthenticationSubject.Confirmed ||
			!a.HasAttributes || !a.AttributeSubject.Named || len(a.Attributes()) != 1 || !a.Signature.Is(nsDS, "Signature") {
			t.Errorf("%+v", a)
		}
	}
	if err := saml.ParseAssertion(parse(t, assertion(assertionHead, attributes)), &a); err != nil {
		t.Fatal(err)
	}
	if a.Conditions.Restrictions != 0 || len(a.Conditions.Audiences) != 0 || a.Authenticated || !a.Signature.IsZero() || !a.Conditions.NotBefore.IsZero() {
		t.Errorf("something of the one before: %+v", a)
	}
}

package saml_test

import (
	"reflect"
	"strings"
	"testing"

	"sceau/saml"
)

func TestParseRequest(t *testing.T) {
	good := query(subject + designator)
	head := func(old, new string) string {
		return request(change(t, requestHead, old, new), `<samlp:AttributeQuery>`+subject+`</samlp:AttributeQuery>`)
	}
	for name, c := range map[string]struct {
		text   string
		reason saml.Reason
	}{
		"as a client sends it":            {good, 0},
		"signed":                          {request(requestHead, `<ds:Signature/><samlp:AttributeQuery>`+subject+`</samlp:AttributeQuery>`), 0},
		"no designator":                   {query(subject), 0},
		"white space and comments":        {request(requestHead, " <!-- --> <samlp:AttributeQuery> "+subject+"\n<!-- -->"+designator+" </samlp:AttributeQuery> "), 0},
		"default namespace":               {strings.NewReplacer("samlp:Request", "Request", "xmlns:samlp", "xmlns", "samlp:", "").Replace(good), 0},
		"another prefix":                  {strings.ReplaceAll(good, "samlp", "p"), 0},
		"stray xmlns":                     {change(t, good, "<saml:Subject>", `<saml:Subject xmlns="" xmlns:ns4="urn:4">`), 0},
		"another element":                 {strings.ReplaceAll(good, "samlp:Request", "samlp:Response"), saml.Malformed},
		"another namespace":               {change(t, good, nsSAMLP, "urn:oasis:names:tc:SAML:2.0:protocol"), saml.Malformed},
		"text":                            {request(requestHead, `x<samlp:AttributeQuery>`+subject+`</samlp:AttributeQuery>`), saml.Malformed},
		"no version":                      {head(versions, ""), saml.Malformed},
		"no minor version":                {head(` MinorVersion="1"`, ""), saml.Malformed},
		"qualified version":               {head(` MinorVersion="1"`, ` samlp:MinorVersion="1"`), saml.Malformed},
		"version 1.0":                     {head(`MinorVersion="1"`, `MinorVersion="0"`), saml.VersionTooLow},
		"version 0.9":                     {head(versions, ` MajorVersion="0" MinorVersion="9"`), saml.VersionTooLow},
		"version 1.2":                     {head(`MinorVersion="1"`, `MinorVersion="2"`), saml.VersionTooHigh},
		"version 1.10":                    {head(`MinorVersion="1"`, `MinorVersion="10"`), saml.VersionTooHigh},
		"version 2.0":                     {head(versions, ` MajorVersion="2" MinorVersion="0"`), saml.VersionTooHigh},
		"version 2.1":                     {head(`MajorVersion="1"`, `MajorVersion="2"`), saml.VersionTooHigh},
		"version 11.1":                    {head(`MajorVersion="1"`, `MajorVersion="11"`), saml.VersionTooHigh},
		"version of letters":              {head(`MajorVersion="1"`, `MajorVersion="one"`), saml.Malformed},
		"version 01":                      {head(`MajorVersion="1"`, `MajorVersion="01"`), saml.Malformed},
		"version +1":                      {head(`MajorVersion="1"`, `MajorVersion="+1"`), saml.Malformed},
		"version -1":                      {head(`MajorVersion="1"`, `MajorVersion="-1"`), saml.Malformed},
		"version 1 with a space":          {head(`MajorVersion="1"`, `MajorVersion=" 1"`), saml.Malformed},
		"empty version":                   {head(`MajorVersion="1"`, `MajorVersion=""`), saml.Malformed},
		"no RequestID":                    {head(` RequestID="r"`, ""), saml.Malformed},
		"empty RequestID":                 {head(`RequestID="r"`, `RequestID=""`), saml.Malformed},
		"RequestID of digits":             {head(`RequestID="r"`, `RequestID="1"`), saml.Malformed},
		"RequestID with a colon":          {head(`RequestID="r"`, `RequestID="a:b"`), saml.Malformed},
		"RequestID with space":            {head(`RequestID="r"`, `RequestID=" r"`), saml.Malformed},
		"no IssueInstant":                 {head(` IssueInstant="`+instant+`"`, ""), saml.Malformed},
		"IssueInstant":                    {head(instant, "yesterday"), saml.BadTime},
		"local IssueInstant":              {head(instant, "2026-11-21T20:00:00"), saml.BadTime},
		"empty":                           {request(requestHead, ""), saml.Malformed},
		"AuthenticationQuery":             {request(requestHead, `<samlp:AuthenticationQuery/>`), saml.UnsupportedQuery},
		"AuthorizationDecisionQuery":      {request(requestHead, `<samlp:AuthorizationDecisionQuery/>`), saml.UnsupportedQuery},
		"AssertionArtifact":               {request(requestHead, `<samlp:AssertionArtifact>x</samlp:AssertionArtifact>`), saml.UnsupportedQuery},
		"RespondWith":                     {request(requestHead, `<samlp:RespondWith>saml:AttributeStatement</samlp:RespondWith>`), saml.UnsupportedQuery},
		"AssertionIDReference":            {request(requestHead, `<saml:AssertionIDReference>x</saml:AssertionIDReference>`), saml.Malformed},
		"AttributeQuery of SAML 2.0":      {request(requestHead, `<x:AttributeQuery xmlns:x="urn:oasis:names:tc:SAML:2.0:protocol"/>`), saml.Malformed},
		"two queries (W16)":               {request(requestHead, strings.Repeat(`<samlp:AttributeQuery>`+subject+`</samlp:AttributeQuery>`, 2)), saml.Malformed},
		"signature last":                  {request(requestHead, `<samlp:AttributeQuery>`+subject+`</samlp:AttributeQuery><ds:Signature/>`), saml.Malformed},
		"two signatures (W20)":            {request(requestHead, `<ds:Signature/><ds:Signature/><samlp:AttributeQuery>`+subject+`</samlp:AttributeQuery>`), saml.Malformed},
		"a Request inside (W4)":           {request(requestHead, `<samlp:Request/><samlp:AttributeQuery>`+subject+`</samlp:AttributeQuery>`), saml.UnsupportedQuery},
		"text in the query":               {query("x" + subject), saml.Malformed},
		"Resource":                        {change(t, good, "<samlp:AttributeQuery>", `<samlp:AttributeQuery Resource="urn:x">`), saml.UnsupportedMember},
		"no Subject":                      {query(designator), saml.Malformed},
		"empty query":                     {query(""), saml.Malformed},
		"two Subjects":                    {query(subject + subject), saml.Malformed},
		"Subject last":                    {query(designator + subject), saml.Malformed},
		"designator of another namespace": {query(subject + strings.ReplaceAll(designator, "saml:", "samlp:")), saml.Malformed},
		"designator without name":         {query(subject + change(t, designator, ` AttributeName="n"`, "")), saml.Malformed},
		"designator with empty name":      {query(subject + change(t, designator, `="n"`, `=""`)), saml.Malformed},
		"designator without namespace":    {query(subject + change(t, designator, ` AttributeNamespace="s"`, "")), saml.Malformed},
		"designator with empty namespace": {query(subject + change(t, designator, `="s"`, `=""`)), 0},
		"designator with a value":         {query(subject + `<saml:AttributeDesignator AttributeName="n" AttributeNamespace="s"><saml:AttributeValue/></saml:AttributeDesignator>`), saml.Malformed},
		"an Attribute for a designator":   {query(subject + attribute), saml.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			var r saml.Request
			err := saml.ParseRequest(parse(t, c.text), &r)
			verdict(t, err, c.reason)
			if err != nil && (!r.Node.IsZero() || r.RequestID != nil || !r.IssueInstant.IsZero() || !r.Signature.IsZero() || !reflect.DeepEqual(r.Subject, saml.Subject{}) || len(r.Designators()) != 0) {
				t.Errorf("with an error something is left: %+v", r)
			}
		})
	}
}

func TestRequestValues(t *testing.T) {
	text := request(` RequestID="request-1" IssueInstant="2026-11-21T21:00:00+0100"`+versions, `<ds:Signature/><samlp:AttributeQuery>`+subject+
		designator+`<saml:AttributeDesignator AttributeName=" a&#10;b " AttributeNamespace="é"/></samlp:AttributeQuery>`)
	n := parse(t, text)
	r := saml.Request{}
	for range 2 { // reused
		if err := saml.ParseRequest(n, &r); err != nil {
			t.Fatal(err)
		}
		s := &r.Subject
		if r.Node != n || string(r.RequestID) != "request-1" || !r.IssueInstant.Equal(at(t, instant)) || r.Signature != n.FirstElement() ||
			!s.Named || string(s.NameIdentifier.Value) != "CN=Alice" || string(s.NameIdentifier.NameQualifier) != "CN=CA" || string(s.NameIdentifier.Format) != saml.FormatX509SubjectName ||
			!s.Confirmed || s.Confirmation.Methods != 1 || string(s.Confirmation.Method) != saml.HolderOfKey ||
			!s.Confirmation.Data.Is(nsSAML, "SubjectConfirmationData") || !s.Confirmation.KeyInfo.Is(nsDS, "KeyInfo") {
			t.Errorf("%+v", r)
		}
		d := r.Designators()
		if len(d) != 2 || string(d[0].Name) != "n" || string(d[0].Namespace) != "s" || string(d[1].Name) != " a\nb " || string(d[1].Namespace) != "é" {
			t.Errorf("%q", d)
		}
	}
	if id := saml.RequestIDOf(n); string(id) != "request-1" {
		t.Errorf("%q", id)
	}
	for _, text := range []string{assertion(assertionHead, ""), request("", ""), request(` RequestID="a b"`, ""), `<Request RequestID="r"/>`} {
		if id := saml.RequestIDOf(parse(t, text)); id != nil {
			t.Errorf("%q of %s", id, text)
		}
	}
	if id := saml.RequestIDOf(parse(t, request(` RequestID="r"`, "<x/>"))); string(id) != "r" {
		t.Errorf("%q", id)
	}
}

// TestDates: the forms that clients send (wire document 2.2), and others.
func TestDates(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-21T20:00:00.000Z":            instant,
		"2026-11-21T20:00:00Z":                instant,
		"2026-11-21T21:00:00+01:00":           instant,
		"2026-11-21T21:00:00.000+0100":        instant,
		"2026-11-21T20:00:00.0000000Z":        instant,
		"2026-11-21T22:00:00.0000000+02:00":   instant,
		" 2026-11-21T20:00:00Z\n":             instant,
		"2026-11-21T20:00:00.1234567Z":        "2026-11-21T20:00:00.1234567Z",
		"2026-11-21T20:00:00":                 "",
		"2026-11-21T20:00:60Z":                "",
		"2026-11-21T24:00:00Z":                "",
		"2026-11-21T20:00:00.0000000000Z":     "",
		"20261121T200000Z":                    "",
		"Sat Nov 21 20:00:00 UTC 2026":        "",
		"2026-11-21T20:00:00Z2026":            "",
		"":                                    "",
		"10000-01-01T00:00:00Z":               "",
		"2026-11-21T20:00:00+01:00[Europe/B]": "",
	} {
		var a saml.Assertion
		full := strings.ReplaceAll(assertion(assertionHead, conditions+authenticated+attributes), instant, text)
		err := saml.ParseAssertion(parse(t, full), &a)
		if want == "" {
			refused(t, err, saml.BadTime)
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if w := at(t, want); !a.IssueInstant.Equal(w) || !a.Conditions.NotBefore.Equal(w) || !a.AuthenticationInstant.Equal(w) {
			t.Errorf("%q: %v %v %v", text, a.IssueInstant, a.Conditions.NotBefore, a.AuthenticationInstant)
		}
	}
}

// TestSubject: what a Subject may hold; what it proves is for the STS (H2).
func TestSubject(t *testing.T) {
	confirm := func(content string) string {
		return `<saml:SubjectConfirmation>` + content + `</saml:SubjectConfirmation>`
	}
	for name, c := range map[string]struct {
		subject string
		reason  saml.Reason
		methods int
	}{
		"both":                            {identifier + confirmation, 0, 1},
		"only a name":                     {identifier, 0, 0},
		"only a confirmation":             {confirmation, 0, 1},
		"empty":                           {"", saml.Malformed, 0},
		"text":                            {"x" + identifier, saml.Malformed, 0},
		"two names":                       {identifier + identifier, saml.Malformed, 0},
		"two confirmations":               {identifier + confirmation + confirmation, saml.Malformed, 0},
		"confirmation first":              {confirmation + identifier, saml.Malformed, 0},
		"another element":                 {identifier + `<x/>`, saml.Malformed, 0},
		"a name of another namespace":     {`<NameIdentifier>x</NameIdentifier>`, saml.Malformed, 0},
		"an element in the name":          {`<saml:NameIdentifier>CN=Alice<x/></saml:NameIdentifier>`, saml.Malformed, 0},
		"an empty name":                   {`<saml:NameIdentifier/>`, 0, 0},
		"no method":                       {confirm(data + info), 0, 0},
		"two methods (H2)":                {confirm(method + method + data + info), 0, 2},
		"no data":                         {confirm(method + info), 0, 1},
		"no KeyInfo":                      {confirm(method + data), 0, 1},
		"only a method":                   {confirm(method), 0, 1},
		"an empty confirmation":           {confirm(""), 0, 0},
		"text in the confirmation":        {confirm("x" + method), saml.Malformed, 0},
		"two data":                        {confirm(method + data + data), saml.Malformed, 0},
		"two KeyInfo (A6)":                {confirm(method + data + info + info), saml.Malformed, 0},
		"KeyInfo before data":             {confirm(method + info + data), saml.Malformed, 0},
		"a method after data":             {confirm(data + method), saml.Malformed, 0},
		"an element in the method":        {confirm(`<saml:ConfirmationMethod>` + saml.HolderOfKey + `<x/></saml:ConfirmationMethod>`), saml.Malformed, 0},
		"a method of another namespace":   {confirm(`<ConfirmationMethod>x</ConfirmationMethod>`), saml.Malformed, 0},
		"a KeyInfo of another namespace":  {confirm(method + `<KeyInfo/>`), saml.Malformed, 0},
		"a confirmation in another place": {identifier + `<x>` + confirmation + `</x>`, saml.Malformed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var r saml.Request
			err := saml.ParseRequest(parse(t, withSubject(c.subject)), &r)
			verdict(t, err, c.reason)
			if err == nil && (r.Subject.Confirmation.Methods != c.methods || (r.Subject.Confirmation.Method == nil) != (c.methods != 1)) {
				t.Errorf("%d methods, method %q", r.Subject.Confirmation.Methods, r.Subject.Confirmation.Method)
			}
		})
	}
	t.Run("nothing of a Subject that was there before", func(t *testing.T) {
		var r saml.Request
		if err := saml.ParseRequest(parse(t, withSubject(identifier+confirmation)), &r); err != nil {
			t.Fatal(err)
		}
		if err := saml.ParseRequest(parse(t, withSubject(`<saml:NameIdentifier>x</saml:NameIdentifier>`)), &r); err != nil {
			t.Fatal(err)
		}
		if s := r.Subject; s.Confirmed || s.Confirmation.Methods != 0 || !s.Confirmation.KeyInfo.IsZero() || s.NameIdentifier.Format != nil {
			t.Errorf("%+v", s)
		}
	})
}

package saml_test

import (
	"reflect"
	"strings"
	"testing"

	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec/xmltext"
)

const (
	responseHead = ` ResponseID="p" InResponseTo="r" IssueInstant="` + instant + `"` + versions
	success      = `<samlp:Status><samlp:StatusCode Value="samlp:Success"/></samlp:Status>`
)

func response(head, content string) string {
	return `<samlp:Response xmlns:samlp="` + nsSAMLP + `" xmlns:saml="` + nsSAML + `" xmlns:ds="` + nsDS + `"` + head + `>` + content + `</samlp:Response>`
}

func TestParseResponse(t *testing.T) {
	status := func(content string) string { return response(responseHead, `<samlp:Status>`+content+`</samlp:Status>`) }
	code := func(value string) string { return `<samlp:StatusCode Value="` + value + `"/>` }
	for name, c := range map[string]struct {
		text   string
		reason saml.Reason
	}{
		"success":                       {response(responseHead, success+`<saml:Assertion/>`), 0},
		"no assertion":                  {response(responseHead, success), 0},
		"no InResponseTo":               {response(change(t, responseHead, ` InResponseTo="r"`, ""), success), 0},
		"another element":               {strings.ReplaceAll(response(responseHead, success), "samlp:Response", "samlp:Request"), saml.Malformed},
		"SAML 2.0":                      {strings.Replace(response(responseHead, success), nsSAMLP, "urn:oasis:names:tc:SAML:2.0:protocol", 1), saml.Malformed},
		"text":                          {response(responseHead, "x"+success), saml.Malformed},
		"version 1.0":                   {response(change(t, responseHead, `MinorVersion="1"`, `MinorVersion="0"`), success), saml.VersionTooLow},
		"version 2.0":                   {response(change(t, responseHead, versions, ` MajorVersion="2" MinorVersion="0"`), success), saml.VersionTooHigh},
		"no IssueInstant":               {response(change(t, responseHead, ` IssueInstant="`+instant+`"`, ""), success), saml.Malformed},
		"IssueInstant":                  {response(change(t, responseHead, instant, "x"), success), saml.BadTime},
		"no Status":                     {response(responseHead, ""), saml.Malformed},
		"assertion first":               {response(responseHead, `<saml:Assertion/>`+success), saml.Malformed},
		"signed":                        {response(responseHead, `<ds:Signature/>`+success), saml.Malformed},
		"two Status":                    {response(responseHead, success+success), saml.UnsupportedMember},
		"two assertions (W15, W16)":     {response(responseHead, success+`<saml:Assertion/><saml:Assertion/>`), saml.UnsupportedMember},
		"a SAML 2.0 assertion":          {response(responseHead, success+`<x:Assertion xmlns:x="urn:oasis:names:tc:SAML:2.0:assertion"/>`), saml.UnsupportedMember},
		"an assertion in a wrapper":     {response(responseHead, success+`<x><saml:Assertion/></x>`), saml.UnsupportedMember},
		"a signature after (W17)":       {response(responseHead, success+`<saml:Assertion/><ds:Signature/>`), saml.UnsupportedMember},
		"empty Status":                  {status(""), saml.Malformed},
		"text in Status":                {status("x" + code("samlp:Success")), saml.Malformed},
		"two codes":                     {status(code("samlp:Success") + code("samlp:Success")), saml.Malformed},
		"code without Value":            {status(`<samlp:StatusCode/>`), saml.Malformed},
		"text in the code":              {status(`<samlp:StatusCode Value="samlp:Success">x</samlp:StatusCode>`), saml.Malformed},
		"message":                       {status(code("samlp:Success") + `<samlp:StatusMessage>m</samlp:StatusMessage>`), 0},
		"empty message":                 {status(code("samlp:Success") + `<samlp:StatusMessage/>`), 0},
		"two messages":                  {status(code("samlp:Success") + `<samlp:StatusMessage/><samlp:StatusMessage/>`), saml.Malformed},
		"element in the message":        {status(code("samlp:Success") + `<samlp:StatusMessage>m<x/></samlp:StatusMessage>`), saml.Malformed},
		"detail":                        {status(code("samlp:Success") + `<samlp:StatusDetail><x>y</x></samlp:StatusDetail>`), 0},
		"message, detail":               {status(code("samlp:Success") + `<samlp:StatusMessage/><samlp:StatusDetail/>`), 0},
		"detail, message":               {status(code("samlp:Success") + `<samlp:StatusDetail/><samlp:StatusMessage/>`), saml.Malformed},
		"two details":                   {status(code("samlp:Success") + `<samlp:StatusDetail/><samlp:StatusDetail/>`), saml.Malformed},
		"nested code":                   {status(`<samlp:StatusCode Value="samlp:Requester">` + code("samlp:RequestDenied") + `</samlp:StatusCode>`), 0},
		"nested code of another vendor": {status(`<samlp:StatusCode Value="samlp:Requester"><samlp:StatusCode xmlns:v="urn:v" Value="v:Own"/></samlp:StatusCode>`), saml.Malformed},
		"two nested codes":              {status(`<samlp:StatusCode Value="samlp:Requester">` + code("samlp:RequestDenied") + code("samlp:Success") + `</samlp:StatusCode>`), saml.Malformed},
		"another element nested":        {status(`<samlp:StatusCode Value="samlp:Requester"><samlp:StatusMessage/></samlp:StatusCode>`), saml.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			r := saml.Response{Message: []byte("left")}
			err := saml.ParseResponse(parse(t, c.text), &r)
			verdict(t, err, c.reason)
			if err != nil && !reflect.DeepEqual(r, saml.Response{}) {
				t.Errorf("with an error something is left: %+v", r)
			}
		})
	}
}

// TestStatusCode: Value is a QName, resolved where it stands; the name alone is not
// Success (core 3.4.3.1).
func TestStatusCode(t *testing.T) {
	for name, c := range map[string]struct {
		code    string
		local   string // empty: refused
		success bool
	}{
		"samlp":                       {`<samlp:StatusCode Value="samlp:Success"/>`, "Success", true},
		"another prefix":              {`<samlp:StatusCode xmlns:p="` + nsSAMLP + `" Value="p:Success"/>`, "Success", true},
		"default namespace":           {`<StatusCode xmlns="` + nsSAMLP + `" Value="Success"/>`, "Success", true},
		"failure":                     {`<samlp:StatusCode Value="samlp:Requester"/>`, "Requester", false},
		"another case":                {`<samlp:StatusCode Value="samlp:success"/>`, "success", false},
		"more letters":                {`<samlp:StatusCode Value="samlp:SuccessNot"/>`, "SuccessNot", false},
		"no prefix, no default":       {`<samlp:StatusCode Value="Success"/>`, "", false},
		"another namespace":           {`<samlp:StatusCode xmlns:p="urn:p" Value="p:Success"/>`, "", false},
		"the prefix rebound (D5)":     {`<p:StatusCode xmlns:p="` + nsSAMLP + `" xmlns:samlp="urn:evil" Value="samlp:Success"/>`, "", false},
		"undeclared prefix":           {`<samlp:StatusCode Value="nobody:Success"/>`, "", false},
		"xml":                         {`<samlp:StatusCode Value="xml:Success"/>`, "", false},
		"two colons":                  {`<samlp:StatusCode Value="samlp:samlp:Success"/>`, "", false},
		"colon first":                 {`<samlp:StatusCode Value=":Success"/>`, "", false},
		"colon first, default":        {`<StatusCode xmlns="` + nsSAMLP + `" Value=":Success"/>`, "", false},
		"colon last":                  {`<samlp:StatusCode Value="samlp:"/>`, "", false},
		"empty":                       {`<samlp:StatusCode Value=""/>`, "", false},
		"white space":                 {`<samlp:StatusCode Value=" samlp:Success"/>`, "", false},
		"a URI, as SAML 2.0 has it":   {`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`, "", false},
		"unqualified element":         {`<StatusCode Value="samlp:Success"/>`, "", false},
		"qualified attribute":         {`<samlp:StatusCode samlp:Value="samlp:Success"/>`, "", false},
		"success nested in a failure": {`<samlp:StatusCode Value="samlp:Requester"><samlp:StatusCode Value="samlp:Success"/></samlp:StatusCode>`, "Requester", false},
	} {
		t.Run(name, func(t *testing.T) {
			var r saml.Response
			err := saml.ParseResponse(parse(t, response(responseHead, `<samlp:Status>`+c.code+`</samlp:Status>`)), &r)
			if c.local == "" {
				refused(t, err, saml.Malformed)
				return
			}
			if err != nil || string(r.Code) != c.local || r.Success != c.success {
				t.Errorf("%v: %q %v", err, r.Code, r.Success)
			}
		})
	}
}

// TestResponseRoundTrip: what OpenResponse writes ParseResponse reads, and it is its
// own canonical form.
func TestResponseRoundTrip(t *testing.T) {
	for name, c := range map[string]struct {
		status   saml.Status
		inAnswer string
	}{
		"success":      {saml.Status{Code: "Success"}, "request-1"},
		"left out":     {saml.Status{Code: "Success", LeftOut: []saml.Statement{{Name: "n", Namespace: "s"}, {Name: "<&\"\r", Namespace: "é"}}}, "request-1"},
		"error":        {saml.Status{Code: "Requester", SubCode: "RequestDenied", Message: "REQ-01: Checks on ConfirmationMethod failed", AuditID: "audit-1"}, "request-1"},
		"no request":   {saml.Status{Code: "VersionMismatch", SubCode: "RequestVersionTooHigh", Message: "<&>\r\n\"'", AuditID: "<&\"\t\r\n"}, ""},
		"all of those": {saml.Status{Code: "Responder", SubCode: "x", Message: "m", AuditID: "a", LeftOut: []saml.Statement{{Name: "n"}}}, "r"},
	} {
		t.Run(name, func(t *testing.T) {
			w := saml.Writer{Out: []byte("kept")}
			saml.OpenResponse(&w, "_id", c.inAnswer, testpki.Now(), &c.status)
			saml.CloseResponse(&w)
			if w.Err() != nil || !strings.HasPrefix(string(w.Out), "kept") {
				t.Fatal(w.Err())
			}
			text := string(w.Out[len("kept"):])
			n := parse(t, text)
			if got := canonical(t, n, xmltext.Node{}); got != text {
				t.Errorf("canonical form\n%s\nof\n%s", got, text)
			}
			var r saml.Response
			if err := saml.ParseResponse(n, &r); err != nil {
				t.Fatal(err)
			}
			if string(r.ResponseID) != "_id" || string(r.InResponseTo) != c.inAnswer || r.Recipient != nil || !r.IssueInstant.Equal(testpki.Now()) ||
				string(r.Code) != c.status.Code || string(r.SubCode) != c.status.SubCode || string(r.Message) != c.status.Message || r.Success != (c.status.Code == "Success") || !r.Assertion.IsZero() {
				t.Errorf("%+v", r)
			}
			d := r.Detail.FirstElement()
			for _, left := range c.status.LeftOut {
				n, _ := d.Attribute("", "AttributeName")
				s, _ := d.Attribute("", "AttributeNamespace")
				if !d.Is(saml.NamespaceDetail, "LeftOut") || string(n) != left.Name || string(s) != left.Namespace {
					t.Errorf("left out %q %q", n, s)
				}
				d = d.NextElement()
			}
			if c.status.AuditID != "" {
				if id, _ := d.Attribute("", "Id"); !d.Is(saml.NamespaceDetail, "Audit") || string(id) != c.status.AuditID {
					t.Errorf("audit id %q", id)
				}
				d = d.NextElement()
			}
			if !d.IsZero() {
				t.Error("more detail")
			}
		})
	}
	for _, broken := range []saml.Status{{Code: "\x00"}, {Code: "Success", SubCode: "\xff"}, {Code: "Success", Message: "\x01"}, {Code: "Success", AuditID: "\ufffe"}, {Code: "Success", LeftOut: []saml.Statement{{Namespace: "\x1f"}}}} {
		var w saml.Writer
		saml.OpenResponse(&w, "_id", "r", testpki.Now(), &broken)
		refused(t, w.Err(), saml.NotText)
	}
}

package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/soap"
	"sceau/xmlsec"
)

// TestSheetCases: every test case of a sheet is sent as the sheet says, and answered as it
// says.
func TestSheetCases(t *testing.T) {
	v, d := startDemoServer(t)
	sheet, err := v.sheet("APP2")
	if err != nil {
		t.Fatal(err)
	}
	load := func(name string) *certs.Signer {
		base := filepath.Join(d.dir, "pki", name)
		signer, err := certs.LoadSigner(certs.KeyConfig{Key: base + ".key", Certificate: base + ".pem", At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return signer
	}
	eid, ehealth := load("alice-eid"), load("alice-ehealth")
	// fill fills the braces: Alice asks in fallback, her eHealth certificate in both places, or with her eID.
	fill := func(text string, identity *certs.Signer) string {
		now := time.Now().UTC()
		pairs := []string{
			"{UUID}", strings.ReplaceAll(t.Name(), "/", "-") + now.Format("150405.000000000"), "{NOW}", now.Format(time.RFC3339), "{END}", now.Add(time.Hour).Format(time.RFC3339),
			"{SUBJECT}", escaped(identity.Certificate().Subject().String()), "{ISSUER}", escaped(identity.Certificate().Issuer().String()),
			"{HOLDER}", base64.StdEncoding.EncodeToString(ehealth.Certificate().Raw()),
		}
		for _, value := range sheet.Values {
			pairs = append(pairs, value.Brace, aliceSSIN)
		}
		text = strings.NewReplacer(pairs...).Replace(text)
		if strings.ContainsAny(text, "{}") {
			t.Fatal("braces are left:", text)
		}
		return text
	}
	message := func(query string, identity *certs.Signer, created time.Time) []byte {
		signer, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: identity}, "")
		if err != nil {
			t.Fatal(err)
		}
		m, err := (&soap.Outgoing{Content: []byte(query), Created: created, Expires: created.Add(time.Minute), Certificate: identity.Certificate().Raw()}).Append(nil, signer)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	send := func(m []byte) string {
		response, err := http.Post(v.url, "text/xml; charset=utf-8", bytes.NewReader(m))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	replaced := func(old, new string) string {
		if !strings.Contains(sheet.Query, old) {
			t.Fatalf("the query has no %s", old)
		}
		return strings.Replace(sheet.Query, old, new, 1)
	}
	good := func(query string) string { return send(message(fill(query, ehealth), ehealth, time.Now())) }
	end := strings.LastIndex(sheet.Query, `</samlp:AttributeQuery>`)
	ask := func(name string) string {
		return good(sheet.Query[:end] + `<saml:AttributeDesignator xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" AttributeName="` + name +
			`" AttributeNamespace="urn:be:fgov:certified-namespace:ehealth"></saml:AttributeDesignator>` + sheet.Query[end:])
	}
	for _, c := range sheet.Cases {
		var got string
		switch {
		case c.What == caseGood:
			if got = good(sheet.Query); strings.Count(got, "<Attribute ") != len(sheet.Attributes) {
				t.Errorf("not all attributes: %s", got)
			}
		case c.What == caseAgain:
			m := message(fill(sheet.Query, ehealth), ehealth, time.Now())
			send(m)
			got = send(m)
		case c.What == caseStale:
			got = send(message(fill(sheet.Query, ehealth), ehealth, time.Now().Add(-time.Hour)))
		case c.What == caseAltered:
			got = send(bytes.Replace(message(fill(sheet.Query, ehealth), ehealth, time.Now()), []byte("RequestID=\"request-"), []byte("RequestID=\"request_"), 1))
		case c.What == caseUnsigned:
			got = send(message(fill(sheet.Query, eid), eid, time.Now()))
		case c.What == caseWindow:
			day := time.Now().UTC().Add(-24 * time.Hour)
			got = good(replaced(`NotBefore="{NOW}" NotOnOrAfter="{END}"`, `NotBefore="`+day.Format(time.RFC3339)+`" NotOnOrAfter="`+day.Add(time.Hour).Format(time.RFC3339)+`"`))
		case strings.HasPrefix(c.What, caseClaim):
			got = good(replaced(strings.Trim(strings.TrimPrefix(c.What, caseClaim), "`"), bobSSIN))
		case c.What == caseUnknown:
			got = ask("urn:example:none")
		case strings.HasPrefix(c.What, caseForbidden):
			got = ask(strings.Trim(strings.TrimPrefix(c.What, caseForbidden), "`"))
		default:
			t.Errorf("nobody sends the case %q", c.What)
		}
		for _, part := range strings.Split(strings.NewReplacer("fault `", "", "`", "", ", an assertion with all attributes", "").Replace(c.Answer), ", ") {
			if !strings.Contains(got, part) {
				t.Errorf("%s: no %q in %s", c.What, part, got)
			}
		}
	}
	if len(sheet.Cases) != 9 {
		t.Errorf("%d cases", len(sheet.Cases))
	}
}

func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;").Replace(text)
}

// TestSheetOfCedar: the sheet is that of the policy in force, whichever engine it is for.
func TestSheetOfCedar(t *testing.T) {
	v, _ := startDemoServerWith(t, func(dir, config string) string {
		cedar := filepath.Join(dir, "cedar")
		if err := os.Mkdir(cedar, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"profiles.yaml": "version: 1\nprofiles:\n  APP2:\n    description: is he a doctor?\n    maximum-validity: 12h\n    attributes:\n" +
				"      - {name: \"urn:be:fgov:person:ssin\", namespace: identification}\n      - {name: \"" + doctorBoolean + "\", namespace: certified}\n",
			"release.cedar": "@id(\"doctors\")\npermit (principal is Person, action == Action::\"release-attribute\", resource in Profile::\"APP2\");\n",
		} {
			if err := os.WriteFile(filepath.Join(cedar, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return strings.Replace(config, "policy: policy.yaml", "policy: {engine: cedar, directory: cedar}", 1)
	})
	sheet, err := v.sheet("APP2")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := sheet.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"# APP2: is he a doctor?", "| `" + doctorBoolean + "` |", "12h0m0s at most; not in fallback", "Policies in Cedar decide"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, &out)
		}
	}
}

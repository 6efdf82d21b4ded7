package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"sceau/internal/judge"
)

// explain explains a document, as wsc show does.
func explain(content []byte) (string, error) {
	var out bytes.Buffer
	err := (&page{out: &out, now: time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)}).file(content)
	return out.String(), err
}

// Whatever a file holds: no panic, and nothing on the terminal but text and lines
// (attacks.md Z10).
func FuzzShow(f *testing.F) {
	for _, seed := range []string{
		`<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="_1" IssueInstant="2026-11-21T20:00:00Z" Issuer="&#x9b;2Ji" MajorVersion="1" MinorVersion="1"><Conditions NotBefore="2026-11-21T20:00:00Z" NotOnOrAfter="2026-11-22T20:00:00Z"/><AttributeStatement><Subject><NameIdentifier>x</NameIdentifier></Subject><Attribute AttributeName="&#x202e;n" AttributeNamespace="&#x85;s"><AttributeValue>&#x7f;</AttributeValue></Attribute></AttributeStatement></Assertion>`,
		`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>e:&#x9b;</faultcode><faultstring>&#x9b;</faultstring><detail><x Id="&#x9b;"><Code>&#x9b;</Code><Retry>1</Retry></x></detail></e:Fault></e:Body></e:Envelope>`,
		`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"><w:BinarySecurityToken>x</w:BinarySecurityToken></w:Security></e:Header><e:Body/></e:Envelope>`,
		`<Response xmlns="urn:oasis:names:tc:SAML:1.0:protocol" IssueInstant="2026-11-21T20:00:00Z" MajorVersion="1" MinorVersion="1" ResponseID="_1"><Status><StatusCode Value="Requester"/><StatusMessage>&#x9b;</StatusMessage><StatusDetail><LeftOut xmlns="urn:sceau:status:1.0" AttributeName="&#x9b;"/></StatusDetail></Status></Response>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		out, _ := explain(content)
		for _, r := range out {
			if r == utf8.RuneError || r != '\n' && !unicode.IsGraphic(r) {
				t.Fatalf("%U reaches the terminal: %q", r, out)
			}
		}
	})
}

// The messages of real clients are explained.
func TestShowSamples(t *testing.T) {
	files, err := filepath.Glob(judge.Shared(t, "samples", "ehealth", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Skip("no shared samples")
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := explain(content); err != nil || len(out) < 200 {
			t.Errorf("%s: %v\n%s", filepath.Base(file), err, out)
		}
	}
}

//go:build pkcs11 && cgo

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/certs/pkcs11"
	"sceau/internal/minipki"
	"sceau/internal/softhsm"
	"sceau/internal/testpki"
)

// onCard makes a key on the token, as a card has one, and a certificate for it in a file.
func (w *world) onCard(device *softhsm.Device, name string, issuer *minipki.Authority, template minipki.Template) (certificate, uri string) {
	w.t.Helper()
	uri = device.URI("wsc", name)
	parsed, err := pkcs11.ParseURI(uri)
	w.check(err)
	public, err := pkcs11.Generate(parsed, pkcs11.P256)
	w.check(err)
	template.NotBefore, template.NotAfter = w.from, w.from.AddDate(0, 0, 8)
	der, err := issuer.Issue(template, public)
	w.check(err)
	w.file(name+".crt", minipki.CertificatePEM(der, issuer.DER()))
	return filepath.Join(w.dir, name+".crt"), uri
}

// A card asks for a token, and holds it: both keys on a PKCS #11 token. While it is away
// another certificate asks.
func TestCard(t *testing.T) {
	device := softhsm.Open(t)
	device.AddToken(t, "wsc")
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, name) }
	eid, eidKey := w.onCard(device, "card-eid", w.citizen, minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN}))
	holder, holderKey := w.onCard(device, "card-holder", w.ehealth, minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE EXAMPLE"}))
	wsc := func(want int, args ...string) (string, string) {
		t.Helper()
		var out, notes bytes.Buffer
		if got := run(t.Context(), args, strings.NewReader(""), &out, &notes); got != want {
			t.Fatalf("status %d: %s", got, notes.String())
		}
		return out.String(), notes.String()
	}
	w.file("body.xml", []byte(`<q:Ask xmlns:q="urn:example:demo"/>`))
	token := []string{"--sts", w.env["STS"], "--trust", in("sts.crt"), "--app", "APP2"}

	out, _ := wsc(exitDone, append([]string{"token", "--identity", eid, "--identity-key", eidKey}, token...)...) // one card does both
	if !strings.Contains(out, "<Assertion ") {
		t.Error(out)
	}
	call := append([]string{"call", in("body.xml"), "--url", w.env["SERVICE"], "--identity", eid, "--identity-key", eidKey, "--holder", holder, "--holder-key", holderKey}, token...)
	if out, _ := wsc(exitDone, call...); !strings.Contains(out, "EchoResponse") {
		t.Error(out)
	}

	_, notes := wsc(exitInput, "token", "--identity", in("alice-eid.crt"), "--identity-key", eidKey, "--sts", w.env["STS"], "--trust", in("sts.crt"), "--app", "APP2")
	if !strings.Contains(notes, "the key on the token is another than the expected one") {
		t.Error(notes)
	}
	_, notes = wsc(exitInput, "token", "--identity", eid, "--identity-key", strings.Replace(eidKey, "card-eid", "none", 1), "--sts", w.env["STS"], "--trust", in("sts.crt"), "--app", "APP2")
	if !strings.Contains(notes, "pkcs11: key refused") {
		t.Error(notes)
	}
	if strings.Contains(notes, softhsm.PIN) {
		t.Error("the PIN is shown")
	}

	// The proxy goes on without the card, in fallback.
	r := startProxy(t, "--to", w.env["SERVICE"], "--identity", eid, "--identity-key", eidKey, "--holder", in("alice-ehealth.pem"), "--fallback", in("alice-ehealth.pem"),
		"--sts", w.env["STS"], "--trust", in("sts.crt"), "--app", "APP2")
	device.TakeAway(t)
	back := false
	defer func() {
		if !back {
			device.BringBack(t)
		}
	}()
	if status, body := send(t, r.url, plain, nil); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if text := r.text(); !strings.Contains(text, "fell back") || !strings.Contains(text, "key does not sign now") || !strings.Contains(text, "mode=fallback") {
		t.Error(text)
	}
	if code := r.end(); code != exitDone {
		t.Error(code)
	}
	// Started without the card: the fallback asks where there is one, and the error says so where not.
	away := []string{"--url", w.env["SERVICE"], "--identity", eid, "--identity-key", eidKey, "--holder", in("alice-ehealth.pem"), "--sts", w.env["STS"], "--trust", in("sts.crt"), "--app", "APP2", in("body.xml")}
	if out, notes := wsc(exitDone, append([]string{"call", "--fallback", in("alice-ehealth.pem")}, away...)...); !strings.Contains(out, "EchoResponse") || !strings.Contains(notes, "the token of --identity is away") {
		t.Error(out, notes)
	}
	if _, notes := wsc(exitInput, append([]string{"call"}, away...)...); !strings.Contains(notes, "pkcs11: token unavailable") {
		t.Error(notes)
	}
	device.BringBack(t)
	back = true
	if _, err := os.Stat(device.PINFile); err != nil {
		t.Error(err)
	}
}

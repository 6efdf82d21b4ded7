package interop

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
	"sceau/xmlsec"
)

// Answers of the programs.
const (
	admitted      = "ok true"
	badSignature  = "fault FailedCheck SOA-01001"
	notTrusted    = "fault FailedAuthentication SOA-01001"
	tooOld        = "fault MessageExpired SOA-01001"
	refusedSHA1   = "fault UnsupportedAlgorithm SOA-01001"
	notConfirmed  = "status REQ-01: Checks on ConfirmationMethod failed"
	holderUnknown = "status REQ-06: Checks on holder-of-key certificate failed"
)

// A token is one question to the token service by a foreign program.
type token struct {
	name             string
	identity, holder string // of the PKI; empty is Alice's
	variant          string // empty is none
	sts              string // empty is the one whose key is of the same kind
	kind             string // the only kind of key that this is for; empty is every kind
	want             string
}

// tokens are asked by every stack that consumes.
var tokens = []token{
	{name: "good", want: admitted},
	{name: "header signed with another key", identity: "mixed-eid", want: badSignature},
	{name: "body changed after signing", variant: "changed-body", want: badSignature},
	{name: "body not signed", variant: "body-unsigned", want: badSignature},
	{name: "an hour old", variant: "stale", want: tooOld},
	{name: "a stranger's eID", identity: "stranger-eid", want: notTrusted},
}

// inner are asked by those that sign the samlp:Request too.
var inner = []token{
	{name: "request signed with another key", holder: "mixed-ehealth", want: notConfirmed},
	{name: "a stranger's holder", holder: "stranger-ehealth", want: holderUnknown},
}

// A consumer is a foreign stack that asks for tokens and calls with them.
type consumer struct {
	command  []string
	kinds    []string
	identity string // whose eID; empty is alice-eid
	tokens   []token
	calls    []call // beyond those that every stack makes
}

// A call is one call of the guarded service.
type call struct {
	name      string
	holder    string // empty is Alice's
	assertion string // empty is the one asked for, "changed" that with a byte changed, "other" one of another token service
	variant   string
	kind      string
	want      string
}

var calls = []call{
	{name: "good", want: admitted},
	{name: "signed by somebody else", holder: "bob-ehealth", want: badSignature},
	{name: "body changed after signing", variant: "changed-body", want: badSignature},
	{name: "body not signed", variant: "body-unsigned", want: badSignature},
	{name: "an hour old", variant: "stale", want: tooOld},
	{name: "a byte of the assertion changed", assertion: "changed", want: badSignature},
	{name: "an assertion of another token service", assertion: "other", want: notTrusted},
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// consume tries a consumer against our token service and our guard.
func (c *consumer) consume(t *testing.T) {
	w := meet(t)
	p := run(t, c.command...)
	for _, kind := range c.kinds {
		t.Run(kind, func(t *testing.T) {
			good := filepath.Join(t.TempDir(), "good.xml")
			for _, q := range c.tokens {
				if q.kind != "" && q.kind != kind {
					continue
				}
				t.Run("token/"+q.name, func(t *testing.T) {
					out := good
					if q.want != admitted || q.variant != "" {
						out = filepath.Join(t.TempDir(), "token.xml")
					}
					got := p.ask(t, "token", w.sts[or(q.sts, kind)], testpki.AliceSSIN, w.pki.path(or(q.identity, or(c.identity, "alice-eid")), kind),
						w.pki.path(or(q.holder, "alice-ehealth"), kind), out, or(q.variant, "-"))
					if got != q.want {
						t.Errorf("%s instead of %s", got, q.want)
					}
				})
			}
			assertion, err := os.ReadFile(good)
			if err != nil {
				t.Fatal("no token to call with")
			}
			for _, q := range append(calls[:len(calls):len(calls)], c.calls...) {
				if q.kind != "" && q.kind != kind {
					continue
				}
				t.Run("call/"+q.name, func(t *testing.T) {
					file := good
					if q.assertion != "" {
						file = filepath.Join(t.TempDir(), "assertion.xml")
						bad := changed(t, assertion)
						if q.assertion == "other" {
							bad = w.assertion(t, "_other", kind, issue{sts: "other-sts"})
						}
						if err := os.WriteFile(file, bad, 0o600); err != nil {
							t.Fatal(err)
						}
					}
					got := p.ask(t, "call", w.wsp, file, w.pki.path(or(q.holder, "alice-ehealth"), kind), or(q.variant, "-"))
					if got != q.want {
						t.Errorf("%s instead of %s", got, q.want)
					}
				})
			}
		})
	}
}

// changed is the assertion with one byte changed: a digit of an attribute's value.
func changed(t *testing.T, assertion []byte) []byte {
	t.Helper()
	bad := bytes.Replace(assertion, []byte(">"+testpki.AliceSSIN+"<"), []byte(">1"+testpki.AliceSSIN[1:]+"<"), 1)
	if bytes.Equal(bad, assertion) {
		t.Fatal("nothing was changed")
	}
	return bad
}

// issue says how an assertion differs from a good one.
type issue struct {
	sts         string // who signs; empty is our token service
	certificate string // whose certificate stands in the signature; empty is the signer's
	holder      string // empty is alice-ehealth
	end         time.Duration
}

// assertion makes an assertion that our token service would not issue now, in the form in
// which it issues.
func (w *world) assertion(t *testing.T, id, kind string, how issue) []byte {
	t.Helper()
	now := time.Now()
	if how.end == 0 {
		how.end = time.Hour
	}
	name := or(how.sts, "sts") + "-" + kind
	certificate := w.pki.certificates[or(how.certificate, or(how.sts, "sts"))+"-"+kind]
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: w.pki.keys[name], KeyInfo: `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(certificate) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`})
	if err != nil {
		t.Fatal(err)
	}
	assertion, err := saml.AppendAssertion(nil, &saml.Issue{
		AssertionID: id, Issuer: sts.IssuerName, IssueInstant: now.Add(-2 * time.Hour), NotBefore: now.Add(-2 * time.Hour), NotOnOrAfter: now.Add(how.end),
		Holder: w.pki.certificates[or(how.holder, "alice-ehealth")+"-"+kind], Subject: saml.Name{Subject: "CN=Alice", Issuer: "CN=TEST CA"},
		Attributes: []saml.Statement{
			{Name: "urn:be:fgov:person:ssin", Namespace: "urn:be:fgov:identification-namespace", Values: []string{testpki.AliceSSIN}},
			{Name: doctorBoolean, Namespace: "urn:be:fgov:certified-namespace:ehealth", Values: []string{"true"}},
		},
	}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return assertion
}

// message calls a provider with an assertion, as our client does.
func (w *world) message(t *testing.T, assertion []byte, id, holder string, created time.Time) []byte {
	t.Helper()
	signer, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: w.pki.keys[holder]}, id)
	if err != nil {
		t.Fatal(err)
	}
	message, err := (&soap.Outgoing{Content: []byte(ask), Created: created, Expires: created.Add(time.Minute), Assertion: assertion, AssertionID: id}).Append(nil, signer)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// ask is what our client asks of providers.
const ask = `<t:Ask xmlns:t="urn:sceau:interop">doctor?</t:Ask>`

// A provider is a foreign stack that verifies our assertions and our calls.
type provider struct {
	command []string
	kinds   []string
}

// provide tries a provider with what our programs send, and with what it must refuse.
func (p *provider) provide(t *testing.T) {
	w := meet(t)
	for _, kind := range p.kinds {
		t.Run(kind, func(t *testing.T) {
			program := run(t, append(p.command[:len(p.command):len(p.command)], "provide", w.pki.dir+"/ehealth-ca.pem", w.pki.path("sts", kind)+".pem")...)
			port, ok := strings.CutPrefix(program.line(t), "listening ")
			if !ok {
				t.Fatal("it does not listen")
			}
			url := "http://127.0.0.1:" + port + "/"
			t.Run("wsc", func(t *testing.T) { w.ours(t, url, kind) })
			w.refused(t, url, kind)
		})
	}
}

// ours asks our token service and calls the provider, by our program.
func (w *world) ours(t *testing.T, url, kind string) {
	dir := t.TempDir()
	assertion, body := filepath.Join(dir, "token.xml"), filepath.Join(dir, "body.xml")
	if err := os.WriteFile(body, []byte(ask), 0o600); err != nil {
		t.Fatal(err)
	}
	eid, holder := w.pki.path("alice-eid", kind), w.pki.path("alice-ehealth", kind)
	keys := []string{"--holder", holder + ".pem", "--holder-key", holder + ".key"}
	out, err := exec.Command(w.file("wsc"), append([]string{"token", "--sts", w.sts[kind], "--identity", eid + ".pem", "--identity-key", eid + ".key",
		"--trust", w.pki.path("sts", kind) + ".pem", "--attribute", doctorBoolean, "--out", assertion}, keys...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("wsc token: %v\n%s", err, out)
	}
	out, err = exec.Command(w.file("wsc"), append([]string{"call", "--url", url, "--action", "urn:sceau:interop:Ask", "--token", assertion, body}, keys...)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), ">true<") {
		t.Errorf("wsc call: %v\n%s", err, out)
	}
}

// refused sends what a provider must refuse, and says why it must.
func (w *world) refused(t *testing.T, url, kind string) {
	// by makes a call with an assertion, signed by somebody.
	by := func(how issue, signer string, created time.Duration, edit func([]byte) []byte) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			id := "_" + rand.Text()
			assertion := w.assertion(t, id, kind, how)
			if edit != nil {
				assertion = edit(assertion)
			}
			return w.message(t, assertion, id, signer+"-"+kind, time.Now().Add(created))
		}
	}
	edited := func(old, new string) func(t *testing.T) []byte {
		good := by(issue{}, "alice-ehealth", 0, nil)
		return func(t *testing.T) []byte {
			t.Helper()
			message := good(t)
			bad := bytes.Replace(message, []byte(old), []byte(new), 1)
			if bytes.Equal(bad, message) {
				t.Fatal("nothing was changed")
			}
			return bad
		}
	}
	for _, s := range []struct {
		name, want string
		message    func(t *testing.T) []byte
	}{
		{"nothing", "", by(issue{}, "alice-ehealth", 0, nil)},
		{"a byte of the assertion", "assertion signature", by(issue{}, "alice-ehealth", 0, func(assertion []byte) []byte { return changed(t, assertion) })},
		{"expired", "assertion expired", by(issue{end: -time.Minute}, "alice-ehealth", 0, nil)},
		{"another token service", "sts untrusted", by(issue{sts: "other-sts"}, "alice-ehealth", 0, nil)},
		{"another key, our certificate", "assertion signature", by(issue{sts: "other-sts", certificate: "sts"}, "alice-ehealth", 0, nil)},
		{"a stranger's holder", "holder untrusted", by(issue{holder: "stranger-ehealth"}, "stranger-ehealth", 0, nil)},
		{"signed by somebody else", "message signature", by(issue{}, "bob-ehealth", 0, nil)},
		{"a byte of the body", "message signature", edited("doctor?", "doktor?")},
		{"a byte of the Timestamp", "message signature", edited("Z</wsu:Expires>", "0Z</wsu:Expires>")},
		{"an hour old", "timestamp", by(issue{}, "alice-ehealth", -time.Hour, nil)},
	} {
		t.Run("refused/"+s.name, func(t *testing.T) {
			if s.want != "" && !slices.Contains(Refusals, s.want) {
				t.Fatal("that is no word for a refusal")
			}
			response, err := http.Post(url, "text/xml; charset=utf-8", bytes.NewReader(s.message(t)))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
			if err != nil {
				t.Fatal(err)
			}
			if s.want == "" {
				if response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(">true<")) {
					t.Errorf("%s: %s", response.Status, body)
				}
				return
			}
			if response.StatusCode != http.StatusInternalServerError || !bytes.Contains(body, []byte(s.want+"</faultstring>")) {
				t.Errorf("%s instead of %q: %s", response.Status, s.want, body)
			}
		})
	}
}

package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/certs"
	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec/xmltext"
)

// Moments at which the shared samples are fresh: a second or so after they were made.
const (
	sampleClock    = "2026-11-21T19:51:21Z"
	sampleClock402 = "2026-11-21T20:05:35Z"
)

// samplePolicy permits what the samples ask for.
const samplePolicy = `version: 1
profiles:
  samples:
    description: what the shared samples ask for
    maximum-validity: 24h
    fallback-maximum-validity: 24h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:person:ssin:doctor:boolean", namespace: certified}
      - {name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", namespace: certified}
rules:
  - {id: samples, effect: permit, identity: {kinds: [eid, ehealth-person]}, profiles: [samples]}
`

// startSamples starts a server that trusts the PKI of the shared samples, its clock at
// a moment.
func startSamples(t *testing.T, clock string, sha1 bool) (url string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"citca.pem", "ehca.pem"} {
		content, err := os.ReadFile(judge.Shared(t, "samples", "ehealth", "pki", name))
		if err != nil {
			t.Fatal(err)
		}
		write(name, content)
	}
	pki := testpki.Load()
	write("sts.pem", pki.STS.CertificatePEM())
	write("sts.key", pki.STS.KeyPEM())
	write("policy.yaml", []byte(samplePolicy))
	r, err := registry.Open(registry.Config{Path: filepath.Join(dir, "registry.db"), Access: registry.ReadWrite, Catalogue: attrs.EHealth()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ImportCSV(t.Context(), strings.NewReader(demoRegistry), registry.ModeReplace); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	write("stsd.yaml", fmt.Appendf(nil, `listen: [{address: %q}]
test-clock: %s
environment: Test
signing: {key: sts.key, certificate: sts.pem}
trust:
  authorities:
    # The sample CAs publish no CRL.
    - {name: cit, certificate: citca.pem, revocation: "off"}
    - {name: eh, certificate: ehca.pem, revocation: "off"}
  profiles:
    - {name: eID, kind: belgian-eid, role: identity, roots: [cit], any-policy: true}
    - {name: eHealth, kind: ehealth, role: holder, roots: [eh]}
    - {name: fallback, kind: ehealth, role: identity, roots: [eh]}
sha1: {header: %v, inner: %v}
registry: {file: registry.db}
policy: policy.yaml
audit: {dir: audit}
`, address, clock, sha1, sha1))

	path := filepath.Join(dir, "stsd.yaml")
	_, address = serveFile(t, path)
	return address + pathQuery
}

func post(t *testing.T, url string, message []byte) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	request.Header.Set("SOAPAction", `"urn:be:fgov:ehealth:sts:protocol:v1:RequestSecureToken"`)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// TestSamples: a running server, its clock and trust set from the shared samples,
// answers each SAML 1.1 request of real clients' shape with a signed assertion, those
// with SHA-1 only with the switches on; xmlsec1, the JDK and the schemas agree with
// every answer.
func TestSamples(t *testing.T) {
	requests := []struct {
		file, clock string
		refusal     string // what is answered without the switches
	}{
		{file: "connector-saml11-request-eid-hok-sha256.xml"},
		{file: "connector-saml11-request-fallback-samecert-sha256.xml"},
		{file: "connector402-saml11-request-eid-hok-header-sha256-inner-sha1.xml", clock: sampleClock402, refusal: "REQ-01: Checks on ConfirmationMethod failed"},
		{file: "connector-saml11-request-eid-hok-sha1.xml", refusal: "wsse:UnsupportedAlgorithm"},
	}
	java := judge.JDK(t)
	public := testpki.Load().STS.X509()
	publicDER, publicPEM := publicKey(t, public.PublicKey)
	ids := []judge.ID{{Attribute: "AssertionID", Namespace: saml.NamespaceAssertion, Element: "Assertion"}}
	var assertions [][]byte
	var questions []int
	for _, r := range requests {
		message, err := os.ReadFile(judge.Shared(t, "samples", "ehealth", r.file))
		if err != nil {
			t.Fatal(err)
		}
		if r.clock == "" {
			r.clock = sampleClock
		}
		off, on := startSamples(t, r.clock, false), startSamples(t, r.clock, true)
		if r.refusal != "" {
			if _, body := post(t, off, message); !bytes.Contains(body, []byte(r.refusal)) || bytes.Contains(body, []byte("<Assertion")) {
				t.Errorf("%s without the switches: %s", r.file, body)
			}
		}
		status, body := post(t, on, message)
		if status != http.StatusOK || !bytes.Contains(body, []byte("samlp:Success")) {
			t.Errorf("%s: %d %s", r.file, status, body)
			continue
		}
		document, err := xmltext.Parse(body, xmltext.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		var response saml.Response
		if err := saml.ParseResponse(document.Root().FirstElement().FirstElement(), &response); err != nil {
			t.Fatal(err)
		}
		judge.SAML11(t, response.Node.Source())
		assertions = append(assertions, bytes.Clone(response.Assertion.Source()))
		questions = append(questions, java.Verify(body, publicDER, 0))
		t.Logf("%s: assertion of %d bytes", r.file, len(response.Assertion.Source()))
		document.Release()
		for _, value := range []string{aliceNIHII, ">true<"} {
			if !bytes.Contains(body, []byte(value)) {
				t.Errorf("%s: no %s in the answer", r.file, value)
			}
		}
	}
	for i, ok := range judge.VerifyXMLSec(t, publicPEM, ids, "//*[local-name()='Signature']", assertions) {
		if !ok {
			t.Errorf("xmlsec1 refuses assertion %d", i)
		}
	}
	java.Run()
	for i, q := range questions {
		if answer := java.Answer(q); answer != "ok" {
			t.Errorf("the JDK on answer %d: %s", i, answer)
		}
	}
}

// TestSampleCall: the shared call of a provider, with the assertion of another STS, is
// admitted by the guard.
func TestSampleCall(t *testing.T) {
	message, err := os.ReadFile(judge.Shared(t, "samples", "ehealth", "wsp-call-saml-hok-sha256.xml"))
	if err != nil {
		t.Fatal(err)
	}
	pemOf := func(name string) []byte {
		content, err := os.ReadFile(judge.Shared(t, "samples", "ehealth", "pki", name))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(content)
		return block.Bytes
	}
	issuer := certs.TokenIssuer()
	issuer.Pinned = [][]byte{pemOf("sts.pem")}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{Certificate: pemOf("ehca.pem"), Revocation: certs.Revocation{Mode: certs.Off}}}
	verifier, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{issuer, holder}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	guard, err := wsp.NewGuard(wsp.Config{Certificates: verifier, Issuers: []string{"urn:be:fgov:ehealth:sts:1_0"}, Replay: soap.NewMemoryReplay(1000), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close()
	now, _ := time.Parse(time.RFC3339, sampleClock)
	caller, err := guard.Admit(message, now)
	if err != nil {
		t.Fatal(err)
	}
	if doctor, ok := caller.Bool(attrs.Designator{Name: doctorBoolean, Namespace: attrs.NamespaceCertified}); !doctor || !ok || caller.Holder().SSIN() != aliceSSIN {
		t.Errorf("caller %v %v %v", doctor, ok, caller.Holder().Kind())
	}
	if _, err := guard.Admit(message, now); err == nil {
		t.Error("admitted twice")
	}
}

package main

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sceau/internal/minipki"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wspd": main})
}

// TestScripts drives the real program.
func TestScripts(t *testing.T) {
	pki := newPKI(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return pki.write(env.WorkDir) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports":  ports,
			"fill":   fill,
			"await":  await,
			"hangup": hangup,
			"get":    get,
			"call":   pki.call,
		},
	})
}

// testPKI is made anew for each run: the program under test has the real clock.
type testPKI struct {
	from, to                        time.Time
	ca                              *minipki.Authority
	sts, holder, server             []byte
	stsKey, holderKey, serverSigner crypto.Signer
}

func newPKI(t testing.TB) *testPKI {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key := func() crypto.Signer {
		k, err := minipki.GenerateKey(minipki.P256)
		must(err)
		return k
	}
	p := &testPKI{from: time.Now().Add(-time.Hour), to: time.Now().Add(24 * time.Hour)}
	p.stsKey, p.holderKey, p.serverSigner = key(), key(), key()
	var err error
	p.ca, err = minipki.NewRoot(minipki.CA(minipki.DN("C", "BE", "CN", "TEST CA"), p.from, p.to), key())
	must(err)
	p.sts, err = p.ca.Issue(minipki.EHealth(minipki.Holder{Type: "CBE", Value: "0809394427", Name: "STS", Application: "SCEAU"}), p.stsKey.Public())
	must(err)
	p.holder, err = p.ca.Issue(minipki.EHealth(minipki.Holder{Type: "SSIN", Value: "00000000097", Name: "ALICE EXAMPLE"}), p.holderKey.Public())
	must(err)
	p.server, err = p.ca.Issue(minipki.TLSServer("localhost", "127.0.0.1"), p.serverSigner.Public())
	must(err)
	return p
}

// write writes the files that a configuration names.
func (p *testPKI) write(folder string) error {
	crl, err := p.ca.CRL(minipki.CRL{Number: 1, ThisUpdate: p.from, NextUpdate: p.to})
	if err != nil {
		return err
	}
	key, err := minipki.KeyPEM(p.serverSigner)
	if err != nil {
		return err
	}
	callerKey, err := minipki.GenerateKey(minipki.P256)
	if err != nil {
		return err
	}
	tokenKey, err := minipki.KeyPEM(callerKey)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.pem":     minipki.CertificatePEM(p.ca.DER()),
		"sts.pem":    minipki.CertificatePEM(p.sts),
		"server.pem": minipki.CertificatePEM(p.server),
		"server.key": key,
		"caller.key": tokenKey,
		"ca.crl":     minipki.CRLPEM(crl),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// revoke writes a newer CRL with the holder in it.
func (p *testPKI) revoke(folder string) error {
	holder, err := x509.ParseCertificate(p.holder)
	if err != nil {
		return err
	}
	crl, err := p.ca.CRL(minipki.CRL{Number: 2, ThisUpdate: p.from.Add(time.Minute), NextUpdate: p.to, Revoked: []minipki.Revoked{{Serial: holder.SerialNumber, At: p.from}}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "ca.crl"), minipki.CRLPEM(crl), 0o600)
}

// message makes a call, now.
func (p *testPKI) message(doctor string) ([]byte, error) {
	return p.messageOf(doctor, `<t:Echo xmlns:t="urn:test">hello</t:Echo>`)
}

func (p *testPKI) messageOf(doctor, content string) ([]byte, error) {
	now := time.Now()
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: p.stsKey, KeyInfo: `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(p.sts) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`})
	if err != nil {
		return nil, err
	}
	assertion, err := saml.AppendAssertion(nil, &saml.Issue{
		AssertionID: "_1", Issuer: "urn:test:sts", IssueInstant: now, NotBefore: now.Add(-5 * time.Minute), NotOnOrAfter: now.Add(time.Hour),
		Holder: p.holder, Subject: saml.Name{Subject: "CN=Alice", Issuer: "CN=TEST CA"},
		Attributes: []saml.Statement{{Name: "urn:be:fgov:person:ssin", Namespace: "urn:be:fgov:identification-namespace", Values: []string{"00000000097"}},
			{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: "urn:be:fgov:certified-namespace:ehealth", Values: []string{doctor}}},
	}, signer)
	if err != nil {
		return nil, err
	}
	messageSigner, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: p.holderKey}, "_1")
	if err != nil {
		return nil, err
	}
	return (&soap.Outgoing{Content: []byte(content), Created: now, Expires: now.Add(time.Minute),
		Assertion: assertion, AssertionID: "_1"}).Append(nil, messageSigner)
}

// client trusts the CA of the test.
func (p *testPKI) client() *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(minipki.CertificatePEM(p.ca.DER()))
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
}

// call: "call URL DOCTOR" sends a call of a doctor (true) or none (false); "call URL
// FILE" sends the octets of a file. The answer is the standard output, the status
// the standard error.
func (p *testPKI) call(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: call URL true|false|FILE")
	}
	var message []byte
	if args[1] == "true" || args[1] == "false" {
		var err error
		message, err = p.message(args[1])
		ts.Check(err)
	} else {
		message = []byte(ts.ReadFile(args[1]))
	}
	response, err := p.client().Post(args[0], "text/xml; charset=utf-8", bytes.NewReader(message))
	ts.Check(err)
	answer(ts, neg, response)
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	response, err := http.Get(args[0])
	ts.Check(err)
	answer(ts, neg, response)
}

func answer(ts *testscript.TestScript, neg bool, response *http.Response) {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	ts.Check(err)
	ts.Stdout().Write(body)
	ts.Stderr().Write([]byte(response.Status + "\n"))
	if (response.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("status %s: %s", response.Status, body)
	}
}

// fill: "fill FILE" replaces $NAME in a file by what the environment has.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}

// ports: "ports NAME…" puts addresses that nobody listens on into the environment.
func ports(ts *testscript.TestScript, _ bool, args []string) {
	var listeners []net.Listener
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		listeners = append(listeners, l)
		ts.Setenv(name, l.Addr().String())
	}
	for _, l := range listeners {
		l.Close()
	}
}

// await: "await URL" waits until it is answered with 200.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for range 200 {
		if response, err := http.Get(args[0]); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s does not answer", args[0])
}

// hangup: "hangup" tells the programs that run to read their configurations again.
func hangup(ts *testscript.TestScript, _ bool, _ []string) {
	for _, command := range ts.BackgroundCmds() {
		ts.Check(command.Process.Signal(syscall.SIGHUP))
	}
}

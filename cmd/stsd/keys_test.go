package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
)

// TestGenerate: every kind of key comes with a request that it signed, in files that only
// their owner reads, and that are never overwritten.
func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "stsd.yaml")
	writeConfig(t, config, "signing: {dir: keys}\n")
	for name, algorithm := range map[string]string{"rsa-2048": "RSA-2048", "rsa-3072": "RSA-3072", "p256": "P-256", "p384": "P-384", "p521": "P-521"} {
		t.Run(name, func(t *testing.T) {
			keysRun(t, config, "generate", name, "--algorithm", name, "--subject", `C=BE, O=Example\, NV, OU=a=b, serialNumber=1, CN=STS é`)
			text, err := os.ReadFile(filepath.Join(dir, "keys", name+".csr"))
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(text)
			request, err := x509.ParseCertificateRequest(block.Bytes)
			if err != nil || request.CheckSignature() != nil || algorithmOf(request.PublicKey) != algorithm {
				t.Fatalf("%v: %s", err, text)
			}
			var subject pkix.RDNSequence // as it stands, with its order
			if _, err := asn1.Unmarshal(request.RawSubject, &subject); err != nil || subject.String() != `CN=STS é,SERIALNUMBER=1,OU=a=b,O=Example\, NV,C=BE` {
				t.Errorf("subject %s, %v", subject, err)
			}
			path := filepath.Join(dir, "keys", name+".key")
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			before, _ := os.ReadFile(path)
			keysRun(t, config, "retire", name) // the schedule forgets it, its files stay
			root := rootCommand()
			root.SetArgs([]string{"keys", "generate", name, "--algorithm", "p256", "--subject", "CN=x", "--config", config})
			if err := root.Execute(); err == nil || !strings.Contains(err.Error(), "exists") {
				t.Errorf("over a key that is there: %v", err)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("overwritten")
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "keys", "*.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSubjectRefused(t *testing.T) {
	for _, text := range []string{"", "CN", "CN=", "=x", "XX=y", "CN=a,,O=b", "CN=a,"} {
		if name, err := parseSubjectName(text); err == nil {
			t.Errorf("%q: %x", text, name)
		}
	}
}

// TestInstall: the CA's answer is taken when it is the key's, and the key then signs.
func TestInstall(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "stsd.yaml")
	writeConfig(t, config, "signing: {dir: keys, publish-ahead: 0s}\n")
	keysRun(t, config, "generate", "k", "--algorithm", "p256", "--subject", "CN=STS")
	text, err := os.ReadFile(filepath.Join(dir, "keys", "k.csr"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	p := &demoPKI{dir: dir, from: time.Now().Add(-time.Hour), until: time.Now().AddDate(1, 0, 0)}
	root := p.root("root", minipki.DN("C", "BE", "CN", "DEMO Root CA"))
	if p.failed != nil {
		t.Fatal(p.failed)
	}
	answer := filepath.Join(dir, "answer.pem")
	put := func(der []byte) {
		writeConfig(t, answer, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	}
	server, err := root.Issue(minipki.TLSServer("sts.example"), request.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	put(server)
	command := rootCommand()
	command.SetArgs([]string{"keys", "install", "k", answer, "--config", config})
	if err := command.Execute(); certs.ReasonOf(err) != certs.WrongUsage {
		t.Errorf("a certificate of a TLS server: %v", err)
	}
	der, err := root.Issue(minipki.EHealth(minipki.Holder{Type: "CBE", Value: stsCBE, Name: "STS"}), request.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	put(der)
	keysRun(t, config, "install", "k", answer)
	keysRun(t, config, "rollover", "k")
	if listed := keysRun(t, config, "list"); !strings.Contains(listed, "k: current") || !strings.Contains(listed, "signed a probe that verifies") {
		t.Errorf("%s", listed)
	}
	installed, err := certs.ReadCertificates(filepath.Join(dir, "keys", "k.pem"))
	if err != nil || string(installed[0]) != string(der) {
		t.Error(err)
	}
}

package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// explainConfig writes a configuration on the PKI of the tests, with a clock of its time.
func explainConfig(t *testing.T) string {
	t.Helper()
	dir, pki := t.TempDir(), testpki.Load()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, ca := range map[string]*minipki.Authority{"citizen-root": pki.CitizenRoot, "citizen-ca": pki.CitizenCA, "ehealth-root": pki.EHealthRoot, "ehealth-ca": pki.EHealthCA} {
		write(name+".pem", minipki.CertificatePEM(ca.DER()))
		write("crl/"+name+".crl", pki.CRLs()[map[string]int{"citizen-root": 0, "ehealth-root": 2, "citizen-ca": 3, "ehealth-ca": 5}[name]])
	}
	for name, leaf := range map[string]testpki.Leaf{"eid": pki.AliceEID, "hospital": pki.Hospital, "stranger": pki.StrangerEID, "revoked": pki.RevokedEID, "server": pki.Server} {
		write(name+".pem", leaf.CertificatePEM())
	}
	write("stsd.yaml", []byte(`test-clock: `+testpki.Now().Format("2006-01-02T15:04:05Z07:00")+`
trust:
  authorities:
    - {name: citizen-root, certificate: citizen-root.pem}
    - {name: citizen-ca, certificate: citizen-ca.pem}
    - {name: ehealth-root, certificate: ehealth-root.pem}
    - {name: ehealth-ca, certificate: ehealth-ca.pem}
  profiles:
    - {name: eID, kind: belgian-eid, role: identity, roots: [citizen-root], intermediates: [citizen-ca]}
    - {name: eHealth, kind: ehealth, role: holder, roots: [ehealth-root], intermediates: [ehealth-ca]}
  crl-files: [crl]
`))
	return dir
}

// TestCertExplain: a person reads whom a certificate names, in which role it is accepted,
// and otherwise the first rule that it breaks.
func TestCertExplain(t *testing.T) {
	dir := explainConfig(t)
	for _, tt := range []struct {
		file     string
		accepted bool
		want     []string
		not      []string
	}{
		{"eid", true, []string{
			"names        eid SSIN 00000000097, Alice Test Example", "key          RSA-2048, signed with SHA256-RSA",
			`as identity  accepted as eid, revocation cleared by profile "eID"`, "path 1: SERIALNUMBER=202601, CN=TEST Citizen CA, C=BE: configured, cleared",
			"path 2: CN=TEST Belgium Root CA, C=BE: trusted by configuration",
			`as holder    REFUSED by profile "eHealth"`, "first rule broken: subject that the profile admits: subject does not fit the role: it is of the kind eid; the profile admits ehealth-person, ehealth-organisation",
		}, nil},
		{"hospital", true, []string{"names        ehealth-organisation NIHII-HOSPITAL 71999041, EXAMPLE HOSPITAL", `as holder    accepted as ehealth-organisation`}, []string{"as identity  accepted"}},
		{"stranger", false, []string{"first rule broken: path to a root of the profile: untrusted issuer"}, []string{"accepted"}},
		{"revoked", false, []string{"first rule broken: revocation: revoked: issued by SERIALNUMBER=202601, CN=TEST Citizen CA, C=BE", "REVOKED since 2026-06-01T00:00:00Z"}, []string{"accepted"}},
		{"server", false, []string{"names        nobody that is known"}, []string{"accepted"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			var out bytes.Buffer
			root := rootCommand()
			root.SetOut(&out)
			root.SetArgs([]string{"cert", "explain", "--config", filepath.Join(dir, "stsd.yaml"), filepath.Join(dir, tt.file+".pem")})
			err := root.Execute()
			var no finding
			if tt.accepted && err != nil || !tt.accepted && !errors.As(err, &no) {
				t.Errorf("%v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%s", want, out.String())
				}
			}
			for _, not := range tt.not {
				if strings.Contains(out.String(), not) {
					t.Errorf("%q stands in\n%s", not, out.String())
				}
			}
		})
	}
}

// TestCertExplainAt: another moment, intermediates as a message brings them, every rule.
func TestCertExplainAt(t *testing.T) {
	dir := explainConfig(t)
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		root := rootCommand()
		root.SetOut(&out)
		root.SetArgs(append([]string{"cert", "explain", "--config", filepath.Join(dir, "stsd.yaml"), filepath.Join(dir, "eid.pem")}, args...))
		err := root.Execute()
		return out.String(), err
	}
	late := testpki.NotAfter().AddDate(0, 0, 1).Format("2006-01-02T15:04:05Z07:00")
	if text, err := run("--at", late); err == nil || !strings.Contains(text, "first rule broken: validity: expired") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := run("--at", "tomorrow"); exitStatus(err) != exitError {
		t.Error(err)
	}
	text, err := run("--rules", "--with", filepath.Join(dir, "citizen-ca.pem"))
	if err != nil || !strings.Contains(text, "kept: name constraints") || !strings.Contains(text, "kept: revocation") {
		t.Errorf("%v\n%s", err, text)
	}
}

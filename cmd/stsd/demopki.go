package main

import (
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sceau/internal/minipki"
)

// The invented people and organisations of the demonstration. Their numbers have
// right check digits and belong to nobody: no birth date is 00.00.00.
const (
	aliceSSIN  = "00000000097"
	aliceNIHII = "19999024004"
	bobSSIN    = "00000000196"
	stsCBE     = "0809394427"
)

// demoRegistry is what the authentic source of the demonstration knows.
const demoRegistry = `subject_type,subject,attribute,namespace,value,not_before,not_on_or_after
ssin,00000000097,urn:be:fgov:person:ssin:doctor:boolean,,true,2020-01-01T00:00:00Z,
ssin,00000000097,urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11,,19999024004,2020-01-01T00:00:00Z,
ssin,00000000097,urn:be:fgov:person:ssin:ehealth:1.0:fpsph:doctor:boolean,,true,2020-01-01T00:00:00Z,
ssin,00000000196,urn:be:fgov:person:ssin:nurse:boolean,,true,2020-01-01T00:00:00Z,
ssin,00000000196,urn:be:fgov:person:ssin:doctor:boolean,,false,2020-01-01T00:00:00Z,
`

// A demoPKI is the certification authorities and certificates of the demonstration,
// made anew at each start, in the shape of section 6 of the wire document, and the
// folder that they are written to.
type demoPKI struct {
	dir                   string
	from, until           time.Time
	citizenRoot, citizens *minipki.Authority
	ehealthRoot, ehealth  *minipki.Authority
	servers               *minipki.Authority
	failed                error
}

func makeDemoPKI(dir string, now time.Time) error {
	p := &demoPKI{dir: dir, from: now.Add(-time.Hour).Truncate(time.Second), until: now.AddDate(1, 0, 0).Truncate(time.Second)}
	p.failed = os.MkdirAll(filepath.Join(dir, "crl"), 0o700)
	p.citizenRoot = p.root("citizen-root", minipki.DN("C", "BE", "CN", "DEMO Belgium Root CA"))
	p.citizens = p.authority("citizen-ca", p.citizenRoot, minipki.DN("C", "BE", "CN", "DEMO Citizen CA", "serialNumber", "202601"))
	p.ehealthRoot = p.root("ehealth-root", minipki.DN("C", "BE", "O", "DEMO TSP", "CN", "DEMO TSP Root CA"))
	p.ehealth = p.authority("ehealth-ca", p.ehealthRoot, minipki.DN("C", "BE", "O", "DEMO TSP", "serialNumber", "001", "CN", "DEMO eHealth issuing CA 001"))

	eid := func(person minipki.Person) minipki.Template {
		t := minipki.EID(person)
		t.Policies = []string{minipki.PolicyCitizenAuthCA4}
		return t
	}
	p.leaf("alice-eid", p.citizens, minipki.P256, eid(minipki.Person{GivenNames: "Alice Demo", Surname: "Example", SSIN: aliceSSIN}))
	p.leaf("bob-eid", p.citizens, minipki.P256, eid(minipki.Person{GivenNames: "Bob Demo", Surname: "Sample", SSIN: bobSSIN}))
	p.leaf("alice-ehealth", p.ehealth, minipki.RSA2048, minipki.EHealth(minipki.Holder{Type: "SSIN", Value: aliceSSIN, Name: "ALICE EXAMPLE"}))
	p.leaf("bob-ehealth", p.ehealth, minipki.RSA2048, minipki.EHealth(minipki.Holder{Type: "SSIN", Value: bobSSIN, Name: "BOB SAMPLE"}))
	p.leaf("sts", p.ehealth, minipki.RSA2048, minipki.EHealth(minipki.Holder{Type: "CBE", Value: stsCBE, Name: "DEMO PLATFORM", Application: "SCEAU"}))
	p.servers = p.root("server-root", minipki.DN("C", "FR", "O", "DEMO", "CN", "DEMO server root"))
	p.leaf("server", p.servers, minipki.P256, minipki.TLSServer("localhost", "127.0.0.1"))
	for name, a := range map[string]*minipki.Authority{"citizen-root": p.citizenRoot, "citizen-ca": p.citizens, "ehealth-root": p.ehealthRoot, "ehealth-ca": p.ehealth} {
		p.crl(name, a)
	}
	return p.failed
}

func (p *demoPKI) key(kind minipki.KeyKind) crypto.Signer {
	if p.failed != nil {
		return nil
	}
	var key crypto.Signer
	key, p.failed = minipki.GenerateKey(kind)
	return key
}

func (p *demoPKI) root(name string, subject minipki.Name) *minipki.Authority {
	key := p.key(minipki.P384)
	if p.failed != nil {
		return nil
	}
	var a *minipki.Authority
	if a, p.failed = minipki.NewRoot(minipki.CA(subject, p.from, p.until), key); p.failed == nil {
		p.write(name+".pem", minipki.CertificatePEM(a.DER()), 0o644)
	}
	return a
}

func (p *demoPKI) authority(name string, parent *minipki.Authority, subject minipki.Name) *minipki.Authority {
	key := p.key(minipki.RSA2048)
	if p.failed != nil {
		return nil
	}
	var a *minipki.Authority
	if a, p.failed = parent.Subordinate(minipki.CA(subject, p.from, p.until), key); p.failed == nil {
		p.write(name+".pem", minipki.CertificatePEM(a.DER()), 0o644)
	}
	return a
}

// leaf writes NAME.pem (certificate and its issuer) and NAME.key.
func (p *demoPKI) leaf(name string, issuer *minipki.Authority, kind minipki.KeyKind, t minipki.Template) {
	key := p.key(kind)
	if p.failed != nil {
		return
	}
	t.NotBefore, t.NotAfter = p.from, p.until
	var der, text []byte
	if der, p.failed = issuer.Issue(t, key.Public()); p.failed != nil {
		return
	}
	if text, p.failed = minipki.KeyPEM(key); p.failed != nil {
		return
	}
	p.write(name+".pem", minipki.CertificatePEM(der, issuer.DER()), 0o644)
	p.write(name+".key", text, 0o600)
}

func (p *demoPKI) crl(name string, a *minipki.Authority) {
	if p.failed != nil {
		return
	}
	var der []byte
	der, p.failed = a.CRL(minipki.CRL{Number: 1, ThisUpdate: p.from, NextUpdate: p.until})
	p.write(filepath.Join("crl", name+".crl"), minipki.CRLPEM(der), 0o644)
}

func (p *demoPKI) write(name string, content []byte, mode os.FileMode) {
	if p.failed == nil {
		p.failed = os.WriteFile(filepath.Join(p.dir, name), content, mode)
	}
}

// demoConfig is the configuration that the demonstration runs on, and that stsd serve
// takes as well.
func demoConfig(address, admin string) string {
	return fmt.Sprintf(`# Written by stsd demo. Try: stsd serve --config stsd.yaml
listen:
  - address: %s
admin: %s
environment: Test
public-url: http://%s
signing:
  key: pki/sts.key
  certificate: pki/sts.pem
trust:
  authorities:
    - {name: citizen-root, certificate: pki/citizen-root.pem}
    - {name: citizen-ca, certificate: pki/citizen-ca.pem}
    - {name: ehealth-root, certificate: pki/ehealth-root.pem}
    - {name: ehealth-ca, certificate: pki/ehealth-ca.pem}
  profiles:
    - {name: eID, kind: belgian-eid, role: identity, roots: [citizen-root], intermediates: [citizen-ca]}
    - {name: eID as holder, kind: belgian-eid, role: holder, roots: [citizen-root], intermediates: [citizen-ca]}
    - {name: eHealth, kind: ehealth, role: holder, roots: [ehealth-root], intermediates: [ehealth-ca]}
    - {name: "eHealth, fallback", kind: ehealth, role: identity, roots: [ehealth-root], intermediates: [ehealth-ca]}
    - {name: eID in a browser, kind: belgian-eid, role: person, roots: [citizen-root], intermediates: [citizen-ca]}
  crl-files: [pki/crl]
registry:
  file: registry.db
policy: policy.yaml
audit:
  dir: audit
`, address, admin, address)
}

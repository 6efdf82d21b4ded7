package interop

import (
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"time"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// kinds are the keys that stacks are tried with: of consumer, holder and token service.
var kinds = []string{"rsa", "p256"}

// A pki is made anew: the foreign programs, and ours, have the clock of the machine.
// The RSA keys are those of testpki, which nobody needs to wait for.
type pki struct {
	dir               string
	from, to          time.Time
	citizens, ehealth *minipki.Authority
	keys              map[string]crypto.Signer // of leafs, by name
	certificates      map[string][]byte
	failed            error
}

func newPKI(dir string) (*pki, error) {
	p := &pki{dir: dir, from: time.Now().Add(-time.Hour).Truncate(time.Second), keys: map[string]crypto.Signer{}, certificates: map[string][]byte{}}
	p.to = p.from.Add(30 * 24 * time.Hour)
	p.failed = os.MkdirAll(filepath.Join(dir, "crl"), 0o700)
	p.citizens = p.authority("citizen-ca", "C", "BE", "CN", "TEST Citizen CA", "serialNumber", "202601")
	p.ehealth = p.authority("ehealth-ca", "C", "BE", "O", "TEST TSP", "serialNumber", "001", "CN", "TEST eHealth issuing CA 001")
	stranger := p.authority("stranger-ca", "C", "BE", "CN", "TEST Citizen CA", "serialNumber", "202601")
	test := testpki.Load()
	alice := minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN}
	aliceHolder := minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE EXAMPLE"}
	bobHolder := minipki.Holder{Type: "SSIN", Value: testpki.BobSSIN, Name: "BOB SAMPLE"}
	platform := minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "EXAMPLE PLATFORM", Application: testpki.ServiceID}
	p.leaf("alice-eid", p.citizens, minipki.EID(alice), test.AliceEID.Key)
	p.leaf("stranger-eid", stranger, minipki.EID(alice), test.BobEID.Key)
	p.leaf("alice-ehealth", p.ehealth, minipki.EHealth(aliceHolder), test.AliceEHealth.Key)
	p.leaf("bob-ehealth", p.ehealth, minipki.EHealth(bobHolder), test.BobEHealth.Key)
	p.leaf("stranger-ehealth", stranger, minipki.EHealth(aliceHolder), test.Hospital.Key)
	p.leaf("sts", p.ehealth, minipki.EHealth(platform), test.STS.Key)
	// The token service of somebody else, with a certificate as good as ours.
	platform.Application = "OTHER"
	p.leaf("other-sts", p.ehealth, minipki.EHealth(platform), test.OtherKey())
	for _, kind := range kinds {
		p.mix("mixed-eid-"+kind, "alice-eid-"+kind, "bob-ehealth-"+kind)
		p.mix("mixed-ehealth-"+kind, "alice-ehealth-"+kind, "bob-ehealth-"+kind)
	}
	return p, p.failed
}

// mix writes a certificate with the key of another.
func (p *pki) mix(name, certificate, key string) {
	if p.failed != nil {
		return
	}
	text, err := minipki.KeyPEM(p.keys[key])
	p.failed = errors.Join(err, p.write(name+".pem", minipki.CertificatePEM(p.certificates[certificate])), p.write(name+".key", text))
}

func (p *pki) authority(name string, pairs ...string) *minipki.Authority {
	if p.failed != nil {
		return nil
	}
	key, err := minipki.GenerateKey(minipki.P256)
	if err != nil {
		p.failed = err
		return nil
	}
	a, err := minipki.NewRoot(minipki.CA(minipki.DN(pairs...), p.from, p.to), key)
	if err != nil {
		p.failed = err
		return nil
	}
	crl, err := a.CRL(minipki.CRL{Number: 1, ThisUpdate: p.from, NextUpdate: p.to})
	p.failed = errors.Join(err, p.write(name+".pem", minipki.CertificatePEM(a.DER())), p.write(filepath.Join("crl", name+".crl"), minipki.CRLPEM(crl)))
	return a
}

// leaf writes NAME-rsa and NAME-p256.
func (p *pki) leaf(name string, issuer *minipki.Authority, t minipki.Template, rsa crypto.Signer) {
	for _, kind := range kinds {
		if p.failed != nil {
			return
		}
		key := rsa
		if kind == "p256" {
			if key, p.failed = minipki.GenerateKey(minipki.P256); p.failed != nil {
				return
			}
		}
		der, err := issuer.Issue(t, key.Public())
		if err != nil {
			p.failed = err
			return
		}
		text, err := minipki.KeyPEM(key)
		full := name + "-" + kind
		p.keys[full], p.certificates[full] = key, der
		p.failed = errors.Join(err, p.write(full+".pem", minipki.CertificatePEM(der)), p.write(full+".key", text))
	}
}

func (p *pki) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(p.dir, name), content, 0o600)
}

// path names a certificate and its key, as the programs take it.
func (p *pki) path(name, kind string) string { return filepath.Join(p.dir, name+"-"+kind) }

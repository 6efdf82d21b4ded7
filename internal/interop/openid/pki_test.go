package openid

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"time"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// A pki is made anew: the programs have the clock of the machine. It is a day old, since a test goes back some hours.
type pki struct {
	dir      string
	from, to time.Time
	keys     map[string]crypto.Signer
	ders     map[string][]byte
	roots    *x509.CertPool // of the servers
	failed   error
}

// igc are the names above those of the authorities of the French health PKI.
var igc = []string{"C", "FR", "O", "ASIP-SANTE", "OU", "0002 187512751", "OU", "IGC-SANTE", "CN"}

func newPKI(dir string) (*pki, error) {
	p := &pki{dir: dir, from: time.Now().Add(-24 * time.Hour).Truncate(time.Second), keys: map[string]crypto.Signer{}, ders: map[string][]byte{},
		roots: x509.NewCertPool()}
	p.to = p.from.Add(30 * 24 * time.Hour)
	p.failed = os.MkdirAll(filepath.Join(dir, "crl"), 0o700)
	citizens := p.authority("citizen-ca", nil, "C", "BE", "CN", "TEST Citizen CA", "serialNumber", "202601")
	root := p.authority("igc-root", nil, append(igc, "AC RACINE IGC-SANTE ELEMENTAIRE")...)
	organisations := p.authority("igc-org", root, append(igc, "AC IGC-SANTE ELEMENTAIRE ORGANISATIONS")...)
	servers := p.authority("server-root", nil, "C", "FR", "O", "TEST", "CN", "TEST server root")
	if p.failed != nil {
		return p, p.failed
	}
	certificate, err := x509.ParseCertificate(servers.DER())
	if err != nil {
		return p, err
	}
	p.roots.AddCert(certificate)
	p.leaf("server", servers, minipki.TLSServer("localhost", "127.0.0.1"), minipki.P256)
	p.leaf("alice", citizens, minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Exemple", SSIN: testpki.AliceSSIN}), minipki.P256)
	// A stranger to the house, with a card as good as hers.
	p.leaf("stranger", citizens, minipki.EID(minipki.Person{GivenNames: "Bob Test", Surname: "Inconnu", SSIN: testpki.BobSSIN}), minipki.P256)
	for name, cn := range map[string]string{"structure": "PSC-TEST", "other": "ANOTHER-TEST"} {
		p.leaf(name, organisations, minipki.Template{
			Subject:  minipki.DN("C", "FR", "ST", "Ain (01)", "O", "CENTRE DE SANTE TEST", "OU", "1750712184", "CN", cn),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []string{minipki.ClientAuth},
		}, minipki.RSA2048)
	}
	p.leaf("sts", p.authority("ehealth-ca", nil, "C", "BE", "O", "TEST TSP", "serialNumber", "001", "CN", "TEST eHealth issuing CA 001"),
		minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "EXAMPLE PLATFORM", Application: testpki.ServiceID}), minipki.RSA2048)
	// The wallet's world: who signs attestations, another of the same authority, and how we are known to wallets.
	attestations := p.authority("attestations", nil, "C", "FR", "O", "TEST", "CN", "TEST attestation root")
	for name, cn := range map[string]string{"ordre": "TEST Ordre", "other-ordre": "TEST another"} {
		p.leaf(name, attestations, minipki.Template{Subject: minipki.DN("C", "FR", "O", "Ordre", "CN", cn), KeyUsage: x509.KeyUsageDigitalSignature}, minipki.P256)
	}
	p.leaf("access", p.authority("access-ca", nil, "C", "FR", "O", "TEST", "CN", "TEST access root"),
		minipki.Template{Subject: minipki.DN("C", "FR", "O", "Hôpital Exemple", "CN", "Hôpital Exemple"), KeyUsage: x509.KeyUsageDigitalSignature}, minipki.P256)
	// One that nobody issued: its key is registered.
	own := p.authority("self", nil, "CN", "a client of its own")
	if p.failed == nil {
		p.failed = p.keep("self", own.Key(), own.DER())
	}
	for name, kind := range map[string]minipki.KeyKind{"rs256": minipki.RSA2048, "ps256": minipki.RSA2048, "es256": minipki.P256, "client-ec": minipki.P256, "client-rsa": minipki.RSA2048} {
		p.keep(name, p.key(kind))
	}
	return p, p.failed
}

// structureDN is the subject of the client certificate, as a registration writes it.
const structureDN = `CN=PSC-TEST,OU=1750712184,O=CENTRE DE SANTE TEST,ST=Ain (01),C=FR`

func (p *pki) key(kind minipki.KeyKind) crypto.Signer {
	key, err := minipki.GenerateKey(kind)
	p.failed = errors.Join(p.failed, err)
	return key
}

func (p *pki) authority(name string, above *minipki.Authority, names ...string) *minipki.Authority {
	key := p.key(minipki.P256)
	if p.failed != nil {
		return nil
	}
	template := minipki.CA(minipki.DN(names...), p.from, p.to)
	var a *minipki.Authority
	if above == nil {
		a, p.failed = minipki.NewRoot(template, key)
	} else {
		a, p.failed = above.Subordinate(template, key)
	}
	if p.failed != nil {
		return nil
	}
	crl, err := a.CRL(minipki.CRL{Number: 1, ThisUpdate: p.from, NextUpdate: p.to})
	p.failed = errors.Join(err, p.write(name+".pem", minipki.CertificatePEM(a.DER())), p.write(filepath.Join("crl", name+".crl"), minipki.CRLPEM(crl)))
	return a
}

func (p *pki) leaf(name string, issuer *minipki.Authority, t minipki.Template, kind minipki.KeyKind) {
	key := p.key(kind)
	if p.failed != nil {
		return
	}
	der, err := issuer.Issue(t, key.Public())
	if err != nil {
		p.failed = err
		return
	}
	p.failed = p.keep(name, key, der, issuer.DER())
}

// keep writes NAME.key and, with certificates, NAME.pem.
func (p *pki) keep(name string, key crypto.Signer, ders ...[]byte) error {
	if p.failed != nil {
		return p.failed
	}
	text, err := minipki.KeyPEM(key)
	p.failed = errors.Join(err, p.write(name+".key", text))
	p.keys[name] = key
	if len(ders) > 0 {
		p.ders[name] = ders[0]
		p.failed = errors.Join(p.failed, p.write(name+".pem", minipki.CertificatePEM(ders...)))
	}
	return p.failed
}

func (p *pki) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(p.dir, name), content, 0o600)
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) pair(name string) tls.Certificate {
	pair, err := tls.LoadX509KeyPair(p.path(name+".pem"), p.path(name+".key"))
	if err != nil {
		panic(err) // it was written by us
	}
	return pair
}

package testpki

import (
	"crypto"
	"crypto/x509"
	"math/big"
	"sync"
	"time"

	"sceau/internal/minipki"
)

// Now is the clock of the tests: 2026-11-21T20:00:00Z, always.
func Now() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC) }

// NotBefore and NotAfter are the validity of whatever does not say otherwise.
func NotBefore() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// NotAfter is the end of that validity.
func NotAfter() time.Time { return time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC) }

// revokedAt is when Dave's certificates were revoked and Erin's ended.
func revokedAt() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

// Leaf is an end-entity certificate with its private key.
type Leaf struct {
	DER    []byte
	Key    crypto.Signer
	Issuer *minipki.Authority
}

// X509 parses the certificate.
func (l *Leaf) X509() *x509.Certificate {
	c, err := x509.ParseCertificate(l.DER)
	must(err)
	return c
}

// CertificatePEM gives the certificate alone, as a file holds it.
func (l *Leaf) CertificatePEM() []byte { return minipki.CertificatePEM(l.DER) }

// KeyPEM gives the private key as PKCS #8.
func (l *Leaf) KeyPEM() []byte {
	out, err := minipki.KeyPEM(l.Key)
	must(err)
	return out
}

// PKI is the whole. The package comment says what each field is. It is read-only.
type PKI struct {
	CitizenRoot, CitizenCA     *minipki.Authority
	ForeignerRoot, ForeignerCA *minipki.Authority
	EHealthRoot, EHealthCA     *minipki.Authority
	StrangerCA                 *minipki.Authority

	AliceEID, AliceEIDP256, AliceEIDP384             Leaf
	BobEID, FrankEID                                 Leaf
	AliceEHealth, AliceEHealthP256, AliceEHealthP384 Leaf
	BobEHealth, Hospital, Organisation, Application  Leaf
	STS, STSP256, Server                             Leaf
	RevokedEID, RevokedEHealth                       Leaf
	ExpiredEID, ExpiredEHealth, FutureEID            Leaf
	StrangerEID                                      Leaf

	keys keyring
}

// load makes the PKI once a process: some forty signatures.
var load = sync.OnceValue(build)

// Load gives the PKI. It panics when its own keys cannot be read.
func Load() *PKI { return load() }

func must(err error) {
	if err != nil {
		panic("testpki: " + err.Error())
	}
}

func build() *PKI {
	p := &PKI{keys: loadKeys()}
	p.CitizenRoot = p.root("citizen-root.rsa2048", "C", "BE", "CN", "TEST Belgium Root CA")
	p.CitizenCA = p.under(p.CitizenRoot, "citizen-ca.rsa2048", "C", "BE", "CN", "TEST Citizen CA", "serialNumber", "202601")
	p.ForeignerRoot = p.root("foreigner-root.p384", "C", "BE", "CN", "TEST Belgium Root CA EC")
	p.ForeignerCA = p.under(p.ForeignerRoot, "foreigner-ca.p384", "C", "BE", "CN", "TEST Foreigner CA", "serialNumber", "202602")
	p.EHealthRoot = p.root("ehealth-root.rsa2048", "C", "BE", "O", "TEST TSP", "CN", "TEST eHealth Root CA")
	p.EHealthCA = p.under(p.EHealthRoot, "ehealth-ca.rsa2048", "C", "BE", "O", "TEST TSP", "serialNumber", "001", "CN", "TEST eHealth issuing CA 001")
	p.StrangerCA = p.root("stranger-ca.rsa2048", "C", "BE", "CN", "TEST Citizen CA", "serialNumber", "202601")
	p.people()
	p.organisations()
	p.unfit()
	return p
}

func (p *PKI) people() {
	alice := minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: AliceSSIN}
	bob := minipki.Person{GivenNames: "Bob", Surname: "Sample", SSIN: BobSSIN}
	frank := minipki.Person{GivenNames: "Frank", Surname: "Müster", SSIN: FrankSSIN}
	p.AliceEID = p.leaf(p.CitizenCA, minipki.EID(alice), "alice-eid.rsa2048")
	p.AliceEIDP256 = p.leaf(p.CitizenCA, minipki.EID(alice), "alice-eid.p256")
	p.AliceEIDP384 = p.leaf(p.CitizenCA, minipki.EID(alice), "alice-eid.p384")
	p.BobEID = p.leaf(p.CitizenCA, minipki.EID(bob), "bob-eid.rsa2048")
	p.FrankEID = p.leaf(p.ForeignerCA, minipki.EID(frank), "frank-eid.p384")

	aliceHolder := minipki.Holder{Type: "SSIN", Value: AliceSSIN, Name: "ALICE EXAMPLE"}
	bobHolder := minipki.Holder{Type: "SSIN", Value: BobSSIN, Name: "BOB SAMPLE"}
	p.AliceEHealth = p.leaf(p.EHealthCA, minipki.EHealth(aliceHolder), "alice-ehealth.rsa2048")
	p.AliceEHealthP256 = p.leaf(p.EHealthCA, minipki.EHealth(aliceHolder), "alice-ehealth.p256")
	p.AliceEHealthP384 = p.leaf(p.EHealthCA, minipki.EHealth(aliceHolder), "alice-ehealth.p384")
	p.BobEHealth = p.leaf(p.EHealthCA, minipki.EHealth(bobHolder), "bob-ehealth.rsa2048")
}

func (p *PKI) organisations() {
	hospital := minipki.Holder{Type: "NIHII-HOSPITAL", Value: HospitalNIHII, Name: "EXAMPLE HOSPITAL"}
	organisation := minipki.Holder{Type: "CBE", Value: OrganisationCBE, Name: "EXAMPLE ORGANISATION"}
	application := organisation
	application.Application = ApplicationID
	service := minipki.Holder{Type: "CBE", Value: ServiceCBE, Name: "EXAMPLE PLATFORM", Application: ServiceID}
	p.Hospital = p.leaf(p.EHealthCA, minipki.EHealth(hospital), "hospital.rsa2048")
	p.Organisation = p.leaf(p.EHealthCA, minipki.EHealth(organisation), "organisation.rsa2048")
	p.Application = p.leaf(p.EHealthCA, minipki.EHealth(application), "organisation.p256")
	p.STS = p.leaf(p.EHealthCA, minipki.EHealth(service), "sts.rsa2048")
	p.STSP256 = p.leaf(p.EHealthCA, minipki.EHealth(service), "sts.p256")
	p.Server = p.leaf(p.EHealthRoot, minipki.TLSServer("localhost", "127.0.0.1", "::1"), "server.p256")
}

// unfit makes the leafs that a verifier must refuse.
func (p *PKI) unfit() {
	dave := minipki.Person{GivenNames: "Dave", Surname: "Revoked", SSIN: DaveSSIN}
	erin := minipki.Person{GivenNames: "Erin", Surname: "Expired", SSIN: ErinSSIN}
	alice := minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: AliceSSIN}
	p.RevokedEID = p.leaf(p.CitizenCA, minipki.EID(dave), "other.rsa2048")
	p.RevokedEHealth = p.leaf(p.EHealthCA, minipki.EHealth(minipki.Holder{Type: "SSIN", Value: DaveSSIN, Name: "DAVE REVOKED"}), "other.rsa2048")

	expired := minipki.EID(erin)
	expired.NotBefore, expired.NotAfter = NotBefore(), revokedAt()
	p.ExpiredEID = p.leaf(p.CitizenCA, expired, "other.p256")
	expired = minipki.EHealth(minipki.Holder{Type: "SSIN", Value: ErinSSIN, Name: "ERIN EXPIRED"})
	expired.NotBefore, expired.NotAfter = NotBefore(), revokedAt()
	p.ExpiredEHealth = p.leaf(p.EHealthCA, expired, "other.p256")

	future := minipki.EID(erin)
	future.NotBefore = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	p.FutureEID = p.leaf(p.CitizenCA, future, "other.p256")
	p.StrangerEID = p.leaf(p.StrangerCA, minipki.EID(alice), "alice-eid.rsa2048")
}

func (p *PKI) root(key string, dn ...string) *minipki.Authority {
	a, err := minipki.NewRoot(minipki.CA(minipki.DN(dn...), NotBefore(), NotAfter()), p.keys.key(key))
	must(err)
	return a
}

func (p *PKI) under(parent *minipki.Authority, key string, dn ...string) *minipki.Authority {
	a, err := parent.Subordinate(minipki.CA(minipki.DN(dn...), NotBefore(), NotAfter()), p.keys.key(key))
	must(err)
	return a
}

func (p *PKI) leaf(ca *minipki.Authority, t minipki.Template, key string) Leaf {
	return p.Issue(ca, t, p.keys.key(key))
}

// Issue makes one more leaf. Its serial number depends on what was issued
// before, unless the template says it.
func (p *PKI) Issue(ca *minipki.Authority, t minipki.Template, key crypto.Signer) Leaf {
	der, err := ca.Issue(t, key.Public())
	must(err)
	return Leaf{DER: der, Key: key, Issuer: ca}
}

// OtherKey gives an RSA-2048 key that no valid leaf has.
func (p *PKI) OtherKey() crypto.Signer { return p.keys.key("other.rsa2048") }

// OtherKeyP256 gives a P-256 key that no valid leaf has.
func (p *PKI) OtherKeyP256() crypto.Signer { return p.keys.key("other.p256") }

// Authorities gives all authorities that a test may trust, roots first.
func (p *PKI) Authorities() []*minipki.Authority {
	return []*minipki.Authority{p.CitizenRoot, p.ForeignerRoot, p.EHealthRoot, p.CitizenCA, p.ForeignerCA, p.EHealthCA}
}

// CRL makes the CRL of one authority: number 1, from 2026-11-21T00:00:00Z until
// 2036-01-01, with Dave's certificates where that authority issued them and the
// further serial numbers given.
func (p *PKI) CRL(ca *minipki.Authority, serials ...*big.Int) []byte {
	c := minipki.CRL{
		Number:     1,
		ThisUpdate: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
		NextUpdate: NotAfter(),
	}
	for _, l := range []*Leaf{&p.RevokedEID, &p.RevokedEHealth} {
		if l.Issuer == ca {
			serials = append(serials, l.X509().SerialNumber)
		}
	}
	for _, serial := range serials {
		c.Revoked = append(c.Revoked, minipki.Revoked{Serial: serial, At: revokedAt(), Reason: 1})
	}
	der, err := ca.CRL(c)
	must(err)
	return der
}

// CRLs gives the CRL of every authority of Authorities, in its order.
func (p *PKI) CRLs() [][]byte {
	var out [][]byte
	for _, ca := range p.Authorities() {
		out = append(out, p.CRL(ca))
	}
	return out
}

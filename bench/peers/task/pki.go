package task

import (
	"crypto"
	"time"

	"sceau/internal/minipki"
)

// A leaf is a certificate and its key.
type leaf struct {
	der []byte
	key crypto.Signer
}

// A pki is the authorities and certificates of one set.
type pki struct {
	citizenRoot, citizenCA *minipki.Authority
	ehealthRoot, ehealthCA *minipki.Authority
	eid, holder, sts       leaf

	// strangeEID and strangeHolder bear the names and keys of eid and holder, from
	// authorities of the trusted names but other keys.
	strangeEID, strangeHolder leaf
}

// newPKI makes keys and certificates, valid from an hour before now for a year.
func newPKI(s set, now time.Time) (*pki, error) {
	m := maker{from: now.Add(-time.Hour), until: now.AddDate(1, 0, 0)}
	roots := minipki.DN("C", "BE", "CN", "BENCH Belgium Root CA")
	citizens := minipki.DN("C", "BE", "CN", "BENCH Citizen CA", "serialNumber", "202601")
	platformRoot := minipki.DN("C", "BE", "O", "BENCH TSP", "CN", "BENCH eHealth Root CA")
	platform := minipki.DN("C", "BE", "O", "BENCH TSP", "serialNumber", "001", "CN", "BENCH eHealth issuing CA 001")
	p := &pki{}
	p.citizenRoot, p.citizenCA = m.authorities(s.clients, roots, citizens)
	p.ehealthRoot, p.ehealthCA = m.authorities(s.clients, platformRoot, platform)
	_, strangeCitizens := m.authorities(s.clients, roots, citizens)
	_, strangePlatform := m.authorities(s.clients, platformRoot, platform)

	person := minipki.EID(minipki.Person{GivenNames: "Alice Bench", Surname: "Example", SSIN: ssin})
	person.Policies = []string{minipki.PolicyCitizenAuthCA4}
	holder := minipki.EHealth(minipki.Holder{Type: "SSIN", Value: ssin, Name: "ALICE EXAMPLE"})
	service := minipki.EHealth(minipki.Holder{Type: "CBE", Value: "0809394427", Name: "BENCH PLATFORM", Application: "SCEAU"})
	eidKey, holderKey := m.key(s.clients), m.key(s.clients)
	p.eid = m.leaf(p.citizenCA, person, eidKey)
	p.holder = m.leaf(p.ehealthCA, holder, holderKey)
	p.sts = m.leaf(p.ehealthCA, service, m.key(s.sts))
	p.strangeEID = m.leaf(strangeCitizens, person, eidKey)
	p.strangeHolder = m.leaf(strangePlatform, holder, holderKey)
	return p, m.failed
}

// authorities gives those that a verifier trusts, by the name of their files.
func (p *pki) authorities() map[string]*minipki.Authority {
	return map[string]*minipki.Authority{
		"citizen-root": p.citizenRoot, "citizen-ca": p.citizenCA, "ehealth-root": p.ehealthRoot, "ehealth-ca": p.ehealthCA,
	}
}

// A maker keeps the first error and does nothing after it.
type maker struct {
	from, until time.Time
	failed      error
}

func (m *maker) key(kind minipki.KeyKind) crypto.Signer {
	if m.failed != nil {
		return nil
	}
	var key crypto.Signer
	key, m.failed = minipki.GenerateKey(kind)
	return key
}

// authorities makes a root and an issuing authority under it.
func (m *maker) authorities(kind minipki.KeyKind, root, issuing minipki.Name) (top, under *minipki.Authority) {
	rootKey, key := m.key(kind), m.key(kind)
	if m.failed != nil {
		return nil, nil
	}
	if top, m.failed = minipki.NewRoot(minipki.CA(root, m.from, m.until), rootKey); m.failed != nil {
		return nil, nil
	}
	under, m.failed = top.Subordinate(minipki.CA(issuing, m.from, m.until), key)
	return top, under
}

func (m *maker) leaf(issuer *minipki.Authority, t minipki.Template, key crypto.Signer) leaf {
	if m.failed != nil {
		return leaf{}
	}
	l := leaf{key: key}
	l.der, m.failed = issuer.Issue(t, key.Public())
	return l
}

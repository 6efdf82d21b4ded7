package message

import (
	"crypto"
	"errors"
	"fmt"
	"time"

	"sceau/internal/minipki"
)

// A KeyType names a kind of key.
type KeyType string

// The key types of consumers. The service signs with RSA-2048 or P-256.
const (
	RSA2048 KeyType = "RSA-2048"
	P256    KeyType = "P-256"
	P384    KeyType = "P-384"
)

// kind returns the kind of key to be made.
func (k KeyType) kind() (minipki.KeyKind, error) {
	switch k {
	case RSA2048:
		return minipki.RSA2048, nil
	case P256:
		return minipki.P256, nil
	case P384:
		return minipki.P384, nil
	}
	return 0, fmt.Errorf("message: no key type %q: %s, %s or %s", string(k), RSA2048, P256, P384)
}

// A Profile describes consumers that are alike.
type Profile struct {
	// Identity is the key of the eID that signs messages.
	Identity KeyType `json:"identity"`
	// Holder is the key of the eHealth certificate that assertions are bound to; empty:
	// there is none, the eID holds them itself.
	Holder KeyType `json:"holder,omitempty"`
	// AlwaysSignInner signs the samlp:Request also where one certificate does both; with
	// two it is signed anyway (wire document 2.2).
	AlwaysSignInner bool `json:"always_sign_inner,omitempty"`
	// Weight says how often messages are made for these consumers.
	Weight int `json:"weight"`
	// Consumers is how many there are.
	Consumers int `json:"consumers"`
}

// PKIConfig says which PKI NewPKI makes.
type PKIConfig struct {
	Profiles []Profile
	// Keys is how many different keys of one type consumers share in one part (identity
	// or holder): making RSA keys takes long, and to a server only certificates must
	// differ. Zero gives every certificate its own.
	Keys int
	// Hosts are the names and addresses of the server in its TLS certificate; nil is
	// localhost, 127.0.0.1 and ::1.
	Hosts []string
	// From and Until bound the validity of all certificates and CRLs; zero is an hour ago
	// and a year from then.
	From, Until time.Time
	// Wire is what the registry and the rules are written for; nil is DefaultWire.
	Wire *Wire
	// Progress, unless nil, is told how many keys and certificates are made.
	Progress func(done, total int)
}

const maxConsumers = 1_000_000

func (c *PKIConfig) fill() error {
	if c.From.IsZero() {
		c.From = time.Now().Add(-time.Hour)
	}
	if c.Until.IsZero() {
		c.Until = c.From.AddDate(1, 0, 0)
	}
	c.From, c.Until = c.From.UTC().Truncate(time.Second), c.Until.UTC().Truncate(time.Second)
	if c.Hosts == nil {
		c.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	if c.Wire == nil {
		wire := DefaultWire()
		c.Wire = &wire
	}
	switch {
	case !c.From.Before(c.Until):
		return errors.New("message: pki: it ends before it begins")
	case c.Keys < 0:
		return errors.New("message: pki: keys must not be negative")
	case len(c.Hosts) == 0:
		return errors.New("message: pki: no host")
	}
	if err := c.Wire.check(); err != nil {
		return err
	}
	return checkProfiles(c.Profiles)
}

func checkProfiles(profiles []Profile) error {
	total := 0
	var weights []int
	for i, p := range profiles {
		if _, err := p.Identity.kind(); err != nil {
			return fmt.Errorf("profile %d: identity: %w", i+1, err)
		}
		if _, err := p.Holder.kind(); p.Holder != "" && err != nil {
			return fmt.Errorf("profile %d: holder: %w", i+1, err)
		}
		if p.Consumers <= 0 || p.Consumers > maxConsumers-total {
			return fmt.Errorf("message: profile %d: consumers: one at least, and %d in all at most", i+1, maxConsumers)
		}
		total += p.Consumers
		weights = append(weights, p.Weight)
	}
	if _, err := newDraw(weights); err != nil {
		return fmt.Errorf("message: profiles: %w", err)
	}
	return nil
}

// authorities are the certification authorities, in the shape of section 6 of the wire
// document, and one for TLS.
type authorities struct {
	citizenRoot, citizens, ehealthRoot, ehealth, tls *minipki.Authority
}

// The keys of the authorities, in the order in which they are kept. Roots are P-384 and
// issuing authorities RSA-2048, as in the field; TLS is ours alone.
var authorityKeys = []minipki.KeyKind{minipki.P384, minipki.RSA2048, minipki.P384, minipki.RSA2048, minipki.P256}

// newAuthorities makes the authorities of five keys. From the same keys and times it makes
// the same authorities.
func newAuthorities(keys []crypto.Signer, from, until time.Time) (*authorities, error) {
	if len(keys) != len(authorityKeys) {
		return nil, fmt.Errorf("message: pki: %d keys of authorities instead of %d", len(keys), len(authorityKeys))
	}
	var a authorities
	var err error
	if a.citizenRoot, err = minipki.NewRoot(minipki.CA(minipki.DN("C", "BE", "CN", "LOAD Belgium Root CA"), from, until), keys[0]); err != nil {
		return nil, err
	}
	citizens := minipki.DN("C", "BE", "CN", "LOAD Citizen CA", "serialNumber", "202601")
	if a.citizens, err = a.citizenRoot.Subordinate(minipki.CA(citizens, from, until), keys[1]); err != nil {
		return nil, err
	}
	if a.ehealthRoot, err = minipki.NewRoot(minipki.CA(minipki.DN("C", "BE", "O", "LOAD TSP", "CN", "LOAD TSP Root CA"), from, until), keys[2]); err != nil {
		return nil, err
	}
	ehealth := minipki.DN("C", "BE", "O", "LOAD TSP", "serialNumber", "001", "CN", "LOAD eHealth issuing CA 001")
	if a.ehealth, err = a.ehealthRoot.Subordinate(minipki.CA(ehealth, from, until), keys[3]); err != nil {
		return nil, err
	}
	if a.tls, err = minipki.NewRoot(minipki.CA(minipki.DN("CN", "LOAD TLS CA"), from, until), keys[4]); err != nil {
		return nil, err
	}
	return &a, nil
}

// eid is the certificate of a person: alias, a word of letters and digits, makes its
// subject another than that of the person's other certificates.
func eid(p person, alias string) minipki.Template {
	t := minipki.EID(minipki.Person{GivenNames: "Load " + alias, Surname: "Example", SSIN: p.SSIN})
	t.Policies = []string{minipki.PolicyCitizenAuthCA4}
	return t
}

// software is the eHealth certificate of a person's software.
func software(p person, alias string) minipki.Template {
	return minipki.EHealth(minipki.Holder{Type: "SSIN", Value: p.SSIN, Name: "LOAD " + alias})
}

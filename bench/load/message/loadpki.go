package message

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sceau/certs"
)

// keptConfig is what NewPKI was told, as it is kept.
type keptConfig struct {
	Profiles []Profile `json:"profiles"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Wire     Wire      `json:"wire"`
}

// A PKI is the authorities and consumers of a load run, and the folder with all that sets a
// server up for them. NewPKI and LoadPKI make it; it is immutable and safe for concurrent
// use.
type PKI struct {
	dir         string
	config      keptConfig
	fingerprint string
	*authorities
	consumers []*consumer
	first     []int // by profile: its first consumer
	signers   [][]byte
}

// LoadPKI reads the folder that NewPKI wrote.
func LoadPKI(dir string) (*PKI, error) { return loadPKI(context.Background(), dir) }

func loadPKI(ctx context.Context, dir string) (*PKI, error) {
	text, err := os.ReadFile(filepath.Join(dir, fileKept))
	if err != nil {
		return nil, fmt.Errorf("message: pki: %w", err)
	}
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, fmt.Errorf("message: pki: %s: %w", fileKept, err)
	}
	if k.Version != keptVersion {
		return nil, fmt.Errorf("message: pki: %s has version %d, and this program reads %d: make the PKI anew", fileKept, k.Version, keptVersion)
	}
	sum := sha256.Sum256(text)
	p := &PKI{dir: dir, config: k.Config, fingerprint: hex.EncodeToString(sum[:])}
	if err := errors.Join(p.config.Wire.check(), checkProfiles(p.config.Profiles)); err != nil {
		return nil, err
	}
	keys, err := parseKeys(ctx, k.Authorities)
	if err != nil {
		return nil, err
	}
	if p.authorities, err = newAuthorities(keys, k.Config.From, k.Config.Until); err != nil {
		return nil, err
	}
	if err := p.readConsumers(ctx, &k); err != nil {
		return nil, err
	}
	for _, key := range []KeyType{RSA2048, P256} {
		name, _ := signerFile(key) // both are known
		ders, err := certs.ReadCertificates(filepath.Join(dir, folderPKI, name+".pem"))
		if err != nil {
			return nil, fmt.Errorf("message: pki: %w", err)
		}
		p.signers = append(p.signers, ders[0])
	}
	return p, nil
}

func parseKeys(ctx context.Context, ders [][]byte) ([]crypto.Signer, error) {
	keys := make([]crypto.Signer, len(ders))
	err := parallel(ctx, len(ders), nil, func(i int) error {
		key, err := x509.ParsePKCS8PrivateKey(ders[i])
		if err != nil {
			return fmt.Errorf("message: pki: key %d: %w", i+1, err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return fmt.Errorf("message: pki: key %d does not sign", i+1)
		}
		keys[i] = signer
		return nil
	})
	return keys, err
}

// readConsumers makes the consumers, and finds where each profile begins.
func (p *PKI) readConsumers(ctx context.Context, k *kept) error {
	keys, err := parseKeys(ctx, k.Keys)
	if err != nil {
		return err
	}
	next := 0
	for i, profile := range p.config.Profiles {
		p.first = append(p.first, next)
		for range profile.Consumers {
			if next == len(k.Consumers) || k.Consumers[next].Profile != i {
				return fmt.Errorf("message: pki: %s: the consumers are not those of the profiles", fileKept)
			}
			next++
		}
	}
	if next != len(k.Consumers) {
		return fmt.Errorf("message: pki: %s: more consumers than the profiles have", fileKept)
	}
	p.consumers = make([]*consumer, len(k.Consumers))
	return parallel(ctx, len(k.Consumers), nil, func(i int) error {
		c := &k.Consumers[i]
		if min(c.IdentityKey, c.HolderKey) < 0 || max(c.IdentityKey, c.HolderKey) >= len(keys) {
			return fmt.Errorf("message: pki: consumer %d has a key that is not there", i+1)
		}
		made, err := p.consumer(&consumer{number: i, person: c.Person, profile: c.Profile,
			identityKey: keys[c.IdentityKey], holderKey: keys[c.HolderKey]}, c.Identity, c.Holder)
		if err != nil {
			return fmt.Errorf("message: pki: consumer %d: %w", i+1, err)
		}
		p.consumers[i] = made
		return nil
	})
}

// Dir returns the folder.
func (p *PKI) Dir() string { return p.dir }

// Fingerprint identifies the PKI.
func (p *PKI) Fingerprint() string { return p.fingerprint }

// Wire returns what the PKI was made for. It must not be altered.
func (p *PKI) Wire() Wire { return p.config.Wire }

// Profiles returns the profiles of the consumers. They must not be altered.
func (p *PKI) Profiles() []Profile { return p.config.Profiles }

// Consumers is how many consumers there are.
func (p *PKI) Consumers() int { return len(p.consumers) }

// ClientTLS returns how to connect to the server of the PKI: its authority alone trusted, and
// with a certificate of the client when mutual. MinVersion is TLS 1.3; the configuration is the
// caller's own, who lowers MinVersion (tls.VersionTLS12) where the server under test is older.
func (p *PKI) ClientTLS(mutual bool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	root, err := x509.ParseCertificate(p.tls.DER())
	if err != nil {
		return nil, fmt.Errorf("message: pki: %w", err)
	}
	config.RootCAs.AddCert(root)
	if mutual {
		path := filepath.Join(p.dir, folderPKI, "tls-client")
		own, err := tls.LoadX509KeyPair(path+".pem", path+".key")
		if err != nil {
			return nil, fmt.Errorf("message: pki: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

// signerFile is the name of the files of a signing key of the service.
func signerFile(key KeyType) (string, error) {
	switch key {
	case RSA2048, "":
		return "sts-rsa", nil
	case P256:
		return "sts-p256", nil
	}
	return "", fmt.Errorf("message: no signing key %q: %s or %s", string(key), RSA2048, P256)
}

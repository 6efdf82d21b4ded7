package message

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"sceau/internal/minipki"
)

// The folder of a PKI.
const (
	fileKept     = "consumers.json" // the consumers with their keys, and the keys of the authorities
	filePolicy   = "policy.yaml"
	fileRegistry = "registry.csv"
	fileServer   = "stsd.yaml"
	folderPKI    = "pki"
	folderCRL    = "crl" // in pki
)

// keptVersion is the version of fileKept.
const keptVersion = 1

// kept is fileKept.
type kept struct {
	Version     int            `json:"version"`
	Config      keptConfig     `json:"config"`
	Authorities [][]byte       `json:"authorities"` // their keys, PKCS #8
	Keys        [][]byte       `json:"keys"`        // of consumers, PKCS #8
	Consumers   []keptConsumer `json:"consumers"`
}

type keptConsumer struct {
	Person      person `json:"person"`
	Profile     int    `json:"profile"`
	IdentityKey int    `json:"identity_key"`
	HolderKey   int    `json:"holder_key"`
	Identity    []byte `json:"identity"`         // DER
	Holder      []byte `json:"holder,omitempty"` // DER; nothing: the identity
}

// NewPKI makes a PKI with consumers and writes it to a folder, which must be empty or not
// be there: certificates, keys and CRLs below pki, the facts about all consumers as
// registry.csv, the rules that permit what they ask as policy.yaml, and a configuration
// with which stsd serves them on 127.0.0.1:8080 as stsd.yaml. Keys of RSA take a tenth of a
// second each and more; they are made on all processors. When ctx ends, NewPKI does, too, after
// the keys that are being made. With an error nothing of it is left in the folder, and no folder
// that was not there before.
func NewPKI(ctx context.Context, dir string, config PKIConfig) (*PKI, error) {
	if err := config.fill(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return nil, fmt.Errorf("message: pki: %w", err)
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("message: pki: %s is not empty, and nothing is overwritten: give another folder, or load the PKI in it", dir)
	}
	p, err := newPKI(ctx, dir, &config)
	if err != nil {
		return nil, errors.Join(err, discard(dir, absent))
	}
	return p, nil
}

// newPKI makes the PKI in a folder that holds nothing.
func newPKI(ctx context.Context, dir string, config *PKIConfig) (*PKI, error) {
	if err := os.MkdirAll(filepath.Join(dir, folderPKI, folderCRL), 0o700); err != nil {
		return nil, fmt.Errorf("message: pki: %w", err)
	}
	m := &making{config: config, dir: dir}
	if err := m.make(ctx); err != nil {
		return nil, err
	}
	p, err := loadPKI(ctx, dir)
	if err != nil {
		return nil, err
	}
	text, err := p.ServerConfig(ServerOptions{Address: "127.0.0.1:8080", Admin: "127.0.0.1:9090"})
	if err != nil {
		return nil, err
	}
	w := writer{dir: dir}
	w.write(fileServer, []byte(text), 0o600)
	return p, w.err
}

// discard removes what newPKI has written, and the folder, too, when NewPKI made it.
func discard(dir string, folder bool) error {
	var err error
	for _, name := range []string{folderPKI, fileKept, filePolicy, fileRegistry, fileServer} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
	}
	if folder {
		if gone := os.Remove(dir); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// A making is a PKI on its way to the folder.
type making struct {
	config *PKIConfig
	dir    string

	kinds []minipki.KeyKind // of keys: first those of serverLeaves and authorities
	keys  []crypto.Signer

	consumers []keptConsumer // their keys are indices of keys
	*authorities
}

// serverLeaf is a certificate of the server or of its clients' TLS.
type serverLeaf struct {
	name string
	kind minipki.KeyKind
}

var serverLeaves = []serverLeaf{
	{"sts-rsa", minipki.RSA2048}, {"sts-p256", minipki.P256}, {"tls-server", minipki.P256}, {"tls-client", minipki.P256},
}

func (m *making) make(ctx context.Context) error {
	m.plan()
	if err := m.generate(ctx); err != nil {
		return err
	}
	authority := len(serverLeaves)
	var err error
	if m.authorities, err = newAuthorities(m.keys[authority:authority+len(authorityKeys)], m.config.From, m.config.Until); err != nil {
		return err
	}
	if err := m.issue(ctx); err != nil {
		return err
	}
	if err := m.writeServer(); err != nil {
		return err
	}
	return m.writeConsumers()
}

// plan says which keys there are and who has which.
func (m *making) plan() {
	for _, leaf := range serverLeaves {
		m.kinds = append(m.kinds, leaf.kind)
	}
	m.kinds = append(m.kinds, authorityKeys...)
	type part struct {
		kind     KeyType
		identity bool
	}
	pools, users := map[part][]int{}, map[part]int{}
	key := func(p part) int {
		pool := pools[p]
		if n := m.config.Keys; n == 0 || len(pool) < n {
			kind, _ := p.kind.kind() // fill has checked it
			pool = append(pool, len(m.kinds))
			pools[p] = pool
			m.kinds = append(m.kinds, kind)
		}
		users[p]++
		return pool[(users[p]-1)%len(pool)]
	}
	for i, profile := range m.config.Profiles {
		for range profile.Consumers {
			c := keptConsumer{Person: personAt(len(m.consumers)), Profile: i, IdentityKey: key(part{profile.Identity, true})}
			c.HolderKey = c.IdentityKey
			if profile.Holder != "" {
				c.HolderKey = key(part{profile.Holder, false})
			}
			m.consumers = append(m.consumers, c)
		}
	}
}

// progress counts keys and then consumers.
func (m *making) progress(before int) func(done, total int) {
	if m.config.Progress == nil {
		return nil
	}
	return func(done, _ int) { m.config.Progress(before+done, len(m.kinds)+len(m.consumers)) }
}

func (m *making) generate(ctx context.Context) error {
	m.keys = make([]crypto.Signer, len(m.kinds))
	return parallel(ctx, len(m.kinds), m.progress(0), func(i int) (err error) {
		m.keys[i], err = minipki.GenerateKey(m.kinds[i])
		return err
	})
}

// issue issues the certificates of all consumers.
func (m *making) issue(ctx context.Context) error {
	return parallel(ctx, len(m.consumers), m.progress(len(m.kinds)), func(i int) (err error) {
		c, alias := &m.consumers[i], strconv.Itoa(i+1)
		if c.Identity, err = m.citizens.Issue(eid(c.Person, alias), m.keys[c.IdentityKey].Public()); err != nil {
			return err
		}
		if m.config.Profiles[c.Profile].Holder != "" {
			c.Holder, err = m.ehealth.Issue(software(c.Person, alias), m.keys[c.HolderKey].Public())
		}
		return err
	})
}

// writeServer writes what a server needs: authorities, CRLs, its keys, facts and rules.
func (m *making) writeServer() error {
	w := writer{dir: filepath.Join(m.dir, folderPKI)}
	for name, a := range map[string]*minipki.Authority{"citizen-root": m.citizenRoot, "citizen-ca": m.citizens,
		"ehealth-root": m.ehealthRoot, "ehealth-ca": m.ehealth} {
		w.write(name+".pem", minipki.CertificatePEM(a.DER()), 0o644)
		crl, err := a.CRL(minipki.CRL{Number: 1, ThisUpdate: m.config.From, NextUpdate: m.config.Until})
		w.note(err)
		w.write(filepath.Join(folderCRL, name+".crl"), minipki.CRLPEM(crl), 0o644)
	}
	w.write("tls-ca.pem", minipki.CertificatePEM(m.tls.DER()), 0o644)
	service := minipki.EHealth(minipki.Holder{Type: "CBE", Value: "0809394427", Name: "LOAD PLATFORM", Application: "SCEAU"})
	client := minipki.Template{Subject: minipki.DN("CN", "load"), ExtKeyUsage: []string{minipki.ClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	for i, issued := range []struct {
		by *minipki.Authority
		as minipki.Template
	}{{m.ehealth, service}, {m.ehealth, service}, {m.tls, minipki.TLSServer(m.config.Hosts...)}, {m.tls, client}} {
		name, key := serverLeaves[i].name, m.keys[i]
		der, err := issued.by.Issue(issued.as, key.Public())
		w.note(err)
		text, err := minipki.KeyPEM(key)
		w.note(err)
		w.write(name+".pem", minipki.CertificatePEM(der, issued.by.DER()), 0o644)
		w.write(name+".key", text, 0o600)
	}
	w.dir = m.dir
	people := min(len(m.consumers), persons)
	w.write(fileRegistry, registryCSV(m.config.Wire, people), 0o644)
	w.write(filePolicy, policyYAML(m.config.Wire), 0o644)
	return w.err
}

// writeConsumers writes fileKept, last: what has it is whole.
func (m *making) writeConsumers() error {
	authority := len(serverLeaves)
	first := authority + len(authorityKeys) // key of a consumer
	k := kept{Version: keptVersion, Config: keptConfig{Profiles: m.config.Profiles, From: m.config.From, Until: m.config.Until, Wire: *m.config.Wire}}
	for i, key := range m.keys[authority:] {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("message: pki: %w", err)
		}
		if i < len(authorityKeys) {
			k.Authorities = append(k.Authorities, der)
		} else {
			k.Keys = append(k.Keys, der)
		}
	}
	for _, c := range m.consumers {
		c.IdentityKey, c.HolderKey = c.IdentityKey-first, c.HolderKey-first
		k.Consumers = append(k.Consumers, c)
	}
	text, err := json.Marshal(&k)
	if err != nil {
		return fmt.Errorf("message: pki: %w", err)
	}
	w := writer{dir: m.dir}
	w.write(fileKept, text, 0o600)
	return w.err
}

// A writer writes files to a folder until something fails.
type writer struct {
	dir string
	err error
}

func (w *writer) note(err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("message: pki: %w", err)
	}
}

func (w *writer) write(name string, content []byte, mode os.FileMode) {
	if w.err == nil {
		w.note(os.WriteFile(filepath.Join(w.dir, name), content, mode))
	}
}

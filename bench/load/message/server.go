package message

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"time"

	"sceau/attrs"
)

// A TLSMode says how the server of a PKI is reached.
type TLSMode string

// The modes. The zero TLSMode is PlainHTTP.
const (
	PlainHTTP TLSMode = "none"
	ServerTLS TLSMode = "server" // the server has a certificate
	MutualTLS TLSMode = "mutual" // and asks its clients for one
)

// ServerOptions say how stsd is to serve a PKI. What is zero is left to stsd, but for the
// Address, which must be said.
type ServerOptions struct {
	Address string
	Admin   string // empty: none
	// SigningKey signs assertions: RSA2048 (also when empty) or P256.
	SigningKey KeyType
	TLS        TLSMode
	// TestClock is where the server's clock stands still, for messages that were made for an
	// agreed moment; stsd admits it on loopback only.
	TestClock time.Time
	// Durability of the audit trail: "sync" or "relaxed 1s".
	Durability string
}

// ServerConfig returns the configuration of stsd, to stand in the folder of the PKI. The
// registry is to be imported before: stsd registry import registry.csv --db registry.db.
func (p *PKI) ServerConfig(o ServerOptions) (string, error) {
	signer, err := signerFile(o.SigningKey)
	if err != nil {
		return "", err
	}
	if o.Address == "" {
		return "", errors.New("message: server: no address")
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by the load generator for its own PKI.")
	line("listen:\n  - address: %q", o.Address)
	scheme := "https"
	switch o.TLS {
	case "", PlainHTTP:
		scheme = "http"
	case ServerTLS, MutualTLS:
		line("    certificate: pki/tls-server.pem\n    key: pki/tls-server.key")
		if o.TLS == MutualTLS {
			line("    client-authorities: [pki/tls-ca.pem]")
		}
	default:
		return "", fmt.Errorf("message: server: no TLS mode %q: %s, %s or %s", string(o.TLS), PlainHTTP, ServerTLS, MutualTLS)
	}
	line("admin: %q", o.Admin)
	line("issuer: %q", p.config.Wire.Issuer)
	line("environment: Test\npublic-url: %q", scheme+"://"+o.Address)
	line("signing:\n  key: pki/%s.key\n  certificate: pki/%s.pem", signer, signer)
	b.WriteString(serverTrust)
	line("registry:\n  file: registry.db\npolicy: %s\naudit:\n  dir: audit", filePolicy)
	if o.Durability != "" {
		line("  durability: %q", o.Durability)
	}
	if !o.TestClock.IsZero() {
		line("test-clock: %s", o.TestClock.UTC().Format(time.RFC3339Nano))
	}
	return b.String(), nil
}

const serverTrust = `trust:
  authorities:
    - {name: citizen-root, certificate: pki/citizen-root.pem}
    - {name: citizen-ca, certificate: pki/citizen-ca.pem}
    - {name: ehealth-root, certificate: pki/ehealth-root.pem}
    - {name: ehealth-ca, certificate: pki/ehealth-ca.pem}
  profiles:
    - {name: eID, kind: belgian-eid, role: identity, roots: [citizen-root], intermediates: [citizen-ca]}
    - {name: eID as holder, kind: belgian-eid, role: holder, roots: [citizen-root], intermediates: [citizen-ca]}
    - {name: eHealth, kind: ehealth, role: holder, roots: [ehealth-root], intermediates: [ehealth-ca]}
  crl-files: [pki/crl]
`

// registryCSV is what the authentic source knows of the first people: every value that is
// asked for and must be answered.
func registryCSV(w *Wire, people int) []byte {
	var b bytes.Buffer
	rows := csv.NewWriter(&b)
	rows.Write([]string{"subject_type", "subject", "attribute", "value", "not_before", "not_on_or_after"}) // into memory: cannot fail
	for i := range people {
		p := personAt(i)
		for _, a := range w.Asked {
			if value := a.value(p); value != "" && a.Namespace == attrs.NamespaceCertified {
				rows.Write([]string{"ssin", p.SSIN, a.Name, value, "", ""})
			}
		}
	}
	rows.Flush()
	return b.Bytes()
}

// policyYAML permits whoever has an eID what is asked for, beside rules that do not match.
func policyYAML(w *Wire) []byte {
	var b bytes.Buffer
	b.WriteString(`# Written by the load generator: what its consumers ask is permitted.
version: 1

profiles:
  LOAD:
    description: what the consumers of the load generator ask
    maximum-validity: 12h
    attributes:
`)
	attribute := func(d attrs.Designator) { fmt.Fprintf(&b, "      - {name: %q, namespace: %q}\n", d.Name, d.Namespace) }
	for _, d := range w.Identification {
		attribute(d)
	}
	for _, a := range w.Asked {
		attribute(a.Designator)
	}
	b.WriteString(`
rules:
  - id: care-providers
    description: whoever has an eID
    effect: permit
    identity: {kinds: [eid]}
    profiles: [LOAD]
  - id: lost-key
    description: a holder whose key was lost
    effect: deny
    holder: {identifiers: ["CBE=0999999130"]}
`)
	return b.Bytes()
}

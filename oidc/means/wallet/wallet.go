package wallet

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sceau/oidc/authn"
	"sceau/oidc/page"
	"sceau/oidc/sdjwt"
)

// Config is one verifier as a means.
type Config struct {
	// Issuer is the issuer identifier of the establishment, and Name that of the means in it: Answer is served at
	// Address(Issuer, Name) and below. Required.
	Issuer, Name string
	// Prefix says how wallets know us: PrefixHash or PrefixDNS. Required.
	Prefix string
	// Key signs request objects: P-256. Chain are its access certificate and what leads to its authority; one that issued itself is not sent
	// along. Required.
	Key   crypto.Signer
	Chain []*x509.Certificate
	// Scheme begins links to wallets: "openid4vp://" if empty; "haip-vp://", or an https address with a path, of one wallet's own.
	Scheme string

	// Verifier says which credentials are believed, and Types which are asked for (vct). Required.
	Verifier Verifier
	Types    []string
	// Identify is the claim that names the person, and Type that of the identifier that it is (authn.Identifier). Required.
	Identify Path
	Type     string
	// Attributes are claims, by the names of identification attributes that they become: texts, or lists of them. One that is not there is
	// no attribute.
	Attributes map[string]Path
	// References are what a presentation proves (RFC 8176). No value is registered for wallets: they are agreed with who relies on them.
	// Required.
	References []string

	// OtherDevice shows a QR code too.
	OtherDevice bool
	// Lifetime is how long a transaction waits for its answer; 5 min if zero, at most 15.
	Lifetime time.Duration
	// Store keeps transactions. Required.
	Store Store
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A Verifier verifies presentations; *sdjwt.Verifier is one.
type Verifier interface {
	Verify(ctx context.Context, presentation string, b sdjwt.Binding) (*sdjwt.Presented, error)
}

// Prefixes of client identifiers (OpenID4VP 5.9.3).
const (
	PrefixHash = "x509_hash"    // the digest of the access certificate
	PrefixDNS  = "x509_san_dns" // the host of the establishment, which is in the certificate
)

// A Path is the place of a claim in a credential: names, from the outside in.
type Path []string

// find is the claim at a path; nil where there is none.
func (p Path) find(claims map[string]any) any {
	var v any = claims
	for _, name := range p {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}

// Means is a verifier. New makes it; it is safe for concurrent use.
type Means struct {
	c        Config
	base     string // address of Answer
	clientID string
	x5c      []string
	query    json.RawMessage // DCQL
}

var _ authn.Means = (*Means)(nil)

var (
	goodName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62})$`)
	goodScheme = regexp.MustCompile(`^([a-z][a-z0-9+.-]{1,62}://|https://[^/?#]+/[^?#]*)$`)
)

// Address is where Answer is to be served.
func Address(issuer, name string) string { return strings.TrimSuffix(issuer, "/") + "/wallet/" + name }

// New checks a configuration.
func New(c Config) (*Means, error) {
	if c.Lifetime == 0 {
		c.Lifetime = 5 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Scheme == "" {
		c.Scheme = "openid4vp://"
	}
	switch {
	case !goodScheme.MatchString(c.Scheme) || c.Scheme == "https://" || !page.LeadsToWallet(c.Scheme+"authorize"):
		return nil, fmt.Errorf("wallet: %q begins no link to a wallet", c.Scheme)
	case !goodName.MatchString(c.Name):
		return nil, fmt.Errorf("wallet: %q is no name", c.Name)
	case c.Verifier == nil, c.Store == nil:
		return nil, errors.New("wallet: nobody verifies, or nothing keeps transactions")
	case len(c.Types) == 0 || slices.Contains(c.Types, ""):
		return nil, errors.New("wallet: no type of credentials is asked for")
	case len(c.References) == 0:
		return nil, errors.New("wallet: nothing says what a presentation proves")
	case c.Lifetime < 10*time.Second || c.Lifetime > 15*time.Minute:
		return nil, fmt.Errorf("wallet: %v is no time for which an answer is waited for (10 s to 15 min)", c.Lifetime)
	case c.Type == "" || strings.Contains(c.Type, " ") || slices.Contains([]string{"account", "passkey", "certificate"}, c.Type):
		return nil, fmt.Errorf("wallet: %q is no type of identifier that an attestation is of", c.Type)
	}
	m := &Means{c: c, base: Address(c.Issuer, c.Name)}
	m.c.References = slices.Clone(c.References)
	if err := m.identity(); err != nil {
		return nil, err
	}
	return m, m.ask()
}

// identity makes the client id, of the access certificate.
func (m *Means) identity() error {
	u, err := url.Parse(m.c.Issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return errors.New("wallet: the issuer is no https address")
	}
	if len(m.c.Chain) == 0 || m.c.Key == nil {
		return errors.New("wallet: no access certificate, or no key of it")
	}
	leaf := m.c.Chain[0]
	public, ok := m.c.Key.Public().(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return errors.New("wallet: the key of the access certificate is not on P-256 (HAIP: ES256)")
	}
	if !public.Equal(leaf.PublicKey) {
		return errors.New("wallet: the key is not that of the access certificate")
	}
	switch m.c.Prefix {
	case PrefixHash:
		sum := sha256.Sum256(leaf.Raw)
		m.clientID = PrefixHash + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
	case PrefixDNS:
		if !slices.Contains(leaf.DNSNames, u.Hostname()) {
			return fmt.Errorf("wallet: the access certificate does not name the host %q of the issuer", u.Hostname())
		}
		m.clientID = PrefixDNS + ":" + u.Hostname()
	default:
		return fmt.Errorf("wallet: client id %q is neither %s nor %s", m.c.Prefix, PrefixHash, PrefixDNS)
	}
	if selfIssued(leaf) {
		return errors.New("wallet: the access certificate is of no authority, and no wallet would know us by it")
	}
	for _, c := range m.c.Chain {
		if selfIssued(c) { // HAIP 5: without the anchor
			continue
		}
		m.x5c = append(m.x5c, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return nil
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// credential is the id of the one credential that is asked for.
const credential = "person"

// A claim is one that is asked for (DCQL, OpenID4VP 6.3).
type claim struct {
	ID   string `json:"id"`
	Path Path   `json:"path"`
}

// ask makes the query (DCQL, OpenID4VP 6): one credential, and of it no more than is needed. A wallet that has not all of the attributes is
// asked for the claim that names the person alone (claim_sets, in the order in which we would have them).
func (m *Means) ask() error {
	paths := []Path{m.c.Identify}
	for _, name := range slices.Sorted(maps.Keys(m.c.Attributes)) {
		paths = append(paths, m.c.Attributes[name])
	}
	var asked []claim
	var ids []string
	for _, p := range paths {
		if len(p) == 0 || slices.Contains(p, "") {
			return errors.New("wallet: a claim without a name")
		}
		if !slices.ContainsFunc(asked, func(c claim) bool { return slices.Equal(c.Path, p) }) {
			ids = append(ids, "c"+strconv.Itoa(len(asked)))
			asked = append(asked, claim{ids[len(asked)], p})
		}
	}
	query := map[string]any{"id": credential, "format": "dc+sd-jwt", "meta": map[string]any{"vct_values": m.c.Types}, "claims": asked}
	if len(ids) > 1 {
		query["claim_sets"] = [][]string{ids, ids[:1]}
	}
	var err error
	m.query, err = json.Marshal(map[string]any{"credentials": []any{query}})
	return err
}

// References implements authn.Means.
func (m *Means) References() []string { return slices.Clone(m.c.References) }

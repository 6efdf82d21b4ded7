package face

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"sceau/certs"
	"sceau/oidc"
	"sceau/oidc/client"
	"sceau/oidc/federation"
)

// A FederationConfig says how an establishment takes part in a federation (docs/federation.md).
type FederationConfig struct {
	// Anchors and what follows are about relying parties; none lets nobody in whom a federation vouches for.
	Anchors []struct {
		Entity string `yaml:"entity"`
		Keys   string `yaml:"keys"`
	} `yaml:"anchors"`
	RequiredTrustMarks []string                   `yaml:"required-trust-marks"`
	TrustMarkStatus    bool                       `yaml:"trust-mark-status"`
	Networks           []string                   `yaml:"networks"`
	CA                 []string                   `yaml:"ca"`
	Proxy              string                     `yaml:"proxy"`
	Believed           Duration                   `yaml:"believed"`
	Scopes             []string                   `yaml:"scopes"`
	Consent            string                     `yaml:"consent"`
	Session            client.SessionRegistration `yaml:"session"`
	Publish            *PublishConfig             `yaml:"publish"`
}

// A PublishConfig is what an establishment says of itself, and of those below it.
type PublishConfig struct {
	Keys []struct {
		File      string `yaml:"file"`
		Algorithm string `yaml:"algorithm"`
	} `yaml:"keys"`
	AuthorityHints   []string            `yaml:"authority-hints"`
	TrustAnchorHints []string            `yaml:"trust-anchor-hints"`
	TrustMarks       map[string]string   `yaml:"trust-marks"` // files, by type
	Lifetime         Duration            `yaml:"lifetime"`
	TrustMarkIssuers map[string][]string `yaml:"trust-mark-issuers"`
	Subordinates     []struct {
		Entity       string   `yaml:"entity"`
		Keys         string   `yaml:"keys"`
		Types        []string `yaml:"types"`
		Intermediate bool     `yaml:"intermediate"`
		Metadata     string   `yaml:"metadata"`
		Policy       string   `yaml:"policy"`
		Constraints  string   `yaml:"constraints"`
	} `yaml:"subordinates"`
}

// determining are the files that say who is trusted.
func (c *FederationConfig) determining() (names []string) {
	for _, a := range c.Anchors {
		names = append(names, a.Keys)
	}
	if c.Publish != nil {
		for _, s := range c.Publish.Subordinates {
			names = append(names, s.Keys, s.Metadata, s.Policy, s.Constraints)
		}
	}
	return names
}

// federation makes the part of an establishment in a federation.
func (f *Face) federation(c *Config, k *FederationConfig) (*oidc.Federation, error) {
	if len(k.Anchors) == 0 && k.Publish == nil {
		return nil, errors.New("neither anchors nor publish: the establishment takes part in none")
	}
	o := &oidc.Federation{Scopes: k.Scopes, Session: k.Session, Consent: k.Consent}
	var wrong, err error
	if o.Resolver, o.BackChannel, wrong = c.resolver(k, &f.shared); wrong == nil && k.Publish != nil {
		if o.Publish, err = c.publisher(k.Publish, o.Resolver); err != nil {
			wrong = fmt.Errorf("publish: %w", err)
		}
	}
	return o, wrong
}

// resolver makes what decides about relying parties, and by what they are contacted; nil without anchors.
func (c *Config) resolver(k *FederationConfig, s *Shared) (*federation.Resolver, *http.Client, error) {
	if len(k.Anchors) == 0 {
		if len(k.Scopes) > 0 || len(k.RequiredTrustMarks) > 0 {
			return nil, nil, errors.New("anchors: none, and scopes or trust marks of relying parties")
		}
		return nil, nil, nil
	}
	r := federation.Config{
		Anchors: map[string]federation.KeySet{}, TrustMarks: map[string][]string{"openid_relying_party": k.RequiredTrustMarks},
		TrustMarkStatus: k.TrustMarkStatus, Limits: federation.Limits{Lifetime: time.Duration(k.Believed)}, Log: s.Log, Now: s.Now,
	}
	for i, a := range k.Anchors {
		if _, twice := r.Anchors[a.Entity]; twice {
			return nil, nil, fmt.Errorf("anchors[%d]: %q stands twice", i, a.Entity)
		}
		keys, err := c.keySet(a.Keys)
		if err != nil {
			return nil, nil, fmt.Errorf("anchors[%d] (%s): keys: %w", i, a.Entity, err)
		}
		r.Anchors[a.Entity] = keys
	}
	guard := client.Guard{}
	for _, text := range k.Networks {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, nil, fmt.Errorf("networks: %w", err)
		}
		r.Networks = append(r.Networks, prefix)
	}
	guard.Allow = r.Networks
	if len(k.CA) > 0 {
		var err error
		if r.Roots, err = c.authorities(k.CA); err != nil {
			return nil, nil, fmt.Errorf("ca: %w", err)
		}
		guard.TLS = &tls.Config{RootCAs: r.Roots}
	}
	if k.Proxy != "" {
		u, err := url.Parse(k.Proxy)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, nil, fmt.Errorf("proxy: %q is no address of one", k.Proxy)
		}
		r.Proxy = u
	}
	made, err := federation.NewResolver(r)
	return made, client.NewHTTPClient(guard), err
}

// publisher is what an establishment says of itself, checked when its provider is made.
func (c *Config) publisher(k *PublishConfig, r *federation.Resolver) (*federation.PublisherConfig, error) {
	p := &federation.PublisherConfig{
		AuthorityHints: k.AuthorityHints, TrustAnchorHints: k.TrustAnchorHints, TrustMarks: map[string]string{}, Lifetime: time.Duration(k.Lifetime),
	}
	for i, key := range k.Keys {
		signer, err := certs.ReadKey(c.path(key.File))
		if err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		p.Keys = append(p.Keys, federation.Key{Signer: signer, Algorithm: key.Algorithm})
	}
	for typ, name := range k.TrustMarks {
		text, err := os.ReadFile(c.path(name))
		if err != nil {
			return nil, fmt.Errorf("trust-marks: %s: %w", typ, err)
		}
		p.TrustMarks[typ] = strings.TrimSpace(string(text))
	}
	if len(k.Subordinates) == 0 {
		if len(k.TrustMarkIssuers) > 0 {
			return nil, errors.New("trust-mark-issuers: of who vouches for others, and there are no subordinates")
		}
		return p, nil
	}
	var all []federation.Subordinate
	for i, s := range k.Subordinates {
		made := federation.Subordinate{Entity: s.Entity, Types: s.Types, Intermediate: s.Intermediate}
		var err error
		if made.Keys, err = c.keySet(s.Keys); err != nil {
			return nil, fmt.Errorf("subordinates[%d] (%s): keys: %w", i, s.Entity, err)
		}
		for _, of := range []struct {
			file string
			text *json.RawMessage
		}{{s.Metadata, &made.Metadata}, {s.Policy, &made.Policy}, {s.Constraints, &made.Constraints}} {
			if of.file == "" {
				continue
			}
			if *of.text, err = os.ReadFile(c.path(of.file)); err != nil {
				return nil, fmt.Errorf("subordinates[%d] (%s): %w", i, s.Entity, err)
			}
		}
		all = append(all, made)
	}
	below, err := federation.NewSubordinates(all...)
	if err != nil {
		return nil, fmt.Errorf("subordinates: %w", err)
	}
	p.Authority = &federation.Authority{Subordinates: below, TrustMarkIssuers: k.TrustMarkIssuers, Resolver: r}
	return p, nil
}

// keySet reads a JSON Web Key Set.
func (c *Config) keySet(name string) (federation.KeySet, error) {
	text, err := os.ReadFile(c.path(name))
	if err != nil {
		return federation.KeySet{}, err
	}
	keys, err := federation.ParseKeys(text)
	if err != nil {
		return keys, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

// certificates reads those of a file, in their order.
func (c *Config) certificates(name string) ([]*x509.Certificate, error) {
	ders, err := certs.ReadCertificates(c.path(name))
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for _, der := range ders {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// authorities are those of files.
func (c *Config) authorities(files []string) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	for _, file := range files {
		all, err := c.certificates(file)
		if err != nil {
			return nil, err
		}
		for _, authority := range all {
			roots.AddCert(authority)
		}
	}
	return roots, nil
}

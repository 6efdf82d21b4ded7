package face

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"sceau/certs"
	"sceau/oidc"
	"sceau/oidc/authn"
	"sceau/oidc/client"
	"sceau/oidc/means/wallet"
	"sceau/oidc/sdjwt"
)

// A WalletConfig says what is asked of wallets, and whose attestations are believed (docs/oid4vp.md).
type WalletConfig struct {
	ClientID    string   `yaml:"client-id"`
	Certificate string   `yaml:"certificate"`
	Key         string   `yaml:"key"`
	Scheme      string   `yaml:"scheme"`
	OtherDevice bool     `yaml:"other-device"`
	Lifetime    Duration `yaml:"lifetime"`
	// Issuers sign with certificates of a profile, or with keys in a file under their name (iss).
	Issuers []struct {
		Profile string   `yaml:"profile"`
		Issuer  string   `yaml:"issuer"`
		Keys    string   `yaml:"keys"`
		Types   []string `yaml:"types"`
	} `yaml:"issuers"`
	// Identify is the type of identifier that Claim is: a path, from the outside in.
	Identify   string              `yaml:"identify"`
	Claim      []string            `yaml:"claim"`
	Attributes map[string][]string `yaml:"attributes"`
	Methods    []string            `yaml:"methods"`
	// Status is where lists of revoked attestations are asked for.
	Status *struct {
		Addresses []string `yaml:"addresses"`
		Profiles  []string `yaml:"profiles"`
		Keys      string   `yaml:"keys"`
		CA        []string `yaml:"ca"`
		Networks  []string `yaml:"networks"`
		MaxAge    Duration `yaml:"max-age"`
	} `yaml:"status"`
}

// wallet makes a verifier of what wallets present.
func (f *Face) wallet(b *maker, k *MeansConfig) (authn.Means, error) {
	o := k.Wallet
	if o == nil {
		return nil, errors.New("nothing says what is asked of wallets")
	}
	c := wallet.Config{Issuer: b.k.Issuer, Name: k.Name, Prefix: o.ClientID, Scheme: o.Scheme, OtherDevice: o.OtherDevice, Lifetime: time.Duration(o.Lifetime),
		Identify: o.Claim, Type: o.Identify, References: o.Methods, Store: oidc.Transactions{Store: f.store, Tenant: b.k.Tenant}, Now: f.shared.Now}
	for name, path := range o.Attributes {
		if c.Attributes == nil {
			c.Attributes = map[string]wallet.Path{}
		}
		c.Attributes[name] = path
	}
	var err error
	if c.Key, err = certs.ReadKey(b.c.path(o.Key)); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if c.Chain, err = b.c.certificates(o.Certificate); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	verifier, err := f.attestations(b.c, o, &c)
	if err != nil {
		return nil, err
	}
	c.Verifier = verifier
	return wallet.New(c)
}

// attestations verifies what persons hold; c learns which types are asked for.
func (f *Face) attestations(c *Config, o *WalletConfig, asks *wallet.Config) (*sdjwt.Verifier, error) {
	v := sdjwt.Config{Issuers: map[string]sdjwt.Issuer{}, Now: f.shared.Now}
	profiles := map[string][]string{}
	for i, k := range o.Issuers {
		if len(k.Types) == 0 || (k.Profile == "") == (k.Issuer == "") || (k.Issuer == "") != (k.Keys == "") {
			return nil, fmt.Errorf("issuers[%d]: a profile, or an issuer and its keys; and types", i)
		}
		v.Types = append(v.Types, k.Types...)
		if k.Profile != "" {
			profiles[k.Profile] = append(profiles[k.Profile], k.Types...)
			continue
		}
		if _, twice := v.Issuers[k.Issuer]; twice {
			return nil, fmt.Errorf("issuers[%d]: %s stands twice", i, k.Issuer)
		}
		keys, err := c.attestationKeys(k.Keys)
		if err != nil {
			return nil, fmt.Errorf("issuers[%d]: keys: %w", i, err)
		}
		v.Issuers[k.Issuer] = sdjwt.Issuer{Keys: keys, Types: k.Types}
	}
	slices.Sort(v.Types)
	v.Types = slices.Compact(v.Types)
	asks.Types = v.Types
	if len(profiles) > 0 {
		if o.Identify == "sub" { // whose: a certificate has no issuer identifier, and several issuers may stand in one profile
			return nil, errors.New("identify: a sub is that of an issuer with keys; by a certificate, persons are named by a number")
		}
		if !f.shared.Verifier.Serves(certs.RoleAttestation) {
			return nil, fmt.Errorf("issuers: no profile of trust has the role %s", certs.RoleAttestation)
		}
		v.Path = func(path []*x509.Certificate, typ, issuer string, now time.Time) (string, error) {
			i, err := f.attests(path, now)
			if err != nil {
				return "", err
			}
			if !slices.Contains(profiles[i.Profile()], typ) {
				return "", fmt.Errorf("a certificate of the profile %q, which issues nothing of this type", i.Profile())
			}
			return i.Profile(), nil
		}
	}
	if o.Status != nil {
		lists, err := f.statusLists(c, o, slices.Concat(slices.Collect(maps.Keys(profiles)), o.Status.Profiles))
		if err != nil {
			return nil, fmt.Errorf("status: %w", err)
		}
		v.Status = lists.Status
	}
	return sdjwt.New(v)
}

// attests identifies the holder of a certificate that came with its path.
func (f *Face) attests(path []*x509.Certificate, now time.Time) (certs.Identity, error) {
	var parsed []*certs.Certificate
	for _, c := range path {
		one, err := f.shared.Verifier.Parse(c.Raw)
		if err != nil {
			return certs.Identity{}, err
		}
		parsed = append(parsed, one)
	}
	i, err := f.shared.Verifier.Identify(certs.RoleAttestation, parsed[0], parsed[1:], now)
	if reason := certs.ReasonOf(err); reason == certs.RevocationUnknown || reason == certs.Unavailable {
		err = fmt.Errorf("%w: %w", sdjwt.ErrUnavailable, err)
	}
	return i, err
}

func (f *Face) statusLists(c *Config, o *WalletConfig, profiles []string) (*sdjwt.StatusLists, error) {
	k := o.Status
	guard := client.Guard{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	for _, text := range k.Networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("networks: %w", err)
		}
		guard.Allow = append(guard.Allow, network)
	}
	var err error
	if len(k.CA) > 0 { // else those of the system
		if guard.TLS.RootCAs, err = c.authorities(k.CA); err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
	}
	s := sdjwt.StatusConfig{Addresses: k.Addresses, Client: client.NewHTTPClient(guard), MaxAge: time.Duration(k.MaxAge), Now: f.shared.Now}
	if k.Keys != "" {
		if s.Keys, err = c.attestationKeys(k.Keys); err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
	}
	if len(profiles) > 0 {
		s.Path = func(path []*x509.Certificate, _ string, now time.Time) error {
			i, err := f.attests(path, now)
			if err == nil && !slices.Contains(profiles, i.Profile()) {
				err = fmt.Errorf("a certificate of the profile %q, which signs no lists", i.Profile())
			}
			return err
		}
	}
	return sdjwt.NewStatusLists(s)
}

// attestationKeys reads the public keys of who signs attestations.
func (c *Config) attestationKeys(name string) (sdjwt.KeySet, error) {
	text, err := os.ReadFile(c.path(name))
	if err != nil {
		return sdjwt.KeySet{}, err
	}
	keys, err := sdjwt.ParseKeys(text)
	if err != nil {
		return keys, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

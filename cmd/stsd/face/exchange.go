package face

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/oidc/bridge"
)

// exchange says which tokens an establishment exchanges. Policy, catalogue and keys are those of the token service, as they are when
// they are asked.
func (f *Face) exchange(c *Config, k *ExchangeConfig, e *establishments) (*bridge.Config, error) {
	if f.shared.Policy == nil {
		return nil, errors.New("the policy decides nothing about exchanges (section exchange of a rule file, action exchange-token in Cedar)")
	}
	x := &bridge.Config{
		Certificates: f.shared.Verifier, Policy: f.shared.Policy, MaximumValidity: time.Duration(k.MaximumValidity), MaximumAge: time.Duration(k.MaximumAge),
		Actors: k.Actors, Target: k.Target, Catalogue: e.catalogue.Load,
		Assertions: bridge.Assertions{Issuers: k.Issuers, Audiences: k.Audiences, Skew: time.Duration(k.Skew), Issuer: k.Issuer, BackDate: time.Duration(k.BackDate)},
	}
	if k.Issuer != "" {
		x.Assertions.Signing = f.shared.Signing
	} else if len(k.Certified) > 0 || k.BackDate != 0 {
		return nil, errors.New("certified and back-date are of assertions that are written, and without issuer none are")
	}
	for _, role := range k.HolderRoles {
		x.HolderRoles = append(x.HolderRoles, certs.Role(role))
	}
	for _, one := range k.Claims {
		d := attrs.Designator{Name: one.Attribute}
		switch one.Namespace {
		case "identification":
			d.Namespace = attrs.NamespaceIdentification
		case "certified":
			d.Namespace = attrs.NamespaceCertified
		default:
			d.Namespace = one.Namespace
		}
		x.Claims = append(x.Claims, bridge.Claim{Name: one.Name, Attribute: d, Scope: one.Scope, Identifier: one.Identifier})
	}
	for audience, names := range k.Certified {
		if x.Assertions.Certified == nil {
			x.Assertions.Certified, x.Assertions.Release, x.Assertions.Attributes = map[string][]attrs.Designator{}, f.shared.Release, f.shared.Attributes
		}
		for _, name := range names {
			d := attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified}
			x.Assertions.Certified[audience] = append(x.Assertions.Certified[audience], d)
			e.certified = append(e.certified, d)
		}
	}
	for i := range k.Upstreams {
		u := &k.Upstreams[i]
		settings := &tls.Config{MinVersion: tls.VersionTLS12}
		var err error
		if settings.RootCAs, err = c.pool(u.CA); err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		if u.Certificate != "" {
			pair, err := tls.LoadX509KeyPair(c.path(u.Certificate), c.path(u.Key))
			if err != nil {
				return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
			}
			settings.Certificates = []tls.Certificate{pair}
		}
		secret := ""
		if u.SecretFile != "" {
			text, err := os.ReadFile(c.path(u.SecretFile))
			if err != nil {
				return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
			}
			secret = strings.TrimSpace(string(text))
		}
		asks, err := bridge.NewIntrospection(bridge.IntrospectionConfig{URL: u.Introspection, ClientID: u.ClientID, Secret: secret, TLS: settings})
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		e.close = append(e.close, func() error { asks.Close(); return nil })
		x.Upstreams = append(x.Upstreams, bridge.Upstream{Issuer: u.Issuer, Introspector: asks, Parties: u.Parties, Lifetime: time.Duration(u.Lifetime),
			Confirmed: u.Confirmed, Levels: u.Levels, References: u.References, Claims: u.Claims, ActorClaims: u.ActorClaims})
	}
	return x, nil
}

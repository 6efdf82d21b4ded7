package face

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/oidc"
	"sceau/oidc/authn"
	"sceau/oidc/means/assertion"
	"sceau/oidc/means/certificate"
	"sceau/oidc/means/kerberos"
	"sceau/oidc/means/passkey"
	"sceau/oidc/means/password"
	"sceau/oidc/means/store"
	"sceau/oidc/means/totp"
	"sceau/oidc/means/upstream"
	"sceau/oidc/page"
	"sceau/oidc/rp"
	"sceau/saml/trust"
)

// kept is the database of the credentials of an establishment; nil: it has none.
type kept struct {
	*store.Store
	codes *store.Codes // nil: none of one-time codes
}

func (f *Face) credentials(c *Config, k *Establishment, e *establishments) (*kept, error) {
	d := k.Credentials
	if d == nil {
		return nil, nil
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	opened, err := store.Open(ctx, c.credentials(k))
	if err != nil {
		return nil, err
	}
	e.close = append(e.close, opened.Close)
	all := &kept{Store: opened}
	if len(d.Seal) > 0 {
		seal, err := c.seal(d.Seal)
		if err != nil {
			return nil, err
		}
		all.codes = opened.Codes(seal)
	}
	return all, nil
}

func (c *Config) seal(files []string) (*totp.Seal, error) {
	paths := make([]string, len(files))
	for i, name := range files {
		paths[i] = c.path(name)
	}
	return totp.LoadSeal(paths...)
}

// A maker is what means of one establishment are made of.
type maker struct {
	c       *Config
	k       *Establishment
	persons accounts
	kept    *kept
}

// counting are the keys that count of each kind of means, besides those of all.
var counting = map[string][]string{
	"certificate": {"role", "references", "max-age"},
	"password":    {"second-factor"},
	"passkey":     {"domain", "hardware-only", "models", "verification"},
	"kerberos":    {"keytab", "service", "realms", "usernames", "beside"},
	"upstream":    {"provider"},
	"wallet":      {"wallet"},
	"assertion":   {"role", "references", "issuers", "persons"},
}

// means makes one means.
func (f *Face) means(b *maker, k *MeansConfig) (oidc.Means, error) {
	m := oidc.Means{Name: k.Name, Labels: k.Labels, Cards: k.Cards}
	if counts, ok := counting[k.Kind]; ok {
		if err := only(k, "a means of the kind "+k.Kind, append(counts, "name", "kind", "labels", "cards")...); err != nil {
			return m, err
		}
	}
	if (k.Kind == "certificate" || k.Kind == "assertion") && b.k.SecureIssuer == "" {
		return m, errors.New("nothing asks for a certificate: no secure-issuer")
	}
	var err error
	switch k.Kind {
	case "certificate":
		m.Kind = page.KindCertificate
		m.Means, err = certificate.New(certificate.Config{Verifier: f.shared.Verifier, Role: certs.Role(k.Role), References: k.References, Cards: k.Cards,
			MaxAge: time.Duration(k.MaxAge)})
	case "password":
		m.Kind = page.KindDirectory
		m.Means, err = f.password(b, k)
	case "passkey":
		m.Kind = page.KindPasskey
		m.Means, err = f.passkey(b, k)
	case "kerberos":
		m.Kind = page.KindKerberos
		m.Means, err = kerberos.New(kerberos.Config{Keytab: b.c.path(k.Keytab), Service: k.Service, Realms: k.Realms, Usernames: k.Usernames, References: k.Beside,
			Seen: oidc.Authenticators{Store: f.store}})
	case "upstream":
		m.Kind = page.KindUpstream
		m.Means, err = f.upstream(b, k)
	case "assertion":
		m.Kind = page.KindAssertion
		m.Means, err = f.assertion(b, k)
	case "wallet":
		m.Kind = page.KindWallet
		m.Means, err = f.wallet(b, k)
	default:
		err = fmt.Errorf("kind %q is none of certificate, password, passkey, kerberos, upstream, assertion, wallet", k.Kind)
	}
	return m, err
}

func (f *Face) password(b *maker, k *MeansConfig) (authn.Means, error) {
	if b.persons == nil {
		return nil, errors.New("no accounts")
	}
	c := password.Config{Verifier: b.persons, Log: f.shared.Log}
	switch k.Second {
	case "without":
		c.Second = password.Without
	case "if-had":
		c.Second = password.IfHad
	case "required":
		c.Second = password.Required
	default:
		return nil, fmt.Errorf("second-factor: %q is none of without, if-had, required", k.Second)
	}
	if c.Second != password.Without {
		codes := totp.Config{Secrets: b.persons, Steps: oidc.Steps{Store: f.store, Tenant: b.k.Tenant}}
		if b.kept != nil && b.kept.codes != nil {
			codes.Secrets, codes.Steps = b.kept.codes, b.kept.codes
		}
		var err error
		if c.Codes, err = totp.New(codes); err != nil {
			return nil, err
		}
	}
	return password.New(c)
}

func (f *Face) passkey(b *maker, k *MeansConfig) (authn.Means, error) {
	if b.kept == nil {
		return nil, errors.New("passkeys are kept in the database of credentials")
	}
	u, err := url.Parse(b.k.Issuer)
	if err != nil {
		return nil, err
	}
	domain := k.Domain
	if domain == "" {
		domain = u.Hostname()
	}
	return passkey.New(passkey.Config{Store: b.kept, ID: domain, Name: b.k.Names["fr"], Origins: []string{u.Scheme + "://" + u.Host}, HardwareOnly: k.HardwareOnly,
		Models: k.Models, Verification: k.Verification})
}

func (f *Face) upstream(b *maker, k *MeansConfig) (authn.Means, error) {
	u := k.Upstream
	if u == nil {
		return nil, errors.New("no provider")
	}
	if (u.Identify == "sub" || u.Identify == "prosante") && u.Claim != "" {
		return nil, fmt.Errorf("provider: claim does not count where identify is %s", u.Identify)
	}
	r, err := b.c.relyingParty(u, upstream.RedirectURI(b.k.Issuer, k.Name))
	if err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	r.Now = f.shared.Now
	provider, err := rp.New(r)
	if err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	o := upstream.Config{Name: k.Name, Label: k.Labels["fr"], Provider: provider, Least: u.Least, Reauthenticate: u.Reauthenticate}
	switch u.Identify {
	case "sub":
		o.Identify = upstream.BySubject
	case "prosante":
		o.Identify, o.Attributes = upstream.ByProSante, upstream.ProSanteAttributes
		if len(u.Methods) == 0 {
			o.Methods = upstream.ProSanteMethods()
		}
	default:
		if u.Claim == "" {
			return nil, errors.New("identify: sub, prosante, or a type of identifier and the claim that is it")
		}
		if strings.Contains(u.Identify, " ") {
			return nil, fmt.Errorf("identify: %q is no type of identifiers", u.Identify)
		}
		o.Identify = upstream.ByClaim(u.Claim, u.Identify)
	}
	for _, m := range u.Methods {
		o.Methods = append(o.Methods, upstream.Method{ACR: m.ACR, AMR: m.AMR, Claim: m.Claim, Value: m.Value, References: m.References})
	}
	return upstream.New(o)
}

// relyingParty is what we are to an upstream provider.
func (c *Config) relyingParty(u *UpstreamConfig, redirect string) (r rp.Config, err error) {
	if u.ProSanteConnect != "" {
		bare := *u
		bare.Issuer, bare.Discovery, bare.Hosts, bare.Scopes, bare.ACR, bare.MaxAge, bare.UserInfo = "", "", nil, nil, nil, 0, false
		if !reflect.DeepEqual(&bare, u) {
			return r, errors.New("pro-sante-connect stands in the place of issuer, discovery, hosts, scopes, acr, max-age and userinfo")
		}
		if r, err = rp.ProSanteConnect(u.ProSanteConnect); err != nil {
			return r, err
		}
	} else {
		r = rp.Config{Issuer: u.Issuer, Discovery: u.Discovery, Hosts: u.Hosts, Scopes: u.Scopes, UserInfo: u.UserInfo,
			Policy: rp.Policy{ACR: u.ACR, MaxAge: time.Duration(u.MaxAge), RequireAuthTime: true}}
	}
	r.ClientID, r.Method, r.RedirectURI, r.SigningKeyID = u.ClientID, u.Method, redirect, u.SigningKeyID
	if u.SecretFile != "" {
		text, err := os.ReadFile(c.path(u.SecretFile))
		if err != nil {
			return r, err
		}
		r.Secret = strings.TrimSpace(string(text))
	}
	if u.Certificate != "" {
		if r.Certificate, err = rp.CertificateIn(c.path(u.Certificate), c.path(u.Key)); err != nil {
			return r, err
		}
	}
	if u.SigningKey != "" {
		if r.SigningKey, err = certs.ReadKey(c.path(u.SigningKey)); err != nil {
			return r, err
		}
	}
	r.Roots, err = c.pool(u.CA)
	return r, err
}

// pool reads authorities of TLS servers. Without any, no server would be believed.
func (c *Config) pool(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, errors.New("ca: none")
	}
	return c.authorities(files)
}

func (f *Face) assertion(b *maker, k *MeansConfig) (authn.Means, error) {
	o := assertion.Config{
		Judge: trust.Judge{Certificates: f.shared.Verifier, Issuers: k.Issuers, Audiences: []string{b.k.Issuer},
			HolderRoles: []certs.Role{certs.Role(k.Role)}, Skew: time.Minute},
		References: k.References,
	}
	for _, kind := range slices.Backward(slices.Sorted(maps.Keys(k.Persons))) { // the preferred first: ssin, rpps, nihii
		o.Persons = append(o.Persons, assertion.Person{Type: kind, Attribute: attrs.Designator{Name: k.Persons[kind], Namespace: attrs.NamespaceIdentification}})
	}
	return assertion.New(o)
}

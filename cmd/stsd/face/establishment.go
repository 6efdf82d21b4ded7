package face

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"sceau/attrs/ldapsource"
	"sceau/attrs/remote"
	"sceau/certs"
	"sceau/oidc"
	"sceau/oidc/authn"
	"sceau/oidc/client"
	"sceau/oidc/means/directory"
	"sceau/oidc/means/password"
	"sceau/oidc/means/people"
	"sceau/oidc/means/totp"
	"sceau/oidc/page"
)

// accounts are the persons of an establishment, in whatever they stand.
type accounts interface {
	authn.Accounts
	password.Verifier
	totp.Secrets
}

// establishment makes the provider of one establishment. What has to be closed goes to e.
func (f *Face) establishment(c *Config, k *Establishment, outside *http.Client, e *establishments) (*oidc.Provider, error) {
	var errs []error
	wrong := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	o := oidc.Config{
		Issuer: k.Issuer, SecureIssuer: k.SecureIssuer, Tenant: k.Tenant, Names: k.Names, MailDomains: k.MailDomains,
		Support: page.Support{URL: k.Support.URL, Telephone: k.Support.Telephone, Email: k.Support.Email},
		Store:   f.store, Strangers: f.strangers, Recorder: f.shared.Recorder, Log: f.shared.Log, Now: f.shared.Now, BackChannel: outside,
		Lifetimes: oidc.Lifetimes{
			AccessToken: time.Duration(k.Lifetimes.AccessToken), IDToken: time.Duration(k.Lifetimes.IDToken), RefreshToken: time.Duration(k.Lifetimes.RefreshToken),
			Code: time.Duration(k.Lifetimes.Code), Attempt: time.Duration(k.Lifetimes.Attempt), PushedRequest: time.Duration(k.Lifetimes.PushedRequest),
			SessionLifetime: time.Duration(k.Lifetimes.Session), SessionIdle: time.Duration(k.Lifetimes.Idle),
		},
	}
	if k.SecureIssuer != "" && c.Secure.Address == "" {
		errs = append(errs, errors.New("secure-issuer: no listener asks for a certificate (secure)"))
	}
	for i, key := range k.Keys {
		signer, err := certs.ReadKey(c.path(key.File))
		wrong(fmt.Sprintf("keys[%d]", i), err)
		o.Keys = append(o.Keys, oidc.Key{Signer: signer, Algorithm: key.Algorithm, From: key.From, Until: key.Until})
	}
	var err error
	o.Clients, err = f.clients(c, k, outside)
	wrong("clients", err)
	persons, err := f.accounts(c, k, e)
	wrong("accounts", err)
	kept, err := f.credentials(c, k, e)
	wrong("credentials", err)
	for i := range k.Means {
		m, err := f.means(&maker{c, k, persons, kept}, &k.Means[i])
		wrong(fmt.Sprintf("means[%d] (%s)", i, k.Means[i].Name), err)
		o.Means = append(o.Means, m)
	}
	if k.Exchange != nil {
		// What an exchange makes is of a login that was, and would be one that outlives its logout.
		for i := range k.Means {
			if m := &k.Means[i]; k.Exchange.Issuer != "" && slices.Contains(m.Issuers, k.Exchange.Issuer) {
				wrong(fmt.Sprintf("means[%d] (%s)", i, m.Name), errors.New("issuers: assertions that the exchange makes are no logins"))
			}
		}
		o.Exchange, err = f.exchange(c, k.Exchange, e)
		wrong("exchange", err)
	}
	if k.Federation != nil {
		o.Federation, err = f.federation(c, k.Federation)
		wrong("federation", err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o.Accounts = persons
	if p, ok := persons.(*people.People); ok && p.Sandbox() && !k.Sandbox {
		return nil, errors.New("accounts: the people of the file are invented, and this establishment is no sandbox")
	}
	return oidc.New(o)
}

func (f *Face) clients(c *Config, k *Establishment, outside *http.Client) (*client.Registry, error) {
	text, err := os.ReadFile(c.path(k.Clients))
	if err != nil {
		return nil, err
	}
	registrations, err := client.Read(text)
	if err != nil {
		return nil, err
	}
	o := client.Options{
		Issuer: k.Issuer, Endpoints: map[client.Endpoint][]string{}, Certificates: f.shared.Verifier, HTTP: outside,
		Replay: oidc.Replay(f.store, k.Tenant), Now: f.shared.Now,
	}
	for at, path := range map[client.Endpoint]string{client.Token: "/token", client.PAR: "/par", client.Introspection: "/introspect", client.Revocation: "/revoke"} {
		o.Endpoints[at] = []string{k.Issuer + path}
		if k.SecureIssuer != "" {
			o.Endpoints[at] = append(o.Endpoints[at], k.SecureIssuer+path)
		}
	}
	if k.SecretKeyFile != "" {
		text, err := os.ReadFile(c.path(k.SecretKeyFile))
		if err != nil {
			return nil, err
		}
		if o.SecretKey, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(text))); err != nil {
			return nil, fmt.Errorf("secret-key-file: %w", err)
		}
	}
	return client.New(registrations, o)
}

func (f *Face) accounts(c *Config, k *Establishment, e *establishments) (accounts, error) {
	a := &k.Accounts
	switch {
	case (a.People == "") == (a.Directory == nil):
		return nil, errors.New("one of people and directory")
	case a.People != "":
		return people.Load(c.path(a.People))
	}
	d := a.Directory
	s := ldapsource.Config{
		ID: k.Tenant, Servers: d.Servers, StartTLS: d.StartTLS, BindDN: d.BindDN, PasswordFile: c.path(d.PasswordFile), BaseDN: d.Base,
		TLS: remote.TLS{CAFile: c.path(d.CA), ServerName: d.ServerName}, Now: f.shared.Now,
	}
	scope := d.Scope
	if scope == "" {
		scope = "sub"
	}
	var err error
	if s.Scope, err = ldapsource.ParseScope(scope); err != nil {
		return nil, err
	}
	o := directory.Config{
		Directory: s, Filter: d.Filter, Username: d.Username, ID: d.ID, Groups: d.Groups, EmailVerified: d.EmailVerified,
		Names:       directory.Names{Given: d.Names.Given, Family: d.Names.Family, Display: d.Names.Display, Email: d.Names.Email},
		Identifiers: d.Identifiers, Code: d.Code,
	}
	if len(d.Seal) > 0 {
		files := make([]string, len(d.Seal))
		for i, name := range d.Seal {
			files[i] = c.path(name)
		}
		if o.Seal, err = totp.LoadSeal(files...); err != nil {
			return nil, err
		}
	}
	made, err := directory.Open(o)
	if err != nil {
		return nil, err
	}
	e.close = append(e.close, made.Close)
	return made, nil
}

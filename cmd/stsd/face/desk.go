package face

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sceau/oidc"
	"sceau/oidc/authn"
	"sceau/oidc/means/passkey"
	"sceau/oidc/means/store"
	"sceau/oidc/means/totp"
	"sceau/oidc/sqlstore"
)

// A Desk is one establishment as an administrator works at it, beside a server or without one. Close it after use.
type Desk struct {
	face *Face
	k    *Establishment
	e    establishments
	kept *kept
	accounts
}

// Desk opens an establishment by its tenant; an empty tenant is the only one.
func (c *Config) Desk(tenant string, now func() time.Time) (*Desk, error) {
	d := &Desk{face: &Face{config: c, shared: Shared{Now: now, Log: slog.New(slog.DiscardHandler)}}}
	var names []string
	for i := range c.Establishments {
		if k := &c.Establishments[i]; k.Tenant == tenant || tenant == "" && len(c.Establishments) == 1 {
			d.k = k
		}
		names = append(names, c.Establishments[i].Tenant)
	}
	switch {
	case d.k == nil && tenant == "":
		return nil, fmt.Errorf("say which establishment: %s", strings.Join(names, ", "))
	case d.k == nil:
		return nil, fmt.Errorf("no establishment %q; there are: %s", tenant, strings.Join(names, ", "))
	}
	var err error
	if d.accounts, err = d.face.accounts(c, d.k, &d.e); err != nil {
		return nil, errors.Join(fmt.Errorf("accounts: %w", err), d.Close())
	}
	if d.kept, err = d.face.credentials(c, d.k, &d.e); err != nil {
		return nil, errors.Join(fmt.Errorf("credentials: %w", err), d.Close())
	}
	return d, nil
}

// Close gives everything back.
func (d *Desk) Close() error { return errors.Join(d.e.end(), d.face.close()) }

// Tenant is the claim tid, Issuer the issuer identifier, Name what the establishment is called in French.
func (d *Desk) Tenant() string { return d.k.Tenant }
func (d *Desk) Issuer() string { return d.k.Issuer }
func (d *Desk) Name() string   { return d.k.Names["fr"] }

// Account is who is meant by a user name or by the immutable id of an account, or authn.ErrNoAccount.
func (d *Desk) Account(ctx context.Context, text string) (*authn.Account, error) {
	a, err := d.Find(ctx, authn.Identifier{Type: "username", Value: text})
	if errors.Is(err, authn.ErrNoAccount) {
		a, err = d.Find(ctx, authn.Identifier{Type: "account", Value: text})
	}
	return a, err
}

// Passkeys are those of the establishment.
func (d *Desk) Passkeys() (passkey.Store, error) {
	if d.kept == nil {
		return nil, errors.New("the establishment has no credentials: passkeys are kept in their database")
	}
	return d.kept.Store, nil
}

// Enrols says whether the establishment has a means for which a passkey is enrolled.
func (d *Desk) Enrols() bool {
	return slices.ContainsFunc(d.k.Means, func(m MeansConfig) bool { return m.Kind == "passkey" })
}

// Codes are the secrets of one-time codes, and what writes them for a device.
func (d *Desk) Codes() (*store.Codes, *totp.Verifier, error) {
	if d.kept == nil || d.kept.codes == nil {
		return nil, nil, errors.New("the establishment has no credentials with a seal: its one-time codes, if it has any, are those of its accounts")
	}
	v, err := totp.New(totp.Config{Secrets: d.kept.codes, Steps: d.kept.codes})
	return d.kept.codes, v, err
}

// Consents are what persons consented to, where that is kept outside of a process.
func (d *Desk) Consents() (oidc.Consents, error) {
	c := oidc.Consents{Tenant: d.k.Tenant, Now: d.face.shared.Now}
	if kind := d.face.config.Store.Kind; kind == "" || kind == "memory" {
		return c, errors.New("consents are in the memory of the server: a person withdraws them at the address of the issuer and /consents, and they end with the process")
	}
	if d.face.store == nil {
		if err := d.face.openStore(); err != nil {
			return c, fmt.Errorf("store: %w", err)
		}
	}
	c.Store = d.face.store
	return c, nil
}

// Init makes the databases that the configuration names, or brings them up to date, and says which.
func (c *Config) Init(ctx context.Context) (made []string, err error) {
	place := func(file string) string {
		if file != "" {
			return file
		}
		return "PostgreSQL"
	}
	if s, ok := c.SQLStore(); ok {
		if err := sqlstore.Init(ctx, s); err != nil {
			return made, fmt.Errorf("store: %w", err)
		}
		made = append(made, "store: "+place(s.File))
	}
	for i := range c.Establishments {
		k := &c.Establishments[i]
		if k.Credentials == nil {
			continue
		}
		s := c.credentials(k)
		if err := store.Init(ctx, s); err != nil {
			return made, fmt.Errorf("establishments[%d] (%s): credentials: %w", i, k.Tenant, err)
		}
		made = append(made, k.Tenant+": credentials: "+place(s.File))
	}
	return made, nil
}

// credentials is where those of an establishment are.
func (c *Config) credentials(k *Establishment) store.Config {
	d := k.Credentials
	return store.Config{File: c.path(d.File), DSN: d.DSN, PasswordFile: c.path(d.PasswordFile), Establishment: k.Tenant}
}

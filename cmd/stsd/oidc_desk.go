package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sceau/audit"
	"sceau/cmd/stsd/face"
	"sceau/oidc/authn"
)

// oidcFlags are those of the commands that work on an establishment.
type oidcFlags struct {
	now                                func() time.Time
	config, establishment, account, by string
}

func (f *oidcFlags) configFlag(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.config, "config", "", "configuration `file` of the server")
	_ = c.MarkFlagRequired("config") // fails only for a flag that is not there
	return c
}

// accountFlags are those of a command that is about a person.
func (f *oidcFlags) accountFlags(c *cobra.Command) *cobra.Command {
	f.configFlag(c)
	c.Flags().StringVar(&f.establishment, "establishment", "", "the `tenant`; may be left out where there is one")
	c.Flags().StringVar(&f.account, "account", "", "the `user name` of the person, or the immutable id of the account")
	_ = c.MarkFlagRequired("account")
	return c
}

// changeFlags are those of a command that changes something.
func (f *oidcFlags) changeFlags(c *cobra.Command) *cobra.Command {
	f.accountFlags(c)
	c.Flags().StringVar(&f.by, "by", "", "`who` does it, for the trail; else the user of the system")
	return c
}

// read reads the configuration of the server, and that of the face which it names.
func (f *oidcFlags) read() (*fileConfig, *face.Config, error) {
	p := &problems{file: f.config}
	config := readConfig(f.config, p)
	if err := p.err(); err != nil {
		return nil, nil, err
	}
	if config.OIDC.V == "" {
		return nil, nil, fmt.Errorf("%s names no configuration of the OpenID Connect face (oidc)", f.config)
	}
	k, err := face.Read(config.path(config.OIDC))
	return config, k, err
}

// A personDesk is an establishment as one works on what a person of it has.
type personDesk struct {
	*face.Desk
	config *fileConfig
	// account is the person. Of one whose account is gone it has what was said for its id: what he left is taken away.
	account *authn.Account
	by      string
	now     func() time.Time
}

// at runs a command at a desk. One that gives something needs an account that is there.
func (f *oidcFlags) at(needed bool, run func(c *cobra.Command, d *personDesk, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) (err error) {
		d := &personDesk{by: f.by, now: f.now}
		if d.by == "" {
			who, err := user.Current()
			if err != nil {
				return fmt.Errorf("--by: %w", err)
			}
			d.by = who.Username
		}
		var k *face.Config
		if d.config, k, err = f.read(); err != nil {
			return err
		}
		if clock := d.config.TestClock; clock.Line > 0 {
			d.now = func() time.Time { return clock.V }
		}
		if d.Desk, err = k.Desk(f.establishment, d.now); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, d.Close()) }()
		d.account, err = d.Account(c.Context(), f.account)
		switch {
		case errors.Is(err, authn.ErrNoAccount) && !needed:
			fmt.Fprintln(c.ErrOrStderr(), "the establishment has no such account: taken for the id of one that is gone")
			d.account = &authn.Account{ID: f.account}
		case errors.Is(err, authn.ErrNoAccount):
			return finding("the establishment has no such account")
		case err != nil:
			return err
		case needed && d.account.Locked:
			return finding("the account is closed")
		case needed && d.by == d.account.Username:
			return finding("nobody gives himself what he logs in with (EXI FI 24)")
		}
		return run(c, d, args)
	}
}

// administration is the folder of the journal for what an administrator does while a server appends to that of the configuration.
const administration = "administration"

// pseudonymKey is the file of the key of a journal.
const pseudonymKey = "pseudonym.key"

// record puts into the trail what is about to be done. What cannot be recorded is not done.
func (d *personDesk) record(c *cobra.Command, e audit.Event) (err error) {
	if d.config.Audit.Dir.V == "" {
		return errors.New("the configuration names no audit.dir")
	}
	now := d.now()
	e.ID, e.Time, e.Service, e.Outcome, e.Establishment = audit.NewID(now), now, audit.ServiceOIDC, audit.Success, d.Tenant()
	e.Subject = audit.Identifier{Type: audit.SubjectType, Value: d.Tenant() + ":" + d.account.ID}
	e.Identity = audit.Party{Kind: "administrator", Identifier: audit.Identifier{Type: "administrator", Value: d.by}}
	e.Sealed.Account = d.account.ID
	k := audit.Config{Dir: d.config.path(d.config.Audit.Dir), Now: d.now, Logger: slog.New(slog.DiscardHandler)}
	journal, err := audit.Open(k)
	if reason := (*audit.Error)(nil); errors.As(err, &reason) && reason.Reason == audit.Locked {
		k.Dir = filepath.Join(k.Dir, administration)
		if err := os.Mkdir(k.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		// One key, in one place: a person has one pseudonym in both.
		if err := os.Symlink(filepath.Join("..", pseudonymKey), filepath.Join(k.Dir, pseudonymKey)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		journal, err = audit.Open(k)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	return journal.Record(c.Context(), &e)
}

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sceau/audit"
	"sceau/oidc/means/passkey"
	"sceau/oidc/means/totp"
)

func oidcPasskeyCommand(f *oidcFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "passkey",
		Short: "Let a person enrol a passkey, and take passkeys out of use",
	}
	c.AddCommand(passkeyTicketCommand(f), passkeyListCommand(f), passkeyRevokeCommand(f))
	return c
}

func passkeyTicketCommand(f *oidcFlags) *cobra.Command {
	var label, life string
	c := f.changeFlags(&cobra.Command{
		Use:   "ticket --config FILE --account ACCOUNT [--label LABEL] [--life 24h]",
		Short: "Make a ticket with which a person enrols one passkey",
		Long: `Ticket writes a text that is good once, for the account alone, and the address where its
person enrols with it: after a login by another means, less than ten minutes ago, in the
same browser. Give it to him by another way than the one by which he logs in. It is kept
here as its SHA-256.`,
		Args: cobra.NoArgs,
		RunE: f.at(true, func(c *cobra.Command, d *personDesk, _ []string) error {
			good, err := parsePeriod(life)
			if err != nil {
				return fmt.Errorf("--life: %w", err)
			}
			if good <= 0 || good > passkey.LongestTicket {
				return fmt.Errorf("--life: more than nothing, and %d days at most", passkey.LongestTicket/(24*time.Hour))
			}
			kept, err := d.Passkeys()
			if err != nil {
				return err
			}
			if !d.Enrols() {
				return errors.New("the establishment has no means of the kind passkey")
			}
			if err := d.record(c, audit.Event{Operation: audit.OperationEnrolment, Action: audit.ActionTicket}); err != nil {
				return err
			}
			now := d.now()
			text, err := passkey.NewTicket(c.Context(), kept, d.account.ID, label, d.by, now, good)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "ticket   %s\naddress  %s/enrol#%s\nuntil    %s\n", text, d.Issuer(), text, now.Add(good).UTC().Format(time.RFC3339))
			return err
		}),
	})
	c.Flags().StringVar(&label, "label", "", "what the passkey is `called`: for whom reads the list, and the person")
	c.Flags().StringVar(&life, "life", "24h", "for how `long` the ticket is good")
	return c
}

func passkeyListCommand(f *oidcFlags) *cobra.Command {
	return f.accountFlags(&cobra.Command{
		Use:   "list --config FILE --account ACCOUNT",
		Short: "Show the passkeys of a person",
		Args:  cobra.NoArgs,
		RunE: f.at(false, func(c *cobra.Command, d *personDesk, _ []string) error {
			kept, err := d.Passkeys()
			if err != nil {
				return err
			}
			all, err := kept.Of(c.Context(), d.account.ID)
			if err != nil {
				return err
			}
			return writePasskeys(c.OutOrStdout(), all)
		}),
	})
}

// fullName names a passkey on a command line, where the name that the trail has could look like a flag.
func fullName(p *passkey.Passkey) string { return fmt.Sprintf("%x", sha256.Sum256(p.ID)) }

func shortName(p *passkey.Passkey) string { return fullName(p)[:12] }

func writePasskeys(out io.Writer, all []passkey.Passkey) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no passkey")
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range all {
		p := &all[i]
		used, state := "never used", "in use"
		if !p.Used.IsZero() {
			used = "used " + p.Used.UTC().Format(time.RFC3339)
		}
		if p.Revoked {
			state = "revoked"
		}
		fmt.Fprintf(t, "%s\t%s\t%q\tby %s\tmade %s\t%s\n", shortName(p), state, p.Label, plain(p.By), p.Created.UTC().Format(time.RFC3339), used)
	}
	return t.Flush()
}

func passkeyRevokeCommand(f *oidcFlags) *cobra.Command {
	var all bool
	c := f.changeFlags(&cobra.Command{
		Use:   "revoke NAME --config FILE --account ACCOUNT",
		Short: "Take a passkey out of use for good",
		Long: `Revoke takes the passkey of that name (stsd oidc passkey list; its beginning will do)
out of use, or with --all every passkey of the person. It counts from the next login on:
sessions that were begun by it go on until their end.`,
		Args: cobra.MaximumNArgs(1),
		RunE: f.at(false, func(c *cobra.Command, d *personDesk, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("say the name of a passkey, or --all")
			}
			kept, err := d.Passkeys()
			if err != nil {
				return err
			}
			found, err := kept.Of(c.Context(), d.account.ID)
			if err != nil {
				return err
			}
			var meant []passkey.Passkey
			for _, p := range found {
				if !p.Revoked && (all || len(args[0]) >= 4 && strings.HasPrefix(fullName(&p), args[0])) {
					meant = append(meant, p)
				}
			}
			switch {
			case len(meant) == 0:
				return finding("the person has no such passkey in use")
			case len(meant) > 1 && !all:
				return finding("several passkeys begin like that")
			}
			for i := range meant {
				if err := d.revoke(c, kept, &meant[i]); err != nil {
					return err
				}
			}
			return nil
		}),
	})
	c.Flags().BoolVar(&all, "all", false, "every passkey of the person")
	return c
}

func (d *personDesk) revoke(c *cobra.Command, kept passkey.Store, p *passkey.Passkey) error {
	if err := d.record(c, audit.Event{Operation: audit.OperationEnrolment, Action: audit.ActionRemove, Credential: p.Name()}); err != nil {
		return err
	}
	if err := kept.Revoke(c.Context(), p.ID); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "revoked: %s %q\n", shortName(p), p.Label)
	return err
}

func oidcCodesCommand(f *oidcFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "totp",
		Short: "Give a person a secret for one-time codes, and take it away",
	}
	var replace bool
	enrol := f.changeFlags(&cobra.Command{
		Use:   "enrol --config FILE --account ACCOUNT [--replace]",
		Short: "Give a person a secret for one-time codes",
		Long: `Enrol makes a secret and writes it as an otpauth address, once: the person's device reads
it, as text or from a QR code that another program makes of it. It is kept sealed. Give it
to him by another way than his password.`,
		Args: cobra.NoArgs,
		RunE: f.at(true, func(c *cobra.Command, d *personDesk, _ []string) error {
			codes, verifier, err := d.Codes()
			if err != nil {
				return err
			}
			if _, err := codes.Secret(c.Context(), d.account); !replace && !errors.Is(err, totp.ErrNotEnrolled) {
				if err != nil {
					return err
				}
				return finding("the person has a secret already: --replace makes the device that has it useless")
			}
			if err := d.record(c, audit.Event{Operation: audit.OperationEnrolment, Means: "totp"}); err != nil {
				return err
			}
			secret := totp.NewSecret()
			if err := codes.Enrol(c.Context(), d.account.ID, secret); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), verifier.URL(d.Name(), d.account.Username, secret))
			return err
		}),
	})
	enrol.Flags().BoolVar(&replace, "replace", false, "in the place of the secret that he has")
	c.AddCommand(enrol, f.changeFlags(&cobra.Command{
		Use:   "remove --config FILE --account ACCOUNT",
		Short: "Take away the secret for one-time codes of a person",
		Long: `Remove takes the secret away. Where the configuration has second-factor: required the
person logs in by his password no more; with if-had he does so by his password alone.`,
		Args: cobra.NoArgs,
		RunE: f.at(false, func(c *cobra.Command, d *personDesk, _ []string) error {
			codes, _, err := d.Codes()
			if err != nil {
				return err
			}
			if _, err := codes.Secret(c.Context(), d.account); errors.Is(err, totp.ErrNotEnrolled) { // one that does not open is taken away too
				return finding("the person has no secret")
			}
			if err := d.record(c, audit.Event{Operation: audit.OperationEnrolment, Action: audit.ActionRemove, Means: "totp"}); err != nil {
				return err
			}
			if err := codes.Remove(c.Context(), d.account.ID); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "removed")
			return err
		}),
	}))
	return c
}

package main

import (
	"bufio"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sceau/audit"
	"sceau/cmd/stsd/face"
	"sceau/oidc/client"
	"sceau/oidc/means/people"
)

func oidcCommand() *cobra.Command { return newOIDCCommand(time.Now) }

func newOIDCCommand(now func() time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "oidc",
		Short: "Set up identity providers of establishments, and what their persons log in with",
		Long: `The OpenID Connect face is configured in a file of its own, which the configuration of
the server names as oidc. Keys and secrets are made by these commands:

  stsd oidc config > oidc.yaml     the commented configuration: it is the manual
  stsd oidc key FILE               a key that signs tokens
  stsd oidc secret                 a secret of a client
  stsd oidc seal FILE              a key under which secrets are kept
  stsd oidc init --config FILE     the databases that the configuration names

What a person logs in with an administrator gives him and takes away: nobody changes
the strength of his own authentication (EXI FI 24). Each of these changes stands in the
audit trail before it is made: in that of the configuration or, while a server appends
to it, in the folder administration there, which is a journal of its own.`,
	}
	f := &oidcFlags{now: now}
	c.AddCommand(oidcConfigCommand(), oidcKeyCommand(), oidcSecretCommand(), controlTokenCommand(), oidcPasswordCommand(), oidcSealCommand(),
		oidcInitCommand(f), oidcClientsCommand(), oidcPasskeyCommand(f), oidcCodesCommand(f), oidcConsentsCommand(f))
	return c
}

func oidcConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the commented configuration of the OpenID Connect face",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(face.Example)
			return err
		},
	}
}

func oidcKeyCommand() *cobra.Command {
	var algorithm string
	var bits int
	c := &cobra.Command{
		Use:   "key FILE [--algorithm RS256|PS256|ES256]",
		Short: "Make a key that signs the tokens of an establishment",
		Long: `Key makes a private key, in PKCS #8, in a file for its owner alone, and writes the line
that names it in the configuration. It overwrites nothing. Pro Santé Connect needs RS256.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var key crypto.Signer
			var err error
			switch algorithm {
			case "RS256", "PS256":
				if bits < 2048 || bits > 4096 {
					return errors.New("--bits: between 2048 and 4096")
				}
				key, err = rsa.GenerateKey(rand.Reader, bits)
			case "ES256":
				key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			default:
				return errors.New("--algorithm is none of RS256, PS256 and ES256")
			}
			if err != nil {
				return err
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				return err
			}
			if err := writeNew(args[0], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "- {file: %s, algorithm: %s}\n", args[0], algorithm)
			return err
		},
	}
	c.Flags().StringVar(&algorithm, "algorithm", "RS256", "`what` the key signs with")
	c.Flags().IntVar(&bits, "bits", 3072, "`length` of an RSA key")
	return c
}

func oidcSecretCommand() *cobra.Command {
	var keyFile string
	var given bool
	c := &cobra.Command{
		Use:   "secret [--key-file FILE]",
		Short: "Make a secret of a client",
		Long: `Secret writes a new secret, which is handed to the client by a safe way and kept nowhere
here, and the line that clients.yaml has of it: its SHA-256 or, with --key-file, its
HMAC under the key that the establishment names as secret-key-file (stsd oidc seal).

With --given it reads from its standard input a secret that somebody else made.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var key []byte
			if keyFile != "" {
				text, err := os.ReadFile(keyFile)
				if err != nil {
					return err
				}
				if key, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(text))); err != nil {
					return fmt.Errorf("--key-file: %w", err)
				}
			}
			if given {
				secret, err := oneLine(cmd.InOrStdin())
				if err != nil {
					return err
				}
				stored, err := client.HashSecret(secret, key)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "secrets: [{hash: %q}]\n", stored)
				return err
			}
			secret, stored, err := client.NewSecret(key)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "secret   %s\nsecrets: [{hash: %q}]\n", secret, stored)
			return err
		},
	}
	c.Flags().StringVar(&keyFile, "key-file", "", "the `file` that is the secret-key-file of the establishment")
	c.Flags().BoolVar(&given, "given", false, "read the secret from the standard input")
	return c
}

// maxLine bounds what is typed.
const maxLine = 4 << 10

// oneLine reads a line that is not empty, and refuses another.
func oneLine(in io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(in), maxLine+1))
	if err != nil {
		return "", err
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if line == "" || len(text) > maxLine || strings.ContainsAny(line, "\r\n\x00") {
		return "", errors.New("want one line on the standard input")
	}
	return line, nil
}

func oidcPasswordCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "password",
		Short: "Make what stands in the file of invented people for a password",
		Long: `Password reads a password from its standard input, one line, and writes its Argon2id
hash for the file of people of a sandbox. People who are not invented are in a directory.`,
		Example: "  stsd oidc password < password.txt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			secret, err := oneLine(cmd.InOrStdin())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "password: %s\n", people.Hash(secret))
			return err
		},
	}
}

func oidcSealCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "seal FILE",
		Short: "Make a key under which secrets are kept",
		Long: `Seal makes a key of 32 random octets in a file for its owner alone: under one the secrets
of one-time codes are sealed (seal), under another those of clients are kept
(secret-key-file). It overwrites nothing. What was sealed does not open without it: back
it up apart from the database.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key := make([]byte, 32)
			rand.Read(key) // never fails
			return writeNew(args[0], []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600)
		},
	}
}

func oidcInitCommand(f *oidcFlags) *cobra.Command {
	return f.configFlag(&cobra.Command{
		Use:   "init --config FILE",
		Short: "Make the databases of the OpenID Connect face, or bring them up to date",
		Long: `Init makes the tables of what outlives a request (store) and of passkeys and one-time
codes (credentials), where the configuration has them in a database. It changes nothing
that is up to date. Stop servers of an older program before.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, k, err := f.read()
			if err != nil {
				return err
			}
			made, err := k.Init(c.Context())
			for _, line := range made {
				fmt.Fprintln(c.OutOrStdout(), line)
			}
			if err == nil && len(made) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "the configuration names no database")
			}
			return err
		},
	})
}

func oidcClientsCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "clients --config FILE",
		Short: "List the clients, and which means each admits",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := &problems{file: path}
			config := readConfig(path, p)
			if err := p.err(); err != nil {
				return err
			}
			indicators := config.faceIndicators(p)
			if err := p.err(); err != nil {
				return err
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "establishment\tclient\tauthentication\tprofile\tconsent\tmeans")
			for _, e := range indicators.Establishments {
				for _, k := range e.Clients {
					how := k.Authentication
					if k.CertificateRequired && !strings.Contains(how, "tls") {
						how += "+certificate"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(e.Name), plain(k.ID), how, cmp.Or(k.Profile, "-"), cmp.Or(k.Consent, "none"),
						cmp.Or(strings.Join(k.Means, " "), "-"))
				}
			}
			return t.Flush()
		},
	}
	c.Flags().StringVar(&path, "config", "", "configuration `file` of the server")
	_ = c.MarkFlagRequired("config")
	return c
}

func oidcConsentsCommand(f *oidcFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "consents",
		Short: "Show and withdraw what a person consented to",
	}
	c.AddCommand(f.accountFlags(&cobra.Command{
		Use:   "list --config FILE --account ACCOUNT",
		Short: "Show what a person consented to",
		Args:  cobra.NoArgs,
		RunE: f.at(false, func(c *cobra.Command, d *personDesk, _ []string) error {
			consents, err := d.Consents()
			if err != nil {
				return err
			}
			all, err := consents.Of(c.Context(), d.account.ID)
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, one := range all {
				fmt.Fprintf(t, "%s\t%s\tsince %s\t%s\n", plain(one.Client), plain(strings.Join(one.Scopes, " ")), one.Given.UTC().Format(time.RFC3339), plain(one.Terms))
			}
			if len(all) == 0 {
				fmt.Fprintln(t, "no consent")
			}
			return t.Flush()
		}),
	}))
	var of string
	withdraw := f.changeFlags(&cobra.Command{
		Use:   "withdraw --config FILE --account ACCOUNT [--client CLIENT]",
		Short: "Withdraw what a person consented to, for a client or for all",
		Long: `Withdraw does for a person what the page {issuer}/consents does: the consents go, and with
them the grants that stand on them. Access tokens that a service verifies by itself live
until their end. It needs a store that is no server's memory.`,
		Args: cobra.NoArgs,
		RunE: f.at(false, func(c *cobra.Command, d *personDesk, _ []string) error {
			consents, err := d.Consents()
			if err != nil {
				return err
			}
			all, err := consents.Of(c.Context(), d.account.ID)
			if err != nil {
				return err
			}
			var clients []string
			for _, one := range all {
				if of == "" || one.Client == of {
					clients = append(clients, one.Client)
				}
			}
			slices.Sort(clients)
			if len(clients) == 0 {
				return finding("nothing was consented to")
			}
			for _, id := range slices.Compact(clients) {
				if err := d.record(c, audit.Event{Operation: audit.OperationConsent, Action: audit.ActionWithdraw, Client: id}); err != nil {
					return err
				}
				if _, err := consents.Withdraw(c.Context(), d.account.ID, id); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "withdrawn: %s\n", plain(id))
			}
			return nil
		}),
	})
	withdraw.Flags().StringVar(&of, "client", "", "of this `client` alone")
	c.AddCommand(withdraw)
	return c
}

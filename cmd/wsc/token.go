package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/attrs"
	"sceau/certs"
	"sceau/wsc"
)

type tokenFlags struct {
	network
	trust
	sts, mode, passphrase, apps, out, action string
	identity, holder                         keyFlag
	names, attributes, claims                []string
	valid                                    time.Duration
	alwaysInner                              bool
}

func tokenCommand() *cobra.Command {
	f := &tokenFlags{identity: keyFlag{name: "identity"}, holder: keyFlag{name: "holder"}}
	cmd := &cobra.Command{
		Use:   "token --sts URL --identity FILE [--holder FILE] --trust FILE (--app NAME | --attribute NAME[@NAMESPACE])…",
		Short: "Ask an STS for a token, verify it, and print or save it",
		Long: `Asks the token service for an assertion, verifies the answer, and writes the
assertion byte for byte. A summary goes to standard error.

The identity is who asks: an eID, or in fallback an eHealth certificate. The holder is
the certificate to which the token is bound, mostly an eHealth certificate of the
software; without --holder the identity is the holder.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.sts, "sts", "", "`URL` of the token service")
	f.identity.register(flags, "who asks")
	f.holder.register(flags, "to which certificate the token is bound")
	flags.StringVar(&f.passphrase, "passphrase-file", "", "`FILE` with the passphrase of the PKCS #12 files")
	flags.StringVar(&f.mode, "mode", "", "session, eid-only or fallback (default: as the certificates suggest)")
	flags.StringArrayVar(&f.names, "app", nil, "`NAME` of an application, for its attributes (repeatable)")
	flags.StringVar(&f.apps, "apps", "", "YAML `FILE` of applications: name to list of attributes")
	flags.StringArrayVar(&f.attributes, "attribute", nil, "an attribute, `NAME[@NAMESPACE]`; namespace: certified, identification or its URN (repeatable)")
	flags.StringArrayVar(&f.claims, "identification", nil, "`NAME=VALUE` of an identification attribute that the certificates do not bear, or bear otherwise (repeatable)")
	flags.DurationVar(&f.valid, "valid", 24*time.Hour, "wanted `time` of validity; the STS may give less")
	f.trust.register(flags)
	flags.StringVar(&f.out, "out", "-", "`FILE` to write the assertion to, readable by its owner only; - is standard output")
	flags.BoolVar(&f.alwaysInner, "always-sign-inner", false, "sign the request also where identity and holder are one certificate")
	flags.StringVar(&f.action, "action", wsc.ActionRequestSecurityToken, "SOAPAction `URI`")
	f.network.register(flags)
	return cmd
}

func (f *tokenFlags) run(cmd *cobra.Command) error {
	if err := need(cmd, "sts", "identity", "trust"); err != nil {
		return err
	}
	if f.valid <= 0 {
		return usage("--valid must be positive")
	}
	wanted, err := f.wanted(cmd)
	if err != nil {
		return err
	}
	credentials, err := f.credentials()
	if err != nil {
		return err
	}
	request := &wsc.Request{Attributes: wanted, Validity: f.valid}
	if request.Identification, err = f.identification(credentials); err != nil {
		return err
	}
	client, done, err := makeClient(&f.network, &f.trust, func(c *wsc.Config) {
		c.AlwaysSignInner, c.Action = f.alwaysInner, f.action
	})
	if err != nil {
		return err
	}
	defer done()
	token, err := client.Token(cmd.Context(), f.sts, credentials, request)
	if err != nil {
		return err
	}
	if err := writeOutput(cmd, f.out, token.Assertion()); err != nil {
		return err
	}
	summary(cmd.ErrOrStderr(), token, f.out)
	return nil
}

// wanted lists the attributes of applications and flags.
func (f *tokenFlags) wanted(cmd *cobra.Command) ([]attrs.Designator, error) {
	apps := builtin()
	if f.apps != "" {
		content, err := readInput(cmd, f.apps)
		if err != nil {
			return nil, err
		}
		if apps, err = readApplications(content); err != nil {
			return nil, fmt.Errorf("%s: %w", f.apps, err)
		}
	}
	var texts []string
	for _, name := range f.names {
		list, err := apps.attributes(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, list...)
	}
	var wanted []attrs.Designator
	for _, text := range append(texts, f.attributes...) {
		d, err := designator(text)
		if err != nil {
			return nil, usageError{err}
		}
		wanted = append(wanted, d)
	}
	if len(wanted) == 0 {
		return nil, usage("which attributes? Give --app or --attribute")
	}
	return wanted, nil
}

func (f *tokenFlags) credentials() (*wsc.Credentials, error) {
	identity, err := f.identity.load(f.passphrase)
	if err != nil {
		return nil, err
	}
	var holder *certs.Signer
	var holderCertificate *certs.Certificate
	if f.holder.file != "" {
		if holder, err = f.holder.load(f.passphrase); err != nil {
			return nil, err
		}
		holderCertificate = holder.Certificate()
	}
	var mode wsc.Mode
	if f.mode == "" {
		mode, err = wsc.ModeOf(identity.Certificate(), holderCertificate)
	} else {
		mode, err = wsc.ParseMode(f.mode)
	}
	if err != nil {
		return nil, err
	}
	return wsc.NewCredentials(mode, identity, holder)
}

// identification is what the certificates bear, with what the command line says put
// in its place.
func (f *tokenFlags) identification(credentials *wsc.Credentials) ([]wsc.Attribute, error) {
	all := credentials.Identification()
	for _, text := range f.claims {
		claim, err := identification(text)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(a wsc.Attribute) bool { return a.Designator == claim.Designator })
		all = append(all, claim)
	}
	return all, nil
}

// summary tells a person what he got.
func summary(w io.Writer, t *wsc.Token, out string) {
	fmt.Fprintf(w, "token %s from %s, signed by %s: verified\n", wsc.Printable([]byte(t.ID())), wsc.Printable([]byte(t.Issuer())), dn(t.SignedBy().Certificate().Subject()))
	fmt.Fprintf(w, "valid until %s (%s), for the holder of %s\n", moment(t.NotOnOrAfter()), span(time.Until(t.NotOnOrAfter())), dn(t.Holder().Subject()))
	for _, a := range t.Attributes() {
		fmt.Fprintf(w, "  %s = %s\n", wsc.Printable([]byte(a.Name)), values(a.Values))
	}
	for _, d := range t.LeftOut() {
		fmt.Fprintf(w, "  %s was left out by the STS\n", wsc.Printable([]byte(d.Name)))
	}
	if out != "-" {
		fmt.Fprintf(w, "saved in %s\n", out)
	}
}

func values(list []string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = wsc.Printable([]byte(v))
		if v == "" {
			out[i] = "(unknown)"
		}
	}
	return strings.Join(out, ", ")
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// span writes a duration as people say it, in its two greatest units.
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

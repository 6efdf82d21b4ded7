package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/wsc"
)

type tokenFlags struct {
	network
	trust
	asking
	sts, out string
}

func tokenCommand() *cobra.Command {
	f := &tokenFlags{asking: newAsking()}
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
	f.asking.register(flags)
	f.trust.register(flags)
	flags.StringVar(&f.out, "out", "-", "`FILE` to write the assertion to, readable by its owner only; - is standard output")
	flags.StringVar(&f.action, "action", wsc.ActionRequestSecurityToken, "SOAPAction `URI`")
	f.network.register(flags)
	return cmd
}

func (f *tokenFlags) run(cmd *cobra.Command) error {
	if err := need(cmd, "sts", "identity", "trust"); err != nil {
		return err
	}
	defer f.asking.close()
	credentials, request, err := f.ask(cmd)
	if err != nil {
		return err
	}
	client, done, err := makeClient(&f.network, &f.trust, f.shape)
	if err != nil {
		return err
	}
	defer done()
	token, err := client.Token(cmd.Context(), f.sts, credentials[0], request)
	if err != nil {
		return err
	}
	if err := writeOutput(cmd, f.out, token.Assertion()); err != nil {
		return err
	}
	summary(cmd.ErrOrStderr(), token, f.out)
	return nil
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

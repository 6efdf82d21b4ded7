package main

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sceau/certs"
)

func certCommand() *cobra.Command {
	c := &cobra.Command{Use: "cert", Short: "Explain certificates"}
	c.AddCommand(certExplainCommand())
	return c
}

func certExplainCommand() *cobra.Command {
	var path, at string
	var with []string
	var rules bool
	c := &cobra.Command{
		Use:   "explain --config FILE CERTIFICATE...",
		Short: "Say whom a certificate identifies, in which role, and otherwise the first rule it breaks",
		Long: `Explain asks every profile of a configuration about each certificate (PEM or
DER; a PEM file may hold those above it too) and says whom it names, in which
role it would be accepted, by which path, how the revocation of each certificate
of the path stands, and where it is refused the first rule that it breaks. CRLs
are those of the files and the cache; the network is not asked. No OCSP answer
is there either: where one is required, the certificate is refused for that.

The status is 1 when no role accepts a certificate. What it prints names a
person: mind where it goes.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			trust, s, err := trustOf(path)
			if err != nil {
				return err
			}
			moment := s.now()
			if at != "" {
				if moment, err = time.Parse(time.RFC3339, at); err != nil {
					return fmt.Errorf("--at: %q is no time such as 2026-11-28T12:00:00Z", at)
				}
				trust.Now = func() time.Time { return moment }
			}
			trust.CRL.Offline = true
			v, err := certs.NewVerifier(trust)
			if err != nil {
				return err
			}
			defer v.Close()
			above, err := readChain(with)
			if err != nil {
				return err
			}
			refused := 0
			for _, file := range files {
				chain, err := readChain([]string{file})
				if err != nil {
					return err
				}
				e := v.Explain(chain[0], append(chain[1:], above...), moment)
				if !writeExplanation(cmd.OutOrStdout(), file, &e, rules) {
					refused++
				}
			}
			if refused > 0 {
				return finding(fmt.Sprintf("%s accepted in no role", count(refused, "certificate is", "certificates are")))
			}
			return nil
		},
	}
	configFlag(c, &path)
	c.Flags().StringVar(&at, "at", "", "judge at this `time` (RFC 3339) instead of now")
	c.Flags().StringSliceVar(&with, "with", nil, "`files` of intermediate certificates, as a message may bring them")
	c.Flags().BoolVar(&rules, "rules", false, "show every rule that was asked, not only the one that is broken")
	return c
}

// readChain reads the certificates of files, in their order.
func readChain(files []string) ([]*certs.Certificate, error) {
	var all []*certs.Certificate
	for _, file := range files {
		ders, err := certs.ReadCertificates(file)
		if err != nil {
			return nil, err
		}
		for _, der := range ders {
			c, err := certs.ParseCertificate(der)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// writeExplanation shows one explanation, and tells whether any role accepts the certificate.
func writeExplanation(out io.Writer, file string, e *certs.Explanation, rules bool) (accepted bool) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	c := e.Certificate
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %s\t%s\n", name, plain(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(w, "%s\n", plain(file))
	line("names", "%s", subjectText(e))
	line("subject", "%s", c.Subject())
	line("issuer", "%s", c.Issuer())
	line("serial", "%x", c.SerialNumber())
	line("key", "%s, signed with %s", keyText(c), c.X509().SignatureAlgorithm)
	line("valid", "%s until %s", c.NotBefore().UTC().Format(time.RFC3339), c.NotAfter().UTC().Format(time.RFC3339))
	fingerprint := c.Fingerprint()
	line("sha256", "%s", hex.EncodeToString(fingerprint[:]))
	for i := range e.Profiles {
		p := &e.Profiles[i]
		verdict := "REFUSED"
		if p.Err == nil {
			accepted = true
			verdict = fmt.Sprintf("accepted as %s, revocation %s", p.Kind, p.Status)
		}
		line("as "+string(p.Role), "%s by profile %q", verdict, p.Profile)
		for _, r := range p.Rules {
			switch {
			case r.Err != nil:
				line("", "first rule broken: %s: %s", r.Rule, because(r.Err))
			case rules:
				line("", "kept: %s", r.Rule)
			}
		}
		for n, step := range p.Path {
			line("", "path %d: %s: %s", n, step.Certificate.Subject(), stepText(&step))
		}
	}
	return accepted
}

// because is the text of a refusal without the name of the package.
func because(err error) string { return strings.TrimPrefix(err.Error(), "certs: ") }

func subjectText(e *certs.Explanation) string {
	if e.SubjectErr != nil {
		return "nobody that is known: " + because(e.SubjectErr)
	}
	var words []string
	for _, word := range []string{e.Names.Given, e.Names.Surname, e.Names.Holder} {
		if word != "" {
			words = append(words, word)
		}
	}
	return fmt.Sprintf("%s %s %s, %s", e.Kind, e.Type, e.Identifier, strings.Join(words, " "))
}

func keyText(c *certs.Certificate) string {
	switch key := c.PublicKey().(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return key.Curve.Params().Name
	}
	return fmt.Sprintf("%T", c.PublicKey())
}

func stepText(s *certs.PathStep) string {
	var words []string
	if s.Root {
		words = append(words, "trusted by configuration")
	} else if s.Configured {
		words = append(words, "configured")
	}
	var refused *certs.Error
	switch {
	case !s.RevokedAt.IsZero():
		words = append(words, fmt.Sprintf("REVOKED since %s (%s)", s.RevokedAt.Format(time.RFC3339), reasonText(s.Reason)))
	case errors.As(s.Err, &refused):
		words = append(words, because(s.Err))
	case !s.Root:
		words = append(words, s.Status.String())
	}
	return strings.Join(words, ", ")
}

// reasonText gives the reason code of a CRL entry in the words of RFC 5280 section 5.3.1.
func reasonText(code int) string {
	names := []string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}
	if code < 0 || code >= len(names) || names[code] == "" {
		return fmt.Sprintf("reason %d", code)
	}
	return names[code]
}

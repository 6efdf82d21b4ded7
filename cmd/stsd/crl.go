package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sceau/certs"
)

func crlCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "crl",
		Short: "Look at, fetch and verify the revocation lists of the authorities",
	}
	c.AddCommand(crlStatusCommand(), crlFetchCommand(), crlVerifyCommand())
	return c
}

// trustOf reads what a configuration says of trust, and nothing else of it.
func trustOf(path string) (certs.Config, *system, error) {
	p := &problems{file: path}
	config := readConfig(path, p)
	if err := p.err(); err != nil {
		return certs.Config{}, nil, err
	}
	s := &system{config: config, now: time.Now, log: slog.New(slog.DiscardHandler)}
	if config.TestClock.Line > 0 {
		s.now = func() time.Time { return config.TestClock.V }
	}
	trust := s.trust(p)
	return trust, s, p.err()
}

func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "config", "", "configuration `file`")
	_ = c.MarkFlagRequired("config") // fails only for a flag that is not there
}

func crlStatusCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "status --config FILE",
		Short: "Say how the CRLs of every authority stand, from files and cache",
		Long: `Status reads the CRL files and the cache of a configuration and says how every
authority stands now, without asking the network. The status is 1 when the
certificates of an authority would be refused for want of a CRL. How a running
server stands is told by its /healthz/ready and /metrics.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trust, s, err := trustOf(path)
			if err != nil {
				return err
			}
			trust.CRL.Offline = true
			v, err := certs.NewVerifier(trust)
			if err != nil {
				return err
			}
			defer v.Close()
			return writeCRLStatus(cmd.OutOrStdout(), v.Status(s.now()), s.now())
		},
	}
	configFlag(c, &path)
	return c
}

func crlFetchCommand() *cobra.Command {
	var path string
	var limit time.Duration
	c := &cobra.Command{
		Use:   "fetch --config FILE",
		Short: "Fetch the CRLs of every distribution point now, into the cache",
		Long: `Fetch asks every distribution point of a configuration once, verifies what
comes, and keeps it in trust.crl-cache, where a server that starts finds it. A
running server fetches by itself. The status is 1 when an authority has no
usable CRL afterwards or a distribution point failed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trust, s, err := trustOf(path)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), limit)
			defer cancel()
			status, err := certs.FetchCRLs(ctx, trust)
			if err != nil && len(status.Authorities) == 0 {
				return err
			}
			told := writeCRLStatus(cmd.OutOrStdout(), status, s.now())
			if err != nil {
				return errors.Join(finding("not every distribution point gave a CRL"), told)
			}
			if trust.CRL.CacheDir == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "nothing was kept: the configuration names no trust.crl-cache")
			}
			return told
		},
	}
	configFlag(c, &path)
	c.Flags().DurationVar(&limit, "timeout", 2*time.Minute, "give up after this `time`")
	return c
}

func crlVerifyCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "verify --config FILE CRL...",
		Short: "Say what a CRL file holds, who signed it, and whether it would count",
		Long: `Verify reads CRL files (DER or PEM) and says of each list what it holds, for
which authority of the configuration it counts, and if it does not, why not.
Nothing is changed. The status is 1 when a list does not count.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			trust, s, err := trustOf(path)
			if err != nil {
				return err
			}
			trust.CRL.Offline = true
			v, err := certs.NewVerifier(trust)
			if err != nil {
				return err
			}
			defer v.Close()
			bad := 0
			for _, file := range files {
				lists, err := certs.ReadCRLs(file, cmp.Or(trust.CRL.MaxBytes, 64<<20))
				if err != nil {
					return err
				}
				for _, der := range lists {
					report := v.ReportCRL(der, s.now())
					if report.Err != nil {
						bad++
					}
					writeCRLReport(cmd.OutOrStdout(), file, &report)
				}
			}
			if bad > 0 {
				return finding(fmt.Sprintf("%s not count", count(bad, "list does", "lists do")))
			}
			return nil
		},
	}
	configFlag(c, &path)
	return c
}

// writeCRLStatus shows every authority with its sources. The error is a finding when one has no usable CRL.
func writeCRLStatus(out io.Writer, status certs.Status, now time.Time) error {
	unusable := 0
	for i := range status.Authorities {
		a := &status.Authorities[i]
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "%s\n", plain(a.Subject))
		verdict := "certificates that are not listed pass"
		if !a.Usable() {
			unusable++
			verdict = "its certificates are REFUSED"
		}
		fmt.Fprintf(w, "  revocation\t%s: %s\n", a.Revocation, verdict)
		fmt.Fprintf(w, "  CRL\t%s%s\n", a.State, soonText(a))
		if a.Lists > 0 {
			fmt.Fprintf(w, "  number\t%v, %s\n", a.Number, agoText(a.Age))
			fmt.Fprintf(w, "  entries\t%d in %s%s\n", a.Entries, count(a.Lists, "list", "lists"), deltaText(a.Deltas))
			fmt.Fprintf(w, "  this update\t%s\n", a.ThisUpdate.UTC().Format(time.RFC3339))
			fmt.Fprintf(w, "  next update\t%s (%s)\n", a.NextUpdate.UTC().Format(time.RFC3339), inText(a.NextUpdate.Sub(now)))
		}
		for _, source := range a.Sources {
			said := "in order"
			if source.LastError != nil {
				said = plain(source.LastError.Error())
			}
			fmt.Fprintf(w, "  from\t%s: %s\n", plain(source.Source), said)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if unusable > 0 {
		return finding(fmt.Sprintf("%s no usable CRL", count(unusable, "authority has", "authorities have")))
	}
	return nil
}

func soonText(a *certs.AuthorityStatus) string {
	if a.Soon && a.State == certs.CRLFresh {
		return ", ends soon"
	}
	return ""
}

func deltaText(n int) string {
	if n == 0 {
		return ""
	}
	return " and " + count(n, "delta", "deltas")
}

func agoText(d time.Duration) string { return d.Round(time.Second).String() + " old" }

func inText(d time.Duration) string {
	if d < 0 {
		return (-d).Round(time.Second).String() + " ago"
	}
	return "in " + d.Round(time.Second).String()
}

func writeCRLReport(out io.Writer, file string, r *certs.CRLReport) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "%s\n", plain(file))
	if r.Number != nil {
		kind := "complete"
		if r.Base != nil {
			kind = "delta on " + r.Base.String()
		}
		if r.Partition {
			kind += ", for some certificates or reasons"
		}
		fmt.Fprintf(w, "  issuer\t%s\n", plain(r.Issuer))
		fmt.Fprintf(w, "  number\t%v, %s\n", r.Number, kind)
		fmt.Fprintf(w, "  this update\t%s\n", r.ThisUpdate.UTC().Format(time.RFC3339))
		fmt.Fprintf(w, "  next update\t%s (%s)\n", r.NextUpdate.UTC().Format(time.RFC3339), r.State)
	}
	if r.Authority != "" {
		fmt.Fprintf(w, "  entries\t%d\n", r.Entries)
		fmt.Fprintf(w, "  signed by\t%s, certificate %s\n", plain(r.Authority), hex.EncodeToString(r.Fingerprint[:8]))
	}
	if r.Err != nil {
		fmt.Fprintf(w, "  counts\tno: %s\n", plain(r.Err.Error()))
		return
	}
	fmt.Fprintf(w, "  counts\tyes\n")
}

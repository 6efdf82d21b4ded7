package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/audit"
	"sceau/policy/store"
	"sceau/policy/trial"
)

func policyLintCommand(f *policyFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "lint POLICIES --config FILE",
		Short: "Say everything that is wrong with policies, and what is hardly meant",
		Args:  cobra.ExactArgs(1),
		RunE: f.at(false, func(c *cobra.Command, d *policyDesk, args []string) error {
			set, err := d.set(c.Context(), args[0])
			if err != nil {
				return err
			}
			one, err := d.check(c.Context(), set)
			if err != nil {
				return finding(err.Error())
			}
			one.warn(c.OutOrStdout())
			_, err = fmt.Fprintf(c.OutOrStdout(), "in order; %s\n", count(one.tests, "test holds", "tests hold"))
			return err
		}),
	}
}

func policyTestCommand(f *policyFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "test POLICIES --config FILE",
		Short: "Run the tests that are kept with policies",
		Long:  "Test runs the tests in the folder tests beside the policies (go doc ./policy/trial).\nThe status is 1 when one does not hold, and when there is none.",
		Args:  cobra.ExactArgs(1),
		RunE: f.at(false, func(c *cobra.Command, d *policyDesk, args []string) error {
			set, err := d.set(c.Context(), args[0])
			if err != nil {
				return err
			}
			catalogue, err := d.catalogueOf(set)
			if err != nil {
				return err
			}
			results, err := set.run(c.Context(), catalogue)
			if err != nil {
				return finding(err.Error())
			}
			for _, r := range results {
				word := "holds"
				if len(r.Failures) > 0 {
					word = "DOES NOT HOLD"
				}
				fmt.Fprintf(c.OutOrStdout(), "%-14s %s:%d %s\n", word, plain(r.File), r.Line, plain(r.Name))
				for _, text := range r.Failures {
					fmt.Fprintf(c.OutOrStdout(), "%-14s   %s\n", "", plain(text))
				}
			}
			failed := len(trial.Failed(results))
			switch {
			case len(results) == 0:
				return finding("there is no test")
			case failed > 0:
				return finding(fmt.Sprintf("%d of %s do not hold", failed, count(len(results), "test", "tests")))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", count(len(results), "test holds", "tests hold"))
			return err
		}),
	}
}

// trailFlags say where decisions were recorded.
type trailFlags struct{ dir, key, since, until string }

func (t *trailFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&t.dir, "audit", "", "the `directory` of the audit trail; else that of the configuration")
	c.Flags().StringVar(&t.key, "pseudonym-key", "", "the key `file` of the pseudonyms; else pseudonym.key in the directory")
}

// open gives the directory, and how identifiers that policies name are recognised.
func (t *trailFlags) open(d *policyDesk) (dir string, pseudonym func(audit.Identifier) audit.Pseudonym, err error) {
	if dir = t.dir; dir == "" {
		dir = d.config.path(d.config.Audit.Dir)
	}
	if dir == "" {
		return "", nil, errors.New("the configuration names no audit.dir; say --audit")
	}
	path := t.key
	if path == "" {
		path = filepath.Join(dir, "pseudonym.key")
	}
	key, err := audit.ReadKeyFile(path)
	if err != nil {
		return "", nil, fmt.Errorf("--pseudonym-key: %w", err)
	}
	return dir, key.Pseudonym, nil
}

// candidate makes of a set what can be tried.
func (d *policyDesk) candidate(set *policySet) (trial.Candidate, error) {
	catalogue, err := d.catalogueOf(set)
	if err != nil {
		return trial.Candidate{}, err
	}
	pdp, err := set.open(catalogue, &trial.Facts{})
	if err != nil {
		return trial.Candidate{}, err
	}
	words, err := trial.WordsOf(pdp)
	if err != nil {
		return trial.Candidate{}, err
	}
	return trial.Candidate{Open: set.opener(catalogue), Words: words, Catalogue: catalogue}, nil
}

func policyDryRunCommand(f *policyFlags) *cobra.Command {
	var t trailFlags
	c := &cobra.Command{
		Use:   "dry-run POLICIES [POLICIES] --config FILE",
		Short: "Show which recorded decisions would change",
		Long: `Dry-run asks every decision of the audit trail again, of the policies in force and
of the others, or of two that you name, the first as those that decided. The trail
has pseudonyms and no values: a decision changes surely when it does whatever the
facts were under which it can have ended as it did, and perhaps when it does under
some of them. What a client sent along with a question is not on the trail; such
decisions are counted as not repeated. The status is 1 when something changes.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: f.at(false, func(c *cobra.Command, d *policyDesk, args []string) error {
			if len(args) == 1 {
				args = []string{"active", args[0]}
			}
			var candidates [2]trial.Candidate
			for i, word := range args {
				set, err := d.set(c.Context(), word)
				if err == nil {
					candidates[i], err = d.candidate(set)
				}
				if err != nil {
					return err
				}
			}
			dir, pseudonym, err := t.open(d)
			if err != nil {
				return err
			}
			q := audit.Query{}
			for _, bound := range []struct {
				flag, text string
				to         *time.Time
			}{{"--since", t.since, &q.Since}, {"--until", t.until, &q.Until}} {
				if bound.text == "" {
					continue
				}
				if *bound.to, err = parseMoment(bound.text, d.now()); err != nil {
					return fmt.Errorf("%s: %w", bound.flag, err)
				}
			}
			report, err := trial.Replay(c.Context(), audit.List(dir, q), trial.ReplayConfig{
				Before: candidates[0], After: candidates[1], Pseudonym: pseudonym,
			})
			if err != nil {
				return err
			}
			return writeReplay(c.OutOrStdout(), report)
		}),
	}
	t.add(c)
	c.Flags().StringVar(&t.since, "since", "", "decisions of this `time` and later (RFC 3339, a day, or 90m ago)")
	c.Flags().StringVar(&t.until, "until", "", "decisions before this `time`")
	return c
}

func writeReplay(out io.Writer, r *trial.Report) error {
	changed := 0
	for _, c := range r.Changes {
		changed += c.Count
		how := "would change"
		if !c.Surely {
			how = "may change"
		}
		fmt.Fprintf(out, "%d %s: %s\n", c.Count, how, plain(c.What))
		for _, line := range c.Lines {
			fmt.Fprintf(out, "    %s\n", plain(line))
		}
		if !c.Surely {
			for _, line := range c.Assuming {
				fmt.Fprintf(out, "    if %s\n", plain(line))
			}
		}
		fmt.Fprintf(out, "    such as %s\n", plain(strings.Join(c.IDs, " ")))
	}
	fmt.Fprintf(out, "%s by policy: %d would end the same, %d otherwise or perhaps\n", count(r.Decisions, "decision", "decisions"), r.Same, changed)
	for _, why := range slices.Sorted(maps.Keys(r.Unrepeatable)) {
		fmt.Fprintf(out, "%d not repeated: %s\n", r.Unrepeatable[why], why)
	}
	if changed > 0 {
		return finding(count(changed, "decision changes, or may", "decisions change, or may"))
	}
	return nil
}

func policyExplainCommand(f *policyFlags) *cobra.Command {
	var t trailFlags
	c := &cobra.Command{
		Use:   "explain AUDIT-ID --config FILE",
		Short: "Say why a request was refused, from the id that its answer carried",
		Long: `Explain finds the record, and the policies that were in force then, and says by
which of them it was refused, what concerns the matter, and what would have had to
be otherwise. The trail has no values: where a fact was not told, it is named.`,
		Args: cobra.ExactArgs(1),
		RunE: f.at(false, func(c *cobra.Command, d *policyDesk, args []string) error {
			id, err := audit.ParseID(strings.ToLower(args[0]))
			if err != nil {
				return err
			}
			dir, pseudonym, err := t.open(d)
			if err != nil {
				return err
			}
			entry, err := first(audit.List(dir, audit.Query{ID: id}))
			if err != nil {
				return err
			}
			if entry == nil {
				return finding("the trail has no such record")
			}
			if err := writeRecord(c.OutOrStdout(), entry); err != nil {
				return err
			}
			return d.explain(c.Context(), c.OutOrStdout(), dir, entry, pseudonym)
		}),
	}
	t.add(c)
	return c
}

// first gives the first record, nil where there is none.
func first(list iter.Seq2[*audit.Entry, error]) (*audit.Entry, error) {
	for e, err := range list {
		return e, err
	}
	return nil, nil
}

// explain says why a decision ended as it did, by the policies of then.
func (d *policyDesk) explain(ctx context.Context, out io.Writer, dir string, e *audit.Entry, pseudonym func(audit.Identifier) audit.Pseudonym) error {
	var set *policySet
	var err error
	if d.store == nil {
		if set, err = d.set(ctx, "active"); err == nil {
			fmt.Fprintln(out, "by the policies as they lie there now, which may have been others then")
		}
	} else {
		set, err = d.setAt(ctx, out, dir, e.Time)
	}
	if err != nil {
		return err
	}
	candidate, err := d.candidate(set)
	if err != nil {
		return err
	}
	x, err := trial.Explain(ctx, e, candidate, pseudonym)
	switch {
	case err != nil:
		return err
	case x.Reason != "":
		_, err := fmt.Fprintf(out, "nothing to explain: %s\n", x.Reason)
		return err
	case len(x.Denied) == 0:
		_, err := fmt.Fprintln(out, "policy denied nothing")
		return err
	}
	for _, denied := range x.Denied {
		writeDenial(out, &denied)
	}
	return nil
}

// setAt gives the version that decided at an instant: the one that the server, by its trail, had put in force. It may not have taken
// what the store said then. Of a trail that does not go back so far it is the one that the store says.
func (d *policyDesk) setAt(ctx context.Context, out io.Writer, dir string, at time.Time) (*policySet, error) {
	var v store.Version
	for e, err := range audit.List(dir, audit.Query{Service: servicePolicy, Outcome: audit.Success, Until: at.Add(1)}) {
		if err != nil {
			return nil, err
		}
		var content string
		_, err = fmt.Sscanf(e.Policies, policyContent, &content)
		if v.Number, _ = strconv.ParseInt(e.Resource.Name, 10, 64); err != nil || v.Number < 1 {
			return nil, fmt.Errorf("record %s does not say which version was put in force", e.ID)
		}
		if v.Content, err = store.ParseDigest(content); err != nil {
			return nil, err
		}
	}
	if v.Number > 0 {
		fmt.Fprintf(out, "by version %d, which was in force then\n", v.Number)
		return d.stored(ctx, v)
	}
	v, ok := d.history.ActiveAt(at)
	if !ok {
		return nil, finding("no version was in force then")
	}
	fmt.Fprintf(out, "by version %d, which was in force in the store then\n", v.Number)
	return d.stored(ctx, v)
}

func writeDenial(out io.Writer, d *trial.Denial) {
	fmt.Fprintf(out, "\ndenied: %s\n", plain(d.What))
	if len(d.By) > 0 {
		fmt.Fprintf(out, "  forbidden by %s\n", plain(strings.Join(d.By, ", ")))
	} else {
		fmt.Fprintln(out, "  no policy permits it")
	}
	for _, way := range d.Unless {
		fmt.Fprintf(out, "  it would be permitted if %s\n", plain(strings.Join(way, ", and ")))
	}
	if len(d.Unless) == 0 {
		fmt.Fprintln(out, "  one or two other circumstances would not have changed that")
	}
	for _, p := range d.Profiles {
		fmt.Fprintf(out, "  profile %s holds it: granted by %s; denied by %s\n", p.Name, orDash(p.GrantedBy), orDash(p.DeniedBy))
	}
	for _, p := range d.Policies {
		fmt.Fprintf(out, "  %s:%d\n", plain(p.File), p.Line)
		for line := range strings.Lines(p.Text) {
			fmt.Fprintf(out, "    %s\n", plain(strings.TrimSuffix(line, "\n")))
		}
	}
}

func orDash(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

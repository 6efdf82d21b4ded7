package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"sceau/policy/cedar"
	"sceau/policy/store"
)

func policyLogCommand(f *policyFlags) *cobra.Command {
	var events bool
	c := &cobra.Command{
		Use:   "log --config FILE [--events]",
		Short: "Show all versions, or all that ever happened",
		Long: `Log verifies the whole history first: every signature, that nothing is missing in
between, and that everybody did only what he may.`,
		Args: cobra.NoArgs,
		RunE: f.at(false, func(c *cobra.Command, d *policyDesk, _ []string) error {
			if d.store == nil {
				return fmt.Errorf("the configuration names no policy.store")
			}
			if events {
				return writeEvents(c.OutOrStdout(), d.history)
			}
			return writeVersions(c.OutOrStdout(), d.history)
		}),
	}
	c.Flags().BoolVar(&events, "events", false, "every event, the oldest first")
	return c
}

func writeVersions(out io.Writer, h *store.History) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tSTATE\tON\tBY\tAPPROVED BY\tSINCE\tCONTENT\tNOTE")
	for _, v := range h.Versions() {
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", v.Number, v.State, v.Base, strings.Join(v.Hands, ", "), cmp.Or(strings.Join(v.Approvals, ", "), "-"),
			v.Changed.UTC().Format(time.RFC3339), v.Content.String()[:minContent], plain(v.Note))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	number, hash := h.Head()
	_, err := fmt.Fprintf(out, "\nstore %s, %s, the last has the hash %s\n", h.Store(), count(int(number), "event", "events"), hash)
	return err
}

func writeEvents(out io.Writer, h *store.History) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EVENT\tAT\tWHO\tWHAT\tVERSION\tCONTENT\tNOTE")
	for _, e := range h.Events() {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", e.Number, e.At.Format(time.RFC3339), e.Actor, e.Kind, e.Version, e.Content.String()[:minContent], plain(e.Note))
	}
	return w.Flush()
}

func policyDiffCommand(f *policyFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "diff POLICIES [POLICIES] --config FILE",
		Short: "Show what changes between two sets of policies",
		Long: `Diff shows every file that differs, and of policies in Cedar which are new, gone or
otherwise, by id. With one set of policies it is compared with what is in force.
The status is 1 when they differ.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: f.at(false, func(c *cobra.Command, d *policyDesk, args []string) error {
			words := args
			if len(words) == 1 {
				words = []string{"active", args[0]}
			}
			sides := make([]*policySet, 2)
			for i, word := range words {
				var err error
				if sides[i], err = d.set(c.Context(), word); err != nil && !(i == 0 && len(args) == 1 && d.nothing()) {
					return err
				}
			}
			return d.writeDiff(c.OutOrStdout(), words, sides)
		}),
	}
}

// nothing says whether no version is in force yet: everything is new then.
func (d *policyDesk) nothing() bool {
	if d.store == nil {
		return false
	}
	_, ok := d.history.Active()
	return !ok
}

// contentOf reads the files of a set; none of one that is nil.
func contentOf(set *policySet) (map[string]string, store.Digest, error) {
	all := map[string]string{}
	if set == nil {
		return all, store.Digest{}, nil
	}
	files, err := set.all()
	if err != nil {
		return nil, store.Digest{}, err
	}
	for _, path := range files.Paths() {
		all[path], _ = files.File(path)
	}
	return all, files.Digest(), nil
}

func (d *policyDesk) writeDiff(out io.Writer, words []string, sides []*policySet) error {
	before, _, err := contentOf(sides[0])
	if err != nil {
		return err
	}
	after, digest, err := contentOf(sides[1])
	if err != nil {
		return err
	}
	if maps.Equal(before, after) {
		_, err := fmt.Fprintf(out, "no difference; content %s\n", digest)
		return err
	}
	names := slices.Sorted(maps.Keys(before))
	for name := range after {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		text := diff.Diff(words[0]+"/"+name, []byte(before[name]), words[1]+"/"+name, []byte(after[name]))
		for line := range bytes.Lines(text) {
			cells := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
			for i := range cells {
				cells[i] = plain(cells[i])
			}
			fmt.Fprintln(out, strings.Join(cells, "\t"))
		}
	}
	if err := d.writePolicies(out, sides); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "content %s\n", digest); err != nil {
		return err
	}
	return finding("they differ")
}

// writePolicies tells of policies in Cedar which are new, gone or otherwise. Of a set that does not load nothing is told.
func (d *policyDesk) writePolicies(out io.Writer, sides []*policySet) error {
	var lists [2]map[string]string
	for i, set := range sides {
		lists[i] = map[string]string{}
		if set == nil {
			continue
		}
		catalogue, err := d.catalogueOf(set)
		if err != nil {
			return nil
		}
		pdp, err := set.open(catalogue, noResolver{})
		policies, ok := pdp.(*cedar.Policies)
		if err != nil || !ok {
			return nil
		}
		for _, one := range policies.List() {
			lists[i][one.ID] = one.Text
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lists[0])) {
		switch text, both := lists[1][id]; {
		case !both:
			fmt.Fprintf(out, "policy %s: gone\n", id)
		case text != lists[0][id]:
			fmt.Fprintf(out, "policy %s: otherwise\n", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lists[1])) {
		if _, both := lists[0][id]; !both {
			fmt.Fprintf(out, "policy %s: new\n", id)
		}
	}
	return nil
}

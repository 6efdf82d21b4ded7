package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"sceau/audit"
)

// A period is a duration that may be written in days: 92d.
type period time.Duration

func parsePeriod(text string) (time.Duration, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseUint(number, 10, 16); err == nil {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < 0 {
		return 0, fmt.Errorf("%q is no duration such as 92d or 2208h", text)
	}
	return parsed, nil
}

func (d *period) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := parsePeriod(n.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", n.Line, err)}}
	}
	*d = period(parsed)
	return nil
}

const (
	// trailFileAge is the age at which a file of the audit trail ends where records are removed by age.
	trailFileAge = 24 * time.Hour
	// pruneEvery is how often a server looks for files that are older.
	pruneEvery = 6 * time.Hour
)

// retention is how long the records of the audit trail are kept; zero: for ever.
func (c *fileConfig) retention() time.Duration { return time.Duration(c.Audit.Retention.V) }

func (s *system) checkRetention(p *problems) {
	if v := s.config.Audit.Retention; v.Line > 0 && s.config.retention() < audit.LeastRetention {
		p.add(v.Line, "audit: a retention below %v", audit.LeastRetention)
	}
}

// keepTrail removes from the audit trail what is older than the retention, now and then, until ctx ends.
func (s *system) keepTrail(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		s.mu.RLock()
		retention := s.config.retention()
		s.mu.RUnlock()
		if retention > 0 {
			if _, err := s.journal.Prune(retention); err != nil {
				s.log.Error("audit files older than the retention could not be removed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func auditPruneCommand(now func() time.Time) *cobra.Command {
	var dir, retention string
	c := &cobra.Command{
		Use:   "prune --dir DIR --retention 92d",
		Short: "Remove whole files that are older, and record that they were",
		Long: `Prune removes those files of the journal whose every record is older than the
retention, and records it in the journal before. A server does so itself where
its configuration has audit.retention; this is for a journal without a server,
and refuses while one appends to it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keep, err := parsePeriod(retention)
			if err != nil {
				return fmt.Errorf("--retention: %w", err)
			}
			before, err := audit.Verify(dir)
			switch {
			case err != nil:
				return err
			case before.Records == 0:
				return fmt.Errorf("there is no journal in %s", dir)
			case !before.Intact():
				return finding("the journal does not hold together: nothing is removed")
			}
			journal, err := audit.Open(audit.Config{Dir: dir, Now: now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				return err
			}
			defer journal.Close()
			removal, err := journal.Prune(keep)
			if err != nil {
				return err
			}
			if removal == (audit.Removal{}) {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "nothing is older")
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "removed files %d to %d, up to %s\n", removal.First, removal.Last, removal.Until)
			return err
		},
	}
	directoryFlag(c, &dir)
	c.Flags().StringVar(&retention, "retention", "", "how long records are kept: `92d`")
	_ = c.MarkFlagRequired("retention")
	return c
}

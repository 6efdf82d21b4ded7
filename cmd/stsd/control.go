package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/audit"
	"sceau/cmd/stsd/face"
	"sceau/oidc/control"
)

func controlCommand() *cobra.Command { return newControlCommand(time.Now) }

func newControlCommand(now func() time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "control",
		Short: "Report the policies in force, and how often they were applied",
	}
	c.AddCommand(controlReportCommand(now), controlTokenCommand())
	return c
}

// reportFlags are the words of control report as they were typed.
type reportFlags struct {
	path, format, only         string
	from, to, by               string
	operation, client, establi string
	least                      uint64
}

func controlReportCommand(now func() time.Time) *cobra.Command {
	var f reportFlags
	c := &cobra.Command{
		Use:   "report --config FILE [--format text|json|csv] [--only policy|counts]",
		Short: "Write the indicators and the counts that the control API gives",
		Long: `Report writes, without a server, what the control API of a server gives to an
authority: the indicators of the access policies (EXI FI 28) and counts of events
by day, counted from the audit trail. Texts and tables are in French. A table is of
one of both: say --only.

Unlike the API it tells small counts too, unless --least says otherwise.`,
		Example: `  stsd control report --config stsd.yaml
  stsd control report --config stsd.yaml --format csv --only counts --from 2026-08-01 --by day,client,means,outcome`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.report(cmd.OutOrStdout(), cmd.ErrOrStderr(), now())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.path, "config", "", "configuration `file`")
	_ = c.MarkFlagRequired("config")
	flags.StringVar(&f.format, "format", "text", "`text, json or csv`")
	flags.StringVar(&f.only, "only", "", "`policy or counts`; else both")
	flags.StringVar(&f.from, "from", "", "the first `day` of the counts, 29 days ago unless given")
	flags.StringVar(&f.to, "to", "", "the last `day`, today unless given")
	flags.StringVar(&f.by, "by", "day,outcome", "`dimensions`: day, establishment, client, operation, means, method, outcome")
	flags.StringVar(&f.operation, "operation", audit.OperationAuthentication, "which `events`; empty for all")
	flags.StringVar(&f.client, "client", "", "of this `client` alone")
	flags.StringVar(&f.establi, "establishment", "", "of this `establishment` alone")
	flags.Uint64Var(&f.least, "least", 1, "the least `count` that is told")
	return c
}

// question turns the flags into a question, or says what is wrong with them.
func (f *reportFlags) question(now time.Time) (control.Question, error) {
	q := control.Question{From: control.DayOf(now.AddDate(0, 0, -29)), To: control.DayOf(now), Operation: f.operation, Client: f.client, Establishment: f.establi, Least: f.least}
	if f.from != "" {
		q.From = control.Day(f.from)
	}
	if f.to != "" {
		q.To = control.Day(f.to)
	}
	for name := range strings.SplitSeq(f.by, ",") {
		q.By = append(q.By, control.Dimension(name))
	}
	var wrong []error
	if err := q.Check(); err != nil {
		wrong = append(wrong, fmt.Errorf("counts: %w", err))
	}
	if !slices.Contains([]string{"text", "json", "csv"}, f.format) {
		wrong = append(wrong, errors.New("--format is none of text, json and csv"))
	}
	if !slices.Contains([]string{"", "policy", "counts"}, f.only) {
		wrong = append(wrong, errors.New("--only is neither policy nor counts"))
	}
	if f.format == "csv" && f.only == "" {
		wrong = append(wrong, errors.New("a table is of one of both: say --only policy or --only counts"))
	}
	return q, errors.Join(wrong...)
}

func (f *reportFlags) report(out, complaints io.Writer, now time.Time) error {
	q, err := f.question(now)
	if err != nil {
		return err
	}
	p := &problems{file: f.path}
	config := readConfig(f.path, p)
	if err := p.err(); err != nil {
		return err
	}
	indicators := config.faceIndicators(p)
	if err := p.err(); err != nil {
		return err
	}
	var counted control.Answer
	unread := 0
	if f.only != "policy" {
		if counted, unread, err = config.counts(indicators, q); err != nil {
			return err
		}
	}
	if err := f.write(out, indicators, counted); err != nil {
		return err
	}
	if unread > 0 {
		fmt.Fprintln(complaints, count(unread, "record", "records")+" could not be read")
		return finding("the counts are not those of the whole trail; see stsd audit verify")
	}
	return nil
}

func (f *reportFlags) write(out io.Writer, i control.Indicators, a control.Answer) error {
	switch {
	case f.format == "json":
		var both struct {
			Policy *control.Indicators `json:"policy,omitempty"`
			Counts *control.Answer     `json:"counts,omitempty"`
		}
		if f.only != "counts" {
			whole := i.Filled()
			both.Policy = &whole
		}
		if f.only != "policy" {
			both.Counts = &a
		}
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(both)
	case f.format == "csv" && f.only == "policy":
		return control.WriteCSV(out, i)
	case f.format == "csv":
		return control.WriteCountsCSV(out, a)
	}
	if f.only != "counts" {
		if err := control.WriteText(out, i); err != nil {
			return err
		}
	}
	if f.only == "" {
		fmt.Fprintln(out)
	}
	if f.only != "policy" {
		return control.WriteCountsText(out, a)
	}
	return nil
}

// indicators are what the configuration says of the program itself; more are the texts of further files that determine it.
func (c *fileConfig) indicators(more ...[]byte) control.Indicators {
	return control.Indicators{
		Product: "Sceau", Version: programVersion(), Environment: c.Environment.V, Retention: control.Seconds(c.retention()),
		Configuration: control.Configuration{Digest: control.Digest(append([][]byte{c.text}, more...)...), Since: c.since},
	}
}

// faceIndicators are the policies that the configuration puts in force, with those of the OpenID Connect face.
func (c *fileConfig) faceIndicators(p *problems) control.Indicators {
	if c.OIDC.V == "" {
		return c.indicators()
	}
	s := prepare(c, p, slog.New(slog.DiscardHandler), true)
	if s == nil {
		return control.Indicators{}
	}
	defer s.close()
	k, err := s.readFace()
	if err == nil {
		shared := s.shared()
		shared.Recorder = unrecorded{}
		var f *face.Face
		if f, err = face.New(k, shared); err == nil {
			i := f.Indicators()
			if err = f.Close(); err == nil {
				return i
			}
		}
	}
	p.add(c.OIDC.Line, "oidc: %v", err)
	return control.Indicators{}
}

// counts counts what the audit trail of the configuration holds.
func (c *fileConfig) counts(i control.Indicators, q control.Question) (control.Answer, int, error) {
	since, err := time.Parse(time.DateOnly, string(q.From))
	if err != nil {
		return control.Answer{}, 0, err
	}
	if c.Audit.Dir.V == "" {
		return control.Answer{}, 0, errors.New("the configuration names no audit.dir")
	}
	var counts control.Counts
	counts.Know(i)
	unread, err := counts.Load(audit.List(c.path(c.Audit.Dir), audit.Query{Service: audit.ServiceOIDC, Since: since}))
	if err != nil {
		return control.Answer{}, unread, err
	}
	a, err := counts.Ask(q)
	return a, unread, err
}

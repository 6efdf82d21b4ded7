package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sceau/bench/load/measure"
	"sceau/bench/load/report"
)

// runOptions are the flags of a run.
type runOptions struct {
	out, json, html, messages string
	sets                      []string
	keep                      bool
}

func (o *runOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "write everything to `DIR`, new or empty (default: a new folder among the temporary files)")
	f.StringVar(&o.json, "json", "", "write the report for machines to `FILE` (default: report.json in the folder)")
	f.StringVar(&o.html, "html", "", "write the page with plots to `FILE` (default: report.html in the folder)")
	f.StringArrayVar(&o.sets, "set", nil, "change the scenario: `KEY=VALUE`, such as phases.0.rate=200; may be repeated")
	f.BoolVar(&o.keep, "keep", false, "keep the stsd that was built for the run in the folder")
}

func runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Carry out a scenario: a file, or an example by its name",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE:  func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.flags(c)
	c.Flags().StringVar(&o.messages, "messages", "", "send what load prepare has written to `FILE`")
	return c
}

// run carries out a scenario, and says what it found whatever came in between.
func (o *runOptions) run(cmd *cobra.Command, name string) error {
	s, err := loadScenario(name, o.sets)
	if err != nil {
		return err
	}
	if err := o.fits(s); err != nil {
		return err
	}
	out, err := outFolder(o.out)
	if err != nil {
		return err
	}
	if err := o.files(out); err != nil {
		return err
	}
	console := newConsole(cmd.ErrOrStderr())
	console.say("%s", s.Title)
	console.say("everything is written to %s", out)
	r := &session{scenario: s, out: out, console: console, file: o.messages, keep: o.keep}
	result, failed := r.run(cmd.Context())
	if result == nil {
		return failed
	}
	if len(result.Phases) == 0 {
		return failed // nothing was measured that could be reported
	}
	if failed != nil {
		incomplete(result, failed)
	}
	return errors.Join(o.write(cmd, result), verdict(result))
}

// incomplete says in a report why the scenario was not run to its end: in one line, and what a server had logged
// line by line.
func incomplete(r *measure.Report, why error) {
	r.Incomplete = strings.Join(strings.Fields(why.Error()), " ")
	var end *serverEnd
	if errors.As(why, &end) {
		r.Incomplete = end.reason
		for _, line := range end.log {
			r.Notes = append(r.Notes, "the server's log: "+line)
		}
	}
}

// fits says whether the flags go with the scenario.
func (o *runOptions) fits(s *scenario) error {
	if o.messages != "" && (s.Sign != signAhead || s.PKI == "" || s.Against != nil) {
		return usage("--messages: the scenario must say sign: ahead and pki, and have one target")
	}
	return nil
}

// files says where the reports go, and that they can be written there.
func (o *runOptions) files(out string) error {
	if o.json == "" {
		o.json = filepath.Join(out, "report.json")
	}
	if o.html == "" {
		o.html = filepath.Join(out, "report.html")
	}
	if filepath.Clean(o.json) == filepath.Clean(o.html) {
		return usage("--json and --html name the same file")
	}
	for _, path := range []string{o.json, o.html} {
		if err := writable(path); err != nil {
			return err
		}
	}
	return nil
}

// write writes the reports and says where they are.
func (o *runOptions) write(cmd *cobra.Command, result *measure.Report) error {
	if err := writeReports(cmd.OutOrStdout(), result, o.json, o.html); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "\nfor machines: %s\nwith plots:   %s\n", o.json, o.html)
	return err
}

// verdict is the end of a run: it fails where the headline of its report says so. Where the generator was the bottleneck although
// the scenario forbids it, the figures of the run say nothing, and so do the expectations that they break; a wrong answer is
// wrong all the same.
func verdict(r *measure.Report) error {
	if !report.Failed(r) {
		return nil
	}
	broken := func(what string) bool {
		return slices.ContainsFunc(r.Verdict, func(j measure.Judgement) bool { return j.Failed && j.What == what })
	}
	switch {
	case r.Incomplete != "":
		return errors.New(r.Incomplete)
	case broken(whatUnlimited) && !broken(whatWrong) && !broken(whatAnswered):
		return errLimited
	}
	return errFailed
}

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"sceau/bench/load/measure"
)

// runOptions are the flags of a run.
type runOptions struct {
	out, json, html, messages string
	sets                      []string
}

func (o *runOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "write everything to `DIR`, new or empty (default: a new folder among the temporary files)")
	f.StringVar(&o.json, "json", "", "write the report for machines to `FILE` (default: report.json in the folder)")
	f.StringVar(&o.html, "html", "", "write the page with plots to `FILE` (default: report.html in the folder)")
	f.StringArrayVar(&o.sets, "set", nil, "change the scenario: `KEY=VALUE`, such as phases.0.rate=200; may be repeated")
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
	console := newConsole(cmd.ErrOrStderr())
	console.say("%s", s.Title)
	console.say("everything is written to %s", out)
	r := &session{scenario: s, out: out, console: console, file: o.messages}
	result, failed := r.run(cmd.Context())
	if result == nil {
		return failed
	}
	if failed != nil {
		result.Incomplete = failed.Error()
	}
	if len(result.Phases) == 0 {
		return failed // nothing was measured that could be reported
	}
	if err := o.write(cmd, out, result); err != nil {
		return errors.Join(failed, err)
	}
	if failed != nil {
		return failed
	}
	return verdict(result)
}

// fits says whether the flags go with the scenario.
func (o *runOptions) fits(s *scenario) error {
	if o.messages != "" && (s.Sign != signAhead || s.PKI == "" || s.Against != nil) {
		return usage("--messages: the scenario must say sign: ahead and pki, and have one target")
	}
	return nil
}

// write writes the reports and says where they are.
func (o *runOptions) write(cmd *cobra.Command, out string, result *measure.Report) error {
	orDefault := func(path, name string) string {
		if path == "" {
			return filepath.Join(out, name)
		}
		return path
	}
	jsonPath, htmlPath := orDefault(o.json, "report.json"), orDefault(o.html, "report.html")
	if err := writeReports(cmd.OutOrStdout(), result, jsonPath, htmlPath); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "\nfor machines: %s\nwith plots:   %s\n", jsonPath, htmlPath)
	return err
}

// verdict is the end of a run by its judgements. Where the generator was the bottleneck although the
// scenario forbids it, the figures of the run say nothing, and so do the expectations
// that they break; a wrong answer is wrong all the same.
func verdict(r *measure.Report) error {
	broken := func(what string) bool {
		return slices.ContainsFunc(r.Verdict, func(j measure.Judgement) bool { return j.Failed && (what == "" || j.What == what) })
	}
	switch {
	case !broken(""):
		return nil
	case broken(whatUnlimited) && !broken(whatWrong) && !broken(whatAnswered):
		return errLimited
	}
	return errFailed
}

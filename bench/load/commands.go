package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sceau/bench/load/report"
)

func reportCommand() *cobra.Command {
	var page string
	c := &cobra.Command{
		Use:   "report FILE.json [--html FILE]",
		Short: "Show what a run has measured again, from its JSON",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return usageError{err}
			}
			r, err := report.Read(file)
			if err := errors.Join(err, file.Close()); err != nil {
				return usage("%s: %w", args[0], err)
			}
			if err := report.Text(cmd.OutOrStdout(), r); err != nil || page == "" {
				return err
			}
			return writeFile(page, r, report.HTML)
		},
	}
	c.Flags().StringVar(&page, "html", "", "write the page with plots to `FILE`")
	return c
}

func scenarioCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "scenario",
		Short: "Show the examples of scenarios, and what scenarios may expect",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var sets []string
	check := &cobra.Command{
		Use: "check SCENARIO", Short: "Say everything that is wrong with a scenario, or print it with its defaults", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return checkScenario(cmd, args[0], sets) },
	}
	check.Flags().StringArrayVar(&sets, "set", nil, "change the scenario: `KEY=VALUE`; may be repeated")
	c.AddCommand(check, &cobra.Command{
		Use: "list", Short: "Name the examples", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return listExamples(cmd) },
	}, &cobra.Command{
		Use: "show NAME", Short: "Print an example", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, ok := exampleText(args[0])
			if !ok {
				return usage("there is no example %q: load scenario list", args[0])
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		},
	}, &cobra.Command{
		Use: "expectations", Short: "List what a phase may expect", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return listExpectations(cmd) },
	})
	return c
}

func checkScenario(cmd *cobra.Command, name string, sets []string) error {
	s, err := loadScenario(name, sets)
	if err != nil {
		return err
	}
	text, err := s.text()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), text)
	return err
}

func listExamples(cmd *cobra.Command) error {
	names, err := exampleNames()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, name := range names {
		s, err := loadScenario(name, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\n", name, s.Title)
	}
	return w.Flush()
}

func listExpectations(cmd *cobra.Command) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, e := range expectations {
		what := e.what
		if e.unit != affirmed {
			what = fmt.Sprintf(what, [...]string{number: "N", period: "DURATION", size: "SIZE"}[e.unit])
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.key, what, strings.Join(e.kinds, ", "))
	}
	return w.Flush()
}

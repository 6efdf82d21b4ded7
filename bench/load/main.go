package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
)

// Exit statuses; the package comment is their manual.
const (
	exitHolds = iota
	exitFailed
	exitUsage
	exitLimited
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the tool at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it gives the exit status.
func run(ctx context.Context, args []string, out, complaints io.Writer) int {
	root := command()
	root.SetOut(out)
	root.SetErr(complaints)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(complaints, "load: %v\n", err)
	}
	return status(err)
}

func command() *cobra.Command {
	var quick bool
	var o runOptions
	root := &cobra.Command{
		Use:   "load",
		Short: "Put a token service under load, check every answer, and say what it does",
		Long: `load sends real messages to a token service: each with its own Timestamp, ids and
signatures, from many consumers with their own certificates. It checks every answer,
finds the saturation, measures latency from the intended time of sending, and writes a
summary, JSON, and one HTML file with plots.

  load --quick                   a server of its own, half a minute
  load scenario list             the examples
  load run SCENARIO              an example by its name, or a file`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !quick && cmd.Flags().NFlag() > 0 {
				return usage("flags without a command: say --quick, or load run SCENARIO")
			}
			if !quick {
				return cmd.Help()
			}
			return o.run(cmd, "quick")
		},
	}
	root.Flags().BoolVar(&quick, "quick", false, "run the example quick")
	o.flags(root)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(runCommand(), prepareCommand(), initCommand(), reportCommand(), scenarioCommand())
	return root
}

// A usageError is a wrong command line or a wrong scenario.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// How a run that was carried out can end otherwise than well. The summary says more.
var (
	errFailed  = errors.New("not everything holds")
	errLimited = errors.New("the generator was the bottleneck, which the scenario forbids: its figures say nothing of the server")
)

func status(err error) int {
	switch {
	case err == nil:
		return exitHolds
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, errLimited):
		return exitLimited
	}
	return exitFailed
}

// plain makes text from a server safe for a terminal: what is not printable becomes a question mark.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

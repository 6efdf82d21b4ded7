package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"sceau/wsc"
)

// Exit statuses; the package comment is their manual.
const (
	exitDone = iota
	exitInput
	exitUsage
	exitRefused
	exitUnreachable
	exitUnverified
	exitClock
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it gives the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, complaints io.Writer) int {
	root := command()
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(complaints)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(complaints, "wsc: %s\n", sentence(err))
	return status(err)
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "wsc",
		Short:         "Ask an STS for a token, look at it, call services with it",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usageArgs(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(tokenCommand(), showCommand(), explainCommand(), callCommand(), proxyCommand(), clockCommand(), versionCommand())
	for _, c := range root.Commands() {
		c.Args = usageArgs(c.Args)
	}
	return root
}

// A usageError is a wrong command line.
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

// Errors that are an answer, with their exit status.
var (
	errUnverified = errors.New("the assertion does not verify")
	errClock      = errors.New("the clocks are too far apart: set yours, or messages will be refused as stale")
)

func status(err error) int {
	var refused *wsc.StatusError
	var fault *wsc.Fault
	reason := wsc.ReasonOf(err)
	switch {
	case errors.As(err, new(usageError)):
		return exitUsage
	case reason == wsc.ClockOff:
		return exitClock
	case errors.As(err, &refused), errors.As(err, &fault):
		return exitRefused
	case errors.Is(err, errUnverified), errors.Is(err, errFails), reason.Refused():
		return exitUnverified
	case errors.Is(err, errClock):
		return exitClock
	case reason.Transport():
		return exitUnreachable
	}
	return exitInput
}

// sentence tells a person what happened and, where it is known, what to do.
func sentence(err error) string {
	text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "wsc: "), ": wsc: ", ": ")
	var fault *wsc.Fault
	if errors.As(err, &fault) && fault.ElsewhereMaySucceed() {
		text += "; check the clock (wsc clock), whether the certificates are trusted there, or try another endpoint"
	}
	if advice := hint(wsc.ReasonOf(err)); advice != "" {
		text += "; " + advice
	}
	return text
}

// hint says what a person can do about it, where that is known.
func hint(reason wsc.Reason) string {
	switch reason {
	case wsc.BadEndpoint:
		return "give an https:// address, or --plain if you mean it"
	case wsc.NoTrust:
		return "give the certificate of the STS with --trust"
	case wsc.KeyUnavailable:
		return "is the card in the reader? --fallback names a certificate that may ask without it"
	case wsc.BadStore:
		return "remove the file: the token in it can be asked again"
	case wsc.ClockOff:
		return "set your clock, or tell the server's operator"
	case wsc.TokenNotValid:
		return "ask for another one with wsc token"
	case wsc.UntrustedSigner:
		return "if the STS has a new certificate, get it from its operator and give it with --trust"
	case wsc.WrongIssuer:
		return "if that is the right name of the STS, say so with --issuer"
	case wsc.NotValidNow:
		return "compare the clocks with wsc clock"
	case wsc.TimedOut:
		return "try later, or allow more with --timeout"
	case wsc.Redirected:
		return "ask its operator for the right address"
	}
	return ""
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which program this is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "wsc %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// version is what the build left in the program, in the characters that the tracing
// header of the wire has (wire document 1.4).
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, info.Main.Version)
}

package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

//go:embed example.yaml
var example string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it gives the exit status.
func run(ctx context.Context, args []string, out, errors io.Writer) int {
	root := command(out, errors)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(errors, "wspd: %v\n", err)
		return 1
	}
	return 0
}

func command(out, errors io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "wspd",
		Short:         "guards a web service",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(out)
	root.SetErr(errors)
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		withConfig("serve", "guard and serve until interrupted", func(cmd *cobra.Command, path string) error {
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			return serve(cmd.Context(), hangup, path, out, errors)
		}),
		withConfig("check", "say all that is wrong with a configuration", func(_ *cobra.Command, path string) error {
			return check(path, out)
		}),
		&cobra.Command{
			Use: "version", Short: "print the version", Args: cobra.NoArgs,
			Run: func(*cobra.Command, []string) { fmt.Fprintln(out, version()) },
		},
	)
	config := &cobra.Command{Use: "config", Short: "about the configuration", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Usage() }}
	config.AddCommand(&cobra.Command{
		Use: "example", Short: "print a configuration with its manual", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { fmt.Fprint(out, example) },
	})
	root.AddCommand(config)
	return root
}

func withConfig(use, short string, do func(*cobra.Command, string) error) *cobra.Command {
	var path string
	c := &cobra.Command{Use: use + " --config FILE", Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return do(cmd, path) }}
	c.Flags().StringVar(&path, "config", "", "configuration `FILE`")
	c.MarkFlagRequired("config") // fails only for a flag that is not there
	return c
}

// check builds all that serve would, but opens no port.
func check(path string, out io.Writer) error {
	c, err := readConfig(path)
	if err != nil {
		return err
	}
	p, err := c.build(discard, false)
	if err != nil {
		return err
	}
	p.close()
	for _, w := range c.warnings() {
		fmt.Fprintln(out, "warning:", w)
	}
	fmt.Fprintf(out, "%s: in order\n", path)
	return nil
}

func version() string {
	v := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("wspd %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

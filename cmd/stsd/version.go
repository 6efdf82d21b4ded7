package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which program this is: version, commit, compiler, signing engines",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			if err := writeVersion(cmd.OutOrStdout(), info); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "signing   %s\n", engines())
			return err
		},
	}
}

// programVersion is the version of this program, in a word or two.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return "development build"
}

// writeVersion says what the build left in the program. A build outside a repository,
// or of a tree with changes, says so: what runs is to be found again.
func writeVersion(out io.Writer, info *debug.BuildInfo) error {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	version := versionOf(info)
	commit := settings["vcs.revision"]
	switch {
	case commit == "":
		commit = "not recorded: built with -buildvcs=false, or not in the repository"
	case settings["vcs.modified"] == "true":
		commit += " and changes that are not committed"
	}
	compiler := info.GoVersion
	if compiler == "" {
		compiler = runtime.Version()
	}
	_, err := fmt.Fprintf(out, "stsd %s\ncommit    %s\n", version, commit)
	if at := settings["vcs.time"]; at != "" && err == nil {
		_, err = fmt.Fprintf(out, "of        %s\n", at)
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "compiler  %s %s/%s\n", compiler, runtime.GOOS, runtime.GOARCH)
	}
	if tags := settings["-tags"]; tags != "" && err == nil {
		_, err = fmt.Fprintf(out, "tags      %s\n", tags)
	}
	return err
}

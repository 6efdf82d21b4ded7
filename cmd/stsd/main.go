// Command stsd is the security token service. See the README for how to run it.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	err := rootCommand().Execute()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stsd:", plainLines(err.Error()))
	}
	os.Exit(exitStatus(err))
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "stsd",
		Short: "Security token service for health care: SAML 1.1 assertions for signed attribute queries",
		Long: `stsd verifies signed SAML 1.1 attribute queries of the eHealth wire, resolves
certified attributes under policy, and answers with signed assertions.

To see it at work: stsd demo`,
		SilenceUsage:  true,
		SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{
			HiddenDefaultCmd: true,
		},
	}
	root.AddCommand(demoCommand(), serveCommand(), checkCommand(), configCommand(), keysCommand(), certCommand(), crlCommand(), registryCommand(),
		policyCommand(), serviceCommand(), auditCommand(), controlCommand(), oidcCommand(), versionCommand())
	return root
}

package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"sceau/oidc/control"
)

func controlTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "token",
		Short: "Make a token for a reader of the control API",
		Long: `Token writes a new token, which is handed to the reader by a safe way and kept
nowhere here, and its SHA-256, which goes into the configuration.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token := rand.Text() + rand.Text() // 260 bits
			digest, err := control.TokenDigest(token)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "token       %s\ntoken-hash  sha256:%x\n", token, digest)
			return err
		},
	}
}

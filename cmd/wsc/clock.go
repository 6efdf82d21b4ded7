package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func clockCommand() *cobra.Command {
	var n network
	var sts string
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "clock --sts URL",
		Short: "Compare the clock of a server with ours",
		Long: `Asks a server what time it is (HTTP OPTIONS, Date). Messages whose Timestamp is off by
more than a minute are refused, mostly without saying so. Ends with status 6 when the
clocks are further apart than --limit.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := need(cmd, "sts"); err != nil {
				return err
			}
			client, done, err := makeClient(&n, nil, nil)
			if err != nil {
				return err
			}
			defer done()
			clock, err := client.CheckClock(cmd.Context(), sts)
			if err != nil {
				return err
			}
			where := "ahead of"
			if clock.Offset < 0 {
				where = "behind"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the server says %s: %s %s ours, give or take %s\n", moment(clock.Server), span(clock.Offset), where, span(clock.Uncertainty))
			if !clock.Within(limit) {
				return errClock
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&sts, "sts", "", "`URL` of the server")
	cmd.Flags().DurationVar(&limit, "limit", 30*time.Second, "greatest `difference` that is in order")
	n.register(cmd.Flags())
	return cmd
}

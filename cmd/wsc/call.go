package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"sceau/wsc"
)

type callFlags struct {
	network
	trust
	sessionFlags
	urls               []string
	action, token, out string
}

func callCommand() *cobra.Command {
	f := &callFlags{sessionFlags: sessionFlags{asking: newAsking()}}
	cmd := &cobra.Command{
		Use:   "call --url URL --action URI (--token FILE --holder FILE | --sts URL --identity FILE … --trust FILE) BODYFILE",
		Short: "Call a service with a token",
		Long: `Puts the XML element in BODYFILE (- is standard input) into a SOAP message with a
token, signs it with the holder's key, sends it, and prints the element of the answer.

The token is the one in --token, verified before it is used when --trust is given; or one
that is asked at --sts, as wsc token does. With --store that one is kept, encrypted, and
used by the next calls until it is time for another.

Of several --url the next is called when the one before did nothing with the message: no
connection, or SOA-01001, SOA-01002, SOA-02001, SOA-02002.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.urls, "url", nil, "`URL` of the service (repeatable, with --sts)")
	flags.StringVar(&f.action, "action", "", "SOAPAction `URI` of the operation")
	flags.StringVar(&f.token, "token", "", "`FILE` with the assertion, as wsc token saved it")
	flags.StringVar(&f.out, "out", "-", "`FILE` to write the answer to, readable by its owner only; - is standard output")
	f.sessionFlags.register(flags)
	f.trust.register(flags)
	f.network.register(flags)
	return cmd
}

func (f *callFlags) run(cmd *cobra.Command, bodyFile string) error {
	wanted := []string{"url", "token", "holder"}
	if len(f.sts) > 0 {
		wanted = []string{"url", "identity", "trust"}
	}
	if err := need(cmd, wanted...); err != nil {
		return err
	}
	switch {
	case len(f.sts) > 0 && f.token != "":
		return usage("--token or --sts, not both")
	case len(f.sts) == 0 && len(f.urls) > 1:
		return usage("several --url want --sts")
	case len(f.sts) == 0 && f.store != "":
		return usage("--store wants --sts")
	}
	body, err := readInput(cmd, bodyFile)
	if err != nil {
		return err
	}
	client, done, err := makeClient(&f.network, &f.trust, f.shape)
	if err != nil {
		return err
	}
	defer done()
	call := f.withToken
	if len(f.sts) > 0 {
		call = f.withSession
	}
	answer, err := call(cmd, client, body)
	if err != nil {
		return err
	}
	return writeOutput(cmd, f.out, answer)
}

// withToken calls with the token in a file.
func (f *callFlags) withToken(cmd *cobra.Command, client *wsc.Client, body []byte) ([]byte, error) {
	defer f.asking.close()
	holder, err := f.holder.load(f.passphrase)
	if err != nil {
		return nil, err
	}
	assertion, err := readInput(cmd, f.token)
	if err != nil {
		return nil, err
	}
	var token *wsc.Token
	if len(f.trust.files) > 0 {
		token, err = client.Open(assertion, holder)
	} else {
		token, err = wsc.ReadToken(assertion, holder)
	}
	if err != nil {
		return nil, err
	}
	return client.Call(cmd.Context(), f.urls[0], f.action, token, body)
}

// withSession calls with a token that is asked, or lies in the store.
func (f *callFlags) withSession(cmd *cobra.Command, client *wsc.Client, body []byte) ([]byte, error) {
	session, end, err := f.open(cmd, client, true, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return nil, err
	}
	defer end()
	return session.Call(cmd.Context(), f.urls, f.action, body)
}

package main

import (
	"github.com/spf13/cobra"

	"sceau/wsc"
)

type callFlags struct {
	network
	trust
	url, action, token, passphrase, out string
	holder                              keyFlag
}

func callCommand() *cobra.Command {
	f := &callFlags{holder: keyFlag{name: "holder"}}
	cmd := &cobra.Command{
		Use:   "call --url URL --action URI --token FILE --holder FILE BODYFILE",
		Short: "Call a service with a token",
		Long: `Puts the XML element in BODYFILE (- is standard input) into a SOAP message with the
token, signs it with the holder's key, sends it, and prints the element of the answer.
With --trust the token is verified before it is used.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.url, "url", "", "`URL` of the service")
	flags.StringVar(&f.action, "action", "", "SOAPAction `URI` of the operation")
	flags.StringVar(&f.token, "token", "", "`FILE` with the assertion, as wsc token saved it")
	f.holder.register(flags, "the certificate to which the token is bound")
	flags.StringVar(&f.passphrase, "passphrase-file", "", "`FILE` with the passphrase of the PKCS #12 file")
	flags.StringVar(&f.out, "out", "-", "`FILE` to write the answer to, readable by its owner only; - is standard output")
	f.trust.register(flags)
	f.network.register(flags)
	return cmd
}

func (f *callFlags) run(cmd *cobra.Command, bodyFile string) error {
	if err := need(cmd, "url", "token", "holder"); err != nil {
		return err
	}
	holder, err := f.holder.load(f.passphrase)
	if err != nil {
		return err
	}
	assertion, err := readInput(cmd, f.token)
	if err != nil {
		return err
	}
	body, err := readInput(cmd, bodyFile)
	if err != nil {
		return err
	}
	client, done, err := makeClient(&f.network, &f.trust, nil)
	if err != nil {
		return err
	}
	defer done()
	var token *wsc.Token
	if len(f.trust.files) > 0 {
		token, err = client.Open(assertion, holder)
	} else {
		token, err = wsc.ReadToken(assertion, holder)
	}
	if err != nil {
		return err
	}
	answer, err := client.Call(cmd.Context(), f.url, f.action, token, body)
	if err != nil {
		return err
	}
	return writeOutput(cmd, f.out, answer)
}

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sceau/bench/load/message"
)

// initOptions are the flags of init.
type initOptions struct {
	scenario              string
	sets, hosts           []string
	tls, address, signing string
}

func initCommand() *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use:   "init DIR",
		Short: "Make certificates, a registry and a policy for a server that is to be loaded",
		Long: `Make a PKI with the consumers of a scenario in DIR, which is new or empty, and what
sets a server up for them: certificates and keys of authorities, service and TLS, CRLs, the
registry's CSV, a policy, and a configuration for stsd. A scenario names the folder as pki.

Never use these keys for a server that answers real people: they lie in the folder.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return o.make(cmd, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.scenario, "scenario", "quick", "the `SCENARIO` whose consumers are made")
	f.StringArrayVar(&o.sets, "set", nil, "change the scenario: `KEY=VALUE`; may be repeated")
	f.StringVar(&o.tls, "tls", tlsNone, "how stsd.yaml serves: none, server or mutual")
	f.StringVar(&o.address, "address", "127.0.0.1:8443", "`HOST:PORT` that stsd.yaml listens on")
	f.StringArrayVar(&o.hosts, "host", nil, "a `NAME` or address by which the server is reached, for its TLS certificate, beside localhost and its address; may be repeated")
	f.StringVar(&o.signing, "signing", "rsa", "the key with which stsd.yaml signs: rsa or p256")
	return c
}

// make makes the folder.
func (o *initOptions) make(cmd *cobra.Command, dir string) error {
	s, err := loadScenario(o.scenario, o.sets)
	if err != nil {
		return err
	}
	if len(s.Consumers) == 0 {
		return usage("the scenario names a PKI instead of consumers")
	}
	options, host, err := o.server()
	if err != nil {
		return err
	}
	console := newConsole(cmd.ErrOrStderr())
	defer console.finish()
	config := s.pkiConfig(console)
	config.Hosts = append([]string{"localhost", "127.0.0.1", "::1"}, o.hosts...)
	if ip := net.ParseIP(host); host != "" && host != "localhost" && (ip == nil || !ip.IsLoopback() && !ip.IsUnspecified()) {
		config.Hosts = append(config.Hosts, host)
	}
	pki, err := message.NewPKI(cmd.Context(), dir, config)
	if err != nil {
		return err
	}
	text, err := pki.ServerConfig(options)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "stsd.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	scheme := "https"
	if o.tls == tlsNone {
		scheme = "http"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d consumers in %s\n\n"+
		"  stsd registry import %[2]s/registry.csv --db %[2]s/registry.db\n  stsd serve --config %[2]s/stsd.yaml\n\nit answers at %s://%s%s\n",
		pki.Consumers(), dir, scheme, o.address, queryPath)
	return err
}

// server is how stsd is to serve, and the host of its address.
func (o *initOptions) server() (options message.ServerOptions, host string, err error) {
	host, port, err := net.SplitHostPort(o.address)
	if err != nil || port == "" {
		return options, "", usage("--address %s: say HOST:PORT", o.address)
	}
	options = message.ServerOptions{Address: o.address, Admin: "127.0.0.1:9090", TLS: message.TLSMode(o.tls)}
	switch o.tls {
	case tlsNone, tlsServer, tlsMutual:
	default:
		return options, "", usage("--tls %s: none, server or mutual", o.tls)
	}
	switch o.signing {
	case "rsa":
	case "p256":
		options.SigningKey = message.P256
	default:
		return options, "", usage("--signing %s: rsa or p256", o.signing)
	}
	return options, host, nil
}

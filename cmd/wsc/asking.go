package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sceau/attrs"
	"sceau/certs"
	"sceau/certs/pkcs11"
	"sceau/wsc"
)

// asking says who asks an STS, and for what.
type asking struct {
	identity, holder, fallback     keyFlag
	passphrase, mode, apps, action string
	names, attributes, claims      []string
	valid                          time.Duration
	alwaysInner                    bool
}

func newAsking() asking {
	return asking{identity: keyFlag{name: "identity"}, holder: keyFlag{name: "holder"}, fallback: keyFlag{name: "fallback"}}
}

func (a *asking) register(flags *pflag.FlagSet) {
	a.identity.register(flags, "who asks")
	a.holder.register(flags, "to which certificate the token is bound")
	flags.StringVar(&a.passphrase, "passphrase-file", "", "`FILE` with the passphrase of the PKCS #12 files")
	flags.StringVar(&a.mode, "mode", "", "session, eid-only or fallback (default: as the certificates suggest)")
	flags.StringArrayVar(&a.names, "app", nil, "`NAME` of an application, for its attributes (repeatable)")
	flags.StringVar(&a.apps, "apps", "", "YAML `FILE` of applications: name to list of attributes")
	flags.StringArrayVar(&a.attributes, "attribute", nil, "an attribute, `NAME[@NAMESPACE]`; namespace: certified, identification or its URN (repeatable)")
	flags.StringArrayVar(&a.claims, "identification", nil, "`NAME=VALUE` of an identification attribute that the certificates do not bear, or bear otherwise (repeatable)")
	flags.DurationVar(&a.valid, "valid", 24*time.Hour, "wanted `time` of validity; the STS may give less")
	flags.BoolVar(&a.alwaysInner, "always-sign-inner", false, "sign the request also where identity and holder are one certificate")
}

// shape is what of a client's configuration is said here.
func (a *asking) shape(c *wsc.Config) { c.AlwaysSignInner, c.Action = a.alwaysInner, a.action }

// ask loads the keys and reads what is asked. The first credentials are the best; others are there when --fallback
// is given.
func (a *asking) ask(cmd *cobra.Command) ([]*wsc.Credentials, *wsc.Request, error) {
	if a.valid <= 0 {
		return nil, nil, usage("--valid must be positive")
	}
	wanted, err := a.wanted(cmd)
	if err != nil {
		return nil, nil, err
	}
	credentials, err := a.credentials(cmd.ErrOrStderr())
	if err != nil {
		return nil, nil, err
	}
	request := &wsc.Request{Attributes: wanted, Validity: a.valid}
	request.Identification, err = a.identification(credentials[0])
	return credentials, request, err
}

// close lets go of tokens.
func (a *asking) close() {
	for _, k := range []*keyFlag{&a.identity, &a.holder, &a.fallback} {
		k.close()
	}
}

// wanted lists the attributes of applications and flags.
func (a *asking) wanted(cmd *cobra.Command) ([]attrs.Designator, error) {
	apps := builtin()
	if a.apps != "" {
		content, err := readInput(cmd, a.apps)
		if err != nil {
			return nil, err
		}
		if apps, err = readApplications(content); err != nil {
			return nil, fmt.Errorf("%s: %w", a.apps, err)
		}
	}
	var texts []string
	for _, name := range a.names {
		list, err := apps.attributes(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, list...)
	}
	var wanted []attrs.Designator
	for _, text := range append(texts, a.attributes...) {
		d, err := designator(text)
		if err != nil {
			return nil, usageError{err}
		}
		wanted = append(wanted, d)
	}
	if len(wanted) == 0 {
		return nil, usage("which attributes? Give --app or --attribute")
	}
	return wanted, nil
}

// credentials loads the keys. A card that is away from the beginning is done without where
// there is a fallback, and that is said.
func (a *asking) credentials(complaints io.Writer) ([]*wsc.Credentials, error) {
	identity, err := a.identity.load(a.passphrase)
	away := a.fallback.file != "" && errors.Is(err, pkcs11.ErrUnavailable)
	if err != nil && !away {
		return nil, err
	}
	var holder *certs.Signer
	if a.holder.file != "" {
		if holder, err = a.holder.load(a.passphrase); err != nil {
			return nil, err
		}
	}
	var all []*wsc.Credentials
	if away {
		fmt.Fprintf(complaints, "wsc: the token of --identity is away: --fallback asks until this is started again\n")
	} else {
		first, err := a.best(identity, holder)
		if err != nil {
			return nil, err
		}
		all = append(all, first)
	}
	if a.fallback.file == "" {
		return all, nil
	}
	fallback, err := a.fallback.load(a.passphrase)
	if err != nil {
		return nil, err
	}
	second, err := wsc.NewCredentials(wsc.ModeFallback, fallback, holder)
	if err != nil {
		return nil, fmt.Errorf("--fallback: %w", err)
	}
	return append(all, second), nil
}

// best are the credentials with the identity.
func (a *asking) best(identity, holder *certs.Signer) (*wsc.Credentials, error) {
	if a.mode != "" {
		mode, err := wsc.ParseMode(a.mode)
		if err != nil {
			return nil, err
		}
		return wsc.NewCredentials(mode, identity, holder)
	}
	var holderCertificate *certs.Certificate
	if holder != nil {
		holderCertificate = holder.Certificate()
	}
	mode, err := wsc.ModeOf(identity.Certificate(), holderCertificate)
	if err != nil {
		return nil, err
	}
	return wsc.NewCredentials(mode, identity, holder)
}

// identification is what the certificates bear, with what the command line says put
// in its place; nil where it says nothing.
func (a *asking) identification(credentials *wsc.Credentials) ([]wsc.Attribute, error) {
	if len(a.claims) == 0 {
		return nil, nil
	}
	all := credentials.Identification()
	for _, text := range a.claims {
		claim, err := identification(text)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(a wsc.Attribute) bool { return a.Designator == claim.Designator })
		all = append(all, claim)
	}
	return all, nil
}

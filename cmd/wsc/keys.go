package main

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sceau/certs"
	"sceau/certs/pkcs11"
	"sceau/wsc"
)

// A keyFlag says where a key and its certificate lie.
type keyFlag struct {
	name, file, key, passphrase string
	token                       *pkcs11.Key // opened by load; nil for a key in a file
}

func (k *keyFlag) register(flags *pflag.FlagSet, what string) {
	flags.StringVar(&k.file, k.name, "", what+": a PKCS #12 `FILE`, a PEM file with certificate and key, or the certificate alone")
	flags.StringVar(&k.key, k.name+"-key", "", "PEM `FILE` with the private key, when it is not in the other file; or the pkcs11 URI (RFC 7512) of a key on a token")
	flags.StringVar(&k.passphrase, k.name+"-passphrase-file", "", "`FILE` with the passphrase of the PKCS #12 file (default: --passphrase-file)")
}

// load reads the key; shared is the passphrase file for those that have none of their
// own.
func (k *keyFlag) load(shared string) (*certs.Signer, error) {
	content, err := os.ReadFile(k.file)
	if err != nil {
		return nil, err
	}
	config := certs.KeyConfig{At: time.Now()}
	switch {
	case pkcs11.IsURI(k.key):
		config.Certificate, config.Open = k.file, k.open
	case k.key != "":
		config.Key, config.Certificate = k.key, k.file
	case len(content) > 0 && content[0] == 0x30: // DER
		config.PKCS12, config.PassphraseFile = k.file, k.passphrase
		if config.PassphraseFile == "" {
			config.PassphraseFile = shared
		}
	default:
		config.Key = k.file
	}
	signer, err := certs.LoadSigner(config)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", k.name, err)
	}
	return signer, nil
}

// open opens the key on a token that has a public key.
func (k *keyFlag) open(public crypto.PublicKey) (crypto.Signer, error) {
	uri, err := pkcs11.ParseURI(k.key)
	if err != nil {
		return nil, err
	}
	// One person works with it: a card has a session or two, and is not asked for signatures that nobody needs.
	k.token, err = pkcs11.Open(pkcs11.Config{URI: uri, Public: public, Sessions: 1, Timeout: 10 * time.Second, HealthInterval: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return k.token, nil
}

// close lets go of a token.
func (k *keyFlag) close() {
	if k.token != nil {
		k.token.Close()
	}
}

// network says how servers are reached.
type network struct {
	roots   []string
	plain   bool
	timeout time.Duration
	from    string
}

func (n *network) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&n.roots, "tls-root", nil, "PEM `FILE` of authorities that TLS servers are trusted by, in place of the system's (repeatable)")
	flags.BoolVar(&n.plain, "plain", false, "allow http:// to other machines: everything travels in clear")
	flags.DurationVar(&n.timeout, "timeout", 30*time.Second, "longest `time` for the exchange")
	flags.StringVar(&n.from, "from", "", "e-`mail` address of whoever operates this client, sent for tracing")
}

// config makes the configuration of a client without trust.
func (n *network) config() (wsc.Config, error) {
	config := wsc.Config{Plain: n.plain, Timeout: n.timeout, From: n.from, UserAgent: "Sceau/" + version()}
	if n.timeout <= 0 {
		return config, usage("--timeout must be positive")
	}
	if len(n.roots) == 0 {
		return config, nil
	}
	config.Roots = x509.NewCertPool()
	for _, file := range n.roots {
		ders, err := certs.ReadCertificates(file)
		if err != nil {
			return config, fmt.Errorf("--tls-root: %w", err)
		}
		for _, der := range ders {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return config, fmt.Errorf("--tls-root %s: %w", file, err)
			}
			config.Roots.AddCert(c)
		}
	}
	return config, nil
}

// trust says whose assertions are believed.
type trust struct {
	files  []string
	issuer string
}

func (t *trust) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&t.files, "trust", nil, "`FILE` with the certificate of the STS that signs assertions (repeatable, for a rollover)")
	flags.StringVar(&t.issuer, "issuer", wsc.DefaultIssuer, "`name` that the STS writes as Issuer")
}

// verifier pins the certificates: nobody else signs assertions, whatever authority
// stands above. Authorities in the files, there as the rest of a path, are passed
// over.
func (t *trust) verifier() (*certs.Verifier, error) {
	profile := certs.TokenIssuer()
	var err error
	if profile.Pinned, err = t.pins(); err != nil {
		return nil, err
	}
	return certs.NewVerifier(certs.Config{Profiles: []certs.Profile{profile}, Log: slog.New(slog.DiscardHandler)})
}

// pins gives the certificates of the STS.
func (t *trust) pins() ([][]byte, error) {
	var all [][]byte
	for _, file := range t.files {
		ders, err := certs.ReadCertificates(file)
		if err != nil {
			return nil, fmt.Errorf("--trust: %w", err)
		}
		before := len(all)
		for _, der := range ders {
			c, err := certs.ParseCertificate(der)
			if err != nil {
				return nil, fmt.Errorf("--trust %s: %w", file, err)
			}
			if !c.X509().IsCA {
				all = append(all, der)
			}
		}
		if len(all) == before {
			return nil, fmt.Errorf("--trust %s: only certificates of authorities; give that of the STS itself", file)
		}
	}
	return all, nil
}

// makeClient makes a client, which trusts no STS when no file is given, and what
// closes it.
func makeClient(n *network, t *trust, change func(*wsc.Config)) (*wsc.Client, func(), error) {
	config, err := n.config()
	if err != nil {
		return nil, nil, err
	}
	if t != nil && len(t.files) > 0 {
		if config.Trust, err = t.verifier(); err != nil {
			return nil, nil, err
		}
		config.Issuer = t.issuer
	}
	if change != nil {
		change(&config)
	}
	client, err := wsc.NewClient(config)
	if err != nil {
		if config.Trust != nil {
			config.Trust.Close()
		}
		return nil, nil, err
	}
	return client, func() {
		client.Close()
		if config.Trust != nil {
			config.Trust.Close()
		}
	}, nil
}

// need refuses a command line that lacks flags, all of them at once.
func need(cmd *cobra.Command, names ...string) error {
	var errs []error
	for _, name := range names {
		if !cmd.Flags().Changed(name) {
			errs = append(errs, fmt.Errorf("--%s is missing", name))
		}
	}
	if len(errs) > 0 {
		return usageError{errors.Join(errs...)}
	}
	return nil
}

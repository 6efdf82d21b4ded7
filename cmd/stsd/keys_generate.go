package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/certs/pkcs11"
)

// A keyKind is a kind of key that generate makes.
type keyKind struct {
	name    string
	onToken pkcs11.Kind
	make    func() (crypto.Signer, error)
}

func keyKinds() []keyKind {
	ofRSA := func(bits int) func() (crypto.Signer, error) {
		return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }
	}
	onCurve := func(c elliptic.Curve) func() (crypto.Signer, error) {
		return func() (crypto.Signer, error) { return ecdsa.GenerateKey(c, rand.Reader) }
	}
	return []keyKind{
		{"rsa-2048", pkcs11.RSA2048, ofRSA(2048)}, {"rsa-3072", pkcs11.RSA3072, ofRSA(3072)}, {"rsa-4096", pkcs11.RSA4096, ofRSA(4096)},
		{"p256", pkcs11.P256, onCurve(elliptic.P256())}, {"p384", pkcs11.P384, onCurve(elliptic.P384())}, {"p521", pkcs11.P521, onCurve(elliptic.P521())},
	}
}

func kindNames() string {
	var names []string
	for _, k := range keyKinds() {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

func keysGenerateCommand(now func() time.Time) *cobra.Command {
	var path string
	var g generation
	c := &cobra.Command{
		Use:   "generate ID --subject NAME --config FILE",
		Short: "Make a key, and a request for its certificate",
		Long: `Generate makes a key and writes ID.key (mode 0600) and ID.csr, a certificate
request in PKCS #10 for the CA, into signing.dir; with --self-signed, ID.pem
instead of a request. With --uri the key is made on a token and cannot leave it. It
overwrites nothing. The key signs nothing before a rollover says so.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := keysAt(path, now)
			if err != nil {
				return err
			}
			e := keyEntry{ID: args[0], Key: args[0] + ".key"}
			if g.uri != "" {
				e.Key = g.uri
			}
			name, err := parseSubjectName(g.subject)
			if err != nil {
				return err
			}
			if err := s.changeKeys(dir, func(f *keyFile) error {
				if err := f.fresh(e.ID); err != nil {
					return err
				}
				if err := g.run(dir, &e, name, now()); err != nil {
					return err
				}
				f.Keys = append(f.Keys, e)
				return nil
			}); err != nil {
				return err
			}
			if g.selfSigned {
				return s.sayPublished(cmd.OutOrStdout(), e.ID)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s: %s\nrequest for the CA: %s\nnext: stsd keys install %s CERTIFICATE\n",
				e.ID, within(dir, e.Key), filepath.Join(dir, e.ID+".csr"), e.ID)
			return err
		},
	}
	c.Flags().StringVar(&g.algorithm, "algorithm", "rsa-2048", "`kind` of key: "+kindNames())
	c.Flags().StringVar(&g.subject, "subject", "", `distinguished `+"`name`"+`, in the order of the certificate: "C=BE, O=Example, CN=STS"`)
	c.Flags().StringVar(&g.uri, "uri", "", "make the key on the token that this pkcs11 `URI` names")
	c.Flags().BoolVar(&g.selfSigned, "self-signed", false, "make a certificate instead of a request")
	c.Flags().IntVar(&g.days, "days", 365, "`days` of validity of a self-signed certificate")
	_ = c.MarkFlagRequired("subject")
	return keysFlags(c, &path)
}

// A generation is what generate was asked for.
type generation struct {
	algorithm, subject, uri string
	selfSigned              bool
	days                    int
}

// run makes the key and writes its files. The key comes last to the schedule: what is
// left by a failure is files that nothing names.
func (g *generation) run(dir string, e *keyEntry, name []byte, now time.Time) error {
	var kind *keyKind
	for _, k := range keyKinds() {
		if k.name == g.algorithm {
			kind = &k
		}
	}
	if kind == nil {
		return fmt.Errorf("algorithm is one of %s", kindNames())
	}
	if g.selfSigned && (g.days < 1 || g.days > 3650) {
		return errors.New("days: between 1 and 3650")
	}
	key, done, err := g.makeKey(dir, e, kind)
	if err != nil {
		return err
	}
	defer done()
	if !g.selfSigned {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: name}, key)
		if err != nil {
			return err
		}
		return writeNew(filepath.Join(dir, e.ID+".csr"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), 0o644)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return err
	}
	begins := now.UTC().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), RawSubject: name,
		NotBefore: begins, NotAfter: begins.AddDate(0, 0, g.days),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	e.Certificate, e.Published = e.ID+".pem", begins
	return writeNew(filepath.Join(dir, e.Certificate), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// makeKey makes the key on a token, or in a file.
func (g *generation) makeKey(dir string, e *keyEntry, kind *keyKind) (crypto.Signer, func(), error) {
	if g.uri != "" {
		uri, err := tokenURI(g.uri, dir)
		if err != nil {
			return nil, nil, err
		}
		public, err := pkcs11.Generate(uri, kind.onToken)
		if err != nil {
			return nil, nil, err
		}
		key, err := pkcs11.Open(pkcs11.Config{URI: uri, Public: public, Sessions: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			return nil, nil, err
		}
		return key, func() { key.Close() }, nil
	}
	key, err := kind.make()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, func() {}, writeNew(filepath.Join(dir, e.Key), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// parseSubjectName reads a distinguished name, one attribute an RDN, in the order in which
// the certificate has them. A comma in a value is written \,.
func parseSubjectName(text string) ([]byte, error) {
	types := map[string]asn1.ObjectIdentifier{
		"C": {2, 5, 4, 6}, "ST": {2, 5, 4, 8}, "L": {2, 5, 4, 7}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "CN": {2, 5, 4, 3},
		"SERIALNUMBER": {2, 5, 4, 5}, "ORGANIZATIONIDENTIFIER": {2, 5, 4, 97},
	}
	var name pkix.RDNSequence
	for _, part := range splitEscaped(text) {
		keyword, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		oid, known := types[strings.ToUpper(strings.TrimSpace(keyword))]
		value = strings.ReplaceAll(strings.TrimSpace(value), `\,`, ",")
		if !ok || !known || value == "" {
			return nil, fmt.Errorf("subject: %q is no C, ST, L, O, OU, CN, serialNumber or organizationIdentifier with a value", plain(part))
		}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: value}})
	}
	return asn1.Marshal(name)
}

// splitEscaped splits at commas that no backslash stands before.
func splitEscaped(text string) []string {
	var parts []string
	begin := 0
	for i := range len(text) {
		if text[i] == ',' && (i == 0 || text[i-1] != '\\') {
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	return append(parts, text[begin:])
}

package certs_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/testpki"
)

// limboCase is one test of C2SP x509-limbo: all of them ask whether a TLS server's
// certificate is good for a name.
type limboCase struct {
	ID               string
	TrustedCerts     []string   `json:"trusted_certs"`
	Intermediates    []string   `json:"untrusted_intermediates"`
	Peer             string     `json:"peer_certificate"`
	ValidationTime   *time.Time `json:"validation_time"`
	ExtendedKeyUsage []string   `json:"extended_key_usage"`
	ExpectedResult   string     `json:"expected_result"`
}

// TestLimbo runs x509-limbo through a Verifier, each case twice: its intermediates
// configured, and with the message. What limbo fails is never accepted, but for
// what limboLenient lists: names of hosts and rules of the Web PKI, one by one. What
// limbo passes is accepted, or stands in limboStrict.
func TestLimbo(t *testing.T) {
	cases := loadLimbo(t)
	passed, outside := 0, map[string]int{}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			err := c.identify(t, true)
			if message := c.identify(t, false); (message == nil) != (err == nil) {
				t.Errorf("with the message: %v; configured: %v", message, err)
			}
			lenient, listed := limboLenient[c.ID]
			strict, refused := limboStrict[c.ID]
			switch pass := c.ExpectedResult == "SUCCESS"; {
			case (err == nil) == pass && (listed || refused):
				t.Error("the answer is limbo's: it is wrongly listed")
			case err == nil && !pass && listed:
				outside[lenient]++
			case err != nil && pass && refused:
				outside[strict]++
			case (err == nil) != pass:
				t.Errorf("limbo says %s: %v", c.ExpectedResult, err)
			default:
				passed++
			}
		})
	}
	for _, why := range slices.Sorted(maps.Keys(outside)) {
		t.Logf("%3d outside: %s", outside[why], why)
	}
	t.Logf("x509-limbo: %d cases, %d in profile and passed, %d outside", len(cases), passed, len(limboLenient)+len(limboStrict))
	for _, list := range []map[string]string{limboLenient, limboStrict} {
		for id := range list {
			if !slices.ContainsFunc(cases, func(c limboCase) bool { return c.ID == id }) {
				t.Errorf("%q is listed and no case", id)
			}
		}
	}
}

// Why an answer is not limbo's.
const (
	limboHost       = "whether a certificate is for a host is not asked of this package"
	limboWebPKI     = "a rule of the CA/Browser Forum for public servers"
	limboIssuance   = "key identifiers are a duty of CAs (RFC 5280 section 4.2.1); validation (section 6) does without, and proves the key by the signature"
	limboCritical   = "basic constraints count whether critical or not, as in NIST PKITS 4.6.4"
	limboDepth      = "a bound of the path that the caller chooses: here it is always five certificates"
	limboCA         = "a CA certificate identifies nobody"
	limboSelfIssued = "crypto/x509 holds self-issued certificates too against constraints of DNS names"
	limboUsage      = "the certificate itself must have a key usage"
)

// limboLenient lists the cases that limbo fails and that are accepted here.
var limboLenient = map[string]string{
	"webpki::san::mismatch-domain-san":              limboHost,
	"webpki::san::mismatch-subdomain-san":           limboHost,
	"webpki::san::mismatch-subdomain-apex-san":      limboHost,
	"webpki::san::mismatch-apex-subdomain-san":      limboHost,
	"webpki::san::public-suffix-wildcard-san":       limboHost,
	"webpki::san::wildcard-embedded-leftmost-san":   limboHost,
	"webpki::san::wildcard-not-in-leftmost-san":     limboHost,
	"webpki::san::wildcard-match-across-labels-san": limboHost,
	"webpki::san::wildcard-embedded-ulabel-san":     limboHost,
	"webpki::san::no-san":                           limboHost,

	"rfc5280::nc::permitted-dns-match-noncritical":         limboWebPKI,
	"webpki::aki::root-with-aki-missing-keyidentifier":     limboWebPKI,
	"webpki::aki::root-with-aki-authoritycertissuer":       limboWebPKI,
	"webpki::aki::root-with-aki-authoritycertserialnumber": limboWebPKI,
	"webpki::aki::root-with-aki-all-fields":                limboWebPKI,
	"webpki::aki::root-with-aki-ski-mismatch":              limboWebPKI,
	"webpki::eku::ee-anyeku":                               limboWebPKI,
	"webpki::eku::ee-critical-eku":                         limboWebPKI,
	"webpki::eku::ee-without-eku":                          limboWebPKI,
	"webpki::eku::root-has-eku":                            limboWebPKI,
	"webpki::san::san-critical-with-nonempty-subject":      limboWebPKI,

	"rfc5280::aki::leaf-missing-aki":              limboIssuance,
	"rfc5280::aki::intermediate-missing-aki":      limboIssuance,
	"rfc5280::aki::cross-signed-root-missing-aki": limboIssuance,
	"rfc5280::ski::root-missing-ski":              limboIssuance,
	"rfc5280::ski::intermediate-missing-ski":      limboIssuance,

	"rfc5280::root-non-critical-basic-constraints": limboCritical,

	"pathlen::max-chain-depth-0-exhausted": limboDepth,
	"pathlen::max-chain-depth-1-exhausted": limboDepth,
}

// limboStrict lists the cases that limbo passes and that are refused here.
var limboStrict = map[string]string{
	"pathlen::validation-ignores-pathlen-in-leaf": limboCA,

	"rfc5280::nc::permitted-self-issued": limboSelfIssued,

	"rfc5280::no-keyusage": limboUsage,
}

func loadLimbo(t *testing.T) []limboCase {
	shared := os.Getenv("SCEAU_SHARED")
	if shared == "" {
		t.Skip("SCEAU_SHARED does not say where the vectors are")
	}
	text, err := os.ReadFile(filepath.Join(shared, "vectors", "x509-limbo", "limbo-8c755f8.json"))
	if err != nil {
		t.Fatal(err)
	}
	var suite struct{ Testcases []limboCase }
	if err := json.Unmarshal(text, &suite); err != nil {
		t.Fatal(err)
	}
	if len(suite.Testcases) != 135 {
		t.Errorf("%d cases, want 135", len(suite.Testcases))
	}
	return suite.Testcases
}

// identify gives how the certificate of a case is refused, nil when it is
// identified. An intermediate that came with the message has no CRL here: that its
// revocation is unknown is the last thing to be said of a path that is good.
func (c *limboCase) identify(t *testing.T, configured bool) error {
	at := testpki.Now()
	if c.ValidationTime != nil {
		at = *c.ValidationTime
	}
	leaf, err := certs.ParseCertificate(derOf(t, c.Peer))
	if err != nil {
		return err
	}
	p := certs.Profile{
		Name:        c.ID,
		Role:        "limbo",
		Kinds:       []certs.Kind{certs.Service},
		Subjects:    []string{leaf.Subject().String()},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		AnyPolicy:   true,
	}
	if slices.Contains(c.ExtendedKeyUsage, "serverAuth") {
		p.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	off := certs.Revocation{Mode: certs.Off}
	for _, text := range c.TrustedCerts {
		p.Roots = append(p.Roots, &certs.Authority{Certificate: derOf(t, text), Revocation: off})
	}
	var intermediates []*certs.Certificate
	for _, text := range c.Intermediates {
		if configured {
			p.Intermediates = append(p.Intermediates, &certs.Authority{Certificate: derOf(t, text), Revocation: off})
			continue
		}
		intermediate, err := certs.ParseCertificate(derOf(t, text))
		if err != nil {
			return err
		}
		intermediates = append(intermediates, intermediate)
		p.Issuers = append(p.Issuers, intermediate.Subject().String())
	}
	v, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{p}, Now: testpki.Now, Log: quiet()})
	if err != nil {
		return err
	}
	defer v.Close()
	if _, err = v.Identify("limbo", leaf, intermediates, at); !configured && certs.ReasonOf(err) == certs.RevocationUnknown {
		return nil
	}
	return err
}

func derOf(t *testing.T, text string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal(errors.New("not PEM"))
	}
	return block.Bytes
}

package certs

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Role is the part that a certificate plays in a message.
type Role string

// The roles. A configuration may serve any of them.
const (
	RoleIdentity Role = "identity" // whoever asks: eID Citizen and Foreigner CAs, in fallback eHealth CAs
	RoleHolder   Role = "holder"   // whose key the assertion is bound to: eHealth issuing CAs, or the eID itself
	RoleSTS      Role = "sts"      // who signs assertions: pinned, or named under a CA
)

// Config is what a Verifier trusts, and how it learns of revocation. The zero
// Config is refused: a Verifier that trusts nobody, or anybody, is not made (A8).
type Config struct {
	Profiles []Profile
	CRL      CRLConfig
	OCSP     OCSPConfig // bounds; who is asked is said of each Authority

	// CacheEntries is how many parsed certificates, and how many verified
	// certificates, are kept; zero is 10 000 of each.
	CacheEntries int64

	// Now is the clock of the background: when a CRL is fetched, and whether one is
	// from the future. Nil is time.Now. Identify has its own moment.
	Now func() time.Time

	// Log receives what an operator must know. Nil is slog.Default.
	Log *slog.Logger
}

// Profile is one rule of trust: which certificates may play a role. A role may
// have several; a certificate is measured by those that admit its kind. Every
// field that narrows must be said (K7): a chain to a CA alone proves too little.
type Profile struct {
	Name string // for errors and logs
	Role Role

	// Kinds are the subjects admitted. Service admits certificates that Subjects
	// or Pinned name, and no others.
	Kinds []Kind

	// Roots are the authorities at which a path may end; Intermediates may stand
	// between. A message may bring up to four more intermediates.
	Roots         []*Authority
	Intermediates []*Authority

	// The issuer of the certificate itself must be one of Roots or Intermediates,
	// or an authority under them that bears one of these names (as text).
	Issuers []string

	// Subjects, when not empty, are the only subject names admitted (as text).
	Subjects []string

	// Pinned are certificates (DER) trusted as they stand, by their fingerprint: no
	// path is built and no CRL consulted; validity, strength and usage are. A
	// pinned certificate may be self-signed and need not have a key usage.
	Pinned [][]byte

	KeyUsage    x509.KeyUsage      // all of these bits must be set; zero is digitalSignature
	ExtKeyUsage []x509.ExtKeyUsage // one of these must be asserted, by the whole path; ExtKeyUsageAny asks for none
	Policies    []string           // one of these (dotted) must be asserted and be valid for the path
	AnyPolicy   bool               // says that no policy is asked for; without it Policies must not be empty

	MinRSABits int  // of the certificate's own key; zero is 2048
	TestCards  bool // admits the serialNumber of ten digits of foreigner test cards
}

// Authority is a CA certificate that the configuration trusts. One value may
// stand in several profiles; two of one certificate must agree.
type Authority struct {
	Certificate []byte // DER

	// Revocation says how the CRL of this authority counts for the certificates
	// that it issued. The zero value requires one.
	Revocation Revocation

	// DistributionPoints are the addresses (http, https) from which its CRLs are
	// fetched. No other address is ever contacted: what a certificate says of CRLs
	// is not followed (K3).
	DistributionPoints []string

	// OCSP names the responders that are asked about the certificates that this
	// authority issued. Nil: none is.
	OCSP *OCSP
}

// CRLConfig says where CRLs come from, beside the distribution points of the authorities.
type CRLConfig struct {
	// Files are CRL files (DER or PEM) and directories of them. They are read at
	// start, on Reload, and again whenever they have changed.
	Files []string

	FileInterval time.Duration     // how often the files are looked at; zero is a minute
	Refresh      time.Duration     // the longest time between two fetches; zero is an hour
	Timeout      time.Duration     // of one fetch, wholly; zero is 30 seconds
	MaxBytes     int64             // of one CRL; zero is 64 MB
	Skew         time.Duration     // how far clocks may differ; zero is five minutes
	Transport    http.RoundTripper // nil is a transport of its own, with the proxy of the environment
}

// BelgianEID gives the rules for Belgian eID authentication certificates (wire
// document 6.1) in the role of identity, without its authorities.
func BelgianEID() Profile {
	return Profile{
		Name:        "Belgian eID",
		Role:        RoleIdentity,
		Kinds:       []Kind{EID},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		// Citizen CAs under Belgium Root CA2 and CA4, authentication.
		Policies: []string{"2.16.56.9.1.1.2.2", "2.16.56.12.1.1.2.2"},
	}
}

// EHealthPlatform gives the rules for eHealth certificates (wire document 6.2) in
// a role, without its authorities: RoleHolder, or RoleIdentity in fallback.
func EHealthPlatform(role Role) Profile {
	return Profile{
		Name:        "eHealth",
		Role:        role,
		Kinds:       []Kind{EHealthPerson, EHealthOrganisation},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		AnyPolicy:   true, // the platform's policy identifiers are not public
	}
}

// TokenIssuer gives the rules for the certificate of an STS, without its
// authorities: the caller adds Pinned, or Roots, Intermediates and Subjects.
func TokenIssuer() Profile {
	return Profile{
		Name:        "token issuer",
		Role:        RoleSTS,
		Kinds:       []Kind{Service},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		AnyPolicy:   true,
	}
}

// ReadCertificates gives the DER of every certificate in a file: PEM, or one in DER.
func ReadCertificates(path string) ([][]byte, error) {
	content, err := readSmallFile(path)
	if err != nil {
		return nil, err
	}
	ders, err := splitCertificates(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ders, nil
}

func splitCertificates(content []byte) ([][]byte, error) {
	if len(content) > 0 && content[0] == 0x30 {
		return [][]byte{content}, nil
	}
	var ders [][]byte
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) == 0 {
		return nil, refuse(Malformed, errors.New("no certificate in it"))
	}
	return ders, nil
}

// maxSmallFile bounds files of keys, certificates and passphrases.
const maxSmallFile = 4 << 20

// readSmallFile reads a file that should be small.
func readSmallFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSmallFile {
		return nil, refuse(TooLarge, fmt.Errorf("%s: not a regular file, or too large", path))
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	return content, nil
}

// withDefaults fills what zero stands for.
func (c Config) withDefaults() Config {
	setDefault(&c.CacheEntries, 10_000)
	setDefault(&c.CRL.FileInterval, time.Minute)
	setDefault(&c.CRL.Refresh, time.Hour)
	setDefault(&c.CRL.Timeout, 30*time.Second)
	setDefault(&c.CRL.MaxBytes, 64<<20)
	setDefault(&c.CRL.Skew, 5*time.Minute)
	c.OCSP = c.OCSP.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func setDefault[T int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

func (c *Config) check() error {
	if c.CacheEntries < 0 || c.CRL.FileInterval < 0 || c.CRL.Refresh < 0 || c.CRL.Timeout < 0 || c.CRL.MaxBytes < 0 || c.CRL.Skew < 0 {
		return refuse(Malformed, errors.New("configuration: negative limit"))
	}
	if len(c.Profiles) == 0 {
		return refuse(NoTrust, errors.New("configuration: no profile"))
	}
	return c.OCSP.check()
}

// check finds everything that is wrong with a profile by itself.
func (p *Profile) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, refuse(NoTrust, fmt.Errorf("profile %q: "+format, append([]any{p.Name}, args...)...)))
	}
	if p.Role == "" {
		wrong("no role")
	}
	if len(p.Kinds) == 0 {
		wrong("admits no kind of subject")
	}
	service := false
	for _, kind := range p.Kinds {
		if kind == Nobody || kind > Service {
			wrong("kind %d", kind)
		}
		service = service || kind == Service
	}
	if len(p.Roots) == 0 && len(p.Pinned) == 0 {
		wrong("neither a root nor a pinned certificate") // A8
	}
	if len(p.Pinned) > 0 && !service {
		wrong("pinned certificates, but not the kind service")
	}
	if len(p.Roots) > 0 {
		if len(p.Subjects) == 0 && (service || p.Role == RoleSTS) {
			wrong("any certificate of its authorities would be a %s: Subjects must name the admitted ones", Service) // K7
		}
		if len(p.ExtKeyUsage) == 0 {
			wrong("no extended key usage; say ExtKeyUsageAny to ask for none")
		}
		if (len(p.Policies) == 0) != p.AnyPolicy {
			wrong("either Policies or AnyPolicy must be said, and not both")
		}
	}
	if p.MinRSABits < 0 || p.MinRSABits > maxRSABits {
		wrong("MinRSABits %d", p.MinRSABits)
	}
	return errors.Join(errs...)
}

// check finds everything that is wrong with an authority.
func (a *Authority) check() error {
	var errs []error
	if err := a.Revocation.check(); err != nil {
		errs = append(errs, err)
	}
	if err := a.OCSP.Check(); err != nil {
		errs = append(errs, err)
	}
	for _, point := range a.DistributionPoints {
		u, err := url.Parse(point)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(point, " \r\n") {
			errs = append(errs, refuse(Malformed, fmt.Errorf("distribution point %q: not an http or https address", point)))
		}
	}
	return errors.Join(errs...)
}

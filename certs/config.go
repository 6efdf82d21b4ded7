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
	RoleClient   Role = "client"   // whose key authenticates a client in TLS or OpenID Connect (RFC 8705): IGC-Santé and the like
	RolePerson   Role = "person"   // who authenticates himself in a browser: eID, CPS, eHealth CAs

	RoleAttestation Role = "attestation" // who signs what persons hold in wallets, and its status: named under a CA
)

// Config is what a Verifier trusts, and how it learns of revocation. The zero
// Config is refused: a Verifier that trusts nobody, or anybody, is not made (A8).
type Config struct {
	Profiles []Profile
	CRL      CRLConfig
	OCSP     OCSPConfig // bounds; who is asked is said of each Authority

	// CacheEntries is how many parsed certificates, and how many verified
	// certificates, are kept; zero is 10 000 of each. A parsed certificate of more
	// than 2 KB, or of many extensions, counts for several.
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
	// or an authority under them that bears one of these names (as text). One whose key
	// no profile has among its authorities has no CRL here: what it issued is refused.
	Issuers []string

	// Subjects, when not empty, are the only subject names admitted (as text).
	Subjects []string

	// SubjectPatterns, when not empty, are the shapes of subject names admitted: a
	// name must have one of them. See [Pattern].
	SubjectPatterns []string

	// Pinned are certificates (DER) trusted as they stand, by their fingerprint: no
	// path is built and no CRL consulted; validity, strength and usage are. A
	// pinned certificate may be self-signed and need not have a key usage.
	Pinned [][]byte

	KeyUsage    x509.KeyUsage      // all of these bits must be set; zero is digitalSignature
	ExtKeyUsage []x509.ExtKeyUsage // one of these must be asserted, by the whole path; ExtKeyUsageAny asks for none
	// Policies (dotted): the certificate itself must name one of these. AnyPolicy says
	// that none is asked for. What the certificates of a path demand of policies
	// themselves holds either way.
	Policies  []string
	AnyPolicy bool

	// ExplicitPolicy says that the whole path must grant one of Policies: RFC 5280
	// section 6.1 with initial-explicit-policy and initial-policy-mapping-inhibit.
	// It is for a PKI whose CA certificates assert the policies of their leafs.
	ExplicitPolicy bool

	KeyAlgorithms []KeyAlgorithm // of the certificate's own key; empty is each of them
	MinRSABits    int            // of the certificate's own key; zero is 2048

	TestCards bool // admits the serialNumber of ten digits of foreigner test cards
}

// Authority is a CA certificate that the configuration trusts. One value may
// stand in several profiles. Two of one authority, such as its renewed certificate, must
// agree in Revocation and OCSP; the distribution points and CRL signers of both count.
type Authority struct {
	Certificate []byte // DER

	// Revocation says how the CRL of this authority counts for the certificates
	// that it issued. The zero value requires one.
	Revocation Revocation

	// DistributionPoints are the addresses (http, https) from which its CRLs are
	// fetched. No other address is ever contacted: what a certificate says of CRLs
	// is not followed (K3).
	DistributionPoints []string

	// CRLSigners are certificates (DER) of the keys to which the authority delegates the
	// signing of its CRLs, beside its own key. Each bears the authority's name, may sign
	// CRLs, and was issued by an authority of the configuration, which also answers for
	// its revocation. A list by any other key does not count (K2).
	CRLSigners [][]byte
	// OCSP names the responders that are asked about the certificates that this
	// authority issued. Nil: none is.
	OCSP *OCSP
}

// CRLConfig says where CRLs come from, beside the distribution points of the authorities.
type CRLConfig struct {
	// Files are CRL files (DER or PEM) and directories of them. They are read at
	// start, on Reload, and again whenever they have changed.
	Files []string

	// CacheDir is a directory in which what was fetched is kept, so that a restart begins
	// with the lists that the last run had. What is read from it is verified again like
	// what comes from the network. It is made when it does not exist; empty keeps nothing.
	CacheDir string

	// Offline says that nothing is fetched: CRLs come from Files and CacheDir alone.
	Offline bool

	FileInterval time.Duration     // how often the files are looked at; zero is a minute
	Refresh      time.Duration     // the longest time between two fetches; zero is an hour
	Timeout      time.Duration     // of one fetch, wholly; zero is 30 seconds
	MaxBytes     int64             // of one CRL; zero is 64 MB
	Skew         time.Duration     // how far clocks may differ, at most an hour; zero is five minutes
	Transport    http.RoundTripper // nil is a transport of its own, with the proxy of the environment
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

// maxSkew bounds how far clocks may differ: by more, a late list would be fresh (A8).
const maxSkew = time.Hour

func (c *Config) check() error {
	if c.CacheEntries < 0 || c.CRL.FileInterval < 0 || c.CRL.Refresh < 0 || c.CRL.Timeout < 0 || c.CRL.MaxBytes < 0 || c.CRL.Skew < 0 {
		return refuse(Malformed, errors.New("configuration: negative limit"))
	}
	if c.CRL.Skew > maxSkew || c.OCSP.Skew > maxSkew {
		return refuse(Malformed, fmt.Errorf("configuration: a skew of more than %v", maxSkew))
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
		if kind == Nobody || kind > lastKind {
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
		if p.ExplicitPolicy && len(p.Policies) == 0 {
			wrong("ExplicitPolicy without Policies")
		}
	}
	for _, algorithm := range p.KeyAlgorithms {
		if !algorithm.known() {
			wrong("key algorithm %q: want %v", algorithm, keyAlgorithms())
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

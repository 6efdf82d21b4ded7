package sts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/certs"
	"sceau/policy"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// IssuerName is the Issuer of assertions on the eHealth wire.
const IssuerName = "urn:be:fgov:ehealth:sts:1_0"

// A Recorder keeps the audit trail; *audit.Journal is one. Record returns after the
// event is as durable as the operator asked.
type Recorder interface {
	Record(ctx context.Context, e *audit.Event) error
}

// Config is all that a Service needs. New refuses one that would admit nobody or
// check nothing.
type Config struct {
	// SOAP bounds and reads messages.
	SOAP soap.Config
	// Security judges the WS-Security header; its Tokens are set by the Service.
	Security soap.Policy
	// Inner judges the signature inside the samlp:Request.
	Inner xmlsec.Policy

	Certificates *certs.Verifier
	Catalogue    *attrs.Catalogue
	Attributes   *attrs.Resolver
	Policy       policy.PDP
	Journal      Recorder

	// Signer signs assertions with SignerCertificate's key; NewTokenSigner makes it.
	Signer *xmlsec.Signer
	// SignerNotBefore and SignerNotAfter are when the certificate of the signer begins and
	// ends; outside nothing is issued. NotBefore may be zero.
	SignerNotBefore, SignerNotAfter time.Time
	// Issuer of assertions; empty means IssuerName.
	Issuer string
	// ClientNames are values of the Issuer of a self-issued assertion that are
	// admitted besides the subject name of the certificate ("Egelke").
	ClientNames []string
	// AcceptClaimed names identification attributes of organisations whose value is
	// taken as claimed although neither certificate bears it. Empty: none is.
	AcceptClaimed []string
	// BackDate is subtracted from NotBefore, for providers whose clock is behind.
	// Negative means zero; zero means 5 minutes, as the platform does.
	BackDate time.Duration
	// MaxDesignators bounds the attributes of one query; zero means 64.
	MaxDesignators int
	// Environment is named in faults: "Production", "Acceptation", …; may be empty.
	Environment string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// DefaultConfig returns a Config with the limits, windows and algorithms that suit
// the wire, and without everything that an operator must choose.
func DefaultConfig() Config {
	return Config{
		SOAP:     soap.Config{Limits: xmltext.DefaultLimits()},
		Security: soap.Policy{Signature: xmlsec.DefaultPolicy(), Timestamp: soap.DefaultTimestampPolicy()},
		Inner:    xmlsec.DefaultPolicy(),
		Issuer:   IssuerName,
	}
}

// check reports everything that is wrong with a configuration at once.
func (c *Config) check() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("sts: "+what))
		}
	}
	need(c.Certificates != nil, "no certificate verifier")
	need(c.Certificates == nil || c.Certificates.Serves(certs.RoleIdentity), "nobody is trusted in the role of identity")
	need(c.Certificates == nil || c.Certificates.Serves(certs.RoleHolder), "nobody is trusted in the role of holder")
	need(c.Catalogue != nil, "no attribute catalogue")
	need(c.Attributes != nil, "no attribute resolver")
	need(c.Policy != nil, "no policy")
	need(c.Journal != nil, "no audit journal")
	need(c.Signer != nil, "no signer")
	need(!c.SignerNotAfter.IsZero(), "no end of the signer's certificate")
	need(c.Security.Replay != nil, "no replay state")
	need(c.Security.Timestamp.MaxLifetime > 0, "no lifetime of messages")
	need(c.Security.Timestamp.Skew >= 0, "negative clock skew")
	need(c.Security.Signature.SHA2, "no signature algorithm for the header")
	need(c.Inner.SHA2, "no signature algorithm for the request")
	need(c.SOAP.Limits.Bytes > 0, "no limit of message size")
	need(c.MaxDesignators >= 0, "negative number of designators")
	return errors.Join(errs...)
}

// NewTokenSigner returns the Signer of assertions: its KeyInfo holds the certificate, which
// must be one that may issue them (certs.Signer.MayIssue).
func NewTokenSigner(key *certs.Signer, method xmlsec.SignatureMethod) (*xmlsec.Signer, error) {
	if err := key.MayIssue(); err != nil {
		return nil, fmt.Errorf("signing certificate: %w", err)
	}
	return xmlsec.NewSigner(xmlsec.SignerConfig{Key: key, Method: method, KeyInfo: xmlsec.CertificateKeyInfo(key.Certificate().Raw())})
}

package wsp

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/soap"
	"sceau/xmlsec/xmltext"
)

// Bounds of a Config. What is beyond them would make the checks of time vain.
const (
	maxSkew            = 10 * time.Minute
	maxMessageLifetime = time.Hour
)

// Config says whom a Guard admits. Certificates, Issuers and Replay must be given;
// the other fields mean what is safest when they are zero.
type Config struct {
	// Certificates identifies the STS (certs.RoleSTS) and the holders. The Guard
	// does not close it.
	Certificates *certs.Verifier

	// Issuers are the admitted values of Issuer, compared exactly (attacks.md H5).
	Issuers []string

	// Audiences are the names by which an AudienceRestrictionCondition may mean us.
	// An assertion with such a condition is refused when none is given; one without
	// is for everybody (core 2.3.2.1.3).
	Audiences []string

	// HolderRoles are the roles in which the certificate of a holder may be
	// identified. Nil is certs.RoleHolder alone; certs.RoleIdentity beside it
	// admits calls signed with an eID (session mode "eID only").
	HolderRoles []certs.Role

	// HolderKeyValue admits a holder whose key stands as a ds:KeyValue in the
	// assertion. Then nobody but the STS answers for the key: there is no
	// certificate, no revocation, and Caller.Holder is nobody.
	HolderKeyValue bool

	// SenderVouches are the senders whose word confirms a subject. Nil refuses the method, for everybody.
	SenderVouches []Sender

	// ProtectTokens demands that the signature of the message covers the assertion too, directly or by STR-Transform
	// (WS-SecurityPolicy 1.2 section 7.5). Most clients of the wire do not: the STS signed it already.
	ProtectTokens bool

	// MessageSHA1 and AssertionSHA1 admit SHA-1 in the signature of messages and of
	// assertions. Collisions of SHA-1 are practical.
	MessageSHA1, AssertionSHA1 bool

	// Skew is how far the clock of the STS may differ from ours when Conditions are
	// judged; zero is not at all. Its greatest value is ten minutes.
	Skew time.Duration

	// Timestamp judges the Timestamp of messages. The zero value is
	// soap.DefaultTimestampPolicy.
	Timestamp soap.TimestampPolicy

	// Replay remembers the messages that were admitted.
	Replay soap.ReplayState

	// Limits of the XML text; the zero value is xmltext.DefaultLimits.
	Limits xmltext.Limits

	// Actor is the URI of a SOAP role that we play besides "next" and the ultimate
	// receiver; empty for none.
	Actor string

	// Caps of one assertion: octets (zero is 64 KiB) and attributes (zero is 256).
	MaxAssertionBytes, MaxAttributes int

	// Require are attributes without which nobody is admitted.
	Require []Requirement

	// PDP decides after everything else. Nil adds no rule to Require.
	PDP PDP

	// Catalogue says which names mean one attribute. Nil is attrs.EHealth.
	Catalogue *attrs.Catalogue

	// CacheBytes bounds the memory of verified assertions; zero is 16 MiB, negative
	// is none.
	CacheBytes int64

	// The fields below are for Judge and the middlewares.

	// Recorder keeps the trace of decisions. Nil keeps none beside Log.
	Recorder Recorder
	// Environment stands in faults: Test, Acceptation, Production…; empty leaves it out.
	Environment string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log receives one record for each refusal, with the id that the fault bears. Nil is slog.Default.
	Log *slog.Logger
}

const (
	defaultAssertionBytes = 64 << 10
	defaultAttributes     = 256
	defaultCacheBytes     = 16 << 20
)

// withDefaults fills what zero stands for.
func (c Config) withDefaults() Config {
	if c.HolderRoles == nil {
		c.HolderRoles = []certs.Role{certs.RoleHolder}
	}
	if c.Timestamp == (soap.TimestampPolicy{}) {
		c.Timestamp = soap.DefaultTimestampPolicy()
	}
	if c.Limits == (xmltext.Limits{}) {
		c.Limits = xmltext.DefaultLimits()
	}
	if c.MaxAssertionBytes == 0 {
		c.MaxAssertionBytes = defaultAssertionBytes
	}
	if c.MaxAttributes == 0 {
		c.MaxAttributes = defaultAttributes
	}
	if c.Catalogue == nil {
		c.Catalogue = attrs.EHealth()
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = defaultCacheBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// check finds everything that is wrong, at once (attacks.md A8).
func (c *Config) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("wsp: configuration: "+format, args...))
	}
	if c.Certificates == nil {
		wrong("no Certificates: nobody could be trusted")
	} else {
		for _, role := range append([]certs.Role{certs.RoleSTS}, c.HolderRoles...) {
			if !c.Certificates.Serves(role) {
				wrong("no profile of Certificates serves the role %q", role)
			}
		}
	}
	if c.Replay == nil {
		wrong("no Replay: a captured message could be sent again")
	}
	if len(c.Issuers) == 0 {
		wrong("no Issuers: no assertion could be trusted")
	}
	if slices.Contains(c.Issuers, "") || slices.Contains(c.Audiences, "") {
		wrong("an empty issuer or audience")
	}
	if len(c.HolderRoles) == 0 && !c.HolderKeyValue && len(c.SenderVouches) == 0 {
		wrong("neither HolderRoles nor HolderKeyValue: no holder could be trusted")
	}
	if slices.Contains(c.HolderRoles, "") || slices.Contains(c.HolderRoles, certs.RoleSTS) {
		wrong("an STS, or a certificate without role, cannot be a holder")
	}
	if c.Skew < 0 || c.Skew > maxSkew || c.Timestamp.Skew < 0 || c.Timestamp.Skew > maxSkew {
		wrong("skew not between 0 and %v", maxSkew)
	}
	if c.Timestamp.MaxLifetime <= 0 || c.Timestamp.MaxLifetime > maxMessageLifetime {
		wrong("lifetime of messages not between 0 and %v", maxMessageLifetime)
	}
	if l := c.Limits; min(l.Bytes, l.Depth, l.Nodes, l.Attributes, l.Namespaces, l.NameLength) <= 0 {
		wrong("a limit of the XML text that admits nothing")
	}
	if c.MaxAssertionBytes < 0 || c.MaxAttributes < 0 {
		wrong("a negative cap")
	}
	for i := range c.SenderVouches {
		s := &c.SenderVouches[i]
		if err := s.check(); err != nil {
			wrong("%w", err)
		} else if c.Certificates != nil && !c.Certificates.Serves(s.role()) {
			wrong("no profile of Certificates serves the role %q of a sender", s.role())
		}
	}
	for i := range c.Require {
		if err := c.Require[i].check(c.Catalogue); err != nil {
			wrong("required attribute %q: %w", c.Require[i].Name, err)
		}
	}
	return errors.Join(errs...)
}

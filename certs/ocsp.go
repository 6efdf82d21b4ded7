package certs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// OCSP says how the status of the certificates of one authority is asked of
// responders (RFC 6960). Answers are fetched in the background and kept; a
// request finds one or finds none, and waits for none unless Wait says so.
//
// What is kept of a certificate is in one of these states, at the moment that
// Identify is given; TestOCSPTable holds the whole of both tables:
//
//	answer                             │ soft     │ hard
//	───────────────────────────────────┼──────────┼─────────
//	revoked, of whatever age           │ Revoked  │ Revoked
//	good, fresh                        │ Good     │ Good
//	unknown, fresh                     │ nothing  │ Unknown
//	good or unknown, late              │ nothing  │ Unknown
//	good or unknown, not yet valid     │ nothing  │ Unknown
//	none: never asked, no room, or the │ nothing  │ Unknown
//	  responder failed or was refused  │          │
//
// An answer is late when its nextUpdate was more than OCSPConfig.Skew ago. What
// is "good" or "unknown" and signed by a delegated responder whose certificate
// the authority's CRL policy would refuse now, or with nocheck (RFC 6960 section
// 4.2.2.2.1) a CRL lists, counts as none; "revoked" stays.
//
// It is joined with what the CRLs say (the table of the package comment):
//
//	CRLs                      │ nothing     │ Good     │ Unknown  │ Revoked
//	──────────────────────────┼─────────────┼──────────┼──────────┼─────────
//	Revoked                   │ Revoked     │ Revoked  │ Revoked  │ Revoked
//	Unknown                   │ Unknown     │ Unknown  │ Unknown  │ Revoked
//	Cleared                   │ Cleared     │ Cleared  │ Unknown  │ Revoked
//	Late (within its grace)   │ ClearedLate │ Cleared  │ Unknown  │ Revoked
//	NotChecked (policy off)   │ NotChecked  │ Cleared  │ Unknown  │ Revoked
//
// Under soft the first request for a certificate after a start is decided by the
// CRLs alone. A good answer never lifts what the CRL policy refuses: to live by OCSP
// alone, say Revocation off and the mode hard.
type OCSP struct {
	// Responders are addresses (http, https), tried in this order. An address that
	// stands in a certificate is never contacted (K3).
	Responders []string

	// Mode must be said: the zero mode is refused.
	Mode OCSPMode

	// Nonce asks for a nonce of 32 octets to be echoed (RFC 9654): an answer
	// without ours is refused. Responders that sign in advance cannot do it.
	Nonce bool

	// Signers are certificates (DER) of delegated responders, for responders that
	// leave theirs out of the answer. They are held to the same rules: issued by
	// this authority, with the usage OCSPSigning.
	Signers [][]byte

	// Wait is how long, in the mode hard, a request may wait for the first answer
	// about a certificate; when the first try has ended nobody waits. It counts for each
	// certificate that a request brings, and for each path of one. Zero: such a
	// request is refused with RevocationUnknown, and the answer is there for the next.
	Wait time.Duration

	// MaxAge admits answers without nextUpdate, for so long after their thisUpdate.
	// Zero refuses them: they would be good for ever.
	MaxAge time.Duration
}

// OCSPMode says how much OCSP counts.
type OCSPMode uint8

// The modes. There is no default.
const (
	OCSPSoft OCSPMode = iota + 1 // what an answer says counts; without one the CRLs decide
	OCSPHard                     // a fresh good answer is needed, whatever the CRLs say
)

// ParseOCSPMode reads a mode as configuration writes it: "soft" or "hard".
func ParseOCSPMode(text string) (OCSPMode, error) {
	switch text {
	case "soft":
		return OCSPSoft, nil
	case "hard":
		return OCSPHard, nil
	}
	return 0, refuse(Malformed, fmt.Errorf("OCSP mode %q: want soft or hard", text))
}

// String writes the mode as ParseOCSPMode reads it.
func (m OCSPMode) String() string {
	switch m {
	case OCSPSoft:
		return "soft"
	case OCSPHard:
		return "hard"
	}
	return "none"
}

// OCSPState is what the kept answer says of a certificate at a moment.
type OCSPState uint8

// The states. The zero state is that there is no answer.
const (
	OCSPMissing     OCSPState = iota
	OCSPNotYetValid           // good or unknown, and thisUpdate is in the future
	OCSPLate                  // good or unknown, and nextUpdate has passed
	OCSPUnknown               // the responder does not know the certificate
	OCSPGood
	OCSPRevoked
)

// String gives the state as logs write it.
func (s OCSPState) String() string {
	switch s {
	case OCSPMissing:
		return "missing"
	case OCSPNotYetValid:
		return "not-yet-valid"
	case OCSPLate:
		return "late"
	case OCSPUnknown:
		return "unknown"
	case OCSPGood:
		return "good"
	case OCSPRevoked:
		return "revoked"
	}
	return "none"
}

// decideOCSP is the first table of OCSP: good tells of a fresh good answer, and a
// reason other than zero refuses.
func decideOCSP(mode OCSPMode, state OCSPState) (good bool, reason Reason) {
	switch {
	case state == OCSPRevoked: // under every mode and however old: what is known is not ignored
		return false, Revoked
	case mode != OCSPSoft && mode != OCSPHard:
		return false, RevocationUnknown
	case state == OCSPGood:
		return true, 0
	case mode == OCSPSoft:
		return false, 0
	}
	return false, RevocationUnknown
}

// joinOCSP is the second table: what the CRLs decided, and what the answer adds.
func joinOCSP(status RevocationStatus, crl Reason, good bool, ocsp Reason) (RevocationStatus, Reason) {
	switch {
	case crl == Revoked || ocsp == Revoked:
		return 0, Revoked
	case crl != 0:
		return 0, crl
	case ocsp != 0:
		return 0, ocsp
	case good:
		return Cleared, 0
	}
	return status, 0
}

// OCSPConfig bounds what OCSP costs, for every authority alike.
type OCSPConfig struct {
	Timeout     time.Duration     // of one question, wholly; zero is 5 seconds
	MaxBytes    int64             // of one answer; zero is 64 KB
	Entries     int64             // certificates kept for each authority; zero is 10 000
	Unseen      time.Duration     // a certificate that was not seen for so long is forgotten; zero is 24 hours
	Refresh     time.Duration     // the longest time between two questions about a certificate; zero is 12 hours
	Concurrency int64             // questions at once for each authority; zero is 4
	Skew        time.Duration     // how far clocks may differ, at most an hour; zero is five minutes
	Transport   http.RoundTripper // nil is a transport of its own, with the proxy of the environment
}

func (o OCSPConfig) withDefaults() OCSPConfig {
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.MaxBytes = cmp.Or(o.MaxBytes, 64<<10)
	o.Entries = cmp.Or(o.Entries, 10_000)
	o.Unseen = cmp.Or(o.Unseen, 24*time.Hour)
	o.Refresh = cmp.Or(o.Refresh, 12*time.Hour)
	o.Concurrency = cmp.Or(o.Concurrency, 4)
	o.Skew = cmp.Or(o.Skew, 5*time.Minute)
	return o
}

func (o *OCSPConfig) check() error {
	if o.Timeout < 0 || o.MaxBytes < 0 || o.Entries < 0 || o.Unseen < 0 || o.Refresh < 0 || o.Concurrency < 0 || o.Skew < 0 {
		return refuse(Malformed, errors.New("configuration: negative OCSP limit"))
	}
	if o.Concurrency > 256 {
		return refuse(Malformed, errors.New("configuration: more than 256 OCSP questions at once"))
	}
	return nil
}

// maxOCSPWait bounds Wait: what waits holds a place of a request.
const maxOCSPWait = 10 * time.Second

// Check finds everything that is wrong with an OCSP by itself. NewVerifier and
// Reload ask it too. Nil is right: nobody is asked.
func (o *OCSP) Check() error {
	if o == nil {
		return nil
	}
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, refuse(Malformed, fmt.Errorf("OCSP: "+format, args...)))
	}
	if o.Mode != OCSPSoft && o.Mode != OCSPHard {
		wrong("the mode must be said: soft or hard")
	}
	if len(o.Responders) == 0 {
		wrong("no responder")
	}
	for i, address := range o.Responders {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(address, " \r\n") {
			wrong("responder %q: not an http or https address", address)
		}
		if slices.Contains(o.Responders[:i], address) {
			wrong("responder %q stands twice", address)
		}
	}
	switch {
	case o.Wait < 0 || o.Wait > maxOCSPWait:
		wrong("wait: at most %v", maxOCSPWait)
	case o.Wait > 0 && o.Mode == OCSPSoft:
		wrong("wait: only with the mode hard")
	}
	if o.MaxAge < 0 || o.MaxAge > maxGrace {
		wrong("max age: at most %v", maxGrace)
	}
	return errors.Join(errs...)
}

// equal tells whether two say the same; two certificates of one authority must agree.
func (o *OCSP) equal(p *OCSP) bool {
	if o == nil || p == nil {
		return o == p
	}
	return o.Mode == p.Mode && o.Nonce == p.Nonce && o.Wait == p.Wait && o.MaxAge == p.MaxAge &&
		slices.Equal(o.Responders, p.Responders) && slices.EqualFunc(o.Signers, p.Signers, bytes.Equal)
}

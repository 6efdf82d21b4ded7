package certs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// RevocationMode says how much the CRL of an authority counts.
type RevocationMode uint8

// The modes.
const (
	Require RevocationMode = iota // the zero value: a fresh CRL must clear the certificate
	Grace                         // so must a CRL, but it may be late by Revocation.Grace
	Off                           // none is needed; what one lists is refused all the same
)

// Revocation is the policy of one authority for the certificates it issued. The
// zero value requires a fresh CRL.
type Revocation struct {
	Mode  RevocationMode
	Grace time.Duration // with the mode Grace: how late the CRL may be
}

// ParseRevocation reads a policy as configuration writes it: "require",
// "grace 72h" (or "grace: 72h"), "off". Empty is require.
func ParseRevocation(text string) (Revocation, error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	var r Revocation
	switch strings.TrimSuffix(word, ":") {
	case "", "require":
	case "off":
		r.Mode = Off
	case "grace":
		duration, err := time.ParseDuration(strings.TrimSpace(rest))
		if err != nil {
			return Revocation{}, refuse(Malformed, fmt.Errorf("revocation %q: %w", text, err))
		}
		r, rest = Revocation{Mode: Grace, Grace: duration}, ""
	default:
		return Revocation{}, refuse(Malformed, fmt.Errorf("revocation %q: want require, grace DURATION or off", text))
	}
	if rest != "" {
		return Revocation{}, refuse(Malformed, fmt.Errorf("revocation %q: want require, grace DURATION or off", text))
	}
	return r, r.check()
}

// String writes the policy as ParseRevocation reads it.
func (r Revocation) String() string {
	switch r.Mode {
	case Grace:
		return "grace " + r.Grace.String()
	case Off:
		return "off"
	}
	return "require"
}

// maxGrace bounds a grace: beyond a month it is "off" by another name.
const maxGrace = 31 * 24 * time.Hour

func (r Revocation) check() error {
	switch {
	case r.Mode > Off:
		return refuse(Malformed, fmt.Errorf("revocation mode %d", r.Mode))
	case r.Mode == Grace && (r.Grace <= 0 || r.Grace > maxGrace):
		return refuse(Malformed, fmt.Errorf("revocation: a grace is more than nothing and at most %v", maxGrace))
	case r.Mode != Grace && r.Grace != 0:
		return refuse(Malformed, errors.New("revocation: a duration without grace"))
	}
	return nil
}

// CRLState is what the CRLs of an authority can say of a certificate at a moment.
type CRLState uint8

// The states. The zero state is a missing CRL.
const (
	CRLMissing     CRLState = iota // none that speaks for the certificate was ever verified
	CRLNotYetValid                 // its thisUpdate is in the future
	CRLLate                        // its nextUpdate has passed
	CRLFresh
)

// String gives the state as metrics label it.
func (s CRLState) String() string {
	switch s {
	case CRLMissing:
		return "missing"
	case CRLNotYetValid:
		return "not-yet-valid"
	case CRLLate:
		return "late"
	case CRLFresh:
		return "fresh"
	}
	return "unknown"
}

// RevocationStatus is how an Identity's path stands with its CRLs and OCSP answers: the weakest
// answer of the path. The zero status is that of nobody.
type RevocationStatus uint8

// The statuses, the weaker the smaller.
const (
	NotChecked  RevocationStatus = iota + 1 // policy off, or a pinned certificate
	ClearedLate                             // by a CRL within its grace
	Cleared                                 // by a fresh CRL, or a fresh good OCSP answer beside what the CRL policy admits
)

// String gives the status as audit records write it.
func (s RevocationStatus) String() string {
	switch s {
	case NotChecked:
		return "not-checked"
	case ClearedLate:
		return "cleared-late"
	case Cleared:
		return "cleared"
	}
	return "none"
}

// decide is the table of the package comment: what the state of the CRLs means
// under a policy. late is how long ago nextUpdate was.
func decide(policy Revocation, state CRLState, late time.Duration, listed bool) (RevocationStatus, Reason) {
	switch {
	case listed: // under every policy and however old: what is known is not ignored
		return 0, Revoked
	case state == CRLFresh:
		return Cleared, 0
	case policy.Mode == Off:
		return NotChecked, 0
	case policy.Mode == Grace && state == CRLLate && late <= policy.Grace:
		return ClearedLate, 0
	}
	return 0, RevocationUnknown
}

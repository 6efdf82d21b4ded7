package certs

import (
	"math/big"
	"time"
)

// CRLReport is what a CRL says and whether it would count: for a person who asks why
// one does not.
type CRLReport struct {
	Issuer     string   // the name in it
	Number     *big.Int // nil when the list could not be read so far
	Base       *big.Int // of a delta
	ThisUpdate time.Time
	NextUpdate time.Time
	Entries    int
	Partition  bool // it speaks for some certificates or for some reasons only

	Authority   string   // for which authority it counts
	Fingerprint [32]byte // of the certificate whose key signed it
	State       CRLState
	Err         error // why it does not count, or nil
}

// ReportCRL tells what would become of a CRL at a moment, and changes nothing.
func (v *Verifier) ReportCRL(der []byte, at time.Time) CRLReport {
	t := v.trust.Load()
	list, err := parseCRL(der)
	if err != nil {
		return CRLReport{Err: err}
	}
	r := CRLReport{Number: list.number, Base: list.base, ThisUpdate: list.thisUpdate, NextUpdate: list.nextUpdate, Partition: list.scope.raw != ""}
	if name, err := parseNameDER(list.issuer); err == nil {
		r.Issuer = name.text
	}
	r.State, _ = list.state(at, t.skew)
	named := t.named(list.issuer)
	if len(named) == 0 {
		r.Err = refuse(UntrustedIssuer, errUnconfigured)
		return r
	}
	for _, a := range named {
		proven, err := a.prove(list, nil, at)
		if err == nil {
			err = a.vouches(proven, at, t.skew)
		}
		if err != nil {
			if r.Err == nil {
				r.Err = err
			}
			continue
		}
		r.Authority, r.Fingerprint, r.Entries, r.Err = a.certificate.subject.text, a.certificate.fingerprint, len(proven.index.entries), nil
		if proven.signer != ([32]byte{}) {
			r.Fingerprint = proven.signer
		}
		proven.digest = digestList(der)
		if _, err := a.slot.current().with(proven, func(old *revocationList) bool { return a.disowns(old, proven, at, t.skew) }); err != nil {
			r.Err = err
		}
		break
	}
	if r.Err == nil && r.State == CRLNotYetValid {
		r.Err = refuse(NotYetValid, nil)
	}
	return r
}

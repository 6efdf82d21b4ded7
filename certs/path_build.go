package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// paths gives the paths from a certificate to the roots of a profile that keep
// every rule. crypto/x509 builds them and verifies their signatures; a path that
// breaks a rule does not hide another that keeps them all. When none is left the
// error is the most telling of all refusals.
func (t *trust) paths(p *profile, leaf *Certificate, intermediates []*Certificate, at time.Time) ([][]*Certificate, error) {
	candidates, refusal, err := usable(leaf, intermediates)
	if err != nil {
		return nil, err
	}
	candidates = t.certified(p, candidates)
	chains, err := t.build(p, leaf, candidates)
	if err != nil {
		return nil, moreTelling(refusal, err)
	}
	var paths [][]*Certificate
	for _, chain := range chains {
		path := []*Certificate{leaf}
		for _, c := range chain[1:] {
			path = append(path, t.find(c, candidates))
		}
		if err := t.checkPath(p, path, at); err != nil {
			refusal = moreTelling(refusal, err)
			continue
		}
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		return nil, refusal
	}
	return paths, nil
}

// usable gives those certificates of a message with which a signature may be
// verified at all, and why others may not: none of them may do harm (A3), and
// none of them hides a path that goes without it. Some send the certificate itself once more.
func usable(leaf *Certificate, intermediates []*Certificate) (candidates []*Certificate, refusal, err error) {
	for _, c := range intermediates {
		if c == nil {
			return nil, nil, refuse(Malformed, errors.New("intermediate certificate is nil"))
		}
		if c.fingerprint == leaf.fingerprint {
			continue
		}
		if err := checkCandidate(c); err != nil {
			refusal = moreTelling(refusal, err)
			continue
		}
		candidates = append(candidates, c)
	}
	return candidates, refusal, nil
}

// checkCandidate looks at a certificate that came with a message before any
// signature is verified with it.
func checkCandidate(c *Certificate) error {
	if err := checkIssuer(c); err != nil {
		return err
	}
	if !c.selfIssued() { // some send the root too, whose own signature proves nothing
		if err := checkSignatureAlgorithm(c.x509.SignatureAlgorithm); err != nil {
			return err
		}
	}
	return checkKeyShape(c.PublicKey(), 0)
}

// maxCandidateSignatures bounds the signatures that certified verifies, as
// crypto/x509 bounds those of a search.
const maxCandidateSignatures = 100

// certified gives those candidates that an authority of the profile certified, or a
// candidate that was. It goes from the top down, so that no signature is ever
// verified with a key that nobody trusted has signed: from the leaf up, four
// certificates of one name and of the costliest keys are searched in every order (K5, Z8).
func (t *trust) certified(p *profile, candidates []*Certificate) []*Certificate {
	var found []*Certificate
	left := maxCandidateSignatures
	signed := func(c *Certificate) bool {
		if t.known[c.fingerprint] != nil {
			return true
		}
		for _, issuers := range [][]*Certificate{p.named[string(c.x509.RawIssuer)], found} {
			for _, issuer := range issuers {
				if !bytes.Equal(issuer.x509.RawSubject, c.x509.RawIssuer) {
					continue
				}
				if left--; left < 0 {
					return false
				}
				if c.x509.CheckSignatureFrom(issuer.x509) == nil {
					return true
				}
			}
		}
		return false
	}
	for before := -1; before < len(found) && len(candidates) > 0; {
		before = len(found)
		candidates = slices.DeleteFunc(slices.Clone(candidates), func(c *Certificate) bool {
			ok := signed(c)
			if ok {
				found = append(found, c)
			}
			return ok
		})
	}
	return found
}

// build lets crypto/x509 find the chains to the roots of a profile. It verifies at
// most a hundred signatures, however many candidates bear one name (K5).
//
// What it checks of a chain beside signatures is a second wall: basic constraints
// and keyCertSign, nested extended key usages, name constraints of DNS names and
// addresses, and the policies that the certificates themselves demand. What it would check otherwise than RFC 5280 is not shown to it: see candidate.
func (t *trust) build(p *profile, leaf *Certificate, candidates []*Certificate) ([][]*x509.Certificate, error) {
	pool := p.intermediates
	if len(candidates) > 0 {
		pool = pool.Clone()
		for _, c := range candidates {
			pool.AddCert(c.candidate())
		}
	}
	chains, err := leaf.candidate().Verify(x509.VerifyOptions{
		Roots:               p.roots,
		Intermediates:       pool,
		CurrentTime:         time.Unix(0, 0),
		KeyUsages:           p.ExtKeyUsage,
		CertificatePolicies: p.policies,
	})
	if err != nil {
		return nil, refuseChain(err)
	}
	return chains, nil
}

// candidate gives a copy for crypto/x509 that leaves to our rules what it does
// otherwise: it counts self-issued certificates in a path length; in name
// constraints it does not process directory names, and takes the host of a mailbox
// or URI for its domain; when a chain is not valid in time it may tell of another.
// The raw octets, over which signatures are verified, are the same.
func (c *Certificate) candidate() *x509.Certificate {
	copied := *c.x509
	copied.MaxPathLen, copied.MaxPathLenZero = -1, false
	copied.UnhandledCriticalExtensions = nil
	copied.PermittedEmailAddresses, copied.ExcludedEmailAddresses = nil, nil
	copied.PermittedURIDomains, copied.ExcludedURIDomains = nil, nil
	copied.NotBefore, copied.NotAfter = time.Unix(0, 0), time.Unix(0, 0)
	return &copied
}

// find gives our form of a certificate of a chain: it is configured or came with the message.
func (t *trust) find(c *x509.Certificate, candidates []*Certificate) *Certificate {
	fingerprint := sha256.Sum256(c.Raw)
	if known := t.known[fingerprint]; known != nil {
		return known
	}
	for _, own := range candidates {
		if own.fingerprint == fingerprint {
			return own
		}
	}
	panic("certs: a path holds a certificate that was never given")
}

// refuseChain says in our words why crypto/x509 found no chain. Its own text may
// quote names and is dropped.
func refuseChain(err error) error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid):
		switch invalid.Reason {
		case x509.IncompatibleUsage:
			return refuse(WrongUsage, errors.New("extended key usage of the path"))
		case x509.NoValidChains:
			return refuse(WrongPolicy, errors.New("of the path"))
		}
		return refuse(ConstraintViolated, errors.New("a certificate of the path may not issue what it issued"))
	case errors.As(err, &unknown):
		return refuse(UntrustedIssuer, nil)
	}
	return refuse(TooManyCertificates, errors.New("more possible issuers than are tried")) // K5
}

// moreTelling gives the refusal that tells more of a certificate: the one that a
// path met later. That a path is too long or leads nowhere tells least, that a
// certificate is revoked tells most.
func moreTelling(a, b error) error {
	if a == nil || b != nil && telling(ReasonOf(b)) > telling(ReasonOf(a)) {
		return b
	}
	return a
}

func telling(r Reason) int {
	switch r {
	case UntrustedIssuer:
		return 0
	case TooManyCertificates:
		return 1
	case Revoked:
		return 1 << 8
	}
	return int(r) + 1
}

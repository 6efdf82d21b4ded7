package certs

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// rule is one rule of RFC 5280 section 6, or of a profile, that a path must keep.
// A path holds the certificate itself first and a root last.
type rule struct {
	name  string
	check func(p *profile, path []*Certificate, at time.Time) error
}

// leafRules are the rules of the certificate itself (K6): they are asked before
// any signature is verified.
func leafRules() []rule {
	return []rule{
		{"form", ofLeaf(checkLeafForm)},
		{"key algorithm", ofLeafUnder(checkLeafKey)},
		{"key usage", ofLeafUnder(checkLeafUsage)},
		{"critical extensions", ofLeaf(checkCritical)},
		{"extended key usage", ofLeafUnder(checkLeafPurpose)},
		{"policy", ofLeafUnder(checkLeafPolicy)},
		{"signature algorithm", ofLeaf(checkOwnSignature)},
	}
}

// pathRules are the rules of a path whose signatures are verified.
func pathRules() []rule {
	return []rule{
		{"path of at most five certificates", ofPath(checkLength)},
		{"issuer that the profile admits", ofPathUnder(checkMayIssue)},
		{"signature algorithms", ofPath(checkSignatures)},
		{"validity", checkValidity},
		{"authority of the issuers", ofPath(checkIssuers)},
		{"path length", ofPath(checkPathLength)},
		{"name constraints", ofPath(checkNames)},
		{"policies", ofPathUnder(checkPolicies)},
	}
}

// The checks ask for what they need; these make rules of them.
func ofLeaf(check func(*Certificate) error) func(*profile, []*Certificate, time.Time) error {
	return func(_ *profile, path []*Certificate, _ time.Time) error { return check(path[0]) }
}

func ofLeafUnder(check func(*profile, *Certificate) error) func(*profile, []*Certificate, time.Time) error {
	return func(p *profile, path []*Certificate, _ time.Time) error { return check(p, path[0]) }
}

func ofPath(check func([]*Certificate) error) func(*profile, []*Certificate, time.Time) error {
	return func(_ *profile, path []*Certificate, _ time.Time) error { return check(path) }
}

func ofPathUnder(check func(*profile, []*Certificate) error) func(*profile, []*Certificate, time.Time) error {
	return func(p *profile, path []*Certificate, _ time.Time) error { return check(p, path) }
}

// checkLeaf asks the rules of the certificate itself.
func (p *profile) checkLeaf(leaf *Certificate, at time.Time) error {
	return firstBroken(leafRules(), p, []*Certificate{leaf}, at)
}

// checkPath asks the rules of a path, and, last for its cost, whether a key that
// came with the message is weak.
func (t *trust) checkPath(p *profile, path []*Certificate, at time.Time) error {
	if len(path) < 2 { // a root identifies nobody
		return refuse(UntrustedIssuer, nil)
	}
	if err := firstBroken(pathRules(), p, path, at); err != nil {
		return err
	}
	for _, c := range path[1:] {
		if t.known[c.fingerprint] != nil {
			continue // when the configuration was taken
		}
		if err := CheckKey(c.PublicKey(), 0); err != nil {
			return err
		}
	}
	return nil
}

func firstBroken(rules []rule, p *profile, path []*Certificate, at time.Time) error {
	for _, r := range rules {
		if err := r.check(p, path, at); err != nil {
			return err
		}
	}
	return nil
}

// checkLeafForm: a version 3 certificate of an end entity, without what RFC 5280
// lets only a CA certificate have (sections 4.2.1.9, 4.2.1.10).
func checkLeafForm(c *Certificate) error {
	switch {
	case c.x509.Version != 3:
		return refuse(WrongUsage, errors.New("not a version 3 certificate"))
	case c.x509.IsCA:
		return refuse(WrongUsage, errors.New("a CA certificate"))
	case c.x509.KeyUsage&x509.KeyUsageCertSign != 0:
		return refuse(WrongUsage, errors.New("key usage of a CA in another certificate"))
	case c.extensions.constraints != nil:
		return refuse(ConstraintViolated, errors.New("name constraints in a certificate that is no CA's"))
	case c.issuer.IsZero():
		return refuse(Malformed, errors.New("certificate without an issuer"))
	}
	return checkSerial(c)
}

// checkSerial: a serial number is positive and has at most twenty octets (RFC 5280
// section 4.1.2.2); crypto/x509 has refused negative ones.
func checkSerial(c *Certificate) error {
	if n := c.x509.SerialNumber; n.Sign() <= 0 || n.BitLen() > 20*8 {
		return refuse(Malformed, errors.New("serial number is not positive, or has more than 20 octets"))
	}
	return nil
}

// checkLeafKey: the kind of the key is one that the profile admits.
func checkLeafKey(p *profile, c *Certificate) error {
	if len(p.KeyAlgorithms) > 0 && !slices.Contains(p.KeyAlgorithms, keyAlgorithmOf(c.PublicKey())) {
		return weak("key of an algorithm or curve that the profile does not admit")
	}
	return nil
}

func checkLeafUsage(p *profile, c *Certificate) error {
	if c.x509.KeyUsage&p.KeyUsage != p.KeyUsage {
		return refuse(WrongUsage, errors.New("key usage"))
	}
	return nil
}

// checkLeafPurpose: the certificate itself must assert a purpose of the profile;
// that its issuers admit it, crypto/x509 has checked.
func checkLeafPurpose(p *profile, c *Certificate) error {
	if slices.Contains(p.ExtKeyUsage, x509.ExtKeyUsageAny) ||
		slices.ContainsFunc(p.ExtKeyUsage, func(u x509.ExtKeyUsage) bool { return slices.Contains(c.x509.ExtKeyUsage, u) }) {
		return nil
	}
	return refuse(WrongUsage, errors.New("extended key usage"))
}

// checkLeafPolicy: the certificate itself must name a policy of the profile. Any
// policy is none: a card says which of its keys it is by its policy.
func checkLeafPolicy(p *profile, c *Certificate) error {
	if p.AnyPolicy || slices.ContainsFunc(p.policyIDs, func(id string) bool { return slices.Contains(c.extensions.policies.asserted, id) }) {
		return nil
	}
	return refuse(WrongPolicy, nil)
}

func checkOwnSignature(c *Certificate) error {
	return checkSignatureAlgorithm(c.x509.SignatureAlgorithm)
}

// checkCritical: RFC 5280 section 4.2, what is critical and not processed refuses.
func checkCritical(c *Certificate) error {
	if c.extensions.unknown {
		return refuse(UnknownCriticalExtension, nil)
	}
	return nil
}

// checkLength bounds a path (K5).
func checkLength(path []*Certificate) error {
	if len(path) > maxPath {
		return refuse(TooManyCertificates, errors.New("path of more than five certificates"))
	}
	return nil
}

// checkMayIssue tells whether a certificate's holder may be the issuer of leafs of the
// profile. An intermediate that came with a message may only by its name (K7).
func checkMayIssue(p *profile, path []*Certificate) error {
	issuer := path[1]
	if p.issuers[issuer.name] || slices.ContainsFunc(p.issuerNames, issuer.subject.Equal) {
		return nil
	}
	return refuse(UntrustedIssuer, errors.New("no path through an issuer that the profile admits"))
}

// checkSignatures: every signature of the path but the root's own (A3).
func checkSignatures(path []*Certificate) error {
	for i, c := range path[:len(path)-1] {
		if err := checkOwnSignature(c); err != nil {
			return err
		}
		if err := checkKeyShape(path[i+1].PublicKey(), 0); err != nil {
			return err
		}
	}
	return nil
}

// checkValidity: RFC 5280 section 6.1.3 (a) (2), the root included.
func checkValidity(_ *profile, path []*Certificate, at time.Time) error {
	for i, c := range path {
		if err := c.covers(at); err != nil {
			if i > 0 {
				return refuse(ReasonOf(err), errors.New("a certificate of the path"))
			}
			return err
		}
	}
	return nil
}

// checkIssuers: every certificate of the path but the first may issue. The serial
// number of a root binds nobody: its certificate is trusted as it stands.
func checkIssuers(path []*Certificate) error {
	for i, c := range path[1:] {
		if err := checkIssuer(c); err != nil {
			return err
		}
		if i+2 < len(path) {
			if err := checkSerial(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkIssuer: RFC 5280 section 6.1.4 (k), (n), (o); an issuer has a name.
func checkIssuer(c *Certificate) error {
	switch {
	case c.x509.Version != 3 || !c.x509.BasicConstraintsValid || !c.x509.IsCA:
		return refuse(ConstraintViolated, errors.New("not a CA certificate"))
	case c.subject.IsZero() || c.issuer.IsZero(): // sections 4.1.2.4, 4.1.2.6
		return refuse(ConstraintViolated, errors.New("CA certificate without a subject or an issuer"))
	case c.extensions.keyUsage && c.x509.KeyUsage&x509.KeyUsageCertSign == 0:
		return refuse(WrongUsage, errors.New("the key usage of a CA certificate does not let it issue"))
	}
	return checkCritical(c)
}

// checkPathLength: RFC 5280 section 6.1.4 (l), (m). A self-issued certificate,
// which renews the key of an authority, is not counted. The root's own bound counts.
func checkPathLength(path []*Certificate) error {
	const unbounded = -1
	left := unbounded
	for i := len(path) - 1; i > 0; i-- {
		if c := path[i]; i < len(path)-1 && !c.selfIssued() {
			if left == 0 {
				return refuse(ConstraintViolated, errors.New("path length"))
			}
			if left > 0 {
				left--
			}
		}
		if bound := path[i].x509.MaxPathLen; bound >= 0 && (left == unbounded || bound < left) {
			left = bound
		}
	}
	return nil
}

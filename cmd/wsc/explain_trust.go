package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sceau/certs"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// authorities says by whom the certificates of requests and calls are judged.
type authorities struct{ eid, ehealth, crls []string }

func (a *authorities) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&a.eid, "eid-ca", nil, "`FILE` with authorities of eID certificates (repeatable)")
	flags.StringArrayVar(&a.ehealth, "ehealth-ca", nil, "`FILE` with authorities of eHealth certificates (repeatable)")
	flags.StringArrayVar(&a.crls, "crl", nil, "`FILE` or folder of CRLs: then revocation is judged too (repeatable)")
}

// read gives roots and intermediates: what signs itself is a root.
func (a *authorities) read(files []string) (roots, intermediates []*certs.Authority, err error) {
	revocation := certs.Revocation{Mode: certs.Off}
	if len(a.crls) > 0 {
		revocation.Mode = certs.Require
	}
	for _, file := range files {
		ders, err := certs.ReadCertificates(file)
		if err != nil {
			return nil, nil, err
		}
		for _, der := range ders {
			c, err := certs.ParseCertificate(der)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", file, err)
			}
			authority := &certs.Authority{Certificate: der, Revocation: revocation}
			if bytes.Equal(c.X509().RawIssuer, c.X509().RawSubject) {
				roots = append(roots, authority)
			} else {
				intermediates = append(intermediates, authority)
			}
		}
	}
	return roots, intermediates, nil
}

// A trusting is a Verifier for one message.
type trusting struct {
	*certs.Verifier
	unchecked []string // what it takes for granted
	key       *ecdsa.PrivateKey
	own       []byte // the certificate of key, of nobody else
}

// verifier makes a Verifier of the authorities and pinned STSs that were given. Where none is
// given for a kind of certificate, those of the message are taken as if they were trusted:
// everything else about them and with them is judged all the same.
func (f *explainFlags) verifier(root xmltext.Node, at time.Time) (*trusting, error) {
	t := &trusting{}
	if err := t.generate(at); err != nil {
		return nil, err
	}
	var eids, others [][]byte
	for _, der := range certificatesIn(root) {
		c, err := certs.ParseCertificate(der)
		if err != nil {
			continue
		}
		if err := certs.CheckKey(c.PublicKey(), 0); err != nil {
			t.unchecked = append(t.unchecked, "a certificate that nobody can trust: "+err.Error())
			continue
		}
		if c.X509().Subject.SerialNumber != "" {
			eids = append(eids, der)
		} else {
			others = append(others, der)
		}
	}
	assumed := [][]byte{t.own} // there is somebody in each role, so that it is served
	eid, eidHolder := certs.BelgianEID(), certs.BelgianEID()
	eidHolder.Role = certs.RoleHolder
	fallback, holder := certs.EHealthPlatform(certs.RoleIdentity), certs.EHealthPlatform(certs.RoleHolder)
	var profiles []certs.Profile
	for _, of := range []struct {
		files    []string
		profiles []*certs.Profile
		found    [][]byte
		flag     string
	}{
		{f.eid, []*certs.Profile{&eid, &eidHolder}, eids, "--eid-ca"},
		{f.ehealth, []*certs.Profile{&fallback, &holder}, others, "--ehealth-ca"},
	} {
		if len(of.files) == 0 {
			if len(of.found) > 0 {
				assumed = append(assumed, of.found...)
				t.unchecked = append(t.unchecked, "whether "+map[string]string{"--eid-ca": "the eID", "--ehealth-ca": "the eHealth"}[of.flag]+" certificates are trusted: give "+of.flag)
			}
			continue
		}
		roots, intermediates, err := f.read(of.files)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", of.flag, err)
		}
		for _, p := range of.profiles {
			p.Roots, p.Intermediates = roots, intermediates
			profiles = append(profiles, *p)
		}
	}
	if len(f.crls) == 0 {
		t.unchecked = append(t.unchecked, "whether certificates are revoked: give --crl")
	}
	for _, role := range []certs.Role{certs.RoleIdentity, certs.RoleHolder} {
		p := certs.TokenIssuer()
		p.Name, p.Role, p.Pinned = assumedProfile, role, assumed
		profiles = append(profiles, p)
	}
	issuer, err := f.issuers(root)
	if err != nil {
		return nil, err
	}
	if len(f.trust.files) == 0 {
		issuer = append(issuer, t.own)
	}
	p := certs.TokenIssuer()
	p.Pinned = issuer
	profiles = append(profiles, p)
	t.Verifier, err = certs.NewVerifier(certs.Config{
		Profiles: profiles, CRL: certs.CRLConfig{Files: f.crls, Offline: true}, CacheEntries: 64,
		Now: func() time.Time { return at }, Log: slog.New(slog.DiscardHandler),
	})
	return t, err
}

const assumedProfile = "certificates taken as trusted"

// certificateChecks are the checks of a certificate: under which label it is shown, and
// which role it plays.
var certificateChecks = map[string]struct {
	label string
	role  certs.Role
}{
	checkSender: {"sender", certs.RoleIdentity}, queryHolder: {"holder", certs.RoleHolder}, answerSTS: {"signer", certs.RoleSTS},
}

// rules asks the rules of trust about the certificate that a check is of, one after the
// other, as stsd cert explain does.
func (e *explanation) rules(t *trusting, name string, at time.Time) []string {
	of, ok := certificateChecks[name]
	c, err := certs.ParseCertificate(e.found[of.label])
	if !ok || err != nil {
		return nil
	}
	var all []string
	for _, p := range t.Explain(c, nil, at).Profiles {
		if p.Role != of.role || len(p.Rules) == 0 {
			continue
		}
		last := p.Rules[len(p.Rules)-1]
		if p.Profile == assumedProfile && certs.ReasonOf(last.Err) == certs.WrongProfile {
			continue // not one of those that are taken as trusted
		}
		var held []string
		for _, rule := range p.Rules[:len(p.Rules)-1] {
			held = append(held, rule.Rule)
		}
		text := "by the rules of " + p.Profile + ": "
		if len(held) > 0 {
			text += "holds " + strings.Join(held, ", ") + "; "
		}
		all = append(all, fmt.Sprintf("%sfails %s: %v", text, last.Rule, last.Err))
	}
	return all
}

// issuers gives the certificates that may sign assertions: those of --trust, otherwise
// those of the message.
func (f *explainFlags) issuers(root xmltext.Node) ([][]byte, error) {
	if len(f.trust.files) > 0 {
		return f.trust.pins()
	}
	return slices.DeleteFunc(certificatesIn(root), func(der []byte) bool {
		c, err := certs.ParseCertificate(der)
		return err != nil || certs.CheckKey(c.PublicKey(), 0) != nil
	}), nil
}

// generate makes a key that signs nothing that leaves.
func (t *trusting) generate(at time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wsc explain"},
		NotBefore: at.Add(-time.Hour), NotAfter: at.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	t.key = key
	t.own, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return err
}

// maxCertificates bounds those that are taken from a message.
const maxCertificates = 16

// certificatesIn collects the certificates that a message bears, wherever.
func certificatesIn(root xmltext.Node) [][]byte {
	var all [][]byte
	for n := root; !n.IsZero() && len(all) < maxCertificates; n = after(n) {
		if !n.Is(xmlsec.NamespaceDS, "X509Certificate") && !n.Is(xmlsec.NamespaceWSSE, "BinarySecurityToken") {
			continue
		}
		text, ok := n.Value()
		der, err := xmlsec.AppendBase64(nil, text)
		if ok && err == nil && !slices.ContainsFunc(all, func(other []byte) bool { return bytes.Equal(other, der) }) {
			all = append(all, der)
		}
	}
	return all
}

// after gives the next element in document order.
func after(n xmltext.Node) xmltext.Node {
	if c := n.FirstElement(); !c.IsZero() {
		return c
	}
	for ; !n.IsZero(); n = n.Parent() {
		if s := n.NextElement(); !s.IsZero() {
			return s
		}
	}
	return xmltext.Node{}
}

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/certs"
	"sceau/soap"
	"sceau/wsp"
	"sceau/wsp/echo"
	"sceau/xmlsec/xmltext"
)

// discard is the log of check: what it has to say it prints.
var discard = slog.New(slog.DiscardHandler)

// provider is all that a configuration leads to, short of listeners.
type provider struct {
	verifier *certs.Verifier
	guard    *wsp.Guard
	tls      *tls.Config // nil: plain
	handler  http.Handler
}

func (p *provider) close() {
	p.guard.Close()
	p.verifier.Close()
}

// build makes the provider. What is wrong is reported all at once, as far as one thing
// can be judged without the other.
func (c *config) build(log *slog.Logger) (*provider, error) {
	p := &provider{}
	var errs []error
	trust, err := c.trust(log)
	if err != nil {
		errs = append(errs, err)
	}
	if p.tls, err = c.tlsConfig(); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if p.verifier, err = certs.NewVerifier(trust); err != nil {
		return nil, err
	}
	if p.guard, err = wsp.NewGuard(c.guard(p.verifier, log)); err != nil {
		p.verifier.Close()
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(c.Listen.Path, echo.Handler(p.guard))
	p.handler = heard(bounded(mux, c.Limits.Concurrent, c.Environment))
	return p, nil
}

func (c *config) guard(v *certs.Verifier, log *slog.Logger) wsp.Config {
	limits := xmltext.DefaultLimits()
	limits.Bytes = c.Limits.MessageBytes
	g := wsp.Config{
		Certificates:  v,
		Issuers:       c.Issuers,
		Audiences:     c.Audiences,
		MessageSHA1:   c.SHA1.Messages,
		AssertionSHA1: c.SHA1.Assertions,
		Skew:          time.Duration(c.Skew),
		Timestamp:     soap.TimestampPolicy{MaxLifetime: time.Duration(c.Timestamp.MaxLifetime), Skew: time.Duration(c.Timestamp.Skew)},
		Replay:        soap.NewMemoryReplay(c.ReplayCapacity),
		Limits:        limits,
		CacheBytes:    c.AssertionMemoryMegabytes << 20,
		Environment:   c.Environment,
		Log:           log,
	}
	if g.CacheBytes == 0 {
		g.CacheBytes = -1 // to the Guard zero is the default
	}
	for _, r := range c.Require {
		g.Require = append(g.Require, wsp.Requirement{Designator: attrs.Designator{Name: r.Name, Namespace: r.Namespace}, Values: r.Values, Any: r.Any})
	}
	return g
}

func (c *config) tlsConfig() (*tls.Config, error) {
	if c.Listen.TLS == nil {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.path(c.Listen.TLS.Certificate), c.path(c.Listen.TLS.Key))
	if err != nil {
		return nil, c.Listen.TLS.Certificate.wrong(fmt.Errorf("listen.tls: %w", err))
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// trust makes the configuration of package certs.
func (c *config) trust(log *slog.Logger) (certs.Config, error) {
	config := certs.Config{Log: log}
	config.CRL.Refresh, config.CRL.Offline = time.Duration(c.CRL.Refresh), c.CRL.Offline
	if c.CRL.Cache.path != "" {
		config.CRL.CacheDir = c.path(c.CRL.Cache)
	}
	for _, f := range c.CRL.Files {
		config.CRL.Files = append(config.CRL.Files, c.path(f))
	}
	var errs []error
	authorities := func(all []authority) (out []*certs.Authority) {
		for _, a := range all {
			read, err := c.authority(a)
			if err != nil {
				errs = append(errs, a.Certificate.wrong(err))
			}
			out = append(out, read...)
		}
		return out
	}
	sts := certs.TokenIssuer()
	sts.Subjects = c.STS.Subjects
	for _, f := range c.STS.Pinned {
		ders, err := certs.ReadCertificates(c.path(f))
		if err != nil {
			errs = append(errs, f.wrong(err))
		}
		sts.Pinned = append(sts.Pinned, ders...)
	}
	sts.Roots, sts.Intermediates = authorities(c.STS.Roots), authorities(c.STS.Intermediates)
	config.Profiles = append(config.Profiles, sts)
	for i, h := range c.Holders {
		profile := certs.EHealthPlatform(certs.RoleHolder)
		if h.Kind == "eid" {
			profile = certs.BelgianEID()
			profile.Role = certs.RoleHolder // the assertion is bound to the card
		}
		profile.Name = fmt.Sprintf("holders[%d] (%s)", i, profile.Name)
		profile.Roots, profile.Intermediates = authorities(h.Roots), authorities(h.Intermediates)
		config.Profiles = append(config.Profiles, profile)
	}
	return config, errors.Join(errs...)
}

// authority reads the certificates of one entry, all of which it speaks of.
func (c *config) authority(a authority) ([]*certs.Authority, error) {
	revocation, err := certs.ParseRevocation(a.Revocation)
	if err != nil {
		return nil, err
	}
	if a.Certificate.path == "" {
		return nil, errors.New("authority without certificate")
	}
	ders, err := certs.ReadCertificates(c.path(a.Certificate))
	if err != nil {
		return nil, err
	}
	var signers [][]byte
	for _, f := range a.CRLSigners {
		read, err := certs.ReadCertificates(c.path(f))
		if err != nil {
			return nil, f.wrong(err)
		}
		signers = append(signers, read...)
	}
	ocsp, err := c.ocsp(a)
	if err != nil {
		return nil, err
	}
	var out []*certs.Authority
	for _, der := range ders {
		out = append(out, &certs.Authority{Certificate: der, Revocation: revocation, DistributionPoints: a.DistributionPoints, CRLSigners: signers, OCSP: ocsp})
	}
	return out, nil
}

// ocsp reads the key ocsp of an authority; nil without it.
func (c *config) ocsp(a authority) (*certs.OCSP, error) {
	if a.OCSP.IsZero() {
		return nil, nil
	}
	text, err := yaml.Marshal(&a.OCSP)
	if err != nil {
		return nil, err
	}
	var keys ocspKeys
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true) // a node's own decoder lets unknown keys pass
	if err := decoder.Decode(&keys); err != nil {
		return nil, fmt.Errorf("ocsp at line %d: %w", a.OCSP.Line, err)
	}
	o := &certs.OCSP{Responders: keys.Responders, Nonce: keys.Nonce, Wait: time.Duration(keys.Wait), MaxAge: time.Duration(keys.MaxAge)}
	if o.Mode, err = certs.ParseOCSPMode(keys.Mode); err != nil {
		return nil, err
	}
	for _, f := range keys.Signers {
		ders, err := certs.ReadCertificates(c.path(f))
		if err != nil {
			return nil, err
		}
		o.Signers = append(o.Signers, ders...)
	}
	return o, o.Check()
}

func (c *config) path(f file) string {
	if filepath.IsAbs(f.path) {
		return f.path
	}
	return filepath.Join(c.folder, f.path)
}

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
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

// generation is all that one reading of the configuration leads to: a reload makes another.
type generation struct {
	config     *config
	verifier   *certs.Verifier // shared by all
	guard      *wsp.Guard
	minter     *minter
	proxy      *proxy
	service    http.Handler
	authorizer http.Handler // nil: there is none

	inUse sync.RWMutex // read-locked by each request; locked when none is left
}

// shared is what outlives a reload.
type shared struct {
	verifier *certs.Verifier
	replay   *soap.MemoryReplay
	trace    *trace
	log      *slog.Logger
}

// generation makes one over what is shared, whose verifier may not have the trust of c yet.
func (c *config) generation(s *shared) (*generation, error) {
	g := &generation{config: c, verifier: s.verifier}
	var err error
	if c.Caller != nil {
		if g.minter, err = newMinter(*c.Caller, c.path); err != nil {
			return nil, err
		}
	}
	settings, err := c.guard(s)
	if err != nil {
		return nil, err
	}
	if g.guard, err = wsp.NewGuard(settings); err != nil {
		return nil, err
	}
	var service http.Handler
	if c.Upstream == nil {
		service = operation("echo", echo.Handler(g.guard))
	} else if g.proxy, err = c.proxy(g.guard, g.minter, s.log); err != nil {
		g.guard.Close()
		return nil, err
	} else {
		service = operation("proxy", g.proxy.handler())
	}
	mux := http.NewServeMux()
	mux.Handle(c.Listen.Path, service)
	g.service = mux
	if c.Authorizer != nil {
		g.authorizer = (&authorizer{
			guard: g.guard, minter: g.minter, verifier: s.verifier, config: c.Authorizer, actions: c.Actions,
			limit: int64(c.Limits.MessageBytes), environment: c.Environment, now: time.Now, trace: s.trace, log: s.log,
		}).handler()
	}
	return g, nil
}

// close waits until no request is in the generation.
func (g *generation) close() {
	g.inUse.Lock()
	defer g.inUse.Unlock()
	if g.proxy != nil {
		g.proxy.close()
	}
	g.guard.Close()
}

func (c *config) guard(s *shared) (wsp.Config, error) {
	limits := xmltext.DefaultLimits()
	limits.Bytes = c.Limits.MessageBytes
	g := wsp.Config{
		Certificates:  s.verifier,
		Issuers:       c.Issuers,
		Audiences:     c.Audiences,
		MessageSHA1:   c.SHA1.Messages,
		AssertionSHA1: c.SHA1.Assertions,
		Skew:          time.Duration(c.Skew),
		Timestamp:     soap.TimestampPolicy{MaxLifetime: time.Duration(c.Timestamp.MaxLifetime), Skew: time.Duration(c.Timestamp.Skew)},
		ProtectTokens: c.ProtectTokens,
		Replay:        s.replay,
		Limits:        limits,
		CacheBytes:    c.AssertionMemoryMegabytes << 20,
		Environment:   c.Environment,
		Recorder:      s.trace,
		Log:           s.log,
	}
	if g.CacheBytes == 0 {
		g.CacheBytes = -1 // to the Guard zero is the default
	}
	var err error
	if g.PDP, err = c.pdp(); err != nil {
		return g, err
	}
	for _, v := range c.SenderVouches {
		g.SenderVouches = append(g.SenderVouches, wsp.Sender{Type: certs.IdentifierType(v.Type), Identifier: v.Identifier, Application: v.Application})
	}
	for _, r := range c.Require {
		g.Require = append(g.Require, wsp.Requirement{Designator: attrs.Designator{Name: r.Name, Namespace: r.Namespace}, Values: r.Values, Any: r.Any})
	}
	return g, nil
}

// tlsConfig is that of the service; nil: plain.
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

// authorizerTLS is that of the authorizer; nil: plain, on loopback.
func (c *config) authorizerTLS() (*tls.Config, error) {
	if c.Authorizer == nil || c.Authorizer.TLS == nil {
		return nil, nil
	}
	t := c.Authorizer.TLS
	pair, err := tls.LoadX509KeyPair(c.path(t.Certificate), c.path(t.Key))
	if err != nil {
		return nil, t.Certificate.wrong(fmt.Errorf("authorizer.tls: %w", err))
	}
	pool, err := c.pool(t.ClientAuthorities)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}, nil
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

package client

import (
	"context"
	"errors"
	"slices"

	"sceau/certs"
)

// maxPresented bounds the certificates of a connection: one, and four above it.
const maxPresented = 5

// present judges the certificate of the connection as the client's method asks, and puts it into a. Where the method asks for none,
// one is needed for tokens that will be bound to it, and whose it is does not matter: whoever has its key can use them.
func (r *Registry) present(ctx context.Context, e *entry, ders [][]byte, at Endpoint, a *Authentication) *Error {
	method := e.client.Method()
	trusted := method == TLS || e.client.RequireCertificate()
	needed := trusted || method == SelfSignedTLS || e.client.CertificateBoundAccessTokens() && at == Token
	if len(ders) == 0 {
		if needed {
			return &Error{Reason: NoCertificate}
		}
		return nil
	}
	parse := certs.ParseCertificate
	if r.options.Certificates != nil {
		parse = r.options.Certificates.Parse
	}
	leaf, err := parse(ders[0])
	if err != nil {
		if !needed {
			return nil // as if there were none
		}
		return &Error{Reason: RefusedCertificate, Err: err}
	}
	a.certificate = leaf
	switch {
	case trusted:
		return r.trusted(e.client, leaf, ders, a)
	case method == SelfSignedTLS:
		return r.registered(ctx, e, leaf, a)
	}
	return nil
}

// trusted proves the certificate by its path, and that it is the registered subject's (RFC 8705 section 2.1).
func (r *Registry) trusted(c *Client, leaf *certs.Certificate, ders [][]byte, a *Authentication) *Error {
	if len(ders) > maxPresented {
		return &Error{Reason: RefusedCertificate, Err: errors.New("more than four certificates above it")}
	}
	var above []*certs.Certificate
	for _, der := range ders[1:] {
		parsed, err := r.options.Certificates.Parse(der)
		if err != nil {
			return &Error{Reason: RefusedCertificate, Err: err}
		}
		above = append(above, parsed)
	}
	identity, err := r.options.Certificates.Identify(r.options.Role, leaf, above, a.at)
	if err != nil {
		return &Error{Reason: RefusedCertificate, Err: err}
	}
	if identity.Certificate() == nil || identity.Certificate().Fingerprint() != leaf.Fingerprint() {
		return &Error{Reason: RefusedCertificate, Err: errors.New("nobody was identified")}
	}
	if !c.subject.is(leaf) {
		return &Error{Reason: WrongSubject}
	}
	a.identity = identity
	return nil
}

// registered proves the certificate by the keys of the client (RFC 8705 section 2.2). Its issuer says nothing; its validity is the
// client's own word and is held to.
func (r *Registry) registered(ctx context.Context, e *entry, leaf *certs.Certificate, a *Authentication) *Error {
	if a.at.Before(leaf.NotBefore()) || a.at.After(leaf.NotAfter()) {
		return &Error{Reason: RefusedCertificate, Err: errors.New("outside its validity")}
	}
	if err := certs.CheckKey(leaf.PublicKey(), 2048); err != nil {
		return &Error{Reason: RefusedCertificate, Err: err}
	}
	is := func(keys []key) bool { return slices.ContainsFunc(keys, func(k key) bool { return k.binds(leaf) }) }
	keys, err := r.keysOf(ctx, e, a.at, is)
	if err != nil {
		return &Error{Reason: Unavailable, Err: err, RetryAfter: r.options.KeysPause}
	}
	if !is(keys) {
		return &Error{Reason: WrongSubject}
	}
	return nil
}

package client

import (
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"sceau/certs"
)

// An Authentication is how a client proved to be itself in one request. Registry.Authenticate makes it; the zero value is none.
type Authentication struct {
	method      Method
	certificate *certs.Certificate
	identity    certs.Identity
	at          time.Time
	assertion   [32]byte
	until       time.Time
}

// Method is the method by which the client authenticated: the registered one. None proves nothing.
func (a *Authentication) Method() Method { return a.method }

// Time is the moment of the request.
func (a *Authentication) Time() time.Time { return a.at }

// Certificate is the certificate that was presented, of whose key TLS has proven possession; nil without one. It is not
// necessarily trusted: that is Identity.
func (a *Authentication) Certificate() *certs.Certificate { return a.certificate }

// Identity is whom the certificate identifies where the method or RequireCertificate asks for that; otherwise nobody.
func (a *Authentication) Identity() certs.Identity { return a.identity }

// Assertion names the assertion by which the client authenticated, and says until when it must not come again. ok is false where
// there was none. Who keeps it with the trace of the request gives it to Registry.Recall after a restart.
func (a *Authentication) Assertion() (digest [32]byte, until time.Time, ok bool) {
	return a.assertion, a.until, !a.until.IsZero()
}

// Thumbprint is the SHA-256 of the certificate in base64url, the value of x5t#S256 in cnf (RFC 8705 section 3.1); empty without
// one.
func (a *Authentication) Thumbprint() string {
	if a.certificate == nil {
		return ""
	}
	print := a.certificate.Fingerprint()
	return base64.RawURLEncoding.EncodeToString(print[:])
}

// Authenticate finds out which client sent a request to an endpoint, and has it prove that. It reads the form of the request, which
// stays parsed in r.PostForm: no parameter but audience and resource stands twice in it, and none came with the address. The error
// is an *Error. Of a public client nothing is proven but its name.
//
// A client authenticates by its registered method and no other (O6):
//
//	client_secret_basic            Authorization: Basic, form-encoded or raw (RFC 6749 section 2.3.1)
//	client_secret_post             client_id and client_secret in the form
//	private_key_jwt                client_assertion (RFC 7523 section 3, OpenID Connect Core section 9)
//	tls_client_auth                client_id in the form, and a certificate that certs trusts, of the registered subject (RFC 8705 section 2.1)
//	self_signed_tls_client_auth    client_id in the form, and a certificate that the client's keys name (RFC 8705 section 2.2)
//	none                           client_id in the form
func (r *Registry) Authenticate(request *http.Request, at Endpoint) (*Client, *Authentication, error) {
	now := r.options.Now()
	c, refused := r.options.read(request)
	if refused != nil {
		return nil, nil, refused
	}
	e, a, refused := r.prove(request, c, at, now)
	if refused != nil {
		refused.header = c.header
		if e != nil {
			refused.Client = e.client.ID()
		}
		return nil, nil, refused
	}
	return e.client, a, nil
}

// Named is the client that a request says it is of, by client_id or by the subject of its assertion; empty where it does not say, or
// cannot be read. It proves nothing: it says in which registry the client has to prove it.
func (r *Registry) Named(request *http.Request) string {
	c, refused := r.options.read(request)
	if refused != nil {
		return ""
	}
	if c.id == "" && c.method == byAssertion {
		if a, err := readAssertion(c.assertion); err == nil {
			return a.subject
		}
	}
	return c.id
}

// prove is the road of Authenticate after reading. With an Error the entry is that of the client that the request names, if any.
func (r *Registry) prove(request *http.Request, c credentials, at Endpoint, now time.Time) (*entry, *Authentication, *Error) {
	a := &Authentication{at: now}
	var e *entry
	var refused *Error
	switch c.method {
	case byBasic:
		e, refused = r.secret(SecretBasic, c.readings, now)
	case byPost:
		e, refused = r.secret(SecretPost, []credential{{c.id, c.secret}}, now)
	case byAssertion:
		e, refused = r.assertion(request.Context(), c.assertion, at, a)
	default:
		e, refused = r.named(c)
	}
	if refused != nil {
		return e, nil, refused
	}
	if c.id != "" && c.id != e.client.ID() {
		return e, nil, &Error{Reason: SeveralMethods, Err: errors.New("client_id is another one's")}
	}
	a.method = e.client.Method()
	if refused := r.present(request.Context(), e, c.certs, at, a); refused != nil {
		return e, nil, refused
	}
	if refused := may(e.client, at); refused != nil {
		return e, nil, refused
	}
	return e, a, nil
}

// secret finds the client of which a secret is. All readings are compared, and each costs the same whether there is such a client
// or not.
func (r *Registry) secret(method Method, readings []credential, now time.Time) (*entry, *Error) {
	check := secretCheck{r.options.SecretKey, now}
	var found, named *entry
	expired := false
	for _, reading := range readings {
		e := r.entry(reading.id)
		var c *Client
		if e != nil {
			c = e.client
		}
		right, old := check.matches(c, reading.secret)
		if e != nil {
			named = e
			if right {
				found = e
			}
			expired = expired || old
		}
	}
	if found != nil && found.client.Method() == method {
		return found, nil
	}
	reason, counted := UnknownClient, &r.unknown
	switch {
	case named == nil:
	case named.client.Method() != method:
		reason, counted = WrongMethod, &named.wrong
	case expired:
		reason, counted = ExpiredSecret, &named.wrong
	default:
		reason, counted = WrongSecret, &named.wrong
	}
	if wait := counted.wrong(now, r.options.Wrong, r.options.WrongWindow); wait > 0 {
		return named, &Error{Reason: TooMany, RetryAfter: wait, Err: errors.New(reason.String())}
	}
	return named, &Error{Reason: reason}
}

// named finds the client of a request that brings nothing but its client_id, and perhaps a certificate.
func (r *Registry) named(c credentials) (*entry, *Error) {
	if c.id == "" {
		return nil, &Error{Reason: NoCredentials}
	}
	e := r.entry(c.id)
	if e == nil {
		return nil, &Error{Reason: UnknownClient}
	}
	switch e.client.Method() {
	case None, TLS, SelfSignedTLS:
		return e, nil
	}
	return e, &Error{Reason: NoCredentials}
}

// may tells whether a client that proved to be itself may call an endpoint.
func may(c *Client, at Endpoint) *Error {
	switch at {
	case Token, PAR, Revocation:
		return nil
	case Introspection:
		if c.IntrospectionAllowed() {
			return nil
		}
	}
	return &Error{Reason: NotAllowed}
}

package bridge

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"time"

	"sceau/audit"
	"sceau/certs"
	"sceau/oidc/authn"
	"sceau/policy"
	"sceau/saml/trust"
)

// The directions of an exchange, as policies name them.
const (
	fromSAML     = "saml1-to-token"
	toSAML       = "token-to-saml1"
	ours         = "token-to-token"
	fromUpstream = "upstream-to-token"
)

// ExchangeForm is Exchange of a form that was not read yet; a form that is none is recorded too.
func (x *Exchanger) ExchangeForm(ctx context.Context, client *Client, form url.Values, now time.Time) (*Result, error) {
	request, err := ParseRequest(form)
	return x.run(ctx, client, request, err, now)
}

// Exchange judges a request of an authenticated client at now. Whatever the end, it is recorded; what could not be recorded is
// refused. On refusal the Result is nil; the error has a Reason and the audit id (FailureOf).
func (x *Exchanger) Exchange(ctx context.Context, client *Client, request *Request, now time.Time) (*Result, error) {
	return x.run(ctx, client, request, nil, now)
}

func (x *Exchanger) run(ctx context.Context, client *Client, request *Request, err error, now time.Time) (*Result, error) {
	if x == nil || x.config.Recorder == nil {
		return nil, refuse(Unconfigured, "")
	}
	begin := time.Now()
	e := &exchange{x: x, ctx: ctx, client: client, request: request, now: now}
	e.event.ID, e.event.Time = audit.NewID(now), now
	if client != nil {
		e.event.Client = client.ID
	}
	var result *Result
	if err == nil {
		result, err = e.road()
	}
	if request != nil {
		e.event.SubjectToken.digest(request.SubjectToken)
		e.event.ActorToken.digest(request.ActorToken)
	}
	e.event.Duration = time.Since(begin)
	e.event.Success, e.event.Reason, e.event.Cause = err == nil, ReasonOf(err), err
	// A client that has gone does not take its trace along.
	if unrecorded := x.config.Recorder.Record(context.WithoutCancel(ctx), &e.event); unrecorded != nil {
		return nil, &refusedExchange{refuseFor(Unrecorded, errors.Join(unrecorded, err)), e.event.ID}
	}
	if err != nil {
		return nil, &refusedExchange{err, e.event.ID}
	}
	result.AuditID = e.event.ID
	return result, nil
}

// An exchange is the work on one request.
type exchange struct {
	x       *Exchanger
	ctx     context.Context
	client  *Client
	request *Request
	now     time.Time
	event   Event
}

// road is the whole of it. Each step that decides gives a value that only it makes.
func (e *exchange) road() (*Result, error) {
	way, err := e.way()
	if err != nil {
		return nil, err
	}
	h, err := e.identify()
	if err != nil {
		return nil, err
	}
	p, err := e.prove(way, h)
	if err != nil {
		return nil, err
	}
	d, err := e.delegate(p, h)
	if err != nil {
		return nil, err
	}
	g, err := e.permit(d, h)
	if err != nil {
		return nil, err
	}
	return e.make(g, h)
}

// A way is what is exchanged for what.
type way struct {
	direction string
	from, to  TokenType
	upstream  *Upstream // whose token it is said to be
}

// way finds out what is asked, before anything is proven: what is not exchanged here costs nothing.
func (e *exchange) way() (way, error) {
	c := &e.x.config
	if e.client == nil || e.client.ID == "" || e.request == nil || e.now.IsZero() {
		return way{}, refuse(BadRequest, "no client, no request or no instant")
	}
	w := way{from: e.request.SubjectTokenType, to: e.request.Requested}
	e.event.SubjectToken.Type = w.from
	if e.request.SubjectToken == "" || len(e.request.SubjectToken) > maxTokenBytes || len(e.request.ActorToken) > maxTokenBytes {
		return way{}, refuse(BadRequest, "no subject token, or one that is too large")
	}
	if w.to == 0 {
		w.to = AccessToken // RFC 8693 section 2.1: at the discretion of the server
	}
	e.event.Issued.Type = w.to
	switch {
	case w.from == SAML1 && w.to.ours():
		w.direction = fromSAML
		if len(c.Assertions.Issuers) == 0 || c.Minter == nil {
			return way{}, refuse(UnsupportedType, "no assertion is read, or no token made")
		}
	case w.from.ours() && w.to == SAML1:
		w.direction = toSAML
		if c.Tokens == nil || c.Assertions.Issuer == "" {
			return way{}, refuse(UnsupportedType, "no token is read, or no assertion made")
		}
	case w.from.ours() && w.to.ours():
		w.direction = ours
		if c.Minter == nil {
			return way{}, refuse(UnsupportedType, "no token is made")
		}
	default:
		return way{}, refuse(UnsupportedType, w.from.Name()+" for "+w.to.Name())
	}
	if w.from.ours() {
		// The claim only selects who is asked; what he says of the issuer is compared (attacks.md O1).
		said := e.request.SubjectIssuer
		if said == "" {
			said = issuerOf(e.request.SubjectToken)
		}
		for i := range c.Upstreams {
			if c.Upstreams[i].Issuer == said {
				w.upstream = &c.Upstreams[i]
			}
		}
		switch {
		case w.upstream != nil && (w.direction != ours || w.from == IDToken || w.to == IDToken):
			return way{}, refuse(UnsupportedType, "of an upstream, access tokens are exchanged for access tokens")
		case w.upstream != nil:
			w.direction = fromUpstream
		case c.Tokens == nil:
			return way{}, refuse(UnsupportedType, "no token is read")
		}
	}
	e.event.Direction = w.direction
	return w, nil
}

// A holder is the certificate of the connection, identified. Only identify makes one that is somebody.
type holder struct {
	identity   certs.Identity
	thumbprint string
}

// identify identifies the certificate that the client showed in TLS: it must hold now, whatever the token says.
func (e *exchange) identify() (holder, error) {
	if len(e.client.Certificate) == 0 {
		return holder{}, refuse(NoCertificate, "")
	}
	if len(e.client.Path) > maxPath {
		return holder{}, refuse(UntrustedCertificate, "a path that is too long")
	}
	v := e.x.config.Certificates
	certificate, err := v.Parse(e.client.Certificate)
	if err != nil {
		return holder{}, refuseFor(UntrustedCertificate, err)
	}
	e.event.Certificate = certificate.Fingerprint()
	var path []*certs.Certificate
	for _, der := range e.client.Path {
		c, err := v.Parse(der)
		if err != nil {
			return holder{}, refuseFor(UntrustedCertificate, err)
		}
		path = append(path, c)
	}
	identity, err := e.x.judge.Holder(certificate, path, e.now)
	if err != nil {
		return holder{}, refuseFor(UntrustedCertificate, err)
	}
	t, value := identity.Identifier()
	e.event.Holder = policy.Requestor{Kind: identity.Kind().String(), IdentifierType: string(t), Identifier: value}
	print := certificate.Fingerprint()
	return holder{identity, base64.RawURLEncoding.EncodeToString(print[:])}, nil
}

// maxPath is how many certificates of its path a client may send.
const maxPath = 4

// is says whether a certificate in DER is the holder's: the whole of it, since another certificate of the same key may be revoked, or
// another person's (attacks.md H1).
func (h *holder) is(der []byte) bool {
	c := h.identity.Certificate()
	return c != nil && len(der) > 0 && string(c.Raw()) == string(der)
}

// A proven is a subject whose token holds, and is bound to the holder of the connection. Only prove makes one that says anything.
type proven struct {
	way
	token       Token // what the subject token says, in the words of tokens
	identifiers []authn.Identifier
	grant       string    // of an assertion that we made
	end         time.Time // of what is made of it: not before this, whatever else admits
}

func (e *exchange) prove(w way, h holder) (proven, error) {
	var p proven
	var err error
	switch {
	case w.from == SAML1:
		p, err = e.proveAssertion(e.request.SubjectToken, h, &e.event.SubjectToken)
	case w.upstream != nil:
		p, err = e.proveUpstream(w.upstream, h)
	default:
		p, err = e.proveToken(e.request.SubjectToken, w.from, h, &e.event.SubjectToken)
	}
	if err != nil {
		return proven{}, err
	}
	p.way = w
	if said := e.request.SubjectIssuer; said != "" && said != p.token.Issuer { // attacks.md O1
		return proven{}, refuse(WrongIssuer, "not the subject_issuer")
	}
	t := &p.token
	e.event.Methods, e.event.AuthTime = t.Methods, t.AuthTime
	if err := e.authenticated(&p); err != nil {
		return proven{}, err
	}
	return p, nil
}

// authenticated holds the authentication against the rule of the client that asks: what another was given by a weaker or an older one is
// not exchanged for what this one would have refused (EXI FI 24). It bounds what is made by the age of the authentication (EXI FI 25): a
// session is not kept young by exchanging its tokens.
func (e *exchange) authenticated(p *proven) error {
	at, rule := p.token.AuthTime, e.client.Rule
	if at.IsZero() { // a service acts for itself: nobody was authenticated, and nobody is said to have been
		p.token.Methods = nil
		if p.to != AccessToken && p.to != JWT {
			return refuse(NoAuthentication, "")
		}
	}
	if at.After(e.now.Add(e.x.config.Assertions.Skew)) {
		return refuse(AuthenticationTooOld, "in the future")
	}
	if rule == nil || !rule.Admits(p.token.Methods) {
		return refuse(WeakAuthentication, "the client does not admit it")
	}
	// What an acr means is said by each client for itself: that of another, of an assertion or of an upstream is not what this one calls so.
	p.token.Level = rule.ACR(p.token.Methods)
	e.event.Level = p.token.Level
	if at.IsZero() {
		return nil
	}
	end := at.Add(min(e.x.config.MaximumAge, rule.MaxAuthenticationAge()))
	if !end.After(e.now) {
		return refuse(AuthenticationTooOld, "")
	}
	p.end = earliest(p.end, end)
	return nil
}

// A delegated is a proven subject and who acts for it. Only delegate makes one.
type delegated struct {
	proven *proven
	actor  *Actor
	origin any // of the actor token
	end    time.Time
	claims map[string]any // of the actor token, where the upstream's profile carries them
}

// A granted is an exchange that policy permits. Only permit makes one.
type granted struct {
	delegated *delegated
	audience  []string
	scope     []string
	end       time.Time
}

// permit asks the policy about each audience. All are permitted or none is.
func (e *exchange) permit(d delegated, h holder) (granted, error) {
	c, p := &e.x.config, d.proven
	g := granted{delegated: &d, end: earliest(d.end, e.now.Add(c.MaximumValidity))}
	var err error
	if g.audience, err = e.targets(p); err != nil {
		return granted{}, err
	}
	if g.scope, err = e.scope(p); err != nil {
		return granted{}, err
	}
	e.event.Audience, e.event.Scope = g.audience, g.scope
	ask := policy.ExchangeRequest{
		Client: e.client.ID, Holder: e.event.Holder, Direction: p.direction, From: p.from.Name(), To: p.to.Name(), Issuer: p.token.Issuer,
		Methods: p.token.Methods, Level: p.token.Level, Assurance: assurance(p.token.Level), Scope: g.scope, Delegated: d.actor != nil, At: e.now,
	}
	for _, audience := range g.audience {
		ask.Audience = audience
		decision, err := c.Policy.Exchange(e.ctx, &ask)
		if err != nil {
			if errors.As(err, new(*policy.Error)) {
				return granted{}, refuseFor(Denied, err)
			}
			return granted{}, refuseFor(Unavailable, err)
		}
		if rule := decision.Rule(); !slices.Contains(e.event.Rules, rule) && rule != "" {
			e.event.Rules = append(e.event.Rules, rule)
		}
		if !decision.Permitted() {
			return granted{}, refuse(Denied, "")
		}
		if decision.MaximumValidity > 0 {
			g.end = earliest(g.end, e.now.Add(decision.MaximumValidity))
		}
		if !decision.Until.IsZero() {
			g.end = earliest(g.end, decision.Until)
		}
	}
	g.end = earliest(g.end, h.identity.NotAfter())
	return g, nil
}

// targets are for whom the result is: an ID token is for the client alone (OIDC Core 2).
func (e *exchange) targets(p *proven) ([]string, error) {
	asked := slices.Concat(e.request.Audience, e.request.Resource)
	switch {
	case p.to == IDToken:
		if len(asked) > 0 && !slices.Equal(asked, []string{e.client.ID}) {
			return nil, refuse(BadTarget, "an ID token is for its client")
		}
		return []string{e.client.ID}, nil
	case len(asked) > 0:
		return asked, nil
	case e.x.config.Target != "":
		return []string{e.x.config.Target}, nil
	}
	return nil, refuse(BadTarget, "none")
}

// scope never grows: of a token it is what it has, or less. Assertions and upstreams have none of ours, and policy decides on what is asked.
func (e *exchange) scope(p *proven) ([]string, error) {
	if p.from == SAML1 {
		return e.request.Scope, nil
	}
	if p.upstream != nil {
		if len(e.request.Scope) == 0 { // ANS, IG API: scope is required
			return nil, refuse(BadScope, "none")
		}
		return e.request.Scope, nil
	}
	if e.request.Scope == nil {
		return p.token.Scope, nil
	}
	for _, one := range e.request.Scope {
		if !slices.Contains(p.token.Scope, one) {
			return nil, refuse(BadScope, "more than the subject token has")
		}
	}
	return e.request.Scope, nil
}

func (e *exchange) make(g granted, h holder) (*Result, error) {
	if !g.end.After(e.now) {
		return nil, refuse(NoTimeLeft, "")
	}
	if g.delegated.proven.to == SAML1 {
		return e.makeAssertion(g, h)
	}
	return e.makeToken(g, h)
}

// subject finds under which sub the person of an assertion or of an upstream is known to us.
func (e *exchange) subject(p *proven) error {
	if e.x.config.Subjects == nil {
		return refuse(UnknownSubject, "no Subjects")
	}
	if len(p.identifiers) == 0 {
		return refuse(UnknownSubject, "no identifier")
	}
	sub, err := e.x.config.Subjects.Sub(e.ctx, p.identifiers)
	switch {
	case errors.Is(err, authn.ErrNoAccount) || err == nil && sub == "":
		return refuse(UnknownSubject, "")
	case err != nil:
		return refuseFor(Unavailable, err)
	}
	p.token.Subject = sub
	return nil
}

// newID makes an identifier with 128 random bits.
func newID() [16]byte {
	var id [16]byte
	rand.Read(id[:]) // never fails (crypto/rand)
	return id
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// trustReasons says which of our reasons a refusal of package saml/trust is.
var trustReasons = [...]Reason{
	trust.Unconfigured:         Unconfigured,
	trust.Malformed:            BadSubjectToken,
	trust.WrongIssuer:          WrongIssuer,
	trust.NotYetValid:          SubjectTokenNotYetValid,
	trust.Expired:              SubjectTokenExpired,
	trust.WrongAudience:        WrongAudience,
	trust.Unconfirmed:          NotHolderOfKey,
	trust.Unsigned:             BadSignature,
	trust.UntrustedSTS:         UntrustedSTS,
	trust.UnsupportedAlgorithm: BadSignature,
	trust.BadSignature:         BadSignature,
	trust.UntrustedHolder:      UntrustedCertificate,
}

func trustError(err error) error {
	if r := trust.ReasonOf(err); int(r) < len(trustReasons) && trustReasons[r] != 0 {
		return refuseFor(trustReasons[r], err)
	}
	return refuseFor(BadSubjectToken, err)
}

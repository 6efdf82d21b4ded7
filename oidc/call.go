package oidc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/client"
)

// endpoint is what was asked.
type endpoint uint8

const (
	_ endpoint = iota
	endpointAuthorize
	endpointAttempt
	endpointPush
	endpointToken
	endpointUserInfo
	endpointIntrospect
	endpointRevoke
	endpointLogout
	endpointKeys
	endpointWallet // what a wallet asks and answers
	endpointPerson // the pages of the establishment itself: enrolment, consents
)

// A call is one request, as far as it is known: what the library's hooks need of it and what the trail keeps of it. It goes with the
// context, and belongs to one goroutine.
type call struct {
	endpoint    endpoint
	event       audit.Event
	recorded    bool
	client      *client.Client
	certificate *x509.Certificate
	presented   string      // the refresh token
	shown       string      // what is asked about, revoked, or opens userinfo
	locales     string      // ui_locales
	hint        string      // the sub of an id_token_hint that verified
	attempt     []byte      // that the request is of, as it was read
	outage      error       // of the store, or of a federation
	party       *party      // of a federation: the client, if it is not registered otherwise
	pages       authn.Pages // of the attempt that a form was sent to
	drafting    bool        // what is signed next is an ID token without its at_hash
	draft       string      // the algorithm of one that was
	cause       error
	code        string // that was answered

	// What the text says that a grant of this call keeps of ours: see releasedOf.
	released     *released
	releasedText string
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// call begins the record of a request.
func (p *Provider) call(r *http.Request, e endpoint, operation string) (*http.Request, *call) {
	c := &call{endpoint: e}
	now := p.now()
	c.event = audit.Event{ID: audit.NewID(now), Time: now, Service: audit.ServiceOIDC, Operation: operation, Establishment: p.config.Tenant}
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.event.Remote = audit.ClassifyRemote(at.Addr())
		c.event.Sealed.Source = at.Addr()
	}
	c.event.Sealed.Agent = r.UserAgent()
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		c.certificate = r.TLS.PeerCertificates[0]
	}
	return r.WithContext(context.WithValue(r.Context(), callKey{}, c)), c
}

// issued puts a token into the record. A nil call is nobody's request.
func (c *call) issued(t audit.Token) {
	if c != nil {
		c.event.Tokens = append(c.event.Tokens, t)
	}
}

// presents puts the token that was shown into the record: by its identifier where it was verified, by its digest in any case.
func (c *call) presents(b *buffer) {
	if c.shown == "" {
		return
	}
	t := audit.Token{Use: audit.Presented, Kind: "token", Value: c.shown}
	if verified := b.status < http.StatusBadRequest && (c.endpoint == endpointUserInfo || bytes.Contains(b.body.Bytes(), []byte(`"active":true`))); verified {
		t.Kind = "access_token"
		if _, rest, ok := strings.Cut(c.shown, "."); ok {
			payload, _, _ := strings.Cut(rest, ".")
			var claims struct {
				ID string `json:"jti"`
			}
			if text, err := base64.RawURLEncoding.DecodeString(payload); err == nil && json.Unmarshal(text, &claims) == nil {
				t.ID, t.Value = claims.ID, ""
			}
		}
	}
	c.issued(t)
}

// about says whose grant the request is about.
func (c *call) about(g *goidc.Grant, r *released) {
	if c == nil {
		return
	}
	e := &c.event
	e.Grant, e.Scope, e.Session, e.Client = g.ID, g.Scopes, r.SID, g.ClientID
	e.Subject = audit.Identifier{Type: audit.SubjectType, Value: r.Subject}
	e.Sealed.Account = r.Account.ID
	e.Means, e.Methods, e.ACR, e.AuthTime = r.Login.Means, r.Login.References, r.ACR, r.Login.Time
	e.Authentication, _ = audit.ParseID(r.Login.ID)
}

func (c *call) known(k *client.Client, method string) {
	c.client = k
	c.event.Client, c.event.Mode = k.ID(), method
	if c.party != nil {
		c.event.Policies = c.party.resolved.Anchor
	}
}

func (c *call) held() {
	if c.certificate != nil {
		c.event.Holder = audit.Party{Kind: "tls", Fingerprint: sha256.Sum256(c.certificate.Raw)}
	}
}

// record keeps the event of a call. Its outcome follows from what was answered.
func (p *Provider) record(ctx context.Context, c *call) error {
	if c.recorded {
		return nil
	}
	c.recorded = true
	e := &c.event
	e.Duration = p.now().Sub(e.Time)
	e.Code = c.code
	if c.cause != nil {
		e.Cause = c.cause.Error()
	}
	if e.Outcome == 0 {
		var refused goidc.Error
		switch {
		case c.cause == nil && c.code == "":
			e.Outcome = audit.Success
		case errors.As(c.cause, &refused) && refused.Code != goidc.ErrorCodeInternalError, c.cause == nil:
			e.Outcome = audit.Refused
		default:
			e.Outcome = audit.Fault
		}
	}
	return p.config.Recorder.Record(ctx, e)
}

// lacks says in the record that something could not be asked of the store, or that there is no room for a stranger: then nothing failed,
// and who was refused stands in the trail.
func (c *call) lacks() {
	c.cause, c.code, c.event.Outcome = c.outage, "temporarily_unavailable", audit.Fault
	if errors.Is(c.outage, errStrangers) {
		c.event.Operation, c.event.Outcome = audit.OperationAuthorization, audit.Refused
	}
}

// failed is told by the library what went wrong, before it answers.
func (p *Provider) failed(ctx context.Context, err error) {
	if c := callOf(ctx); c != nil && c.cause == nil {
		c.cause = err
		c.code = string(goidc.ErrorCodeInternalError)
		var known goidc.Error
		if errors.As(err, &known) {
			c.code = string(known.Code)
		}
		if c.endpoint == endpointAuthorize && c.event.Operation == "" {
			c.event.Operation = audit.OperationAuthorization // refused by the library, before anybody was asked
		}
	}
}

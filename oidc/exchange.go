package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/bridge"
	"sceau/oidc/client"
	"sceau/soap"
)

// exchanger makes the grant of token exchange (RFC 8693) for the establishment. What the configuration leaves to it is whose
// the tokens are: our keys, our grants, our accounts and our trail.
func (p *Provider) exchanger(c bridge.Config) (*bridge.Exchanger, error) {
	tokens := &bridge.JWTs{Issuer: p.config.Issuer, Keys: p.exchangeKeys, Sign: p.exchangeSigner, Active: p.active}
	c.Issuer, c.Recorder, c.Subjects = p.config.Issuer, exchangeRecorder{}, subjects{p}
	c.Tokens, c.Minter, c.Grants = tokens, exchangeMinter{p, tokens}, exchangeMinter{p, tokens}
	if c.Once == nil {
		c.Once = once{replay{p.state.store, p.config.Tenant + "/exchanged"}}
	}
	return bridge.New(c)
}

// once is the replay state of exchanges in the Store.
type once struct{ replay }

func (o once) Remember(digest [32]byte, until, now time.Time) error {
	err := o.replay.Remember(digest, until, now)
	if errors.Is(err, client.ErrReplayed) {
		return soap.ErrReplayed
	}
	return err
}

func (p *Provider) exchangeKeys(time.Time) []bridge.Key {
	public := p.keys.public()
	keys := make([]bridge.Key, len(public.Keys))
	for i, k := range public.Keys {
		keys[i] = bridge.Key{ID: k.KeyID, Algorithm: jose.SignatureAlgorithm(k.Algorithm), Public: k.Key}
	}
	return keys
}

func (p *Provider) exchangeSigner(time.Time) (bridge.SigningKey, error) {
	algorithm := jose.SignatureAlgorithm(p.keys.algorithms()[0])
	id, key, err := p.keys.signer(algorithm)
	return bridge.SigningKey{ID: id, Algorithm: algorithm, Key: key}, err
}

// subjects knows persons by the accounts of the establishment.
type subjects struct{ p *Provider }

func (s subjects) Sub(ctx context.Context, identifiers []authn.Identifier) (string, error) {
	sub := ""
	for _, id := range identifiers {
		a, err := s.p.config.Accounts.Find(ctx, id)
		if errors.Is(err, authn.ErrNoAccount) {
			continue
		}
		if err != nil {
			return "", err
		}
		if a.Locked || sub != "" && sub != s.p.subject(a) {
			return "", authn.ErrNoAccount // closed, or two people
		}
		sub = s.p.subject(a)
	}
	if sub == "" {
		return "", authn.ErrNoAccount
	}
	return sub, nil
}

// exchangeRecorder puts an exchange into the record of its request, which is kept before the answer leaves.
type exchangeRecorder struct{}

func (exchangeRecorder) Record(ctx context.Context, x *bridge.Event) error {
	c := callOf(ctx)
	if c == nil {
		return errors.New("oidc: an exchange without a request")
	}
	e := &c.event
	e.ID = x.ID // which the client is told
	e.Outcome = audit.Success
	if !x.Success {
		e.Outcome = audit.Refused
		e.Code, e.Stage = x.Reason.Code(), x.Reason.String()
		if x.Reason.Status() >= http.StatusInternalServerError {
			e.Outcome = audit.Fault
		}
		if x.Cause != nil {
			e.Cause = x.Cause.Error()
		}
	}
	e.Policies = strings.Join(x.Rules, " ")
	if x.Certificate != ([32]byte{}) {
		e.Holder = audit.Party{Kind: "tls", Fingerprint: x.Certificate}
	}
	if o, ok := x.SubjectToken.Origin.(*provenance); ok { // what an actor shows beside it is of his own
		r := o.released
		e.Session, e.Means, e.Sealed.Account = r.SID, r.Login.Means, r.Account.ID
		e.Authentication, _ = audit.ParseID(r.Login.ID)
	}
	if x.Subject != "" {
		e.Subject = audit.Identifier{Type: audit.SubjectType, Value: x.Subject}
	}
	e.Resource = audit.Resource{Type: "audience", Name: strings.Join(x.Audience, " ")}
	e.Scope, e.Methods, e.ACR, e.AuthTime = strings.Join(x.Scope, " "), x.Methods, x.Level, x.AuthTime
	for _, t := range []struct {
		use audit.TokenUse
		ref *bridge.TokenRef
	}{{audit.SubjectToken, &x.SubjectToken}, {audit.ActorToken, &x.ActorToken}, {audit.Issued, &x.Issued}} {
		if t.ref.ID != "" || t.ref.Type != 0 {
			e.Tokens = append(e.Tokens, audit.Token{Use: t.use, Kind: t.ref.Type.Name(), ID: t.ref.ID, Issuer: t.ref.Issuer, Expires: t.ref.Expires})
		}
	}
	return nil
}

// exchange serves the grant for a client that has authenticated.
func (p *Provider) exchange(w http.ResponseWriter, r *http.Request, c *call, form url.Values, known *client.Client, how *client.Authentication) {
	b := &buffer{header: http.Header{}}
	c.event.Operation = audit.OperationExchange
	switch {
	case p.bridge == nil:
		c.code = "unsupported_grant_type"
		refuse(b, http.StatusBadRequest, c.code, "")
	case !known.AllowsGrant(client.TokenExchange):
		c.code = "unauthorized_client"
		refuse(b, http.StatusBadRequest, c.code, "")
	case !p.audiences(known, form):
		c.code = "invalid_target"
		c.cause = errors.New("an audience for which the client may not exchange tokens")
		c.event.Outcome = audit.Refused
		refuse(b, http.StatusBadRequest, c.code, "")
	default:
		asks := &bridge.Client{ID: known.ID(), ByCertificate: how.Method() == client.TLS, Rule: known.Session()}
		if certificate := how.Certificate(); certificate != nil {
			asks.Certificate = certificate.Raw()
			if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 { // not, where another ended the connection and says what it was shown
				for _, more := range r.TLS.PeerCertificates[1:] {
					asks.Path = append(asks.Path, more.Raw)
				}
			}
		}
		p.bridge.Serve(b, r, asks, form, p.now())
		c.code = c.event.Code
	}
	p.answer(w, r, b, c)
}

// audiences says whether all for whom a token is asked are among those of the client's registration, said or not. Policy decides then.
func (p *Provider) audiences(c *client.Client, form url.Values) bool {
	asked := slices.Concat(form["audience"], form["resource"])
	if target := p.config.Exchange.Target; len(asked) == 0 && target != "" && form.Get("requested_token_type") != bridge.IDToken.String() {
		asked = []string{target}
	}
	return !slices.ContainsFunc(asked, func(value string) bool { return !c.AllowsAudience(value) })
}

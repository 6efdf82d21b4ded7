package rp

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// A BackchannelRequest asks a person to authenticate on his own device, without his browser (CIBA, poll mode).
type BackchannelRequest struct {
	// LoginHint says who: at Pro Santé Connect the national identifier. Required.
	LoginHint string
	// BindingMessage is shown on his device; at Pro Santé Connect two digits.
	BindingMessage string
}

// Pending is an authentication that was asked for and is not answered. Poll asks for it, and changes it. It is secret, and JSON.
type Pending struct {
	ID       string        `json:"id"` // auth_req_id
	Issuer   string        `json:"issuer"`
	Hint     string        `json:"hint"`
	Expires  time.Time     `json:"expires"`
	Interval time.Duration `json:"interval"` // the least between two polls
	Next     time.Time     `json:"next"`     // when to ask
	Begun    time.Time     `json:"begun"`
}

const (
	defaultInterval = 5 * time.Second // where the provider says none
	maxPendingLife  = time.Hour
)

// BackchannelAuthentication begins one.
func (p *Provider) BackchannelAuthentication(ctx context.Context, r BackchannelRequest) (*Pending, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if m.Backchannel == "" || r.LoginHint == "" {
		return nil, refuse(Misconfigured, "the provider has no address for it, or nobody is named")
	}
	form := url.Values{"scope": {strings.Join(append([]string{oidc.ScopeOpenID}, p.c.Scopes...), " ")}, "login_hint": {r.LoginHint}}
	if r.BindingMessage != "" {
		form.Set("binding_message", r.BindingMessage)
	}
	if len(p.c.Policy.ACR) > 0 {
		form.Set("acr_values", strings.Join(p.c.Policy.ACR, " "))
	}
	said, err := p.post(ctx, m.Backchannel, form)
	if err != nil {
		return nil, err
	}
	now := p.c.Now()
	life, ok := seconds(said, "expires_in")
	if !ok || life <= 0 || life > maxPendingLife {
		return nil, refuse(Unavailable, "expires_in")
	}
	interval, ok := seconds(said, "interval")
	if said.Has("interval") && !ok || interval < 0 || interval > maxPendingLife {
		return nil, refuse(Unavailable, "interval")
	}
	if interval == 0 {
		interval = defaultInterval
	}
	id := said.String("auth_req_id")
	if id == "" || len(id) > maxTokenOctets {
		return nil, refuse(Unavailable, "auth_req_id")
	}
	return &Pending{ID: id, Issuer: p.c.Issuer, Hint: r.LoginHint, Expires: now.Add(life), Interval: interval, Next: now.Add(interval), Begun: now}, nil
}

func seconds(c Claims, name string) (time.Duration, bool) {
	var n int64
	if !c.Decode(name, &n) || n < 0 || n > 1<<31 {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// Poll asks once whether the person has answered. Waiting says: not yet, ask again at Next; it says so without asking where it is
// too early. Every other error ends it.
func (p *Provider) Poll(ctx context.Context, b *Pending) (*Login, error) {
	now := p.c.Now()
	switch {
	case b == nil || b.ID == "" || b.Issuer != p.c.Issuer:
		return nil, refuse(Mismatch, "no authentication that is under way")
	case !now.Before(b.Expires):
		return nil, refuse(Expired, "nobody answered")
	case now.Before(b.Next):
		return nil, refuse(Waiting, "too early to ask")
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	got, err := p.grant(ctx, m, url.Values{"grant_type": {"urn:openid:params:grant-type:ciba"}, "auth_req_id": {b.ID}})
	switch ReasonOf(err) {
	case SlowDown:
		b.Interval += 5 * time.Second // CIBA 11
		fallthrough
	case Waiting:
		b.Next = now.Add(b.Interval)
	}
	if err != nil {
		return nil, err
	}
	l, err := p.login(ctx, m, got, expected{maxAge: p.c.Policy.MaxAge})
	if err != nil {
		return nil, err
	}
	if p.c.HintClaim != "" && l.Claims.String(p.c.HintClaim) != b.Hint {
		return nil, refuse(Mismatch, "somebody else than who was asked has confirmed")
	}
	return l, nil
}

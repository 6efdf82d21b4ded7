package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// Metadata is what a provider says of itself (OpenID Connect Discovery, RFC 8414), as far as a relying party asks.
type Metadata struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
	Keys          string `json:"jwks_uri"`
	EndSession    string `json:"end_session_endpoint"`
	Backchannel   string `json:"backchannel_authentication_endpoint"` // CIBA

	// ResponseIssuer says that every response of the authorization endpoint bears iss (RFC 9207).
	ResponseIssuer bool `json:"authorization_response_iss_parameter_supported"`

	// Aliases are the addresses for clients that show a certificate (RFC 8705 5); those that are there are used by such.
	Aliases struct {
		Token       string `json:"token_endpoint"`
		UserInfo    string `json:"userinfo_endpoint"`
		Backchannel string `json:"backchannel_authentication_endpoint"`
	} `json:"mtls_endpoint_aliases"`
}

// withCertificate puts the aliases into the places of what they stand for.
func (m Metadata) withCertificate() Metadata {
	for to, alias := range map[*string]string{&m.Token: m.Aliases.Token, &m.UserInfo: m.Aliases.UserInfo, &m.Backchannel: m.Aliases.Backchannel} {
		if alias != "" {
			*to = alias
		}
	}
	return m
}

// check holds metadata against the issuer that is configured and the hosts that may be contacted.
func (m Metadata) check(issuer string, hosts []string) error {
	if m.Issuer != issuer {
		return refuse(Misconfigured, "the metadata are of another issuer than %q", issuer)
	}
	for _, e := range []struct {
		name, address string
		required      bool
	}{
		{"authorization_endpoint", m.Authorization, true}, {"token_endpoint", m.Token, true}, {"jwks_uri", m.Keys, true},
		{"userinfo_endpoint", m.UserInfo, false}, {"end_session_endpoint", m.EndSession, false},
		{"backchannel_authentication_endpoint", m.Backchannel, false},
		{"token_endpoint for certificates", m.Aliases.Token, false}, {"userinfo_endpoint for certificates", m.Aliases.UserInfo, false},
		{"backchannel_authentication_endpoint for certificates", m.Aliases.Backchannel, false},
	} {
		if e.address == "" && !e.required {
			continue
		}
		if _, err := allowed(e.address, hosts); err != nil {
			return refuse(Misconfigured, "%s: %w", e.name, err)
		}
	}
	return nil
}

// allowed says whether an address may be contacted, or a browser sent to it.
func allowed(address string, hosts []string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" || u.Opaque != "" || u.Host == "":
		return nil, errors.New("no https address")
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("an address with a user or a fragment")
	case !slices.Contains(hosts, u.Host):
		return nil, fmt.Errorf("host %q is not configured", u.Host)
	}
	return u, nil
}

// fetchMetadata reads the discovery document.
func (p *Provider) fetchMetadata(ctx context.Context) (*Metadata, error) {
	body, err := p.get(ctx, p.c.Discovery, "application/json", nil)
	if err != nil {
		return nil, err
	}
	if _, err := ParseClaims(body); err != nil {
		return nil, refuse(Misconfigured, "discovery document: %w", err)
	}
	m := new(Metadata)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, refuse(Misconfigured, "discovery document: not what it must be")
	}
	return m, m.check(p.c.Issuer, p.hosts)
}

// metadata gives what is configured, or was discovered; it is asked for anew once a day.
func (p *Provider) metadata(ctx context.Context) (*Metadata, error) {
	m := p.c.Metadata
	if m == nil {
		var err error
		if m, err = p.discovered.get(ctx, p.c.Now, false, p.fetchMetadata); err != nil {
			return nil, err
		}
	}
	if p.c.Certificate != nil {
		with := m.withCertificate()
		m = &with
	}
	return m, nil
}

// A kept value is fetched when it is wanted, by one for all who want it then, and kept for a time. What could not be fetched is
// not asked for again within the pause: a stranger who sends what needs it costs the provider nothing.
type kept[T any] struct {
	fresh, pause time.Duration
	turn         chan struct{} // holds one token: who has it fetches
	value        atomic.Pointer[keptState[T]]
}

type keptState[T any] struct {
	value *T
	err   error
	at    time.Time // when value was fetched
	asked time.Time // when it was asked for, in vain or not
}

func newKept[T any](fresh, pause time.Duration) *kept[T] {
	return &kept[T]{fresh: fresh, pause: pause, turn: make(chan struct{}, 1)}
}

// get gives the value. Anew asks for it although there is one, unless it was asked for within the pause.
func (k *kept[T]) get(ctx context.Context, now func() time.Time, anew bool, fetch func(context.Context) (*T, error)) (*T, error) {
	before := k.value.Load()
	if v, err, settled := before.settled(k, now(), anew); settled {
		return v, err
	}
	if err := k.wait(ctx); err != nil {
		return nil, err
	}
	defer func() { <-k.turn }()
	last := k.value.Load()
	if last != before { // another has asked meanwhile
		if v, err, settled := last.settled(k, now(), false); settled {
			return v, err
		}
	}
	// Whoever asked first may go away; the others still want it, and his leaving is no failure of the provider.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	value, err := fetch(ctx)
	next := &keptState[T]{value: value, err: err, asked: now()}
	switch {
	case err == nil:
		next.at = next.asked
	case last != nil:
		next.value, next.at = last.value, last.at // good as long as it was
	default:
		next.value = nil
	}
	k.value.Store(next)
	if err != nil {
		return nil, err
	}
	return value, nil
}

// wait takes the turn, as soon as nobody has it.
func (k *kept[T]) wait(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return refuse(Unavailable, "waiting for another: %w", ctx.Err())
	}
}

// settled says what can be said without asking.
func (s *keptState[T]) settled(k *kept[T], now time.Time, anew bool) (*T, error, bool) {
	if s == nil {
		return nil, nil, false
	}
	recent := now.Sub(s.asked) < k.pause && !now.Before(s.asked)
	good := s.value != nil && now.Sub(s.at) < k.fresh && !now.Before(s.at)
	switch {
	case good && (!anew || recent):
		return s.value, nil, true
	case recent && s.err != nil:
		return nil, s.err, true
	}
	return nil, nil, false
}

// get asks for a document.
func (p *Provider) get(ctx context.Context, address, accept string, header http.Header) ([]byte, error) {
	body, _, err := p.ask(ctx, address, accept, header)
	return body, err
}

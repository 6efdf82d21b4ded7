package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// An attempt is what is kept, beside the parameters of the request, from a client's request to its end.
type attempt struct {
	// Binding is the digest of a cookie of the browser that began it: another browser that is led to its address has no part in
	// it (O8: an attacker's own attempt, finished by his victim).
	Binding  string `json:"binding"`
	Token    string `json:"token"` // that forms carry
	Language string `json:"language"`
	Locales  string `json:"locales,omitempty"`
	// Began is when.
	Began time.Time `json:"began"`
	// Hint is the sub that the client means (id_token_hint), verified.
	Hint  string     `json:"hint,omitempty"`
	Again page.Again `json:"again,omitempty"`
	// Refused is what each means refused last, until its page has said it.
	Refused map[string]refused         `json:"refused,omitempty"`
	States  map[string]json.RawMessage `json:"states,omitempty"` // of the means
	// Shown is what the person was asked to consent to, and Agreed what he consented to, in this attempt.
	Shown  string `json:"shown,omitempty"`
	Agreed string `json:"agreed,omitempty"`
}

// A refused is a Refusal without its cause.
type refused struct {
	Reason     authn.Reason  `json:"reason"`
	RetryAfter time.Duration `json:"retry,omitempty"`
}

const attemptCookie = "__Secure-sceau-attempt"

// lastCookie remembers by which means this browser authenticated. It is a convenience and proves nothing.
const lastCookie = "__Secure-sceau-means"

// begin prepares an attempt. The parameters of the request are checked.
func (p *Provider) begin(r *http.Request, as *goidc.AuthnSession, _ *goidc.Client) bool {
	a := &attempt{Token: random(), Began: p.now()}
	if pushed := (&attempt{}); getStore(as.Store, pushed) == nil {
		a.Locales, a.Hint = pushed.Locales, pushed.Hint
	}
	if c := callOf(r.Context()); c != nil {
		if c.locales != "" {
			a.Locales = c.locales
		}
		if c.hint != "" {
			a.Hint = c.hint
		}
	}
	a.Language = page.Language("", a.Locales, r.Header.Get("Accept-Language"))
	return putStore(as.Store, a) == nil
}

// pushed keeps of a pushed request what the library does not.
func (p *Provider) pushed(ctx context.Context, as *goidc.AuthnSession, _ *goidc.Client) error {
	c := callOf(ctx)
	if c == nil {
		return errors.New("oidc: a request that did not come through the front")
	}
	return putStore(as.Store, &attempt{Locales: c.locales, Hint: c.hint})
}

// merge takes from another what it says otherwise than base, on which both stand, where a does not. Two pages of one attempt may be
// under way at once (a second window, a click that was made twice), and neither loses what the other noted: the state that a means
// has used up does not come back.
func (a *attempt) merge(base, other *attempt) {
	theirs(&a.Language, base.Language, other.Language)
	theirs(&a.Again, base.Again, other.Again)
	theirs(&a.Shown, base.Shown, other.Shown)
	theirs(&a.Agreed, base.Agreed, other.Agreed)
	a.Refused = theirsIn(a.Refused, base.Refused, other.Refused)
	a.States = theirsIn(a.States, base.States, other.States)
}

func theirs[T comparable](ours *T, base, other T) {
	if *ours == base {
		*ours = other
	}
}

func theirsIn[T any](ours, base, other map[string]T) map[string]T {
	merged := map[string]T{}
	take := func(name string) {
		from := ours
		mine, has := ours[name]
		was, had := base[name]
		if has == had && reflect.DeepEqual(mine, was) {
			from = other
		}
		if value, there := from[name]; there {
			merged[name] = value
		}
	}
	for name := range ours {
		take(name)
	}
	for name := range other {
		take(name)
	}
	return merged
}

// errAttemptOver says that an attempt was answered, or given up, while somebody had a page of it in his hands. He is told as one
// who comes after that.
var errAttemptOver = goidc.WrapError(goidc.ErrorCodeInvalidRequest, "invalid request", errors.New("the attempt was ended by another request"))

// ended stands in the place of an attempt from its end on, until that is taken away.
var ended = []byte("ended")

// SaveSession keeps an attempt while it goes on, and claims its end. It is written in the place of what the request has read alone: a
// page that was under way while the attempt ended does not bring it back, to be answered without a login later (O8).
func (s *state) SaveSession(ctx context.Context, as *goidc.AuthnSession) error {
	c := callOf(ctx)
	if c == nil {
		return errors.New("oidc: an attempt that did not come through the front")
	}
	key, until := s.key("attempt", as.ID), time.Unix(int64(as.ExpiresAt), 0)
	switch {
	case as.Status == goidc.StatusPending && c.attempt == nil:
		return s.beginAttempt(ctx, c, key, as, until)
	case as.Status == goidc.StatusPending:
		return s.amendAttempt(ctx, c, key, as, until)
	case c.attempt == nil:
		return nil // it was over before it was kept: nobody else has it
	}
	return s.endAttempt(ctx, c, key, until)
}

func (s *state) beginAttempt(ctx context.Context, c *call, key string, as *goidc.AuthnSession, until time.Time) error {
	text, err := marshal(as)
	if err != nil {
		return err
	}
	if err := s.begun(ctx, key, entry{value: text}.size(key), until); err != nil {
		return err
	}
	if as.PushedAuthReqID != "" && as.PolicyID == "" {
		err = s.put(ctx, s.key("pushed", as.PushedAuthReqID), as.ID, until)
	}
	if err == nil {
		var added bool
		if added, err = s.store.Add(ctx, key, text, until); err == nil && !added {
			err = errors.New("oidc: an attempt with the name of another")
		}
	}
	if err != nil {
		s.unbegun(ctx, key)
		return err
	}
	c.attempt = text
	return nil
}

func (s *state) amendAttempt(ctx context.Context, c *call, key string, as *goidc.AuthnSession, until time.Time) error {
	err := s.swapAttempt(ctx, c, key, until, func(now []byte) ([]byte, error) {
		if now != nil {
			if err := mergeAttempt(as, c.attempt, now); err != nil {
				return nil, err
			}
		}
		text, err := marshal(as)
		if err != nil {
			return nil, err
		}
		// Of a pushed request, what its client had is from here on of the browser that came with it.
		return text, s.begun(ctx, key, entry{value: text}.size(key), until)
	})
	if err != nil {
		s.unbegun(ctx, key)
	}
	return err
}

// endAttempt claims the end of an attempt before anything comes of it: of all who end it at the same time, at any replica, one does.
func (s *state) endAttempt(ctx context.Context, c *call, key string, until time.Time) error {
	if err := s.swapAttempt(ctx, c, key, until, func([]byte) ([]byte, error) { return ended, nil }); err != nil {
		return err
	}
	if err := s.store.Delete(ctx, key); err != nil {
		return err
	}
	s.strangers.leave(key)
	return nil
}

// swapAttempt writes an attempt in the place of what was read. Where another request wrote meanwhile, next gets what that wrote, and says
// what is to be written now; nil is the first time.
func (s *state) swapAttempt(ctx context.Context, c *call, key string, until time.Time, next func(now []byte) ([]byte, error)) error {
	var now []byte
	for range tries {
		text, err := next(now)
		if err != nil {
			return err
		}
		if now != nil {
			c.attempt = now
		}
		switch swapped, err := s.store.Swap(ctx, key, c.attempt, text, until); {
		case err != nil:
			return err
		case swapped:
			c.attempt = text
			return nil
		}
		now, err = s.store.Get(ctx, key)
		if errors.Is(err, ErrNotFound) || bytes.Equal(now, ended) {
			return errAttemptOver
		} else if err != nil {
			return err
		}
	}
	return errBusy
}

// mergeAttempt puts into an attempt what another request has written meanwhile; base is what this one had read.
func mergeAttempt(as *goidc.AuthnSession, base, now []byte) error {
	ours := &attempt{}
	if err := getStore(as.Store, ours); err != nil {
		return err
	}
	was, err := attemptIn(base)
	if err != nil {
		return err
	}
	other, err := attemptIn(now)
	if err != nil {
		return err
	}
	ours.merge(was, other)
	return putStore(as.Store, ours)
}

func attemptIn(text []byte) (*attempt, error) {
	as, a := &goidc.AuthnSession{}, &attempt{}
	if err := json.Unmarshal(text, as); err != nil {
		return nil, err
	}
	return a, getStore(as.Store, a)
}

func (s *state) Session(ctx context.Context, id string) (*goidc.AuthnSession, error) {
	text, err := s.store.Get(ctx, s.key("attempt", id))
	if err != nil {
		return nil, found(err)
	}
	if bytes.Equal(text, ended) {
		return nil, goidc.ErrNotFound
	}
	as := &goidc.AuthnSession{}
	if err := json.Unmarshal(text, as); err != nil {
		return nil, err
	}
	if as.Store == nil {
		as.Store = map[string]any{}
	}
	if c := callOf(ctx); c != nil {
		c.attempt = text
	}
	return as, nil
}

// SessionByPushedAuthReqID gives a pushed request to the first who asks for it (RFC 9126 section 4).
func (s *state) SessionByPushedAuthReqID(ctx context.Context, id string) (*goidc.AuthnSession, error) {
	var attempt string
	key := s.key("pushed", id)
	if err := s.get(ctx, key, &attempt); err != nil {
		return nil, found(err)
	}
	as, err := s.Session(ctx, attempt)
	if err != nil {
		return nil, err
	}
	first, err := s.once(ctx, "pushed-used", id, time.Unix(int64(as.ExpiresAt), 0))
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, goidc.ErrNotFound
	}
	return as, s.store.Delete(ctx, key)
}

package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"sceau/oidc/authn"
)

// A session is what one browser holds with an establishment after its person has authenticated: explicit authentications, each with
// its instant, and the clients that were told of them. It proves nothing by its age: every client has a rule of how old
// an authentication may be (EXI FI 25).
type session struct {
	SID     string        `json:"sid"` // the claim sid, random; the cookie is another secret
	Account authn.Account `json:"account"`
	Logins  []login       `json:"logins"` // the newest last, one of each means
	Created time.Time     `json:"created"`
	Seen    time.Time     `json:"seen"`
	// Clients are those that have tokens out of the session: they are told when it ends.
	Clients []string `json:"clients,omitempty"`
	// Held is until when at most they have something out of it: so long it is kept, also when it has lapsed, to be ended.
	Held time.Time `json:"held,omitzero"`
	// Moved says that the session has another cookie by now.
	Moved bool `json:"moved,omitempty"`

	key    string // in the store, which has no cookie
	stored []byte // as it was read
}

// A login is one explicit authentication.
type login struct {
	ID          string              `json:"id"` // in the audit trail
	Attempt     string              `json:"attempt"`
	Means       string              `json:"means"`
	References  []string            `json:"amr"`
	Time        time.Time           `json:"time"`
	Identifier  authn.Identifier    `json:"identifier"`
	Credential  string              `json:"credential,omitempty"`
	Certificate string              `json:"certificate,omitempty"` // x5t#S256
	Attributes  map[string][]string `json:"attributes,omitempty"`
}

// maxLogins bounds the authentications that a session remembers.
const maxLogins = 8

// add puts a login in, in the place of an earlier one by the same means.
func (s *session) add(l login) {
	s.Logins = slices.DeleteFunc(s.Logins, func(o login) bool { return o.Means == l.Means })
	s.Logins = append(s.Logins, l)
	if len(s.Logins) > maxLogins {
		s.Logins = slices.Delete(s.Logins, 0, len(s.Logins)-maxLogins)
	}
}

// sessionEnd is when a session ends: when it was idle for too long, and in any case.
func (p *Provider) sessionEnd(s *session) time.Time {
	end := s.Created.Add(p.config.SessionLifetime)
	if idle := s.Seen.Add(p.config.SessionIdle); idle.Before(end) {
		end = idle
	}
	return end
}

// keptUntil is until when a session is in the store.
func (p *Provider) keptUntil(s *session) time.Time {
	end := p.sessionEnd(s)
	if s.Held.After(end) {
		return s.Held
	}
	return end
}

// session is one of which something may come.
func (p *Provider) session(ctx context.Context, key string) (*session, error) {
	s, err := p.kept(ctx, key)
	if s == nil || err != nil || !p.now().Before(p.sessionEnd(s)) {
		return nil, err
	}
	return s, nil
}

// kept is a session that has not ended. It may have lapsed, while clients have something out of it: nothing comes of it any more but
// its end.
func (p *Provider) kept(ctx context.Context, key string) (*session, error) {
	text, err := p.state.store.Get(ctx, key)
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	s := &session{key: key, stored: text}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, err
	}
	if s.Moved || !p.now().Before(p.keptUntil(s)) {
		return nil, nil
	}
	if ended, err := p.state.marked(ctx, "ended", s.SID); ended || err != nil {
		return nil, err
	}
	return s, nil
}

// keep writes a session under a new cookie, in the place of the one it had: nobody who knew that one has the session that is
// more than it was (O8: fixation).
func (p *Provider) keep(ctx context.Context, w http.ResponseWriter, s *session) error {
	if err := p.move(ctx, s); err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	cookie, old, end := random(), s.key, p.keptUntil(s)
	s.key, s.stored = p.state.key("session", cookie), text
	if err := p.state.store.Put(ctx, s.key, text, end); err != nil {
		return err
	}
	// Who knows the claim sid (a client, by its tokens) finds the session by it, to end it: the cookie it never learns.
	if err := p.state.put(ctx, p.state.key("sid", s.SID), s.key, end); err != nil {
		return err
	}
	p.setSession(w, cookie)
	if old == "" {
		return nil
	}
	return p.state.store.Delete(ctx, old)
}

// move closes the place where a session was: whoever wrote a client into it before is in it, and nobody does after.
func (p *Provider) move(ctx context.Context, s *session) error {
	if s.key == "" {
		return nil
	}
	moved, err := json.Marshal(session{SID: s.SID, Moved: true})
	if err != nil {
		return err
	}
	for range tries {
		swapped, err := p.state.store.Swap(ctx, s.key, s.stored, moved, p.now().Add(time.Minute))
		if swapped || err != nil {
			return err
		}
		now, err := p.session(ctx, s.key)
		if err != nil {
			return err
		}
		if now == nil {
			return errSessionOver
		}
		s.Clients, s.Held, s.stored = now.Clients, now.Held, now.stored
	}
	return errBusy
}

// told remembers that a client has a grant out of the session, and until when at most; its person is there.
func (p *Provider) told(ctx context.Context, s *session, client string, until time.Time) error {
	return p.amend(ctx, s, client, func(s *session) {
		s.Seen = p.now()
		if until.After(s.Held) {
			s.Held = until
		}
	})
}

// holds remembers that a client has a grant out of the session, while nobody is there: an idle session grows no younger by it. The
// grant is no longer than the one on which it stands.
func (p *Provider) holds(ctx context.Context, s *session, client string) error {
	return p.amend(ctx, s, client, func(*session) {})
}

// amend writes a session. Another request may write it at the same time: nothing of either is lost, since a client that is forgotten
// is not told of a logout.
func (p *Provider) amend(ctx context.Context, s *session, client string, change func(*session)) error {
	for range tries {
		change(s)
		if client != "" && !slices.Contains(s.Clients, client) {
			s.Clients = append(s.Clients, client)
		}
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		end := p.keptUntil(s)
		switch swapped, err := p.state.store.Swap(ctx, s.key, s.stored, text, end); {
		case err != nil:
			return err
		case swapped:
			s.stored = text
			// Who ends the session says so before it reads whom to tell.
			if ended, err := p.state.marked(ctx, "ended", s.SID); err != nil {
				return err
			} else if ended {
				return errSessionOver
			}
			return p.state.put(ctx, p.state.key("sid", s.SID), s.key, end)
		}
		now, err := p.kept(ctx, s.key)
		if err != nil {
			return err
		}
		if now == nil {
			return errSessionOver
		}
		*s = *now
	}
	return errBusy
}

// tries bounds how often a session is written anew that others write too.
const tries = 32

var (
	errSessionOver = errors.New("oidc: the session has ended meanwhile")
	errBusy        = errors.New("oidc: a session or an attempt that is written by too many at once")
)

// end ends a session: nothing is found by its cookie, and what clients have out of it is good no longer, also what a request
// that has begun is about to give them. It gives the clients.
func (p *Provider) end(ctx context.Context, s *session) (clients []string, err error) {
	if err := p.state.mark(ctx, "ended", s.SID); err != nil {
		return nil, err
	}
	clients = s.Clients
	keys := []string{s.key}
	var moved string
	switch err := p.state.get(ctx, p.state.key("sid", s.SID), &moved); {
	case err == nil:
		keys = append(keys, moved)
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	for _, key := range keys {
		now := &session{}
		switch err := p.state.get(ctx, key, now); {
		case err == nil && !now.Moved:
			clients = now.Clients
		case err != nil && !errors.Is(err, ErrNotFound):
			return nil, err
		}
		if err := p.state.store.Delete(ctx, key); err != nil {
			return nil, err
		}
	}
	return clients, p.state.store.Delete(ctx, p.state.key("sid", s.SID))
}

// sessionBySID finds a session by the claim sid of a token of ours, also one that has lapsed.
func (p *Provider) sessionBySID(ctx context.Context, sid string) (*session, error) {
	var key string
	if err := p.state.get(ctx, p.state.key("sid", sid), &key); err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	return p.kept(ctx, key)
}

// origin of an address: scheme, host and port.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

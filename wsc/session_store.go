package wsc

import (
	"errors"
	"io/fs"
	"time"
)

// restore takes over the token in the store: judged like one that just came, but for
// what only the answer of the STS says.
func (s *Session) restore() error {
	if s.config.Store == nil {
		return nil
	}
	k, err := s.config.Store.load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	mode, err := ParseMode(k.Mode)
	if err != nil {
		s.tell(SessionEvent{Kind: NotRestored, Err: err})
		return nil
	}
	err = refuse(WrongHolder, "no credentials of mode "+k.Mode)
	for _, credentials := range s.config.Credentials {
		if credentials.mode != mode {
			continue
		}
		var token *Token
		if token, err = s.reopen(k, credentials); err != nil {
			continue
		}
		from := k.Obtained
		if now := s.now(); from.After(now) {
			from = now
		}
		h := &held{token: token, mode: mode, endpoint: k.Endpoint, renewAt: s.schedule(token, from)}
		s.held = h
		s.tell(SessionEvent{Kind: Restored, Endpoint: h.endpoint, Mode: mode, Until: token.notOnOrAfter, Next: h.renewAt})
		return nil
	}
	s.tell(SessionEvent{Kind: NotRestored, Mode: mode, Err: err})
	return nil
}

// reopen judges a token that was kept as an answer to what is asked now.
func (s *Session) reopen(k *kept, credentials *Credentials) (*Token, error) {
	c := s.config.Client
	q, err := c.designated(credentials, &s.config.Request)
	if err != nil {
		return nil, err
	}
	token, err := c.believe(k.Assertion, q)
	if err != nil {
		return nil, err
	}
	token.leftOut = k.LeftOut
	if err := q.answered(token); err != nil {
		return nil, err
	}
	return token, c.usable(token, s.now())
}

// keep puts a token into the store.
func (s *Session) keep(h *held, obtained time.Time) {
	if s.config.Store == nil {
		return
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	last := s.held == h
	s.mu.Unlock()
	if !last {
		return // a newer one came meanwhile
	}
	err := s.config.Store.save(&kept{Assertion: h.token.source, Mode: h.mode.String(), Endpoint: h.endpoint, Obtained: obtained, LeftOut: h.token.leftOut})
	if err != nil {
		s.tell(SessionEvent{Kind: NotStored, Err: err})
	}
}

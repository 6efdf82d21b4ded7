package wsc

import (
	"time"
)

// maxSleep bounds how long the schedule goes without a look at the clock, which may be
// set, and stands still in no machine that sleeps.
const maxSleep = time.Minute

// watch renews in the background until Close.
func (s *Session) watch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		timer.Reset(s.tick())
	}
}

// tick starts a renewal when it is time, and says when to look again.
func (s *Session) tick() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil || s.flight != nil || s.closed {
		return maxSleep // the end of the flight, or the first token, wakes
	}
	now := s.now()
	switch {
	case now.Before(s.held.renewAt):
		return min(s.held.renewAt.Sub(now), maxSleep)
	case !s.may(now):
		return min(s.retryAt.Sub(now), maxSleep)
	}
	s.begin()
	return maxSleep
}

// renew is one flight.
func (s *Session) renew(f *flight) {
	got, err := s.attempt()
	now := s.now()
	canceled := s.ctx.Err() != nil
	s.mu.Lock()
	switch {
	case err == nil:
		got.renewAt = s.schedule(got.token, now)
		s.held, s.failures, s.failure, s.failedAt, s.retryAt = got, 0, nil, time.Time{}, time.Time{}
		f.token = got.token
	case canceled:
		f.err = refuse(SessionClosed, "")
	default:
		s.failures++
		s.failure, s.failedAt, s.retryAt = err, now, now.Add(s.pause(now))
		f.err = err
	}
	retryAt := s.retryAt
	s.flight = nil
	s.mu.Unlock()
	close(f.done)
	switch {
	case err == nil:
		s.tell(SessionEvent{Kind: Renewed, Endpoint: got.endpoint, Mode: got.mode, Until: got.token.notOnOrAfter, Next: got.renewAt})
		s.keep(got, now)
	case !canceled:
		s.tell(SessionEvent{Kind: RenewalFailed, Next: retryAt, Err: err})
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// schedule says when to renew a token that was had at a moment: not within the lifetime
// of a message, whatever its window, so that an STS whose tokens last for a second is not
// asked each second for nobody. Who needs one gets one.
func (s *Session) schedule(t *Token, from time.Time) time.Time {
	left := t.notOnOrAfter.Sub(from)
	before := time.Duration(float64(left) * (0.45 + 0.1*s.random()))
	if s.config.Renewal == OnExpiry {
		before = min(s.config.Margin, left/4)
		before += time.Duration(float64(before) / 4 * s.random())
	}
	at := t.notOnOrAfter.Add(-before)
	if least := from.Add(s.config.Client.config.MessageLifetime); at.Before(least) {
		return least
	}
	return at
}

// pause is how long nothing is sent after a failure: it doubles, from half to the whole
// of it at random, so that the sessions of a hospital do not come back all at once. While
// a token is valid nobody waits, and the pauses grow to an eighth of what is left: there
// is always an attempt left before the end. s.mu is held.
func (s *Session) pause(now time.Time) time.Duration {
	most := s.config.RetryMost
	if s.held != nil {
		most = max(most, s.held.token.notOnOrAfter.Sub(now)/8)
	}
	pause := s.config.RetryFirst << min(s.failures-1, 30)
	if pause <= 0 || pause > most {
		pause = most
	}
	return time.Duration(float64(pause) * (0.5 + 0.5*s.random()))
}

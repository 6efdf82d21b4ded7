package wsc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sceau/soap"
)

// attempt asks for a token with the first credentials that sign, at the endpoints in
// turn.
func (s *Session) attempt() (*held, error) {
	var failed attempts
	for i, credentials := range s.config.Credentials {
		if i > 0 && !s.urgent() {
			break // a token of a lesser mode does not replace one that is valid
		}
		got, err := s.ask(credentials)
		if err == nil {
			if i > 0 {
				s.tell(SessionEvent{Kind: FellBack, Endpoint: got.endpoint, Mode: got.mode, Err: failed.err()})
			}
			return got, nil
		}
		failed = failed.with(err)
		if reason := ReasonOf(err); reason != BadCredentials && reason != KeyUnavailable {
			break
		}
	}
	return nil, failed.err()
}

// urgent reports that no token is held that lasts.
func (s *Session) urgent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ample := s.standing(s.now())
	return !ample
}

// ask asks the endpoints in turn. The next one is asked when the one before did not
// answer as an STS, said one of the four codes on which the platform's connectors
// switch (wire document 4.3), or gave what does not verify. Each message is a new one.
func (s *Session) ask(credentials *Credentials) (*held, error) {
	var failed attempts
	for _, i := range s.order() {
		endpoint := s.config.Endpoints[i]
		token, err := s.config.Client.Token(s.ctx, endpoint, credentials, &s.config.Request)
		if err == nil && !s.fresh(token, s.now()) {
			// Within the skew of clocks it is good for others; we could sign nothing with it.
			err = refuse(NotValidNow, "a new token that has ended by our clock")
		}
		if err == nil {
			s.mark(i, true)
			return &held{token: token, mode: credentials.mode, endpoint: endpoint}, nil
		}
		if s.ctx.Err() != nil || ReasonOf(err).Ours() {
			return nil, err
		}
		if ofTime(err) {
			err = s.checkClock(endpoint, err)
		}
		if len(s.config.Endpoints) > 1 {
			err = &endpointError{endpoint, err}
			s.tell(SessionEvent{Kind: EndpointFailed, Endpoint: endpoint, Mode: credentials.mode, Err: err})
		}
		failed = append(failed, err)
		if !elsewhere(err) {
			break
		}
		s.mark(i, false)
	}
	return nil, failed.err()
}

// elsewhere reports whether another endpoint may do better.
func elsewhere(err error) bool {
	var fault *Fault
	if errors.As(err, &fault) {
		return fault.ElsewhereMaySucceed()
	}
	var status *StatusError
	if errors.As(err, &status) {
		return false
	}
	reason := ReasonOf(err)
	return reason.Transport() || reason.Refused()
}

// ofTime reports whether a wrong clock may be why an STS refused, or was refused. A stale
// message is SOA-01001 to the platform, REQ-05 or REQ-09 to a Sceau STS.
func ofTime(err error) bool {
	var fault *Fault
	if errors.As(err, &fault) {
		return fault.SOACode == soap.SOANotAuthenticated.Code || fault.Code.Local == soap.FaultMessageExpired.Local
	}
	var status *StatusError
	if errors.As(err, &status) {
		return strings.HasPrefix(status.Message, "REQ-05") || strings.HasPrefix(status.Message, "REQ-09")
	}
	return ReasonOf(err) == NotValidNow
}

// checkClock asks an STS for the time after it refused, and names the clocks where they
// are apart. What its Date says is vouched for by TLS alone, so that it explains a
// refusal and never makes one.
func (s *Session) checkClock(endpoint string, refusal error) error {
	clock, err := s.config.Client.CheckClock(s.ctx, endpoint)
	if err != nil || clock.Within(s.config.ClockLimit) {
		return refusal
	}
	where := "ahead of"
	if clock.Offset < 0 {
		where = "behind"
	}
	return &Error{Reason: ClockOff, Err: refusal,
		Detail: fmt.Sprintf("the server's clock is %s %s ours, give or take %s", clock.Offset.Abs().Round(time.Second), where, clock.Uncertainty.Round(100*time.Millisecond))}
}

// order gives the endpoints in the order of the configuration, those at rest last, the
// longest at rest first.
func (s *Session) order() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	all := make([]int, len(s.rests))
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(a, b int) int { return rest(s.rests[a], now).Compare(rest(s.rests[b], now)) })
	return all
}

// rest is the zero time for an endpoint that is not at rest.
func rest(until, now time.Time) time.Time {
	if until.After(now) {
		return until
	}
	return time.Time{}
}

// mark sets an endpoint to rest, or ends its rest.
func (s *Session) mark(i int, good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rests[i] = time.Time{}
	if !good {
		s.rests[i] = s.now().Add(s.config.EndpointRest)
	}
}

// attempts are the errors of one renewal, one for each endpoint or key that was tried.
type attempts []error

// with adds an error, or those of several attempts.
func (a attempts) with(err error) attempts {
	if several, ok := err.(attempts); ok {
		return append(a, several...)
	}
	return append(a, err)
}

func (a attempts) err() error {
	switch len(a) {
	case 0:
		return nil
	case 1:
		return a[0]
	}
	return a
}

func (a attempts) Error() string {
	texts := make([]string, len(a))
	for i, err := range a {
		texts[i] = strings.TrimPrefix(err.Error(), "wsc: ")
	}
	return "wsc: no token: " + strings.Join(texts, "; ")
}

// Unwrap gives the errors, in the order of the attempts.
func (a attempts) Unwrap() []error { return a }

// An endpointError says at which of several endpoints something went wrong.
type endpointError struct {
	endpoint string
	err      error
}

func (e *endpointError) Error() string {
	return "wsc: " + e.endpoint + ": " + strings.TrimPrefix(e.err.Error(), "wsc: ")
}

func (e *endpointError) Unwrap() error { return e.err }

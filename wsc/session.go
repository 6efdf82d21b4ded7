package wsc

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Renewal says when a Session asks for its next token.
type Renewal uint8

// The strategies (wire document 8).
const (
	SlidingWindow Renewal = iota // when half of the validity is left
	OnExpiry                     // shortly before the end, SessionConfig.Margin
)

var renewals = [...]string{SlidingWindow: "sliding-window", OnExpiry: "on-expiry"}

func (r Renewal) String() string {
	if int(r) < len(renewals) {
		return renewals[r]
	}
	return "no renewal"
}

// ParseRenewal reads the name of a strategy, as String writes it.
func ParseRenewal(name string) (Renewal, error) {
	if i := slices.Index(renewals[:], name); i >= 0 {
		return Renewal(i), nil
	}
	return 0, refuse(BadConfig, "no renewal \""+Printable([]byte(name))+"\": sliding-window or on-expiry")
}

// SessionConfig says how a Session works. Client, Endpoints and Credentials must be
// given, and a Request that asks something.
type SessionConfig struct {
	Client *Client // with Trust
	// Endpoints are addresses of one STS, the best first.
	Endpoints []string
	// Credentials are what is asked with, the best first: an eID, and an eHealth
	// certificate to fall back on. Those after the first are used only when the ones
	// before cannot sign (the card is away, a certificate has ended), and only once no
	// valid token is left.
	Credentials []*Credentials
	// Request is what is asked, each time.
	Request Request

	Renewal Renewal
	// Margin is how long before its end a token is renewed OnExpiry, up to a quarter of
	// it earlier; zero is three minutes. No more than a quarter of the validity.
	Margin time.Duration
	// Lazy renews only when a token is asked for. Otherwise a token that was had once is
	// renewed in the background until Close, used or not.
	Lazy bool
	// After a failure nothing is sent for RetryFirst, doubled with each further one up to
	// RetryMost, or more while a token is valid; zero is one second and one minute.
	RetryFirst, RetryMost time.Duration
	// EndpointRest is how long an endpoint that failed is asked after the others; zero
	// is five minutes.
	EndpointRest time.Duration
	// ClockLimit is how far the clock of an STS that refused may be from ours before that
	// is taken for the cause; zero is thirty seconds.
	ClockLimit time.Duration

	// Store keeps the token for the next Session; nil keeps it in memory alone.
	Store *Store
	// Notify is told what happens, one event at a time. It must not wait for the Session.
	Notify func(SessionEvent)
}

// A Session holds keys and an assertion, and renews it in time. NewSession makes it; it
// is safe for concurrent use. As long as the assertion that it holds is valid, no
// failure of an STS is seen by a caller.
type Session struct {
	config SessionConfig
	now    func() time.Time
	random func() float64 // in [0, 1), for jitter

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup
	wake chan struct{} // capacity 1: the schedule changed

	mu       sync.Mutex
	held     *held
	flight   *flight // the one renewal under way
	failures int     // since the last success
	failure  error   // the last of them
	failedAt time.Time
	retryAt  time.Time
	rests    []time.Time // for each endpoint: until then it comes after the others
	closed   bool

	notify sync.Mutex // one event at a time
	saving sync.Mutex // one writing of the store at a time
}

// held is a token with its place in the schedule. Immutable.
type held struct {
	token    *Token
	mode     Mode
	endpoint string
	renewAt  time.Time
}

// A flight is a renewal that all who need a token wait for.
type flight struct {
	done  chan struct{}
	token *Token // valid after done
	err   error
}

// NewSession makes a Session, or reports everything that is wrong with the
// configuration. It sends nothing. A token in the Store is taken over when it still
// verifies, fits the credentials and answers the request; a store that cannot be opened is
// an error, and is not written over.
func NewSession(config SessionConfig) (*Session, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	s := &Session{config: config, now: config.Client.config.Now, random: rand.Float64, wake: make(chan struct{}, 1), rests: make([]time.Time, len(config.Endpoints))}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.restore(); err != nil {
		s.stop()
		return nil, err
	}
	if !config.Lazy {
		s.work.Go(s.watch)
	}
	return s, nil
}

// complete checks a configuration and fills what zero stands for.
func (c *SessionConfig) complete() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, refuse(BadConfig, what))
		}
	}
	need(c.Client != nil, "session without Client")
	need(len(c.Endpoints) > 0, "session without Endpoints")
	need(len(c.Credentials) > 0 && !slices.Contains(c.Credentials, nil), "session without Credentials")
	need(int(c.Renewal) < len(renewals), "no such Renewal")
	for _, d := range []struct {
		value *time.Duration
		zero  time.Duration
	}{
		{&c.Margin, 3 * time.Minute}, {&c.RetryFirst, time.Second}, {&c.RetryMost, time.Minute},
		{&c.EndpointRest, 5 * time.Minute}, {&c.ClockLimit, 30 * time.Second},
	} {
		need(*d.value >= 0, "negative duration")
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	need(c.RetryFirst <= c.RetryMost, "RetryFirst beyond RetryMost")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if c.Client.config.Trust == nil {
		return refuse(NoTrust, "")
	}
	c.Endpoints, c.Credentials = slices.Clone(c.Endpoints), slices.Clone(c.Credentials)
	c.Request.Attributes, c.Request.Identification = slices.Clone(c.Request.Attributes), slices.Clone(c.Request.Identification)
	for _, endpoint := range c.Endpoints {
		if _, err := c.Client.endpoint(endpoint); err != nil {
			return err
		}
	}
	if c.Request.Validity < 0 {
		return refuse(BadRequest, "negative validity")
	}
	for _, credentials := range c.Credentials {
		if _, err := c.Client.designated(credentials, &c.Request); err != nil {
			return err
		}
	}
	return nil
}

// Token returns a token that is valid now. One that is held is returned at once, and
// renewed meanwhile when it is time. Otherwise the STS is asked, once for all who wait;
// after a failure the error is returned again, without a message, until it is time for
// the next attempt.
func (s *Session) Token(ctx context.Context) (*Token, error) { return s.token(ctx, false) }

// Renew asks the STS now, whether or not it is time, and returns the new token.
func (s *Session) Renew(ctx context.Context) (*Token, error) { return s.token(ctx, true) }

func (s *Session) token(ctx context.Context, force bool) (*Token, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, refuse(SessionClosed, "")
	}
	now := s.now()
	valid, ample := s.standing(now)
	if !force {
		held := s.held
		switch may := s.flight != nil || s.may(now); {
		case ample || valid && !may:
			if may && !now.Before(held.renewAt) {
				s.begin()
			}
			s.mu.Unlock()
			return held.token, nil
		case !may:
			err := s.failure
			s.mu.Unlock()
			return nil, err
		}
	}
	f := s.begin()
	// A token that is about to end is still better than waiting for its end.
	var patience <-chan time.Time
	if valid && !force {
		timer := time.NewTimer(min(s.held.token.notOnOrAfter.Sub(now)/2, maxPatience))
		defer timer.Stop()
		patience = timer.C
	}
	s.mu.Unlock()
	var err error
	select {
	case <-f.done:
		if f.err == nil {
			return f.token, nil
		}
		err = f.err
	case <-patience:
		err = refuse(TimedOut, "the STS")
	case <-ctx.Done():
		err = refuseFor(Canceled, ctx.Err())
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = refuseFor(TimedOut, ctx.Err())
		}
	}
	if !force {
		s.mu.Lock()
		defer s.mu.Unlock()
		if valid, _ := s.standing(s.now()); valid && !s.closed {
			return s.held.token, nil
		}
	}
	return nil, err
}

// maxPatience is how long a caller waits for the next token while one is valid.
const maxPatience = 5 * time.Second

// standing says how the held token stands: valid, and valid long enough that a message
// with it is still good when it arrives. s.mu is held.
func (s *Session) standing(now time.Time) (valid, ample bool) {
	if s.held == nil || !s.fresh(s.held.token, now) {
		return false, false
	}
	t := s.held.token
	reserve := min(s.config.Client.config.MessageLifetime, t.notOnOrAfter.Sub(t.notBefore)/10)
	return true, t.notOnOrAfter.Sub(now) > reserve
}

// may reports whether it is time for an attempt: the pause after a failure is over, or
// our clock was set back meanwhile. s.mu is held.
func (s *Session) may(now time.Time) bool {
	return !now.Before(s.retryAt) || now.Before(s.failedAt)
}

// fresh reports whether a message can be made with a token now.
func (s *Session) fresh(t *Token, now time.Time) bool { return s.config.Client.usable(t, now) == nil }

// begin joins the renewal under way, or starts one. s.mu is held.
func (s *Session) begin() *flight {
	if s.flight == nil {
		f := &flight{done: make(chan struct{})}
		s.flight = f
		s.work.Go(func() { s.renew(f) })
	}
	return s.flight
}

// Close ends what is under way and waits for it. The token stays valid, and in the
// Store.
func (s *Session) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
}

// A SessionState is how a Session stands, for whoever watches over it.
type SessionState struct {
	Token    *Token // nil: none, or none that is valid
	Mode     Mode   // with which it was asked
	Endpoint string // by which it was issued
	RenewAt  time.Time
	Failures int   // since the last success
	Err      error // the last of them
	RetryAt  time.Time
}

// State tells how the Session stands.
func (s *Session) State() SessionState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := SessionState{Failures: s.failures, Err: s.failure, RetryAt: s.retryAt}
	if valid, _ := s.standing(s.now()); valid {
		state.Token, state.Mode, state.Endpoint, state.RenewAt = s.held.token, s.held.mode, s.held.endpoint, s.held.renewAt
	}
	return state
}

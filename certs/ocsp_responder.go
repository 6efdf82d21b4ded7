package certs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// ocspResponder is one responder of one authority, and what came of asking it.
type ocspResponder struct {
	address string

	mu          sync.Mutex
	failures    int       // in a row, of reaching it; each with a longer pause
	until       time.Time // it is left in peace until then, by the keeper's pace
	probing     bool      // one question tries whether it is back
	fetches     uint64
	failed      uint64 // of those: not reached, or refused
	streak      int    // failures of both sorts in a row
	lastTry     time.Time
	lastSuccess time.Time
	lastError   error
}

// The shortest and the longest pauses after a failure: of a responder, which one
// question tries again, and of one certificate, of which there are thousands.
const (
	minOCSPBackOff         = 5 * time.Second
	maxResponderBackOff    = time.Minute
	maxOCSPQuestionBackOff = 10 * time.Minute
)

// ocspBackOff is the pause after so many failures in a row, with jitter.
func ocspBackOff(failures int, longest time.Duration) time.Duration {
	wait := min(longest, minOCSPBackOff<<min(failures-1, 16))
	return wait/2 + rand.N(wait/2+1)
}

// open tells whether the responder may be asked now. After a pause one question
// at a time tries it: a dead responder is not hammered, by however many requests.
func (r *ocspResponder) open(pace time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures > 0 {
		if r.probing || pace.Before(r.until) {
			return false
		}
		r.probing = true
	}
	return true
}

// pause is how long the responder is left in peace from now on.
func (r *ocspResponder) pause(pace time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures == 0 {
		return 0
	}
	return max(r.until.Sub(pace), 0)
}

// tried records the end of a question. It gives how many have failed in a row.
func (r *ocspResponder) tried(pace, at time.Time, err error) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	probe := r.probing
	r.probing = false
	r.fetches++
	r.lastTry, r.lastError = at, err
	if err == nil {
		r.failures, r.streak, r.lastSuccess = 0, 0, at
		return 0
	}
	r.failed++
	r.streak++
	switch ReasonOf(err) {
	case Unavailable, TooLarge:
		if probe || r.failures == 0 { // of several questions that were under way, the first tells all
			r.failures++
			r.until = pace.Add(ocspBackOff(r.failures, maxResponderBackOff))
		}
	default: // it is there; what it says about this certificate is no use
		r.failures = 0
	}
	return r.streak
}

// abandoned ends a question whose outcome says nothing.
func (r *ocspResponder) abandoned() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probing = false
}

// newOCSPClient makes the client for responders. It follows no redirect: only an
// address that the configuration lists is ever contacted (K3, T3).
func newOCSPClient(c *OCSPConfig) *http.Client {
	transport := c.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: c.Timeout}).DialContext,
			TLSHandshakeTimeout:    c.Timeout,
			ResponseHeaderTimeout:  c.Timeout,
			MaxResponseHeaderBytes: 16 << 10,
			IdleConnTimeout:        30 * time.Second,
			MaxIdleConnsPerHost:    int(c.Concurrency),
			DisableCompression:     true, // no bomb to inflate (Z6)
		}
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       c.Timeout, // the body too: who trickles is cut off (Z7)
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post asks one responder (RFC 6960 appendix A.1). It is always a POST: a GET
// would let caches between answer, and would write the serial number into their logs.
func (k *ocspKeeper) post(ctx context.Context, address string, question []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(question))
	if err != nil {
		return nil, refuse(Malformed, err)
	}
	request.Header.Set("Content-Type", "application/ocsp-request")
	request.Header.Set("Accept", "application/ocsp-response")
	request.Header.Set("User-Agent", "sceau")
	response, err := k.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, refuse(Unavailable, err)
	}
	defer response.Body.Close()
	limit := k.config.MaxBytes
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, refuse(Unavailable, fmt.Errorf("OCSP: HTTP status %d", response.StatusCode))
	case response.ContentLength > limit:
		return nil, refuse(TooLarge, fmt.Errorf("OCSP: answer of %d octets", response.ContentLength))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	if int64(len(body)) > limit {
		return nil, refuse(TooLarge, errors.New("OCSP answer"))
	}
	return body, nil
}

// errResting tells that nobody was asked.
var errResting = errors.New("OCSP: every responder is left in peace after a failure")

// ask asks the responders about a certificate, in their order, until one gives an
// answer that is proven.
func (k *ocspKeeper) ask(ctx context.Context, e *ocspEntry) (*ocspAnswer, error) {
	err := refuse(Unavailable, errResting)
	for _, r := range k.responders {
		if !r.open(k.pace()) {
			continue
		}
		var answer *ocspAnswer
		answer, err = k.askOne(ctx, r, e)
		if ctx.Err() != nil {
			r.abandoned()
			return nil, err
		}
		if streak := r.tried(k.pace(), k.now(), err); err == nil {
			return answer, nil
		} else if streak&(streak-1) == 0 { // the 1st, 2nd, 4th, 8th, … in a row
			k.log.Warn("OCSP responder gave no answer", slog.String("authority", k.policy.authority.certificate.subject.text),
				slog.String("responder", r.address), slog.Any("error", err), slog.Int("failures", streak))
		}
	}
	return nil, err
}

// askOne asks one responder.
func (k *ocspKeeper) askOne(ctx context.Context, r *ocspResponder, e *ocspEntry) (*ocspAnswer, error) {
	question := newQuestion(k.policy.issuer, e.serial, k.policy.Nonce)
	der, err := question.marshal()
	if err != nil {
		return nil, errOCSP("question")
	}
	body, err := k.post(ctx, r.address, der)
	if err != nil {
		return nil, err
	}
	answer, err := k.policy.verify(body, &question, k.now())
	if err != nil {
		return nil, err
	}
	if old := e.answer.Load(); old != nil && answer.thisUpdate.Before(old.thisUpdate) { // another responder may have a newer one
		return nil, refuse(RolledBack, errors.New("OCSP: thisUpdate is earlier than before"))
	}
	return answer, nil
}

package certs_test

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// since gives a clock that begins at testpki.Now and goes with the test's bubble.
func since() func() time.Time {
	began := time.Now()
	return func() time.Time { return testpki.Now().Add(time.Since(began)) }
}

// inquiry is a question as a responder reads it, by x/crypto/ocsp.
type inquiry struct {
	*ocsp.Request
	nonce []byte
}

func readInquiry(tb testing.TB, r *http.Request) inquiry {
	tb.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Error(err)
	}
	parsed, err := ocsp.ParseRequest(body)
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/ocsp-request" {
		tb.Errorf("%s of %s: %v", r.Method, r.Header.Get("Content-Type"), err)
		return inquiry{Request: &ocsp.Request{}}
	}
	q := inquiry{Request: parsed}
	if _, after, has := bytes.Cut(body, []byte("\x2b\x06\x01\x05\x05\x07\x30\x01\x02\x04\x22\x04\x20")); has {
		q.nonce = bytes.Clone(after)
	}
	return q
}

// responder stands in for all of the network.
type responder struct {
	tb     testing.TB
	answer atomic.Pointer[func(inquiry) ([]byte, error)]
	asked  atomic.Int64
}

func newResponder(tb testing.TB, answer func(inquiry) ([]byte, error)) *responder {
	r := &responder{tb: tb}
	r.say(answer)
	return r
}

func (r *responder) say(answer func(inquiry) ([]byte, error)) { r.answer.Store(&answer) }

func (r *responder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.asked.Add(1)
	content, err := (*r.answer.Load())(readInquiry(r.tb, request))
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(content)), Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(content))}, nil
}

// statement is a fresh answer of an authority about the certificate in question.
func statement(q inquiry, at time.Time, status int) minipki.OCSP {
	return minipki.OCSP{
		ProducedAt: at,
		Singles:    []minipki.OCSPSingle{{Serial: q.SerialNumber, Status: status, ThisUpdate: at.Add(-time.Minute), NextUpdate: at.Add(time.Hour)}},
		Nonce:      q.nonce,
	}
}

// asking gives a configuration in which eID certificates are trusted directly
// under one authority that has one responder.
func asking(ca *minipki.Authority, policy certs.Revocation, now func() time.Time, transport http.RoundTripper, o certs.OCSP) certs.Config {
	if o.Responders == nil {
		o.Responders = []string{"http://ocsp.example/2"}
	}
	c := anchored(ca, policy)
	c.Profiles[0].Roots[0].OCSP = &o
	c.OCSP.Transport, c.Now = transport, now
	return c
}

// asks identifies a certificate at a moment and gives the reason of the refusal, zero for none.
func asks(tb testing.TB, v *certs.Verifier, der []byte, at time.Time) (certs.Identity, certs.Reason) {
	tb.Helper()
	leaf, err := v.Parse(der)
	if err != nil {
		tb.Fatal(err)
	}
	id, err := v.Identify(certs.RoleIdentity, leaf, nil, at)
	if (err == nil) == (id == certs.Identity{}) || err != nil && certs.ReasonOf(err) == 0 {
		tb.Errorf("identity %v with error %v", id.Kind(), err)
	}
	return id, certs.ReasonOf(err)
}

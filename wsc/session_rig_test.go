package wsc_test

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/wsc"
)

// A rig is a Session with its STS at two addresses, without network, in a bubble of
// testing/synctest: its clock stands still while anybody works.
type rig struct {
	t       *testing.T
	began   time.Time
	trust   *certs.Verifier
	client  *wsc.Client
	sts     *fakeSTS
	session *wsc.Session

	mu       sync.Mutex
	faults   map[string]fault // by host; nil: in order
	asked    []string         // hosts, in order
	offset   time.Duration    // of the clock that Date shows
	events   []wsc.SessionEvent
	clockOff time.Duration // of our own clock
}

// A fault is what an STS does in place of an answer; nil is in order.
type fault func(r *rig, message []byte) (*http.Response, error)

const (
	urlA = "https://a.example/sts"
	urlB = "https://b.example/sts"
)

// newRig makes everything but the session. Called inside the bubble.
func newRig(t *testing.T, trust *certs.Verifier) *rig {
	r := &rig{t: t, began: time.Now(), trust: trust, faults: map[string]fault{}}
	r.sts = &fakeSTS{t: t, verifier: trust, replay: soap.NewMemoryReplay(100000), code: 200, now: r.truth}
	r.sts.sign(&testpki.Load().STSP256)
	var err error
	r.client, err = wsc.NewClient(wsc.Config{Trust: trust, Now: r.now, Transport: r})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// truth is the time; now is what our own clock says.
func (r *rig) truth() time.Time { return testpki.Now().Add(time.Since(r.began)) }

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.truth().Add(r.clockOff)
}

// RoundTrip implements http.RoundTripper: it is network and STS.
func (r *rig) RoundTrip(request *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {"text/xml; charset=utf-8"}}
	r.mu.Lock()
	broken, offset := r.faults[request.URL.Host], r.offset
	header.Set("Date", r.truth().Add(offset).UTC().Format(http.TimeFormat))
	if request.Method == http.MethodOptions {
		r.mu.Unlock()
		return &http.Response{StatusCode: 200, Header: header, Body: http.NoBody, Request: request}, nil
	}
	r.asked = append(r.asked, request.URL.Host)
	r.mu.Unlock()
	message, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	if broken != nil {
		response, err := broken(r, message)
		if response != nil {
			if response.Header == nil {
				response.Header = header
			}
			response.Request = request
		}
		if err == errHangs {
			<-request.Context().Done()
			err = request.Context().Err()
		}
		return response, err
	}
	return r.issued(message, request, header)
}

func (r *rig) issued(message []byte, request *http.Request, header http.Header) (*http.Response, error) {
	r.sts.mu.Lock()
	defer r.sts.mu.Unlock()
	answer, err := r.sts.answer(message)
	status := 200
	if err != nil {
		// Stale, because our clock is off; or the request is not as the wire says.
		if soap.FaultOf(err).SOA != soap.SOANotAuthenticated {
			r.t.Errorf("the STS of the test refuses the request: %v", err)
		}
		status, answer = 500, soap.AppendFault(nil, soap.FaultOf(err))
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(answer)), Request: request}, nil
}

func (r *rig) breakdown(f fault, hosts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(hosts) == 0 {
		hosts = []string{"a.example", "b.example"}
	}
	for _, host := range hosts {
		r.faults[host] = f
	}
}

// hosts returns who was asked since the last call.
func (r *rig) hosts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func (r *rig) kinds() []wsc.EventKind {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []wsc.EventKind
	for _, e := range r.events {
		all = append(all, e.Kind)
	}
	return all
}

func (r *rig) happened(kind wsc.EventKind) bool { return slices.Contains(r.kinds(), kind) }

// open makes the session; it is closed at the end of the test, inside the bubble.
func (r *rig) open(change func(*wsc.SessionConfig)) {
	r.t.Helper()
	config := wsc.SessionConfig{
		Client: r.client, Endpoints: []string{urlA, urlB}, Credentials: []*wsc.Credentials{fast(r.t)}, Request: *doctorRequest(),
		Notify: func(e wsc.SessionEvent) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
	}
	config.Request.Validity = 12 * time.Hour
	if change != nil {
		change(&config)
	}
	var err error
	if r.session, err = wsc.NewSession(config); err != nil {
		r.t.Fatal(err)
	}
}

// token asks the session, and judges what it says: a token that is valid, or an error
// that says what is wrong; never both, and no error while a token is valid.
func (r *rig) token() (*wsc.Token, error) {
	r.t.Helper()
	before := r.session.State().Token
	token, err := r.session.Token(r.t.Context())
	now := r.now()
	switch {
	case (token == nil) == (err == nil):
		r.t.Fatalf("token %v, error %v", token, err)
	case token != nil && !now.Before(token.NotOnOrAfter()):
		r.t.Fatalf("a token that ended at %v, at %v", token.NotOnOrAfter(), now)
	case token != nil && token.SignedBy().Kind() != certs.Service:
		r.t.Fatal("a token that nobody verified")
	case err != nil && before != nil && before.Valid(now):
		r.t.Fatalf("an error while a token is valid: %v", err)
	case err != nil && !telling(err):
		r.t.Fatalf("an error that says nothing: %v", err)
	}
	return token, err
}

// telling reports whether an error is one of those that are documented.
func telling(err error) bool {
	var fault *wsc.Fault
	var status *wsc.StatusError
	return wsc.ReasonOf(err) != 0 || errors.As(err, &fault) || errors.As(err, &status)
}

// fast are credentials with keys that sign quickly.
func fast(t testing.TB) *wsc.Credentials {
	pki := testpki.Load()
	return credentialsOf(t, wsc.ModeSession, &pki.AliceEIDP256, &pki.AliceEHealthP256)
}

// A card is a key that can be away.
type card struct {
	crypto.Signer
	away atomic.Bool
}

func (c *card) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if c.away.Load() {
		return nil, errAway
	}
	return c.Signer.Sign(random, digest, opts)
}

var (
	errAway  = errors.New("the card is away")
	errHangs = errors.New("hangs")
)

// The faults.
var (
	unreachable fault = func(*rig, []byte) (*http.Response, error) { return nil, errors.New("connection refused") }
	hanging     fault = func(*rig, []byte) (*http.Response, error) { return nil, errHangs }
	errorPage   fault = func(*rig, []byte) (*http.Response, error) {
		return &http.Response{StatusCode: 502, Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(bytes.NewReader([]byte("<html>")))}, nil
	}
	redirect fault = func(*rig, []byte) (*http.Response, error) {
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://elsewhere.example"}}, Body: http.NoBody}, nil
	}
	garbage fault = func(*rig, []byte) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader([]byte("<a><b>")))}, nil
	}
	cutOff fault = func(r *rig, message []byte) (*http.Response, error) {
		response, err := r.issued(message, nil, nil)
		response.Body = io.NopCloser(io.MultiReader(io.LimitReader(response.Body, 400), brokenPipe{}))
		return response, err
	}
)

type brokenPipe struct{}

func (brokenPipe) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// saying answers with a SOAP fault of the platform.
func saying(code soap.SOACode) fault {
	return func(*rig, []byte) (*http.Response, error) {
		return &http.Response{StatusCode: 500, Body: io.NopCloser(bytes.NewReader(soap.AppendFault(nil, soap.Fault{Code: soap.FaultServer, SOA: code, ID: "7"})))}, nil
	}
}

// issuing changes the assertion before it is signed.
func issuing(change func(*saml.Issue)) fault {
	return func(r *rig, message []byte) (*http.Response, error) {
		r.sts.mu.Lock()
		r.sts.issue = change
		r.sts.mu.Unlock()
		response, err := r.issued(message, nil, nil)
		r.sts.mu.Lock()
		r.sts.issue = nil
		r.sts.mu.Unlock()
		return response, err
	}
}

// refusing answers with a status.
func refusing(code, message string) fault {
	return func(r *rig, request []byte) (*http.Response, error) {
		r.sts.mu.Lock()
		r.sts.status = func(s *saml.Status) { s.Code, s.Message = code, message }
		r.sts.mangle = func([]byte) []byte { return nil }
		r.sts.mu.Unlock()
		response, err := r.issued(request, nil, nil)
		r.sts.mu.Lock()
		r.sts.status, r.sts.mangle = nil, nil
		r.sts.mu.Unlock()
		return response, err
	}
}

// signing lets another leaf sign the assertion.
func signing(leaf *testpki.Leaf) fault {
	return func(r *rig, message []byte) (*http.Response, error) {
		r.sts.mu.Lock()
		r.sts.sign(leaf)
		r.sts.mu.Unlock()
		response, err := r.issued(message, nil, nil)
		r.sts.mu.Lock()
		r.sts.sign(&testpki.Load().STSP256)
		r.sts.mu.Unlock()
		return response, err
	}
}

// sharedTrust is made outside of any bubble.
func sharedTrust(t *testing.T) *certs.Verifier { return certstest.Verifier(t) }

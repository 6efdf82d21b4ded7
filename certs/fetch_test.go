package certs_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sceau/certs"
	"sceau/internal/testpki"
)

// TestFetchAsksForChanges: what has not changed is not sent again, and is no failure.
func TestFetchAsksForChanges(t *testing.T) {
	pki := testpki.Load()
	crl := sign(t, pki.CitizenCA, list())
	var asked atomic.Int64
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		recorder.Header().Set("ETag", `"5"`)
		recorder.Header().Set("Last-Modified", "Sat, 21 Nov 2026 19:00:00 GMT")
		if r.Header.Get("If-None-Match") == `"5"` && r.Header.Get("If-Modified-Since") != "" {
			asked.Add(1)
			recorder.WriteHeader(http.StatusNotModified)
		} else {
			recorder.Write(crl)
		}
		return recorder.Result(), nil
	})
	synctest.Test(t, func(t *testing.T) {
		c := anchored(pki.CitizenCA, certs.Revocation{}, "http://ca.example/ca.crl")
		c.CRL.Transport = transport
		v, err := certs.NewVerifier(c)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		s := v.Status(testpki.Now())
		if n := asked.Load(); n < 2 || n > 6 || s.Authorities[0].LastError() != nil || !s.Ready() || s.Authorities[0].LastTry().IsZero() {
			t.Errorf("%d conditional requests, %+v", n, s.Authorities[0])
		}
	})
}

// TestFetchBacksOff: a server that fails is asked more and more seldom, and again at last.
func TestFetchBacksOff(t *testing.T) {
	pki := testpki.Load()
	crl := sign(t, pki.CitizenCA, list())
	var tries atomic.Int64
	var healthy atomic.Bool
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		tries.Add(1)
		if !healthy.Load() {
			return nil, errors.New("connection refused")
		}
		recorder := httptest.NewRecorder()
		recorder.Write(crl)
		return recorder.Result(), nil
	})
	synctest.Test(t, func(t *testing.T) {
		c := anchored(pki.CitizenCA, certs.Revocation{}, "http://ca.example/ca.crl")
		c.CRL.Transport = transport
		v, err := certs.NewVerifier(c)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		time.Sleep(24 * time.Hour)
		if n := tries.Load(); n < 20 || n > 80 {
			t.Errorf("%d tries in a day of failure", n)
		}
		if s := v.Status(testpki.Now()); s.Ready() || s.Authorities[0].LastError() == nil || s.Authorities[0].State != certs.CRLMissing {
			t.Errorf("%+v", s.Authorities[0])
		}
		healthy.Store(true)
		time.Sleep(2 * time.Hour)
		if s := v.Status(testpki.Now()); !s.Ready() || s.Authorities[0].LastError() != nil {
			t.Errorf("%+v", s.Authorities[0])
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestFilesAreWatched: a CRL that appears in a directory counts without a reload;
// a broken one beside it, or in its place, takes nothing away.
func TestFilesAreWatched(t *testing.T) {
	pki := testpki.Load()
	dir := files(t)
	c := anchored(pki.CitizenCA, certs.Revocation{})
	c.CRL.Files, c.CRL.FileInterval = []string{dir}, 5*time.Millisecond
	v := open(t, c)
	write := func(content []byte) {
		temporary := filepath.Join(dir, ".new")
		if err := os.WriteFile(temporary, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temporary, filepath.Join(dir, "ca.crl")); err != nil {
			t.Fatal(err)
		}
	}
	await := func(want certs.Reason) {
		t.Helper()
		for range 2000 {
			if reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER) == want {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatalf("never %v", want)
	}
	await(certs.RevocationUnknown)
	write(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: sign(t, pki.CitizenCA, list())}))
	await(0)
	newer := list(pki.AliceEID.DER)
	newer.Number = 6
	write(sign(t, pki.CitizenCA, newer))
	await(certs.Revoked)
	write([]byte("no CRL"))
	time.Sleep(20 * time.Millisecond)
	await(certs.Revoked)
}

// TestSourcesAreThoseConfigured: an address that the configuration no longer has would be
// told as failing for ever; one that gives the list of another authority, as in order.
func TestSourcesAreThoseConfigured(t *testing.T) {
	pki := testpki.Load()
	dir := files(t, sign(t, pki.CitizenCA, list()))
	other := sign(t, pki.EHealthCA, list())
	c := anchored(pki.CitizenCA, certs.Revocation{}, "http://ca.example/ca.crl")
	c.Profiles[0].Roots = append(c.Profiles[0].Roots, &certs.Authority{Certificate: pki.EHealthCA.DER()})
	c.CRL.Files = []string{dir + "/"}
	c.CRL.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		recorder.Write(other)
		return recorder.Result(), nil
	})
	v := open(t, c)
	if err := v.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := v.Status(testpki.Now()).Authorities
	if certs.ReasonOf(s[0].LastError()) != certs.WrongSigner || s[1].State != certs.CRLFresh || s[1].LastError() != nil {
		t.Errorf("%+v", s)
	}
	c.Profiles[0].Roots[0].DistributionPoints = nil
	if err := v.Reload(c); err != nil {
		t.Fatal(err)
	}
	if s := v.Status(testpki.Now()).Authorities; s[0].LastError() != nil || len(s[0].Sources) != 1 || len(s[1].Sources) != 0 {
		t.Errorf("%+v", s)
	}
}

// countedBody is a body that waits, after its first megabyte and an octet, until it is let go.
type countedBody struct {
	left   int
	read   int
	first  *atomic.Int64 // bodies of which the first part was read
	active *atomic.Int64 // bodies of which more is being read
	most   *atomic.Int64
	let    <-chan struct{}
	inside bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	const first = 1<<20 + 1
	if b.read >= first && !b.inside {
		b.inside = true
		for now := b.active.Add(1); ; {
			if old := b.most.Load(); now <= old || b.most.CompareAndSwap(old, now) {
				break
			}
		}
		<-b.let
	}
	if b.left == 0 {
		if b.inside {
			b.active.Add(-1)
		}
		return 0, io.EOF
	}
	n := min(len(p), b.left)
	if b.read < first {
		n = min(n, first-b.read)
	}
	clear(p[:n])
	b.left -= n
	if b.read += n; b.read == first {
		b.first.Add(1)
	}
	return n, nil
}

func (b *countedBody) Close() error { return nil }

// TestK1LargeBodiesShareMemory: many distribution points that answer with as much as they may
// would take as much at once. They are read one or two at a time, and none is lost by waiting.
func TestK1LargeBodiesShareMemory(t *testing.T) {
	pki := testpki.Load()
	var points []string
	for i := range 20 {
		points = append(points, fmt.Sprintf("http://ca.example/%d.crl", i))
	}
	var first, active, most atomic.Int64
	let := make(chan struct{})
	c := anchored(pki.CitizenCA, certs.Revocation{}, points...)
	c.CRL.Refresh = 24 * time.Hour
	c.CRL.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
		body := &countedBody{left: 3 << 20, first: &first, active: &active, most: &most, let: let}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: -1, Body: body}, nil
	})
	v := open(t, c) // its background reads them
	for first.Load() < 20 || active.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	if n := active.Load(); n != 2 {
		t.Errorf("%d large bodies at once", n)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != certs.RevocationUnknown {
		t.Errorf("while they wait: %v", got)
	}
	close(let)
	for {
		tried := 0
		for _, source := range v.Status(testpki.Now()).Authorities[0].Sources {
			if certs.ReasonOf(source.LastError) == certs.Malformed { // read whole, and no CRL
				tried++
			}
		}
		if tried == 20 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := most.Load(); n != 2 {
		t.Errorf("%d large bodies at once", n)
	}
}

package certs_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/testpki"
)

// TestK1HangingServerHoldsNoRequest: requests that waited for a distribution point would
// all stand still when it does. Every one of these is decided while every server hangs, by
// what is known: the revoked one is refused and the others are not.
func TestK1HangingServerHoldsNoRequest(t *testing.T) {
	pki := testpki.Load()
	hanging := make(chan struct{})
	defer close(hanging)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-hanging:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	c := anchored(pki.CitizenCA, certs.Revocation{}, server.URL+"/1", server.URL+"/2", server.URL+"/3")
	c.CRL.Files = []string{files(t, sign(t, pki.CitizenCA, list(pki.BobEID.DER)))}
	v := open(t, c)
	for asked.Load() < 3 { // all three hang now, and do until the test is over
		time.Sleep(time.Millisecond)
	}
	for range 100 {
		if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
			t.Fatalf("good: %v", got)
		}
		if got := reasonOf(t, v, certs.RoleIdentity, pki.BobEID.DER); got != certs.Revoked {
			t.Fatalf("revoked: %v", got)
		}
	}
	if err := v.Reload(c); err != nil { // nor does a reload wait for the answer
		t.Fatal(err)
	}
	if got := reasonOf(t, v, certs.RoleIdentity, pki.BobEID.DER); got != certs.Revoked {
		t.Errorf("revoked, after a reload: %v", got)
	}
}

// TestSwapUnderLoad: while list after list is swapped in, complete ones and deltas, a
// certificate that all of them list is never cleared and one that none lists is never refused.
func TestSwapUnderLoad(t *testing.T) {
	pki := testpki.Load()
	var served atomic.Pointer[[]byte]
	transport := roundTrip(func(*http.Request) (*http.Response, error) {
		der := *served.Load()
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(der)), Body: io.NopCloser(bytes.NewReader(der))}, nil
	})
	first := sign(t, pki.CitizenCA, numbered(1, keyCompromise, pki.BobEID.DER))
	served.Store(&first)
	c := anchored(pki.CitizenCA, certs.Revocation{}, "http://ca.example/ca.crl")
	c.CRL.Transport = transport
	v := open(t, c)
	if err := v.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var asked atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for !done.Load() {
				if got := reasonOf(t, v, certs.RoleIdentity, pki.AliceEID.DER); got != 0 {
					t.Errorf("good: %v", got)
				}
				if got := reasonOf(t, v, certs.RoleIdentity, pki.BobEID.DER); got != certs.Revoked {
					t.Errorf("revoked: %v", got)
				}
				asked.Add(1)
			}
		})
	}
	for number := int64(2); number <= 60; number++ {
		next := numbered(number, keyCompromise, pki.BobEID.DER)
		if number%3 == 0 {
			next = deltaOn(number-1, numbered(number, 0))
		}
		der := sign(t, pki.CitizenCA, next)
		served.Store(&der)
		epoch, before := v.Epoch(), asked.Load()
		if err := v.Fetch(context.Background()); err != nil {
			t.Fatal(err)
		}
		if v.Epoch() == epoch {
			t.Errorf("list %d was not taken", number)
		}
		for asked.Load() == before {
			time.Sleep(100 * time.Microsecond)
		}
	}
	done.Store(true)
	group.Wait()
}

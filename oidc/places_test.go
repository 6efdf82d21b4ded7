package oidc

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"sceau/audit"
	"sceau/oidc/federation"
)

// TestFederatedPlaces: a stranger who names relying parties on hosts that are silent has a share of the resolver's places by his
// address, and shuts nobody out who asks from another.
func TestFederatedPlaces(t *testing.T) {
	u := openUnion(t, what{limits: federation.Limits{Concurrent: 4, Time: time.Hour, Left: -1}}) // one for each address
	silent, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	reached := make(chan net.Conn)
	go func() {
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			reached <- c
		}
	}()
	_, port, err := net.SplitHostPort(silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context, host, from string) int {
		q := url.Values{"client_id": {"https://" + host + ":" + port + "/rp"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {back}}
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, u.config.Issuer+"/authorize?"+q.Encode(), nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		u.Provider.ServeHTTP(w, r)
		return w.Code
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	ended := make(chan int, 3)
	held := 0
	for _, c := range []struct {
		host, from string
		want       bool
	}{
		{"127.0.0.2", "192.0.2.1:1000", true}, {"127.0.0.3", "192.0.2.1:1001", false}, {"127.0.0.4", "192.0.2.2:1000", true},
	} {
		go func() { ended <- ask(ctx, c.host, c.from) }()
		got := false
		select {
		case conn := <-reached:
			defer conn.Close()
			got = true
			held++
		case status := <-ended:
			if status != http.StatusServiceUnavailable {
				t.Errorf("%+v: %d", c, status)
			}
		}
		if got != c.want {
			t.Errorf("%+v: has a place: %v", c, got)
		}
	}
	leave()
	for range held {
		if status := <-ended; status != http.StatusServiceUnavailable {
			t.Errorf("who left: %d", status)
		}
	}
	for _, e := range u.trail(audit.OperationAuthorization) {
		if e.Outcome != audit.Fault || e.Code != "temporarily_unavailable" {
			t.Errorf("in the trail: %+v", e)
		}
	}
}

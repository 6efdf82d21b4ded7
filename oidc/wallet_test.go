package oidc

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/client"
	"sceau/oidc/page"
)

// A fakeWallet is a means that a program answers.
type fakeWallet struct {
	fakeMeans
	below string
	said  error
}

func (f *fakeWallet) Answer(w http.ResponseWriter, r *http.Request, below string) (string, error) {
	f.below = below
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return "", nil
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusAccepted)
	w.Write(body)
	return "a1", f.said
}

// TestWalletEndpoint: a wallet reaches its means, without a cookie; what was refused stands in the trail whether a browser comes back for it or
// not, and what cannot be recorded is not told.
func TestWalletEndpoint(t *testing.T) {
	f := &fakeWallet{fakeMeans: fakeMeans{references: []string{"pop", "mfa"}}}
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.Means = append(c.Means, Means{Name: "wallet", Kind: page.KindWallet, Means: f})
	}, web(t))
	post := func(path, body string) (int, string) {
		t.Helper()
		answer, err := h.server.Client().Post(h.config.Issuer+path, "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	if status, text := post("/wallet/wallet/response/x", "response=1"); status != http.StatusAccepted || text != "response=1" || f.below != "response/x" || len(h.trail(audit.OperationAuthentication)) != 0 {
		t.Errorf("%d %q, %q", status, text, f.below)
	}
	f.said = &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("another nonce")}
	if status, _ := post("/wallet/wallet/response/x", ""); status != http.StatusAccepted {
		t.Error(status)
	}
	f.said = errors.New("the store is away")
	post("/wallet/wallet/response/x", "")
	events := h.trail(audit.OperationAuthentication)
	if len(events) != 2 || events[0].Outcome != audit.Refused || events[1].Outcome != audit.Fault || events[0].Means != "wallet" || events[0].Attempt != "a1" || !strings.Contains(events[0].Cause, "another nonce") {
		t.Errorf("%+v", events)
	}
	h.mu.Lock()
	h.broken = errors.New("a full disk")
	h.mu.Unlock()
	f.said = &authn.Refusal{Reason: authn.NotProven}
	if status, text := post("/wallet/wallet/response/x", "secret"); status != http.StatusServiceUnavailable || strings.Contains(text, "secret") {
		t.Errorf("%d %s", status, text)
	}
	h.mu.Lock()
	h.broken = nil
	h.mu.Unlock()
	f.below = ""
	for _, path := range []string{"/wallet/other/response/x", "/wallet/card/response/x", "/wallet", "/wallet/", "/wallet/wallet/%2e%2e/x"} {
		if status, _ := post(path, ""); status != http.StatusNotFound || f.below != "" {
			t.Errorf("%s: %d %q", path, status, f.below)
		}
	}
	if status, _ := post("/wallet/wallet/response/x", strings.Repeat("x", maxForm+1)); status != http.StatusRequestEntityTooLarge {
		t.Error("a body without end:", status)
	}
}

// TestTransactions: those of one establishment are not found at another, and of two that change one at once, one does.
func TestTransactions(t *testing.T) {
	store, until := NewMemoryStore(1<<20, nil), time.Now().Add(time.Minute)
	one, two := Transactions{store, "one"}, Transactions{store, "two"}
	ctx := t.Context()
	for _, value := range []string{"b", "a"} { // what is asked anew takes the place of what was
		if err := one.Put(ctx, "k", []byte(value), until); err != nil {
			t.Fatal(err)
		}
	}
	if value, err := two.Get(ctx, "k"); value != nil || err != nil {
		t.Errorf("%s %v", value, err)
	}
	if swapped, err := two.Swap(ctx, "k", []byte("a"), []byte("b"), until); swapped || err != nil {
		t.Errorf("%v %v", swapped, err)
	}
	for i, want := range []bool{true, false} {
		if swapped, err := one.Swap(ctx, "k", []byte("a"), []byte("b"), until); swapped != want || err != nil {
			t.Errorf("%d: %v %v", i, swapped, err)
		}
	}
	if value, err := one.Get(ctx, "k"); string(value) != "b" || err != nil {
		t.Errorf("%s %v", value, err)
	}
	full := Transactions{NewMemoryStore(1, nil), "one"}
	if err := full.Put(ctx, "k", []byte("a"), until); !errors.Is(err, ErrStoreFull) {
		t.Error(err)
	}
}

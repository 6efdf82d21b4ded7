package oidc_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"sceau/oidc"
	"sceau/oidc/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) oidc.Store { return oidc.NewMemoryStore(64<<20, nil) })
	one := oidc.NewMemoryStore(64<<20, nil)
	storetest.Replicas(t, one, one)
}

// TestMemoryStoreBound: the bound is exact, what is valid is never given up, and what has expired makes room.
func TestMemoryStoreBound(t *testing.T) {
	ctx := context.Background()
	now := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	const each, room = 1 + 100 + 128, 10 // key, value and what an entry takes beside them
	m := oidc.NewMemoryStore(each*room+each-1, clock)
	value := make([]byte, 100)
	until := now.Add(time.Hour)
	for i := range room {
		if err := m.Put(ctx, strconv.Itoa(i), value, until); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	full := func(name string) {
		t.Helper()
		if err := m.Put(ctx, "a", value, until); !errors.Is(err, oidc.ErrStoreFull) {
			t.Errorf("%s: Put: %v", name, err)
		}
		if ok, err := m.Add(ctx, "a", value, until); ok || !errors.Is(err, oidc.ErrStoreFull) {
			t.Errorf("%s: Add: %v %v", name, ok, err)
		}
		if ok, err := m.Swap(ctx, "0", value, make([]byte, 100+each), until); ok || !errors.Is(err, oidc.ErrStoreFull) {
			t.Errorf("%s: Swap: %v %v", name, ok, err)
		}
		for i := range room {
			if _, err := m.Get(ctx, strconv.Itoa(i)); err != nil {
				t.Errorf("%s: %d: %v", name, i, err)
			}
		}
	}
	full("full")
	// What takes no more room than it had goes through, and to the last octet.
	if err := m.Put(ctx, "0", value, until); err != nil {
		t.Error(err)
	}
	if ok, err := m.Swap(ctx, "0", value, make([]byte, 100+each-1), until); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := m.Swap(ctx, "0", make([]byte, 100+each-1), value, until); !ok || err != nil {
		t.Error(ok, err)
	}
	full("after a change")
	// One that is deleted makes room for one, however often.
	for range 100 {
		if err := m.Delete(ctx, "0"); err != nil {
			t.Fatal(err)
		}
		m.Delete(ctx, "none")
		if ok, err := m.Add(ctx, "0", value, until); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	full("after deletions")
	// What has expired makes room at once, and at the very instant.
	mu.Lock()
	now = until.Add(-1)
	mu.Unlock()
	full("just before the end")
	mu.Lock()
	now = until
	mu.Unlock()
	for i := range room {
		if ok, err := m.Add(ctx, "n"[:1], value, until.Add(time.Hour)); i == 0 && !ok || err != nil {
			t.Errorf("%d: %v %v", i, ok, err)
		}
	}
	if _, err := m.Get(ctx, "0"); !errors.Is(err, oidc.ErrNotFound) {
		t.Errorf("what has expired: %v", err)
	}
	if oidc.NewMemoryStore(0, nil).Put(ctx, "k", nil, time.Now().Add(time.Hour)) == nil {
		t.Error("a store without room takes something")
	}
}

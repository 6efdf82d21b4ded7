// Package storetest is what every oidc.Store has to do, as a suite of tests: each store of this module passes it, and so should
// one that is written elsewhere.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) oidc.Store { … })
//		storetest.Replicas(t, one, two)      // two that share what they keep
//	}
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/oidc"
)

// Run tests a store; open gives one that is empty, for the test alone.
func Run(t *testing.T, open func(t *testing.T) oidc.Store) {
	t.Run("values", func(t *testing.T) { values(t, open(t)) })
	t.Run("keys", func(t *testing.T) { keys(t, open(t)) })
	t.Run("add", func(t *testing.T) { add(t, open(t)) })
	t.Run("swap", func(t *testing.T) { swap(t, open(t)) })
	t.Run("delete", func(t *testing.T) { remove(t, open(t)) })
	t.Run("expiry", func(t *testing.T) { expiry(t, open(t)) })
	t.Run("concurrency", func(t *testing.T) { concurrency(t, open(t)) })
}

// Replicas tests stores that are one: what is written by one is read by the others, and of all who add or swap at the same time
// one does.
func Replicas(t *testing.T, stores ...oidc.Store) {
	t.Run("replicas", func(t *testing.T) {
		for i, s := range stores {
			key := "seen/" + strconv.Itoa(i)
			put(t, s, key, "x")
			for _, o := range stores {
				want(t, o, key, "x")
			}
		}
		concurrency(t, stores...)
	})
	t.Run("flow", func(t *testing.T) { flow(t, stores) })
}

var ctx = context.Background()

// later is when what a test writes has not expired.
func later() time.Time { return time.Now().Add(time.Hour) }

func put(t *testing.T, s oidc.Store, key, value string) {
	t.Helper()
	if err := s.Put(ctx, key, []byte(value), later()); err != nil {
		t.Fatalf("Put %.40q: %v", key, err)
	}
}

func want(t *testing.T, s oidc.Store, key, value string) {
	t.Helper()
	if got, err := s.Get(ctx, key); err != nil || string(got) != value {
		t.Errorf("Get %.40q: %.40q, %v; want %.40q", key, got, err, value)
	}
}

func none(t *testing.T, s oidc.Store, key string) {
	t.Helper()
	if got, err := s.Get(ctx, key); !errors.Is(err, oidc.ErrNotFound) || got != nil {
		t.Errorf("Get %.40q: %.40q, %v; want none", key, got, err)
	}
}

func values(t *testing.T, s oidc.Store) {
	none(t, s, "k")
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	for name, value := range map[string]string{
		"text": "v", "empty": "", "every octet": string(all), "NUL": "\x00", "not UTF-8": "\xff\xfe", "a quote": `'";--`, "large": strings.Repeat("x", 300<<10), "a number": "1", "blanks": " \n ",
	} {
		put(t, s, "k", value)
		want(t, s, "k", value)
		t.Log(name)
	}
	if err := s.Put(ctx, "k", nil, later()); err != nil {
		t.Error(err)
	}
	want(t, s, "k", "")
	// The octets are the caller's, before and after.
	value := []byte("mine")
	if err := s.Put(ctx, "k", value, later()); err != nil {
		t.Fatal(err)
	}
	copy(value, "XXXX")
	want(t, s, "k", "mine")
	got, err := s.Get(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	copy(got, "YYYY")
	want(t, s, "k", "mine")
}

func keys(t *testing.T, s oidc.Store) {
	all := []string{"a", "A", "a ", " a", "a/b", "a%", "a_", "a*", "a?", "[a]", "a'b", "é", "e\u0301", "a:b", "{a}", strings.Repeat("k", 400), strings.Repeat("k", 401)}
	for _, key := range all {
		none(t, s, key)
		if added, err := s.Add(ctx, key, []byte(key), later()); err != nil || !added {
			t.Errorf("Add %.40q: %v %v", key, added, err)
		}
	}
	for _, key := range all {
		want(t, s, key, key)
	}
	if err := s.Delete(ctx, "a*"); err != nil {
		t.Error(err)
	}
	none(t, s, "a*")
	for _, key := range []string{"a", "a%", "a_", "A"} {
		want(t, s, key, key)
	}
}

func add(t *testing.T, s oidc.Store) {
	expect := func(value string, want bool) {
		t.Helper()
		if added, err := s.Add(ctx, "k", []byte(value), later()); err != nil || added != want {
			t.Errorf("Add %q: %v, %v; want %v", value, added, err, want)
		}
	}
	expect("one", true)
	expect("two", false)
	expect("one", false)
	want(t, s, "k", "one")
	if err := s.Delete(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	expect("", true)
	expect("three", false)
	want(t, s, "k", "")
	put(t, s, "p", "put")
	if added, err := s.Add(ctx, "p", []byte("added"), later()); err != nil || added {
		t.Errorf("over what was put: %v %v", added, err)
	}
}

func swap(t *testing.T, s oidc.Store) {
	expect := func(old, value string, want bool) {
		t.Helper()
		if swapped, err := s.Swap(ctx, "k", []byte(old), []byte(value), later()); err != nil || swapped != want {
			t.Errorf("Swap %q for %q: %v, %v; want %v", old, value, swapped, err, want)
		}
	}
	expect("", "x", false)
	none(t, s, "k")
	put(t, s, "k", "one")
	for _, other := range []string{"", "on", "one ", "ONE", "one\x00", "two"} {
		expect(other, "x", false)
	}
	want(t, s, "k", "one")
	expect("one", "two", true)
	want(t, s, "k", "two")
	expect("one", "three", false)
	expect("two", "two", true)
	expect("two", "", true)
	want(t, s, "k", "")
	expect("", "\x00\xff", true)
	expect("\x00\xff", "end", true)
	want(t, s, "k", "end")
	if err := s.Delete(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	expect("end", "x", false)
	none(t, s, "k")
}

func remove(t *testing.T, s oidc.Store) {
	for range 2 {
		if err := s.Delete(ctx, "k"); err != nil {
			t.Errorf("what is not there: %v", err)
		}
		put(t, s, "k", "v")
		put(t, s, "o", "other")
		if err := s.Delete(ctx, "k"); err != nil {
			t.Error(err)
		}
		none(t, s, "k")
		want(t, s, "o", "other")
	}
}

// expiry: what has expired is as if it had never been, for each operation.
func expiry(t *testing.T, s oidc.Store) {
	past := time.Now().Add(-time.Second)
	if err := s.Put(ctx, "past", []byte("v"), past); err != nil {
		t.Fatal(err)
	}
	none(t, s, "past")
	if swapped, err := s.Swap(ctx, "past", []byte("v"), []byte("w"), later()); err != nil || swapped {
		t.Errorf("Swap of what has expired: %v %v", swapped, err)
	}
	if added, err := s.Add(ctx, "past", []byte("new"), later()); err != nil || !added {
		t.Errorf("Add over what has expired: %v %v", added, err)
	}
	want(t, s, "past", "new")
	if err := s.Put(ctx, "past", []byte("v"), past); err != nil { // which takes away what was there
		t.Fatal(err)
	}
	none(t, s, "past")
	put(t, s, "swapped", "v")
	if swapped, err := s.Swap(ctx, "swapped", []byte("v"), []byte("w"), past); err != nil || !swapped {
		t.Errorf("Swap into the past: %v %v", swapped, err)
	}
	none(t, s, "swapped")
	put(t, s, "there", "v")
	if added, err := s.Add(ctx, "there", []byte("w"), past); err != nil || added {
		t.Errorf("Add of what has expired over what has not: %v %v", added, err)
	}
	want(t, s, "there", "v")

	soon := time.Now().Add(1500 * time.Millisecond)
	for _, key := range []string{"put", "added", "shorter", "longer", "again"} {
		put(t, s, key, "v")
	}
	if err := s.Put(ctx, "put", []byte("v"), soon); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "added"); err != nil {
		t.Fatal(err)
	}
	if added, err := s.Add(ctx, "added", []byte("v"), soon); err != nil || !added {
		t.Fatal(added, err)
	}
	if swapped, err := s.Swap(ctx, "shorter", []byte("v"), []byte("v"), soon); err != nil || !swapped {
		t.Fatal(swapped, err)
	}
	for _, key := range []string{"longer", "again"} {
		if err := s.Put(ctx, key, []byte("v"), soon); err != nil {
			t.Fatal(err)
		}
	}
	if swapped, err := s.Swap(ctx, "longer", []byte("v"), []byte("v"), later()); err != nil || !swapped {
		t.Fatal(swapped, err)
	}
	put(t, s, "again", "v")
	for _, key := range []string{"put", "added", "shorter"} {
		for {
			before := time.Now()
			_, err := s.Get(ctx, key)
			if errors.Is(err, oidc.ErrNotFound) {
				if time.Now().Before(soon.Add(-100 * time.Millisecond)) { // the clock may be that of a server
					t.Errorf("%s: gone too early", key)
				}
				break
			}
			if err != nil || before.After(soon.Add(5*time.Second)) {
				t.Fatalf("%s: there after its end: %v", key, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if added, err := s.Add(ctx, key, []byte("new"), later()); err != nil || !added {
			t.Errorf("%s: Add after its end: %v %v", key, added, err)
		}
		want(t, s, key, "new")
	}
	want(t, s, "longer", "v")
	want(t, s, "again", "v")
}

func concurrency(t *testing.T, stores ...oidc.Store) {
	const workers = 8
	for round := range 20 {
		key := "once/" + strconv.Itoa(round)
		var wg sync.WaitGroup
		var won, swapped atomic.Int32
		var value atomic.Value
		for i := range workers {
			wg.Go(func() {
				mine := fmt.Appendf(nil, "%d", i)
				added, err := stores[i%len(stores)].Add(ctx, key, mine, later())
				if err != nil {
					t.Errorf("Add: %v", err)
				}
				if added {
					won.Add(1)
					value.Store(mine)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d added the same", won.Load())
		}
		for _, s := range stores {
			if got, err := s.Get(ctx, key); err != nil || !bytes.Equal(got, value.Load().([]byte)) {
				t.Errorf("%q, %v: not what was added", got, err)
			}
		}
		for i := range workers {
			wg.Go(func() {
				ok, err := stores[i%len(stores)].Swap(ctx, key, value.Load().([]byte), fmt.Appendf(nil, "swapped %d", i), later())
				if err != nil {
					t.Errorf("Swap: %v", err)
				}
				if ok {
					swapped.Add(1)
				}
			})
		}
		wg.Wait()
		if swapped.Load() != 1 {
			t.Fatalf("%d swapped the same", swapped.Load())
		}
	}
	// A counter, of which no step is lost.
	put(t, stores[0], "counter", "0")
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			s := stores[i%len(stores)]
			for steps := 0; steps < 10; {
				old, err := s.Get(ctx, "counter")
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				n, _ := strconv.Atoi(string(old))
				ok, err := s.Swap(ctx, "counter", old, []byte(strconv.Itoa(n+1)), later())
				if err != nil {
					t.Errorf("Swap: %v", err)
					return
				}
				if ok {
					steps++
				}
			}
		})
	}
	wg.Wait()
	want(t, stores[0], "counter", strconv.Itoa(workers*10))
}

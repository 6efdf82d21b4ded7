package oidc

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

// A Store keeps what must outlive a request: attempts, sessions, grants, and what may be used once. It is shared by all
// establishments and, where it is a database, by all replicas. Keys are made by this package and hold no secret: what a
// browser or a client holds is a key only by its digest. Values are opaque, and hold no token and no code in clear.
// It is safe for concurrent use. What has expired is not found.
type Store interface {
	// Put writes a value, whatever was there.
	Put(ctx context.Context, key string, value []byte, until time.Time) error
	// Add writes a value where there is none and says whether it did: of several who add at the same time, one does.
	Add(ctx context.Context, key string, value []byte, until time.Time) (bool, error)
	// Swap writes a value where old stands, octet by octet, and says whether it did.
	Swap(ctx context.Context, key string, old, value []byte, until time.Time) (bool, error)
	// Get returns a value, or ErrNotFound. The bytes are the caller's.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete removes a value; that there is none is no error.
	Delete(ctx context.Context, key string) error
}

// ErrNotFound says that a Store has no such value, or no longer.
var ErrNotFound = errors.New("oidc: not found")

// ErrStoreFull says that a MemoryStore has no room: nothing that is still valid is given up for what is new.
var ErrStoreFull = errors.New("oidc: the store is full")

// A MemoryStore is a Store that ends with the process. It is bounded by octets, and full means refuse.
type MemoryStore struct {
	now   func() time.Time
	limit int

	mu      sync.Mutex
	entries map[string]entry
	size    int
	swept   time.Time
}

type entry struct {
	value []byte
	until time.Time
}

func (e entry) size(key string) int { return len(key) + len(e.value) + entryOverhead }

// entryOverhead is about what an entry takes beside its key and value.
const entryOverhead = 128

// NewMemoryStore makes a store of at most limit octets; now is the clock, nil for time.Now.
func NewMemoryStore(limit int, now func() time.Time) *MemoryStore {
	if now == nil {
		now = time.Now
	}
	return &MemoryStore{now: now, limit: limit, entries: map[string]entry{}}
}

func (m *MemoryStore) Put(_ context.Context, key string, value []byte, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(key, value, until)
}

func (m *MemoryStore) Add(_ context.Context, key string, value []byte, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.entries[key]; ok && m.now().Before(e.until) {
		return false, nil
	}
	if err := m.put(key, value, until); err != nil {
		return false, err
	}
	return true, nil
}

func (m *MemoryStore) Swap(_ context.Context, key string, old, value []byte, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.entries[key]; !ok || !m.now().Before(e.until) || !bytes.Equal(e.value, old) {
		return false, nil
	}
	if err := m.put(key, value, until); err != nil {
		return false, err
	}
	return true, nil
}

func (m *MemoryStore) put(key string, value []byte, until time.Time) error {
	now := m.now()
	if now.Sub(m.swept) >= time.Minute {
		m.sweep(now)
	}
	e := entry{append([]byte(nil), value...), until}
	if size := m.size + e.size(key) - m.sizeOf(key); size > m.limit {
		if m.sweep(now); m.size+e.size(key)-m.sizeOf(key) > m.limit {
			return ErrStoreFull
		}
	}
	m.size += e.size(key) - m.sizeOf(key)
	m.entries[key] = e
	return nil
}

func (m *MemoryStore) sizeOf(key string) int {
	if e, ok := m.entries[key]; ok {
		return e.size(key)
	}
	return 0
}

func (m *MemoryStore) sweep(now time.Time) {
	m.swept = now
	for key, e := range m.entries {
		if !now.Before(e.until) {
			m.size -= e.size(key)
			delete(m.entries, key)
		}
	}
}

func (m *MemoryStore) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	if !ok || !m.now().Before(e.until) {
		return nil, ErrNotFound
	}
	return append([]byte(nil), e.value...), nil
}

func (m *MemoryStore) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size -= m.sizeOf(key)
	delete(m.entries, key)
	return nil
}

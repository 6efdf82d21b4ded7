package audit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// memory is a FileSystem that can fail and crash. It tells what reached stable
// storage from what the system only promised: a crash keeps the former and any part of the latter.
type memory struct {
	mu     sync.Mutex
	files  map[string]*memoryFile // as processes see them
	stable map[string]*memoryFile // the directory as last synced
	locked bool
	syncs  int

	// fail is asked before each operation; an error makes it fail. For "write" partial
	// says how many bytes still arrive.
	fail func(op, name string) (partial int, err error)
	// block is called without the lock before a sync.
	block func()
}

type memoryFile struct {
	content []byte
	synced  []byte
}

func newMemory() *memory {
	return &memory{files: map[string]*memoryFile{}, stable: map[string]*memoryFile{}}
}

func (m *memory) try(op, name string) (int, error) {
	if m.fail == nil {
		return 0, nil
	}
	return m.fail(op, name)
}

func (m *memory) Names() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.files)), nil
}

func (m *memory) Open(name string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.try("open", name); err != nil {
		return nil, err
	}
	file, ok := m.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(slices.Clone(file.content))), nil
}

func (m *memory) Append(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.try("append", name); err != nil {
		return nil, err
	}
	file, ok := m.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return &memoryHandle{m, file, name}, nil
}

func (m *memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.try("create", name); err != nil {
		return nil, err
	}
	if _, taken := m.files[name]; taken {
		return nil, fs.ErrExist
	}
	file := &memoryFile{}
	m.files[name] = file
	return &memoryHandle{m, file, name}, nil
}

func (m *memory) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.try("rename", from); err != nil {
		return err
	}
	m.files[to] = m.files[from]
	delete(m.files, from)
	return nil
}

func (m *memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.try("remove", name); err != nil {
		return err
	}
	if _, ok := m.files[name]; !ok {
		return fs.ErrNotExist
	}
	delete(m.files, name)
	return nil
}

func (m *memory) SyncDir() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.try("syncdir", ""); err != nil {
		return err
	}
	m.stable = maps.Clone(m.files)
	return nil
}

func (m *memory) Lock(string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked {
		return nil, ErrLocked
	}
	m.locked = true
	return closer(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.locked = false
	}), nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

type memoryHandle struct {
	m    *memory
	file *memoryFile
	name string
}

func (h *memoryHandle) Write(b []byte) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if partial, err := h.m.try("write", h.name); err != nil {
		partial = min(partial, len(b))
		h.file.content = append(h.file.content, b[:partial]...)
		return partial, err
	}
	h.file.content = append(h.file.content, b...)
	return len(b), nil
}

func (h *memoryHandle) Truncate(size int64) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if _, err := h.m.try("truncate", h.name); err != nil {
		return err
	}
	h.file.content = slices.Clone(h.file.content[:size])
	return nil
}

func (h *memoryHandle) Sync() error {
	h.m.mu.Lock()
	block := h.m.block
	h.m.mu.Unlock()
	if block != nil {
		block()
	}
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.m.syncs++
	if _, err := h.m.try("sync", h.name); err != nil {
		return err
	}
	h.file.synced = append(h.file.synced[:0], h.file.content...)
	return nil
}

func (h *memoryHandle) Close() error { return nil }

// crash gives the directory as the next process finds it after the machine went down: what was synced
// is there; of what was not, any part may be, whole or torn or with holes.
func (m *memory) crash(r *rand.Rand) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := newMemory()
	names := maps.Clone(m.stable)
	for name, file := range m.files {
		if r.IntN(2) == 0 {
			names[name] = file // the directory entry happened to arrive
		}
	}
	for name, file := range names {
		if m.files[name] != file && r.IntN(2) == 0 {
			continue // its removal happened to arrive
		}
		content := tear(r, file)
		kept := &memoryFile{content: content, synced: slices.Clone(content)}
		after.files[name], after.stable[name] = kept, kept
	}
	return after
}

func tear(r *rand.Rand, file *memoryFile) []byte {
	if !bytes.HasPrefix(file.content, file.synced) {
		// Cut since the last sync: the cut arrived or it did not.
		if r.IntN(2) == 0 {
			return slices.Clone(file.synced)
		}
		return slices.Clone(file.content)
	}
	tail := slices.Clone(file.content[len(file.synced):])
	switch r.IntN(5) {
	case 0:
		tail = nil
	case 1: // the length arrived, a page did not
		if len(tail) > 0 {
			from := r.IntN(len(tail))
			clear(tail[from:min(len(tail), from+1+r.IntN(512))])
		}
	case 2: // the length arrived, nothing else
		clear(tail)
	case 3:
	default:
		tail = tail[:r.IntN(len(tail)+1)]
	}
	return append(slices.Clone(file.synced), tail...)
}

var errFull = errors.New("no space left on device")

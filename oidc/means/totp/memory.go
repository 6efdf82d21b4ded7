package totp

import (
	"context"
	"errors"
	"sync"
)

// MemorySteps remembers steps in the process: for one that verifies alone. A step that was taken before a restart can be taken
// again after it, for a minute and a half at most. The zero value is ready. It is safe for concurrent use.
type MemorySteps struct {
	mu   sync.Mutex
	last map[string]int64
}

// maxSteps bounds what is remembered.
const maxSteps = 1 << 17

// Use implements Steps. Where there is no room nobody is admitted.
func (m *MemorySteps) Use(_ context.Context, account string, step int64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		m.last = make(map[string]int64)
	}
	last, known := m.last[account]
	if known && step <= last {
		return false, nil
	}
	if !known && len(m.last) >= maxSteps {
		for a, s := range m.last {
			if s < step-4 { // no clock takes it any more
				delete(m.last, a)
			}
		}
		if len(m.last) >= maxSteps {
			return false, errors.New("totp: no room to remember a step")
		}
	}
	m.last[account] = step
	return true, nil
}

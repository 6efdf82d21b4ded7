package client

import (
	"sync"
	"time"
)

// A throttle counts the wrong secrets of one client. Who has sent too many of them is told to wait, and a right secret is taken
// nevertheless: a secret of 256 bits is not found by trying, and a client_id is known to everybody, so that a lock would only let
// strangers shut a hospital out. What the throttle does is to make a misconfigured client slow down, and an operator look.
type throttle struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time
}

// wrong counts one wrong secret, and tells whether it is one too many, and for how long to wait. The burst refills in a window.
func (t *throttle) wrong(now time.Time, burst int, window time.Duration) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	each := window / time.Duration(burst)
	switch {
	case t.at.IsZero():
		t.tokens = float64(burst)
	case now.After(t.at):
		t.tokens = min(float64(burst), t.tokens+float64(now.Sub(t.at))/float64(each))
	}
	if t.at.Before(now) {
		t.at = now
	}
	if t.tokens < 1 {
		return time.Duration((1 - t.tokens) * float64(each))
	}
	t.tokens--
	return 0
}

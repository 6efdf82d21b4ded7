package wsc

import (
	"fmt"
	"time"
)

// An EventKind says what happened in a Session.
type EventKind uint8

// The kinds.
const (
	_              EventKind = iota
	Renewed                  // a token was had
	RenewalFailed            // none was had; the next attempt is at Next
	EndpointFailed           // one endpoint of several failed, and the next is asked
	FellBack                 // the token was asked with other credentials than the first
	Restored                 // a token was taken over from the store
	NotRestored              // the one in the store is of no use any more
	NotStored                // a token could not be kept
)

var eventKinds = [...]string{
	Renewed: "token renewed", RenewalFailed: "no token", EndpointFailed: "endpoint failed", FellBack: "fell back",
	Restored: "token of the store", NotRestored: "token of the store not used", NotStored: "token not stored",
}

func (k EventKind) String() string {
	if int(k) < len(eventKinds) && eventKinds[k] != "" {
		return eventKinds[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// A SessionEvent is something that happened, fit for a log: it names no person and quotes
// no attribute. Fields that do not apply are zero.
type SessionEvent struct {
	Kind     EventKind
	Endpoint string
	Mode     Mode
	Until    time.Time // the end of the token
	Next     time.Time // when the STS is asked next
	Err      error
}

// tell hands an event on, one at a time.
func (s *Session) tell(e SessionEvent) {
	if s.config.Notify == nil {
		return
	}
	s.notify.Lock()
	defer s.notify.Unlock()
	s.config.Notify(e)
}

package passkey

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
)

// A Passkey is one passkey of a person.
type Passkey struct {
	ID      []byte // of the credential: unique
	Account string // the immutable id of its account
	Handle  []byte // the user handle: random, one for an account
	Label   string // what the administrator called it
	By      string // which administrator made the ticket
	Created time.Time
	Used    time.Time // zero: never
	Revoked bool
	Record  webauthn.Credential
}

// Name is the name of the passkey in the trail and in lists: no secret, and unique.
func (p *Passkey) Name() string {
	sum := sha256.Sum256(p.ID)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A Ticket lets one person enrol one passkey.
type Ticket struct {
	Digest  [32]byte // of what the person was given
	Account string
	Label   string
	By      string
	Expires time.Time
	State   []byte // of the ceremony: the last one that was begun
}

// Errors of a Store; others are outages.
var (
	ErrUnknown = errors.New("passkey: there is none")
	ErrTaken   = errors.New("passkey: there is one already")
)

// A Store keeps passkeys and tickets. It is safe for concurrent use, and shared by all who verify.
type Store interface {
	// Passkey gives a passkey by its id, revoked or not, or ErrUnknown.
	Passkey(ctx context.Context, id []byte) (*Passkey, error)
	// Of gives all passkeys of an account.
	Of(ctx context.Context, account string) ([]Passkey, error)
	// Add adds a passkey, or returns ErrTaken where there is one of its id.
	Add(ctx context.Context, p *Passkey) error
	// Use writes the record and the time of a passkey that was used, if its counter still is before, and it is not revoked. Of two
	// who do so at once with a counter that grows one is told that he did not.
	Use(ctx context.Context, p *Passkey, before uint32) (bool, error)
	// Revoke takes a passkey out of use for good. ErrUnknown where there is none.
	Revoke(ctx context.Context, id []byte) error

	// AddTicket adds a ticket, and forgets those that have expired.
	AddTicket(ctx context.Context, t *Ticket, now time.Time) error
	// Ticket gives a ticket by its digest, expired or not, or ErrUnknown.
	Ticket(ctx context.Context, digest [32]byte) (*Ticket, error)
	// Begin writes the state of the ceremony of a ticket. ErrUnknown where there is none.
	Begin(ctx context.Context, digest [32]byte, state []byte) error
	// Take removes a ticket. Of two who take it at once one gets ErrUnknown.
	Take(ctx context.Context, digest [32]byte) error
}

// Memory is a Store that ends with the process: for demonstrations and tests. The zero value is ready.
type Memory struct {
	mu       sync.Mutex
	passkeys map[string]Passkey
	tickets  map[[32]byte]Ticket
}

func (m *Memory) Passkey(_ context.Context, id []byte) (*Passkey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.passkeys[string(id)]
	if !ok {
		return nil, ErrUnknown
	}
	return &p, nil
}

func (m *Memory) Of(_ context.Context, account string) (all []Passkey, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.passkeys {
		if p.Account == account {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Passkey) int { return a.Created.Compare(b.Created) })
	return all, nil
}

func (m *Memory) Add(_ context.Context, p *Passkey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.passkeys[string(p.ID)]; taken {
		return ErrTaken
	}
	if m.passkeys == nil {
		m.passkeys = make(map[string]Passkey)
	}
	m.passkeys[string(p.ID)] = *p
	return nil
}

func (m *Memory) Use(_ context.Context, p *Passkey, before uint32) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.passkeys[string(p.ID)]
	if !ok || old.Revoked || old.Record.Authenticator.SignCount != before {
		return false, nil
	}
	old.Record, old.Used = p.Record, p.Used
	m.passkeys[string(p.ID)] = old
	return true, nil
}

func (m *Memory) Revoke(_ context.Context, id []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.passkeys[string(id)]
	if !ok {
		return ErrUnknown
	}
	p.Revoked = true
	m.passkeys[string(id)] = p
	return nil
}

func (m *Memory) AddTicket(_ context.Context, t *Ticket, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for digest, old := range m.tickets {
		if old.Expires.Before(now) {
			delete(m.tickets, digest)
		}
	}
	if m.tickets == nil {
		m.tickets = make(map[[32]byte]Ticket)
	}
	m.tickets[t.Digest] = *t
	return nil
}

func (m *Memory) Ticket(_ context.Context, digest [32]byte) (*Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tickets[digest]
	if !ok {
		return nil, ErrUnknown
	}
	return &t, nil
}

func (m *Memory) Begin(_ context.Context, digest [32]byte, state []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tickets[digest]
	if !ok {
		return ErrUnknown
	}
	t.State = state
	m.tickets[digest] = t
	return nil
}

func (m *Memory) Take(_ context.Context, digest [32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.tickets[digest]; !ok {
		return ErrUnknown
	}
	delete(m.tickets, digest)
	return nil
}

var _ Store = (*Memory)(nil)

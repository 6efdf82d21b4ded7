//go:build pkcs11 && cgo

package pkcs11

import (
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"
)

// A connection is the sessions with a token and the handle of the key in them. When
// anything is wrong with one it is given up as a whole and another is made.
type connection struct {
	module     *module
	generation uint64
	key        pkcs11.ObjectHandle
	isRSA      bool

	sessions chan pkcs11.SessionHandle // those that nobody uses
	lost     chan struct{}             // closed when the connection is given up
}

// state is what a Key has besides its Config.
type state struct {
	connected atomic.Pointer[connection] // nil while the token is away
	since     atomic.Pointer[Health]     // Err and Since of the present state
	lose      chan struct{}              // wakes the goroutine: the token has gone; of capacity 1
	doubt     chan struct{}              // wakes it: another key's has; of capacity 1

	losses  atomic.Uint64
	waiting atomic.Int64
	stuck   atomic.Int64

	refusedPIN string // that was refused and is not tried again; of the connecting goroutine
}

// errAlone: a call was left alone, which did not come back in time.
var errAlone = fmt.Errorf("%w: it does not answer", ErrUnavailable)

// in runs a call of the module in a goroutine of its own and waits for it until the
// timer fires; then it answers errAlone. late is what remains to be done when the call
// comes back after that.
func (k *Key) in(timer <-chan time.Time, call func() error, late func()) error {
	const (
		running = iota
		returned
		left
	)
	if k.stuck.Load() >= int64(4*k.config.Sessions) {
		return fmt.Errorf("%w: %d calls have not come back; the process needs a restart when none does", ErrUnavailable, k.stuck.Load())
	}
	var stage atomic.Int32
	done := make(chan error, 1)
	go func() {
		err := call()
		if !stage.CompareAndSwap(running, returned) {
			k.stuck.Add(-1)
			late()
			return
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-timer:
		k.stuck.Add(1)
		if !stage.CompareAndSwap(running, left) { // it came back in this moment
			k.stuck.Add(-1)
			return <-done
		}
		return errAlone
	}
}

// connect makes a connection and signs a probe with each of its sessions.
func (k *Key) connect() (*connection, error) {
	pin, err := k.config.URI.pin()
	if err != nil {
		return nil, err
	}
	if pin == k.refusedPIN {
		return nil, fmt.Errorf("%w: it is not tried again before %s has another", ErrPIN, k.config.URI.PINSource)
	}
	_, isRSA := k.config.Public.(*rsa.PublicKey)
	c := &connection{module: k.module, isRSA: isRSA, sessions: make(chan pkcs11.SessionHandle, k.config.Sessions), lost: make(chan struct{})}
	timer := time.NewTimer(k.patience())
	defer timer.Stop()
	err = k.in(timer.C, func() error { return c.fill(&k.config, pin) }, func() { c.closeIdle() })
	if errors.Is(err, ErrPIN) {
		k.refusedPIN = pin
	}
	if err != nil {
		return nil, err // what fill opened it closed, or does so when it comes back
	}
	if err := k.probe(c); err != nil {
		close(c.lost) // for calls that come back later
		go c.closeIdle()
		return nil, err
	}
	k.refusedPIN = ""
	return c, nil
}

// patience is how long a connection may take: a token over a network takes its time for
// the first session.
func (k *Key) patience() time.Duration { return 10 * k.config.Timeout }

// fill opens the sessions and finds the key. On error it leaves none open.
func (c *connection) fill(config *Config, pin string) (err error) {
	defer func() {
		if err != nil {
			c.closeIdle()
		}
	}()
	var slot uint
	c.generation, err = c.module.begin(func(ctx cryptoki) error {
		if slot, err = config.URI.findSlot(ctx); err != nil {
			return err
		}
		c.module.logins.Lock() // two keys of one token do not try a wrong PIN at once
		defer c.module.logins.Unlock()
		session, err := openSession(ctx, slot, 0, pin)
		if err != nil {
			return err
		}
		c.sessions <- session
		c.key, err = config.URI.findKey(ctx, session, config.Public)
		return err
	})
	for i := 1; i < cap(c.sessions) && err == nil; i++ {
		err = c.module.use(c.generation, func(ctx cryptoki) error {
			session, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
			if err != nil {
				return fmt.Errorf("%w: session %d of %d: %w", ErrUnavailable, i+1, cap(c.sessions), err)
			}
			c.sessions <- session
			return nil
		})
	}
	return err
}

// probe signs with every session: what it gives must verify with the expected key.
func (k *Key) probe(c *connection) error {
	digest := sha256.Sum256([]byte("sceau: probe of a key on a token"))
	for range cap(c.sessions) {
		if err := k.probeOnce(c, digest[:]); err != nil {
			return fmt.Errorf("probe: %w", err)
		}
	}
	return nil
}

// closeIdle closes the sessions that nobody uses.
func (c *connection) closeIdle() {
	for {
		select {
		case session := <-c.sessions:
			_ = c.module.use(c.generation, func(ctx cryptoki) error { return ctx.CloseSession(session) })
		default:
			return
		}
	}
}

// release gives a session back; one of a connection that was given up is closed.
func (c *connection) release(session pkcs11.SessionHandle) {
	c.sessions <- session
	select {
	case <-c.lost:
		go c.closeIdle()
	default:
	}
}

// sign makes one signature in a session. PKCS #11 ends the operation with the answer.
func (c *connection) sign(session pkcs11.SessionHandle, f *form, digest []byte) (given []byte, err error) {
	err = c.module.use(c.generation, func(ctx cryptoki) error {
		if err := ctx.SignInit(session, []*pkcs11.Mechanism{f.mechanism()}, c.key); err != nil {
			return err
		}
		given, err = ctx.Sign(session, f.input(digest))
		return err
	})
	return given, err
}

func (f *form) mechanism() *pkcs11.Mechanism {
	switch {
	case f.ec != nil:
		return pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)
	case f.pss == nil:
		return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil)
	}
	var hash, mgf uint
	switch f.hash.Size() {
	case 32:
		hash, mgf = pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256
	case 48:
		hash, mgf = pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384
	case 64:
		hash, mgf = pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512
	}
	return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(hash, mgf, uint(f.salt)))
}

// pause is a random time around d: keys and servers that lost one token do not come back
// to it at one moment.
func pause(d time.Duration) time.Duration { return d/2 + rand.N(d) }

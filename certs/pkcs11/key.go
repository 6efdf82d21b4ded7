//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// A Key is a private key on a token. Open makes it. It is a crypto.Signer and safe for
// concurrent use.
type Key struct {
	config Config
	module *module

	stop func()
	idle sync.WaitGroup // the goroutine that watches over the token

	state
}

func open(config Config) (*Key, error) {
	if err := checkPublic(config.Public); err != nil {
		return nil, err
	}
	m, err := loadModule(config.URI.ModulePath)
	if err != nil {
		return nil, err
	}
	k := &Key{config: config, module: m}
	k.lose, k.doubt = make(chan struct{}, 1), make(chan struct{}, 1)
	k.since.Store(&Health{Err: ErrUnavailable, Since: config.Now()})
	c, err := k.reconnect()
	if err != nil {
		return nil, err
	}
	k.accept(c)
	m.join(k)
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	k.idle.Go(func() { k.watch(ctx) })
	return k, nil
}

// reconnect connects, and where that fails, once more with a renewed module.
func (k *Key) reconnect() (*connection, error) {
	c, err := k.connect()
	if err == nil || errors.Is(err, ErrPIN) || errors.Is(err, ErrOtherKey) || errors.Is(err, ErrSignature) {
		return c, err
	}
	timer := time.NewTimer(k.patience())
	defer timer.Stop()
	if k.in(timer.C, k.module.renew, func() {}) != nil {
		return nil, err
	}
	return k.connect()
}

// accept lets requests use a connection.
func (k *Key) accept(c *connection) {
	c.module.addInUse(1)
	k.since.Store(&Health{Since: k.config.Now()})
	k.connected.Store(c)
}

// giveUp ends a connection, once: whoever waits for it is refused at once.
func (k *Key) giveUp(c *connection, cause error) {
	if !k.connected.CompareAndSwap(c, nil) {
		return
	}
	k.since.Store(&Health{Err: cause, Since: k.config.Now()})
	k.losses.Add(1)
	close(c.lost)
	c.module.addInUse(-1)
	go c.closeIdle()
	select {
	case k.lose <- struct{}{}:
	default:
	}
	k.module.doubtOthers(k)
	k.config.Log.Error("signing token lost", "key", k.String(), "error", cause)
}

// watch signs a probe at an interval while all is well, and looks for the token while
// it is away.
func (k *Key) watch(ctx context.Context) {
	retry := k.config.RetryFirst
	digest := sha256.Sum256([]byte("sceau: probe of a key on a token"))
	for {
		c, wait := k.connected.Load(), pause(retry)
		if c != nil {
			wait = k.config.HealthInterval
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-k.lose:
			timer.Stop()
			retry = k.config.RetryFirst
			continue
		case <-k.doubt:
			timer.Stop()
			if c == nil {
				continue
			}
		case <-timer.C:
		}
		if c != nil {
			_ = k.probeOnce(c, digest[:]) // what it finds it acts upon
			continue
		}
		c, err := k.reconnect()
		if err != nil {
			k.since.Store(&Health{Err: err, Since: k.since.Load().Since})
			retry = min(2*retry, k.config.RetryMost)
			continue
		}
		k.accept(c)
		retry = k.config.RetryFirst
		k.config.Log.Info("signing token is back", "key", k.String())
	}
}

func (k *Key) sign(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	f, err := newForm(k.config.Public, digest, opts)
	if err != nil {
		return nil, err
	}
	c := k.connected.Load()
	if c == nil {
		return nil, k.unavailable()
	}
	return k.signWith(c, f, digest)
}

func (k *Key) probeOnce(c *connection, digest []byte) error {
	f, err := newForm(k.config.Public, digest, crypto.SHA256)
	if err == nil {
		_, err = k.signWith(c, f, digest)
	}
	return err
}

// unavailable says why there is no connection.
func (k *Key) unavailable() error {
	cause := k.since.Load().Err
	if cause == nil { // it went or came in this moment
		return ErrUnavailable
	}
	if errors.Is(cause, ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, cause)
}

// signWith signs in a session of a connection and verifies. Every error but one of this
// request alone gives the connection up.
func (k *Key) signWith(c *connection, f *form, digest []byte) ([]byte, error) {
	timer := time.NewTimer(k.config.Timeout)
	defer timer.Stop()
	session, err := k.take(c)
	if err != nil {
		return nil, err
	}
	digest = append([]byte(nil), digest...) // a call that hangs keeps it
	var given []byte
	err = k.in(timer.C, func() (err error) {
		given, err = c.sign(session, f, digest)
		return err
	}, func() { c.release(session) })
	switch {
	case err == nil:
		signature, err := f.output(digest, given)
		if err != nil {
			k.giveUp(c, err)
		}
		c.release(session)
		return signature, err
	case ofRequest(err):
		c.release(session)
		return nil, fmt.Errorf("%w: %w", ErrDigest, err)
	case errors.Is(err, errAlone): // the session is the call's until it comes back
		k.giveUp(c, err)
	default:
		if !errors.Is(err, ErrUnavailable) {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		k.giveUp(c, err)
		c.release(session)
	}
	return nil, err
}

// take waits for a session, half of the time that a signature has.
func (k *Key) take(c *connection) (pkcs11.SessionHandle, error) {
	select {
	case session := <-c.sessions:
		return session, nil
	default:
	}
	if k.waiting.Add(1) > int64(k.config.Waiting) {
		k.waiting.Add(-1)
		return 0, fmt.Errorf("%w: %d wait for a session", ErrUnavailable, k.config.Waiting)
	}
	defer k.waiting.Add(-1)
	timer := time.NewTimer(k.config.Timeout / 2)
	defer timer.Stop()
	select {
	case session := <-c.sessions:
		return session, nil
	case <-c.lost:
		return 0, k.unavailable()
	case <-timer.C:
		return 0, fmt.Errorf("%w: no session in %v", ErrUnavailable, k.config.Timeout/2)
	}
}

// Health tells how the key stands.
func (k *Key) Health() Health {
	h := *k.since.Load()
	h.Losses, h.Stuck = k.losses.Load(), int(k.stuck.Load())
	return h
}

// Close ends the use of the key. Signatures under way are finished; later ones are refused.
func (k *Key) Close() error {
	k.stop()
	k.idle.Wait()
	k.module.leave(k)
	if c := k.connected.Swap(nil); c != nil {
		k.since.Store(&Health{Err: fmt.Errorf("%w: closed", ErrUnavailable), Since: k.config.Now()})
		close(c.lost)
		c.module.addInUse(-1)
		go c.closeIdle()
	}
	return nil
}

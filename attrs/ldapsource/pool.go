package ldapsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// A server is one of the list with the connections to it. It is safe for concurrent use.
type server struct {
	config  *Config
	address address
	tls     *tls.Config // nil: none

	room    chan struct{} // one for each connection that is in use
	resting atomic.Bool   // it failed lately

	// Guarded by mu.
	mu     sync.Mutex
	idle   []*connection // the last one used is the last
	rest   *time.Timer
	closed bool
}

// run calls f with a connection, which goes back to the idle ones only if all went well. If a connection fails that was
// used before, the server may have restarted or a firewall forgotten it: f is tried once more on a new one. It only reads.
func (s *server) run(ctx context.Context, f func(context.Context, *connection) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if c := s.take(); c != nil {
		err := s.again(ctx, c, f)
		if err == nil {
			s.give(c)
			return nil
		}
		c.close()
		var known *failure
		if errors.As(err, &known) && (known.bad || known.final) || ctx.Err() != nil {
			return err
		}
		s.drop() // the others are as old
	}
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	if err := f(ctx, c); err != nil {
		c.close()
		return err
	}
	s.give(c)
	return nil
}

// enter waits until there is room for one more connection in use.
func (s *server) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s.room <- struct{}{}:
		return func() { <-s.room }, nil
	case <-ctx.Done():
		return nil, &failure{server: s.address.text, doing: "waiting for a connection", err: fmt.Errorf("%w: %w", errBusy, ctx.Err())}
	}
}

// alone calls f with a connection of its own that nobody bound, once.
func (s *server) alone(ctx context.Context, f func(*connection) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	return f(c)
}

// again uses a connection that was used before. It has half of the time, so that one which is half open leaves some for a
// new one; and one that was idle for long has to show first that it still answers.
func (s *server) again(ctx context.Context, c *connection, f func(context.Context, *connection) error) error {
	ctx, cancel := share(ctx, s.config.Timeout, 2)
	defer cancel()
	if c.doubtful.Load() {
		if err := c.probe(ctx); err != nil {
			return err
		}
	}
	return f(ctx, c)
}

// share gives the first of n equal shares of the time that ctx has, but most at most.
func share(ctx context.Context, most time.Duration, n int) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(end)/time.Duration(n))
	}
	return context.WithTimeout(ctx, most)
}

// probe asks the root of the directory for nothing (RFC 4512 section 5.1).
func (c *connection) probe(ctx context.Context) error {
	return c.do(ctx, "probing", func() error {
		_, err := c.ldap.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
		return err
	})
}

// take gives an idle connection that is not known to be of no use, or nil.
func (s *server) take() *connection {
	for {
		s.mu.Lock()
		last := len(s.idle) - 1
		if last < 0 {
			s.mu.Unlock()
			return nil
		}
		c := s.idle[last]
		s.idle = s.idle[:last]
		s.mu.Unlock()
		c.idle.Stop()
		c.doubt.Stop()
		if c.reused = true; !c.old.Load() && !c.ldap.IsClosing() {
			return c
		}
		c.close()
	}
}

// give puts a connection to the idle ones, or closes it if it is of no use any more.
func (s *server) give(c *connection) {
	if !s.keep(c) {
		c.close()
	}
}

func (s *server) keep(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || c.old.Load() || c.ldap.IsClosing() {
		return false
	}
	c.doubtful.Store(false)
	c.doubt = time.AfterFunc(s.config.CheckAfter, func() { c.doubtful.Store(true) })
	c.idle = time.AfterFunc(s.config.IdleTimeout, func() { s.remove(c) })
	s.idle = append(s.idle, c)
	return true
}

// remove closes a connection if it is still idle.
func (s *server) remove(c *connection) {
	s.mu.Lock()
	at := slices.Index(s.idle, c)
	if at >= 0 {
		s.idle = slices.Delete(s.idle, at, at+1)
	}
	s.mu.Unlock()
	if at >= 0 {
		c.close()
	}
}

// drop closes all idle connections.
func (s *server) drop() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// tire makes the server be asked last for a while.
func (s *server) tire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.resting.Store(true)
	if s.rest != nil {
		s.rest.Stop()
	}
	s.rest = time.AfterFunc(s.config.RetryAfter, func() { s.resting.Store(false) })
}

// close ends all connections; those that are in use end with their questions.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	if s.rest != nil {
		s.rest.Stop()
	}
	s.mu.Unlock()
	s.drop()
}

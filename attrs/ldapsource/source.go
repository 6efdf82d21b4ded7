package ldapsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sceau/attrs"
	"sceau/attrs/remote"
)

// An access is the servers of one directory, with the connections to them. It is safe for concurrent use.
type access struct {
	config  Config
	servers []*server

	closing context.Context // ends with Close
	stop    context.CancelFunc

	mu     sync.Mutex
	closed bool
	using  sync.WaitGroup // questions under way; added to under mu, while not closed
}

// A Source is a directory. It is safe for concurrent use. Close it after use.
type Source struct {
	access
	filters  map[attrs.SubjectType]*filter
	mappings map[*attrs.Definition]*Mapping
}

// Open makes a source. It reads all files and checks all that can be checked without asking a server: one that is down
// when a program starts may come later, and Health says so until then. All that is wrong is told at once.
func Open(c Config) (*Source, error) {
	s := &Source{filters: make(map[attrs.SubjectType]*filter), mappings: make(map[*attrs.Definition]*Mapping)}
	wrong := []error{s.prepare(c), c.checkSource()}
	note := func(err error) {
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(c.Filters)) {
		f, err := parseFilter(t, c.Filters[t])
		note(err)
		s.filters[t] = f
	}
	for _, m := range c.Mappings {
		note(m.check(s.filters))
		if s.mappings[m.Definition] != nil {
			note(fmt.Errorf("%s is mapped twice", m.Definition.Name))
		}
		s.mappings[m.Definition] = &m
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("LDAP source %s: %w", c.ID, err)
	}
	s.open()
	return s, nil
}

// prepare reads the files and checks all of how the servers are reached.
func (s *access) prepare(c Config) error {
	c.defaults()
	s.config = c
	wrong := []error{c.check()}
	note := func(err error) {
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	var settings *tls.Config
	if c.TLS.Given() || c.StartTLS || slices.ContainsFunc(c.Servers, func(u string) bool { return strings.HasPrefix(u, "ldaps:") }) {
		var err error
		settings, err = c.TLS.Config(c.Now)
		note(err)
	}
	if c.PasswordFile != "" || c.BindDN != "" {
		_, err := remote.Secret(c.PasswordFile)
		note(err)
	}
	for _, text := range c.Servers {
		a, err := c.parseServer(text)
		note(err)
		s.servers = append(s.servers, &server{config: &s.config, address: a, tls: settings, room: make(chan struct{}, max(c.MaxConnections, 0))})
	}
	return errors.Join(wrong...)
}

// open begins what Close ends.
func (s *access) open() { s.closing, s.stop = context.WithCancel(context.Background()) }

// ID names the directory.
func (s *access) ID() string { return s.config.ID }

// Answers says whether the attribute is mapped.
func (s *Source) Answers(d *attrs.Definition) bool { return s.mappings[d] != nil }

// Idempotent says that a question may be put again: it only reads. Where credentials were rejected the error is attrs.ErrNotAgain.
func (s *Source) Idempotent() bool { return true }

// Close ends all connections, and with an error the questions under way. Closing twice is no error.
func (s *access) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.using.Wait()
	for _, v := range s.servers {
		v.close()
	}
	return nil
}

// Health says why no server can be asked now, or nil: it binds and looks for the base, as a question would.
func (s *access) Health(ctx context.Context) error {
	err := s.ask(ctx, func(ctx context.Context, c *connection) error {
		e, err := c.search(ctx, search{base: s.config.BaseDN, scope: BaseObject, filter: "(objectClass=*)", attributes: []string{"1.1"}})
		if err == nil && e == nil {
			err = &failure{server: c.server.address.text, doing: "searching", err: errors.New("the base is not there"), final: true}
		}
		return err
	})
	if err != nil {
		return s.refused(ctx, nil, err)
	}
	return nil
}

// ask calls f with a connection to the first server that answers, in the order of the list, those that failed lately last.
// Each is given an equal share of the time that is left.
func (s *access) ask(ctx context.Context, f func(context.Context, *connection) error) error {
	return s.each(ctx, func(ctx context.Context, v *server) error { return v.run(ctx, f) })
}

// each calls f for one server after the other, until it says nil or something final.
func (s *access) each(ctx context.Context, f func(context.Context, *server) error) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	s.using.Add(1)
	s.mu.Unlock()
	defer s.using.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()

	var failed []error
	order := s.order()
	for i, v := range order {
		attempt, cancel := share(ctx, s.config.Timeout, len(order)-i)
		err := f(attempt, v)
		cancel()
		if err == nil {
			v.resting.Store(false)
			return nil
		}
		if s.closing.Err() != nil {
			return errClosed
		}
		failed = append(failed, err)
		var known *failure
		if errors.As(err, &known) && known.final || ctx.Err() != nil {
			break
		}
		if !errors.Is(err, errBusy) {
			v.tire()
		}
	}
	return errors.Join(failed...)
}

// order is the servers in the order in which they are asked.
func (s *access) order() []*server {
	var rested, tired []*server
	for _, v := range s.servers {
		if v.resting.Load() {
			tired = append(tired, v)
		} else {
			rested = append(rested, v)
		}
	}
	return append(rested, tired...)
}

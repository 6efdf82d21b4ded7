package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"sceau/certs"
)

const (
	// keyInterval is how often the clock is compared with the schedule, and the schedule
	// with its file. A change of keys comes at most so much late.
	keyInterval = time.Second

	warnInterval    = 24 * time.Hour   // between two warnings that a certificate ends
	retryInterval   = 10 * time.Second // between two attempts to let a key begin that could not
	refusedInterval = time.Minute      // between two attempts with a schedule that was refused
	tokenGrace      = time.Minute      // how long requests under way may use a token that is no longer configured
)

// A rollover is what a running server remembers of the change of its keys. changing is
// held while anything of the configuration is changed; nothing of a request waits for it.
type rollover struct {
	refused fileMark  // of the schedule that was refused
	again   time.Time // when that is tried again
	overdue error     // why the key whose turn it is does not sign; nil when it does
	retry   time.Time // when that is tried again
	warned  time.Time
}

// A publication is the certificates that relying parties should have, as long as it holds.
type publication struct {
	signer *certs.Signer
	others [][]byte // DER, without the signer's
	pem    []byte
	until  time.Time // zero is for ever
}

// watchKeys changes keys by schedule until the context ends. It stands beside the road of
// requests: they take whatever settings are in force when they come.
func (s *system) watchKeys(ctx context.Context) {
	ticker := time.NewTicker(keyInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.turnKeys()
		}
	}
}

// turnKeys does what is due now.
func (s *system) turnKeys() {
	s.changing.Lock()
	defer s.changing.Unlock()
	now := s.now()
	s.takeSchedule(now)
	if current, err := s.keys.set.Current(now); err == nil && current.ID != s.active {
		s.letBegin(current, now)
	} else if err == nil {
		s.setOverdue(nil)
	}
	if p := s.published; p == nil || !p.until.IsZero() && !now.Before(p.until) {
		s.publish(now)
	}
	s.warnOfEnd(now)
}

// takeSchedule reads the schedule again when its file has changed. One that was refused is
// tried again after a minute: a token may have been away.
func (s *system) takeSchedule(now time.Time) {
	c := s.config
	if c.Signing.Dir.V == "" {
		return
	}
	mark := markOf(filepath.Join(c.path(c.Signing.Dir), keyFileName))
	if mark == s.keys.mark || mark == s.rollover.refused && now.Before(s.rollover.again) {
		return
	}
	if err := s.readKeys(); err != nil {
		s.rollover.refused, s.rollover.again = mark, now.Add(refusedInterval)
		s.log.Error("the schedule of the signing keys was refused, everything stays as it was", "error", err)
		return
	}
	s.log.Info("schedule of the signing keys read")
	s.logSigner()
}

// readKeys reads and tries all keys again and puts them in force, all or none.
func (s *system) readKeys() error {
	p := &problems{file: keyFileName}
	next := &system{config: s.config, now: s.now, log: s.log, keys: s.keys}
	next.signer = next.loadSigner(p)
	err := p.err()
	if err == nil {
		err = s.replaceSigner(next)
	}
	if err != nil {
		next.keys.close(s.keys)
	}
	return err
}

// letBegin lets a key sign whose turn has come. When it cannot, the one before it goes
// on while it is good: its certificate is published still, and nothing fails for it.
func (s *system) letBegin(k *certs.ScheduledKey, now time.Time) {
	if now.Before(s.rollover.retry) {
		return
	}
	err := s.begin(k, now)
	if err != nil {
		s.rollover.retry = now.Add(retryInterval)
		s.setOverdue(err)
		s.log.Error("the signing key whose turn it is cannot sign; the one before it goes on", "key", k.ID, "signing", s.active, "error", err)
		return
	}
	s.setOverdue(nil)
	s.logSigner()
}

// begin proves a key once more, which was proven when it was read, and puts it in force.
func (s *system) begin(k *certs.ScheduledKey, now time.Time) error {
	if k.Signer == nil { // its token was away
		return s.readKeys()
	}
	if err := k.Signer.Usable(now); err != nil {
		return err
	}
	if err := k.Signer.Probe(); err != nil {
		return err
	}
	return s.replaceSigner(&system{signer: k.Signer, keys: s.keys, active: k.ID, engine: s.keys.engines[k.ID]})
}

// replaceSigner puts the signer of next in force, at once for all requests that begin
// later; those under way end with the one that they began with.
func (s *system) replaceSigner(next *system) error {
	settings, err := s.settings(s.rules, next.signer)
	if err != nil {
		return err
	}
	if err := s.service.Replace(settings); err != nil {
		return err
	}
	s.takeSigner(next)
	return nil
}

// takeSigner remembers what is in force.
func (s *system) takeSigner(next *system) {
	old, before := s.keys, s.active
	s.mu.Lock()
	s.signer, s.keys, s.active, s.engine = next.signer, next.keys, next.active, next.engine
	s.mu.Unlock()
	if current, err := next.keys.set.Current(s.now()); err == nil && before != s.active {
		s.log.Info("signing key changed", "before", before, "key", s.active, "forced", current.Forced)
	}
	if old != next.keys {
		keep := next.keys
		time.AfterFunc(tokenGrace, func() { old.close(keep) })
	}
	s.publish(s.now())
}

func (s *system) setOverdue(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rollover.overdue = err
	if err == nil {
		s.rollover.retry = time.Time{}
	}
}

// publish makes anew what is published. That which signs comes first.
func (s *system) publish(now time.Time) {
	set := s.keys.set
	p := &publication{signer: s.signer, until: set.NextChange(now)}
	var text bytes.Buffer
	add := func(k *certs.ScheduledKey, state certs.KeyState) {
		text.WriteString(s.describe(k, state))
		pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate.Raw()}) // a Buffer takes everything
	}
	keys := set.Keys()
	for i := range keys {
		if keys[i].ID == s.active {
			add(&keys[i], certs.KeyCurrent)
		}
	}
	for _, k := range set.Published(now) {
		if k.ID == s.active {
			continue
		}
		state := certs.KeyRetired
		if k.Activate.IsZero() || k.Activate.After(now) || s.overdueFor(k, now) {
			state = certs.KeyNext
		}
		add(k, state)
		p.others = append(p.others, k.Certificate.Raw())
	}
	p.pem = text.Bytes()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = p
}

// overdueFor tells whether it is a key's turn and it does not sign.
func (s *system) overdueFor(k *certs.ScheduledKey, now time.Time) bool {
	current, err := s.keys.set.Current(now)
	return err == nil && current.ID == k.ID && k.ID != s.active
}

// describe is the line above a certificate, which readers of PEM pass over (RFC 7468
// section 2).
func (s *system) describe(k *certs.ScheduledKey, state certs.KeyState) string {
	line := fmt.Sprintf("# %s: %s", k.ID, state)
	keys := s.keys.set.Keys()
	for i := range keys {
		if keys[i].ID != k.ID {
			continue
		}
		from, until := s.keys.set.Window(i)
		if from.IsZero() {
			line += "; not scheduled yet"
		} else {
			line += "; signs from " + stamp(from)
		}
		if !until.IsZero() {
			line += " until " + stamp(until) + ", published until " + stamp(s.keys.set.PublishedUntil(i))
		}
	}
	return line + "; certificate valid from " + stamp(k.Certificate.NotBefore()) + " until " + stamp(k.Certificate.NotAfter()) + "\n"
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// certificates is the document of the published certificates.
func (s *system) certificates() ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.published == nil {
		return nil, errors.New("no certificates yet")
	}
	return s.published.pem, nil
}

// warnOfEnd says once a day that the certificate which signs comes to its end.
func (s *system) warnOfEnd(now time.Time) {
	end := s.signer.Certificate().NotAfter()
	before := time.Duration(s.config.Signing.WarnBefore.or(duration(defaultWarnBefore)))
	if end.Sub(now) > before || now.Sub(s.rollover.warned) < warnInterval && !s.rollover.warned.IsZero() {
		return
	}
	s.rollover.warned = now
	next := "none"
	keys := s.keys.set.Keys()
	for i := range keys {
		if k := &keys[i]; s.keys.set.State(i, now) == certs.KeyNext && !k.Activate.IsZero() && k.Activate.Before(end) {
			next = k.ID
		}
	}
	s.log.Warn("the signing certificate ends", "key", s.active, "ends", end, "days", int(end.Sub(now).Hours()/24), "next key", next)
}

// signerReady says why nothing can be signed now, nil when it can. s.mu is held.
func (s *system) signerReady() error {
	err := s.signer.Usable(s.now())
	if token := s.keys.tokens[s.active]; token != nil {
		if away := token.Health().Err; away != nil {
			err = errors.Join(err, fmt.Errorf("signing key %s: %w", s.active, away))
		}
	}
	return err
}

// closeKeys gives the tokens back.
func (s *system) closeKeys() { s.keys.close(nil) }

package store

import (
	"context"
	"crypto"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// Config says where a store is, and who may change it. Exactly one of File and DSN is said.
type Config struct {
	File string // of SQLite

	DSN              string // of PostgreSQL
	PasswordFile     string // with its password, one line; read for each connection; empty: none
	UnverifiedServer bool   // admits a server that is neither on this machine nor proven by its certificate

	// Timeout bounds one operation. Zero: ten seconds.
	Timeout time.Duration

	// ID is that of the store, as Init gave it: another is refused, also where the same people have signed all of it. Empty: any.
	ID string

	Administrators []Administrator // of different people
	// Approvals is how many people besides those who wrote a version must approve it. Zero: one.
	Approvals int
	// Write admits Append.
	Write bool
	Now   func() time.Time // nil: time.Now
}

func (c *Config) complete() error {
	if (c.File == "") == (c.DSN == "") {
		return &Error{Reason: InvalidConfig, Err: errors.New("want a file of SQLite, or a PostgreSQL")}
	}
	if err := checkAdministrators(c.Administrators); err != nil {
		return &Error{Reason: InvalidConfig, Err: err}
	}
	if c.ID != "" && !storeForm.MatchString(c.ID) {
		return &Error{Reason: InvalidConfig, Err: errors.New("the id of a store is of 32 hex digits: stsd policy init shows it")}
	}
	if c.Approvals < 0 {
		return &Error{Reason: InvalidConfig, Err: errors.New("approvals: at least one")}
	}
	c.Approvals = max(c.Approvals, 1)
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Init makes a store where there is none, and brings an older one up to date.
func Init(ctx context.Context, c Config) error {
	if err := c.complete(); err != nil {
		return err
	}
	db, err := openDatabase(&c, true, true)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, max(c.Timeout, time.Minute))
	defer cancel()
	if err := migrate(ctx, &c, db); err != nil {
		return unavailable(err)
	}
	return nil
}

// A Store is an open policy store. Open makes it; the zero Store is not usable.
type Store struct {
	config Config
	db     *sql.DB
}

// Open opens a store that is there. It asks the database nothing yet.
func Open(c Config) (*Store, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	db, err := openDatabase(&c, c.Write, false)
	if err != nil {
		return nil, err
	}
	return &Store{c, db}, nil
}

// Close gives the connections back.
func (s *Store) Close() error { return s.db.Close() }

// Head gives what tells the last event from every other, without verifying anything: whether to look again. It is History.Mark of the
// history as it stands; empty where there is no event.
func (s *Store) Head(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	var number int64
	var signature string
	err := s.db.QueryRowContext(ctx, `SELECT number, signature FROM policy_event ORDER BY number DESC LIMIT 1`).Scan(&number, &signature)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", unavailable(err)
	}
	return mark(number, signature), nil
}

func mark(number int64, signature string) string { return fmt.Sprintf("%d %s", number, signature) }

// History reads all events and verifies them. The error has Reason Broken where they do not hold together.
func (s *Store) History(ctx context.Context) (*History, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	id, err := recognise(ctx, s.db)
	if err != nil {
		return nil, err
	}
	if s.config.ID != "" && s.config.ID != id {
		return nil, &Error{Reason: Broken, Err: fmt.Errorf("it is the store %s, and not %s", id, s.config.ID)}
	}
	h := newHistory(id, &s.config)
	rows, err := s.db.QueryContext(ctx, `SELECT number, kind, version, content, base, actor, at, note, previous, signature FROM policy_event
WHERE octet_length(note) + octet_length(signature) <= $1 ORDER BY number`, maxRow) // what is larger is none, and lacks
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e Event
		var kind, content, at, previous, signature string
		if err := rows.Scan(&e.Number, &kind, &e.Version, &content, &e.Base, &e.Actor, &at, &e.Note, &previous, &signature); err != nil {
			return nil, unavailable(err)
		}
		e.Kind = Kind(kind)
		var wrong error
		e.Content, wrong = ParseDigest(content)
		if wrong == nil {
			e.Previous, wrong = ParseDigest(previous)
		}
		// What is signed has one spelling, so that no octet of it can be another.
		if wrong == nil {
			if e.At, wrong = time.Parse(time.RFC3339, at); wrong == nil && e.At.UTC().Format(time.RFC3339) != at {
				wrong = errors.New("an instant that is spelled otherwise")
			}
		}
		if wrong == nil {
			if e.Signature, wrong = base64.StdEncoding.DecodeString(signature); wrong == nil && base64.StdEncoding.EncodeToString(e.Signature) != signature {
				wrong = errors.New("a signature that is spelled otherwise")
			}
		}
		if wrong != nil {
			return nil, broken(&e, wrong)
		}
		if err := h.add(e); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(err)
	}
	return h, nil
}

// Bundle reads a content. The error has Reason Broken where it is not what its digest says.
func (s *Store) Bundle(ctx context.Context, content Digest) (*Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	rows, err := s.db.QueryContext(ctx,
		`SELECT c.path, CASE WHEN octet_length(f.content) <= $2 THEN f.content END FROM policy_content AS c JOIN policy_file AS f ON f.sha256 = c.sha256
WHERE c.digest = $1 LIMIT $3`, content.String(), maxFileBytes, maxFiles+1)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	files, total := map[string]string{}, 0
	for total <= maxBytes && rows.Next() {
		var path string
		var text sql.NullString // not where it is larger than a file can be
		if err := rows.Scan(&path, &text); err != nil {
			return nil, unavailable(err)
		}
		if !text.Valid {
			total = maxBytes + 1
		}
		files[path] = text.String
		total += len(text.String)
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(err)
	}
	b, err := NewBundle(files)
	if err != nil || total > maxBytes || b.Digest() != content {
		return nil, &Error{Reason: Broken, Err: fmt.Errorf("the content %s is not what it was", content)}
	}
	return b, nil
}

// InForce gives the history and the content of the active version, which has the approvals that are asked for. The error has
// Reason NoVersion where none is active.
func (s *Store) InForce(ctx context.Context) (*History, *Bundle, error) {
	h, err := s.History(ctx)
	if err != nil {
		return nil, nil, err
	}
	v, ok := h.Active()
	if !ok {
		return nil, nil, &Error{Reason: NoVersion, Err: errors.New("none is active yet")}
	}
	if err := h.enough(&v); err != nil {
		return nil, nil, err
	}
	b, err := s.Bundle(ctx, v.Content)
	if err != nil {
		return nil, nil, err
	}
	return h, b, nil
}

// An Act is what somebody wants to do.
type Act struct {
	Kind    Kind
	Version int64   // 0 with KindDraft: a new version
	Bundle  *Bundle // of a draft
	// Content is that of the version that the actor has looked at; of a draft it is the Bundle's.
	Content Digest
	Note    string // one line
	// Key is the actor's. It signs once, when all else is in order.
	Key crypto.Signer
}

// Append does it: it holds the act against all rules, has it signed, and adds the event. It is safe to be tried again after
// Conflict.
func (s *Store) Append(ctx context.Context, a Act) (Event, error) {
	h, err := s.History(ctx)
	if err != nil {
		return Event{}, err
	}
	e, err := h.prepare(&a, &s.config)
	if err != nil {
		return Event{}, err
	}
	if e.Signature, err = sign(a.Key, e.Statement(h.store)); err != nil {
		return Event{}, &Error{Reason: NotAllowed, Err: fmt.Errorf("the key does not sign: %w", err)}
	}
	if err := h.add(e); err != nil { // as every reader will
		return Event{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err := s.insert(ctx, &e, a.Bundle); err != nil {
		return Event{}, err
	}
	return e, nil
}

// prepare makes the event of an act, not signed yet, and holds it against the rules.
func (h *History) prepare(a *Act, c *Config) (Event, error) {
	if a.Key == nil {
		return Event{}, &Error{Reason: NotAllowed, Err: errors.New("no key")}
	}
	number, hash := h.Head()
	e := Event{Number: number + 1, Previous: hash, Kind: a.Kind, Version: a.Version, Content: a.Content, Note: a.Note, At: c.Now().UTC().Truncate(time.Second)}
	if number > 0 && e.At.Before(h.events[number-1].At) {
		e.At = h.events[number-1].At // of somebody whose clock is ahead
	}
	for i := range c.Administrators {
		if same(c.Administrators[i].Key, a.Key.Public()) {
			e.Actor = c.Administrators[i].Name
		}
	}
	if e.Actor == "" {
		return Event{}, &Error{Reason: NotAllowed, Err: errors.New("the key is that of no administrator")}
	}
	if a.Kind == KindDraft {
		if a.Bundle == nil {
			return Event{}, &Error{Reason: InvalidBundle, Err: errors.New("no file")}
		}
		if e.Content, e.Base = a.Bundle.Digest(), h.active; e.Version == 0 {
			e.Version = int64(len(h.versions)) + 1
		}
	}
	if e.Kind.right() == "" {
		return Event{}, &Error{Reason: NotAllowed, Err: errors.New("no such kind")}
	}
	if err := may(c.Administrators, a.Key.Public(), e.Kind.right(), e.At); err != nil {
		return Event{}, err
	}
	if _, err := h.step(&e, true); err != nil {
		if ReasonOf(err) == 0 {
			err = &Error{Reason: NotAllowed, Err: err}
		}
		return Event{}, err
	}
	return e, nil
}

// insert writes an event, and the files of a draft, or nothing.
func (s *Store) insert(ctx context.Context, e *Event, b *Bundle) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreDone(tx.Rollback()))
		}
	}()
	if e.Kind == KindDraft {
		for path, text := range b.files {
			name := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
			if _, err = tx.ExecContext(ctx, `INSERT INTO policy_file (sha256, content) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, text); err != nil {
				return unavailable(err)
			}
			if _, err = tx.ExecContext(ctx, `INSERT INTO policy_content (digest, path, sha256) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
				e.Content.String(), path, name); err != nil {
				return unavailable(err)
			}
		}
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO policy_event (number, kind, version, content, base, actor, at, note, previous, signature)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
		e.Number, string(e.Kind), e.Version, e.Content.String(), e.Base, e.Actor, e.At.Format(time.RFC3339), e.Note, e.Previous.String(),
		base64.StdEncoding.EncodeToString(e.Signature))
	if err != nil {
		return unavailable(err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return unavailable(err)
	} else if n == 0 {
		return &Error{Reason: Conflict, Err: fmt.Errorf("event %d is there already", e.Number)}
	}
	if err = tx.Commit(); err != nil {
		return unavailable(err)
	}
	return nil
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

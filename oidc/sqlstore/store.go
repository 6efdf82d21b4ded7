package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sceau/oidc"
)

// Config says where a store is. Exactly one of File and DSN is said.
type Config struct {
	File string // of SQLite

	DSN              string // of PostgreSQL
	PasswordFile     string // with its password, one line; read for each connection; empty: none
	UnverifiedServer bool   // admits a server that is neither on this machine nor proven by its certificate

	// Timeout bounds one operation. Zero: five seconds.
	Timeout time.Duration
	// Connections bounds those to PostgreSQL. Zero: 16.
	Connections int
	// Sweep is how often what has expired is deleted. Zero: a minute.
	Sweep time.Duration
	Log   *slog.Logger     // nil: slog's default
	Now   func() time.Time // nil: time.Now
}

func (c *Config) complete() error {
	if (c.File == "") == (c.DSN == "") {
		return errors.New("sqlstore: want a file of SQLite, or a PostgreSQL")
	}
	if c.Timeout < 0 || c.Connections < 0 || c.Sweep < 0 {
		return errors.New("sqlstore: a negative bound")
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Connections == 0 {
		c.Connections = 16
	}
	if c.Sweep == 0 {
		c.Sweep = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.Default()
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
	db, err := connect(&c, true)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, max(c.Timeout, time.Minute))
	defer cancel()
	return failed(migrate(ctx, &c, db))
}

// A Store is an open store. Open makes it; it is safe for concurrent use.
type Store struct {
	config Config
	db     *sql.DB
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

var _ oidc.Store = (*Store)(nil)

// Open opens a store that Init has made.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	db, err := connect(&c, false)
	if err != nil {
		return nil, err
	}
	s := &Store{config: c, db: db}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := recognise(ctx, db); err != nil {
		db.Close()
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.ended.Go(func() { s.sweeping(background) })
	return s, nil
}

// Close gives the connections back.
func (s *Store) Close() error {
	s.stop()
	s.ended.Wait()
	return s.db.Close()
}

func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.config.Timeout)
}

func (s *Store) now() int64 { return s.config.Now().UnixMicro() }

// octets are never NULL.
func octets(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

func (s *Store) Put(ctx context.Context, key string, value []byte, until time.Time) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.db.ExecContext(ctx, `INSERT INTO oidc_state (key, value, expires) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires`, key, octets(value), until.UnixMicro())
	return failed(err)
}

func (s *Store) Add(ctx context.Context, key string, value []byte, until time.Time) (bool, error) {
	return s.one(ctx, `INSERT INTO oidc_state (key, value, expires) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires WHERE oidc_state.expires <= $4`, key, octets(value), until.UnixMicro(), s.now())
}

func (s *Store) Swap(ctx context.Context, key string, old, value []byte, until time.Time) (bool, error) {
	return s.one(ctx, `UPDATE oidc_state SET value = $1, expires = $2 WHERE key = $3 AND value = $4 AND expires > $5`,
		octets(value), until.UnixMicro(), key, octets(old), s.now())
}

// one runs a statement that changes one row or none, and says whether it did.
func (s *Store) one(ctx context.Context, statement string, arguments ...any) (bool, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	done, err := s.db.ExecContext(ctx, statement, arguments...)
	if err != nil {
		return false, failed(err)
	}
	n, err := done.RowsAffected()
	return n == 1, failed(err)
}

func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var value []byte
	err := s.db.QueryRowContext(ctx, `SELECT value FROM oidc_state WHERE key = $1 AND expires > $2`, key, s.now()).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, oidc.ErrNotFound
	}
	if err != nil {
		return nil, failed(err)
	}
	return octets(value), nil
}

func (s *Store) Delete(ctx context.Context, key string) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.db.ExecContext(ctx, `DELETE FROM oidc_state WHERE key = $1`, key)
	return failed(err)
}

// batch is how many rows one statement deletes: it holds locks on them, and in SQLite everybody waits for it.
const batch = 500

// grace is how much longer rows are kept that have expired: the clock of another replica may be behind.
const grace = time.Minute

// Sweep deletes what has expired, batch by batch, and says how many rows.
func (s *Store) Sweep(ctx context.Context) (rows int64, err error) {
	statement := `DELETE FROM oidc_state WHERE key IN (SELECT key FROM oidc_state WHERE expires <= $1 ORDER BY expires LIMIT $2)`
	if s.config.DSN != "" {
		// Replicas sweep beside each other, and what is being written again is not waited for.
		statement = `DELETE FROM oidc_state WHERE key IN (SELECT key FROM oidc_state WHERE expires <= $1 ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)`
	}
	for {
		n, err := s.sweep(ctx, statement)
		rows += n
		if err != nil || n < batch {
			return rows, failed(err)
		}
	}
}

func (s *Store) sweep(ctx context.Context, statement string) (int64, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	done, err := s.db.ExecContext(ctx, statement, s.config.Now().Add(-grace).UnixMicro(), batch)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func (s *Store) sweeping(ctx context.Context) {
	ticker := time.NewTicker(s.config.Sweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.config.Log.Warn("what has expired is not deleted", "cause", err)
			}
		}
	}
}

func failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlstore: %w", err)
}

// Package store keeps in a database, SQLite or PostgreSQL, what people authenticate with: their passkeys with the tickets to enrol
// them, and the sealed secrets and used steps of one-time codes. It is a [passkey.Store]; [Store.Codes] is a [totp.Secrets] and a
// [totp.Steps].
//
//	if err := store.Init(ctx, config); err != nil { … }  // once, and after an update of the program
//	s, err := store.Open(ctx, config)
//
// Whoever can write to the database can let anybody in, as any account: it belongs to the servers of the establishment alone. What
// can be read in it lets nobody in: public keys, sealed secrets, digests of tickets.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite", in Go

	reach "sceau/attrs/database"
)

// Config says where the database is, and whose rows are meant.
type Config struct {
	// File is a SQLite database, or DSN a PostgreSQL with the password in PasswordFile. One of the two.
	File              string
	DSN, PasswordFile string
	// UnverifiedServer waives that a PostgreSQL elsewhere proves to be itself.
	UnverifiedServer bool

	// Establishment is whose people these are: the name of a tenant. Required; one of another name sees none of them.
	Establishment string

	// Timeout bounds each question. Two seconds if zero.
	Timeout time.Duration
}

//go:embed migrations/*.sql
var migrations embed.FS

const (
	schemaVersion  = 1
	schemaTable    = "means_schema"
	maxConnections = 8
	busy           = 5 * time.Second
)

// Store is the database, for one establishment. It is safe for concurrent use. Close it after use.
type Store struct {
	db      *sql.DB
	of      string
	timeout time.Duration
}

func (c *Config) check() error {
	switch {
	case (c.File == "") == (c.DSN == ""):
		return errors.New("store of means: either a file or a DSN")
	case c.Establishment == "":
		return errors.New("store of means: no establishment")
	case c.Timeout < 0:
		return errors.New("store of means: a negative time")
	}
	return nil
}

// connect opens the database. A file that is not there is made where make is set, for its owner alone.
func connect(c *Config, make bool) (*sql.DB, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.File != "" {
		if make {
			f, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err == nil {
				err = f.Close()
			} else if errors.Is(err, fs.ErrExist) {
				err = nil
			}
			if err != nil {
				return nil, err
			}
		}
		uri, err := reach.SQLite(c.File, "rw", busy, "synchronous(FULL)")
		if err != nil {
			return nil, err
		}
		db, err := sql.Open("sqlite", uri)
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1) // it has one writer, and the rest is quick
		return db, nil
	}
	config, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, reach.DSNError(err)
	}
	if _, err := reach.ReadPassword(c.PasswordFile); err != nil {
		return nil, err
	}
	if err := reach.Verified(config); err != nil && !c.UnverifiedServer {
		return nil, err
	}
	config.ConnectTimeout = c.wait()
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // H6: never parameters written into the text
	config.RuntimeParams["client_encoding"] = "UTF8"
	db := stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(func(_ context.Context, conn *pgx.ConnConfig) error {
		return reach.SetPassword(conn, c.PasswordFile)
	}))
	db.SetMaxOpenConns(maxConnections)
	return db, nil
}

func (c *Config) wait() time.Duration {
	if c.Timeout == 0 {
		return 2 * time.Second
	}
	return c.Timeout
}

// Init makes the tables, or brings them up to date.
func Init(ctx context.Context, c Config) error {
	db, err := connect(&c, true)
	if err != nil {
		return err
	}
	defer db.Close()
	return reach.Migrate(ctx, db, c.File != "", migrations, "migrations", schemaTable)
}

// Open opens a database that Init made. One of another schema is refused.
func Open(ctx context.Context, c Config) (*Store, error) {
	db, err := connect(&c, false)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, of: c.Establishment, timeout: c.wait()}
	if err := s.Health(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the connections.
func (s *Store) Close() error { return s.db.Close() }

// Health says why the database cannot be asked now, or nil.
func (s *Store) Health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var version int
	err := s.db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+schemaTable+` WHERE is_applied`).Scan(&version)
	switch {
	case err != nil:
		return outage(err)
	case version != schemaVersion:
		return fmt.Errorf("store of means: its schema is of version %d, and this program needs %d", version, schemaVersion)
	}
	return nil
}

// outage says what a database said, on one line.
func outage(err error) error {
	return fmt.Errorf("store of means: %w", oneLine{err})
}

type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e oneLine) Unwrap() error { return e.error }

// exec changes rows, and says how many.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	result, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, outage(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, outage(err)
	}
	return n, nil
}

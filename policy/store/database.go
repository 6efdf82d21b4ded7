package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite" // also the driver "sqlite", in Go

	reach "sceau/attrs/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the last migration, schemaTable where a database says which it has.
const (
	schemaVersion = 1
	schemaTable   = "policy_schema"
)

// maxConnections bounds the connections of one Store: it is asked now and then.
const maxConnections = 4

// busy is how long another process may hold a lock of the file.
const busy = 5 * time.Second

// openDatabase connects, for reading alone or for writing too. A file that is not there is made where make is set.
func openDatabase(c *Config, write, make bool) (*sql.DB, error) {
	if c.File != "" {
		return openFile(c.File, write, make)
	}
	config, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, &Error{Reason: InvalidConfig, Err: reach.DSNError(err)}
	}
	if _, err := reach.ReadPassword(c.PasswordFile); err != nil {
		return nil, &Error{Reason: InvalidConfig, Err: err}
	}
	if err := reach.Verified(config); err != nil && !c.UnverifiedServer {
		return nil, &Error{Reason: InvalidConfig, Err: err}
	}
	config.ConnectTimeout = c.Timeout
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // H6: never parameters written into the text
	config.RuntimeParams["client_encoding"] = "UTF8"
	if _, said := config.RuntimeParams["application_name"]; !said {
		config.RuntimeParams["application_name"] = "sceau policies"
	}
	after := func(ctx context.Context, conn *pgx.Conn) error {
		if write {
			return nil
		}
		_, err := conn.Exec(ctx, `select set_config('default_transaction_read_only', 'on', false)`)
		return err
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(after), stdlib.OptionBeforeConnect(func(_ context.Context, conn *pgx.ConnConfig) error {
		return reach.SetPassword(conn, c.PasswordFile)
	}))
	db.SetMaxOpenConns(maxConnections)
	return db, nil
}

func openFile(path string, write, make bool) (*sql.DB, error) {
	if make {
		// SQLite would make it with the mode of the umask.
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			err = file.Close()
		} else if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		if err != nil {
			return nil, &Error{Reason: Unavailable, Err: err}
		}
	}
	if info, err := os.Stat(path); err != nil {
		return nil, &Error{Reason: Unavailable, Err: err}
	} else if !info.Mode().IsRegular() {
		return nil, &Error{Reason: NotAStore, Err: errors.New("not a regular file")}
	}
	mode, pragma := "ro", "query_only(1)"
	if write {
		mode, pragma = "rw", "synchronous(FULL)"
	}
	uri, err := reach.SQLite(path, mode, busy, pragma, "foreign_keys(1)")
	if err != nil {
		return nil, &Error{Reason: InvalidConfig, Err: err}
	}
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		return nil, &Error{Reason: Unavailable, Err: err}
	}
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(0) // each time by its name: another file may have come in its place
	return db, nil
}

// migrate makes the tables, or brings them up to date, and gives the store its id if it has none.
func migrate(ctx context.Context, c *Config, db *sql.DB) error {
	if err := reach.Migrate(ctx, db, c.File != "", migrations, "migrations", schemaTable); err != nil {
		return err
	}
	var id [16]byte
	rand.Read(id[:]) // never fails (crypto/rand)
	_, err := db.ExecContext(ctx, `INSERT INTO policy_store (only_one, id) VALUES (1, $1) ON CONFLICT DO NOTHING`, hex.EncodeToString(id[:]))
	return err
}

// recognise refuses a database that holds no store of this schema, and gives the id of the store.
func recognise(ctx context.Context, db *sql.DB) (id string, err error) {
	var version int
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+schemaTable+` WHERE is_applied`).Scan(&version)
	switch {
	case err != nil && !lacking(err):
		return "", unavailable(err)
	case err != nil || version == 0:
		return "", &Error{Reason: NotAStore, Err: errors.New("it holds no policies: stsd policy init")}
	case version > schemaVersion:
		return "", &Error{Reason: NotAStore, Err: fmt.Errorf("its schema is of version %d, made by a later program; this one knows %d", version, schemaVersion)}
	case version < schemaVersion:
		return "", &Error{Reason: NotAStore, Err: fmt.Errorf("its schema is of version %d, and this program needs %d: stsd policy init", version, schemaVersion)}
	}
	if err := db.QueryRowContext(ctx, `SELECT id FROM policy_store`).Scan(&id); err != nil {
		return "", unavailable(err)
	}
	if !storeForm.MatchString(id) {
		return "", &Error{Reason: Broken, Err: errors.New("its id is none")}
	}
	return id, nil
}

// lacking says whether a database answered that it has no such table, or that it is none.
func lacking(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code == "42P01" || server.Code == "3F000"
	}
	const sqlError, notADatabase = 1, 26
	var lite *sqlite.Error
	return errors.As(err, &lite) && (lite.Code() == sqlError || lite.Code() == notADatabase)
}

// unavailable says what a database said, on one line.
func unavailable(err error) error {
	return &Error{Reason: Unavailable, Err: oneLine{err}}
}

type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e oneLine) Unwrap() error { return e.error }

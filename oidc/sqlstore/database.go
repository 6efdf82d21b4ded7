package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite", in Go

	reach "sceau/attrs/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the last migration, schemaTable where a database says which it has.
const (
	schemaVersion = 1
	schemaTable   = "oidc_schema"
)

// fileConnections bounds the connections to a file: one writes at a time.
const fileConnections = 4

// connect reaches the database. A file that is not there is made where make is set.
func connect(c *Config, make bool) (*sql.DB, error) {
	if c.File != "" {
		return file(c, make)
	}
	config, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, failed(reach.DSNError(err))
	}
	if _, err := reach.ReadPassword(c.PasswordFile); err != nil {
		return nil, failed(err)
	}
	if err := reach.Verified(config); err != nil && !c.UnverifiedServer {
		return nil, failed(err)
	}
	config.ConnectTimeout = c.Timeout
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // H6: never parameters written into the text
	config.RuntimeParams["client_encoding"] = "UTF8"
	// What was said to be written is written, whatever the server's default: a code that is good once is that after a crash too.
	config.RuntimeParams["synchronous_commit"] = "on"
	if _, said := config.RuntimeParams["application_name"]; !said {
		config.RuntimeParams["application_name"] = "sceau sessions"
	}
	db := stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(func(_ context.Context, conn *pgx.ConnConfig) error {
		return reach.SetPassword(conn, c.PasswordFile)
	}))
	db.SetMaxOpenConns(c.Connections)
	db.SetMaxIdleConns(c.Connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

func file(c *Config, make bool) (*sql.DB, error) {
	if make {
		// SQLite would make it with the mode of the umask.
		f, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			err = f.Close()
		} else if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		if err != nil {
			return nil, failed(err)
		}
	}
	if info, err := os.Stat(c.File); err != nil {
		return nil, failed(err)
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("sqlstore: not a regular file")
	}
	uri, err := reach.SQLite(c.File, "rw", c.Timeout, "journal_mode(WAL)", "synchronous(FULL)")
	if err != nil {
		return nil, failed(err)
	}
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		return nil, failed(err)
	}
	db.SetMaxOpenConns(fileConnections)
	return db, nil
}

// migrate makes the tables, or brings them up to date.
func migrate(ctx context.Context, c *Config, db *sql.DB) error {
	return reach.Migrate(ctx, db, c.File != "", migrations, "migrations", schemaTable)
}

// recognise refuses a database without a store of this schema.
func recognise(ctx context.Context, db *sql.DB) error {
	var version int
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+schemaTable+` WHERE is_applied`).Scan(&version); err != nil {
		return fmt.Errorf("sqlstore: it is reached, and holds no sessions, or it is not reached: %w", err)
	}
	if version != schemaVersion {
		return fmt.Errorf("sqlstore: its schema is of version %d, and this program needs %d", version, schemaVersion)
	}
	return nil
}

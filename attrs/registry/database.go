package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go

	"sceau/attrs/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID stands in the header of the file and tells a registry from any other SQLite database: 'Scea'.
const applicationID = 1399022945

// schemaVersion is the number of the last migration.
const schemaVersion = 1

// maxReaders bounds the connections of one process that read at once.
const maxReaders = 8

// A reader is one open file, read-only.
type reader struct {
	db     *sql.DB
	facts  *sql.Stmt
	status *sql.Stmt
	info   fs.FileInfo // which file, to notice that another has come in its place
}

// selectFacts reads the state and then all facts about all questions that have not ended, in one statement and so from
// one state of the file. Questions come as a JSON array of [type, subject, attribute]: the text of the statement is constant (H6).
const selectFacts = `
SELECT -1 AS question, registry.id AS value, (SELECT coalesce(max(epoch), 0) FROM import) AS not_before, 0 AS not_on_or_after
FROM registry
UNION ALL
SELECT q.key, f.value, f.not_before, f.not_on_or_after
FROM json_each(?1) AS q CROSS JOIN fact AS f
ON f.subject_type = q.value ->> 0 AND f.subject = q.value ->> 1 AND f.attribute = q.value ->> 2
WHERE f.not_on_or_after > ?2
ORDER BY 1, 3, 2`

const selectState = `SELECT registry.id, coalesce((SELECT max(epoch) FROM import), 0) FROM registry`

func openReader(c Config) (*reader, error) {
	info, err := os.Stat(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("the file does not exist; an import makes it")
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	source, err := database.SQLite(c.Path, "ro", c.BusyTimeout, "query_only(1)")
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(maxReaders)
	db.SetMaxIdleConns(maxReaders)
	f := &reader{db: db, info: info}
	if err := f.prove(); err != nil {
		db.Close()
		return nil, err
	}
	if f.facts, err = db.Prepare(selectFacts); err == nil {
		f.status, err = db.Prepare(selectState)
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("not readable: %w", err)
	}
	return f, nil
}

// prove checks that the file is a registry of our schema and sound.
func (f *reader) prove() error {
	known, err := recognise(f.db)
	switch {
	case err != nil:
		return err
	case known == nothing:
		return errors.New("not a registry: there is nothing in it")
	case known != schemaVersion:
		return fmt.Errorf("its schema is of version %d, this program needs %d: an import brings it up to date", known, schemaVersion)
	}
	return nil
}

// nothing is the version of a database without any table of ours.
const nothing = 0

// recognise gives the version of the schema of a sound registry, or nothing for an empty file, and changes nothing. It reads
// the whole file once, since damage would show itself later as an outage.
func recognise(db *sql.DB) (version int, err error) {
	var application, tables int
	if err := db.QueryRow(`PRAGMA application_id`).Scan(&application); err != nil {
		return 0, fmt.Errorf("not readable: %w", err)
	}
	if err := db.QueryRow(`SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return 0, fmt.Errorf("not readable: %w", err)
	}
	switch {
	case tables == 0:
		return nothing, nil
	case application != applicationID:
		return 0, errors.New("not a registry: it is another program's database")
	}
	var verdict string
	if err := db.QueryRow(`PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return 0, fmt.Errorf("damaged: %w", err)
	}
	if verdict != "ok" {
		return 0, fmt.Errorf("damaged: %s", verdict)
	}
	err = db.QueryRow(`SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("not a registry: %w", err)
	}
	if version > schemaVersion {
		return 0, fmt.Errorf("its schema is of version %d, made by a later program; this one knows %d", version, schemaVersion)
	}
	return version, nil
}

// state reads which registry this is and its epoch.
func (f *reader) state(ctx context.Context) (s state, err error) {
	err = f.status.QueryRowContext(ctx).Scan(&s.registry, &s.epoch)
	return s, err
}

func (f *reader) close() error { return f.db.Close() }

// openWriter opens the file for one import. The connection lives no longer than that: a process that only reads holds no
// lock for writing.
func openWriter(c Config) (*sql.DB, error) {
	source, err := database.SQLite(c.Path, "rw", c.BusyTimeout,
		"synchronous(FULL)", // an import that was reported is on the disk
		"secure_delete(1)",  // what is deleted is a person's
		"temp_store(2)",     // in memory, for the same reason
	)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// prepare makes the file if there is none and brings it to the present schema. It changes nothing in a file that is not a
// registry.
func prepare(c Config) error {
	// SQLite would make it with the mode of the umask; the -wal and -shm files get the mode of this one.
	file, err := os.OpenFile(c.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case err == nil:
		if err := file.Close(); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	db, err := openWriter(c)
	if err != nil {
		return err
	}
	defer db.Close()
	version, err := recognise(db)
	if err != nil || version == schemaVersion {
		return err
	}
	if _, err := db.Exec(`PRAGMA journal_mode = WAL`); err != nil {
		return fmt.Errorf("cannot be put in WAL mode: %w", err)
	}
	// Before the migrations: one that was broken off leaves a registry that can be finished, not a foreign database.
	if _, err := db.Exec(`PRAGMA application_id = ` + strconv.Itoa(applicationID)); err != nil {
		return fmt.Errorf("not writable: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := database.Migrate(ctx, db, true, migrations, "migrations", "goose_db_version"); err != nil {
		return fmt.Errorf("its schema cannot be brought up to date: %w", err)
	}
	return nil
}

package database

import (
	"context"
	"database/sql"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// Migrate brings the tables of a database up to date with the scripts of a folder, in their order; sqlite says that it is SQLite, and
// otherwise it is PostgreSQL. Which scripts a database has stands in its table of that name, so that several schemas live
// in one.
func Migrate(ctx context.Context, db *sql.DB, sqlite bool, scripts fs.FS, folder, table string) error {
	dialect := database.DialectPostgres
	if sqlite {
		dialect = database.DialectSQLite3
	}
	scripts, err := fs.Sub(scripts, folder)
	if err != nil {
		return err
	}
	versions, err := database.NewStore(dialect, table)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, scripts, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

package sqlsource

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go

	"sceau/attrs"
	"sceau/attrs/database"
	"sceau/attrs/internal/rfc3339"
)

// busyTimeout is how long a look-up waits for a lock of another process.
const busyTimeout = time.Second

// lite is the store on SQLite.
type lite struct {
	config  *Config
	queries []*query

	// Read by every look-up without waiting, replaced as a whole.
	view atomic.Pointer[liteView]

	looking sync.Mutex // held by whoever looks at the file or closes it
	edition attrs.EpochCounter

	stop    context.CancelFunc
	stopped chan struct{}
}

// A liteView is what look-ups see of the file. It is immutable.
type liteView struct {
	file *liteFile
	down error // why the file cannot be trusted now, or nil
}

// A liteFile is one open file, read-only.
type liteFile struct {
	db         *sql.DB
	statements []*sql.Stmt
	layouts    []layout
	info       fs.FileInfo // which file, to notice that another has come in its place
	watch      *sql.Conn   // data_version is a connection's own
	version    int64       // what it last said; only for who holds looking
}

func openSQLite(c *Config, queries []*query) (store, error) {
	s := &lite{config: c, queries: queries, stopped: make(chan struct{})}
	f, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	s.view.Store(&liteView{file: f})
	s.edition.Advance()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx)
	return s, nil
}

// open opens the file and checks the queries. What SQLite says of them is shown: nobody's values are in it.
func (s *lite) open() (*liteFile, error) {
	info, err := os.Stat(s.config.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("the file does not exist")
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	uri, err := database.SQLite(s.config.File, "ro", busyTimeout, "query_only(1)")
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", uri)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(s.config.MaxConns + 1) // and the one that watches
	db.SetMaxIdleConns(s.config.MaxConns + 1)
	f := &liteFile{db: db, info: info}
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Timeout)
	defer cancel()
	if err := f.prepare(ctx, s.queries); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *liteFile) prepare(ctx context.Context, queries []*query) (err error) {
	if f.watch, err = f.db.Conn(ctx); err != nil {
		return fmt.Errorf("not readable: %w", err)
	}
	if f.version, err = f.look(ctx); err != nil {
		return fmt.Errorf("not readable: %w", err)
	}
	for i, q := range queries {
		// As a part of a statement it can only be one SELECT: the driver would run several, one after another.
		text := "select * from (\n" + strings.TrimRight(q.text, "; \t\r\n") + "\n)"
		statement, err := f.db.PrepareContext(ctx, text)
		if err != nil {
			return &QueryError{i + 1, err}
		}
		f.statements = append(f.statements, statement)
		l, err := describe(ctx, statement, q)
		if err != nil {
			return &QueryError{i + 1, err}
		}
		f.layouts = append(f.layouts, l)
	}
	return nil
}

// describe checks the parameters and columns of a query by asking it for nobody.
func describe(ctx context.Context, statement *sql.Stmt, q *query) (layout, error) {
	rows, err := statement.QueryContext(ctx, make([]any, q.params)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	// A query that does not ask for the subject would give to each what is others'.
	if fewer, err := statement.QueryContext(ctx, make([]any, q.params-1)...); err == nil {
		fewer.Close()
		return nil, fmt.Errorf("it has no parameter ?%d, and a subject of type %s is %d", q.params, q.subject, q.params)
	}
	return q.lay(names)
}

// look reads the number that is another one after another connection has changed the file.
func (f *liteFile) look(ctx context.Context) (version int64, err error) {
	err = f.watch.QueryRowContext(ctx, "pragma data_version").Scan(&version)
	return version, err
}

func (f *liteFile) close() error {
	if f.watch != nil {
		f.watch.Close()
	}
	return f.db.Close()
}

// read implements store.
func (s *lite) read(ctx context.Context, calls []*call) error {
	for {
		v := s.view.Load()
		if v.down != nil {
			return v.down
		}
		err := v.file.read(ctx, calls)
		if err != nil && ctx.Err() == nil && s.view.Load().file != v.file {
			for _, c := range calls { // another file took the place of the one that was closed under the look-up
				c.reset()
			}
			continue
		}
		return cause(err)
	}
}

// read asks all calls in one transaction, and so of one state of the file.
func (f *liteFile) read(ctx context.Context, calls []*call) error {
	tx, err := f.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing was written
	for _, c := range calls {
		if err := c.readLite(ctx, tx.StmtContext(ctx, f.statements[c.query.index]), f.layouts[c.query.index]); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) readLite(ctx context.Context, statement *sql.Stmt, l layout) error {
	rows, err := statement.QueryContext(ctx, c.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	values, into, row := make([]any, len(l)), make([]any, len(l)), make([]cell, len(l))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range l {
			if row[i], err = liteCell(values[i], &l[i]); err != nil {
				c.rows++
				return c.fail(l[i].name, l[i].definition, err)
			}
		}
		if err := c.take(l, row); err != nil {
			return err
		}
	}
	return rows.Err()
}

var errTime = errors.New("it is not a time with its zone, such as 2026-11-21T20:00:00Z")

// liteCell reads a value of SQLite, where each cell has a type of its own. A number is no text: it has lost the zeros in front.
func liteCell(v any, c *column) (cell, error) {
	switch v := v.(type) {
	case nil:
		return cell{}, nil
	case bool:
		return booleanCell(v), nil
	case int64:
		if c.accepts&acceptsBoolean != 0 && (v == 0 || v == 1) {
			return booleanCell(v == 1), nil
		}
		return cell{kind: kindForeign, text: "integer"}, nil
	case float64:
		return cell{kind: kindForeign, text: "real"}, nil
	case []byte:
		return cell{kind: kindForeign, text: "blob"}, nil
	case string:
		if c.accepts != acceptsInstant {
			return cell{kind: kindText, text: v}, nil
		}
		if len(v) > attrs.MaxTextBytes {
			return cell{}, errTooLong
		}
		at, err := rfc3339.Parse(v)
		if err != nil {
			return cell{}, errTime
		}
		return cell{kind: kindInstant, at: at}, nil
	}
	return cell{kind: kindForeign, text: "date"}, nil // a number that the driver took for a time, because of the column's declaration
}

// probe implements store: every query for a subject that is NULL, which is nobody.
func (s *lite) probe(ctx context.Context) error {
	if err := s.refresh(ctx); err != nil {
		return cause(err)
	}
	return answered(s.read(ctx, nobody(s.queries, s.config.MaxRows)))
}

// epoch implements store.
func (s *lite) epoch() (uint64, bool) { return s.edition.Epoch() }

// close implements store.
func (s *lite) close() error {
	s.stop()
	<-s.stopped
	s.looking.Lock()
	defer s.looking.Unlock()
	v := s.view.Load()
	if v.down == errClosed {
		return nil
	}
	s.edition.Lose()
	s.view.Store(&liteView{file: v.file, down: errClosed})
	return v.file.close()
}

package sqlsource

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

var errClosed = errors.New("the source is closed")

// postgres is the store on PostgreSQL.
type postgres struct {
	pool     *pgxpool.Pool
	queries  []*query
	connect  time.Duration // for preparing a connection
	most     int           // rows
	listener *listener     // nil without a channel
	closed   atomic.Bool
}

// setSession makes everything on a connection read-only, and the statements of one batch, which are one transaction, read
// one state. Set after connecting and not by start-up parameters, which would make target_session_attrs=read-write find no
// server.
const setSession = `select set_config('default_transaction_read_only', 'on', false),
 set_config('default_transaction_isolation', 'repeatable read', false)`

// setTimeout bounds what follows in the same transaction: a server that no longer hears us ends by itself.
const (
	setTimeout     = `select set_config('statement_timeout', $1, true)`
	setTimeoutName = "sceau_timeout"
)

// layouts is the key of a connection's custom data.
const layoutsKey = "sceau/attrs/sqlsource layouts"

func openPostgres(c *Config, queries []*query) (store, error) {
	config, err := poolConfig(c)
	if err != nil {
		return nil, err
	}
	p := &postgres{queries: queries, connect: c.Postgres.ConnectTimeout, most: c.MaxRows}
	config.AfterConnect = p.prepare
	if p.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, cause(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	if conn, err := p.pool.Acquire(ctx); err == nil {
		conn.Release()
	} else if setup := (*setupError)(nil); errors.As(cause(err), &setup) {
		p.pool.Close()
		return nil, setup
	}
	if c.Postgres.Channel != "" {
		p.listener = listen(config.ConnConfig, &c.Postgres)
	}
	return p, nil
}

// prepare makes a new connection ready: it prepares the queries and checks their columns, since the database may be another
// one, or have changed, since the last.
func (p *postgres) prepare(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, p.connect)
	defer cancel()
	if _, err := conn.Exec(ctx, setSession); err != nil {
		return err
	}
	if _, err := conn.Prepare(ctx, setTimeoutName, setTimeout); err != nil {
		return err
	}
	layouts := make([]layout, len(p.queries))
	for i, q := range p.queries {
		d, err := conn.Prepare(ctx, q.statement(), q.text)
		if err == nil {
			layouts[i], err = q.describe(d)
		} else if server := (*pgconn.PgError)(nil); errors.As(err, &server) {
			// Nobody's values are in it yet: the server's own words help.
			if _, setup := serverError(server).(*setupError); setup {
				err = &setupError{&QueryError{i + 1, fmt.Errorf("%s (SQLSTATE %s)", server.Message, server.Code)}}
			}
		}
		if err != nil {
			return err
		}
	}
	conn.PgConn().CustomData()[layoutsKey] = layouts
	return nil
}

// statement is the name under which a connection knows the query.
func (q *query) statement() string { return "sceau_query_" + strconv.Itoa(q.index+1) }

// describe checks the parameters and columns that the server says a query has.
func (q *query) describe(d *pgconn.StatementDescription) (layout, error) {
	fail := func(format string, args ...any) (layout, error) {
		return nil, &setupError{&QueryError{q.index + 1, fmt.Errorf(format, args...)}}
	}
	if len(d.ParamOIDs) != q.params {
		return fail("it has %d parameters, and a subject of type %s is %d", len(d.ParamOIDs), q.subject, q.params)
	}
	for i, oid := range d.ParamOIDs {
		if accepted(oid) != acceptsText {
			return fail("the parameter $%d is not text: write $%d::text", i+1, i+1)
		}
	}
	var names []string
	for _, f := range d.Fields {
		names = append(names, f.Name)
	}
	l, err := q.lay(names)
	if err != nil {
		return fail("%w", err)
	}
	for i := range l {
		is := accepted(d.Fields[i].DataTypeOID)
		if l[i].accepts&is == 0 {
			return fail("the column %s is not %s", l[i].name, l[i].accepts)
		}
		l[i].accepts = is
	}
	return l, nil
}

// accepted gives what a column of the type holds, or nothing. A timestamp without time zone is a time of nobody knows
// where, a date even less, and a number has lost the zeros in front.
func accepted(oid uint32) accepts {
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID:
		return acceptsText
	case pgtype.BoolOID:
		return acceptsBoolean
	case pgtype.TimestamptzOID:
		return acceptsInstant
	}
	return 0
}

// read implements store. All calls go to the server at once, and are one transaction.
func (p *postgres) read(ctx context.Context, calls []*call) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return p.cause(err)
	}
	defer conn.Release()
	layouts, ok := conn.Conn().PgConn().CustomData()[layoutsKey].([]layout)
	if !ok {
		return errors.New("a connection that was not prepared")
	}
	err = ask(ctx, conn.Conn(), layouts, calls)
	if server := (*pgconn.PgError)(nil); errors.As(err, &server) && suspect(server) {
		closeNow(conn.Conn())
	}
	return p.cause(err)
}

// suspect says whether a connection may be unfit because of the error: its statements may no longer fit the database, and
// the next connection finds out. It is not where the server ended a statement, or could not compute with its data.
func suspect(e *pgconn.PgError) bool {
	return e.Code != "57014" && !strings.HasPrefix(e.Code, "22")
}

// closeNow ends a connection without waiting for the server.
func closeNow(conn *pgx.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	conn.Close(ctx)
}

func (p *postgres) cause(err error) error {
	if err != nil && p.closed.Load() {
		return errClosed
	}
	return cause(err)
}

func ask(ctx context.Context, conn *pgx.Conn, layouts []layout, calls []*call) error {
	bounded, giveUp := context.WithCancel(ctx)
	defer giveUp()
	b := &pgx.Batch{}
	b.Queue(setTimeoutName, milliseconds(ctx))
	for _, c := range calls {
		b.Queue(c.query.statement(), c.args...)
	}
	results := conn.SendBatch(bounded, b)
	err := readResults(results, layouts, calls)
	if errors.Is(err, errTooManyRows) {
		giveUp() // what the server still sends is not read: the connection ends
		results.Close()
		return err
	}
	if end := results.Close(); err == nil {
		err = end // an answer that breaks off is not a short answer
	}
	return err
}

func readResults(results pgx.BatchResults, layouts []layout, calls []*call) error {
	if _, err := results.Exec(); err != nil {
		return err
	}
	for _, c := range calls {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		if err := readRows(rows, layouts[c.query.index], c); err != nil {
			return err
		}
	}
	return nil
}

// milliseconds gives the time that ctx leaves, at least one: zero would mean without end.
func milliseconds(ctx context.Context) string {
	left := DefaultTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	return strconv.FormatInt(min(max(left.Milliseconds(), 1), math.MaxInt32), 10)
}

// readRows reads all rows of one query. After a row that is wrong it reads on to the end, so that the connection can be used
// again, unless there are too many.
func readRows(rows pgx.Rows, l layout, c *call) error {
	texts, booleans, instants := make([]pgtype.Text, len(l)), make([]pgtype.Bool, len(l)), make([]pgtype.Timestamptz, len(l))
	into, row := make([]any, len(l)), make([]cell, len(l))
	for i := range l {
		switch l[i].accepts {
		case acceptsText:
			into[i] = &texts[i]
		case acceptsBoolean:
			into[i] = &booleans[i]
		default:
			into[i] = &instants[i]
		}
	}
	var wrong error
	for rows.Next() {
		if wrong != nil {
			if c.rows++; c.rows > c.most {
				return c.fail("", nil, errTooManyRows)
			}
			continue
		}
		if err := rows.Scan(into...); err != nil { // which has closed rows
			return c.fail("", nil, fmt.Errorf("it cannot be read (%T)", err))
		}
		for i := range l {
			row[i] = cell{}
			switch l[i].accepts {
			case acceptsText:
				if texts[i].Valid {
					row[i] = cell{kind: kindText, text: texts[i].String}
				}
			case acceptsBoolean:
				if booleans[i].Valid {
					row[i] = booleanCell(booleans[i].Bool)
				}
			default:
				row[i] = instantCell(instants[i])
			}
		}
		if wrong = c.take(l, row); errors.Is(wrong, errTooManyRows) {
			return wrong
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return wrong
}

func instantCell(t pgtype.Timestamptz) cell {
	switch {
	case !t.Valid:
		return cell{}
	case t.InfinityModifier == pgtype.Infinity:
		return cell{kind: kindForEver}
	case t.InfinityModifier == pgtype.NegativeInfinity:
		return cell{kind: kindSinceEver}
	}
	return cell{kind: kindInstant, at: t.Time}
}

// probe implements store: every query for a subject that is NULL, which is nobody.
func (p *postgres) probe(ctx context.Context) error {
	return answered(p.read(ctx, nobody(p.queries, p.most)))
}

// epoch implements store.
func (p *postgres) epoch() (uint64, bool) {
	if p.listener == nil {
		return 1, true
	}
	return p.listener.epoch.Epoch()
}

// close implements store.
func (p *postgres) close() error {
	p.closed.Store(true)
	if p.listener != nil {
		p.listener.close()
	}
	p.pool.Close()
	return nil
}

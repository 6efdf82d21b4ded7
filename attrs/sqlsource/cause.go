package sqlsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"modernc.org/sqlite"
)

// A dataError says that the database could not compute an answer out of its data: the same question will fail again.
type dataError struct{ text string }

func (e *dataError) Error() string { return e.text }

// setupError is what is wrong with a source as it is configured: it does not pass with time.
type setupError struct{ err error }

func (e *setupError) Error() string { return e.err.Error() }
func (e *setupError) Unwrap() error { return e.err }

// states are the SQLSTATEs that an operator meets, in words (PostgreSQL, appendix A).
var states = map[string]string{
	"25006": "the query writes, in a read-only transaction",
	"28000": "the user is not admitted",
	"28P01": "wrong password",
	"3D000": "no such database",
	"42501": "the user may not read it",
	"53300": "the server has no connection left",
	"57P01": "the server is being shut down",
	"57P02": "the server has crashed",
	"57P03": "the server is starting or stopping",
}

// cause makes of an error of a driver during a look-up one that can be shown: messages of a database quote values, which
// are persons' ("invalid input syntax for type bigint: …"). What is not known to be harmless is reduced to its type.
func cause(err error) error {
	var (
		row     *rowError
		data    *dataError
		setup   *setupError
		server  *pgconn.PgError
		connect *pgconn.ConnectError
		file    *fs.PathError
		network *net.OpError
		lite    *sqlite.Error
		large   *pgproto3.ExceededMaxBodyLenErr
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &row):
		return row
	case errors.As(err, &data):
		return data
	case errors.As(err, &setup):
		return setup
	case errors.As(err, &server):
		return serverError(server)
	case errors.As(err, &large):
		return &dataError{fmt.Sprintf("a row of more than %d octets", maxMessage)}
	case errors.As(err, &connect): // its text has the user, the database and the hosts, and no password
		return within(err, oneLine(connect.Error()))
	case errors.As(err, &file):
		return within(err, file.Error())
	case errors.As(err, &network):
		return within(err, network.Error())
	case errors.As(err, &lite):
		return liteError(lite)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return within(err, "no answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection broke off")
	case errors.Is(err, errClosed):
		return errClosed
	}
	return fmt.Errorf("an error of type %T", err)
}

// within keeps what is known about an error's ending, for attrs.Unavailable.
func within(err error, text string) error {
	for _, end := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, end) {
			return fmt.Errorf("%s (%w)", text, end)
		}
	}
	return errors.New(text)
}

// oneLine joins the lines of a message.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// serverError makes an error of what PostgreSQL answered.
func serverError(e *pgconn.PgError) error {
	text := "PostgreSQL: SQLSTATE " + e.Code
	if words := states[e.Code]; words != "" {
		text += ", " + words
	}
	if len(e.Code) != 5 {
		return errors.New("PostgreSQL: an error without a SQLSTATE")
	}
	switch e.Code[:2] {
	case "21", "22", "23": // cardinality, data and integrity
		return &dataError{text}
	case "28", "3D", "3F", "42", "0A", "25": // admission, names, syntax and access, what is not supported, writing
		return &setupError{errors.New(text)}
	}
	if e.Code == "57014" { // statement_timeout, which ends as the deadline does
		return fmt.Errorf("%s (%w)", text, context.DeadlineExceeded)
	}
	return errors.New(text)
}

// liteError makes an error of what SQLite answered.
func liteError(e *sqlite.Error) error {
	const (
		interrupt = 9
		tooBig    = 18
		mismatch  = 20
	)
	words := sqlite.ErrorCodeString[e.Code()]
	if words == "" {
		words = sqlite.ErrorCodeString[e.Code()&0xff]
	}
	text := fmt.Sprintf("SQLite: error %d, %s", e.Code(), words)
	switch e.Code() & 0xff {
	case tooBig, mismatch:
		return &dataError{text}
	case interrupt:
		return fmt.Errorf("%s (%w)", text, context.Canceled)
	}
	return errors.New(text)
}

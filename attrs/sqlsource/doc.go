// Package sqlsource asks an authentic source that is an SQL database: PostgreSQL, or a file of SQLite that another program
// fills. It implements [attrs.Source] and [attrs.Versioned].
//
// # Queries
//
// A configuration holds queries, each for one type of subject and a set of attributes. The number of the subject is the
// parameter, $1 in PostgreSQL and ?1 in SQLite; a relation such as nihii/ssin has two, $1 and $2, in the order of its name. Nothing else
// goes to the database: texts are prepared as they stand, once for each connection, and which of its attributes are asked
// for does not change them. One look-up runs each query that it needs once for each subject, all in one round trip, in one read-only
// transaction, and so of one state of the data.
//
// A result is read by the names of its columns, and has one of two shapes. A column that means nothing here is refused when
// the query is prepared.
//
//	long rows   one fact a row: attribute, value, and optionally not_before, not_on_or_after
//	wide rows   one column an attribute, under its name in [Query].Attributes, and optionally not_before and not_on_or_after,
//	            which bound all of the row; several rows are several values
//
// Who knows the RelationalDatabase connector of Shibboleth finds its columns in the wide rows. Either shape may have a column
// subject, which must hold the number that was asked for (of a relation both, joined by a slash): a guard against a query that
// finds another's rows.
//
//	select attribute, value, not_before, not_on_or_after from certified where ssin = $1
//	select doctor, nihii, until as not_on_or_after from staff where ssin = $1
//
// # Cells
//
//	text        text, varchar, char or name. A number is refused: it has lost the zeros in front. A value must be one of its
//	            attribute's kind as it stands, check digits included, without blanks around it.
//	boolean     a boolean, or the words true and false; in SQLite also the integers 1 and 0.
//	instant     timestamp with time zone; in SQLite text of RFC 3339 with a zone. A timestamp without zone and a date are
//	            refused: the query says whose they are, (until + 1)::timestamp at time zone 'Europe/Brussels'. The time zone
//	            of the session is UTC unless the DSN says otherwise.
//	NULL        as a bound: unbounded, like -infinity as not_before and infinity as not_on_or_after. In a column of a wide row:
//	            no fact. As attribute, value or subject: an error.
//
// # Answers
//
// Rows are facts, and [attrs.Certify] makes the answer of those that hold at the instant asked: without one, a boolean is denied and
// another attribute unknown. Rows that are over or yet to come may be there; those to come bound a denial. Rows that say the
// same twice are one fact. An answer without end needs a bound: a query has a column not_on_or_after, or the source a TTL,
// which ends every answer, denials too, that long after it was retrieved.
//
// Everything else is an *[attrs.Error], and no part of an answer is given. Reason BadAnswer: a row that cannot be read, that
// names an attribute which the query is not configured to answer (ignored, a misspelt name would say that somebody is no
// doctor; let the query select what it means), that is about another subject, that ends before it begins; two values at one instant of
// an attribute that has one; a value of a wrong form, or longer than [attrs.MaxTextBytes]; more rows than MaxRows; an error in
// computing the answer. DeadlineExceeded: no answer, or no free connection, within the deadline of the context and Timeout.
// SourceUnavailable: all else. Errors tell the SQLSTATE and not the words of the database, which quote values.
//
// # PostgreSQL
//
// The server must prove who it is (sslmode=verify-full) unless it is on this machine or UnverifiedServer is set. A DSN with
// several hosts is tried in their order for each new connection, each for ConnectTimeout; target_session_attrs chooses
// among them. A connection is read-only, is tested before use if it was idle for a second, and is given up when a look-up
// fails on it. A query ends with the deadline, at the server by statement_timeout. A server that cannot be reached when the
// source is opened is no error of the configuration.
// Prepared statements and settings belong to a session: a pooler between must pool sessions, not transactions.
//
// # Changes
//
// With a Channel the source listens on it, and any NOTIFY there, best sent by triggers on all tables that the queries read,
// ends what was kept of its answers at once. While the connection that listens is lost nobody can tell, and nothing kept is
// used. A loss without a word is noticed after two Heartbeats. Since a standby cannot listen, and may lag behind a notice, a source
// with a channel talks to primaries only. Without a channel [Source.Epoch] is constant: an answer may be kept as long as
// the resolver's time to live and TTL allow, as with a source that is not Versioned.
//
// SQLite tells of every change of the file by another connection (data_version); it is looked at every PollInterval. A file
// that is moved away, or replaced by another, is noticed then too. It is opened read-only; in WAL mode the -shm file beside it
// must be writable nevertheless.
package sqlsource

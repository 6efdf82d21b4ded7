package sqlsource

import (
	"strings"
	"testing"
	"time"
)

// wide is a table of people as an application keeps it: a row a person, or a job.
const (
	liteStaff = "create table staff (ssin text, doctor boolean, nihii text, name text, since text, until text)"
	pgStaff   = "create table staff (ssin char(11), doctor boolean, nihii varchar(11), name text, since timestamptz, until timestamptz)"
)

// Wide rows: a column an attribute, under names of the database's own.
func TestWideRows(t *testing.T) {
	columns := map[string]string{"doctor": doctor, "nihii": nihii11, "name": quality}
	text := "select doctor, nihii, name, since as not_before, until as not_on_or_after from staff where ssin = "
	const a = "('" + alice + "',"
	for _, tt := range []struct {
		name string
		ttl  time.Duration
		rows []string
		ask  []string
		want string
	}{
		{"nobody", 0, nil, []string{doctor, nihii11, quality}, "denied, unknown, unknown"},
		{"all of it", 0, []string{a + "true,'71000042001','x',null,null)"}, []string{doctor, nihii11, quality}, "affirmed, 71000042001, x"},
		{"false", 0, []string{a + "false,null,null,null,null)"}, []string{doctor}, "denied"},
		{"NULL is no fact", 0, []string{a + "null,null,null,null,null)"}, []string{doctor, nihii11, quality}, "denied, unknown, unknown"},
		{"NULL in one row, a value in another", 0, []string{a + "null,null,'x',null,null)", a + "true,'71000042001',null,null,null)"},
			[]string{doctor, nihii11, quality}, "affirmed, 71000042001, x"},
		{"the validity is the row's", 0, []string{a + "true,'71000042001','x','2020-01-01T00:00:00Z','2027-01-01T00:00:00+01:00')"}, []string{doctor, nihii11},
			"affirmed from 2020-01-01T00:00:00 until 2026-12-31T23:00:00, 71000042001 from 2020-01-01T00:00:00 until 2026-12-31T23:00:00"},
		{"a row that is over and one that is not", 0, []string{a + "true,null,'old',null,'2025-01-01T00:00:00Z')", a + "null,null,'new','2025-01-01T00:00:00Z',null)"},
			[]string{doctor, quality}, "denied, new from 2025-01-01T00:00:00"},
		{"many rows are many values", 0, []string{a + "true,null,'b',null,null)", a + "true,null,'a',null,'2027-01-01T00:00:00Z')"},
			[]string{doctor, quality}, "affirmed, a+b until 2027-01-01T00:00:00"},
		{"a ttl", time.Minute, []string{a + "true,null,'b',null,null)"}, []string{doctor, nihii11}, "affirmed until 2026-11-21T20:01:00, unknown until 2026-11-21T20:01:00"},
		{"two values of one", 0, []string{a + "true,'71000042001',null,null,null)", a + "true,'71000042002',null,null,null)"}, []string{nihii11}, "bad answer: source hr: " + nihii11 + ": several facts"},
		{"true and false", 0, []string{a + "true,null,null,null,null)", a + "false,null,null,null,null)"}, []string{doctor}, "bad answer: source hr: " + doctor + ": several facts"},
		{"what is wrong with a column that is not asked for is not asked for", 0, []string{a + "true,'x',null,null,null)"}, []string{doctor}, "affirmed"},
		{"wrong check digits", 0, []string{a + "true,'71000043001',null,null,null)"}, []string{doctor, nihii11}, "bad answer: source hr: " + nihii11 + ": a value is not"},
		{"ends before it begins", 0, []string{a + "true,null,null,'2026-01-01T00:00:00Z','2025-01-01T00:00:00Z')"}, []string{doctor}, "column not_on_or_after: it ends before"},
		{"very long", 0, []string{a + "true,null,'" + strings.Repeat("x", 5000) + "',null,null)"}, []string{doctor}, "bad answer: source hr: " + quality + ": query 1, row 1, column name: it is too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var inserts []string
			for _, r := range tt.rows {
				inserts = append(inserts, "insert into staff values "+r)
			}
			test := func(t *testing.T, b *desk) {
				if got := b.ask(t, alice, tt.ask...); !matches(got, tt.want) {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			}
			t.Run("sqlite", func(t *testing.T) {
				test(t, open(t, Config{Driver: SQLite, File: liteFixture(t, append([]string{liteStaff}, inserts...)...), TTL: tt.ttl,
					Queries: []Query{{Subject: "ssin", Attributes: columns, Text: text + "?1"}}}))
			})
			t.Run("postgres", func(t *testing.T) {
				s := pg(t)
				s.Schema(t, "wide", append([]string{pgStaff}, inserts...)...)
				c := s.config("wide", Query{Subject: "ssin", Attributes: columns, Text: text + "$1"})
				c.TTL = tt.ttl
				test(t, open(t, c))
			})
		})
	}
}

// What one database has and the other has not.
func TestCells(t *testing.T) {
	wide := func(columns string) Query {
		return Query{Subject: "ssin", Attributes: map[string]string{"doctor": doctor, "name": surname}, Text: "select " + columns + ", @ as subject"}
	}
	for _, tt := range []struct {
		name, driver, columns, want string
	}{
		{"integers are booleans", "sqlite", "1 as doctor, 'x' as name", "affirmed until 2026-11-21T21:00:00, x until 2026-11-21T21:00:00"},
		{"zero is false", "sqlite", "0 as doctor, 'x' as name", "denied until 2026-11-21T21:00:00, x until 2026-11-21T21:00:00"},
		{"two is no boolean", "sqlite", "2 as doctor, 'x' as name", "bad answer: source hr: " + doctor + ": query 1, row 1, column doctor: a cell of type integer"},
		{"the word true", "sqlite", "'true' as doctor, 'x' as name", "affirmed until 2026-11-21T21:00:00, x until 2026-11-21T21:00:00"},
		{"a number for a text", "sqlite", "1 as doctor, 71000042 as name", "bad answer: source hr: " + surname + ": query 1, row 1, column name: a cell of type integer"},
		{"a real", "sqlite", "1.0 as doctor, 'x' as name", "column doctor: a cell of type real"},
		{"a blob", "sqlite", "1 as doctor, x'78' as name", "column name: a cell of type blob"},
		{"octets that are no text", "sqlite", "1 as doctor, cast(x'80' as text) as name", "bad answer: source hr: " + surname + ": a value is not one of its kind"},
		{"a NUL", "sqlite", "1 as doctor, 'a' || char(0) || 'b' as name", "bad answer: source hr: " + surname + ": a value is not one of its kind"},
		{"a time without zone", "sqlite", "1 as doctor, 'x' as name, '2020-01-01 00:00:00' as not_before", "column not_before: it is not a time with its zone"},
		{"a date", "sqlite", "1 as doctor, 'x' as name, '2020-01-01' as not_before", "column not_before: it is not a time with its zone"},
		{"a time that does not exist", "sqlite", "1 as doctor, 'x' as name, '2025-02-29T00:00:00Z' as not_on_or_after", "column not_on_or_after: it is not a time with its zone"},
		{"seconds since 1970", "sqlite", "1 as doctor, 'x' as name, 1767225600 as not_before", "column not_before: a cell of type integer"},
		{"a column twice", "sqlite", "1 as doctor, 'x' as name, 1 as subject", "a column \"subject:1\""},

		{"the word true", "postgres", "'true' as doctor, 'x' as name", "affirmed until 2026-11-21T21:00:00, x until 2026-11-21T21:00:00"},
		{"the letter t", "postgres", "'t' as doctor, 'x' as name", "bad answer: source hr: " + doctor + ": a value is not one of its kind"},
		{"infinities that bound nothing", "postgres", "true as doctor, 'x' as name, '-infinity'::timestamptz as not_before, 'infinity'::timestamptz as not_on_or_after",
			"affirmed until 2026-11-21T21:00:00, x until 2026-11-21T21:00:00"},
		{"never begins", "postgres", "true as doctor, 'x' as name, 'infinity'::timestamptz as not_before", "column not_before: infinity is no beginning"},
		{"has always been over", "postgres", "true as doctor, 'x' as name, '-infinity'::timestamptz as not_on_or_after", "column not_on_or_after: infinity is no beginning"},
		{"before our era", "postgres", "true as doctor, 'x' as name, '0044-03-15 BC'::timestamptz as not_before", "column not_before: it is out of the years"},
		{"in 10000", "postgres", "true as doctor, 'x' as name, '10000-01-01Z'::timestamptz as not_on_or_after", "column not_on_or_after: it is out of the years"},
		{"a date of Brussels, turned into an instant", "postgres", "true as doctor, 'x' as name, date '2027-01-01'::timestamp at time zone 'Europe/Brussels' as not_on_or_after",
			"affirmed until 2026-11-21T21:00:00, x until 2026-11-21T21:00:00"},
		{"a date as the session's zone has it, which is UTC", "postgres", "true as doctor, 'x' as name, (date '2026-11-21')::timestamptz as not_before",
			"affirmed from 2026-11-21T00:00:00 until 2026-11-21T21:00:00, x from 2026-11-21T00:00:00 until 2026-11-21T21:00:00"},
		{"an error that quotes the number", "postgres", "(($1 || 'x')::int = 1) as doctor, 'x' as name", "bad answer: source hr: PostgreSQL: SQLSTATE 22P02"},
		{"a row of megabytes", "postgres", "true as doctor, repeat('x', 2000000) as name", "bad answer: source hr: a row of more than 1048576 octets"},
		{"an error in computing", "postgres", "(1/(length($1)-length($1)) = 1) as doctor, 'x' as name", "bad answer: source hr: PostgreSQL: SQLSTATE 22012"},
	} {
		t.Run(tt.driver+"/"+tt.name, func(t *testing.T) {
			q, c := wide(tt.columns), Config{}
			if tt.driver == "sqlite" {
				q.Text = strings.Replace(q.Text, "@", "?1", 1)
				c = Config{Driver: SQLite, File: liteFixture(t, "create table t (a)"), Queries: []Query{q}}
			} else {
				q.Text = strings.Replace(q.Text, "@", "$1::text", 1)
				c = pg(t).config("public", q)
			}
			c.TTL = time.Hour
			b, err := tryOpen(t, c)
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				return
			}
			if got := b.ask(t, alice, doctor, surname); !strings.Contains(got, tt.want) || strings.Contains(got, alice) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if tt.name == "a row of megabytes" {
				return // nor can it be had for nobody
			}
			if err := b.Health(t.Context()); err != nil {
				t.Errorf("health: %v", err)
			}
		})
	}
}

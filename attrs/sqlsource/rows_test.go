package sqlsource

import (
	"strings"
	"testing"
	"time"
)

// A table of facts as long rows, in both databases.
const (
	liteCertified = "create table certified (ssin text, attribute text, value text, not_before text, not_on_or_after text)"
	pgCertified   = "create table certified (ssin text, attribute text, value text, not_before timestamptz, not_on_or_after timestamptz)"
	longText      = "select attribute, value, not_before, not_on_or_after from certified where ssin = "
)

func long(parameter string) Query {
	return Query{Subject: "ssin", Attributes: same(doctor, nurse, nihii11, surname, quality), Text: longText + parameter}
}

// both runs a test on SQLite and on PostgreSQL, in a fresh table certified with the rows, which are the tails of inserts.
func both(t *testing.T, ttl time.Duration, query func(parameter string) Query, rows []string, test func(t *testing.T, b *desk)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		statements := []string{liteCertified}
		for _, r := range rows {
			statements = append(statements, insert(r))
		}
		test(t, open(t, Config{Driver: SQLite, File: liteFixture(t, statements...), TTL: ttl, MaxRows: 6, Queries: []Query{query("?1")}}))
	})
	t.Run("postgres", func(t *testing.T) {
		s := pg(t)
		statements := []string{pgCertified}
		for _, r := range rows {
			statements = append(statements, insert(r))
		}
		s.Schema(t, "rows", statements...)
		c := s.config("rows", query("$1"))
		c.TTL, c.MaxRows = ttl, 6
		test(t, open(t, c))
	})
}

func insert(row string) string {
	if strings.HasPrefix(row, "(") {
		row = "values " + row
	}
	return "insert into certified " + row
}

// Long rows: what each makes of its attribute.
func TestLongRows(t *testing.T) {
	const a = "('" + alice + "','"
	for _, tt := range []struct {
		name string
		ttl  time.Duration
		rows []string
		ask  []string
		want string
	}{
		{"nobody", 0, nil, []string{doctor, nihii11}, "denied, unknown"},
		{"somebody else", 0, []string{"('" + bob + "','" + doctor + "','true',null,null)"}, []string{doctor}, "denied"},
		{"true for ever", 0, []string{a + doctor + "','true',null,null)"}, []string{doctor}, "affirmed"},
		{"said to be false", 0, []string{a + doctor + "','false',null,null)"}, []string{doctor}, "denied"},
		{"a value", 0, []string{a + nihii11 + "','71000042001',null,null)"}, []string{nihii11, doctor}, "71000042001, denied"},
		{"bounds in UTC", 0, []string{a + doctor + "','true','2020-01-01T00:00:00Z','2027-01-01T00:00:00Z')"}, []string{doctor},
			"affirmed from 2020-01-01T00:00:00 until 2027-01-01T00:00:00"},
		{"bounds in another zone", 0, []string{a + doctor + "','true','2020-01-01T00:00:00+01:00','2027-07-01T00:00:00.5+02:00')"}, []string{doctor},
			"affirmed from 2019-12-31T23:00:00 until 2027-06-30T22:00:00.5"},
		{"over", 0, []string{a + doctor + "','true',null,'2026-11-21T20:00:00Z')"}, []string{doctor}, "denied"},
		{"the last microsecond", 0, []string{a + doctor + "','true',null,'2026-11-21T20:00:00.000001Z')"}, []string{doctor}, "affirmed until 2026-11-21T20:00:00.000001"},
		{"begins now", 0, []string{a + doctor + "','true','2026-11-21T20:00:00Z',null)"}, []string{doctor}, "affirmed from 2026-11-21T20:00:00"},
		{"will begin", 0, []string{a + doctor + "','true','2026-12-01T00:00:00Z',null)"}, []string{doctor}, "denied until 2026-12-01T00:00:00"},
		{"one after the other", 0, []string{a + surname + "','Old','2020-01-01T00:00:00Z','2026-01-01T00:00:00Z')", a + surname + "','New','2026-01-01T00:00:00Z',null)"},
			[]string{surname}, "New from 2026-01-01T00:00:00"},
		{"several values", 0, []string{a + quality + "','b',null,null)", a + quality + "','a',null,'2027-01-01T00:00:00Z')"}, []string{quality}, "a+b until 2027-01-01T00:00:00"},
		{"the same row twice", 0, []string{a + surname + "','Doe',null,null)", a + surname + "','Doe',null,null)"}, []string{surname}, "Doe"},
		{"asked twice", 0, []string{a + surname + "','Doe',null,null)"}, []string{surname, surname}, "Doe, Doe"},
		{"a ttl bounds what has no end", time.Hour, []string{a + doctor + "','true',null,null)"}, []string{doctor, nurse, surname},
			"affirmed until 2026-11-21T21:00:00, denied until 2026-11-21T21:00:00, unknown until 2026-11-21T21:00:00"},
		{"a ttl bounds a later end", time.Hour, []string{a + doctor + "','true',null,'2027-01-01T00:00:00Z')"}, []string{doctor}, "affirmed until 2026-11-21T21:00:00"},
		{"an earlier end bounds the ttl", time.Hour, []string{a + doctor + "','true',null,'2026-11-21T20:30:00Z')"}, []string{doctor}, "affirmed until 2026-11-21T20:30:00"},
		{"quotes and other letters are values", 0, []string{a + surname + "','O''Brien \"x\" \\ ; -- é 中',null,null)"}, []string{surname}, `O'Brien "x" \ ; -- é 中`},

		// What must not be taken for a denial, an unknown or a part of an answer.
		{"two values of one", 0, []string{a + surname + "','A',null,null)", a + surname + "','B',null,null)"}, []string{doctor, surname}, "bad answer: source hr: " + surname + ": several facts"},
		{"true and false", 0, []string{a + doctor + "','true',null,null)", a + doctor + "','false',null,null)"}, []string{doctor}, "bad answer: source hr: " + doctor + ": several facts"},
		{"wrong check digits", 0, []string{a + nihii11 + "','71000043001',null,null)"}, []string{nihii11}, "bad answer: source hr: " + nihii11 + ": a value is not one of its kind"},
		{"no boolean", 0, []string{a + doctor + "','t',null,null)"}, []string{doctor}, "bad answer: source hr: " + doctor},
		{"a boolean with a blank", 0, []string{a + doctor + "','true ',null,null)"}, []string{doctor}, "bad answer: source hr: " + doctor},
		{"an empty value", 0, []string{a + surname + "','',null,null)"}, []string{surname}, "bad answer: source hr: " + surname},
		{"a value too long", 0, []string{a + surname + "','" + strings.Repeat("x", 1025) + "',null,null)"}, []string{surname}, "bad answer: source hr: query 1, row 1, column value: it is too long"},
		{"a value that is NULL", 0, []string{a + doctor + "',null,null,null)"}, []string{doctor}, "bad answer: source hr: query 1, row 1, column value: it is NULL"},
		{"an attribute that is NULL", 0, []string{"('" + alice + "',null,'true',null,null)"}, []string{doctor}, "bad answer: source hr: query 1, row 1, column attribute: it is NULL"},
		{"an attribute that is not named", 0, []string{a + nurse + "','true',null,null)", a + doctor + "s','true',null,null)"}, []string{nurse}, "bad answer: source hr: query 1, row 2, column attribute: it names no attribute"},
		{"an attribute in capitals", 0, []string{a + strings.ToUpper(doctor) + "','true',null,null)"}, []string{doctor}, "column attribute: it names no attribute"},
		{"ends before it begins", 0, []string{a + doctor + "','true','2027-01-01T00:00:00Z','2026-01-01T00:00:00Z')"}, []string{doctor}, "column not_on_or_after: it ends before"},
		{"ends when it begins", 0, []string{a + doctor + "','true','2027-01-01T00:00:00Z','2027-01-01T00:00:00Z')"}, []string{doctor}, "column not_on_or_after: it ends before"},
		{"a row of another attribute that cannot be read", 0, []string{a + doctor + "','true',null,null)", a + nurse + "',null,null,null)"}, []string{doctor}, "row 2, column value: it is NULL"},
		{"as many rows as may be", 0, several(a+quality, 6), []string{quality}, "v0+v1+v2+v3+v4+v5"},
		{"a row too many", 0, several(a+quality, 7), []string{quality}, "bad answer: source hr: query 1, row 7: more rows"},
		{"very many rows", 0, []string{"select '" + alice + "','" + quality + "','v' || x.n,null,null from (with recursive c(n) as (select 1 union all select n+1 from c where n < 20000) select n from c) as x"},
			[]string{quality}, "bad answer: source hr: query 1, row 7: more rows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			both(t, tt.ttl, long, tt.rows, func(t *testing.T, b *desk) {
				for range 2 { // the second time on the same connection or a new one
					if got := b.ask(t, alice, tt.ask...); !matches(got, tt.want) {
						t.Errorf("got  %s\nwant %s", got, tt.want)
					}
				}
			})
		})
	}
}

// matches: answers must be equal, errors contain what is wanted.
func matches(got, want string) bool {
	if strings.Contains(want, ": ") {
		return strings.Contains(got, want) && strings.HasPrefix(got, "bad answer: source hr")
	}
	return got == want
}

func several(prefix string, n int) (rows []string) {
	for i := range n {
		rows = append(rows, prefix+"','v"+string(rune('0'+i))+"',null,null)")
	}
	return rows
}

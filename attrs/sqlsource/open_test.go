package sqlsource

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
)

// Configurations that contradict themselves, before any database is asked.
func TestConfig(t *testing.T) {
	file := liteFixture(t, liteCertified)
	sound := Config{Driver: SQLite, File: file, TTL: time.Hour, Queries: []Query{long("?1")}}
	query := func(change func(*Query)) func(*Config) {
		return func(c *Config) {
			q := long("?1")
			change(&q)
			c.Queries = []Query{q}
		}
	}
	for _, tt := range []struct {
		name, want string
		change     func(*Config)
	}{
		{"sound", "", func(*Config) {}},
		{"the zero driver", "no driver", func(c *Config) { c.Driver = 0 }},
		{"no query", "no query", func(c *Config) { c.Queries = nil }},
		{"a file for PostgreSQL", "PostgreSQL needs a DSN", func(c *Config) { c.Driver = PostgreSQL }},
		{"a DSN for SQLite", "SQLite needs a file", func(c *Config) { c.Postgres.DSN = "host=x" }},
		{"a channel for SQLite", "SQLite needs a file", func(c *Config) { c.Postgres.Channel = "x" }},
		{"a negative time", "negative", func(c *Config) { c.TTL = -1 }},
		{"negative rows", "out of range", func(c *Config) { c.MaxRows = -1 }},
		{"too many connections", "out of range", func(c *Config) { c.MaxConns = 100_000 }},
		{"no text", "query 1: no text", query(func(q *Query) { q.Text = " \n" })},
		{"a NUL in the text", "query 1: a NUL", query(func(q *Query) { q.Text += "\x00" })},
		{"no attribute", "query 1: it answers no attribute", query(func(q *Query) { q.Attributes = nil })},
		{"an attribute that is none", `query 1: "x" is not a certified attribute`, query(func(q *Query) { q.Attributes = same("x") })},
		{"an identification attribute", "is not a certified attribute", query(func(q *Query) { q.Attributes = same(attrs.PersonSSIN) })},
		{"a computed attribute", "no source is asked for", query(func(q *Query) { q.Attributes = same(attrs.UserSession) })},
		{"an attribute of another type of subject", `is not known by "ssin"`, query(func(q *Query) { q.Attributes = same(recognised) })},
		{"a subject that is none", `is not known by "person"`, query(func(q *Query) { q.Subject = "person" })},
		{"a reserved name", `"value" cannot be the name`, query(func(q *Query) { q.Attributes = map[string]string{"value": doctor} })},
		{"two queries for one attribute", "query 2: query 1 already answers", func(c *Config) { c.Queries = append(c.Queries, c.Queries[0]) }},
		{"by an alias", "query 2: query 1 already answers", func(c *Config) {
			q := long("?1")
			q.Attributes = same("urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean")
			c.Queries = append(c.Queries, q)
		}},
		{"very many queries", "more than 64", func(c *Config) { c.Queries = make([]Query, 65) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := sound
			tt.change(&c)
			_, err := tryOpen(t, c)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := Open(Config{Driver: SQLite, File: file, Queries: sound.Queries, Catalogue: attrs.EHealth()}); err == nil {
		t.Error("a source without ID")
	}
	if _, err := Open(Config{ID: "hr", Driver: SQLite, File: file, Queries: sound.Queries}); err == nil {
		t.Error("a source without catalogue")
	}
}

// Queries that the database can tell to be wrong: found when the source is opened, and not by a wrong answer.
func TestQueriesThatCannotBe(t *testing.T) {
	wide := map[string]string{"doctor": doctor}
	for _, tt := range []struct {
		name, lite, pg, want string // the texts; empty: not with this driver
		attributes           map[string]string
	}{
		{"no SQL", "selekt doctor of staff", "selekt doctor of staff", "syntax error", wide},
		{"no such table", "select doctor from nowhere where ssin = ?1", "select doctor from nowhere where ssin = $1", "nowhere", wide},
		{"two statements", "select 1 as doctor where ?1 = ''; select 1", "select true as doctor where $1 = ''; select 1", "", wide},
		{"a statement that changes", "delete from staff where ssin = ?1 returning doctor", "", "", wide},
		{"a pragma", "pragma user_version = 7", "", "", wide},
		{"no parameter: everybody's rows", "select doctor from staff", "select doctor from staff", "parameter", wide},
		{"two parameters", "select doctor from staff where ssin = ?1 and name = ?2", "select doctor from staff where ssin = $1 and name = $2", "", wide},
		{"a name for the parameter", "select doctor from staff where ssin = :ssin", "", "", wide},
		{"a parameter that is a number", "", "select doctor from staff where length(name) = $1", "the parameter $1 is not text: write $1::text", wide},
		{"no such column", "select name from staff where ssin = ?1", "select name from staff where ssin = $1", `no column "doctor"`, wide},
		{"a column too many", "select doctor, name from staff where ssin = ?1", "select doctor, name from staff where ssin = $1", `a column "name"`, wide},
		{"a column twice", "", "select doctor, doctor from staff where ssin = $1", `two columns "doctor"`, wide},
		{"attribute without value", "select name as attribute from staff where ssin = ?1", "select name as attribute from staff where ssin = $1", "attribute and value go together", wide},
		{"long and wide", "select name as attribute, name as value, doctor from staff where ssin = ?1", "select name as attribute, name as value, doctor from staff where ssin = $1", `a column "doctor"`, wide},
		{"a number for a text", "", "select 1 as doctor where $1 = ''", "the column doctor is not text or boolean", wide},
		{"a boolean for a text", "", "select doctor as name from staff where ssin = $1", "the column name is not text", map[string]string{"name": surname}},
		{"a boolean for mixed values", "", "select name as attribute, doctor as value from staff where ssin = $1", "the column value is not text", map[string]string{"name": surname, "doctor": doctor}},
		{"a timestamp of nowhere", "", "select doctor, since::timestamp as not_before from staff where ssin = $1", "the column not_before is not timestamp with time zone", wide},
		{"a date", "", "select doctor, since::date as not_on_or_after from staff where ssin = $1", "the column not_on_or_after is not timestamp with time zone", wide},
		{"a JSON value", "", "select to_json(name) as doctor from staff where ssin = $1", "the column doctor is not text or boolean", wide},
	} {
		open := func(t *testing.T, c Config) {
			t.Helper()
			c.TTL = time.Hour
			_, err := tryOpen(t, c)
			if q := (*QueryError)(nil); err == nil || !strings.Contains(err.Error(), tt.want) || !errorsAs(err, &q) || q.Query != 1 {
				t.Errorf("%v, want %q", err, tt.want)
			}
		}
		if tt.lite != "" {
			t.Run("sqlite/"+tt.name, func(t *testing.T) {
				file := liteFixture(t, liteStaff, "insert into staff values ('x', 1, null, null, null, null)")
				open(t, Config{Driver: SQLite, File: file, Queries: []Query{{Subject: "ssin", Attributes: tt.attributes, Text: tt.lite}}})
				unchanged(t, file)
			})
		}
		if tt.pg != "" {
			t.Run("postgres/"+tt.name, func(t *testing.T) {
				s := pg(t)
				s.Schema(t, "wrong", pgStaff)
				open(t, s.config("wrong", Query{Subject: "ssin", Attributes: tt.attributes, Text: tt.pg}))
			})
		}
	}
}

func unchanged(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, version int
	if err := db.QueryRow("select (select count(*) from staff), user_version from pragma_user_version").Scan(&rows, &version); err != nil || rows != 1 || version != 0 {
		t.Errorf("the file was changed: %d rows, version %d, %v", rows, version, err)
	}
}

// A query that has no bound for its answers is refused: a fact kept for ever is one that nobody can take back.
func TestAnswersEnd(t *testing.T) {
	file := liteFixture(t, liteStaff)
	q := Query{Subject: "ssin", Attributes: map[string]string{"doctor": doctor}, Text: "select doctor from staff where ssin = ?1"}
	c := Config{Driver: SQLite, File: file, Queries: []Query{q}}
	if _, err := tryOpen(t, c); err == nil || !strings.Contains(err.Error(), "no end") {
		t.Errorf("%v", err)
	}
	c.Queries[0].Text = "select doctor, until as not_on_or_after from staff where ssin = ?1"
	open(t, c)
}

// What a DSN may be, and that nothing of it is told.
func TestDSN(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, name := range []string{"PGPASSWORD", "PGHOST", "PGSSLMODE", "PGUSER", "PGSERVICE"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	for _, tt := range []struct {
		name     string
		postgres Postgres
		want     string // "": taken
	}{
		{"proven", Postgres{DSN: "postgres://u:hunter2@db.example/x?sslmode=verify-full"}, ""},
		{"loopback", Postgres{DSN: "host=127.0.0.1 user=u password=hunter2 sslmode=disable"}, ""},
		{"loopback, IPv6", Postgres{DSN: "host=::1 user=u sslmode=prefer"}, ""},
		{"localhost", Postgres{DSN: "host=localhost user=u"}, ""},
		{"a Unix socket", Postgres{DSN: "host=/run/postgresql user=u"}, ""},
		{"unproven, and said so", Postgres{DSN: "host=db.example user=u password=hunter2 sslmode=prefer", UnverifiedServer: true}, ""},
		{"a host of several is proven", Postgres{DSN: "postgres://u@127.0.0.1,db.example/x?sslmode=verify-full"}, ""},
		{"plain", Postgres{DSN: "host=db.example user=u password=hunter2 sslmode=disable"}, "db.example is not verified"},
		{"the default of libpq falls back to plain", Postgres{DSN: "postgres://u:hunter2@db.example/x"}, "db.example is not verified"},
		{"TLS with anybody", Postgres{DSN: "postgres://u:hunter2@db.example/x?sslmode=require"}, "db.example is not verified"},
		{"any server of the CA", Postgres{DSN: "postgres://u:hunter2@db.example/x?sslmode=verify-ca"}, "db.example is not verified"},
		{"the second host", Postgres{DSN: "host=127.0.0.1,db.example user=u password=hunter2 sslmode=require"}, "db.example is not verified"},
		{"no URL", Postgres{DSN: "postgres://u:hunter2@db.example:port/x?sslmode=verify-full"}, "the DSN cannot be read"},
		{"no keys and values", Postgres{DSN: "hunter2"}, "the DSN cannot be read"},
		{"a password in the wrong place", Postgres{DSN: "host=db.example passwrod=hunter2 sslmode=hunter2"}, "the DSN cannot be read"},
		{"a CA that is not there", Postgres{DSN: "postgres://u:hunter2@db.example/x?sslmode=verify-full&sslrootcert=/none/ca.pem"}, "/none/ca.pem"},
		{"a password file", Postgres{DSN: "host=localhost user=u", PasswordFile: write("p", "hunter2\r\n")}, ""},
		{"one that is not there", Postgres{DSN: "host=localhost user=u", PasswordFile: dir + "/none"}, "/none"},
		{"an empty one", Postgres{DSN: "host=localhost user=u", PasswordFile: write("e", "\n")}, "want one line"},
		{"one of two lines", Postgres{DSN: "host=localhost user=u", PasswordFile: write("l", "hunter2\nx\n")}, "want one line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{ID: "hr", Driver: PostgreSQL, Postgres: tt.postgres}
			c.defaults()
			p, err := poolConfig(&c)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if err != nil {
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the error tells the password: %v", err)
				}
				return
			}
			if err := p.BeforeConnect(t.Context(), p.ConnConfig); err != nil {
				t.Error(err)
			}
			if tt.postgres.PasswordFile != "" && p.ConnConfig.Password != "hunter2" {
				t.Errorf("the password is %q", p.ConnConfig.Password)
			}
			// H6: a DSN must not be able to ask for parameters written into the text.
			if mode := p.ConnConfig.DefaultQueryExecMode.String(); mode != "cache statement" {
				t.Errorf("mode %s", mode)
			}
		})
	}
}

func TestDriver(t *testing.T) {
	for _, d := range []Driver{PostgreSQL, SQLite} {
		if got, err := ParseDriver(d.String()); err != nil || got != d {
			t.Errorf("%v, %v", got, err)
		}
	}
	for _, name := range []string{"", "mysql", Driver(0).String()} {
		if got, err := ParseDriver(name); err == nil || got != 0 {
			t.Errorf("%q is %v", name, got)
		}
	}
}

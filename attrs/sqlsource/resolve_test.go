package sqlsource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/attrs"
)

func errorsAs[T any](err error, into *T) bool { return errors.As(err, into) }

// One look-up about a person, a hospital and a pharmacy's titular: three queries, of three types of subject, in one answer.
func TestSubjects(t *testing.T) {
	queries := func(one, two string) []Query {
		return []Query{
			{Subject: "ssin", Attributes: map[string]string{"doctor": doctor}, Text: "select value as doctor, subject from t where subject = " + one},
			{Subject: "nihii", Attributes: map[string]string{"recognised": recognised}, Text: "select value as recognised, subject from t where subject = " + one},
			{Subject: "nihii/ssin", Attributes: map[string]string{"titular": titular},
				Text: "select value as titular, subject from t where subject = cast(" + one + " as text) || '/' || cast(" + two + " as text)"},
		}
	}
	rows := []string{"create table t (subject text, value boolean)",
		fmt.Sprintf("insert into t values ('%s', true), ('%s', false), ('%s', true), ('%s/%s', true), ('%s/%s', false)", alice, bob, hospital, pharmacy, alice, pharmacy, bob)}
	test := func(t *testing.T, b *desk) {
		for who, recognises := range map[string]bool{alice: true, bob: false} {
			got, err := b.Resolve(t.Context(), b.query(t, who, titular, doctor, recognised), nil)
			person := map[bool]attrs.State{true: attrs.Affirmed, false: attrs.Denied}[recognises]
			if err != nil || len(got) != 3 || got[0].State != person || got[1].State != person || got[2].State != attrs.Affirmed {
				t.Errorf("%s, %v", show(got), err)
			}
		}
		// What no query answers, and what nobody is known by, is an error before the database is asked.
		if got := b.ask(t, alice, doctor, nurse); !strings.HasPrefix(got, "no source: source hr: "+nurse) {
			t.Error(got)
		}
		q := b.query(t, alice, doctor)
		q.Subjects = nil
		if got, err := b.Resolve(t.Context(), q, nil); attrs.ReasonOf(err) != attrs.NoSubject || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
		// A slash in a number would move the border between the two: the pharmacy's attribute of another person.
		q = b.query(t, alice+"/"+bob, titular)
		if got, err := b.Resolve(t.Context(), q, nil); attrs.ReasonOf(err) != attrs.InvalidQuery || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
		// Appended to what the caller has.
		before := []attrs.Certified{{Source: "mine"}}
		got, err := b.Resolve(t.Context(), b.query(t, alice, doctor), before)
		if err != nil || len(got) != 2 || got[0].Source != "mine" || got[1].Source != "hr" || !got[1].RetrievedAt.Equal(now) {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := b.Resolve(t.Context(), b.query(t, alice), before); err != nil || len(got) != 1 {
			t.Errorf("nothing asked: %+v, %v", got, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got, err := b.Resolve(ctx, b.query(t, alice, doctor), before); attrs.ReasonOf(err) != attrs.Canceled || len(got) != 1 {
			t.Errorf("after the end: %+v, %v", got, err)
		}
		if !b.Answers(b.definition(t, titular)) || b.Answers(b.definition(t, nurse)) {
			t.Error("Answers")
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		test(t, open(t, Config{Driver: SQLite, File: liteFixture(t, rows...), TTL: time.Hour, Queries: queries("?1", "?2")}))
	})
	t.Run("postgres", func(t *testing.T) {
		s := pg(t)
		s.Schema(t, "subjects", rows...)
		c := s.config("subjects", queries("$1", "$2")...)
		c.TTL = time.Hour
		test(t, open(t, c))
	})
}

// A query that finds another's rows is a bad answer where it says whose they are: a certificate of a doctor for a nurse.
func TestAnothersRows(t *testing.T) {
	q := func(parameter string) Query {
		return Query{Subject: "ssin", Attributes: same(doctor), Text: "select ssin as subject, attribute, value from certified where ssin >= " + parameter}
	}
	rows := []string{"('" + bob + "','" + doctor + "','true',null,null)"}
	both(t, time.Hour, q, rows, func(t *testing.T, b *desk) {
		if got := b.ask(t, alice, doctor); !strings.HasPrefix(got, "bad answer: source hr: query 1, row 1, column subject: it is about another subject") {
			t.Error(got)
		}
		if got := b.ask(t, bob, doctor); got != "affirmed until 2026-11-21T21:00:00" {
			t.Error(got)
		}
	})
}

// All queries of one look-up see one state: two tables that always change together never answer apart.
func TestOneState(t *testing.T) {
	queries := func(parameter string) []Query {
		return []Query{
			{Subject: "ssin", Attributes: map[string]string{"a": surname}, Text: "select v as a from one where ssin = " + parameter},
			{Subject: "ssin", Attributes: map[string]string{"b": quality}, Text: "select v as b from two where ssin = " + parameter},
		}
	}
	tables := []string{"create table one (ssin text, v text)", "create table two (ssin text, v text)",
		"insert into one values ('" + alice + "', 'g0')", "insert into two values ('" + alice + "', 'g0')"}
	test := func(t *testing.T, b *desk, change func(g int)) {
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					got, err := b.Resolve(t.Context(), b.query(t, alice, surname, quality), nil)
					if err != nil || got[0].Values[0] != got[1].Values[0] {
						t.Errorf("%s, %v", show(got), err)
						return
					}
				}
			})
		}
		for g := 1; g <= 40; g++ {
			change(g)
		}
		close(stop)
		readers.Wait()
	}
	t.Run("sqlite", func(t *testing.T) {
		file := liteFixture(t, tables...)
		b := open(t, Config{Driver: SQLite, File: file, TTL: time.Hour, MaxConns: 2, Queries: queries("?1")})
		test(t, b, func(g int) {
			liteExec(t, file, fmt.Sprintf("begin immediate; update one set v = 'g%d'; update two set v = 'g%d'; commit", g, g))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		s := pg(t)
		s.Schema(t, "state", tables...)
		c := s.config("state", queries("$1")...)
		c.TTL, c.MaxConns = time.Hour, 3 // fewer than readers: they wait for one another
		test(t, open(t, c), func(g int) {
			s.Exec(t, fmt.Sprintf("begin; update state.one set v = 'g%d'; select pg_sleep(0.005); update state.two set v = 'g%d'; commit", g, g))
		})
	})
}

// Sessions cannot write, whatever a query does, even as a superuser.
func TestReadOnly(t *testing.T) {
	s := pg(t)
	s.Schema(t, "readonly", "create table t (x text)",
		"create function writes(who text) returns boolean language plpgsql as $$ begin insert into readonly.t values (who); return true; end $$")
	c := s.config("readonly", Query{Subject: "ssin", Attributes: map[string]string{"doctor": doctor}, Text: "select readonly.writes($1) as doctor"})
	c.Postgres.DSN, c.Postgres.PasswordFile, c.TTL = s.Admin, "", time.Hour
	b := open(t, c)
	if got := b.ask(t, alice, doctor); !strings.HasPrefix(got, "source unavailable: source hr: PostgreSQL: SQLSTATE 25006, the query writes") {
		t.Error(got)
	}
	if err := b.Health(t.Context()); attrs.ReasonOf(err) != attrs.SourceUnavailable {
		t.Errorf("health: %v", err)
	}
	s.Exec(t, "do $$ begin assert (select count(*) from readonly.t) = 0; end $$")
}

// An answer for an instant after the TTL is none that can be given now.
func TestInstantBeyondTTL(t *testing.T) {
	both(t, time.Hour, long, nil, func(t *testing.T, b *desk) {
		q := b.query(t, alice, doctor)
		q.At = now.Add(2 * time.Hour)
		if got, err := b.Resolve(t.Context(), q, nil); attrs.ReasonOf(err) != attrs.BadAnswer || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

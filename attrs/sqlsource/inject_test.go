package sqlsource

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/attrs"
)

// What would get through if anything could: the doctor's row for another subject, all rows, the secret table, a second statement.
var injections = []string{
	"' or '1'='1", "' or 1=1 --", "\\' or 1=1 --", "'' or ''='", "00000000097' --", "00000000097'; drop table certified; --", "x' union select attribute, 'true', null, null from certified --",
	"$1", "?1", "' || (select value from secret) || '", "%", "_", "0000000009_", "*", "\x00", "00000000097\x00", "\x00' or 1=1", "\xc0\xa7 or 1=1", "\xbf'", "＇ or 1=1", "ʼ or 1=1",
	"00000000097 ", " 00000000097", "00000000097\n", "97", "\u202e79000000000", "null", "NULL", "", "/* */", "E'\\x27'", "$$x$$", ";", strings.Repeat("'", 4000), strings.Repeat("9", 1<<20),
}

// outcome demands that who, who is not Alice, gets nothing of what is hers.
func outcome(t interface{ Errorf(string, ...any) }, b *desk, q *attrs.Query, who string) {
	if who == alice {
		return
	}
	q.Subjects[0].Value = who
	got, err := b.Resolve(contextOf(), q, nil)
	switch {
	case err != nil && len(got) == 0:
		if strings.Contains(err.Error(), "secret of") || len(who) > 8 && strings.Contains(err.Error(), who) {
			t.Errorf("%q: the error quotes: %v", who, err)
		}
	case err != nil || len(got) != 2 || got[0].State != attrs.Denied || got[1].State != attrs.Unknown:
		t.Errorf("%q: %s, %v", who, show(got), err)
	}
}

// Numbers of subjects that are none (H6): each is compared as a text, and none is a part of a statement.
func TestInjection(t *testing.T) {
	rows := []string{"('" + alice + "','" + doctor + "','true',null,null)", "('" + alice + "','" + surname + "','secret of Alice',null,null)"}
	both(t, 0, long, rows, func(t *testing.T, b *desk) {
		q := b.query(t, alice, doctor, surname)
		began := 0
		var s *server
		if b.config.Driver == PostgreSQL {
			s = pg(t)
			s.Exec(t, "create table rows.secret as select 'secret of all' as value")
			text, err := os.ReadFile(s.Log())
			if err != nil {
				t.Fatal(err)
			}
			began = len(text)
		}
		for _, who := range injections {
			outcome(t, b, q, who)
		}
		rapid.Check(t, func(r *rapid.T) {
			who := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9'"\\;%$?\x00 -]{0,20}`), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
				rapid.Map(rapid.SampledFrom(injections), func(s string) string { return alice + s })).Draw(r, "who")
			outcome(r, b, q, who)
		})
		if got := b.ask(t, alice, doctor, surname); got != "affirmed, secret of Alice" {
			t.Errorf("afterwards: %s", got)
		}
		if s != nil {
			constantTexts(t, s, began)
		}
	})
}

var executed = regexp.MustCompile(`(?m) LOG:  (statement|execute [a-z_0-9]+): (.*)$`)

// constantTexts demands of the server's log that it was told no statements but those that a source always tells it.
func constantTexts(t *testing.T, s *server, from int) {
	t.Helper()
	text, err := os.ReadFile(s.Log())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, m := range executed.FindAllStringSubmatch(string(text[from:]), -1) {
		seen[m[1]+": "+m[2]]++
	}
	asked := "execute sceau_query_1: " + longText + "$1"
	if seen[asked] < 50 { // the others the server refused before it ran them: they are no UTF-8
		t.Errorf("asked %d times", seen[asked])
	}
	for statement := range seen {
		switch statement {
		case asked, "execute sceau_timeout: " + setTimeout,
			"statement: select set_config('default_transaction_read_only', 'on', false),", // a new connection; the log breaks the line
			"statement: -- ping", "statement: ;":
		default:
			t.Errorf("the server was told %q", statement)
		}
	}
}

// Rows whose names of attributes try the same the other way round: out of the database into the answer.
func TestHostileRows(t *testing.T) {
	for _, name := range []string{doctor + "'", doctor + " ", " " + doctor, doctor + "\n", "", strings.ToUpper(doctor), "urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean", "*", nihii11 + "," + doctor, strings.Repeat("x", 5000)} {
		both(t, 0, func(p string) Query { q := long(p); q.Attributes = same(doctor, surname); return q },
			[]string{"('" + alice + "','" + strings.ReplaceAll(name, "'", "''") + "','true',null,null)"}, func(t *testing.T, b *desk) {
				if got := b.ask(t, alice, doctor); !strings.HasPrefix(got, "bad answer: source hr: query 1, row 1, column attribute") {
					t.Errorf("%.40q: %s", name, got)
				}
			})
	}
}

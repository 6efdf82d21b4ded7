package sqlsource

import (
	"context"
	"testing"
	"time"

	"sceau/attrs"
)

func contextOf() context.Context { return context.Background() }

// FuzzSubject: whatever the number of a subject is, nobody but Alice is Alice.
func FuzzSubject(f *testing.F) {
	for _, who := range injections {
		if len(who) < 100 {
			f.Add(who)
		}
	}
	b := open(f, Config{Driver: SQLite, File: doctors(f, alice), Queries: []Query{long("?1")}})
	q := b.query(f, alice, doctor, surname)
	f.Fuzz(func(t *testing.T, who string) { outcome(t, b, q, who) })
}

// FuzzLongRow: a row of any cells is an answer that the definitions allow, or a bad answer.
func FuzzLongRow(f *testing.F) {
	f.Add(alice, doctor, "true", "2020-01-01T00:00:00Z", "2027-01-01T00:00:00+01:00", uint8(0))
	f.Add(alice, nihii11, "71000042001", "", "", uint8(3))
	f.Add(bob, quality, "x\x00y", "9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00Z", uint8(31))
	c := catalogue(f)
	config := Config{Catalogue: c, Queries: []Query{long("")}}
	queries, err := compile(&Config{Catalogue: c, Queries: config.Queries, TTL: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	names := []string{"subject", "attribute", "value", "not_before", "not_on_or_after"}
	l, err := queries[0].lay(names)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, subject, attribute, value, from, to string, null uint8) {
		in := &call{query: queries[0], subject: alice, most: 1}
		for _, d := range queries[0].names {
			in.wanted, in.facts = append(in.wanted, d), append(in.facts, nil)
		}
		row := make([]cell, len(l))
		for i, text := range []string{subject, attribute, value, from, to} {
			var v any
			if null&(1<<i) == 0 {
				v = text
			}
			var err error
			if row[i], err = liteCell(v, &l[i]); err != nil {
				return
			}
		}
		if in.take(l, row) != nil {
			return
		}
		if subject != alice || queries[0].names[attribute] == nil || null&7 != 0 {
			t.Errorf("taken: %q, %q, %b", subject, attribute, null)
		}
		for i, d := range in.wanted {
			answer, err := attrs.Certify(d, in.facts[i], now)
			if err != nil {
				continue
			}
			answer.Source, answer.RetrievedAt = "x", now
			if err := answer.Check(now); err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
			if len(in.facts[i]) > 0 != (queries[0].names[attribute] == d) {
				t.Errorf("%d facts about %s", len(in.facts[i]), d.Name)
			}
		}
	})
}

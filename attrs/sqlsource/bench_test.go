package sqlsource

import (
	"testing"
	"time"

	"sceau/attrs"
)

// BenchmarkLookUp is one look-up of two attributes, one of a table of 100 000 people.
func BenchmarkLookUp(b *testing.B) {
	fill := " select substr('0000000000' || n, -11), '" + doctor + "', 'true', null, null from (with recursive c(n) as (select 1 union all select n+1 from c where n < 100000) select n from c) as x"
	run := func(b *testing.B, d *desk) {
		q := d.query(b, alice, doctor, surname)
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			var dst []attrs.Certified
			for pb.Next() {
				var err error
				if dst, err = d.Resolve(b.Context(), q, dst[:0]); err != nil || dst[0].State != attrs.Affirmed {
					b.Errorf("%v, %v", dst, err)
					return
				}
			}
		})
	}
	b.Run("sqlite", func(b *testing.B) {
		file := liteFixture(b, liteCertified, "insert into certified"+fill, "create index by_ssin on certified (ssin)")
		run(b, open(b, Config{Driver: SQLite, File: file, TTL: time.Hour, Queries: []Query{long("?1")}}))
	})
	b.Run("postgres", func(b *testing.B) {
		s := pg(b)
		s.Schema(b, "bench", pgCertified, "insert into certified select lpad(n::text, 11, '0'), '"+doctor+"', 'true', null, null from generate_series(1, 100000) as n",
			"create index by_ssin on certified (ssin)", "analyze certified")
		run(b, open(b, s.config("bench", long("$1"))))
	})
}

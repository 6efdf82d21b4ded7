package attrs

import (
	"strconv"
	"testing"
	"time"
)

// BenchmarkResolveCold: each question is new, about one subject, to one source or to four at once that answer from memory;
// what is measured is the resolver's own work.
func BenchmarkResolveCold(b *testing.B) {
	for _, n := range []int{1, 4} {
		b.Run("sources="+strconv.Itoa(n), func(b *testing.B) {
			var routes []Route
			q := &Query{At: instant}
			for d := range EHealth().In(GroupPerson) {
				if len(routes) < n && !d.Computed && d.Kind == Boolean {
					s := newScripted("s"+strconv.Itoa(len(routes)), well)
					routes = append(routes, Route{Source: s, Attributes: []Designator{d.Designator}, Breaker: Breaker{5, time.Second}})
					q.Definitions = append(q.Definitions, d)
				}
			}
			r := resolver(b, true, routes...)
			ssin := find(b, PersonSSIN, NamespaceIdentification)
			dst := make([]Certified, 0, n)
			ctx := b.Context()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				q.Subjects = append(q.Subjects[:0], Keyed{ssin, strconv.Itoa(i)})
				if _, err := r.Resolve(ctx, q, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

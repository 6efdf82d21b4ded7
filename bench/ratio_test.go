package bench

import (
	"testing"
	"time"
)

// BenchmarkRatio measures every cell. Each iteration is a round of long turns and ten of
// short ones: -benchtime=40x makes 40 and 400.
func BenchmarkRatio(b *testing.B) {
	messages := &store{}
	for _, c := range cells() {
		b.Run(c.String(), func(b *testing.B) {
			r := newRace(b, c, unsynced, messages, many)
			for b.Loop() {
				r.round()
			}
			result := r.result()
			results.races = append(results.races, result)
			result.report(b)
		})
	}
}

// result sums up a race, and counts what its paths take from the heap.
func (r *race) result() raceResult {
	return raceResult{
		cell: r.cell, rounds: len(r.handlers), blocks: len(r.naivesOfBlock),
		floorMedian: median(ratio(r.handlers, r.floors)), floorBest: float64(r.handlers.min()) / float64(r.floors.min()),
		naiveMedian: median(ratio(r.naivesOfBlock, r.handlersOfBlock)), naiveBest: float64(r.naivesOfBlock.min()) / float64(r.handlersOfBlock.min()),
		handler: r.handlers.min(), floor: r.floors.min(), keys: r.keys.min(), naive: r.naivesOfBlock.min(),
		outsideKeys: r.handlers.min() - r.keys.min(),
		handlerCost: r.heap(200, r.answer), keysCost: r.heap(200, r.theKeys), naively: r.heap(20, r.naively),
	}
}

func (r *raceResult) report(b *testing.B) {
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	b.ReportMetric(0, "ns/op") // an iteration is a round: its time says nothing
	b.ReportMetric(r.floorMedian, "handler/floor")
	b.ReportMetric(r.floorBest, "handler/floor(best)")
	b.ReportMetric(r.naiveMedian, "naive/handler")
	b.ReportMetric(r.naiveBest, "naive/handler(best)")
	b.ReportMetric(micros(r.handler), "handler-µs")
	b.ReportMetric(micros(r.floor), "floor-µs")
	b.ReportMetric(micros(r.outsideKeys), "outside-keys-µs")
	b.ReportMetric(micros(r.naive), "naive-µs")
	b.ReportMetric(r.handlerCost.allocations, "allocs/request")
	b.ReportMetric(r.handlerCost.bytes, "B/request")
}

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
			r := newRace(b, c, written, messages, many)
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
		overFloor: compare(r.handlers, r.floors), naively: compare(r.naivesOfBlock, r.handlersOfBlock),
		validated: compare(r.validatedOfBlock, r.handlersOfBlock),
		handler:   r.handlers.min(), floor: r.floors.min(), keys: r.keys.min(),
		naive: r.naivesOfBlock.min(), naiveValidated: r.validatedOfBlock.min(),
		outsideKeys: compare(r.handlers, r.keys).apart,
		handlerCost: r.heap(200, r.answer), keysCost: r.heap(200, r.theKeys), naiveCost: r.heap(20, r.naively), validatedCost: r.heap(20, r.validated),
	}
}

func (r *raceResult) report(b *testing.B) {
	b.ReportMetric(0, "ns/op") // an iteration is a round: its time says nothing
	b.ReportMetric(r.overFloor.quiet, "handler/floor")
	b.ReportMetric(r.overFloor.median, "handler/floor(median)")
	b.ReportMetric(r.overFloor.best, "handler/floor(best)")
	b.ReportMetric(r.naively.quiet, "naive/handler")
	b.ReportMetric(r.validated.quiet, "naive+validator/handler")
	b.ReportMetric(micros(r.handler), "handler-µs")
	b.ReportMetric(micros(r.floor), "floor-µs")
	b.ReportMetric(micros(r.outsideKeys), "outside-keys-µs")
	b.ReportMetric(micros(r.naive), "naive-µs")
	b.ReportMetric(r.handlerCost.allocations, "allocs/request")
	b.ReportMetric(r.handlerCost.bytes, "B/request")
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

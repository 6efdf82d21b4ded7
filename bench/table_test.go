package bench

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The table is written by the test process itself, from what its benchmarks measured.
var tableFile = flag.String("table", "", "write the results of the benchmarks as Markdown to this `file`; - is standard output")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *tableFile != "" && code == 0 {
		if err := results.writeTo(*tableFile); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// results gathers what the benchmarks of this process measured.
var results table

type table struct {
	races    []raceResult
	stages   []stageResult
	admits   []admitResult
	journals []journalResult
}

type raceResult struct {
	cell
	rounds, blocks                 int
	floorMedian, floorBest         float64
	naiveMedian, naiveBest         float64
	handler, floor, keys, naive    time.Duration // the least, a request
	outsideKeys                    time.Duration
	handlerCost, keysCost, naively cost
}

type stageResult struct {
	name string
	time time.Duration
}

type admitResult struct {
	name         string
	median, best float64
	admit, floor time.Duration
	allocations  float64
}

type journalResult struct {
	kind       journalKind
	used, took time.Duration
}

func (t *table) stage(name string, d time.Duration) {
	t.stages = append(t.stages, stageResult{name, d})
}

func (t *table) admit(r admitResult) { t.admits = append(t.admits, r) }

func (t *table) writeTo(file string) error {
	out := os.Stdout
	if file != "-" {
		var err error
		if out, err = os.Create(file); err != nil {
			return err
		}
	}
	w := bufio.NewWriter(out)
	t.write(w)
	if err := w.Flush(); err != nil || file == "-" {
		return err
	}
	return out.Close()
}

func (t *table) write(w io.Writer) {
	fmt.Fprintf(w, "%s, %d cores, %s %s/%s, %s.\n", processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		time.Now().UTC().Format(time.DateOnly))
	t.writeRaces(w)
	t.writeStages(w)
	t.writeAdmits(w)
	t.writeJournals(w)
}

func (t *table) writeRaces(w io.Writer) {
	if len(t.races) == 0 {
		return
	}
	fmt.Fprintf(w, "\nRatios: median of the rounds, in brackets best time against best time. %d rounds against the floor, %d against naive.\n\n",
		t.races[0].rounds, t.races[0].blocks)
	fmt.Fprintln(w, "| eID | STS | handler / floor | target | naive / handler | target |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, r := range t.races {
		target := "" // for P-384 there is none: most of both is one verification
		if r.naiveTarget > 0 {
			target = fmt.Sprintf("≥ %.1f", r.naiveTarget)
		}
		fmt.Fprintf(w, "| %s | %s | %.3f (%.3f) | ≤ %.2f | %.2f (%.2f) | %s |\n", r.eid.name, r.sts.name,
			r.floorMedian, r.floorBest, r.ratio, r.naiveMedian, r.naiveBest, target)
	}
	fmt.Fprintln(w, "\nCPU microseconds of one request, the least of all rounds; allocations and bytes from the heap.")
	fmt.Fprintln(w)
	fmt.Fprintln(w, "| eID | STS | handler | floor | public-key operations | handler outside them | naive | handler allocations (in crypto), bytes | naive allocations, bytes |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for _, r := range t.races {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %.0f (%.0f), %.1f KB | %.0f, %.0f KB |\n", r.eid.name, r.sts.name,
			micro(r.handler), micro(r.floor), micro(r.keys), micro(r.outsideKeys), micro(r.naive),
			r.handlerCost.allocations, r.keysCost.allocations, r.handlerCost.bytes/1024, r.naively.allocations, r.naively.bytes/1024)
	}
}

func (t *table) writeStages(w io.Writer) {
	if len(t.stages) == 0 {
		return
	}
	fmt.Fprintln(w, "\nSteps of one request without their public-key operations, the least time.")
	fmt.Fprintln(w, "\n| step | µs |\n|---|---|")
	for _, s := range t.stages {
		fmt.Fprintf(w, "| %s | %.1f |\n", s.name, float64(s.time.Nanoseconds())/1000)
	}
}

func (t *table) writeAdmits(w io.Writer) {
	if len(t.admits) == 0 {
		return
	}
	fmt.Fprintln(w, "\nThe guard of a provider, assertion known (floor: one verification, SHA-256 of what is signed).")
	fmt.Fprintln(w, "\n| keys | Admit / floor | Admit µs | floor µs | allocations |\n|---|---|---|---|---|")
	for _, a := range t.admits {
		fmt.Fprintf(w, "| %s | %.2f (%.2f) | %s | %s | %.0f |\n", strings.ReplaceAll(strings.ReplaceAll(a.name, "_", " "), "/", ", "),
			a.median, a.best, micro(a.admit), micro(a.floor), a.allocations)
	}
}

func (t *table) writeJournals(w io.Writer) {
	if len(t.journals) == 0 {
		return
	}
	fmt.Fprintln(w, "\nThe journal (P-256 eID, P-256 STS, requests one after another, the worst case of fsync): means of a request.")
	fmt.Fprintln(w, "\n| journal | CPU µs | elapsed µs |\n|---|---|---|")
	for _, j := range t.journals {
		fmt.Fprintf(w, "| %s | %s | %s |\n", j.kind, micro(j.used), micro(j.took))
	}
}

func micro(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d.Nanoseconds())/1000) }

// processor is the name of the processor, as Linux tells it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// ratio gives the ratios of two paths round by round, in order.
func ratio(a, b times) []float64 {
	var all []float64
	for i := range a {
		all = append(all, float64(a[i])/float64(b[i]))
	}
	slices.Sort(all)
	return all
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}

func (t times) min() time.Duration { return slices.Min(t) }

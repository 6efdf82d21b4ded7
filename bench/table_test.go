package bench

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
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
	races        []raceResult
	stages       []stageResult
	admits       []admitResult
	journals     []journalResult
	growths      []*growth
	tokens       []tokenResult
	tokenGrowths []*growth
}

type raceResult struct {
	cell
	rounds, blocks                                  int
	overFloor, naively, validated                   comparison
	handler, floor, keys, naive, naiveValidated     time.Duration // the least, a request
	outsideKeys                                     time.Duration
	handlerCost, keysCost, naiveCost, validatedCost cost
}

type tokenResult struct {
	name, algorithm, sts  string
	rounds, signatures    int
	verifies              bool
	target                float64
	ratio                 comparison
	request, operations   time.Duration // the least, a request
	cost                  cost
	operationsAllocations float64
}

type stageResult struct {
	name string
	time time.Duration
	note string // may be empty
}

type admitResult struct {
	name         string
	ratio        comparison
	admit, floor time.Duration
	allocations  float64
}

type journalResult struct {
	kind       journalKind
	used, took time.Duration
}

func (t *table) stage(name string, d time.Duration, note string) {
	t.stages = append(t.stages, stageResult{name, d, note})
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
	t.writeGrowths(w)
	t.writeTokens(w)
}

func (t *table) writeRaces(w io.Writer) {
	if len(t.races) == 0 {
		return
	}
	fmt.Fprintf(w, "\nRatios: of the quietest tenth of the rounds, against which the target is held; in brackets the median of all rounds,\n"+
		"and best time against best time. %d rounds against the floor, %d against naive, with xml-roundtrip-validator before it and without.\n\n",
		t.races[0].rounds, t.races[0].blocks)
	fmt.Fprintln(w, "| eID | STS | handler / floor | target | naive / handler | target | naive with validator / handler | target |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	for _, r := range t.races {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.eid.name, r.sts.name,
			r.overFloor.text(3), target("≤ %.2f", r.ratio, r.overFloor.quiet <= r.ratio),
			r.naively.text(2), target("≥ %.1f", r.naiveTarget, r.naively.quiet >= r.naiveTarget),
			r.validated.text(2), target("≥ %.1f", r.naiveTarget, r.validated.quiet >= r.naiveTarget))
	}
	fmt.Fprintf(w, "\nCPU microseconds of one request, the least of all rounds, outside public-key operations that of the quietest tenth; allocations\n"+
		"and bytes from the heap. Targets: at most %d µs\n"+
		"outside public-key operations; at most %d allocations outside crypto, and in all those that stand after \"of\".\n\n", mostOutside/time.Microsecond, own)
	fmt.Fprintln(w, "| eID | STS | handler | floor | public-key operations | handler outside them | naive | naive with validator | handler allocations (in crypto), bytes | naive allocations, bytes | with validator |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range t.races {
		handler, keys := r.handlerCost.allocations, r.keysCost.allocations
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s %s | %s | %s | %.0f (%.0f) of %.0f %s, %.1f KB | %s | %s |\n", r.eid.name, r.sts.name,
			micro(r.handler), micro(r.floor), micro(r.keys), micro(r.outsideKeys), mark(r.outsideKeys <= mostOutside),
			micro(r.naive), micro(r.naiveValidated), handler, keys, r.allocations,
			mark(handler <= r.allocations && handler-keys <= own), r.handlerCost.bytes/1024, r.naiveCost.text(), r.validatedCost.text())
	}
}

// mostOutside is the target for the time outside public-key operations.
const mostOutside = 45 * time.Microsecond

// text writes a comparison with its three figures.
func (c comparison) text(digits int) string {
	return fmt.Sprintf("%.*f (%.*f, %.*f)", digits, c.quiet, digits, c.median, digits, c.best)
}

func (c cost) text() string { return fmt.Sprintf("%.0f, %.0f KB", c.allocations, c.bytes/1024) }

// target writes a target and whether it holds; zero is none.
func target(format string, at float64, holds bool) string {
	if at == 0 {
		return ""
	}
	return fmt.Sprintf(format, at) + " " + mark(holds)
}

func (t *table) writeStages(w io.Writer) {
	if len(t.stages) == 0 {
		return
	}
	fmt.Fprintln(w, "\nSteps of one request (RSA-2048 eID, RSA-2048 STS) without their public-key operations: CPU time, means of the quietest tenth of the turns.\n"+
		"Each is timed alone, with warm caches. **Rows overlap and are not to be added:** the notes say what is part of what.")
	fmt.Fprintln(w, "\n| step | µs | note |\n|---|---|---|")
	for _, s := range t.stages {
		fmt.Fprintf(w, "| %s | %.1f | %s |\n", s.name, micros(s.time), s.note)
	}
}

func (t *table) writeAdmits(w io.Writer) {
	if len(t.admits) == 0 {
		return
	}
	fmt.Fprintln(w, "\nThe guard of a provider, assertion known (floor: one verification, SHA-256 of what is signed).")
	fmt.Fprintln(w, "\n| keys | Admit / floor | Admit µs | floor µs | allocations |\n|---|---|---|---|---|")
	for _, a := range t.admits {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %.0f |\n", strings.ReplaceAll(strings.ReplaceAll(a.name, "_", " "), "/", ", "),
			a.ratio.text(2), micro(a.admit), micro(a.floor), a.allocations)
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

func (t *table) writeTokens(w io.Writer) {
	if len(t.tokens) > 0 {
		fmt.Fprintf(w, "\nThe token endpoint. Public-key operations are the signatures of the answer's tokens and, of an exchange, the verification of the assertion; the\n"+
			"target is held against them. Ratios of the quietest tenth of %d rounds (median, best against best).\n\n", t.tokens[0].rounds)
		fmt.Fprintln(w, "| request | tokens | signatures | request / public-key operations | target | request / one signature | request, µs | operations, µs | outside them, µs | allocations (in the operations), KB |")
		fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	}
	for _, r := range t.tokens {
		name, operations, single := r.name, fmt.Sprint(r.signatures), ""
		if r.verifies {
			name, operations = name+", STS "+r.sts, operations+", 1 verified"
		} else {
			single = fmt.Sprintf("%.1f", r.ratio.quiet*float64(r.signatures))
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %.0f (%.0f), %.0f |\n", name, r.algorithm, operations, r.ratio.text(2),
			target("≤ %.1f", r.target, r.ratio.quiet <= r.target), single, micro(r.request), micro(r.operations), micro(r.ratio.apart),
			r.cost.allocations, r.operationsAllocations, r.cost.bytes/1024)
	}
	if len(t.tokenGrowths) > 0 {
		fmt.Fprintf(w, "\nGrowth of the token endpoint: a code for two ES256 tokens, the least of %d rounds and their median.\n", len(t.tokenGrowths[0].sizes[0].times[0]))
	}
	for _, g := range t.tokenGrowths {
		g.write(w)
	}
}

func micro(d time.Duration) string { return fmt.Sprintf("%.0f", micros(d)) }

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

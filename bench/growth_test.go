package bench

import (
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A growth is one table: what a request costs as one thing grows, over a handler for each size, turn by turn.
type growth struct {
	title string   // what grows
	first string   // head of the column of sizes
	extra []string // heads of what else was measured
	roads []road
	sizes []*sized
}

// A road is one way of asking that is measured at every size.
type road struct {
	name   string
	steady float64 // the largest exponent, where the cost must not depend on the size; zero: it may grow as fast as the size
}

// A sized is one line of the table.
type sized struct {
	size  float64
	label string
	extra []string
	lanes []lane // one a road
	times []times
	costs []cost
}

const (
	// growthRounds is how many rounds an iteration of a growth benchmark has.
	growthRounds = 3
	// growthPool is how many different messages there are of one size.
	growthPool = 8
	// steadily is the largest exponent of what must not depend on the size: from 10³ to 10⁶ it makes 15 %.
	steadily = 0.02
	// slowly is that of a look-up in a tree, which is a page deeper for every hundredfold: 40 %.
	slowly = 0.05
	// linearly is the largest exponent of what may grow as fast as the size: from 10 KB to 1 MB the caches of a
	// processor and the garbage collector have their say too.
	linearly = 1.1
)

// quick says that the sizes should be small: with -short, and where every benchmark runs once to see that it runs.
func quick() bool { return testing.Short() || flag.Lookup("test.benchtime").Value.String() == "1x" }

// choose gives the sizes to measure.
func choose(all, few []int) []int {
	if quick() {
		return few
	}
	return all
}

// add enters one size.
func (g *growth) add(size int, extra []string, lanes ...lane) {
	g.sizes = append(g.sizes, &sized{size: float64(size), label: thousands(size), extra: extra, lanes: lanes,
		times: make([]times, len(lanes)), costs: make([]cost, len(lanes))})
}

// run measures: in each round every size has a turn on every road. A turn pays for its own garbage: the
// collector has run before it, untimed.
func (g *growth) run(b *testing.B) {
	for n := 0; b.Loop(); n++ {
		for i := range growthRounds {
			g.round(n + i)
		}
	}
	b.ReportMetric(0, "ns/op") // an iteration is some rounds: its time says nothing
	for i, r := range g.roads {
		for _, s := range g.sizes {
			s.costs[i] = s.lanes[i].heap(growthPool/2, s.lanes[i].answer)
		}
		fit := g.fit(i)
		b.ReportMetric(fit.whole, "exponent-"+r.unit())
		b.ReportMetric(micros(g.sizes[len(g.sizes)-1].times[i].min()), "largest-µs-"+r.unit())
	}
	results.growths = append(results.growths, g)
}

// round gives each its turn, every other round in the opposite order.
func (g *growth) round(n int) {
	for i := range g.roads {
		for k := range g.sizes {
			if n%2 == 1 {
				k = len(g.sizes) - 1 - k
			}
			runtime.GC()
			s := g.sizes[k]
			l := &s.lanes[i]
			s.times[i] = append(s.times[i], l.turn(l.requests, l.answer))
		}
	}
}

func (r road) unit() string {
	if r.name == "" {
		return "request"
	}
	return r.name
}

// A fit says how fast a cost grows with the size.
type fit struct {
	whole   float64 // exponent of the cost of a request
	growing float64 // exponent of what is added to the cost of the smallest; NaN where fewer than two sizes cost more
	most    float64 // largest cost by the cost of the smallest size
}

// fit takes the least times of road i.
func (g *growth) fit(i int) fit {
	var x, y, dx, dy []float64
	for _, s := range g.sizes {
		x, y = append(x, s.size), append(y, micros(s.times[i].min()))
		dx, dy = append(dx, s.size-x[0]), append(dy, y[len(y)-1]-y[0])
	}
	return fit{whole: exponent(x, y), growing: exponent(dx, dy), most: slices.Max(y) / y[0]}
}

func (t *table) writeGrowths(w io.Writer) {
	if len(t.growths) == 0 {
		return
	}
	fmt.Fprintf(w, "\nGrowth: P-256 eID and P-256 STS, CPU µs of one request, the least of %d rounds and their median. An exponent is the slope of the least\n"+
		"times between logarithms: of the cost as a whole, and of what is added to that of the smallest size. What must not depend on the size has an\n"+
		"exponent of at most %.2f (%.2f where a tree is searched), what may grow with it one of at most %.1f for what is added.\n",
		len(t.growths[0].sizes[0].times[0]), steadily, slowly, linearly)
	for _, g := range t.growths {
		g.write(w)
	}
}

func (g *growth) write(w io.Writer) {
	fmt.Fprintf(w, "\n%s.\n\n| %s |", g.title, g.first)
	rule := "|---|"
	for _, head := range g.extra {
		fmt.Fprintf(w, " %s |", head)
		rule += "---|"
	}
	for _, r := range g.roads {
		fmt.Fprintf(w, " %sµs least (median) | allocations, KB |", r.head())
		rule += "---|---|"
	}
	fmt.Fprintf(w, "\n%s\n", rule)
	for _, s := range g.sizes {
		fmt.Fprintf(w, "| %s |", s.label)
		for _, cell := range s.extra {
			fmt.Fprintf(w, " %s |", cell)
		}
		for i := range g.roads {
			fmt.Fprintf(w, " %s (%s) | %.0f, %.1f |", micro(s.times[i].min()), micro(s.times[i].median()), s.costs[i].allocations, s.costs[i].bytes/1024)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	for i, r := range g.roads {
		fmt.Fprintf(w, "%s%s\n", r.head(), g.fit(i).text(r.steady))
	}
}

func (r road) head() string {
	if r.name == "" {
		return ""
	}
	return r.name + ": "
}

func (f fit) text(steady float64) string {
	if steady > 0 {
		return fmt.Sprintf("exponent %.3f, the most expensive %.2f × the smallest: flat %s", f.whole, f.most, mark(f.whole <= steady))
	}
	if math.IsNaN(f.growing) {
		return fmt.Sprintf("exponent %.2f, hardly anything is added: not decided, measure longer or larger sizes", f.whole)
	}
	return fmt.Sprintf("exponent %.2f, of what is added %.2f: at most linear %s", f.whole, f.growing, mark(f.growing <= linearly))
}

// TestFit: only a slope that was found passes, of the whole and of what is added.
func TestFit(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		fit    fit
		steady float64
		passes bool
	}{
		{"linear", fit{whole: 0.6, growing: 1.05}, 0, true},
		{"square", fit{whole: 1.3, growing: 2}, 0, false},
		{"nothing added", fit{whole: 0, growing: nan}, 0, false},
		{"nothing measured", fit{whole: nan, growing: nan}, 0, false},
		{"flat", fit{whole: 0.01, growing: nan}, steadily, true},
		{"not flat", fit{whole: 0.2, growing: 1}, steadily, false},
		{"flat, nothing measured", fit{whole: nan, growing: nan}, steadily, false},
	} {
		if text := c.fit.text(c.steady); strings.Contains(text, mark(true)) != c.passes {
			t.Errorf("%s: %s", c.name, text)
		}
	}
	// What costs no more at any larger size has no slope of what is added.
	same := &growth{sizes: []*sized{{size: 1, times: []times{{100}}}, {size: 10, times: []times{{100}}}, {size: 100, times: []times{{90}}}}}
	if got := same.fit(0); !math.IsNaN(got.growing) {
		t.Errorf("nothing is added, with the exponent %g", got.growing)
	}
}

// thousands writes a number with its digits in groups of three.
func thousands(n int) string {
	if n < 10_000 {
		return fmt.Sprint(n)
	}
	if n < 1_000_000 {
		return fmt.Sprintf("%d %03d", n/1000, n%1000)
	}
	return fmt.Sprintf("%d %03d %03d", n/1_000_000, n/1000%1000, n%1000)
}

// best gives the least CPU time of some calls.
func best(calls int, work func()) time.Duration {
	least := time.Duration(math.MaxInt64)
	for range calls {
		begin := cpu()
		work()
		least = min(least, cpu()-begin)
	}
	return least
}

package bench

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/internal/testpki"
)

// Bounds of what a request of any size may take from the heap: some octets for each octet of the message, beside what
// the smallest takes. A text of more nodes than a document keeps in its pool is parsed into new memory, which grows by
// a quarter at a time: five times 60 octets a node, and there may be two for an element of 45 octets.
const (
	heapBeside = 24 << 10
	heapForOne = 16
	// slicesThatGrow is how many allocations a doubling of the message may add.
	slicesThatGrow = 10
	// fromNothing is how many more there may be where the pool of documents is empty: the smallest message found one there.
	fromNothing = slicesThatGrow
)

// TestGrowthOfMessages: the memory of a request grows no faster than its message, and the number of allocations no
// faster than that of slices that double.
func TestGrowthOfMessages(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	f := service{signer: &testpki.Load().STSP256, change: roomy}.start(t)
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			var first float64
			for _, size := range []int{5_000, 64_000, 256_000, 1_000_000} {
				messages := s.messages(t, size, growthPool)
				l := newLane(t, f, messages, 1)
				c := l.heap(growthPool/2, l.answer)
				t.Logf("%d octets: %.0f allocations, %.0f octets", len(messages[0]), c.allocations, c.bytes)
				if first == 0 {
					first = c.allocations
				}
				doubled := math.Log2(float64(size) / 5_000)
				if most := float64(heapBeside + heapForOne*len(messages[0])); c.bytes > most {
					t.Errorf("%.0f octets for a message of %d, want at most %.0f", c.bytes, len(messages[0]), most)
				}
				if most := first + slicesThatGrow*doubled + own + fromNothing; c.allocations > most {
					t.Errorf("%.0f allocations for a message of %d octets, want at most %.0f", c.allocations, len(messages[0]), most)
				}
			}
		})
	}
}

// TestGrowthOfDesignators: the same against the number of attributes asked for.
func TestGrowthOfDesignators(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	asking := newAsking(t, 500)
	f := asking.service(&testpki.Load().STSP256).start(t)
	const forOne = 128 // octets of memory for an attribute: its subject, where the resolver looks for what it has kept
	for _, n := range []int{1, 10, 50, 100, 500} {
		l := newLane(t, f, asking.messages(t, n, growthPool), 1)
		c := l.heap(growthPool/2, l.answer)
		t.Logf("%d designators: %.0f allocations, %.0f octets", n, c.allocations, c.bytes)
		if most := float64(heapBeside + forOne*n); c.bytes > most {
			t.Errorf("%.0f octets for %d designators, want at most %.0f", c.bytes, n, most)
		}
		if c.allocations > 90+2*math.Log2(float64(n)) {
			t.Errorf("%.0f allocations for %d designators", c.allocations, n)
		}
	}
}

// TestRoadIgnoresCRL: what a request takes is the same whether its authority revoked ten certificates or thirty thousand.
func TestRoadIgnoresCRL(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	people := newPeople(t)
	messages := people.messages(t, 24)
	var costs []cost
	for _, n := range []int{10, 30_000} {
		f := service{signer: &testpki.Load().STSP256, verifier: newVerifier(t, revokingConfig(t, n))}.start(t)
		l := newLane(t, f, messages, len(messages))
		costs = append(costs, l.heap(16, l.answer))
	}
	same(t, "CRL", costs[0], costs[1])
}

// TestRoadIgnoresRegistry: the same for a registry of a hundred persons and of fifty thousand, of whom nothing is kept: and
// the larger one is not read through. A file of five megabytes does not fit into the cache of a connection of SQLite.
func TestRoadIgnoresRegistry(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	people := newPeople(t)
	messages := people.messages(t, 24)
	var costs []cost
	for _, n := range []int{100, 50_000} {
		path := filepath.Join(t.TempDir(), "registry.db")
		people.populate(t, path, n)
		// It is not looked at while allocations and reads are counted.
		source, err := registry.Open(registry.Config{Path: path, Catalogue: attrs.EHealth(), Now: testpki.Now, PollInterval: time.Hour})
		fatal(t, err)
		defer source.Close()
		f := service{signer: &testpki.Load().STSP256, registry: source, uncached: true}.start(t)
		l := newLane(t, f, messages, len(messages))
		before, counted := octetsRead(t)
		costs = append(costs, l.heap(16, l.answer))
		after, _ := octetsRead(t)
		const mostPages, requests = 32, 24 * heapRuns // pages of 4 KB for each request: a look-up reads one a level, and the state
		if read := after - before; counted && read > requests*mostPages*4096 {
			t.Errorf("%d requests read %d octets in a registry of %d persons", requests, read, n)
		}
	}
	same(t, "registry", costs[0], costs[1])
}

// same compares what a request takes from the heap; sync.Pool and ristretto move a fraction of an allocation.
func same(t *testing.T, what string, small, large cost) {
	t.Helper()
	t.Logf("%s: %.1f allocations and %.0f octets small, %.1f and %.0f large", what, small.allocations, small.bytes, large.allocations, large.bytes)
	if math.Abs(large.allocations-small.allocations) > 2 || math.Abs(large.bytes-small.bytes) > 512 {
		t.Errorf("the request depends on the size of the %s", what)
	}
}

// octetsRead is how many octets this process has read from files so far, where the system counts them.
func octetsRead(t *testing.T) (octets int, counted bool) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Log("reads are not counted:", err)
		return 0, false
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("rchar: ")); ok {
			octets, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			fatal(t, err)
			return octets, true
		}
	}
	return 0, false
}

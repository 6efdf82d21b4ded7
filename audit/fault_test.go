package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Each fault makes the disk fail while a journal works; the records it was told of must be
// refused, those before and after must be there, and the chain must hold.
func TestJournalOutlivesItsDisk(t *testing.T) {
	type fault struct {
		op      string
		partial int // bytes that a failing write still writes
	}
	tests := []struct {
		name   string
		faults []fault
		rotate bool // the file is full when the disk fails
	}{
		{"disk full", []fault{{op: "write"}}, false},
		{"disk full in the middle of a record", []fault{{op: "write", partial: 70}}, false},
		{"disk full after the record, before its line end", []fault{{op: "write", partial: 211}}, false},
		{"sync fails", []fault{{op: "sync"}}, false},
		{"sync and cut fail", []fault{{op: "sync"}, {op: "truncate"}}, false},
		{"write and cut fail", []fault{{op: "write", partial: 100}, {op: "truncate"}}, false},
		{"next file cannot be created", []fault{{op: "create"}}, true},
		{"next file cannot be written", []fault{{op: "write", partial: 30}}, true},
		{"next file cannot be synced", []fault{{op: "sync"}}, true},
		{"next file cannot be synced nor removed", []fault{{op: "sync"}, {op: "remove"}}, true},
		{"directory cannot be synced", []fault{{op: "syncdir"}}, true},
		{"directory cannot be synced, file not removed", []fault{{op: "syncdir"}, {op: "remove"}}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := newMemory()
			var log strings.Builder
			c := testConfig(t, files)
			c.MaxFileBytes = minFileBytes
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			j := mustOpen(t, c)
			n := 0
			next := func() *Event { n++; return smallEvent(n) }
			var recorded []string
			good := func() {
				e := next()
				record(t, j, e)
				recorded = append(recorded, e.ID.String())
			}
			good()
			for test.rotate && len(files.files[fileName(1)].content) < minFileBytes {
				good()
			}
			files.fail = func(op, name string) (int, error) {
				for _, f := range test.faults {
					if f.op == op {
						return f.partial, errFull
					}
				}
				return 0, nil
			}
			for range 3 {
				if err := j.Record(context.Background(), next()); reasonOf(err) != Unwritable || !errors.Is(err, errFull) {
					t.Fatalf("with a failing disk: %v", err)
				}
			}
			if !j.Stats().Failing {
				t.Error("Stats do not say so")
			}
			files.fail = nil
			for range 3 {
				good()
			}
			if strings.Count(log.String(), "cannot be written") != 1 || strings.Count(log.String(), "is written again") != 1 {
				t.Errorf("log:\n%s", &log)
			}
			head := j.Head()
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			mustBeIntact(t, files, head)
			mustList(t, files, recorded)
			mustOpen(t, c).Close()
		})
	}
}

func mustList(t testing.TB, files FileSystem, want []string) {
	t.Helper()
	var got []string
	for _, entry := range entries(t, files, Query{}) {
		got = append(got, entry.ID)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("listed %d records, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}

func TestOpenFailsCleanly(t *testing.T) {
	for _, op := range []string{"open", "append", "create", "write", "sync", "syncdir", "rename"} {
		for _, used := range []bool{false, true} {
			t.Run(fmt.Sprint(op, used), func(t *testing.T) {
				files := newMemory()
				c := testConfig(t, files)
				if used {
					j := mustOpen(t, c)
					record(t, j, smallEvent(1))
					j.Close()
				} else {
					c.Key = Key{} // so that it is made
				}
				files.fail = func(o, _ string) (int, error) {
					if o == op {
						return 0, errFull
					}
					return 0, nil
				}
				j, err := Open(c)
				if err == nil {
					j.Close()
					if !used && op != "append" || used && (op == "write" || op == "sync" || op == "open" || op == "append") {
						t.Fatal("opened on a failing disk")
					}
				} else if reasonOf(err) == 0 || j != nil {
					t.Fatalf("%v, %v", j, err)
				}
				files.fail = nil
				j = mustOpen(t, c) // and it gave up its lock
				record(t, j, smallEvent(2))
				j.Close()
				mustBeIntact(t, files)
			})
		}
	}
}

// The history invariant: whatever the order of records, faults, crashes and restarts, what was
// acknowledged is there exactly once and in order, the chain holds from the first record to the last, and
// what is there besides are only records that were refused while the disk failed.
func TestAcknowledgedRecordsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		files := newMemory()
		key, _ := NewKey(make([]byte, 32))
		open := func() *Journal {
			j, err := Open(Config{FileSystem: files, Key: key, Logger: quiet(), MaxFileBytes: minFileBytes})
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			return j
		}
		var acknowledged []string
		var anchor *Anchor
		refused := map[string]bool{}
		j, n := open(), 0
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"record", "record", "record", "many", "fault", "crash", "restart"}), 1, 30).Draw(t, "steps")
		for _, step := range append(steps, "crash") {
			switch step {
			case "record", "fault":
				faults := map[string]bool{}
				if step == "fault" {
					for _, op := range []string{"write", "sync", "truncate", "create", "syncdir", "remove"} {
						faults[op] = random.IntN(3) == 0
					}
				}
				files.fail = func(op, _ string) (int, error) {
					if faults[op] {
						return random.IntN(600), errFull
					}
					return 0, nil
				}
				for range 1 + random.IntN(3) {
					n++
					e := smallEvent(n)
					if err := j.Record(context.Background(), e); err != nil {
						refused[e.ID.String()] = true
					} else {
						acknowledged = append(acknowledged, e.ID.String())
						head := j.Head()
						anchor = &head
					}
				}
				files.fail = nil
			case "many":
				done := make(chan *Event)
				for range 20 {
					n++
					e := smallEvent(n)
					e.Cause = strings.Repeat("x", random.IntN(200))
					go func() {
						if err := j.Record(context.Background(), e); err != nil {
							t.Errorf("Record: %v", err)
						}
						done <- e
					}()
				}
				for range 20 {
					refused[(<-done).ID.String()] = false
				}
				// Their order is that of the file, which is read back below.
				acknowledged = acknowledged[:0]
				for entry := range list(files, Query{}) {
					if !refused[entry.ID] {
						acknowledged = append(acknowledged, entry.ID)
					}
				}
			case "crash":
				// Sometimes in the middle of a write: unacknowledged records on their way.
				if random.IntN(2) == 0 {
					files.fail = func(op, _ string) (int, error) {
						if op == "sync" || op == "truncate" || op == "write" && random.IntN(2) == 0 {
							return random.IntN(600), errFull
						}
						return 0, nil
					}
					n++
					refused[numbered(n).String()] = true
					if err := j.Record(context.Background(), smallEvent(n)); err == nil {
						t.Fatal("recorded on a dead disk")
					}
				}
				files = files.crash(random)
				j = open()
			case "restart":
				if err := j.Close(); err != nil {
					t.Fatalf("Close: %v", err)
				}
				j = open()
			}
		}
		var anchors []Anchor
		if anchor != nil {
			anchors = append(anchors, *anchor)
		}
		report, err := verify(files, anchors)
		if err != nil || !report.Intact() {
			t.Fatalf("%v, %v", report.Findings, err)
		}
		var got []string
		for entry, err := range list(files, Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if !refused[entry.ID] {
				got = append(got, entry.ID)
			}
		}
		if strings.Join(got, "\n") != strings.Join(acknowledged, "\n") {
			t.Fatalf("%d acknowledged, %d there", len(acknowledged), len(got))
		}
	})
}

// Relaxed durability loses at most what was not synced, never what was, and never the chain.
func TestRelaxedLosesOnlyItsInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		files := newMemory()
		key, _ := NewKey(make([]byte, 32))
		var synced, since []string
		n := 0
		for range rapid.IntRange(1, 6).Draw(t, "lives") {
			j, err := Open(Config{FileSystem: files, Key: key, Logger: quiet(), MaxFileBytes: minFileBytes, Durability: Relaxed(1 << 40)})
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			// What survived the crash is as good as synced now.
			synced, since = synced[:0], since[:0]
			for entry, err := range list(files, Query{}) {
				if err != nil {
					t.Fatal(err)
				}
				synced = append(synced, entry.ID)
			}
			for range rapid.IntRange(0, 30).Draw(t, "records") {
				n++
				if err := j.Record(context.Background(), smallEvent(n)); err != nil {
					t.Fatal(err)
				}
				since = append(since, numbered(n).String())
				if random.IntN(8) == 0 {
					if err := j.writer.flush(); err != nil {
						t.Fatal(err)
					}
					synced, since = append(synced, since...), since[:0]
				}
			}
			close(j.stop) // the process dies without a Close
			<-j.stopped
			files = files.crash(random)
			j, err = Open(Config{FileSystem: files, Key: key, Logger: quiet(), MaxFileBytes: minFileBytes})
			if err != nil {
				t.Fatalf("Open after a crash: %v", err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if report, err := verify(files, nil); err != nil || !report.Intact() {
				t.Fatalf("%v, %v", report.Findings, err)
			}
			var got []string
			for entry := range list(files, Query{}) {
				got = append(got, entry.ID)
			}
			if want := append(synced, since...); len(got) < len(synced) || strings.Join(got, " ") != strings.Join(want[:len(got)], " ") {
				t.Fatalf("%d synced, %d there", len(synced), len(got))
			}
		}
	})
}

func TestTornTailIsSetAside(t *testing.T) {
	line := func(t *testing.T) ([]byte, *memory, Config) {
		files := newMemory()
		c := testConfig(t, files)
		j := mustOpen(t, c)
		record(t, j, smallEvent(1), smallEvent(2))
		whole := len(files.files[fileName(1)].content)
		record(t, j, smallEvent(3))
		next := files.files[fileName(1)].content[whole:]
		files.files[fileName(1)].content = files.files[fileName(1)].content[:whole]
		files.locked = false // the process is gone, without a Close
		return append([]byte(nil), next...), files, c
	}
	tests := []struct {
		name string
		torn func(next []byte) []byte
	}{
		{"nothing", func(next []byte) []byte { return nil }},
		{"one byte", func(next []byte) []byte { return next[:1] }},
		{"half a record", func(next []byte) []byte { return next[:len(next)/2] }},
		{"all but the line end", func(next []byte) []byte { return next[:len(next)-1] }},
		{"zeros", func(next []byte) []byte { return make([]byte, 4096) }},
		{"a hole", func(next []byte) []byte { clear(next[20:60]); return next }},
		{"only the line end", func(next []byte) []byte { return []byte("\n") }},
		{"a line beyond all bounds", func(next []byte) []byte { return make([]byte, 3*maxLine) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			next, files, c := line(t)
			torn := test.torn(next)
			files.files[fileName(1)].content = append(files.files[fileName(1)].content, torn...)
			var log strings.Builder
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			j := mustOpen(t, c)
			record(t, j, smallEvent(4))
			j.Close()
			report := mustBeIntact(t, files)
			mustList(t, files, []string{numbered(1).String(), numbered(2).String(), numbered(4).String()})
			if len(torn) == 0 {
				if len(report.Torn) != 0 || log.Len() != 0 {
					t.Errorf("recovered from nothing: %v, %s", report.Torn, &log)
				}
				return
			}
			if len(report.Torn) != 1 || string(files.files[report.Torn[0]].content) != string(torn) {
				t.Errorf("what was torn is not kept: %v", report.Torn)
			}
			if !strings.Contains(log.String(), "recovered") {
				t.Errorf("log: %s", &log)
			}
			opened := entries(t, files, Query{Control: true})[4]
			if !strings.Contains(string(opened.Raw), report.Torn[0]) {
				t.Errorf("the journal does not tell of it: %s", opened.Raw)
			}
		})
	}
}

// A crash between the making of a file and its first record leaves a file with no head.
func TestTornHead(t *testing.T) {
	for _, content := range []string{"", `{"seq":14,"kind":"fi`, "\x00\x00\x00\n\x00"} {
		files := newMemory()
		c := testConfig(t, files)
		c.MaxFileBytes = minFileBytes
		j := mustOpen(t, c)
		for files.files[fileName(2)] == nil {
			record(t, j, smallEvent(j2n(j)))
		}
		// The process dies as it begins file 2.
		delete(files.files, fileName(2))
		files.files[fileName(2)] = &memoryFile{content: []byte(content)}
		files.locked = false
		j = mustOpen(t, c)
		record(t, j, smallEvent(1000))
		j.Close()
		mustBeIntact(t, files)

		// And the very first file.
		files = newMemory()
		files.files[fileName(1)] = &memoryFile{content: []byte(content)}
		c = testConfig(t, files)
		j = mustOpen(t, c)
		record(t, j, smallEvent(1))
		j.Close()
		mustBeIntact(t, files)
	}
}

// What was torn off must be gone before the journal goes on.
func TestOpenNeedsItsDisk(t *testing.T) {
	for _, op := range []string{"remove", "syncdir", "create", "write", "rename"} {
		files := newMemory()
		files.files[fileName(1)] = &memoryFile{content: []byte("half")}
		files.fail = func(o, _ string) (int, error) {
			if o == op {
				return 0, errFull
			}
			return 0, nil
		}
		if _, err := Open(testConfig(t, files)); reasonOf(err) != Unwritable {
			t.Errorf("%s: %v", op, err)
		}
		if string(files.files[fileName(1)].content) != "half" && op != "syncdir" && op != "remove" {
			t.Errorf("%s: what was torn is gone", op)
		}
	}
}

func j2n(j *Journal) int { return int(j.Stats().Seq) }

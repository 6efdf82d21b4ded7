package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestZeroValuesRefuse(t *testing.T) {
	var j Journal
	if err := j.Record(context.Background(), fullEvent()); reasonOf(err) != Closed {
		t.Errorf("a journal that nobody opened recorded: %v", err)
	}
	if _, err := Open(Config{}); reasonOf(err) != InvalidConfig {
		t.Errorf("Open of nothing: %v", err)
	}
	if _, err := NewKey(nil); reasonOf(err) != InvalidKey {
		t.Errorf("an empty key: %v", err)
	}
	if Outcome(0).String() != "" || (Report{}).Head != (Anchor{}) {
		t.Error("a zero value says something")
	}
}

func reasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

func TestConfigIsChecked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
	}{
		{"no directory", func(c *Config) { c.FileSystem = nil }},
		{"relaxed without an interval", func(c *Config) { c.Durability = Relaxed(0) }},
		{"relaxed with a negative interval", func(c *Config) { c.Durability = Relaxed(-time.Second) }},
		{"files too small", func(c *Config) { c.MaxFileBytes = 4095 }},
		{"negative files", func(c *Config) { c.MaxFileBytes = -1 }},
		{"negative queue", func(c *Config) { c.MaxPendingBytes = -1 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := testConfig(t, newMemory())
			test.change(&c)
			if _, err := Open(c); reasonOf(err) != InvalidConfig {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEventsMustSayTheLeast(t *testing.T) {
	files := newMemory()
	j := mustOpen(t, testConfig(t, files))
	for name, change := range map[string]func(*Event){
		"no ID":         func(e *Event) { e.ID = ID{} },
		"no Time":       func(e *Event) { e.Time = time.Time{} },
		"no Service":    func(e *Event) { e.Service = "" },
		"no Outcome":    func(e *Event) { e.Outcome = 0 },
		"other Outcome": func(e *Event) { e.Outcome = 9 },
	} {
		e := fullEvent()
		change(e)
		if err := j.Record(context.Background(), e); reasonOf(err) != InvalidEvent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(entries(t, files, Query{})); n != 0 {
		t.Errorf("%d were recorded", n)
	}
}

func TestRecordIsOnDiskWhenItReturns(t *testing.T) {
	files := newMemory()
	j := mustOpen(t, testConfig(t, files))
	for n := range 5 {
		record(t, j, smallEvent(n+1))
		synced := files.files[fileName(1)].synced
		if !bytes.Contains(synced, []byte(numbered(n+1).String())) {
			t.Fatalf("event %d was acknowledged before its sync", n+1)
		}
	}
	if got := j.Stats(); got.Events != 5 || got.Commits != 6 || got.Failures != 0 || got.File != 1 || got.Seq != 7 {
		t.Errorf("%+v", got)
	}
}

func TestJournalGoesOnAfterClose(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "journal")
	c := Config{Dir: dir, Logger: quiet()}
	var heads []Anchor
	for n := range 3 {
		j := mustOpen(t, c)
		record(t, j, smallEvent(2*n+1), smallEvent(2*n+2))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if err := j.Record(context.Background(), fullEvent()); reasonOf(err) != Closed {
			t.Errorf("Record after Close: %v", err)
		}
		heads = append(heads, j.Head())
	}
	report, err := Verify(dir, heads...)
	if err != nil || !report.Intact() || report.Events != 6 || report.Records != 1+3*4 || report.Head != heads[2] {
		t.Fatalf("%+v, %v", report, err)
	}
	want := 1
	for entry, err := range List(dir, Query{}) {
		if err != nil || entry.ID != numbered(want).String() {
			t.Fatalf("%v, %v", entry, err)
		}
		want++
	}
	info, err := os.Stat(filepath.Join(dir, keyName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	if info, _ := os.Stat(filepath.Join(dir, fileName(1))); info.Mode().Perm() != 0o600 {
		t.Errorf("journal file: %v", info.Mode())
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v", info.Mode())
	}
}

// Two processes appending would fork the chain.
func TestOneProcessAppends(t *testing.T) {
	c := Config{Dir: t.TempDir(), Logger: quiet()}
	j := mustOpen(t, c)
	if _, err := Open(c); reasonOf(err) != Locked {
		t.Errorf("second Open: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, c).Close()
}

func TestFilesFollowEachOther(t *testing.T) {
	files := newMemory()
	c := testConfig(t, files)
	c.MaxFileBytes = minFileBytes
	j := mustOpen(t, c)
	for n := range 60 {
		record(t, j, smallEvent(n+1))
	}
	j.Close()
	j = mustOpen(t, c)
	record(t, j, smallEvent(61))
	report := mustBeIntact(t, files, j.Head())
	if report.Files < 4 || report.Events != 61 {
		t.Errorf("%d files, %d events", report.Files, report.Events)
	}
	for name, file := range files.files {
		if len(file.content) > minFileBytes+1024 {
			t.Errorf("%s has %d bytes", name, len(file.content))
		}
	}
}

// Pseudonyms under another key stand in another file, whose head names the key.
func TestAnotherKeyBeginsAFile(t *testing.T) {
	files := newMemory()
	c := testConfig(t, files)
	j := mustOpen(t, c)
	record(t, j, smallEvent(1))
	j.Close()
	c.Key, _ = NewKey(bytes.Repeat([]byte{8}, 32))
	for range 2 {
		j = mustOpen(t, c)
		record(t, j, smallEvent(2))
		j.Close()
	}
	if report := mustBeIntact(t, files); report.Files != 2 {
		t.Errorf("%d files", report.Files)
	}
}

// Whoever may write the directory may remove records: this is said, not forbidden (volumes of containers are so).
func TestOpenDirectoryIsTold(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	mustOpen(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))}).Close()
	if !strings.Contains(log.String(), "written by others") {
		t.Errorf("log: %s", &log)
	}
}

// observed collects what an Observer is told.
type observed struct {
	mu     sync.Mutex
	errors []error
}

func (o *observed) Observe(_ *Event, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errors = append(o.errors, err)
}

func TestObserversSeeEveryEnd(t *testing.T) {
	files := newMemory()
	c := testConfig(t, files)
	o := new(observed)
	c.Observers = []Observer{o}
	j := mustOpen(t, c)
	record(t, j, smallEvent(1))
	j.Record(context.Background(), &Event{})
	j.Close()
	j.Record(context.Background(), smallEvent(2))
	if len(o.errors) != 3 || o.errors[0] != nil || reasonOf(o.errors[1]) != InvalidEvent || reasonOf(o.errors[2]) != Closed {
		t.Errorf("%v", o.errors)
	}
}

func TestRelaxedIsLoudAndSyncsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newMemory()
		var log bytes.Buffer
		c := testConfig(t, files)
		c.Durability = Relaxed(time.Second)
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		j := mustOpen(t, c)
		if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "RELAXED") {
			t.Errorf("log: %s", &log)
		}
		record(t, j, smallEvent(1))
		isSynced := func(n int) bool {
			files.mu.Lock()
			defer files.mu.Unlock()
			return bytes.Contains(files.files[fileName(1)].synced, []byte(numbered(n).String()))
		}
		if isSynced(1) {
			t.Error("synced at once")
		}
		if got := entries(t, files, Query{}); len(got) != 1 {
			t.Error("not handed to the system at once")
		}
		time.Sleep(1001 * time.Millisecond)
		synctest.Wait()
		if !isSynced(1) {
			t.Error("not synced after the interval")
		}
		record(t, j, smallEvent(2))
		if err := j.Close(); err != nil || !isSynced(2) {
			t.Errorf("not synced by Close: %v", err)
		}
		if got := entries(t, files, Query{Control: true})[1]; got.Durability != "relaxed 1s" {
			t.Errorf("the journal does not say that it was relaxed: %+v", got)
		}
	})
}

// When relaxed records cannot be synced they may be lost: this is said, and the file is not trusted any more.
func TestRelaxedLossIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newMemory()
		var log bytes.Buffer
		c := testConfig(t, files)
		c.Durability = Relaxed(time.Second)
		j := mustOpen(t, c)
		j.log = slog.New(slog.NewTextHandler(&log, nil))
		failing := true
		files.fail = func(op, name string) (int, error) {
			if op == "sync" && name == fileName(1) && failing {
				return 0, errFull
			}
			return 0, nil
		}
		record(t, j, smallEvent(1))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := strings.Count(log.String(), "MAY BE LOST"); n != 1 || !strings.Contains(log.String(), "from=2 to=3") {
			t.Errorf("told %d times: %s", n, &log)
		}
		record(t, j, smallEvent(2))
		if j.Stats().File != 2 {
			t.Error("no other file was begun")
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		mustBeIntact(t, files)
	})
}

// The recipe of the package comment, written down without this package's code.
func TestChainCanBeCheckedByHand(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, Config{Dir: dir, Logger: quiet()})
	record(t, j, fullEvent(), smallEvent(2))
	j.Close()
	content, err := os.ReadFile(filepath.Join(dir, "journal-00000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	prev := make([]byte, 32)
	lines := strings.SplitAfter(string(content), "\n")
	for _, line := range lines[:len(lines)-1] {
		body, hash := line[:len(line)-76], line[len(line)-67:len(line)-3]
		sum := sha256.Sum256(append(prev, body...))
		if hex.EncodeToString(sum[:]) != hash {
			t.Fatalf("%s", line)
		}
		prev = sum[:]
	}
	if len(lines) != 6 {
		t.Errorf("%d lines", len(lines)-1)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("allocations are not counted under the race detector")
	}
	for name, durability := range map[string]Durability{"sync": {}, "relaxed": Relaxed(time.Hour)} {
		t.Run(name, func(t *testing.T) {
			j := mustOpen(t, Config{Dir: t.TempDir(), Durability: durability, Logger: quiet(), Observers: []Observer{nothing{}}})
			defer j.Close()
			e, ctx := fullEvent(), context.Background()
			record(t, j, e)
			if n := testing.AllocsPerRun(200, func() {
				if err := j.Record(ctx, e); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

type nothing struct{}

func (nothing) Observe(*Event, error) {}

func TestIDs(t *testing.T) {
	a, b := NewID(start), NewID(start)
	if a == b {
		t.Error("two ids are one")
	}
	if later := NewID(start.Add(time.Millisecond)); later.String() <= max(a.String(), b.String()) {
		t.Error("ids do not sort by time")
	}
	if back, err := ParseID(a.String()); err != nil || back != a {
		t.Errorf("%v, %v", back, err)
	}
	for _, text := range []string{"", "00", strings.ToUpper(numbered(1).String()[:30] + "ab"), a.String() + "0", strings.Repeat("g", 32)} {
		if _, err := ParseID(text); reasonOf(err) != Malformed {
			t.Errorf("%q was read as an id", text)
		}
	}
	var buffer [32]byte
	if n := testing.AllocsPerRun(100, func() { id := NewID(start); id.Append(buffer[:0]) }); n != 0 && !raceDetector {
		t.Errorf("%v allocations", n)
	}
}

func TestEventsAreReused(t *testing.T) {
	e := fullEvent()
	attributes := e.Attributes
	e.Reset()
	if len(e.Attributes) != 0 || cap(e.Attributes) != cap(attributes) || attributes[0] != (Attribute{}) || e.validate() == "" {
		t.Errorf("%+v", e)
	}
}

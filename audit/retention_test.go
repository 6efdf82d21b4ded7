package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"
)

// aging makes a journal with a file for each of some days, and a clock that stands at the last of them.
func aging(t testing.TB, files FileSystem, days int) (*Journal, *time.Time) {
	t.Helper()
	now := start
	c := testConfig(t, files)
	c.MaxFileAge = 24 * time.Hour
	c.Now = func() time.Time { return now }
	j := mustOpen(t, c)
	for day := range days {
		now = start.Add(time.Duration(day) * 24 * time.Hour)
		e := smallEvent(day)
		e.Time = now
		record(t, j, e)
	}
	return j, &now
}

func (m *memory) numbers(t testing.TB) []int {
	t.Helper()
	numbers, _, err := fileNumbers(m)
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

func TestFilesEndByAge(t *testing.T) {
	files := newMemory()
	j, now := aging(t, files, 3)
	if got := files.numbers(t); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("files %v", got)
	}
	j.Close()
	// The age is that of the file, not of the process.
	c := testConfig(t, files)
	c.MaxFileAge, c.Now = 24*time.Hour, func() time.Time { return *now }
	*now = now.Add(23 * time.Hour)
	j = mustOpen(t, c)
	if got := files.numbers(t); len(got) != 3 {
		t.Errorf("after 23 hours: files %v", got)
	}
	j.Close()
	*now = now.Add(time.Hour)
	mustOpen(t, c).Close()
	if got := files.numbers(t); len(got) != 4 {
		t.Errorf("after 24 hours: files %v", got)
	}
	mustBeIntact(t, files)
}

func TestPruneRemovesWhatIsOlder(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name      string
		retention time.Duration
		idle      time.Duration // since the last record
		want      []int         // files kept
	}{
		{"all is younger", 92 * day, 0, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{"as old as the retention is kept", 3 * day, 0, []int{6, 7, 8, 9, 10}}, // file 7 was begun 3 days ago, to the instant
		{"a moment older", 3 * day, 1, []int{7, 8, 9, 10}},
		{"the least", day, 1, []int{9, 10}},
		{"the file appended to stays", day, 1000 * day, []int{10}},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := newMemory()
			j, now := aging(t, files, 10)
			head := j.Head()
			all := len(entries(t, files, Query{}))
			*now = now.Add(test.idle)
			// The record of the removal itself must not begin a file in this test.
			j.writer.maxAge = 0
			removal, err := j.Prune(test.retention)
			if err != nil {
				t.Fatal(err)
			}
			if got := files.numbers(t); !slices.Equal(got, test.want) {
				t.Fatalf("kept %v, want %v", got, test.want)
			}
			gone := 10 - len(test.want)
			if gone == 0 && removal != (Removal{}) || gone > 0 && (removal.First != 1 || removal.Last != gone) {
				t.Errorf("%+v", removal)
			}
			for _, e := range entries(t, files, Query{}) {
				if gone < 9 && now.Sub(e.Time) > test.retention+day {
					t.Errorf("a record of %v is kept", e.Time)
				}
			}
			if got := len(entries(t, files, Query{})); got != all-gone {
				t.Errorf("%d events of %d are left", got, all)
			}
			j.Close()
			// The chain holds, up to an anchor from before, and says itself where it begins.
			report := mustBeIntact(t, files, head)
			if !report.RemovedByRetention() || len(report.Removed) != min(gone, 1) || gone > 0 && report.Before != removal.Until {
				t.Errorf("%+v", report)
			}
			mustOpen(t, testConfig(t, files)).Close()
		})
	}
}

// Whoever removes more than the journal says shows it.
func TestRemovalByHandShows(t *testing.T) {
	files := newMemory()
	j, now := aging(t, files, 10)
	*now = now.Add(1)
	if _, err := j.Prune(5 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	j.Close()
	first := files.numbers(t)[0]
	if err := files.Remove(fileName(first)); err != nil {
		t.Fatal(err)
	}
	if report := mustVerify(t, files); report.RemovedByRetention() || len(report.Removed) != 1 {
		t.Errorf("%+v", report)
	}
}

func TestPruneRefuses(t *testing.T) {
	files := newMemory()
	j, _ := aging(t, files, 3)
	if _, err := j.Prune(LeastRetention - 1); reasonOf(err) != InvalidConfig {
		t.Error(err)
	}
	j.Close()
	if _, err := j.Prune(LeastRetention); reasonOf(err) != Closed {
		t.Error(err)
	}
	if _, err := new(Journal).Prune(LeastRetention); reasonOf(err) != Closed {
		t.Error(err)
	}
	if _, err := Open(Config{FileSystem: newMemory(), MaxFileAge: -1}); reasonOf(err) != InvalidConfig {
		t.Error(err)
	}
}

// Nothing goes before the record of it stands; what was interrupted goes on later; a head that cannot be read removes nothing.
func TestPruneFaults(t *testing.T) {
	for _, op := range []string{"open", "write", "sync", "remove", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			files := newMemory()
			j, now := aging(t, files, 6)
			*now = now.Add(1)
			j.writer.maxAge = 0
			files.mu.Lock()
			files.fail = func(at, _ string) (int, error) {
				if at == op {
					return 0, errFull
				}
				return 0, nil
			}
			files.mu.Unlock()
			_, err := j.Prune(2 * 24 * time.Hour)
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("%v", err)
			}
			if op != "syncdir" {
				if got := files.numbers(t); len(got) != 6 {
					t.Errorf("kept %v", got)
				}
			}
			files.mu.Lock()
			files.fail = nil
			files.mu.Unlock()
			if _, err := j.Prune(2 * 24 * time.Hour); err != nil {
				t.Fatal(err)
			}
			if got := files.numbers(t); !slices.Equal(got, []int{4, 5, 6}) {
				t.Errorf("then kept %v", got)
			}
			j.Close()
			if report := mustBeIntact(t, files); !report.RemovedByRetention() {
				t.Errorf("%+v", report)
			}
		})
	}
}

// What a crash set aside goes with its file.
func TestPruneTakesTornFilesAlong(t *testing.T) {
	files := newMemory()
	j, now := aging(t, files, 4)
	*now = now.Add(1)
	for _, name := range []string{fileName(1) + ".aabbccdd" + tornSuffix, fileName(4) + ".aabbccdd" + tornSuffix} {
		if err := writeNew(files, name, []byte("half")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Prune(2 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if _, err := files.Open(fileName(1) + ".aabbccdd" + tornSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the torn part of a removed file is kept")
	}
	if _, err := files.Open(fileName(4) + ".aabbccdd" + tornSuffix); err != nil {
		t.Error(err)
	}
}

// Prune runs beside Record on the real directory.
func TestPruneBesideRecord(t *testing.T) {
	dir := t.TempDir()
	now := start
	j := mustOpen(t, Config{Dir: dir, Logger: quiet(), Now: func() time.Time { return now }, MaxFileBytes: minFileBytes})
	for n := range 200 {
		record(t, j, smallEvent(n))
	}
	now = now.Add(48 * time.Hour)
	done := make(chan error, 1)
	go func() {
		_, err := j.Prune(LeastRetention)
		done <- err
	}()
	for n := range 50 {
		record(t, j, smallEvent(1000+n))
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	head := j.Head()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := Verify(dir, head)
	if err != nil || !report.Intact() || !report.RemovedByRetention() || len(report.Removed) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
}

func TestRemovalIsReadStrictly(t *testing.T) {
	whole := Removal{First: 1, Last: 3, Until: Anchor{Journal: numbered(1), Seq: 9, Hash: [32]byte{1}}, Retention: time.Hour, At: start}
	got, ok := parseRemoval([]byte("{" + string(whole.body()) + "}"))
	if !ok || got != whole {
		t.Fatalf("%+v, %v", got, ok)
	}
	for _, text := range []string{"", "{}", `{"kind":"event"}`, fmt.Sprintf(`{"kind":"removed","until":%q,"retention":"x"}`, whole.Until), `{"kind":"removed","until":"x","retention":"1h"}`} {
		if _, ok := parseRemoval([]byte(text)); ok {
			t.Errorf("%q was read", text)
		}
	}
}

package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func onDisk(t *testing.T, days int) (string, Anchor) {
	t.Helper()
	dir := t.TempDir()
	now := start
	j := mustOpen(t, Config{Dir: dir, Logger: quiet(), Now: func() time.Time { return now }, MaxFileAge: 24 * time.Hour})
	for day := range days {
		now = start.Add(time.Duration(day) * 24 * time.Hour)
		e := smallEvent(day)
		e.Time = now
		record(t, j, e)
	}
	head := j.Head()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, head
}

func TestExport(t *testing.T) {
	dir, head := onDisk(t, 6)
	const day = 24 * time.Hour
	for _, test := range []struct {
		name         string
		since, until time.Time
		files        int
		events       uint64
	}{
		{"all", time.Time{}, time.Time{}, 6, 6},
		{"since", start.Add(3*day + time.Hour), time.Time{}, 3, 3},
		{"until", time.Time{}, start.Add(2*day + time.Hour), 3, 3},
		{"one day", start.Add(2*day + time.Hour), start.Add(2*day + 2*time.Hour), 1, 1},
		{"a record may be made a little after its time", time.Time{}, start.Add(3 * day), 4, 4},
		{"after all", start.Add(100 * day), time.Time{}, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "export")
			report, err := Export(dir, to, test.since, test.until)
			if err != nil || !report.Intact() || report.Files != test.files || report.Events != test.events {
				t.Fatalf("%+v, %v", report, err)
			}
			// Octet for octet, without the key, and its chain is the journal's.
			names, err := directory(to).Names()
			if err != nil || len(names) != test.files {
				t.Fatal(names, err)
			}
			for _, name := range names {
				a, _ := os.ReadFile(filepath.Join(dir, name))
				b, _ := os.ReadFile(filepath.Join(to, name))
				if !bytes.Equal(a, b) {
					t.Errorf("%s is another", name)
				}
			}
			whole, err := Verify(dir, report.Head)
			if err != nil || !whole.Intact() {
				t.Errorf("the journal does not hold the head of the export: %+v, %v", whole, err)
			}
			if report.Head.Seq >= head.Seq {
				if again, err := Verify(to, head); err != nil || !again.Intact() {
					t.Errorf("%+v, %v", again, err)
				}
			}
		})
	}
}

func TestExportLeavesALineUnderWay(t *testing.T) {
	dir, _ := onDisk(t, 2)
	name := filepath.Join(dir, fileName(2))
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.WriteString(`{"seq":`)
	file.Close()
	report, err := Export(dir, filepath.Join(t.TempDir(), "export"), time.Time{}, time.Time{})
	if err != nil || !report.Intact() || report.Events != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
}

func TestExportRefuses(t *testing.T) {
	dir, _ := onDisk(t, 2)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Export(dir, full, time.Time{}, time.Time{}); reasonOf(err) != Unwritable {
		t.Error(err)
	}
	if _, err := Export(t.TempDir(), filepath.Join(t.TempDir(), "x"), time.Time{}, time.Time{}); reasonOf(err) != Unreadable {
		t.Error(err)
	}
	if _, err := Export(filepath.Join(dir, "absent"), filepath.Join(t.TempDir(), "x"), time.Time{}, time.Time{}); reasonOf(err) != Unreadable {
		t.Error(err)
	}
	changed := filepath.Join(dir, fileName(1))
	text, err := os.ReadFile(changed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, bytes.Replace(text, []byte("REQ-01"), []byte("REQ-02"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	// Evidence is copied as it is, and not vouched for.
	if report, err := Export(dir, filepath.Join(t.TempDir(), "x"), time.Time{}, time.Time{}); err != nil || report.Intact() {
		t.Errorf("%+v, %v", report, err)
	}
}

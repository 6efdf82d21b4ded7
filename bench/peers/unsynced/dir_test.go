package unsynced

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"sceau/audit"
)

// TestJournal: a journal in such a directory is one that the audit package finds intact on the disk, also when it
// was closed and opened again.
func TestJournal(t *testing.T) {
	dir := t.TempDir()
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	for i := range 2 {
		journal, err := audit.Open(audit.Config{Dir: dir, FileSystem: Dir(dir), Now: now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		event := audit.Event{ID: audit.NewID(now()), Time: now(), Service: "saml11", Operation: "attribute-query", Outcome: audit.Success,
			Remote: audit.RemoteLoopback}
		if err := journal.Record(context.Background(), &event); err != nil {
			t.Fatal(err)
		}
		if err := journal.Close(); err != nil {
			t.Fatal(err)
		}
		events := 0
		for _, err := range audit.List(dir, audit.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			events++
		}
		if events != i+1 {
			t.Errorf("%d events on the disk, want %d", events, i+1)
		}
	}
	report, err := audit.Verify(dir)
	if err != nil || !report.Intact() {
		t.Errorf("%v, %v", report.Findings, err)
	}
}

// TestErrors: what is not there is an error and no file; what is there is not made again.
func TestErrors(t *testing.T) {
	d := Dir(t.TempDir())
	if f, err := d.Open("none"); err == nil || f != nil {
		t.Errorf("Open: %v, %v", f, err)
	}
	if f, err := d.Append("none"); err == nil || f != nil {
		t.Errorf("Append: %v, %v", f, err)
	}
	f, err := d.Create("one")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if again, err := d.Create("one"); err == nil || again != nil {
		t.Errorf("Create: %v, %v", again, err)
	}
	if _, err := Dir("/nowhere").Names(); err == nil {
		t.Error("Names of no directory")
	}
}

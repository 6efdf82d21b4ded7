package audit

import (
	"context"
	"io"
	"testing"
)

// behind lets a reader see a file as it was just before something happened.
type behind struct {
	*memory
	happens func()
}

func (b *behind) Open(name string) (io.ReadCloser, error) {
	r, err := b.memory.Open(name) // of what it holds now
	if happens := b.happens; happens != nil {
		b.happens = nil
		happens()
	}
	return r, err
}

// TestReadBehindAWriter: records that come after a reader met the end of the last file, and the file that
// is begun after them, are not there for it. With the file alone the journal would seem to have lost the
// records.
func TestReadBehindAWriter(t *testing.T) {
	for name, read := range map[string]func(FileSystem) int{
		"verify": func(files FileSystem) int {
			report, err := verify(files, nil)
			if err != nil || !report.Intact() || report.Files != 1 {
				t.Errorf("%+v, %v", report, err)
			}
			return int(report.Events)
		},
		"list": func(files FileSystem) int {
			n := 0
			for entry, err := range list(files, Query{}) {
				if err != nil || entry.Line == 0 {
					t.Errorf("%+v, %v", entry, err)
				}
				n++
			}
			return n
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := newMemory()
			j := mustOpen(t, Config{FileSystem: files, MaxFileBytes: minFileBytes, Logger: quiet()})
			defer j.Close()
			events := 0
			record := func() {
				events++
				if err := j.Record(context.Background(), smallEvent(events)); err != nil {
					t.Fatal(err)
				}
			}
			record()
			before := events
			got := read(&behind{memory: files, happens: func() {
				for j.Stats().File == 1 {
					record()
				}
			}})
			if got != before || events == before {
				t.Errorf("%d events of %d, then %d", got, before, events)
			}
		})
	}
}

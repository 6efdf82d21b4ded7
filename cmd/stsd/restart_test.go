package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sceau/audit"
	"sceau/sts"
)

// TestRestart: R2, a message that was admitted is not admitted by the server that
// takes over the audit trail, and a fresh one is.
func TestRestart(t *testing.T) {
	d := &demo{dir: t.TempDir(), out: new(bytes.Buffer)}
	if err := d.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.dir, "stsd.yaml")
	if err := os.WriteFile(path, []byte(demoConfig("127.0.0.1:0", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *system {
		t.Helper()
		p := &problems{file: path}
		s := build(readConfig(path, p), p, slog.New(slog.DiscardHandler))
		if err := p.err(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	ask := func(s *system, message []byte) []byte {
		return s.service.AttributeQuery(context.Background(), &sts.Message{Body: message}, nil).Body
	}
	// The forged request is refused with REQ-01, after its message was admitted.
	message, err := d.forged()
	if err != nil {
		t.Fatal(err)
	}
	first := start()
	if body := ask(first, message); !bytes.Contains(body, []byte("REQ-01")) {
		t.Fatalf("%s", body)
	}
	first.close()

	second := start()
	defer second.close()
	if body := ask(second, message); !bytes.Contains(body, []byte("wsse:FailedCheck")) {
		t.Errorf("replayed after a restart: %s", body)
	}
	time.Sleep(2 * time.Millisecond) // another Created
	other, err := d.forged()
	if err != nil {
		t.Fatal(err)
	}
	if body := ask(second, other); !bytes.Contains(body, []byte("REQ-01")) {
		t.Errorf("a fresh message: %s", body)
	}
	var records int
	for entry, err := range audit.List(filepath.Join(d.dir, "audit"), audit.Query{Since: time.Now().Add(-time.Hour)}) {
		if err != nil || entry.Kind != "event" {
			t.Fatal(entry, err)
		}
		records++
	}
	if records != 3 {
		t.Errorf("%d records", records)
	}
}

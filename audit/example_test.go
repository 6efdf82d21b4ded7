package audit_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"sceau/audit"
)

func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	journal, err := audit.Open(audit.Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		panic(err)
	}
	err = journal.Record(context.Background(), &audit.Event{
		ID: audit.NewID(now), Time: now, Service: "saml11", Outcome: audit.Refused,
		Code: "REQ-01", Stage: "confirm", Cause: "the holder's key is not the key of the inner signature",
		Subject: audit.Identifier{Type: "ssin", Value: "00000000097"},
	})
	if err != nil {
		panic(err) // and the answer must not leave
	}
	head := journal.Head() // to be noted elsewhere
	journal.Close()

	person := journal.Pseudonym(audit.Identifier{Type: "ssin", Value: "00000000097"})
	for entry, err := range audit.List(dir, audit.Query{Pseudonym: person}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(entry.Time.Format(time.RFC3339), entry.Service, entry.Outcome, entry.Code, entry.Cause)
	}
	report, err := audit.Verify(dir, head)
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Events, "event; intact:", report.Intact())
	// Output:
	// 2026-11-21T20:00:00Z saml11 refused REQ-01 the holder's key is not the key of the inner signature
	// 1 event; intact: true
}

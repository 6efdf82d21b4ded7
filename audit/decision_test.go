package audit

import (
	"strings"
	"testing"
)

// A decision is recorded with who asked, about what and because of which policies: what is ours in clear, what is a
// client's by pseudonym.
func TestDecisionRecord(t *testing.T) {
	files := newMemory()
	j := mustOpen(t, testConfig(t, files))
	event := func(n int, r Resource) *Event {
		return &Event{ID: numbered(n), Time: start, Service: "authzen", Operation: "evaluation", Outcome: Refused, Client: "dtw", Action: "enter",
			Subject: Identifier{"Person", "SSIN=00000000097"}, Resource: r, Policies: "lost-key no-numbers"}
	}
	record(t, j, event(1, Resource{Type: "Application", Name: "DTW"}), event(2, Resource{Type: "user", Value: "beth@example.com"}),
		event(3, Resource{Type: "Application", Name: "of 00000000097"}))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustBeIntact(t, files)
	var entries []*Entry
	for e, err := range list(files, Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
		if strings.Contains(string(e.Raw), "beth") || strings.Contains(string(e.Raw), "00000000097") {
			t.Errorf("a person stands in %s", e.Raw)
		}
	}
	if len(entries) != 3 {
		t.Fatalf("%d entries", len(entries))
	}
	if e := entries[0]; e.Client != "dtw" || e.Action != "enter" || e.Resource != (ResourceEntry{Type: "Application", Name: "DTW"}) || e.Policies != "lost-key no-numbers" {
		t.Errorf("%+v", e)
	}
	if e := entries[1]; e.Resource.Type != "user" || e.Resource.Pseudonym == "" || e.Resource.Name != "" {
		t.Errorf("%+v", e.Resource)
	}
}

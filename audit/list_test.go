package audit

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestQueriesChoose(t *testing.T) {
	files := newMemory()
	c := testConfig(t, files)
	j := mustOpen(t, c)
	plain := fullEvent()
	refused := smallEvent(2)
	refused.RequestID = []byte("_req2")
	holder := smallEvent(3)
	holder.Service, holder.Outcome, holder.Code = "wstrust", Fault, "SOA-03001"
	holder.Holder = Party{Kind: "ehealth-organisation", Identifier: Identifier{"cbe", "0809394427"}}
	// A name that looks like what is searched for must not be taken for it.
	decoy := smallEvent(4)
	decoy.Code, decoy.Cause = "REQ-02", numbered(2).String()+" "+c.Key.Pseudonym(Identifier{"cbe", "0809394427"}).String()
	record(t, j, plain, refused, holder, decoy)
	j.Close()
	tests := []struct {
		name  string
		query Query
		want  string
	}{
		{"all", Query{}, "1 2 3 4"},
		{"since", Query{Since: start.Add(2 * time.Second)}, "2 3 4"},
		{"until", Query{Until: start.Add(2 * time.Second)}, "1"},
		{"since, until", Query{Since: start.Add(2 * time.Second), Until: start.Add(4 * time.Second)}, "2 3"},
		{"service", Query{Service: "wstrust"}, "3"},
		{"outcome", Query{Outcome: Success}, "1"},
		{"code", Query{Code: "REQ-01"}, "2"},
		{"a part of a code", Query{Code: "REQ"}, ""},
		{"id", Query{ID: numbered(2)}, "2"},
		{"request", Query{RequestID: "_req2"}, "2"},
		{"assertion", Query{AssertionID: "_cafe"}, "1"},
		{"person", Query{Pseudonym: j.Pseudonym(Identifier{"ssin", "00000000097"})}, "1"},
		{"person by another type", Query{Pseudonym: j.Pseudonym(Identifier{"nihii", "00000000097"})}, ""},
		{"organisation", Query{Pseudonym: c.Key.Pseudonym(Identifier{"cbe", "0809394427"})}, "1 3"},
		{"organisation and code", Query{Pseudonym: c.Key.Pseudonym(Identifier{"cbe", "0809394427"}), Code: "SOA-03001"}, "3"},
		{"control", Query{Control: true, ID: numbered(2)}, "file open 2 close"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			for _, entry := range entries(t, files, test.query) {
				name := entry.Kind
				for n := range 5 {
					if entry.ID == numbered(n).String() {
						name = fmt.Sprint(n)
					}
				}
				if got != "" {
					got += " "
				}
				got += name
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	first := entries(t, files, Query{ID: numbered(1)})[0]
	if first.File != fileName(1) || first.Line != 3 || first.Seq != 3 || first.Identity.Kind != "eid" || first.Attributes[1].State != "denied" ||
		first.Message != hexOf(plain.MessageDigest) || !first.NotOnOrAfter.Equal(plain.NotOnOrAfter) || first.DurationMicros != 812 {
		t.Errorf("%+v", first)
	}
}

func TestListPassesOverWhatItCannotRead(t *testing.T) {
	files, _ := written(t)
	whole := len(entries(t, files, Query{}))
	files.change(fileName(2), func(l [][]byte) [][]byte { l[3] = []byte("noise\n"); return l })
	files.files[fileName(3)].content = append(files.files[fileName(3)].content, `{"seq":`...)
	events, bad := 0, 0
	for entry, err := range list(files, Query{}) {
		if err != nil {
			bad++
			if e := err.(*Error); e.Reason != Malformed || e.File != fileName(2) || e.Line != 4 || entry != nil {
				t.Error(err)
			}
			continue
		}
		events++
	}
	if events != whole-1 || bad != 1 {
		t.Errorf("%d events, %d errors", events, bad)
	}
	for range list(files, Query{}) {
		break // an early end is allowed
	}
	files.fail = func(op, _ string) (int, error) { return 0, errFull }
	for _, err := range list(files, Query{}) {
		if reasonOf(err) != Unreadable {
			t.Error(err)
		}
	}
}

// `stsd audit list` and `verify` run beside the server.
func TestReadingALiveJournal(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, Config{Dir: dir, MaxFileBytes: minFileBytes, Logger: quiet()})
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := j.Record(context.Background(), smallEvent(w*100000+n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	seen := uint64(0)
	for range 20 {
		anchor := j.Head()
		report, err := Verify(dir, anchor)
		if err != nil || !report.Intact() || report.Events < seen {
			t.Fatalf("%+v, %v", report, err)
		}
		seen = report.Events
		listed := uint64(0)
		for _, err := range List(dir, Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			listed++
		}
		if listed < seen {
			t.Fatalf("listed %d, verified %d", listed, seen)
		}
	}
	close(stop)
	writers.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

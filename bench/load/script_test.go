package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sceau/bench/load/measure"
	"sceau/bench/load/report"
)

// TestMain lets scripts run the real main under the name load.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"load": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"measured": makeReport,
			"status":   checkStatus,
		},
	})
}

// makeReport is the script command "measured FILE": the report of a short run, as JSON.
func makeReport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: measured FILE")
	}
	latency := measure.NewHistogram()
	latency.Record(7 * time.Millisecond)
	r := &measure.Report{
		Title: "Measured before", Scenario: "title: Measured before\n", Made: time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC),
		Phases: []measure.Phase{{Name: "only phase", Run: &measure.Run{
			Target: "stsd", Load: measure.Load{Loop: "closed"}, Duration: time.Second, Connections: 1, Offered: 1, Sent: 1, Answered: 1, Served: 1,
			Classes: map[measure.Class]uint64{measure.Right: 1}, Latency: latency, Service: latency,
		}}},
		Verdict: []measure.Judgement{{Phase: "only phase", What: whatWrong, Found: "0 wrong", Holds: true}},
	}
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(report.JSON(file, r))
	ts.Check(file.Close())
}

// checkStatus is the script command "status N ARGUMENT...": load with these arguments ends with
// status N.
func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N ARGUMENT...")
	}
	got := "0"
	if err := ts.Exec("load", args[1:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("load %s: status %s instead of %s", strings.Join(args[1:], " "), got, args[0])
	}
}

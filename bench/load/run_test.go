package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/bench/load/measure"
	"sceau/bench/load/message"
)

// A rig is a stsd that was built, and a PKI with a server that serves it.
type rig struct {
	binary, pki, url string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{binary: filepath.Join(dir, "stsd"), pki: filepath.Join(dir, "load-pki")}
	if err := buildServer(t.Context(), r.binary); err != nil {
		t.Fatal(err)
	}
	pki, err := message.NewPKI(t.Context(), r.pki, message.PKIConfig{Keys: 1, Profiles: []message.Profile{
		{Identity: message.P256, Holder: message.P256, Weight: 1, Consumers: 3},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ports, err := freeEndpoints(tlsNone)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "server")
	options := message.ServerOptions{Address: ports.listen, Admin: ports.adminAddress, SigningKey: message.P256}
	if err := setUpServer(t.Context(), r.binary, folder, pki, options, nil); err != nil {
		t.Fatal(err)
	}
	s, err := startServer(t.Context(), r.binary, folder, &start{}, ports)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	r.url = ports.url
	return r
}

// load runs the tool as a shell would, and gives its status and what it wrote.
func load(t *testing.T, args ...string) (status int, out, complaints string) {
	t.Helper()
	var o, c bytes.Buffer
	status = run(t.Context(), args, &o, &c)
	return status, o.String(), c.String()
}

// outDir is the folder of a run.
func outDir(t *testing.T) string { return filepath.Join(t.TempDir(), "out") }

// scenarioFile writes a scenario and names it.
func scenarioFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts servers")
	}
	t.Cleanup(func() { goleak.VerifyNone(t) })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	r := newRig(t)
	t.Run("running server", r.runningServer) // alone: it has a working folder of its own
	for name, test := range map[string]func(*testing.T){
		"started server": r.startedServer, "ahead": r.ahead, "agreed clock": r.agreedClock, "wrong server": r.wrongServer,
		"server that does not start": r.serverThatDoesNotStart, "server that ends": r.serverThatEnds, "interrupt": r.interrupt, "built": r.built, "tried": r.tried,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// The whole tool, against a server that it starts: every kind of message, TLS on both
// sides, and both reports.
func (r *rig) startedServer(t *testing.T) {
	scenario := scenarioFile(t, `
title: Tiny
pki: `+r.pki+`
target: {start: {binary: `+r.binary+`, signing: p256, tls: mutual, durability: relaxed 1s, gomaxprocs: 1, limits: {max-in-flight: 16}}}
mix: {query: 4, cold-certificate: 1, bad-signature: 1, replay: 1, ill-formed: 1, unknown-attribute: 1}
connections: 4
phases:
  - {name: open, rate: 20, arrivals: constant, warmup: 0s, duration: 1s, idle: 3, expect: {error-share: 0, rss-max: 4GiB, max-wait: 1m}}
  - {name: closed, closed: true, new-connections: true, connections: 2, warmup: 0s, duration: 1s}
`)
	out := outDir(t)
	status, said, complaints := load(t, "run", scenario, "--out", out)
	if status != exitHolds {
		t.Fatalf("status %d\n%s\n%s", status, said, complaints)
	}
	for _, want := range []string{"Tiny", "report.html", "report.json"} {
		if !strings.Contains(said, want) {
			t.Errorf("the summary does not say %q:\n%s", want, said)
		}
	}
	var report measure.Report
	text := readFile(t, filepath.Join(out, "report.json"))
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Phases) != 2 || len(report.Verdict) != 8 || report.Machine.Cores == 0 || !strings.Contains(report.Scenario, "max-in-flight: 16") {
		t.Errorf("%d phases, verdict %+v, machine %+v", len(report.Phases), report.Verdict, report.Machine)
	}
	open := report.Phases[0].Run
	if open.Offered != 20 || open.Classes[measure.Right] != 20 || open.Verified == 0 || open.Server == nil || open.Idle != 3 {
		t.Errorf("open: %+v", open)
	}
	for kind, n := range report.Phases[1].Run.Kinds {
		t.Logf("closed: %s %d", kind, n)
	}
	page := readFile(t, filepath.Join(out, "report.html"))
	if !strings.HasPrefix(page, "<!") || !strings.Contains(page, "<svg") || !strings.Contains(page, "Tiny") {
		t.Error("the page has no plots, or not its title")
	}
	// Nothing of the server is left: its port is free again.
	log := readFile(t, filepath.Join(out, "server-1", "server.log"))
	if !strings.Contains(log, "stopping") {
		t.Errorf("the server was not stopped in order:\n%s", log)
	}
}

// Messages that are signed ahead, in a run and before it.
func (r *rig) ahead(t *testing.T) {
	scenario := scenarioFile(t, `
pki: `+r.pki+`
target: {url: "`+r.url+`"}
sign: ahead
connections: 4
phases: [{name: ahead, rate: 20, arrivals: constant, warmup: 0s, duration: 1s}]
`)
	if status, said, complaints := load(t, "run", scenario, "--out", outDir(t)); status != exitHolds || !strings.Contains(complaints, "ahead") {
		t.Errorf("status %d\n%s\n%s", status, said, complaints)
	}
	file := filepath.Join(t.TempDir(), "messages")
	status, said, complaints := load(t, "prepare", scenario, "--messages", file)
	if status != exitHolds || !strings.Contains(said, "messages in "+file) {
		t.Fatalf("prepare: status %d\n%s\n%s", status, said, complaints)
	}
	if status, said, complaints := load(t, "run", scenario, "--messages", file, "--out", outDir(t)); status != exitHolds {
		t.Errorf("status %d\n%s\n%s", status, said, complaints)
	}
	// The server has seen them: sent again they are replayed, and no good query.
	if status, _, _ := load(t, "run", scenario, "--messages", file, "--out", outDir(t)); status != exitFailed {
		t.Errorf("status %d of a file that was used", status)
	}
}

// Messages for a clock that is agreed with the server are good for one start of it after the other.
func (r *rig) agreedClock(t *testing.T) {
	clock := time.Now().Add(100 * time.Hour).UTC().Format(time.RFC3339)
	scenario := scenarioFile(t, `
pki: `+r.pki+`
clock: `+clock+`
target: {start: {binary: `+r.binary+`}}
sign: ahead
connections: 2
phases: [{name: ahead, rate: 10, arrivals: constant, warmup: 0s, duration: 1s}]
`)
	file := filepath.Join(t.TempDir(), "messages")
	if status, said, complaints := load(t, "prepare", scenario, "--messages", file); status != exitHolds || !strings.Contains(said, clock) {
		t.Fatalf("prepare: status %d\n%s\n%s", status, said, complaints)
	}
	for range 2 {
		if status, said, complaints := load(t, "run", scenario, "--messages", file, "--out", outDir(t)); status != exitHolds {
			t.Errorf("status %d\n%s\n%s", status, said, complaints)
		}
	}
}

var signature = regexp.MustCompile(`(?s)<ds:Signature[ >].*?</ds:Signature>`)

// Whatever is not the very answer fails the run, also when it looks like one.
func (r *rig) wrongServer(t *testing.T) {
	for name, change := range map[string]func(body string) string{
		"another service":       func(string) string { return "<html>It works!</html>" },
		"unsigned":              func(body string) string { return signature.ReplaceAllString(body, "") },
		"altered":               func(body string) string { return strings.ReplaceAll(body, ">true<", ">false<") },
		"of another's question": func(body string) string { return strings.Replace(body, `InResponseTo="`, `InResponseTo="x`, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.pass(w, q, change) }))
			defer wrong.Close()
			scenario := scenarioFile(t, `
pki: `+r.pki+`
target: {url: "`+wrong.URL+`/"}
connections: 2
try: false
phases: [{name: wrong, rate: 5, arrivals: constant, warmup: 0s, duration: 1s, advisory: true}]
`)
			status, said, complaints := load(t, "run", scenario, "--out", outDir(t))
			if status != exitFailed || !strings.Contains(complaints, errFailed.Error()) || !strings.Contains(said, "5 wrong of 5 answers") {
				t.Errorf("status %d\n%s\n%s", status, said, complaints)
			}
		})
	}
}

// pass hands a request on to the true server, and changes the answer.
func (r *rig) pass(w http.ResponseWriter, q *http.Request, change func(string) string) {
	request, err := http.NewRequestWithContext(q.Context(), q.Method, r.url, q.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	request.Header = q.Header.Clone()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.WriteHeader(answer.StatusCode)
	io.WriteString(w, change(string(body)))
}

// A server that does not come up says why.
func (r *rig) serverThatDoesNotStart(t *testing.T) {
	scenario := scenarioFile(t, `
pki: `+r.pki+`
target: {start: {binary: `+r.binary+`, limits: {max-in-flight: -5}}}
phases: [{rate: 1}]
`)
	status, _, complaints := load(t, "run", scenario, "--out", outDir(t))
	if status != exitFailed || !strings.Contains(complaints, "ended before its time") || !strings.Contains(complaints, "max-in-flight") {
		t.Errorf("status %d\n%s", status, complaints)
	}
}

// One that ends in the midst of a run ends the run.
func (r *rig) serverThatEnds(t *testing.T) {
	dir := t.TempDir()
	dying, signal := filepath.Join(dir, "dying"), filepath.Join(dir, "signal")
	script := "#!/bin/sh\n[ \"$1\" = serve ] || exec " + r.binary + " \"$@\"\n" + r.binary + " \"$@\" &\ntrap \"kill -9 $!; exit 1\" TERM\n" +
		"until [ -e " + signal + " ]; do sleep 0.1; done\nkill -9 $!\necho the end of it\nexit 7\n"
	if err := os.WriteFile(dying, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	scenario := scenarioFile(t, `
pki: `+r.pki+`
target: {start: {binary: `+dying+`}}
phases: [{name: long, rate: 5, warmup: 0s, duration: 10m}]
`)
	// Not before something was measured: a phase of which nothing was is not reported.
	begun := &trigger{on: " offered, ", do: func() { os.WriteFile(signal, nil, 0o600) }}
	var out bytes.Buffer
	status := run(t.Context(), []string{"run", scenario, "--out", outDir(t)}, &out, begun)
	if status != exitFailed || !strings.Contains(begun.text.String(), "exit status 7") {
		t.Errorf("status %d\n%s", status, &begun.text)
	}
	for _, want := range []string{"the scenario was not run to its end", "INCOMPLETE: the server ended before its time (exit status 7)\n", "the server's log: the end of it"} {
		if said := strings.ReplaceAll(out.String(), "\n    ", " "); !strings.Contains(said, want) {
			t.Errorf("%q is not in the summary:\n%s", want, said)
		}
	}
}

// An interrupted run is reported, as what it is.
func (r *rig) interrupt(t *testing.T) {
	scenario := scenarioFile(t, `
pki: `+r.pki+`
target: {url: "`+r.url+`"}
phases: [{name: short, rate: 5, warmup: 0s, duration: 1s}, {name: long, rate: 5, warmup: 0s, duration: 10m}]
`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	interrupted := &trigger{on: "long: ", do: stop}
	var out bytes.Buffer
	status := run(ctx, []string{"run", scenario, "--out", outDir(t)}, &out, interrupted)
	if status != exitFailed || !strings.Contains(out.String(), "interrupted") || !strings.Contains(interrupted.text.String(), "interrupted") {
		t.Errorf("status %d\n%s\n%s", status, &out, &interrupted.text)
	}
}

// A trigger does something once it has read a word. It is written to by one goroutine at a time.
type trigger struct {
	on   string
	do   func() // once
	done bool
	text bytes.Buffer
}

func (w *trigger) Write(p []byte) (int, error) {
	w.text.Write(p)
	if !w.done && strings.Contains(w.text.String(), w.on) {
		w.done = true
		w.do()
	}
	return len(p), nil
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sceau/bench/load/measure"
)

// What the example running-server says works as it stands there: init, the two commands that it prints, and the run.
func (r *rig) runningServer(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", filepath.Dir(r.binary)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Chdir(dir)
	ports, err := freeEndpoints(tlsServer)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := exampleText("running-server")
	const documented = "127.0.0.1:8443"
	example := strings.ReplaceAll(string(text), documented, ports.listen) // any free port
	if example == string(text) || !strings.Contains(example, "load init ./load-pki --tls server\n") {
		t.Fatal("the example has another address or command now")
	}
	if err := os.WriteFile("mine.yaml", []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	status, said, complaints := load(t, "init", "./load-pki", "--tls", "server", "--address", ports.listen,
		"--set", "key-pool=1", "--set", "consumers=[{identity: P-256, holder: P-256, count: 2}]")
	if status != exitHolds {
		t.Fatalf("init: status %d\n%s", status, complaints)
	}
	var commands [][]string
	for line := range strings.Lines(said) {
		if command, ok := strings.CutPrefix(line, "  stsd "); ok {
			commands = append(commands, strings.Fields(command))
		}
	}
	if len(commands) != 2 {
		t.Fatalf("%d commands in\n%s", len(commands), said)
	}
	if out, err := exec.Command("stsd", commands[0]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The admin port is the one thing that init does not let anybody choose.
	config := strings.Replace(readFile(t, "load-pki/stsd.yaml"), `"127.0.0.1:9090"`, `"`+ports.adminAddress+`"`, 1)
	if err := os.WriteFile("load-pki/stsd.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r.serve(t, commands[1], ports)
	status, said, complaints = load(t, "run", "mine.yaml", "--out", outDir(t), "--set", "sign=live",
		"--set", "phases=[{name: short, rate: 10, warmup: 0s, duration: 1s}]")
	if status != exitHolds {
		t.Errorf("status %d\n%s\n%s", status, said, complaints)
	}
}

// serve starts stsd by a command of init and waits until it is ready.
func (r *rig) serve(t *testing.T, args []string, ports *endpoints) {
	t.Helper()
	log, err := os.Create("server.log")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{admin: "http://" + ports.adminAddress, log: log, ended: make(chan struct{}), cmd: exec.Command("stsd", args...)}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.end = s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(s.stop)
	if err := s.awaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A target that does not answer as it should is found out before anything is signed.
func (r *rig) tried(t *testing.T) {
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer busy.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>It works!</html>")) }))
	defer other.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	for url, want := range map[string]string{
		busy.URL: "the server is busy already", other.URL: "the answer is wrong", "http://" + nobody.Addr().String(): "connection refused",
	} {
		scenario := scenarioFile(t, `
pki: `+r.pki+`
target: {url: "`+url+`/"}
sign: ahead
phases: [{closed: true, messages: 50000000}]
`)
		status, said, complaints := load(t, "run", scenario, "--out", outDir(t))
		if status != exitFailed || !strings.Contains(complaints, "one query was tried before the run") || !strings.Contains(complaints, want) || said != "" {
			t.Errorf("%s: status %d\n%s\n%s", want, status, said, complaints)
		}
	}
}

// The stsd that the tool builds is told in the report, and is gone afterwards unless it is to be kept.
func (r *rig) built(t *testing.T) {
	scenario := scenarioFile(t, `
pki: `+r.pki+`
verify: 0
target: {start: {signing: p256}}
phases: [{rate: 5, warmup: 0s, duration: 1s}]
`)
	for _, keep := range []bool{false, true} {
		out := outDir(t)
		args := []string{"run", scenario, "--out", out}
		if keep {
			args = append(args, "--keep")
		}
		status, said, complaints := load(t, args...)
		if status != exitHolds || !strings.Contains(said, "verify is 0") || !strings.Contains(said, "PASSED, WITH WARNINGS") {
			t.Fatalf("status %d\n%s\n%s", status, said, complaints)
		}
		if _, err := os.Stat(filepath.Join(out, "stsd")); (err == nil) != keep {
			t.Errorf("keep %v: %v", keep, err)
		}
		var report measure.Report
		if err := json.Unmarshal([]byte(readFile(t, filepath.Join(out, "report.json"))), &report); err != nil {
			t.Fatal(err)
		}
		if got := report.Machine.Servers["stsd"]; !strings.HasPrefix(got, filepath.Join(out, "stsd")+", SHA-256 ") || !strings.Contains(got, "go1.") {
			t.Errorf("the program is told as %q", got)
		}
	}
}

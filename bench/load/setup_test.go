package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sceau/bench/load/message"
)

// A server has a folder of its own, and finds the files of the PKI from there.
func TestServerConfig(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "load-pki")
	pki, err := message.NewPKI(t.Context(), dir, message.PKIConfig{Keys: 1, Profiles: []message.Profile{{Identity: message.P256, Weight: 1, Consumers: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := serverConfig(pki, message.ServerOptions{Address: "127.0.0.1:1", TLS: message.MutualTLS}, map[string]scalar{"max-in-flight": "3", "idle-timeout": "10m"})
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	files := 0
	var look func(n *yaml.Node)
	look = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, dir) {
			files++
			if _, err := os.Stat(n.Value); err != nil {
				t.Error(err)
			}
		}
		for _, c := range n.Content {
			look(c)
		}
	}
	look(&document)
	if files < 8 || strings.Contains(string(text), " pki/") {
		t.Errorf("%d files named by their whole path:\n%s", files, text)
	}
	for path, want := range map[string]string{"max-in-flight": "3", "idle-timeout": "10m", "stop-timeout": "5s"} {
		if n, ok := (place{&document}).find("limits", path); !ok || n.Value != want {
			t.Errorf("limits.%s: %+v", path, n)
		}
	}
}

// What the tool itself runs with is not what the scenario says of the server.
func TestEnvironment(t *testing.T) {
	t.Setenv("GOGC", "17")
	t.Setenv("GOMAXPROCS", "1")
	t.Setenv("LOAD_TEST", "kept")
	env := (&start{GOMAXPROCS: 3, Env: map[string]string{"GOMEMLIMIT": "1GiB"}}).environment()
	for _, want := range []string{"GOMAXPROCS=3", "GOMEMLIMIT=1GiB", "LOAD_TEST=kept"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s", want)
		}
	}
	if slices.Contains(env, "GOGC=17") || slices.Contains(env, "GOMAXPROCS=1") {
		t.Error("the tool's own settings are handed on")
	}
}

func TestStartFails(t *testing.T) {
	ports, err := freeEndpoints(tlsServer)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(ports.url, "https://127.0.0.1:") || ports.listen == ports.adminAddress {
		t.Errorf("%+v", ports)
	}
	if _, err := startServer(t.Context(), "/nonexistent/stsd", t.TempDir(), &start{}, ports); err == nil {
		t.Error("a program that is not there was started")
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("enough"))
	silent := filepath.Join(t.TempDir(), "silent")
	if err := os.WriteFile(silent, []byte("#!/bin/sh\nexec sleep 600\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := startServer(ctx, silent, t.TempDir(), &start{}, ports); err == nil || err.Error() != "enough" {
		t.Error(err)
	}
}

func TestTaskset(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := startServer(t.Context(), "/bin/true", t.TempDir(), &start{CPUs: "0"}, &endpoints{}); err == nil || !strings.Contains(err.Error(), "taskset") {
		t.Error(err)
	}
}

// What a server logs cannot steer the terminal.
func TestIndent(t *testing.T) {
	if got := indent("a\x1b[2J\nb\u202ec\n"); got != "    a?[2J\n    b?c" {
		t.Errorf("%q", got)
	}
	if got := strings.Count(indent(strings.Repeat("line\n", 100)), "\n"); got != lastLines-1 {
		t.Errorf("%d lines", got+1)
	}
}

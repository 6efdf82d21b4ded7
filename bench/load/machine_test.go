package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestThisMachine(t *testing.T) {
	m := thisMachine()
	if m.Cores == 0 || !strings.Contains(m.Go, ", GOMAXPROCS ") {
		t.Errorf("%+v", m)
	}
	if runtime.GOOS == "linux" && (m.Kernel == "" || m.Memory < 1<<20) {
		t.Errorf("the kernel says nothing of itself: %+v", m)
	}
}

func TestFirstField(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(path, []byte("MemFree: 7 kB\nMemTotal:   42 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]string{
		"42": firstField(path, "MemTotal:"), "MemFree:": firstField(path),
		"": firstField(path, "SwapTotal:") + firstField(path+".absent") + firstField(os.DevNull),
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// A program is told by its path, its hash and, where Go has made it, its build.
func TestProgram(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("abc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := program(script); err != nil || got != script+", SHA-256 ba7816bf8f01cfea…" { // FIPS 180-2, B.1
		t.Errorf("%q: %v", got, err)
	}
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := program(own); err != nil || !regexp.MustCompile(`, SHA-256 [0-9a-f]{16}…, go1\.`).MatchString(got) {
		t.Errorf("%q: %v", got, err)
	}
	if _, err := program(script + ".absent"); err == nil {
		t.Error("a program that is not there")
	}
}

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"sceau/bench/load/measure"
)

// thisMachine says where the figures are from, and how busy it was when they were begun.
func thisMachine() measure.Machine {
	m := measure.Machine{
		Processor: processor(), Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Go:     fmt.Sprintf("%s, GOMAXPROCS %d", runtime.Version(), runtime.GOMAXPROCS(0)),
		Kernel: firstField("/proc/sys/kernel/osrelease"),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Version = version(info)
	}
	if kib, err := strconv.ParseUint(firstField("/proc/meminfo", "MemTotal:"), 10, 50); err == nil {
		m.Memory = kib << 10
	}
	if load, err := strconv.ParseFloat(firstField("/proc/loadavg"), 64); err == nil {
		m.Load = load
	}
	return m
}

// firstField is the first word of a file of the kernel, or that after the words before it; empty where there is no such
// file or word.
func firstField(path string, before ...string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for _, word := range before {
		_, after, found := bytes.Cut(text, []byte(word))
		if !found {
			return ""
		}
		text = after
	}
	fields := bytes.Fields(text)
	if len(fields) == 0 {
		return ""
	}
	return string(fields[0])
}

// processor is the name of the processor where the kernel tells it, otherwise the architecture.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// program tells which program a file is: its path, the beginning of its hash, and the version that its build left in it.
func program(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	text := fmt.Sprintf("%s, SHA-256 %s…", path, hex.EncodeToString(hash.Sum(nil)[:8]))
	if info, err := buildinfo.Read(file); err == nil { // otherwise it was not made by Go
		text += ", " + info.GoVersion
		if v := version(info); v != "" {
			text += ", " + v
		}
	}
	return text, nil
}

// version is what a build left in a program: the commit, where there is one.
func version(info *debug.BuildInfo) string {
	commit, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	if commit == "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return commit + changed
}

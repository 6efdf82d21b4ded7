package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"sceau/bench/load/measure"
)

// thisMachine says where the figures are from.
func thisMachine() measure.Machine {
	return measure.Machine{
		Processor: processor(), Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Version: version(),
	}
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

// version is what the build left in the program: the commit, where there is one.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
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

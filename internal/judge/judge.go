package judge

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Require returns the path of an external program. When it is missing the test is
// skipped, or fails where SCEAU_REQUIRE_EXTERNAL is 1. Programs that SCEAU_WITHOUT names, a space between them, are not
// wanted this time: a run that looks for something else (races of ours) does not wait for them.
func Require(t testing.TB, program string) string {
	t.Helper()
	if slices.Contains(strings.Fields(os.Getenv("SCEAU_WITHOUT")), program) {
		t.Skipf("%s is not wanted this time", program)
	}
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
		t.Fatalf("%s is not installed, and SCEAU_REQUIRE_EXTERNAL=1 wants it", program)
	}
	t.Skipf("%s is not installed", program)
	return ""
}

// Shared returns a path below the folder of shared samples and vectors that
// SCEAU_SHARED names, or skips the test.
func Shared(t testing.TB, parts ...string) string {
	t.Helper()
	root := os.Getenv("SCEAU_SHARED")
	if root == "" {
		t.Skip("SCEAU_SHARED is not set: the shared samples are not at hand")
	}
	return filepath.Join(append([]string{root}, parts...)...)
}

// run runs a program and returns what it writes and its exit status. It fails the
// test when the program cannot be run at all.
func run(t testing.TB, program string, arguments ...string) (stdout, stderr []byte, status int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	command.Env = append(os.Environ(), "LC_ALL=C")
	if err := command.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("%s: %v", program, err)
		}
		status = exit.ExitCode()
	}
	return out.Bytes(), complaints.Bytes(), status
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

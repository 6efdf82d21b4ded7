//go:build openssl && cgo

package openssl_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sceau/certs/openssl"
)

// loadNames is the environment variable that makes the test program load libraries and
// end: what a process loads first decides about everything that follows.
const loadNames = "SCEAU_TEST_LOAD"

func TestMain(m *testing.M) {
	names, ok := os.LookupEnv(loadNames)
	if !ok {
		os.Exit(m.Run())
	}
	for name := range strings.SplitSeq(names, ",") {
		if library, err := openssl.Load(name); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println(library)
		}
	}
}

// loading returns what a new process says of libraries that it loads one after another.
func loading(t *testing.T, names ...string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), loadNames+"="+strings.Join(names, ","))
	out, err := command.CombinedOutput()
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err != nil || len(lines) != len(names) {
		t.Fatalf("%v: want a line for each of %d names:\n%s", err, len(names), out)
	}
	return lines
}

func TestLoad(t *testing.T) {
	const loaded, missing, other = "OpenSSL 3.", "no libcrypto: could not load ", "another libcrypto is loaded"
	text := filepath.Join(t.TempDir(), "libcrypto.so.3")
	if err := os.WriteFile(text, []byte("no library at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		names []string
		want  []string
	}{
		{"by itself", []string{""}, []string{loaded}},
		{"twice", []string{"", ""}, []string{loaded, loaded}},
		{"by the name that was found", []string{"", openssl.Names()[0]}, []string{loaded, loaded}},
		{"missing", []string{"libnothing.so.9"}, []string{missing + "libnothing.so.9; install"}},
		{"missing, then the right one", []string{"/nowhere/libcrypto.so.3", ""}, []string{missing + "/nowhere/libcrypto.so.3;", loaded}},
		{"no library", []string{text}, []string{missing + text}},
		{"another library", []string{"libc.so.6"}, []string{"no libcrypto: libc.so.6: "}},
		{"another one after", []string{"", "libnothing.so.9"}, []string{loaded, other}},
		{"the same by another name after", []string{"", "/usr/lib/libcrypto.so.3"}, []string{loaded, other}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for i, line := range loading(t, test.names...) {
				if !strings.Contains(line, test.want[i]) {
					t.Errorf("%q: %q, want %q", test.names[i], line, test.want[i])
				}
			}
		})
	}
}

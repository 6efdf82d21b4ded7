package judge

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// NodeModules installs the packages that package-lock.json in a folder pins, and gives a folder of the test, which has them in
// node_modules, with those programs of the first folder that are named. Without npm, or where it cannot fetch them, the test is skipped, or
// fails where SCEAU_REQUIRE_EXTERNAL is 1. No script of a package runs.
func NodeModules(t testing.TB, folder string, programs ...string) string {
	t.Helper()
	npm, dir := Require(t, "npm"), t.TempDir()
	for _, name := range append([]string{"package.json", "package-lock.json"}, programs...) {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(npm, "ci", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	if out, err := command.CombinedOutput(); err != nil {
		if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
		t.Skipf("npm ci: %v\n%s", err, out)
	}
	return dir
}

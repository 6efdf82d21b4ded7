package judge

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Python returns the path of a Python that can import modules. Without one the test is skipped, or fails where SCEAU_REQUIRE_EXTERNAL
// is 1.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	list := strings.Join(modules, ", ")
	for _, name := range []string{"/usr/bin/python3", "python3"} { // the system's has the packages of the system
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(t.Context(), path, "-c", "import "+list).Run() == nil {
			return path
		}
	}
	if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
		t.Fatalf("no python3 with %s, and SCEAU_REQUIRE_EXTERNAL=1 wants it", list)
	}
	t.Skipf("no python3 with %s", list)
	return ""
}

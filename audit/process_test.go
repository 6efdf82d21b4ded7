package audit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKilledProcess kills a process that records as fast as it can and tells each id it
// was acknowledged: every one of them must be found, and the lock must be free.
func TestKilledProcess(t *testing.T) {
	const role = "SCEAU_AUDIT_TEST_DIR"
	if dir := os.Getenv(role); dir != "" {
		recordUntilKilled(dir)
	}
	dir := filepath.Join(t.TempDir(), "journal")
	acknowledged := 0
	for range 3 {
		command := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
		command.Env = append(os.Environ(), role+"="+dir)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			id, ok := strings.CutPrefix(lines.Text(), "recorded ")
			if !ok {
				t.Fatalf("the process says %q", lines.Text())
			}
			ids[id] = true
			if len(ids) == 200 {
				if _, err := Open(Config{Dir: dir, Logger: quiet()}); reasonOf(err) != Locked {
					t.Errorf("Open beside a living process: %v", err)
				}
				command.Process.Kill()
			}
		}
		command.Wait()
		if len(ids) < 200 {
			t.Fatalf("only %d records", len(ids))
		}
		acknowledged += len(ids)

		j := mustOpen(t, Config{Dir: dir, Logger: quiet()})
		j.Close()
		report, err := Verify(dir, j.Head())
		if err != nil || !report.Intact() {
			t.Fatalf("%v, %v", report.Findings, err)
		}
		for entry, err := range List(dir, Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			delete(ids, entry.ID)
		}
		if len(ids) > 0 {
			t.Fatalf("%d acknowledged records are lost", len(ids))
		}
	}
	t.Logf("%d acknowledged records, all found", acknowledged)
}

func recordUntilKilled(dir string) {
	j, err := Open(Config{Dir: dir, MaxFileBytes: 16 << 10, Logger: quiet()})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for range 4 {
		go func() {
			for {
				e := fullEvent()
				e.ID = NewID(time.Now())
				if err := j.Record(context.Background(), e); err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				fmt.Fprintf(os.Stdout, "recorded %s\n", e.ID)
			}
		}()
	}
	time.Sleep(time.Minute) // the parent kills long before
	os.Exit(1)
}

// Package softhsm gives tests a token of SoftHSM2 that can be taken away and brought
// back: a folder of tokens that is renamed. A test that wants it is skipped where SoftHSM2 is
// not installed, or fails where SCEAU_REQUIRE_EXTERNAL is 1.
//
// SoftHSM reads where its tokens lie when it is initialized, and a process loads it
// once: all tests of one program share the folder, each with tokens of its own, and do not
// run at one time.
package softhsm

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// PIN of every user here.
const PIN = "135724"

// A Device is the folder with the tokens.
type Device struct {
	Module  string // the shared library
	PINFile string
	dir     string
}

var process struct {
	sync.Mutex
	device *Device
}

// M runs the tests of a program and removes the tokens; it stands for m in TestMain.
type M struct{ M *testing.M }

// Run implements the interface of testscript.
func (m M) Run() int {
	status := m.M.Run()
	process.Lock()
	defer process.Unlock()
	if process.device != nil {
		os.RemoveAll(process.device.dir)
	}
	return status
}

// Open gives the device of this process and says to it, by SOFTHSM2_CONF, where it is.
func Open(t testing.TB) *Device {
	t.Helper()
	process.Lock()
	defer process.Unlock()
	if process.device != nil {
		return process.device
	}
	module := ""
	for _, path := range []string{os.Getenv("SOFTHSM2_MODULE"), "/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(path); path != "" && err == nil {
			module = path
			break
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); err != nil || module == "" {
		missing(t, "softhsm2")
	}
	dir, err := os.MkdirTemp("", "sceau-softhsm-")
	if err != nil {
		t.Fatal(err)
	}
	d := &Device{Module: module, PINFile: filepath.Join(dir, "pin"), dir: dir}
	config := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", d.tokens())
	err = os.Mkdir(d.tokens(), 0o700)
	for name, content := range map[string]string{"softhsm2.conf": config, "pin": PIN + "\n"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600)
		}
	}
	if err == nil {
		err = os.Setenv("SOFTHSM2_CONF", d.Config())
	}
	if err != nil {
		t.Fatal(err)
	}
	process.device = d
	return d
}

func missing(t testing.TB, program string) {
	t.Helper()
	if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
		t.Fatalf("%s is not installed, and SCEAU_REQUIRE_EXTERNAL=1 wants it", program)
	}
	t.Skipf("%s is not installed", program)
}

// Config is the path of softhsm2.conf.
func (d *Device) Config() string { return filepath.Join(d.dir, "softhsm2.conf") }

func (d *Device) tokens() string { return filepath.Join(d.dir, "tokens") }
func (d *Device) away() string   { return filepath.Join(d.dir, "away") }

// AddToken makes a token. A module that was initialized before does not see it.
func (d *Device) AddToken(t testing.TB, label string) {
	t.Helper()
	d.run(t, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN)
}

// URI names a key on a token.
func (d *Device) URI(token, object string) string {
	return fmt.Sprintf("pkcs11:token=%s;object=%s?module-path=%s&pin-source=%s", url.PathEscape(token), url.PathEscape(object), d.Module, d.PINFile)
}

// TakeAway takes all tokens away, BringBack brings them back.
func (d *Device) TakeAway(t testing.TB) {
	t.Helper()
	if err := os.Rename(d.tokens(), d.away()); err != nil {
		t.Fatal(err)
	}
}

// BringBack brings back what TakeAway took.
func (d *Device) BringBack(t testing.TB) {
	t.Helper()
	if err := os.Rename(d.away(), d.tokens()); err != nil {
		t.Fatal(err)
	}
}

// Tool runs pkcs11-tool of OpenSC on a token, logged in: another process at work on it.
// One that finds no token is run again: SoftHSM reads none in the moment in which another
// process writes it, as a login does.
func (d *Device) Tool(t testing.TB, token string, arguments ...string) {
	t.Helper()
	if _, err := exec.LookPath("pkcs11-tool"); err != nil {
		missing(t, "opensc")
	}
	for range 20 {
		out, err := d.try("pkcs11-tool", append([]string{"--module", d.Module, "--token-label", token, "--login", "--pin", PIN}, arguments...)...)
		if err == nil {
			return
		}
		if !strings.Contains(string(out), "No slot with token named") {
			t.Fatalf("pkcs11-tool: %v\n%s", err, out)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("pkcs11-tool never found the token %s", token)
}

func (d *Device) run(t testing.TB, program string, arguments ...string) {
	t.Helper()
	if out, err := d.try(program, arguments...); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (d *Device) try(program string, arguments ...string) ([]byte, error) {
	command := exec.Command(program, arguments...)
	command.Env = append(os.Environ(), "SOFTHSM2_CONF="+d.Config())
	return command.CombinedOutput()
}

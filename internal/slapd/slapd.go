// Package slapd gives tests a directory: a slapd of OpenLDAP with invented people, of the test alone, that can be killed and
// started again. A test that wants it is skipped where slapd is not installed, or fails where SCEAU_REQUIRE_EXTERNAL is 1.
package slapd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Names in the directory, and who reads it.
const (
	Suffix   = "dc=example,dc=org"
	People   = "ou=people," + Suffix
	Reader   = "cn=sts," + Suffix
	Password = "a secret of the tests"
)

// The people in it, by their employeeNumber.
const (
	Alice = "00000000097" // a doctor, with all attributes
	Bob   = "00000000194" // nothing but an entry
	Twice = "00000000291" // two entries
	Odd   = "00000000388" // with values that cannot be
)

// A Directory is a slapd of one test.
type Directory struct {
	Plain, Secured string // host:port, without TLS and with
	PKI            *PKI

	dir, program string
	process      *exec.Cmd
}

// external finds a program of the directory: without it the test is skipped, or fails where it is required.
func external(tb testing.TB, program string) string {
	tb.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} { // which is not in everybody's path
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
		tb.Fatalf("%s is required", program)
	}
	tb.Skipf("without %s", program)
	return ""
}

// Start starts a directory with the entries of this package and more, in LDIF; it ends with the test.
func Start(tb testing.TB, more string) *Directory {
	tb.Helper()
	slapd, slapadd := external(tb, "slapd"), external(tb, "slapadd")
	d := &Directory{dir: tb.TempDir(), program: slapd, Plain: freeAddress(tb), Secured: freeAddress(tb)}
	d.PKI = NewPKI(tb, d.dir)
	if err := os.Mkdir(filepath.Join(d.dir, "data"), 0o700); err != nil {
		tb.Fatal(err)
	}
	d.PKI.Write(tb, "slapd.conf", d.configuration())
	d.PKI.Write(tb, "data.ldif", entries+more)
	add := exec.Command(slapadd, "-f", filepath.Join(d.dir, "slapd.conf"), "-l", filepath.Join(d.dir, "data.ldif"))
	if out, err := add.CombinedOutput(); err != nil {
		tb.Fatalf("slapadd: %v\n%s", err, out)
	}
	d.Restart(tb)
	tb.Cleanup(d.Kill)
	return d
}

// Restart starts the directory after Kill.
func (d *Directory) Restart(tb testing.TB) {
	tb.Helper()
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	// With -d it stays in the foreground.
	d.process = exec.Command(d.program, "-d", "0", "-f", filepath.Join(d.dir, "slapd.conf"), "-h", "ldap://"+d.Plain+" ldaps://"+d.Secured)
	d.process.Stdout, d.process.Stderr = log, log
	if err := d.process.Start(); err != nil {
		tb.Fatal(err)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", d.Secured)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(until) {
			text, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			tb.Fatalf("slapd does not answer: %v\n%s", err, text)
		}
	}
}

// Kill ends the directory as a crash does.
func (d *Directory) Kill() {
	if d.process != nil {
		d.process.Process.Kill()
		d.process.Wait()
		d.process = nil
	}
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

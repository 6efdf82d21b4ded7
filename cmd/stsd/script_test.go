package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sceau/audit"
	"sceau/certs/openssl"
	"sceau/certs/pkcs11"
	"sceau/internal/softhsm"
)

// TestMain lets scripts run the real main under the name stsd.
func TestMain(m *testing.M) {
	testscript.Main(softhsm.M{M: m}, map[string]func(){"stsd": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"journal":  makeJournal,
			"logins":   makeLogins,
			"remember": remember,
			"replace":  replaceText,
			"cut":      cutLastLine,
			"status":   checkStatus,
			"address":  setAddress,
			"content":  setContent,
			"match":    setMatch,
			"until":    waitUntil,
		},
	})
}

// condition says what [openssl] and [pkcs11] mean in a script: a program that was built
// with them; and [curl]: it is installed.
func condition(name string) (bool, error) {
	if name == "pkcs11" {
		return pkcs11.Built(), nil
	}
	if name == "curl" {
		_, err := exec.LookPath(name)
		if err != nil && os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			return false, fmt.Errorf("curl is not installed, and SCEAU_REQUIRE_EXTERNAL=1 wants it")
		}
		return err == nil, nil
	}
	if name != engineOpenSSL {
		return false, fmt.Errorf("no condition %q", name)
	}
	_, err := openssl.Load("")
	return !errors.Is(err, openssl.ErrNotBuilt), nil
}

// makeJournal is the script command "journal DIR": a journal with a success, a refusal
// and a fault, and in the fault's cause what would steer a terminal.
func makeJournal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: journal DIR")
	}
	at := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	journal, err := audit.Open(audit.Config{
		Dir: ts.MkAbs(args[0]), Now: func() time.Time { return at }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ts.Check(err)
	alice := audit.Identifier{Type: "SSIN", Value: "00000000097"}
	events := []audit.Event{{
		Service: "saml11", Operation: "attribute-query", Outcome: audit.Success, Mode: "session", Remote: audit.RemoteLoopback,
		Duration: 1500 * time.Microsecond, RequestID: []byte("request-1"), MessageDigest: [32]byte{1},
		Identity: audit.Party{Kind: "eid", Identifier: alice, Fingerprint: [32]byte{2}},
		Profiles: []string{"APP1"},
		Attributes: []audit.Attribute{
			{Name: "urn:be:fgov:person:ssin", Namespace: "urn:be:fgov:identification-namespace", Disposition: audit.Released, State: audit.Affirmed, Rule: "eid-app1"},
			{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: "urn:be:fgov:certified-namespace:ehealth", Disposition: audit.Released, State: audit.Denied, Source: "registry"},
		},
		AssertionID: []byte("_a1"), NotBefore: at.Add(-5 * time.Minute), NotOnOrAfter: at.Add(time.Hour),
	}, {
		Service: "saml11", Outcome: audit.Refused, Code: "REQ-01", Stage: "confirm", Cause: "the holder's key is not the key of the inner signature",
		RequestID: []byte("request-2"), Holder: audit.Party{Kind: "ehealth-person", Identifier: audit.Identifier{Type: "ssin", Value: "00000000196"}},
	}, {
		Service: "saml11", Outcome: audit.Fault, Code: "SOA-01001", Stage: "read", Cause: "\x1b[2Jcleared \u202egnol",
	}}
	for i := range events {
		events[i].Time = at.Add(time.Duration(i) * time.Minute)
		events[i].ID = audit.ID{0x01, 15: byte(i + 1)}
		ts.Check(journal.Record(context.Background(), &events[i]))
	}
	ts.Check(journal.Close())
}

// remember is the script command "remember NAME FILE": NAME is the text of the file,
// which may be stdout.
func remember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: remember NAME FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// setAddress is the script command "address NAME": NAME is a loopback address that nobody listened on a moment ago.
func setAddress(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: address NAME")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Check(listener.Close())
	ts.Setenv(args[0], listener.Addr().String())
}

// setContent is the script command "content NAME": NAME is the digest on the line "content …" of stdout.
func setContent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: content NAME")
	}
	setMatch(ts, false, []string{args[0], `(?m)^content ([0-9a-f]{64})$`})
}

// setMatch is the script command "match NAME PATTERN": NAME is what the first group matches in stdout.
func setMatch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: match NAME PATTERN")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("stdout does not hold %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// waitUntil is the script command "until TEXT PROGRAM ARGUMENT...": it runs a program until what it writes holds the text.
func waitUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT PROGRAM ARGUMENT...")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s never wrote %s: %v", args[1], args[0], err)
		}
	}
}

// cutLastLine is the script command "cut FILE".
func cutLastLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cut FILE")
	}
	text := strings.TrimSuffix(ts.ReadFile(args[0]), "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text[:strings.LastIndexByte(text, '\n')+1]), 0o600))
}

// replaceText is the script command "replace FILE OLD NEW": it changes the first OLD. A
// line end in NEW is written \n.
func replaceText(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"), 1)), 0o600))
}

// checkStatus is the script command "status N ARGUMENT...": stsd with these arguments
// ends with status N.
func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N ARGUMENT...")
	}
	err := ts.Exec("stsd", args[1:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("stsd %s: status %s instead of %s", strings.Join(args[1:], " "), got, args[0])
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sceau/bench/peers/task"
)

// made writes a task and answers commands on it; {dir} in them stands for its folder.
func made(t *testing.T, commands ...string) (dir string, replies []string) {
	t.Helper()
	dir = t.TempDir()
	if err := task.Write(dir, "p256", time.Now()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	in := strings.NewReader(strings.ReplaceAll(strings.Join(commands, "\n"), "{dir}", dir))
	if err := serve(dir, "go", in, &out); err != nil {
		t.Fatal(err)
	}
	return dir, strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// TestAnswer: the answer is right, and no longer when the task is another one in any point.
func TestAnswer(t *testing.T) {
	dir, replies := made(t, "answer {dir}/request.xml {dir}/answer.xml")
	if len(replies) != 1 || replies[0] != "ok" {
		t.Fatalf("%q", replies)
	}
	answer, err := os.ReadFile(filepath.Join(dir, "answer.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Judge(dir, answer); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, from, to, want string }{
		{"another value", "facts.tsv", "true", "false", "another value"},
		{"another name", "request.xml", `<saml:AttributeDesignator AttributeName="urn:be:fgov:person:ssin"`, `<saml:AttributeDesignator AttributeName="urn:be:fgov:person:nobody"`, "attribute 1 is"},
		{"another window", "request.xml", ` NotOnOrAfter="2`, ` NotOnOrAfter="3`, "valid from"},
		{"another holder", "request.xml", `</saml:SubjectConfirmationData><ds:KeyInfo><ds:X509Data><ds:X509Certificate>MII`, `</saml:SubjectConfirmationData><ds:KeyInfo><ds:X509Data><ds:X509Certificate>MIJ`, "another holder-of-key"},
		{"another request", "request.xml", `RequestID="request-bench"`, `RequestID="request-other"`, "InResponseTo"},
		{"another signer", "sts.pem", "", "", "signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, c.file)
			right, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.WriteFile(path, right, 0o600) })
			wrong := bytes.Replace(right, []byte(c.from), []byte(c.to), 1)
			if c.file == "sts.pem" {
				if wrong, err = os.ReadFile(filepath.Join(dir, "ehealth-ca.pem")); err != nil {
					t.Fatal(err)
				}
			}
			if bytes.Equal(wrong, right) {
				t.Fatal("nothing was changed")
			}
			if err := os.WriteFile(path, wrong, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := task.Judge(dir, answer); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestRefuse: every message that must be refused is, for the reason that it was made for.
func TestRefuse(t *testing.T) {
	want := map[string]string{
		"body": "SOA-01001", "timestamp": "SOA-01001", "stale": "SOA-01001", "eid-stranger": "SOA-01001",
		"request": "REQ-01", "holder-stranger": "REQ-06",
	}
	var commands, names []string
	for name := range want {
		names = append(names, name)
		commands = append(commands, "answer {dir}/refuse/"+name+".xml {dir}/answer.xml")
	}
	dir, replies := made(t, commands...)
	for i, name := range names {
		if !strings.HasPrefix(replies[i], "refused: "+want[name]) {
			t.Errorf("%s: %s, want %s", name, replies[i], want[name])
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "refuse", "*.xml"))
	if err != nil || len(files) != len(want) {
		t.Errorf("%d messages, %d are known here; %v", len(files), len(want), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "answer.xml")); err == nil {
		t.Error("an answer was written")
	}
}

// TestRun: one message is answered many times, and the time is a number.
func TestRun(t *testing.T) {
	_, replies := made(t, "version", "run 3", "run 2")
	if len(replies) != 3 || !strings.HasPrefix(replies[0], "Go 1.") {
		t.Fatalf("%q", replies)
	}
	for _, reply := range replies[1:] {
		if !regexp.MustCompile(`^[0-9]+\.[0-9]$`).MatchString(reply) {
			t.Errorf("%q is no number", reply)
		}
	}
}

// TestServeErrors: commands and engines that do not exist end it.
func TestServeErrors(t *testing.T) {
	dir := t.TempDir()
	if err := task.Write(dir, "p256", time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"run", "run 0", "run x", "answer", "dance"} {
		if err := serve(dir, "go", strings.NewReader(command), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "commands are") {
			t.Errorf("%q: %v", command, err)
		}
	}
	if err := serve(dir, "none", strings.NewReader(""), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("%v", err)
	}
}

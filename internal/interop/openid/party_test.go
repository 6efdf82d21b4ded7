package openid

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"testing"
	"time"
)

type members = map[string]any

// patience is how long a foreign program may take for one answer on a busy machine.
const patience = 2 * time.Minute

// A party is a foreign program at work. It reads commands in JSON, a line each, and answers each with a line: what it was asked for, or "error", the code that
// its library gives.
type party struct {
	*testing.T
	*world
	in    io.WriteCloser
	lines chan string
	said  bytes.Buffer
}

// program starts a relying party; it ends with the test.
func (w *world) program(t *testing.T, words ...string) *party {
	t.Helper()
	p := &party{T: t, world: w, lines: make(chan string)}
	command := exec.Command(words[0], append(words[1:], w.pki.path("server-root.pem"))...)
	command.Stderr = &p.said
	var err error
	if p.in, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		s := bufio.NewScanner(out)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		p.in.Close() // it ends when there are no more commands
		done := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
		defer done.Stop()
		for range p.lines {
		}
		<-read
		_ = command.Wait()
		if t.Failed() && p.said.Len() > 0 {
			t.Logf("%s said: %s", words[0], p.said.String())
		}
	})
	return p
}

// try gives a command and reads the answer.
func (p *party) try(t *testing.T, command members) members {
	t.Helper()
	text, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatalf("the program ended: %s", p.said.String())
		}
		var answer members
		if err := json.Unmarshal([]byte(line), &answer); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		return answer
	case <-time.After(patience):
		t.Fatal("the program does not answer")
	}
	return nil
}

// must demands that a command succeeds.
func (p *party) must(t *testing.T, command members) members {
	t.Helper()
	answer := p.try(t, command)
	if answer["error"] != nil {
		t.Fatalf("%s: %v: %v", command["do"], answer["error"], answer["said"])
	}
	return answer
}

// refused demands that a command fails by this code.
func (p *party) refused(t *testing.T, code string, command members) {
	t.Helper()
	if answer := p.try(t, command); answer["error"] != code {
		t.Errorf("%s: %v instead of %s", command["do"], answer, code)
	}
}

func text(m members, name string) string {
	s, _ := m[name].(string) // of another kind is none
	return s
}

func inner(m members, name string) members {
	i, _ := m[name].(members) // the same
	return i
}

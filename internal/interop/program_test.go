package interop

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// patience is how long a foreign program may take for one answer on a busy machine.
const patience = 2 * time.Minute

// A program is one foreign program at work.
type program struct {
	command *exec.Cmd
	in      io.WriteCloser
	lines   chan string
	stderr  *bytes.Buffer
}

// run starts a program; it ends with the test.
func run(t *testing.T, words ...string) *program {
	t.Helper()
	p := &program{command: exec.Command(words[0], words[1:]...), lines: make(chan string), stderr: new(bytes.Buffer)}
	p.command.Stderr = p.stderr
	var err error
	if p.in, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		p.in.Close() // the programs end when there are no more commands
		done := time.AfterFunc(10*time.Second, func() { _ = p.command.Process.Kill() })
		defer done.Stop()
		for range p.lines {
		}
		<-read
		_ = p.command.Wait()
		if t.Failed() && p.stderr.Len() > 0 {
			t.Logf("%s said: %s", words[0], p.stderr)
		}
	})
	return p
}

// line reads one line.
func (p *program) line(t *testing.T) string {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatal("the program ended")
		}
		return line
	case <-time.After(patience):
		_ = p.command.Process.Kill()
		t.Fatal("the program does not answer")
	}
	return ""
}

// ask gives a command and reads the answer.
func (p *program) ask(t *testing.T, words ...string) string {
	t.Helper()
	if _, err := io.WriteString(p.in, strings.Join(words, "\t")+"\n"); err != nil {
		t.Fatal(err)
	}
	return p.line(t)
}

// Package redis gives tests a Redis of their own, which can be killed and started again. A test that wants it is skipped where
// redis-server is not installed, or fails where SCEAU_REQUIRE_EXTERNAL is 1.
package redis

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Password is that of the server.
const Password = "a server's"

// A Server is one Redis, on a free port of loopback, that forgets everything when it ends.
type Server struct {
	Address      string
	PasswordFile string

	dir     string
	program string
	policy  string
	process *exec.Cmd
}

// Start starts a server that ends with the test; settings are lines of its configuration, beside those that it needs.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			tb.Fatal("redis-server is required")
		}
		tb.Skip("without redis-server")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Address: free.Addr().String(), dir: tb.TempDir(), program: program}
	free.Close()
	s.PasswordFile = filepath.Join(s.dir, "password")
	if err := os.WriteFile(s.PasswordFile, []byte(Password+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(s.Address)
	s.policy = strings.Join(append([]string{
		"bind 127.0.0.1", "port " + port, "dir " + s.dir, `save ""`, "appendonly no", `requirepass "` + Password + `"`, "logfile " + filepath.Join(s.dir, "log"),
	}, settings...), "\n") + "\n"
	tb.Cleanup(s.Kill)
	if err := s.Restart(); err != nil {
		tb.Fatal(err)
	}
	return s
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	if s.process != nil {
		s.process.Process.Kill()
		s.process.Wait()
		s.process = nil
	}
}

// Restart starts a server that has ended and waits until it answers.
func (s *Server) Restart() error {
	p := exec.Command(s.program, "-")
	p.Dir, p.Stdin = s.dir, strings.NewReader(s.policy)
	if err := p.Start(); err != nil {
		return err
	}
	s.process = p
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err = s.Ask("PING"); err == nil {
			return nil
		}
	}
	return fmt.Errorf("redis-server does not answer: %w", err)
}

// Ask sends one command, on a connection of its own, and gives the first line of the answer.
func (s *Server) Ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Address, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "AUTH %q\r\n%s\r\n", Password, command); err != nil {
		return "", err
	}
	lines := bufio.NewReader(conn)
	for range 2 {
		text, err := lines.ReadString('\n')
		if err != nil {
			return "", err
		}
		if text = strings.TrimSpace(text); strings.HasPrefix(text, "-") {
			return "", fmt.Errorf("%s: %s", command, text)
		} else if text != "+OK" {
			return text, nil
		}
	}
	return "+OK", nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	readyWithin = 30 * time.Second // from its start to its first "ready"
	stopWithin  = 10 * time.Second // from SIGTERM to SIGKILL
	lastLines   = 12               // of the log of a server that ended
)

// A server is a stsd that the tool has started. stop ends it; it must be called.
type server struct {
	admin string // URL
	cmd   *exec.Cmd
	log   *os.File

	ended    chan struct{} // closed when the process is gone
	end      error         // of the process; after ended
	stopping atomic.Bool
}

// startServer starts stsd on its configuration in dir and waits until it is ready.
func startServer(ctx context.Context, binary, dir string, t *start, ports *endpoints) (*server, error) {
	log, err := os.OpenFile(filepath.Join(dir, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	s := &server{admin: "http://" + ports.adminAddress, log: log, ended: make(chan struct{})}
	name, args := binary, []string{"serve", "--config", "stsd.yaml"}
	if t.CPUs != "" {
		taskset, err := exec.LookPath("taskset")
		if err != nil {
			log.Close()
			return nil, fmt.Errorf("cpus: %s needs taskset, which is not on this machine: leave cpus out", t.CPUs)
		}
		name, args = taskset, append([]string{"-c", t.CPUs, binary}, args...)
	}
	s.cmd = exec.Command(name, args...)
	s.cmd.Dir = dir
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = t.environment()
	s.cmd.SysProcAttr = apart()
	if err := s.cmd.Start(); err != nil {
		log.Close()
		return nil, fmt.Errorf("the server does not start: %w", err)
	}
	go func() {
		s.end = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.awaitReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// environment is the environment of the server's process. The tool's own settings of the Go
// runtime are not handed on: they are not what the scenario says of the server.
func (t *start) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"}, name)
	})
	if t.GOMAXPROCS > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", t.GOMAXPROCS))
	}
	for name, value := range t.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// awaitReady asks the server until it says that it is ready.
func (s *server) awaitReady(ctx context.Context) error {
	late := time.NewTimer(readyWithin)
	defer late.Stop()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("it was not asked")
	for {
		select {
		case <-s.ended:
			return s.early()
		case <-ctx.Done():
			return cause(ctx)
		case <-late.C:
			return fmt.Errorf("the server is not ready after %v: %w\n%s", readyWithin, last, indented(s.tail()))
		case <-tick.C:
			if last = s.ready(ctx, client); last == nil {
				return nil
			}
		}
	}
}

func (s *server) ready(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.admin+"/healthz/ready", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(answer.Body, 500)) // what there is of it
		return fmt.Errorf("HTTP status %d: %s", answer.StatusCode, bytes.TrimSpace(why))
	}
	return nil
}

// early says that the server has ended although nobody stopped it. It may be called once ended
// is closed.
func (s *server) early() error {
	reason := "exit status 0"
	if s.end != nil {
		reason = s.end.Error()
	}
	return &serverEnd{reason: fmt.Sprintf("the server ended before its time (%s)", reason), log: s.tail()}
}

// A serverEnd is the end of a server that nobody has stopped.
type serverEnd struct {
	reason string
	log    []string // its last lines
}

func (e *serverEnd) Error() string {
	return e.reason + "; the last of its log:\n" + indented(e.log)
}

// tail is the end of the server's log.
func (s *server) tail() []string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return []string{err.Error()}
	}
	return lines(string(text))
}

// stop ends the server: it is asked, and when it does not go, killed.
func (s *server) stop() {
	if s.stopping.Swap(true) {
		return
	}
	defer s.log.Close()
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only when it is gone
	select {
	case <-s.ended:
	case <-time.After(stopWithin):
		_ = s.cmd.Process.Kill() // likewise
		<-s.ended
	}
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// endpoints are the addresses of a server to be started.
type endpoints struct{ listen, adminAddress, url string }

// freeEndpoints finds two loopback addresses on which nobody listens. Somebody else may take
// them before the server does; then it says so and ends.
func freeEndpoints(tls string) (*endpoints, error) {
	var addresses [2]string
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // both are held until both are known, so that they differ
		addresses[i] = l.Addr().String()
	}
	scheme := "https://"
	if tls == tlsNone {
		scheme = "http://"
	}
	return &endpoints{listen: addresses[0], adminAddress: addresses[1], url: scheme + addresses[0] + queryPath}, nil
}

// Package postgresql gives tests a PostgreSQL of their own, with a role that may read, which can be killed and started again. A
// test that wants it is skipped where PostgreSQL is not installed, or fails where SCEAU_REQUIRE_EXTERNAL is 1.
package postgresql

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Passwords of the superuser and of the role reader.
const (
	adminPassword  = "a superuser's"
	ReaderPassword = `s3cret p'\ss`
)

// A Server is one PostgreSQL, on a free port of loopback.
type Server struct {
	Dir          string // data below data/, and what it logs, with every statement, in log
	Port         string
	Admin        string               // DSN of the superuser
	PasswordFile string               // with that of the role reader
	Owner        *syscall.SysProcAttr // nil: ourselves; PostgreSQL does not run as root

	bin     string
	process *exec.Cmd

	asking sync.Mutex
	conn   *pgx.Conn
}

// Start starts a server that ends with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := Make(Programs(tb))
	if s != nil {
		tb.Cleanup(s.Remove)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Programs finds the programs of PostgreSQL.
func Programs(tb testing.TB) string {
	tb.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			tb.Fatal("PostgreSQL is required")
		}
		tb.Skip("without PostgreSQL")
	}
	return filepath.Dir(found[len(found)-1])
}

// Remove ends the server and removes its files.
func (s *Server) Remove() {
	if s.process != nil {
		s.Kill()
	}
	os.RemoveAll(s.Dir)
}

// Make makes a server of the programs and starts it. Where it returns one, even with an error, Remove it.
func Make(bin string) (*Server, error) {
	dir, err := os.MkdirTemp("", "sceau-postgresql-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, Dir: dir}
	if os.Getuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			return s, err
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		s.Owner = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := os.Chown(dir, uid, gid); err != nil {
			return s, err
		}
	}
	secret := filepath.Join(dir, "admin.password")
	if err := os.WriteFile(secret, []byte(adminPassword+"\n"), 0o644); err != nil {
		return s, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres", "-E", "UTF8",
		"--locale=C", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync")
	initdb.SysProcAttr, initdb.Dir = s.Owner, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return s, fmt.Errorf("initdb: %w: %s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	_, s.Port, _ = net.SplitHostPort(free.Addr().String())
	free.Close()
	s.Admin = "host=127.0.0.1 port=" + s.Port + " user=postgres dbname=postgres sslmode=disable password='" + adminPassword[:11] + `\'s'`
	s.PasswordFile = filepath.Join(dir, "reader.password")
	if err := os.WriteFile(s.PasswordFile, []byte(ReaderPassword+"\n"), 0o600); err != nil {
		return s, err
	}
	if err := s.Restart(); err != nil {
		return s, err
	}
	return s, s.Try("create role reader login password '" + `s3cret p''\ss` + "'")
}

// Restart starts a server that has ended and waits until it answers.
func (s *Server) Restart() error {
	log, err := os.OpenFile(s.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p := exec.Command(filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.Dir, "data"), "-p", s.Port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+s.Dir, "-c", "fsync=off", "-c", "max_connections=40",
		"-c", "log_statement=all", "-c", "log_min_messages=log")
	p.SysProcAttr, p.Dir, p.Stdout, p.Stderr = s.Owner, s.Dir, log, log
	if err := p.Start(); err != nil {
		return err
	}
	s.process = p
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := s.Try("select 1")
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Log is the path of what it logs.
func (s *Server) Log() string { return filepath.Join(s.Dir, "log") }

// Running says whether it was started and not ended since.
func (s *Server) Running() bool { return s.process != nil }

// Kill ends the server as a crash does, with all its processes.
func (s *Server) Kill() {
	s.End(syscall.SIGQUIT)
}

// End sends the server a signal and waits until it has ended.
func (s *Server) End(signal os.Signal) {
	s.asking.Lock()
	if s.conn != nil {
		s.conn.Close(context.Background())
		s.conn = nil
	}
	s.asking.Unlock()
	s.process.Process.Signal(signal)
	s.process.Wait()
	s.process = nil
}

// Try runs statements as the superuser, on one connection that is kept while it lasts.
func (s *Server) Try(statements ...string) (err error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if s.conn == nil {
		if s.conn, err = pgx.Connect(ctx, s.Admin); err != nil {
			return err
		}
	}
	for _, one := range append([]string{"reset all"}, statements...) {
		if _, err := s.conn.Exec(ctx, one, pgx.QueryExecModeSimpleProtocol); err != nil {
			s.conn.Close(context.Background())
			s.conn = nil
			return fmt.Errorf("%s: %w", one, err)
		}
	}
	return nil
}

// Exec runs statements as the superuser.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	if err := s.Try(statements...); err != nil {
		t.Fatal(err)
	}
}

// Schema makes a schema of the test alone, which the reader may read, and runs the statements in it.
func (s *Server) Schema(t testing.TB, name string, statements ...string) {
	t.Helper()
	all := []string{"drop schema if exists " + name + " cascade", "create schema " + name, "grant usage on schema " + name + " to reader",
		"alter default privileges in schema " + name + " grant select on tables to reader", "set search_path = " + name}
	s.Exec(t, append(all, statements...)...)
	t.Cleanup(func() {
		if s.process != nil {
			s.Exec(t, "drop schema if exists "+name+" cascade")
		}
	})
}

// DSN is that of the reader, by the host and port, with a schema.
func (s *Server) DSN(port, schema string) string {
	return "host=127.0.0.1 port=" + port + " user=reader dbname=postgres sslmode=disable search_path=" + schema
}

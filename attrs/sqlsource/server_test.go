package sqlsource

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

// A server is a PostgreSQL of this test run alone.
type server struct {
	bin, dir string
	port     string
	owner    *syscall.SysProcAttr // PostgreSQL does not run as root
	process  *exec.Cmd
	admin    string // DSN of the superuser
	password string // file with that of the role reader

	asking sync.Mutex
	conn   *pgx.Conn
}

const adminPassword, readerPassword = "a superuser's", "s3cret p'\\ss"

var postgresql struct {
	once sync.Once
	*server
	err error
}

// pg gives the server of the test run, running.
func pg(t testing.TB) *server {
	t.Helper()
	bin := postgresqlPrograms()
	if bin == "" {
		if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			t.Fatal("no PostgreSQL")
		}
		t.Skip("no PostgreSQL")
	}
	postgresql.once.Do(func() { postgresql.server, postgresql.err = makeServer(bin) })
	if postgresql.err != nil {
		t.Fatal(postgresql.err)
	}
	if postgresql.process == nil {
		if err := postgresql.start(); err != nil {
			t.Fatal(err)
		}
	}
	return postgresql.server
}

func postgresqlPrograms() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// stopPostgreSQL ends what pg began.
func stopPostgreSQL() {
	if s := postgresql.server; s != nil {
		if s.process != nil {
			s.kill()
		}
		os.RemoveAll(s.dir)
	}
}

func makeServer(bin string) (*server, error) {
	dir, err := os.MkdirTemp("", "sceau-postgresql-")
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, dir: dir}
	if os.Getuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		s.owner = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	secret := filepath.Join(dir, "admin.password")
	if err := os.WriteFile(secret, []byte(adminPassword+"\n"), 0o644); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres", "-E", "UTF8",
		"--locale=C", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync")
	initdb.SysProcAttr, initdb.Dir = s.owner, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, s.port, _ = net.SplitHostPort(free.Addr().String())
	free.Close()
	s.admin = "host=127.0.0.1 port=" + s.port + " user=postgres dbname=postgres sslmode=disable password='" + adminPassword[:11] + `\'s'`
	s.password = filepath.Join(dir, "reader.password")
	if err := os.WriteFile(s.password, []byte(readerPassword+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, s.try("create role reader login password '" + `s3cret p''\ss` + "'")
}

// start starts the server and waits until it answers.
func (s *server) start() error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p := exec.Command(filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.dir, "data"), "-p", s.port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+s.dir, "-c", "fsync=off", "-c", "max_connections=40",
		"-c", "log_statement=all", "-c", "log_min_messages=log")
	p.SysProcAttr, p.Dir, p.Stdout, p.Stderr = s.owner, s.dir, log, log
	if err := p.Start(); err != nil {
		return err
	}
	s.process = p
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := s.try("select 1")
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *server) log() string { return filepath.Join(s.dir, "log") }

// kill ends the server as a crash does, with all its processes.
func (s *server) kill() {
	s.end(syscall.SIGQUIT)
}

// end sends the server a signal and waits until it has ended.
func (s *server) end(signal os.Signal) {
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

// try runs statements as the superuser, on one connection that is kept while it lasts.
func (s *server) try(statements ...string) (err error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if s.conn == nil {
		if s.conn, err = pgx.Connect(ctx, s.admin); err != nil {
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

func (s *server) exec(t testing.TB, statements ...string) {
	t.Helper()
	if err := s.try(statements...); err != nil {
		t.Fatal(err)
	}
}

// schema makes a schema of the test alone, which the reader may read, and runs the statements in it.
func (s *server) schema(t testing.TB, name string, statements ...string) {
	t.Helper()
	all := []string{"drop schema if exists " + name + " cascade", "create schema " + name, "grant usage on schema " + name + " to reader",
		"alter default privileges in schema " + name + " grant select on tables to reader", "set search_path = " + name}
	s.exec(t, append(all, statements...)...)
	t.Cleanup(func() {
		if s.process != nil {
			s.exec(t, "drop schema if exists "+name+" cascade")
		}
	})
}

// dsn is that of the reader, by the host and port, with a schema.
func (s *server) dsn(port, schema string) string {
	return "host=127.0.0.1 port=" + port + " user=reader dbname=postgres sslmode=disable search_path=" + schema
}

// config is a source as the reader.
func (s *server) config(schema string, queries ...Query) Config {
	return Config{Driver: PostgreSQL, Queries: queries, Timeout: 20 * time.Second,
		Postgres: Postgres{DSN: s.dsn(s.port, schema), PasswordFile: s.password}}
}

package sqlsource

import (
	"sync"
	"testing"
	"time"

	"sceau/internal/postgresql"
)

// A server is the PostgreSQL of this test run, with configurations of sources that ask it.
type server struct{ *postgresql.Server }

var shared struct {
	once sync.Once
	server
	err error
}

// pg gives the server of the test run, running.
func pg(t testing.TB) *server {
	t.Helper()
	programs := postgresql.Programs(t)
	shared.once.Do(func() { shared.Server, shared.err = postgresql.Make(programs) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	if !shared.Running() {
		if err := shared.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	return &shared.server
}

// stopPostgreSQL ends what pg began.
func stopPostgreSQL() {
	if shared.Server != nil {
		shared.Remove()
	}
}

// config is a source as the reader.
func (s *server) config(schema string, queries ...Query) Config {
	return Config{Driver: PostgreSQL, Queries: queries, Timeout: 20 * time.Second,
		Postgres: Postgres{DSN: s.DSN(s.Port, schema), PasswordFile: s.PasswordFile}}
}

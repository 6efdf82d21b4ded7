package sqlsource

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"sceau/attrs"
	"sceau/internal/postgresql"
)

// staffed is a server with Alice, a doctor, and Bob, none, by a source with the changes.
func staffed(t testing.TB, schema string, change func(*Config)) (*server, *desk) {
	t.Helper()
	s := pg(t)
	s.Schema(t, schema, pgCertified, insert("('"+alice+"','"+doctor+"','true',null,null)"), insert("('"+bob+"','"+surname+"','Bob',null,null)"))
	c := s.config(schema, long("$1"))
	if change != nil {
		change(&c)
	}
	return s, open(t, c)
}

// proxied puts a proxy for faults before the server.
func proxied(t testing.TB, s *server) (*toxiproxy.Proxy, string) {
	t.Helper()
	p := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "postgresql", "127.0.0.1:0", "127.0.0.1:"+s.Port)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	_, port, err := net.SplitHostPort(p.Listen)
	if err != nil {
		t.Fatal(err)
	}
	return p, port
}

// A crowd asks without end, about a doctor and about a stranger. Whatever happens to the database, each answer is right or an error.
type crowd struct {
	right, failed atomic.Int64
	stop          context.CancelFunc
	all           sync.WaitGroup
}

func (b *desk) crowd(t *testing.T, members int, timeout time.Duration) *crowd {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &crowd{stop: stop}
	t.Cleanup(c.end)
	who := []string{alice, bob}
	want := []string{"affirmed, unknown", "denied, Bob"}
	queries := []*attrs.Query{b.query(t, who[0], doctor, surname), b.query(t, who[1], doctor, surname)}
	for m := range members {
		c.all.Go(func() {
			for n := m; ctx.Err() == nil; n++ {
				bounded, cancel := context.WithTimeout(ctx, timeout)
				got, err := b.Resolve(bounded, queries[n%2], nil)
				cancel()
				switch {
				case ctx.Err() != nil: // the end of the test
				case err == nil && show(got) == want[n%2]:
					c.right.Add(1)
				case err != nil && len(got) == 0 && attrs.ReasonOf(err).Temporary():
					c.failed.Add(1)
				default:
					t.Errorf("about %d: %s, %v", n%2, show(got), err)
					return
				}
			}
		})
	}
	return c
}

func (c *crowd) end() {
	c.stop()
	c.all.Wait()
}

// until waits until the number has grown by more than by.
func until(t *testing.T, what string, n *atomic.Int64, by int64) {
	t.Helper()
	from, deadline := n.Load(), time.Now().Add(time.Minute)
	for n.Load() <= from+by {
		if time.Now().After(deadline) {
			t.Fatalf("never %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A server that is killed under load, and comes back: errors between, never a denial of the doctor.
func TestServerKilledAndRestarted(t *testing.T) {
	s, b := staffed(t, "killed", func(c *Config) { c.MaxConns = 4 })
	c := b.crowd(t, 6, 5*time.Second)
	for _, signal := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGINT} { // a crash, and a stop that ends sessions with an error
		until(t, "right before", &c.right, 20)
		s.End(signal)
		until(t, "failed while it was down", &c.failed, 20)
		b.unavailable(t, "")
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		until(t, "right afterwards", &c.right, 20)
	}
	c.end()
	if err := b.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

// A server that is not there when the source is opened is asked when it is.
func TestServerStartedLater(t *testing.T) {
	s := pg(t)
	s.Schema(t, "later", pgCertified, insert("('"+alice+"','"+doctor+"','true',null,null)"))
	s.Kill()
	b := open(t, s.config("later", long("$1")))
	b.unavailable(t, "connection refused")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := b.ask(t, alice, doctor); got != "affirmed" {
		t.Error(got)
	}
}

// A database that changes under the source: what no longer fits is an error, and what fits again is read.
func TestSchemaChanges(t *testing.T) {
	s, b := staffed(t, "changing", nil)
	if got := b.ask(t, alice, doctor); got != "affirmed" {
		t.Fatal(got)
	}
	for _, tt := range []struct{ name, change, undo, want string }{
		{"the table is gone", "alter table changing.certified rename to elsewhere", "alter table changing.elsewhere rename to certified", "SQLSTATE 42P01"},
		{"a column of another type", "alter table changing.certified alter not_before type timestamp using null", "alter table changing.certified alter not_before type timestamptz using null", "SQLSTATE 0A000"},
		{"no longer allowed", "revoke select on changing.certified from reader", "grant select on changing.certified to reader", "SQLSTATE 42501, the user may not read it"},
	} {
		s.Exec(t, tt.change)
		b.unavailable(t, tt.want)
		b.unavailable(t, "")
		s.Exec(t, tt.undo)
		if got := b.ask(t, alice, doctor); got != "affirmed" {
			t.Errorf("%s, undone: %s", tt.name, got)
		}
	}
}

// Faults of the network, under load. What each would achieve if a short answer were taken for a whole one: a doctor who is none.
func TestNetworkFaults(t *testing.T) {
	for _, tt := range []struct {
		name, toxic string
		fails       bool // while the toxic is there
	}{
		{"latency", `{"name":"x","type":"latency","attributes":{"latency":30,"jitter":20}}`, false},
		{"latency beyond the deadline", `{"name":"x","type":"latency","attributes":{"latency":3000}}`, true},
		{"reset", `{"name":"x","type":"reset_peer","attributes":{"timeout":0}}`, true},
		{"reset after a while", `{"name":"x","type":"reset_peer","attributes":{"timeout":30}}`, true},
		{"half open, nothing comes back", `{"name":"x","type":"timeout","attributes":{"timeout":0}}`, true},
		{"half open, nothing arrives", `{"name":"x","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`, true},
		{"cut after 700 octets", `{"name":"x","type":"limit_data","attributes":{"bytes":700}}`, true},
		{"cut after 2500 octets", `{"name":"x","type":"limit_data","attributes":{"bytes":2500}}`, true},
		{"in slices", `{"name":"x","type":"slicer","attributes":{"average_size":3,"size_variation":2,"delay":10}}`, false},
		{"narrow", `{"name":"x","type":"bandwidth","attributes":{"rate":20}}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var proxy *toxiproxy.Proxy
			_, b := staffed(t, "network", func(c *Config) {
				var port string
				proxy, port = proxied(t, pg(t))
				c.MaxConns, c.Postgres.DSN = 3, strings.Replace(c.Postgres.DSN, "port="+pg(t).Port, "port="+port, 1)
				c.Postgres.ConnectTimeout = time.Second
			})
			crowd := b.crowd(t, 4, time.Second)
			until(t, "right before", &crowd.right, 5)
			if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(tt.toxic)); err != nil {
				t.Fatal(err)
			}
			if tt.fails {
				until(t, "failed during", &crowd.failed, 5)
			} else {
				until(t, "right during", &crowd.right, 5)
			}
			if err := proxy.Toxics.RemoveToxic(context.Background(), "x"); err != nil {
				t.Fatal(err)
			}
			until(t, "right afterwards", &crowd.right, 5)
			crowd.end()
		})
	}
}

// Every length at which an answer can break off: never a part, never a denial.
func TestAnswersThatBreakOff(t *testing.T) {
	var proxy *toxiproxy.Proxy
	_, b := staffed(t, "broken", func(c *Config) {
		var port string
		proxy, port = proxied(t, pg(t))
		c.MaxConns, c.Postgres.DSN = 1, strings.Replace(c.Postgres.DSN, "port="+pg(t).Port, "port="+port, 1)
	})
	right := 0
	for n := 1; n <= 400; n += 3 {
		if got := b.ask(t, alice, doctor); got != "affirmed" && !strings.Contains(got, "source unavailable") {
			t.Fatalf("without a fault: %s", got)
		}
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(`{"name":"x","type":"limit_data","attributes":{"bytes":` + strconv.Itoa(n) + `}}`)); err != nil {
			t.Fatal(err)
		}
		got, err := b.Resolve(t.Context(), b.query(t, alice, doctor, surname), nil)
		switch {
		case err == nil && show(got) == "affirmed, unknown":
			right++
		case err == nil || len(got) != 0 || !attrs.ReasonOf(err).Temporary():
			t.Errorf("cut after %d: %s, %v", n, show(got), err)
		}
		if err := proxy.Toxics.RemoveToxic(context.Background(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if right == 0 || right > 130 {
		t.Errorf("%d of 134 were not cut", right)
	}
}

// statement_timeout ends a query at the server too, and the deadline is the reason.
func TestStatementTimeout(t *testing.T) {
	s := pg(t)
	s.Schema(t, "slow")
	c := s.config("slow", Query{Subject: "ssin", Attributes: map[string]string{"name": surname}, Text: "select pg_sleep(case when $1 = '" + alice + "' then 1000 else 0 end)::text as name"})
	c.TTL, c.Timeout = time.Hour, 300*time.Millisecond
	b := open(t, c)
	if got := b.ask(t, alice, surname); !strings.HasPrefix(got, "deadline exceeded: source hr") {
		t.Error(got)
	}
	gone := func() error {
		return s.Try("do $$ begin assert (select count(*) from pg_stat_activity where usename = 'reader' and state = 'active') = 0; end $$")
	}
	deadline := time.Now().Add(20 * time.Second)
	for gone() != nil {
		if time.Now().After(deadline) {
			t.Fatal("the server still works on it")
		}
	}
	// By the server alone: a call whose context has no end sets the bound all the same.
	calls := []*call{b.call(b.queries[0], alice)}
	calls[0].most = 10
	bounded, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	conn, err := b.store.(*postgres).pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if got := milliseconds(bounded); got < "3590000" || len(got) != 7 {
		t.Errorf("an hour is %s ms", got)
	}
	short := shortDeadline{t.Context(), time.Now().Add(100 * time.Millisecond)}
	err = cause(ask(short, conn.Conn(), conn.Conn().PgConn().CustomData()[layoutsKey].([]layout), calls))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "57014") {
		t.Errorf("%v", err)
	}
}

// A shortDeadline says that it ends and does not: only the server can end what runs under it.
type shortDeadline struct {
	context.Context
	at time.Time
}

func (d shortDeadline) Deadline() (time.Time, bool) { return d.at, true }

// Without a free connection a look-up ends with its deadline, and says so.
func TestPoolExhausted(t *testing.T) {
	_, b := staffed(t, "exhausted", func(c *Config) { c.MaxConns = 2 })
	pool := b.store.(*postgres).pool
	for range 2 {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Release() })
		defer conn.Release()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := b.Resolve(ctx, b.query(t, alice, doctor), nil); attrs.ReasonOf(err) != attrs.DeadlineExceeded || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if got, err := b.Resolve(ctx, b.query(t, alice, doctor), nil); attrs.ReasonOf(err) != attrs.Canceled || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// The first host that is there is asked; with the first back it is again that one for new connections.
func TestHosts(t *testing.T) {
	s := pg(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0") // which takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	_, silent, _ := net.SplitHostPort(dead.Addr().String())
	_, b := staffed(t, "hosts", func(c *Config) {
		c.Postgres.DSN = "host=127.0.0.1,127.0.0.1,127.0.0.1 port=1," + silent + "," + s.Port + " user=reader dbname=postgres sslmode=disable search_path=hosts target_session_attrs=read-write"
		c.Postgres.ConnectTimeout = 200 * time.Millisecond
	})
	if got := b.ask(t, alice, doctor); got != "affirmed" {
		t.Error(got)
	}
}

// A wrong password is told when the source is opened, and the password is not.
func TestWrongPassword(t *testing.T) {
	s := pg(t)
	c := s.config("public", Query{Subject: "ssin", Attributes: map[string]string{"doctor": doctor}, Text: "select true as doctor where $1 = ''"})
	c.TTL = time.Hour
	c.Postgres.PasswordFile = t.TempDir() + "/password"
	write(t, c.Postgres.PasswordFile, []byte("hunter2\n"))
	if _, err := tryOpen(t, c); err == nil || !strings.Contains(err.Error(), "28P01, wrong password") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	// Changed with the file, without a new source.
	write(t, c.Postgres.PasswordFile, []byte(postgresql.ReaderPassword))
	b := open(t, c)
	s.Exec(t, "alter role reader password 'hunter3'", "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'")
	defer s.Exec(t, `alter role reader password 's3cret p''\ss'`)
	for range 3 {
		b.Resolve(t.Context(), b.query(t, alice, doctor), nil)
	}
	b.unavailable(t, "28P01")
	write(t, c.Postgres.PasswordFile, []byte("hunter3\n"))
	if got := b.ask(t, alice, doctor); got != "denied until 2026-11-21T21:00:00" {
		t.Error(got)
	}
}

// Closing under load: right answers or errors, and no goroutine stays.
func TestCloseUnderLoad(t *testing.T) {
	_, b := staffed(t, "closing", func(c *Config) { c.Postgres.Channel = "closing" })
	crowd := b.crowd(t, 4, 5*time.Second)
	until(t, "right before", &crowd.right, 20)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	until(t, "failed afterwards", &crowd.failed, 20)
	crowd.end()
	b.unavailable(t, "closed")
	if _, ok := b.Epoch(); ok {
		t.Error("an epoch of a closed source")
	}
}

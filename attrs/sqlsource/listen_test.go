package sqlsource

import (
	"context"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"

	"sceau/attrs"
)

// untilEpoch waits until the epoch is known or not, and another than before.
func (b *desk) untilEpoch(t *testing.T, what string, known bool, not uint64) uint64 {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		n, ok := b.Epoch()
		if ok == known && (!known || n != not) {
			return n
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: epoch %d, %v", what, n, ok)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

const notifying = `create function changed() returns trigger language plpgsql as $$ begin notify "Hr ""changed"""; return null; end $$;
create trigger changed after insert or update or delete or truncate on certified for each statement execute function changed()`

// What a resolver keeps ends with the notice, which comes with the commit.
func TestNotice(t *testing.T) {
	s, b := staffed(t, "notice", func(c *Config) { c.Postgres.Channel = `Hr "changed"` })
	s.Exec(t, "set search_path = notice; "+notifying)
	n := b.untilEpoch(t, "connected", true, 0)
	resolver, err := attrs.NewResolver(attrs.Config{Catalogue: b.catalogue, Routes: []attrs.Route{{Source: b}}, Budget: time.Minute, CacheEntries: 100, CacheTTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	for i := range 10 {
		value := []string{"false", "true"}[i%2]
		s.Exec(t, "begin; update notice.certified set value = '"+value+"' where attribute = '"+doctor+"'; commit")
		n = b.untilEpoch(t, "a notice", true, n)
		for range 3 {
			got, err := resolver.Resolve(t.Context(), b.query(t, alice, doctor), nil)
			if err != nil || (got[0].State == attrs.Affirmed) != (value == "true") {
				t.Fatalf("after %s: %s, %v", value, show(got), err)
			}
		}
	}
	// Another channel, and a transaction that was rolled back, are no notice.
	s.Exec(t, "notify other", "begin; update notice.certified set value = 'x'; rollback", "select pg_sleep(0.05)")
	if got, _ := b.Epoch(); got != n {
		t.Errorf("epoch %d after %d", got, n)
	}
}

// While nobody listens, nobody can tell; and afterwards nothing from before is used.
func TestNoticeLost(t *testing.T) {
	s, b := staffed(t, "lost", func(c *Config) { c.Postgres.Channel = "lost" })
	n := b.untilEpoch(t, "connected", true, 0)
	s.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'")
	n = b.untilEpoch(t, "connected again", true, n)
	s.Kill()
	b.untilEpoch(t, "the server killed", false, 0)
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	b.untilEpoch(t, "the server started", true, n)
}

// A connection that is cut without a word would be silent for ever, and old answers would be used meanwhile.
func TestNoticeHalfOpen(t *testing.T) {
	for name, toxic := range map[string]string{
		"nothing comes back": `{"name":"x","type":"timeout","attributes":{"timeout":0}}`,
		"nothing arrives":    `{"name":"x","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var proxy *toxiproxy.Proxy
			_, b := staffed(t, "halfopen", func(c *Config) {
				var port string
				proxy, port = proxied(t, pg(t))
				c.Postgres.DSN = strings.Replace(c.Postgres.DSN, "port="+pg(t).Port, "port="+port, 1)
				c.Postgres.Channel, c.Postgres.Heartbeat, c.Postgres.ConnectTimeout = "halfopen", 50*time.Millisecond, time.Second
			})
			n := b.untilEpoch(t, "connected", true, 0)
			if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
				t.Fatal(err)
			}
			b.untilEpoch(t, "cut without a word", false, 0)
			if err := proxy.Toxics.RemoveToxic(context.Background(), "x"); err != nil {
				t.Fatal(err)
			}
			b.untilEpoch(t, "connected again", true, n)
		})
	}
}

// A quiet connection stays, whatever its heartbeat.
func TestNoticeQuiet(t *testing.T) {
	s, b := staffed(t, "quiet", func(c *Config) { c.Postgres.Channel, c.Postgres.Heartbeat = "quiet", 20*time.Millisecond })
	n := b.untilEpoch(t, "connected", true, 0)
	time.Sleep(300 * time.Millisecond)
	if got, ok := b.Epoch(); got != n || !ok {
		t.Errorf("epoch %d, %v after %d", got, ok, n)
	}
	s.Exec(t, "notify quiet, 'what it says does not matter'")
	b.untilEpoch(t, "a notice", true, n)
}

// Without a channel the epoch is constant, and costs nothing to ask.
func TestNoChannel(t *testing.T) {
	s, b := staffed(t, "nochannel", nil)
	if n, ok := b.Epoch(); n != 1 || !ok {
		t.Errorf("%d, %v", n, ok)
	}
	_, listens := staffed(t, "channel", func(c *Config) { c.Postgres.Channel = "c" })
	file := open(t, Config{Driver: SQLite, File: doctors(t, alice), Queries: []Query{long("?1")}})
	for _, one := range []*desk{b, listens, file} {
		if allocs := testing.AllocsPerRun(100, func() { one.Epoch() }); allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	}
	_ = s
}

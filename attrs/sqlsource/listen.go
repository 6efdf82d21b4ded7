package sqlsource

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/attrs"
	"sceau/attrs/database"
)

// A listener counts the changes that the database gives notice of. While it is not connected nobody can tell, and nothing
// that was kept is used.
type listener struct {
	config *pgx.ConnConfig
	keys   *Postgres
	epoch  attrs.EpochCounter

	stop     context.CancelFunc
	stopped  chan struct{}
	cleaning sync.WaitGroup // connections that were lost, and are being given back
}

// Pauses between attempts to connect: doubled from the first to the last.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

func listen(config *pgx.ConnConfig, keys *Postgres) *listener {
	ctx, stop := context.WithCancel(context.Background())
	l := &listener{config: config.Copy(), keys: keys, stop: stop, stopped: make(chan struct{})}
	go l.run(ctx)
	return l
}

func (l *listener) close() {
	l.stop()
	<-l.stopped
	l.cleaning.Wait()
}

func (l *listener) run(ctx context.Context) {
	defer close(l.stopped)
	pause := firstPause
	for ctx.Err() == nil {
		if l.session(ctx) {
			pause = firstPause
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		pause = min(2*pause, lastPause)
	}
}

// session listens until the connection is lost. It says whether there was one.
func (l *listener) session(ctx context.Context) (connected bool) {
	conn, err := l.connect(ctx)
	if err != nil {
		return false
	}
	defer func() {
		l.epoch.Lose() // before the connection is given back: from now on changes pass unnoticed
		l.end(conn)
	}()
	l.epoch.Advance() // what changed before it listened was not noticed
	for {
		quiet, cancel := context.WithTimeout(ctx, l.keys.Heartbeat)
		_, err := conn.WaitForNotification(quiet)
		silent := quiet.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return true
		case err == nil:
			l.epoch.Advance()
		case !silent || !l.alive(ctx, conn):
			return true
		}
	}
}

// connect connects and listens.
func (l *listener) connect(ctx context.Context) (*pgx.Conn, error) {
	config := l.config.Copy()
	if err := database.SetPassword(config, l.keys.PasswordFile); err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, l.keys.ConnectTimeout)
	defer cancel()
	if _, err := conn.Exec(bounded, "listen "+pgx.Identifier{l.keys.Channel}.Sanitize()); err != nil {
		l.end(conn)
		return nil, err
	}
	return conn, nil
}

// end gives a connection back, without waiting for it: the driver takes its time with one that does not answer.
func (l *listener) end(conn *pgx.Conn) {
	closeNow(conn)
	l.cleaning.Go(func() { <-conn.PgConn().CleanupDone() })
}

// alive asks a silent connection for a sign of life: one that was cut without a word would be silent for ever. A notice
// that comes with the sign is found by the next WaitForNotification.
func (l *listener) alive(ctx context.Context, conn *pgx.Conn) bool {
	bounded, cancel := context.WithTimeout(ctx, l.keys.Heartbeat)
	defer cancel()
	return conn.Ping(bounded) == nil
}

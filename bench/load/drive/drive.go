// Package drive puts load on a server and measures what it does: open and closed loops, the search for the
// saturation point, two targets turn by turn.
//
// # Open loop
//
// Arrivals fall due by a schedule that the server cannot slow down. A worker with a connection of its own takes the
// next one, has its message made, sleeps until it is due and sends. When all connections are taken, arrivals wait
// for one, and latency is from the time at which they fell due: what the server keeps waiting is seen in every
// arrival that it kept waiting (no coordinated omission). After Timeout an arrival is given up as Unsent.
//
// # Closed loop
//
// Each connection sends the next message when the last was answered: a stalled server is seen once a connection.
//
// # Precision
//
// The timers of Go's runtime round up to a millisecond when nothing else is to do, as long as a whole answer takes.
// On Linux each worker sleeps on a timer of the kernel (timerfd), which wakes it within some 50 µs and burns no
// CPU that the server may need; only the last few microseconds are yielded away. Elsewhere the runtime's timers are
// used. Whatever lateness is left is measured and told (measure.Generator.Late), never hidden.
//
// # Connections
//
// Nothing is pooled, retried or sent again. A keep-alive connection that ends is opened anew by the next message on
// it, in the time of that message. One that its peer closed while it was unused (looked at after a second without
// use) is replaced before the message is written; nothing was sent on it, so nothing is sent twice.
package drive

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"sceau/bench/load/measure"
)

// A Source hands out the messages to be sent, each once. It is safe for concurrent use. What signs
// live does so in Next, on the worker that is about to send; that is counted as the generator's own time.
type Source interface {
	// Next fills shot with the next message; due is when it is meant to be sent, which may be some time
	// ahead. io.EOF: there are no more. shot.Body must stay as it is until the same shot is filled again.
	Next(due time.Time, shot *measure.Shot) error
	// Live reports whether Next signs.
	Live() bool
}

// A Checker judges answers. It is safe for concurrent use.
type Checker interface {
	// Check says how an exchange ended: Right, Wrong or Busy. body is valid only during the call.
	Check(shot *measure.Shot, status int, body []byte) measure.Verdict
}

// A Target is a server.
type Target struct {
	Name string
	URL  string      // http or https, with path and query as they are to be asked
	TLS  *tls.Config // for https, and only then; with a client certificate for mutual TLS. Not altered
	PID  int         // of the server's process when it is on this machine, else 0
}

// A Plan is one load on one target.
type Plan struct {
	Target  Target
	Source  Source
	Checker Checker

	Rate    float64 // open loop: arrivals a second; 0: closed loop
	Poisson bool    // open loop: independent arrivals instead of evenly spaced ones
	Seed    uint64  // of Poisson arrivals: the same seed and rate give the same arrivals

	Connections int
	// NewConnections opens one for each request, which says "Connection: close". Opening is part of the
	// service time. Whether TLS resumes sessions is the affair of Target.TLS.
	NewConnections bool
	// Idle connections are opened before and stay open beside; each was kept alive after one OPTIONS request.
	Idle int

	Warmup   time.Duration // of load that is not counted, before what is
	Duration time.Duration // of the load that is counted
	// Timeout bounds the wait for a connection (open loop), and then again the exchange.
	Timeout time.Duration

	// Live is told of each second as it ends, one call at a time; nil: nobody is.
	Live func(measure.Point)

	// What tests replace: how a connection is opened, and what workers sleep on.
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	alarm func(context.Context) (alarm, error)
}

const (
	maxRate        = 1e6
	maxConnections = 1 << 20
)

// check refuses what is no plan.
func (p *Plan) check() error {
	switch {
	case p.Source == nil || p.Checker == nil:
		return errors.New("drive: a plan needs a source of messages and a checker of answers")
	case !(p.Rate >= 0 && p.Rate <= maxRate):
		return fmt.Errorf("drive: rate %v is not between 0 (closed loop) and %.0f a second", p.Rate, maxRate)
	case p.Connections < 1 || p.Idle < 0 || p.Connections > maxConnections || p.Idle > maxConnections:
		return fmt.Errorf("drive: %d connections and %d idle ones: at least one is needed, and none below zero", p.Connections, p.Idle)
	case p.Duration <= 0 || p.Warmup < 0 || p.Duration > math.MaxInt64/4 || p.Warmup > math.MaxInt64/4:
		return fmt.Errorf("drive: duration %v after a warm-up of %v: the duration must be above zero", p.Duration, p.Warmup)
	case p.Timeout <= 0:
		return errors.New("drive: a plan needs a time-out")
	}
	return nil
}

// load says what is asked of the generator.
func (p *Plan) load() measure.Load {
	switch {
	case p.Rate == 0:
		return measure.Load{Loop: "closed"}
	case p.Poisson:
		return measure.Load{Loop: "open", Rate: p.Rate, Arrivals: "poisson"}
	}
	return measure.Load{Loop: "open", Rate: p.Rate, Arrivals: "constant"}
}

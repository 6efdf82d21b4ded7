package wsp

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"sceau/soap"
)

// A Decision is what a Guard decided about one message.
type Decision struct {
	At     time.Time
	Took   time.Duration
	Remote netip.Addr // who is connected; the zero Addr when that is not known
	// Caller is who was proven, also where the rules of access then refused him: nil when nobody was. Who is
	// let in is said by Err alone.
	Caller *Caller
	Err    error // *Error; nil: admitted
}

// A Recorder keeps the trace of decisions. Implementations are safe for concurrent use and keep no Decision.
type Recorder interface {
	// Record keeps a decision before anything follows from it, and gives the id by which it is found again: faults
	// bear it. When it fails, an admitted message is refused, as Unrecorded.
	Record(ctx context.Context, d *Decision) (id string, err error)
}

// A Verdict is what is done about a message: Caller is not nil when it is admitted; otherwise Fault is the answer. ID names the
// record of the decision. The zero Verdict admits nobody.
type Verdict struct {
	ID     string
	Caller *Caller
	Fault  soap.Fault
}

// Admitted reports whether there is a caller.
func (v *Verdict) Admitted() bool { return !v.Caller.IsZero() }

// Judge is Admit as the middlewares use it: at Config.Now, recorded by Config.Recorder, and with what is to be answered. It is
// for bindings of one's own to a server. The message is not kept.
func (g *Guard) Judge(ctx context.Context, message []byte, remote netip.Addr) Verdict {
	if g == nil || g.config.Certificates == nil {
		return Verdict{ID: newID(), Fault: FaultOf(refuse(Unconfigured, nil))}
	}
	began := time.Now() // of the clock that only measures
	d := Decision{At: g.config.Now(), Remote: remote}
	d.Caller, d.Err = g.decide(ctx, message, d.At)
	d.Took = time.Since(began)
	return g.record(ctx, &d)
}

// RefuseRequest records a request that is answered with an HTTP status before its message is read, and gives the id of the record. It is for
// bindings of one's own.
func (g *Guard) RefuseRequest(ctx context.Context, status int, remote netip.Addr) (id string) {
	if g == nil || g.config.Certificates == nil {
		return newID()
	}
	d := Decision{At: g.config.Now(), Remote: remote, Err: refuse(BadRequest, fmt.Errorf("HTTP status %d", status))}
	return g.record(ctx, &d).ID
}

// record traces a decision, and refuses what cannot be traced.
func (g *Guard) record(ctx context.Context, d *Decision) Verdict {
	err, id := d.Err, ""
	if err == nil && d.Caller.IsZero() {
		err = refuse(Unconfigured, nil) // nobody is admitted by no error alone
	}
	if g.config.Recorder == nil {
		id = newID()
	} else {
		var failed error
		if id, failed = g.config.Recorder.Record(ctx, d); failed != nil {
			if id == "" {
				id = newID()
			}
			g.config.Log.LogAttrs(ctx, slog.LevelError, "decision not recorded", slog.String("id", id), slog.String("cause", failed.Error()))
			if err == nil {
				err = refuse(Unrecorded, failed)
			}
		}
	}
	if err == nil {
		return Verdict{ID: id, Caller: d.Caller}
	}
	fault := FaultOf(err)
	fault.ID, fault.Environment = id, g.config.Environment
	level := slog.LevelInfo
	if fault.SOA.Ours {
		level = slog.LevelError
	}
	g.config.Log.LogAttrs(ctx, level, "message refused", slog.String("id", id),
		slog.String("code", fault.SOA.Code), slog.String("reason", ReasonOf(err).String()), slog.String("cause", err.Error()))
	return Verdict{ID: id, Fault: fault}
}

// newID makes the id of a decision that nobody records.
func newID() string {
	var octets [16]byte
	rand.Read(octets[:]) // never fails
	return "_" + hex.EncodeToString(octets[:])
}

package drive

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"sceau/bench/load/measure"
)

// otherFiles is how many files this process may have open beside connections and alarms.
const otherFiles = 64

// A runner is one run that goes on.
type runner struct {
	*recorder
	schedule *schedule
	plan     *Plan
	endpoint *endpoint
	form     form
	fail     context.CancelCauseFunc // ends the run with an error
	monitor  *monitor
}

// Run puts the load of a plan on its target and returns what was measured.
//
// Every arrival that fell due in the measured time is counted in exactly one of Classes, which add up to
// Offered. Sent are those that were written on a connection; the others are Unsent, or their connection could not be
// opened (Failed, TimedOut). Answered are Right, Wrong and Busy; Kinds and Codes add up to them, Failures to
// Failed, the points of the series to all of these.
//
// Of the warm-up nothing is counted, but its wrong answers are in Wrong. Served is the rate of the right answers
// that came in the measured time: with a backlog, also to what had fallen due in the warm-up, and not what came
// after the end. Idle is how many idle connections were still open at the end.
//
// When ctx ends, or a message cannot be made, the run is returned as far as it came together with
// the error; exchanges that were cut short are not counted. With any other error there is no run.
func Run(ctx context.Context, p Plan) (*measure.Run, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	e, err := newEndpoint(&p)
	if err != nil {
		return nil, err
	}
	if err := allowFiles(p.Idle + p.Connections*(1+alarmFiles) + otherFiles); err != nil {
		return nil, err
	}
	m, err := newMonitor(p.Target.PID)
	if err != nil {
		return nil, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	idle, err := openCrowd(ctx, e, p.Idle, p.Timeout)
	if err != nil {
		return nil, err
	}
	defer idle.close()
	r := &runner{plan: &p, endpoint: e, form: newForm(e, p.NewConnections), fail: fail, monitor: m}
	workers, err := r.hire(ctx)
	if err != nil {
		return nil, err
	}
	m.waiting()
	run := r.drive(ctx, workers)
	run.Idle = idle.open()
	return run, context.Cause(ctx)
}

// hire returns the workers, each with its connection.
func (r *runner) hire(ctx context.Context) ([]*worker, error) {
	newAlarm := newAlarm
	if r.plan.alarm != nil {
		newAlarm = r.plan.alarm
	}
	workers := make([]*worker, r.plan.Connections)
	for i := range workers {
		a, err := newAlarm(ctx)
		if err != nil {
			dismiss(workers[:i])
			return nil, err
		}
		workers[i] = &worker{runner: r, alarm: a, reader: newReader()}
	}
	err := each(ctx, len(workers), func(i int) error {
		if r.plan.NewConnections && i > 0 {
			return nil // one shows whether the target can be reached at all
		}
		c, err := r.endpoint.open(ctx, time.Now().Add(r.plan.Timeout))
		if err != nil {
			return fmt.Errorf("drive: connection %d of %d to target %q: %w", i+1, len(workers), r.plan.Target.Name, err)
		}
		workers[i].conn = c
		return nil
	})
	if err != nil {
		dismiss(workers)
		return nil, err
	}
	if r.plan.NewConnections {
		workers[0].drop()
	}
	return workers, nil
}

func dismiss(workers []*worker) {
	for _, w := range workers {
		w.leave()
	}
}

// drive lets the workers work until all is offered and answered.
func (r *runner) drive(ctx context.Context, workers []*worker) *measure.Run {
	p := r.plan
	start := time.Now()
	r.recorder = newRecorder(p, start.Add(p.Warmup))
	r.schedule = &schedule{start: start, ends: r.ends}
	if r.open {
		r.schedule.arrivals = newArrivals(p.Rate, p.Poisson, p.Seed, p.Warmup+p.Duration)
	}
	var working, watching sync.WaitGroup
	for _, w := range workers {
		working.Go(func() { w.work(ctx) })
	}
	w := watch{runner: r, done: make(chan struct{})}
	watching.Go(w.watch)
	working.Wait()
	if r.schedule.exhausted.IsZero() {
		runtimeAlarm{ctx}.until(r.ends) // the last second is a whole one, too
	}
	close(w.done)
	watching.Wait()
	r.finish(&w, ctx.Err() != nil)
	return r.run
}

// finish computes what can only be known at the end. All workers have left.
func (r *runner) finish(w *watch, stopped bool) {
	run, now := r.run, time.Now()
	interval := r.plan.Duration // in which load was offered
	if cut := r.schedule.exhausted; stopped || !cut.IsZero() {
		until := r.last // an answer may have come later than the last message fell due
		if stopped {
			until = now
		} else if cut.After(until) {
			until = cut
		}
		interval = max(0, min(until.Sub(r.began), interval))
	}
	if interval > 0 {
		run.Served = float64(r.inTime) / interval.Seconds()
	}
	run.Duration = interval
	if !r.last.IsZero() {
		run.Duration = r.last.Sub(r.began)
	}
	run.Series = w.series
	r.spread(run.Series)
	run.Server = r.monitor.process(r.came)
	run.Generator.CPU = w.ownCPU
	run.Generator.Limited = r.limited(w.ownCPU, now.Sub(r.began))
}

func (r *runner) limited(cpu, elapsed time.Duration) string {
	if cut := r.schedule.exhausted; !cut.IsZero() {
		return fmt.Sprintf("the messages were used up %v after the load began: prepare more", cut.Sub(r.schedule.start).Round(time.Millisecond))
	}
	e := evidence{late: r.run.Generator.Late, latency: r.run.Latency, cores: runtime.GOMAXPROCS(0),
		elapsed: elapsed, cpu: cpu, rate: r.plan.Rate, own: r.own, served: r.served}
	if begun := r.run.Offered - r.run.Classes[measure.Unsent]; begun > 0 {
		e.making = r.making / time.Duration(begun)
	}
	return e.limited()
}

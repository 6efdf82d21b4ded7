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
// Of the warm-up nothing is counted but its wrong answers, in WrongInWarmup. Served is the rate of the right answers
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
	if err := allowFiles(p.files()); err != nil {
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

// files is how many files a plan needs open at once.
func (p *Plan) files() int {
	n := p.Idle + p.Connections + otherFiles
	if p.Rate > 0 {
		n += p.Connections * alarmFiles
	}
	return n
}

// newAlarm returns what a worker sleeps on. In a closed loop it sleeps after a failure only, which needs
// no precision, and so no file.
func (p *Plan) newAlarm(ctx context.Context) (alarm, error) {
	switch {
	case p.alarm != nil:
		return p.alarm(ctx)
	case p.Rate == 0:
		return newRuntimeAlarm(ctx)
	}
	return newAlarm(ctx)
}

// hire returns the workers, each with its connection.
func (r *runner) hire(ctx context.Context) ([]*worker, error) {
	workers := make([]*worker, r.plan.Connections)
	for i := range workers {
		a, err := r.plan.newAlarm(ctx)
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
	within := func(end time.Time) time.Duration { return max(0, min(end.Sub(r.began), r.plan.Duration)) }
	run.Offering = r.plan.Duration
	interval := run.Offering // in which what was offered was served
	switch cut := r.schedule.exhausted; {
	case stopped:
		run.Offering = within(now)
		interval = run.Offering
	case !cut.IsZero():
		run.Offering = within(cut)
		interval = max(run.Offering, within(r.replied)) // an answer may have come later than the last message fell due
	}
	if interval > 0 {
		run.Served = float64(r.inTime) / interval.Seconds()
	}
	run.Duration = max(run.Offering, r.last.Sub(r.began))
	run.Series = w.series
	r.spread(run.Series)
	run.Server = r.monitor.process(r.came)
	g := &run.Generator
	g.CPU = w.ownCPU
	e := r.evidence(w.ownCPU, now.Sub(r.began))
	g.Limited, g.Imprecise = e.limited(), e.imprecise()
	if cut := r.schedule.exhausted; !cut.IsZero() {
		g.Limited = fmt.Sprintf("the messages were used up %v after the load began: prepare more", cut.Sub(r.schedule.start).Round(time.Millisecond))
	}
}

// evidence is what the run tells of the generator.
func (r *runner) evidence(cpu, elapsed time.Duration) evidence {
	e := evidence{late: r.run.Generator.Late, latency: r.run.Latency, cores: runtime.GOMAXPROCS(0),
		elapsed: elapsed, cpu: cpu, rate: r.plan.Rate, own: r.own, served: r.served}
	if begun := r.run.Offered - r.run.Classes[measure.Unsent]; begun > 0 {
		e.making = r.making / time.Duration(begun)
	}
	return e
}

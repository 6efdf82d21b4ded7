package drive

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// yieldUnder is the wait that is not worth the two system calls of the timer.
const yieldUnder = 3 * time.Microsecond

// alarmFiles is how many files an alarm holds open.
const alarmFiles = 1

// A kernelAlarm sleeps on a timer of the kernel, which the runtime waits for as it does for a connection: no thread
// is held and no CPU is burned. It is for one goroutine.
type kernelAlarm struct {
	descriptor int
	file       *os.File
	stop       func() bool
	expired    [8]byte // the count that the kernel gives
}

func newAlarm(ctx context.Context) (alarm, error) {
	descriptor, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("drive: timer of a worker: %w", err)
	}
	a := &kernelAlarm{descriptor: descriptor, file: os.NewFile(uintptr(descriptor), "timer")}
	a.stop = context.AfterFunc(ctx, func() { _ = a.file.SetReadDeadline(past) }) // on a closed file there is nobody to wake
	return a, nil
}

func (a *kernelAlarm) until(t time.Time) bool {
	for {
		wait := time.Until(t)
		if wait <= 0 {
			return true
		}
		if wait < yieldUnder {
			runtime.Gosched()
			continue
		}
		once := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(wait))}
		if unix.TimerfdSettime(a.descriptor, 0, &once, nil) != nil {
			return false
		}
		if _, err := a.file.Read(a.expired[:]); err != nil {
			return false
		}
	}
}

func (a *kernelAlarm) close() {
	a.stop()
	_ = a.file.Close() // nothing was written to it
}

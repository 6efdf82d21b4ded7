package drive

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of CPU time in /proc (USER_HZ, 100 a second on all architectures that Go runs on).
const tick = 10 * time.Millisecond

// Fields of /proc/PID/stat after the name of the program, from 0 (proc(5): utime is 14th, stime 15th, rss 24th of all).
const (
	fieldUserTime   = 14 - 3
	fieldSystemTime = 15 - 3
	fieldResident   = 24 - 3
)

// usageOf reads what the kernel says of a process.
func usageOf(pid int) (usage, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return usage{}, fmt.Errorf("drive: process %d of the target: %w", pid, err)
	}
	u, err := parseStat(text)
	if err != nil {
		return usage{}, fmt.Errorf("drive: process %d of the target: %w", pid, err)
	}
	return u, nil
}

func parseStat(text []byte) (usage, error) {
	_, rest, _ := bytes.Cut(text, []byte("("))
	if i := bytes.LastIndexByte(rest, ')'); i >= 0 { // the name may hold anything
		rest = rest[i+1:]
	}
	fields := bytes.Fields(rest)
	if len(fields) <= fieldResident {
		return usage{}, fmt.Errorf("stat of %d fields", len(fields))
	}
	number := func(i int) (uint64, error) { return strconv.ParseUint(string(fields[i]), 10, 48) }
	user, err := number(fieldUserTime)
	if err != nil {
		return usage{}, err
	}
	system, err := number(fieldSystemTime)
	if err != nil {
		return usage{}, err
	}
	resident, err := number(fieldResident)
	if err != nil {
		return usage{}, err
	}
	return usage{known: true, cpu: time.Duration(user+system) * tick, rss: resident * uint64(os.Getpagesize())}, nil
}

//go:build linux || darwin

package drive

import (
	"fmt"
	"net"
	"syscall"
	"time"
)

// allowFiles raises the limit of open files to what the system grants, and refuses when that is
// less than are needed.
func allowFiles(needed int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("drive: limit of open files: %w", err)
	}
	if limit.Cur >= uint64(needed) {
		return nil
	}
	if limit.Max < uint64(needed) {
		return fmt.Errorf("drive: these connections need %d open files and the system grants %d: "+
			"raise the hard limit (ulimit -Hn) or ask for fewer connections", needed, limit.Max)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("drive: raising the limit of open files to %d: %w", limit.Max, err)
	}
	return nil
}

// ownCPU is the CPU time that this process has used, user and system.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// readable reports whether something is to be read from a connection that should be silent: its
// end, or bytes that nobody asked for. It does not wait and reads nothing.
func readable(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true // closed
	}
	silent := false
	if raw.Control(func(descriptor uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(descriptor), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		silent = err == syscall.EAGAIN || err == syscall.EINTR
	}) != nil {
		return true
	}
	return !silent
}

//go:build unix && !linux

package main

import "syscall"

// apart puts a child in a process group of its own, so that an interrupt at the terminal reaches
// only the tool, which then stops the child in order.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

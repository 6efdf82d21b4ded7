//go:build !unix

package main

import "syscall"

// apart would put a child in a process group of its own; here there is none.
func apart() *syscall.SysProcAttr { return nil }

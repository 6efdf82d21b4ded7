//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package audit

import (
	"errors"
	"io"
)

// lockFile refuses: without a lock that dies with its process, two processes
// could append to one journal and fork its chain.
func lockFile(string) (io.Closer, error) { return nil, errors.ErrUnsupported }

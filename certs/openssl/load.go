//go:build openssl && cgo

package openssl

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/golang-fips/openssl/v2"
)

// process is what this process has loaded: the functions of a shared library are there
// once, for all.
var process struct {
	sync.Mutex
	library *Library
}

func load(name string) (*Library, error) {
	names := Names()
	if name != "" {
		names = []string{name}
	}
	process.Lock()
	defer process.Unlock()
	if l := process.library; l != nil {
		if !slices.Contains(names, l.name) {
			return nil, fmt.Errorf("%w: %s is, and not %s", ErrLoaded, l.name, strings.Join(names, " or "))
		}
		return l, nil
	}
	// Init remembers its first failure for good: what is not there does not reach it.
	i := slices.IndexFunc(names, func(name string) bool {
		there, _ := openssl.CheckVersion(name)
		return there
	})
	if i < 0 {
		return nil, fmt.Errorf("%w: could not load %s; install OpenSSL 3 (Debian: libssl3) or give the path of its libcrypto",
			ErrNoLibrary, strings.Join(names, " nor "))
	}
	if err := openssl.Init(names[i]); err != nil {
		return nil, fmt.Errorf("%w: %s: %s; another try needs a restart", ErrNoLibrary, names[i], oneLine(err))
	}
	// The module would take OpenSSL 1.0 and 1.1 too, which nobody mends any more.
	version := openssl.VersionText()
	if !strings.HasPrefix(version, "OpenSSL 3.") {
		return nil, fmt.Errorf("%w: %s is %q, want OpenSSL 3; another try needs a restart", ErrNoLibrary, names[i], version)
	}
	process.library = &Library{name: names[i], version: version}
	return process.library, nil
}

// oneLine makes a line of an error of OpenSSL, which has several, and NUL bytes in them.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r < ' ' }), ", ")
}

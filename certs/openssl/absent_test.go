//go:build !openssl || !cgo

package openssl_test

import (
	"errors"
	"strings"
	"testing"

	"sceau/certs/openssl"
)

// TestNotBuilt: without the engine nothing is loaded, and the error says how to build it.
func TestNotBuilt(t *testing.T) {
	for _, name := range append(openssl.Names(), "") {
		library, err := openssl.Load(name)
		if library != nil || !errors.Is(err, openssl.ErrNotBuilt) || !strings.Contains(err.Error(), "-tags openssl") {
			t.Errorf("%q: %v, %v", name, library, err)
		}
	}
}

package openssl_test

import (
	"errors"
	"testing"

	"sceau/certs/openssl"
	"sceau/internal/testpki"
)

// TestZeroLibrary: what was not loaded makes no keys.
func TestZeroLibrary(t *testing.T) {
	for _, library := range []*openssl.Library{nil, {}} {
		if key, err := library.Key(testpki.Load().STS.Key); key != nil || !errors.Is(err, openssl.ErrNoLibrary) {
			t.Errorf("%v, %v", key, err)
		}
	}
}

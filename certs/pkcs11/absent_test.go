//go:build !pkcs11 || !cgo

package pkcs11_test

import (
	"errors"
	"strings"
	"testing"

	"sceau/certs/pkcs11"
)

// TestNotBuilt: without the package no key is opened or made, and the error says how to build it.
func TestNotBuilt(t *testing.T) {
	uri, err := pkcs11.ParseURI("pkcs11:token=t;object=o?module-path=/m&pin-source=/p")
	if err != nil {
		t.Fatal(err)
	}
	key, err := pkcs11.Open(pkcs11.Config{URI: uri})
	if key != nil || !errors.Is(err, pkcs11.ErrNotBuilt) || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Errorf("%v, %v", key, err)
	}
	if public, err := pkcs11.Generate(uri, pkcs11.P256); public != nil || !errors.Is(err, pkcs11.ErrNotBuilt) {
		t.Errorf("%v, %v", public, err)
	}
	if pkcs11.Built() {
		t.Error("says that it is there")
	}
}

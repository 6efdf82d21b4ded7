//go:build !openssl || !cgo

package openssl

import "crypto"

func load(string) (*Library, error) { return nil, ErrNotBuilt }

func newKey(crypto.Signer) (crypto.Signer, error) { return nil, ErrNotBuilt }

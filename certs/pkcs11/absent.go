//go:build !pkcs11 || !cgo

package pkcs11

import "crypto"

// A Key is a private key on a token; there is none in this program.
type Key struct{ config Config }

const built = false

func open(Config) (*Key, error) { return nil, ErrNotBuilt }

func generate(URI, Kind) (crypto.PublicKey, error) { return nil, ErrNotBuilt }

func (k *Key) sign([]byte, crypto.SignerOpts) ([]byte, error) { return nil, ErrNotBuilt }

// Health tells how the key stands.
func (k *Key) Health() Health { return Health{Err: ErrNotBuilt} }

// Close ends the use of the key.
func (k *Key) Close() error { return nil }

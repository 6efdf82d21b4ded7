package testpki

import (
	"crypto"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
)

// keysPEM holds the private keys of the tests, each under a Name header. They
// were generated once and protect nothing.
//
//go:embed keys.pem
var keysPEM []byte

// keyring holds the parsed keys by name.
type keyring map[string]crypto.Signer

func loadKeys() keyring {
	keys := keyring{}
	for rest := keysPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return keys
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic("testpki: keys.pem: " + err.Error())
		}
		keys[block.Headers["Name"]] = key.(crypto.Signer)
	}
}

func (k keyring) key(name string) crypto.Signer {
	key, ok := k[name]
	if !ok {
		panic("testpki: no key " + name + " among " + strings.Join(slices.Sorted(maps.Keys(k)), " "))
	}
	return key
}

// Package opaque lets go-jose sign with keys that it does not see: on tokens, in other libraries.
package opaque

import (
	"crypto"
	"crypto/rsa"
	"io"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// Signer is s for go-jose. Its own wrapper asks for the longest salt of PSS; RFC 7518 section 3.5 wants one as long as the hash, and
// Web Crypto, by which browsers and Node verify, takes no other.
func Signer(s crypto.Signer) jose.OpaqueSigner { return cryptosigner.Opaque(salted{s}) }

type salted struct{ crypto.Signer }

func (s salted) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	if pss, ok := options.(*rsa.PSSOptions); ok {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: pss.Hash}
	}
	return s.Signer.Sign(random, digest, options)
}

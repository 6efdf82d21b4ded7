// Package virtualkey makes keys for the virtual authenticators of tests.
package virtualkey

import virtual "github.com/descope/virtualwebauthn"

// whole is the length of a COSE key of P-256 whose coordinates have 32 octets each (RFC 9053 section 7.1.1).
const whole = 77

// New makes a credential with a key of P-256. The library writes coordinates without their leading zeros, about once in 128 keys, and no
// relying party takes such a key: another is made in its place.
func New() virtual.Credential {
	for {
		if c := virtual.NewCredential(virtual.KeyTypeEC2); len(c.Key.AttestationData()) == whole {
			return c
		}
	}
}

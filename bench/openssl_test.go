//go:build openssl && cgo

package bench

import (
	"sync"

	"sceau/certs/openssl"
	"sceau/internal/testpki"
)

// rsaOpenSSL is the RSA key of the STS, signing in libcrypto: in handler, floor, keys and naive alike.
var rsaOpenSSL = keyType{"RSA-2048-OpenSSL", nil, func(*testpki.PKI) *testpki.Leaf { return inOpenSSL() }}

// inOpenSSL gives the certificate of the STS with its key in libcrypto. A build that asks for the engine measures it or
// stops.
var inOpenSSL = sync.OnceValue(func() *testpki.Leaf {
	leaf := testpki.Load().STS
	library, err := openssl.Load("")
	if err == nil {
		leaf.Key, err = library.Key(leaf.Key)
	}
	if err != nil {
		panic(err)
	}
	return &leaf
})

// engineCells gives the cells of other engines than Go's for the key of the STS. The project set no ratios for them: with less
// arithmetic in both, a ratio to the floor says less. They are measured against peers in C.
func engineCells() []cell {
	return []cell{
		{eid: rsa2048, sts: rsaOpenSSL, allocations: 30},
		{eid: p256, sts: rsaOpenSSL, allocations: 30},
	}
}

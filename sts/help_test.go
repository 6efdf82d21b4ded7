package sts_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"sceau/internal/testpki"
)

type publicKey struct{ der, pem []byte }

func publicKeyPEM(t testing.TB, leaf *testpki.Leaf) publicKey {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(leaf.X509().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return publicKey{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}
}

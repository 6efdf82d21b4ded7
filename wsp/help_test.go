package wsp_test

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

func rsaKeyValue(leaf *testpki.Leaf) string {
	key := leaf.Key.Public().(*rsa.PublicKey)
	encode := base64.StdEncoding.EncodeToString
	return `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + encode(key.N.Bytes()) + `</ds:Modulus><ds:Exponent>` + encode(big.NewInt(int64(key.E)).Bytes()) + `</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`
}

type cryptoSigner = crypto.Signer

// replaceCRL writes a CRL over one of those that trust wrote.
func replaceCRL(t testing.TB, c *certs.Config, name string, crl []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.CRL.Files[0], name), crl, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newerCRL is the next CRL of the eHealth authority, with one certificate more.
func newerCRL(t testing.TB, revoked *testpki.Leaf) []byte {
	t.Helper()
	crl, err := testpki.Load().EHealthCA.CRL(minipki.CRL{
		Number: 2, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(24 * time.Hour),
		Revoked: []minipki.Revoked{{Serial: revoked.X509().SerialNumber, At: now.Add(-time.Minute)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return crl
}

var quiet = slog.New(slog.DiscardHandler)

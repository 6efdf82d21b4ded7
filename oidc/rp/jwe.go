package rp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// What tokens may be encrypted with. RSA1_5 is not: whoever can ask whether a padding was right reads the token (Bleichenbacher).
var (
	keyEncryption     = []jose.KeyAlgorithm{jose.RSA_OAEP, jose.RSA_OAEP_256, jose.ECDH_ES, jose.ECDH_ES_A128KW, jose.ECDH_ES_A256KW}
	contentEncryption = []jose.ContentEncryption{jose.A128GCM, jose.A256GCM, jose.A128CBC_HS256, jose.A256CBC_HS512}
)

// checkDecryption says whether a key is one to decrypt with.
func (c *Config) checkDecryption() error {
	switch key := c.DecryptionKey.(type) {
	case nil:
		return nil
	case *rsa.PrivateKey:
		if key.N.BitLen() >= leastRSA {
			return nil
		}
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return nil
		}
	}
	return refuse(Misconfigured, "decryption key: neither RSA of %d bits or more nor P-256", leastRSA)
}

// open gives the signed token within an encrypted one, and every other token as it is. Encryption hides and proves nothing: what is
// within is verified like any token, and is not encrypted again.
func (p *Provider) open(token string) (string, error) {
	if strings.Count(token, ".") != 4 {
		return token, nil
	}
	if p.c.DecryptionKey == nil {
		return "", refuse(BadToken, "encrypted, and there is no key")
	}
	if len(token) > 2*maxTokenOctets {
		return "", refuse(BadToken, "encrypted: too long")
	}
	first, _, _ := strings.Cut(token, ".")
	octets, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil || len(octets) > maxHeader {
		return "", refuse(BadToken, "encrypted: no JWT")
	}
	header, err := ParseClaims(octets)
	if err != nil {
		return "", refuse(BadToken, "encrypted: header: no JSON object, or a name twice")
	}
	for _, name := range []string{"jwk", "jku", "x5u", "crit", "zip"} { // zip: a small token that is a large one
		if header.Has(name) {
			return "", refuse(BadToken, "encrypted: header: %s", name)
		}
	}
	parsed, err := jose.ParseEncryptedCompact(token, keyEncryption, contentEncryption)
	if err != nil {
		return "", refuse(BadToken, "encrypted: alg or enc is none of those admitted, or no JWT")
	}
	within, err := parsed.Decrypt(p.c.DecryptionKey)
	if err != nil {
		return "", refuse(BadToken, "encrypted: not with our key")
	}
	return string(within), nil
}

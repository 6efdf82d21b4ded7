package bridge_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"sceau/attrs"
	"sceau/internal/testpki"
	"sceau/policy"
	"sceau/policy/cedar"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// es256 signs a JWS with a P-256 key.
func es256(t testing.TB, key crypto.Signer) func([]byte) []byte {
	return func(signed []byte) []byte {
		t.Helper()
		sum := sha256.Sum256(signed)
		der, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &v); err != nil {
			t.Fatal(err)
		}
		out := make([]byte, 64)
		v.R.FillBytes(out[:32])
		v.S.FillBytes(out[32:])
		return out
	}
}

func ps256(t testing.TB, key crypto.Signer) func([]byte) []byte {
	return func(signed []byte) []byte {
		t.Helper()
		sum := sha256.Sum256(signed)
		out, err := key.Sign(rand.Reader, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// signAssertion signs an assertion as it stands, the signature last.
func signAssertion(t testing.TB, unsigned, id string, leaf *testpki.Leaf) []byte {
	t.Helper()
	document, err := xmltext.Parse([]byte(unsigned), xmltext.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %s", err, unsigned)
	}
	defer document.Release()
	canonical, err := c14n.Append(nil, document.Root(), c14n.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const end = "</Assertion>"
	open, ok := strings.CutSuffix(string(canonical), end)
	if !ok {
		t.Fatal("no end tag")
	}
	out, err := signer(t, leaf).Append([]byte(open), xmlsec.Part{ID: id, Canonical: canonical, Enveloped: true})
	if err != nil {
		t.Fatal(err)
	}
	return append(out, end...)
}

// ecKeyValue is a KeyInfo with the bare key of a leaf.
func ecKeyValue(t testing.TB, leaf *testpki.Leaf) string {
	t.Helper()
	key := leaf.Key.Public().(*ecdsa.PublicKey)
	point, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return `<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:KeyValue><ds11:ECKeyValue xmlns:ds11="http://www.w3.org/2009/xmldsig11#">` +
		`<ds11:NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"></ds11:NamedCurve><ds11:PublicKey>` + base64.StdEncoding.EncodeToString(point) +
		`</ds11:PublicKey></ds11:ECKeyValue></ds:KeyValue></ds:KeyInfo>`
}

const exchangeYAML = `version: 1
exchange:
  - id: portal
    effect: permit
    clients: [portal]
    audiences: ["https://records.example"]
    directions: [saml1-to-token, token-to-saml1, token-to-token]
    scopes: [records, openid, identity]
    maximum-validity: 1h
`

func exchangeRules(t testing.TB) *policy.Rules {
	t.Helper()
	p, err := policy.Load(strings.NewReader(exchangeYAML), attrs.EHealth())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func standard(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// cedarPolicies is the example that operators start from, for a method of authentication.
func cedarPolicies(t testing.TB, method string) *cedar.Policies {
	t.Helper()
	text, err := os.ReadFile("../../policy/cedar/testdata/examples/exchange.cedar")
	if err != nil {
		t.Fatal(err)
	}
	p, err := cedar.Load(cedar.Config{Files: fstest.MapFS{"exchange.cedar": {Data: []byte(strings.ReplaceAll(string(text), `"hwk"`, strconv.Quote(method)))}}, Catalogue: attrs.EHealth()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

package xmlsec_test

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // a key that must be refused
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
)

// methods are all signature methods, each with keys that fit.
var methods = []struct {
	method xmlsec.SignatureMethod
	uri    string
	keys   []string
	pss    bool
}{
	{xmlsec.RSASHA1, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", []string{"rsa2048", "rsa3072"}, false},
	{xmlsec.RSASHA256, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", []string{"rsa2048", "rsa3072"}, false},
	{xmlsec.RSASHA384, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", []string{"rsa2048", "rsa3072"}, false},
	{xmlsec.RSASHA512, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", []string{"rsa2048", "rsa3072"}, false},
	{xmlsec.PSSSHA256, "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", []string{"rsa2048", "rsa3072"}, true},
	{xmlsec.PSSSHA384, "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", []string{"rsa2048", "rsa3072"}, true},
	{xmlsec.PSSSHA512, "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", []string{"rsa2048", "rsa3072"}, true},
	{xmlsec.ECDSASHA256, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", []string{"p256", "p384", "p521"}, false},
	{xmlsec.ECDSASHA384, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", []string{"p256", "p384", "p521"}, false},
	{xmlsec.ECDSASHA512, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", []string{"p256", "p384", "p521"}, false},
}

var digests = []struct {
	method xmlsec.DigestMethod
	uri    string
}{
	{xmlsec.SHA1, "http://www.w3.org/2000/09/xmldsig#sha1"},
	{xmlsec.SHA256, "http://www.w3.org/2001/04/xmlenc#sha256"},
	{xmlsec.SHA384, "http://www.w3.org/2001/04/xmldsig-more#sha384"},
	{xmlsec.SHA512, "http://www.w3.org/2001/04/xmlenc#sha512"},
}

// signOurs has the project's Signer put a signature at the mark of text.
func signOurs(t testing.TB, text string, config xmlsec.SignerConfig, enveloped bool, ids ...string) string {
	t.Helper()
	signer, err := xmlsec.NewSigner(config)
	if err != nil {
		t.Fatal(err)
	}
	d := parse(t, strings.Replace(text, "¦", "", 1))
	defer d.Release()
	var parts []xmlsec.Part
	for _, id := range ids {
		form, err := c14n.Append(nil, byID(t, d, id), c14n.Options{})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, xmlsec.Part{ID: id, Canonical: form, Enveloped: enveloped})
	}
	signature, err := signer.Append(nil, parts...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(text, "¦", string(signature), 1)
}

const unsigned = `<e:Envelope xmlns:e="urn:envelope" xmlns:wsu="` + xmlsec.NamespaceWSU + `"><e:Header>¦</e:Header><e:Body wsu:Id="body"><q:request xmlns:q="urn:q">asked</q:request></e:Body></e:Envelope>`
const unsignedAssertion = `<a:Assertion xmlns:a="urn:assertion" AssertionID="assertion"><a:Conditions/>¦<a:Subject>alice</a:Subject></a:Assertion>`

// TestMethods: what our Signer makes verifies, with its own key, under the policy
// that names it, and says its algorithms by their identifiers.
func TestMethods(t *testing.T) {
	for _, m := range methods {
		for _, name := range m.keys {
			for _, digest := range digests {
				t.Run(m.uri[strings.IndexByte(m.uri, '#')+1:]+" "+name+" "+digest.uri[strings.IndexByte(digest.uri, '#')+1:], func(t *testing.T) {
					needsSHA1 := m.method == xmlsec.RSASHA1 || digest.method == xmlsec.SHA1
					config := xmlsec.SignerConfig{Key: key(t, name), Method: m.method, Digest: digest.method, SHA1: needsSHA1}
					text := signOurs(t, unsigned, config, false, "body")
					for _, uri := range []string{m.uri, digest.uri} {
						if !strings.Contains(text, `Algorithm="`+uri+`"`) {
							t.Errorf("no %s", uri)
						}
					}
					if m.method.URI() != m.uri || digest.method.URI() != digest.uri {
						t.Error("URI")
					}
					policy := xmlsec.DefaultPolicy()
					policy.SHA1 = needsSHA1
					d, s, v, err := verify(t, text, 0, public(t, name), policy)
					if err != nil {
						t.Fatal(err)
					}
					if s.Method() != m.method || !v.Signs(byID(t, d, "body")) {
						t.Error("method or coverage")
					}
					if needsSHA1 {
						if _, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: key(t, name), Method: m.method, Digest: digest.method}); reason(t, err) != xmlsec.AlgorithmRefused {
							t.Errorf("a Signer with SHA-1 by default: %v", err)
						}
						if _, _, _, err := verify(t, text, 0, public(t, name), xmlsec.DefaultPolicy()); reason(t, err) != xmlsec.AlgorithmRefused {
							t.Errorf("SHA-1 by default: %v", err)
						}
					}
					// SHA-1 alone admits nothing of SHA-2.
					onlySHA1 := xmlsec.Policy{SHA1: true, MaxReferences: 8, MaxTransforms: 2}
					if _, _, _, err := verify(t, text, 0, public(t, name), onlySHA1); (err == nil) != (m.method == xmlsec.RSASHA1 && digest.method == xmlsec.SHA1) {
						t.Errorf("under a policy of SHA-1 alone: %v", err)
					}
					for other, want := range map[string]xmlsec.Reason{"other256": xmlsec.SignatureMismatch, "other2048": xmlsec.SignatureMismatch} {
						if (other == "other256") != strings.HasPrefix(name, "p") {
							want = xmlsec.KeyMismatch
						}
						if _, _, _, err := verify(t, text, 0, public(t, other), policy); reason(t, err) != want {
							t.Errorf("key %s: %v", other, err)
						}
					}
				})
			}
		}
	}
}

// TestZero: zero values refuse.
func TestZero(t *testing.T) {
	text := signOurs(t, unsigned, xmlsec.SignerConfig{Key: key(t, "p256")}, false, "body")
	d, s, v, err := verify(t, text, 0, public(t, "p256"), xmlsec.DefaultPolicy())
	if err != nil || !v.Signs(byID(t, d, "body")) {
		t.Fatal(err)
	}
	for name, policy := range map[string]*xmlsec.Policy{
		"nil":           nil,
		"zero":          {},
		"no algorithm":  {MaxReferences: 8, MaxTransforms: 2},
		"no references": {SHA2: true, MaxTransforms: 2},
		"no transforms": {SHA2: true, MaxReferences: 8},
		"negative":      {SHA2: true, MaxReferences: -1, MaxTransforms: -1},
	} {
		if v, err := s.Verify(public(t, "p256"), policy); err == nil || v.Key() != nil {
			t.Errorf("policy %s: verified", name)
		}
	}
	policy := xmlsec.DefaultPolicy()
	var zero xmlsec.Signature
	if v, err := zero.Verify(public(t, "p256"), &policy); reason(t, err) != xmlsec.Malformed || v.Key() != nil {
		t.Errorf("the zero Signature: %v", err)
	}
	var nothing xmlsec.Verified
	if nothing.Signs(d.Root()) || nothing.Covers(d.Root()) || nothing.Key() != nil || !nothing.Signature().IsZero() || nothing.Digest() != [32]byte{} {
		t.Error("the zero Verified says something")
	}
	if nothing.Signs(zero.Node()) || v.Signs(zero.Node()) || v.Covers(zero.Node()) {
		t.Error("the zero node is covered")
	}
	if _, err := xmlsec.ParseSignature(zero.Node()); reason(t, err) != xmlsec.Malformed {
		t.Errorf("a signature of no element: %v", err)
	}
	if xmlsec.DigestMethod(0).URI() != "" || xmlsec.SignatureMethod(0).URI() != "" || xmlsec.DigestMethod(99).URI() != "" || xmlsec.SignatureMethod(99).URI() != "" ||
		xmlsec.DigestMethod(0).Hash() != 0 || xmlsec.SignatureMethod(99).Hash() != 0 {
		t.Error("an algorithm that is none")
	}
	if _, err := xmlsec.NewSigner(xmlsec.SignerConfig{}); reason(t, err) != xmlsec.KeyRefused {
		t.Errorf("the zero SignerConfig: %v", err)
	}
}

// TestKeys: keys that are none, or of a kind or size that is not admitted, are
// refused by name and nothing panics (A3, A4, Z8).
func TestKeys(t *testing.T) {
	good := public(t, "rsa2048").(*rsa.PublicKey)
	ec := public(t, "p256").(*ecdsa.PublicKey)
	even := new(big.Int).Sub(good.N, big.NewInt(1))
	rsaText := signOurs(t, unsigned, xmlsec.SignerConfig{Key: key(t, "rsa2048")}, false, "body")
	ecText := signOurs(t, unsigned, xmlsec.SignerConfig{Key: key(t, "p256")}, false, "body")
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		key  crypto.PublicKey
		want xmlsec.Reason
	}{
		"nil":                      {ecText, nil, xmlsec.KeyMismatch},
		"nil RSA":                  {rsaText, (*rsa.PublicKey)(nil), xmlsec.KeyMismatch},
		"nil EC":                   {ecText, (*ecdsa.PublicKey)(nil), xmlsec.KeyMismatch},
		"zero RSA":                 {rsaText, &rsa.PublicKey{}, xmlsec.KeyRefused},
		"zero EC":                  {ecText, &ecdsa.PublicKey{}, xmlsec.KeyRefused},
		"RSA by value":             {rsaText, *good, xmlsec.KeyMismatch},
		"EC by value":              {ecText, *ec, xmlsec.KeyMismatch},
		"private RSA":              {rsaText, key(t, "rsa2048"), xmlsec.KeyMismatch},
		"private EC":               {ecText, key(t, "p256"), xmlsec.KeyMismatch},
		"Ed25519":                  {ecText, edKey, xmlsec.KeyMismatch},
		"DSA":                      {ecText, &dsa.PublicKey{}, xmlsec.KeyMismatch},
		"bytes":                    {ecText, []byte("secret"), xmlsec.KeyMismatch},
		"RSA for ECDSA":            {ecText, good, xmlsec.KeyMismatch},
		"EC for RSA":               {rsaText, ec, xmlsec.KeyMismatch},
		"A3 RSA 1024":              {rsaText, public(t, "rsa1024"), xmlsec.KeyRefused},
		"A3 RSA 2047":              {rsaText, &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Rsh(good.N, 1), 0, 1), E: 65537}, xmlsec.KeyRefused},
		"A3 RSA exponent 3":        {rsaText, public(t, "rsa2048e3"), xmlsec.KeyRefused},
		"A3 RSA exponent 1":        {rsaText, &rsa.PublicKey{N: good.N, E: 1}, xmlsec.KeyRefused},
		"A3 RSA exponent even":     {rsaText, &rsa.PublicKey{N: good.N, E: 65538}, xmlsec.KeyRefused},
		"A3 RSA exponent negative": {rsaText, &rsa.PublicKey{N: good.N, E: -65537}, xmlsec.KeyRefused},
		"A3 RSA modulus even":      {rsaText, &rsa.PublicKey{N: even, E: 65537}, xmlsec.KeyRefused},
		"A3 RSA modulus negative":  {rsaText, &rsa.PublicKey{N: new(big.Int).Neg(good.N), E: 65537}, xmlsec.KeyRefused},
		"Z8 RSA 8193":              {rsaText, &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), 8192, 1), 0, 1), E: 65537}, xmlsec.KeyRefused},
		"Z8 RSA 16384":             {rsaText, &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), 16383, 1), 0, 1), E: 65537}, xmlsec.KeyRefused},
		"RSA 8192, another":        {rsaText, &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), 8191, 1), 0, 1), E: 65537}, xmlsec.SignatureMismatch},
		"A4 P-224":                 {ecText, public(t, "p224"), xmlsec.KeyRefused},
		"A4 a curve of one's own":  {ecText, &ecdsa.PublicKey{Curve: &elliptic.CurveParams{P: elliptic.P256().Params().P, N: elliptic.P256().Params().N, B: elliptic.P256().Params().B, Gx: ec.X, Gy: ec.Y, BitSize: 256}, X: ec.X, Y: ec.Y}, xmlsec.KeyRefused},
		"A4 the params of P-256":   {ecText, &ecdsa.PublicKey{Curve: elliptic.P256().Params(), X: ec.X, Y: ec.Y}, xmlsec.KeyRefused},
		"A4 off the curve":         {ecText, &ecdsa.PublicKey{Curve: elliptic.P256(), X: ec.Y, Y: ec.X}, xmlsec.SignatureMismatch},
		"A4 infinity":              {ecText, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}, xmlsec.SignatureMismatch},
		"A4 no point":              {ecText, &ecdsa.PublicKey{Curve: elliptic.P256()}, xmlsec.KeyRefused},
		"A4 negative":              {ecText, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Neg(ec.X), Y: ec.Y}, xmlsec.SignatureMismatch},
		"A4 larger than the field": {ecText, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Add(ec.X, elliptic.P256().Params().P), Y: ec.Y}, xmlsec.SignatureMismatch},
		"A4 key of another curve":  {ecText, public(t, "p384"), xmlsec.SignatureMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, _, err := verify(t, c.text, 0, c.key, xmlsec.DefaultPolicy()); reason(t, err) != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	for _, name := range []string{"rsa1024", "rsa2048e3", "p224"} {
		if _, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: key(t, name), Method: map[bool]xmlsec.SignatureMethod{true: xmlsec.ECDSASHA256, false: xmlsec.RSASHA256}[name == "p224"]}); reason(t, err) != xmlsec.KeyRefused {
			t.Errorf("a Signer with %s: %v", name, err)
		}
	}
	for _, c := range []xmlsec.SignerConfig{
		{Key: key(t, "rsa2048"), Method: xmlsec.ECDSASHA256}, {Key: key(t, "p256"), Method: xmlsec.RSASHA256}, {Key: key(t, "p256"), Method: xmlsec.PSSSHA256},
	} {
		if _, err := xmlsec.NewSigner(c); reason(t, err) != xmlsec.KeyMismatch {
			t.Errorf("a Signer whose method does not fit: %v", err)
		}
	}
	for _, c := range []xmlsec.SignerConfig{
		{Key: key(t, "p256"), Method: 99}, {Key: key(t, "p256"), Digest: 99}, {Key: key(t, "p224")},
	} {
		if _, err := xmlsec.NewSigner(c); reason(t, err) != xmlsec.AlgorithmRefused {
			t.Errorf("a Signer with a method that is none: %v", err)
		}
	}
}

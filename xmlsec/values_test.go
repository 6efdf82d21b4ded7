package xmlsec_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"

	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
)

// withValue replaces the octets of the signature value.
func withValue(t testing.TB, text string, change func(value []byte) []byte) string {
	t.Helper()
	from := strings.Index(text, "<ds:SignatureValue>") + len("<ds:SignatureValue>")
	to := from + strings.Index(text[from:], "</")
	value, err := xmlsec.AppendBase64(nil, []byte(text[from:to]))
	if err != nil {
		t.Fatal(err)
	}
	return text[:from] + b64(change(value)) + text[to:]
}

// TestECDSAValues: A4: the octets of an ECDSA value have one form, r and s as long
// as the order, and each of them in [1, n-1].
func TestECDSAValues(t *testing.T) {
	for _, name := range []string{"p256", "p384", "p521"} {
		n := public(t, name).(*ecdsa.PublicKey).Params().N
		size := (n.BitLen() + 7) / 8
		text := signOurs(t, unsigned, xmlsec.SignerConfig{Key: key(t, name)}, false, "body")
		split := func(v []byte) (r, s *big.Int) {
			return new(big.Int).SetBytes(v[:size]), new(big.Int).SetBytes(v[size:])
		}
		join := func(r, s *big.Int) []byte { return joinRS(r, s, size) }
		one, zero := big.NewInt(1), new(big.Int)
		ones := new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*size)), one)
		for change, f := range map[string]func(v []byte) []byte{
			"r zero":            func(v []byte) []byte { _, s := split(v); return join(zero, s) },
			"s zero":            func(v []byte) []byte { r, _ := split(v); return join(r, zero) },
			"both zero":         func(v []byte) []byte { return make([]byte, 2*size) },
			"both one":          func(v []byte) []byte { return join(one, one) },
			"r = n":             func(v []byte) []byte { _, s := split(v); return join(n, s) },
			"s = n":             func(v []byte) []byte { r, _ := split(v); return join(r, n) },
			"both n":            func(v []byte) []byte { return join(n, n) },
			"r = n-1":           func(v []byte) []byte { _, s := split(v); return join(new(big.Int).Sub(n, one), s) },
			"all ones":          func(v []byte) []byte { return join(ones, ones) },
			"r and s exchanged": func(v []byte) []byte { r, s := split(v); return join(s, r) },
			"r negated":         func(v []byte) []byte { r, s := split(v); return join(new(big.Int).Sub(n, r), s) },
			"empty":             func(v []byte) []byte { return []byte{} },
			"a byte shorter":    func(v []byte) []byte { return v[:len(v)-1] },
			"a byte longer":     func(v []byte) []byte { return append(v, 0) },
			"a zero in front":   func(v []byte) []byte { return append([]byte{0}, v...) },
			"a zero in front of each": func(v []byte) []byte {
				return append(append(append([]byte{0}, v[:size]...), 0), v[size:]...)
			},
			"half":    func(v []byte) []byte { return v[:size] },
			"doubled": func(v []byte) []byte { return append(v, v...) },
			"DER": func(v []byte) []byte {
				r, s := split(v)
				der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
				if err != nil {
					t.Fatal(err)
				}
				return der
			},
			"DER padded to the length": func(v []byte) []byte {
				r, s := split(v)
				der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
				if err != nil {
					t.Fatal(err)
				}
				return append(der, make([]byte, max(0, 2*size-len(der)))...)[:2*size]
			},
		} {
			altered := withValue(t, text, f)
			_, _, _, err := verify(t, altered, 0, public(t, name), xmlsec.DefaultPolicy())
			if got := reason(t, err); got != xmlsec.SignatureMismatch && !(change == "empty" && got == xmlsec.Malformed) {
				t.Errorf("%s, %s: %v", name, change, err)
			}
		}
	}
}

// TestReplayDigest: of s and n-s both verify, and anybody can turn one into the
// other. What replay detection remembers is the same for both (R1), and another for
// other content.
func TestReplayDigest(t *testing.T) {
	for _, name := range []string{"p256", "p384", "p521"} {
		n := public(t, name).(*ecdsa.PublicKey).Params().N
		size := (n.BitLen() + 7) / 8
		for range 4 {
			text := signOurs(t, unsigned, xmlsec.SignerConfig{Key: key(t, name)}, false, "body")
			turned := withValue(t, text, func(v []byte) []byte {
				return joinRS(new(big.Int).SetBytes(v[:size]), new(big.Int).Sub(n, new(big.Int).SetBytes(v[size:])), size)
			})
			if turned == text {
				t.Fatal("nothing turned")
			}
			_, _, first, err := verify(t, text, 0, public(t, name), xmlsec.DefaultPolicy())
			if err != nil {
				t.Fatal(err)
			}
			_, _, second, err := verify(t, turned, 0, public(t, name), xmlsec.DefaultPolicy())
			if err != nil {
				t.Fatal(err)
			}
			if first.Digest() != second.Digest() {
				t.Fatalf("%s: one signature, two digests", name)
			}
			other := strings.Replace(unsigned, "asked", "asked again", 1)
			_, _, another, err := verify(t, signOurs(t, other, xmlsec.SignerConfig{Key: key(t, name)}, false, "body"), 0, public(t, name), xmlsec.DefaultPolicy())
			if err != nil || another.Digest() == first.Digest() {
				t.Fatalf("two messages, one digest: %v", err)
			}
		}
	}
}

// TestRSAValues: A5: PKCS #1 v1.5 values whose encoding is not the one encoding, and
// PSS values with other parameters, all made with the private key.
func TestRSAValues(t *testing.T) {
	k := key(t, "rsa2048").(*rsa.PrivateKey)
	size := k.Size()
	raw := func(encoded []byte) []byte { // the private key operation on a chosen encoding
		return new(big.Int).Exp(new(big.Int).SetBytes(encoded), k.D, k.N).FillBytes(make([]byte, size))
	}
	info := signedInfoOf(t, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
	h := crypto.SHA256.New()
	h.Write(info)
	sum := h.Sum(nil)
	prefix := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	noNull := []byte{0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20}
	encode := func(t0, t1, pad byte, padding int, info []byte, garbage []byte) []byte {
		e := []byte{t0, t1}
		for range padding {
			e = append(e, pad)
		}
		e = append(e, 0)
		e = append(append(e, info...), garbage...)
		return append(e, make([]byte, max(0, size-len(e)))...)[:size]
	}
	good := append(append([]byte(nil), prefix...), sum...)
	full := size - 3 - len(good)
	sha1Info := append([]byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}, sum[:20]...)
	for name, c := range map[string]struct {
		value []byte
		want  xmlsec.Reason
	}{
		"right":                              {raw(encode(0, 1, 0xff, full, good, nil)), accepted},
		"Bleichenbacher: garbage at the end": {raw(encode(0, 1, 0xff, 8, good, []byte{1, 2, 3})), xmlsec.SignatureMismatch},
		"short padding":                      {raw(encode(0, 1, 0xff, full-1, good, []byte{0})), xmlsec.SignatureMismatch},
		"no padding":                         {raw(encode(0, 1, 0xff, 0, good, nil)), xmlsec.SignatureMismatch},
		"padding of zeros":                   {raw(encode(0, 1, 0x00, full, good, nil)), xmlsec.SignatureMismatch},
		"block type 2":                       {raw(encode(0, 2, 0xff, full, good, nil)), xmlsec.SignatureMismatch},
		"block type 0":                       {raw(encode(0, 0, 0xff, full, good, nil)), xmlsec.SignatureMismatch},
		"no DigestInfo":                      {raw(encode(0, 1, 0xff, size-3-len(sum), sum, nil)), xmlsec.SignatureMismatch},
		"DigestInfo without NULL":            {raw(encode(0, 1, 0xff, size-3-len(noNull)-len(sum), append(append([]byte(nil), noNull...), sum...), nil)), xmlsec.SignatureMismatch},
		"DigestInfo of SHA-1":                {raw(encode(0, 1, 0xff, size-3-len(sha1Info), sha1Info, nil)), xmlsec.SignatureMismatch},
		"zero":                               {make([]byte, size), xmlsec.SignatureMismatch},
		"one":                                {append(make([]byte, size-1), 1), xmlsec.SignatureMismatch},
		"modulus":                            {k.N.Bytes(), xmlsec.SignatureMismatch},
		"modulus less one":                   {new(big.Int).Sub(k.N, big.NewInt(1)).Bytes(), xmlsec.SignatureMismatch},
		"shorter":                            {raw(encode(0, 1, 0xff, full, good, nil))[1:], xmlsec.SignatureMismatch},
		"a zero in front":                    {append([]byte{0}, raw(encode(0, 1, 0xff, full, good, nil))...), xmlsec.SignatureMismatch},
		"a zero behind":                      {append(raw(encode(0, 1, 0xff, full, good, nil)), 0), xmlsec.SignatureMismatch},
		"modulus added":                      {new(big.Int).Add(new(big.Int).SetBytes(raw(encode(0, 1, 0xff, full, good, nil))), k.N).Bytes(), xmlsec.SignatureMismatch},
		"PSS in place of PKCS1":              {rawSign(t, k, crypto.SHA256, true, info), xmlsec.SignatureMismatch},
	} {
		if _, _, _, err := verify(t, messageWithValue("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b64(c.value), t), 0, k.Public(), xmlsec.DefaultPolicy()); reason(t, err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}

	const pss = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
	info = signedInfoOf(t, pss)
	h.Reset()
	h.Write(info)
	sum = h.Sum(nil)
	salted := func(salt int) []byte {
		v, err := rsa.SignPSS(rand.Reader, k, crypto.SHA256, sum, &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	pkcs1, err := rsa.SignPKCS1v15(nil, k, crypto.SHA256, sum)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		value []byte
		want  xmlsec.Reason
	}{
		"salt as long as the hash":  {salted(32), accepted},
		"salt of 20":                {salted(20), xmlsec.SignatureMismatch},
		"salt of 31":                {salted(31), xmlsec.SignatureMismatch},
		"salt of 33":                {salted(33), xmlsec.SignatureMismatch},
		"longest salt":              {salted(size - 32 - 2), xmlsec.SignatureMismatch},
		"PKCS1 in place of PSS":     {pkcs1, xmlsec.SignatureMismatch},
		"PSS with a zero in front":  {append([]byte{0}, salted(32)...), xmlsec.SignatureMismatch},
		"PSS of another hash's sum": {rawSign(t, k, crypto.SHA384, true, info), xmlsec.SignatureMismatch},
	} {
		if _, _, _, err := verify(t, messageWithValue(pss, b64(c.value), t), 0, k.Public(), xmlsec.DefaultPolicy()); reason(t, err) != c.want {
			t.Errorf("PSS, %s: %v", name, err)
		}
	}
}

// messageWithValue is a message whose digests are right and whose signature value is
// the caller's.
func messageWithValue(method, value string, t testing.TB) string {
	t.Helper()
	return fill(t, apply(t, threeReferences(), []swap{{algorithmECDSA, method}, {"{value}", value}}), nil, 0, false)
}

// signedInfoOf is the canonical SignedInfo of messageWithValue.
func signedInfoOf(t testing.TB, method string) []byte {
	t.Helper()
	d := parse(t, messageWithValue(method, "AAAA", t))
	defer d.Release()
	form, err := c14n.Append(nil, find(t, d.Root(), "SignedInfo", 0), c14n.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// TestBase64: values are read with the white space that implementations leave in
// them, and with nothing else.
func TestBase64(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "AQID": "\x01\x02\x03", "AQI=": "\x01\x02", "AQ==": "\x01", " A Q\tI\r\nD\n": "\x01\x02\x03", "AQ=\n=": "\x01", "+/+/": "\xfb\xff\xbf",
		" ": "", "\r\n": "",
	} {
		if got, err := xmlsec.AppendBase64([]byte("x"), []byte(text)); err != nil || string(got) != "x"+want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"A", "AQ", "AQI", "AQID=", "AQ=", "=", "====", "AQ==AQ==", "AQ==A", "AR==", "AQJ=", "-_-_", "AQ*D", "AQID\x00", "AQI\u00a0", "\u2003", "AQI==", "%41QID", "AQID\v"} {
		got, err := xmlsec.AppendBase64([]byte("x"), []byte(text))
		if got != nil || reason(t, err) != xmlsec.BadBase64 {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

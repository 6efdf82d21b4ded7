package xmlsec_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// sized is a signed message of some ten kilobytes, as a request is.
func sized(t testing.TB, name string, method xmlsec.SignatureMethod) string {
	t.Helper()
	text := strings.Replace(threeReferences(), "what is", strings.Repeat("<q:item n=\"1\">text &amp; more</q:item>", 200)+"what is", 1)
	return fill(t, apply(t, text, []swap{{algorithmECDSA, method.URI()}}), key(t, name), method.Hash(), strings.Contains(method.URI(), "MGF1"))
}

// TestAllocations: reading a signature allocates nothing, and verifying it only what
// the arithmetic of its key does.
func TestAllocations(t *testing.T) {
	if judge.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	sum := make([]byte, 32)
	policy := xmlsec.DefaultPolicy()
	for _, c := range []struct {
		name   string
		method xmlsec.SignatureMethod
		bare   func(key crypto.PublicKey, value []byte)
	}{
		{"p256", xmlsec.ECDSASHA256, func(key crypto.PublicKey, value []byte) { ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum, value) }},
		{"rsa2048", xmlsec.RSASHA256, func(key crypto.PublicKey, value []byte) {
			_ = rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), crypto.SHA256, sum, value)
		}},
		{"rsa2048", xmlsec.PSSSHA256, func(key crypto.PublicKey, value []byte) {
			_ = rsa.VerifyPSS(key.(*rsa.PublicKey), crypto.SHA256, sum, value, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}},
	} {
		k := public(t, c.name)
		d := parse(t, sized(t, c.name, c.method))
		defer d.Release()
		node := find(t, d.Root(), "Signature", 0)
		var s xmlsec.Signature
		if n := testing.AllocsPerRun(100, func() {
			var err error
			if s, err = xmlsec.ParseSignature(node); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("ParseSignature: %v allocations", n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := xmlsec.ParseKeyInfo(s.KeyInfo()); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("ParseKeyInfo: %v allocations", n)
		}
		text, _ := find(t, d.Root(), "SignatureValue", 0).Value()
		value, err := xmlsec.AppendBase64(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := k.(*ecdsa.PublicKey); ok {
			if value, err = key(t, c.name).Sign(nil, sum, crypto.SHA256); err != nil {
				t.Fatal(err)
			}
		}
		bare := testing.AllocsPerRun(100, func() { c.bare(k, value) })
		all := testing.AllocsPerRun(100, func() {
			if v, err := s.Verify(k, &policy); err != nil || v.Key() == nil {
				t.Fatal(err)
			}
		})
		if all > bare {
			t.Errorf("%s: Verify allocates %v times, the arithmetic alone %v", c.method.URI(), all, bare)
		}
	}
}

// TestCheapFirst: Z8: what a policy or a key refuses is refused before a byte of the
// message is canonicalized: the eight references of a large message do not matter.
func TestCheapFirst(t *testing.T) {
	if judge.RaceEnabled {
		t.Skip("counts allocations")
	}
	// A body whose canonical form is an error: whoever canonicalizes it finds it, and the
	// wrong signature value must be found before.
	text := apply(t, threeReferences(), []swap{{"{value}", "AAAA"}, {"{digest body}", strings.Repeat("A", 43) + "="}})
	text = apply(t, fill(t, text, nil, 0, false), []swap{{`xmlns:q="urn:q"`, `xmlns:q="relative"`}})
	for want, c := range map[xmlsec.Reason]struct {
		key    crypto.PublicKey
		policy xmlsec.Policy
	}{
		xmlsec.AlgorithmRefused:  {public(t, "p256"), xmlsec.Policy{}},
		xmlsec.TooMany:           {public(t, "p256"), xmlsec.Policy{SHA2: true, MaxReferences: 2, MaxTransforms: 2}},
		xmlsec.KeyMismatch:       {public(t, "rsa2048"), xmlsec.DefaultPolicy()},
		xmlsec.KeyRefused:        {public(t, "p224"), xmlsec.DefaultPolicy()},
		xmlsec.SignatureMismatch: {public(t, "p256"), xmlsec.DefaultPolicy()},
	} {
		if _, _, _, err := verify(t, text, 0, c.key, c.policy); reason(t, err) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	policy := xmlsec.DefaultPolicy()
	for _, c := range []struct {
		name   string
		method xmlsec.SignatureMethod
	}{{"p256", xmlsec.ECDSASHA256}, {"p384", xmlsec.ECDSASHA384}, {"rsa2048", xmlsec.RSASHA256}, {"rsa2048", xmlsec.PSSSHA256}} {
		b.Run(strings.TrimPrefix(c.method.URI(), "http://www.w3.org/"), func(b *testing.B) {
			text, k := sized(b, c.name, c.method), public(b, c.name)
			d := parse(b, text)
			defer d.Release()
			node := find(b, d.Root(), "Signature", 0)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s, err := xmlsec.ParseSignature(node)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Verify(k, &policy); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, name := range []string{"p256", "rsa2048"} {
		b.Run(name, func(b *testing.B) {
			signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: key(b, name)})
			if err != nil {
				b.Fatal(err)
			}
			d, err := xmltext.Parse([]byte(sized(b, "p256", xmlsec.ECDSASHA256)), xmltext.DefaultLimits())
			if err != nil {
				b.Fatal(err)
			}
			defer d.Release()
			form, err := c14n.Append(nil, byID(b, d, "body"), c14n.Options{})
			if err != nil {
				b.Fatal(err)
			}
			var dst []byte
			b.SetBytes(int64(len(form)))
			b.ReportAllocs()
			for b.Loop() {
				if dst, err = signer.Append(dst[:0], xmlsec.Part{ID: "body", Canonical: form}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package xmlsec_test

import (
	"crypto"
	"errors"
	"io"
	"testing"

	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
)

// TestSignerRefuses: a Signer makes no signature over nothing, and none that could
// not be read.
func TestSignerRefuses(t *testing.T) {
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: key(t, "p256")})
	if err != nil {
		t.Fatal(err)
	}
	part := xmlsec.Part{ID: "a", Canonical: []byte("<a></a>")}
	for name, c := range map[string]struct {
		parts []xmlsec.Part
		want  xmlsec.Reason
	}{
		"no part":             {nil, xmlsec.TooMany},
		"nine parts":          {[]xmlsec.Part{part, part, part, part, part, part, part, part, part}, xmlsec.TooMany},
		"D6 nothing to sign":  {[]xmlsec.Part{{ID: "a"}}, xmlsec.NoCanonicalForm},
		"no identifier":       {[]xmlsec.Part{{Canonical: []byte("<a></a>")}}, xmlsec.ReferenceRefused},
		"H4 identifier quote": {[]xmlsec.Part{{ID: `a"><x`, Canonical: []byte("<a></a>")}}, xmlsec.ReferenceRefused},
		"identifier a URI":    {[]xmlsec.Part{{ID: `#a`, Canonical: []byte("<a></a>")}}, xmlsec.ReferenceRefused},
		"the second is empty": {[]xmlsec.Part{part, {ID: "b"}}, xmlsec.NoCanonicalForm},
	} {
		if out, err := signer.Append([]byte("x"), c.parts...); out != nil || reason(t, err) != c.want {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	if _, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: key(t, "p256"), KeyInfo: "<x/>"}); reason(t, err) != xmlsec.KeyInfoRefused {
		t.Error(err)
	}
	for _, f := range []func() ([]byte, error){
		func() ([]byte, error) { return nil, errors.New("the device is gone") },
		func() ([]byte, error) { return []byte("no DER"), nil },
		func() ([]byte, error) { return []byte{0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x01}, nil },
		func() ([]byte, error) { return nil, nil },
	} {
		broken, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: brokenKey{key(t, "p256"), f}})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := broken.Append(nil, part); err == nil || out != nil {
			t.Errorf("a broken key signs: %q", out)
		}
	}
}

type brokenKey struct {
	crypto.Signer
	sign func() ([]byte, error)
}

func (k brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return k.sign() }

// TestSignerCanonical: what a Signer appends is its own canonical form and goes into
// an element that is hashed later as it is.
func TestSignerCanonical(t *testing.T) {
	info := `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
	text := signOurs(t, unsignedAssertion, xmlsec.SignerConfig{Key: key(t, "p256"), KeyInfo: info}, true, "assertion")
	d := parse(t, text)
	defer d.Release()
	n := find(t, d.Root(), "Signature", 0)
	form, err := c14n.Append(nil, n, c14n.Options{})
	if err != nil || string(form) != string(n.Source()) {
		t.Errorf("%v\n%s\n%s", err, n.Source(), form)
	}
	s, err := xmlsec.ParseSignature(n)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := xmlsec.ParseKeyInfo(s.KeyInfo()); err != nil || k.Selector != xmlsec.ByCertificate {
		t.Error(err)
	}
	for method, name := range map[xmlsec.SignatureMethod]string{xmlsec.RSASHA256: "rsa2048", xmlsec.ECDSASHA256: "p256", xmlsec.ECDSASHA384: "p384", xmlsec.ECDSASHA512: "p521", 0: "p224"} {
		if got := xmlsec.DefaultMethod(public(t, name)); got != method {
			t.Errorf("default method of %s: %v", name, got)
		}
	}
	if xmlsec.DefaultMethod(nil) != 0 {
		t.Error("a default method for no key")
	}
}

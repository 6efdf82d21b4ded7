package xmlsec_test

import (
	"crypto"
	"os"
	"testing"

	"sceau/internal/vector"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// FuzzVerify reads any text. A signature in it that verifies with one of our keys
// says what one of the messages we began with said, word for word: nobody but us has
// the private keys, and they signed nothing else.
func FuzzVerify(f *testing.F) {
	names := []string{"p256", "rsa2048", "p384", "p521"}
	policy := xmlsec.Policy{SHA2: true, SHA1: true, MaxReferences: 8, MaxTransforms: 2}
	said := map[string]bool{}
	add := func(text []byte) {
		for k, name := range names {
			d, err := xmltext.Parse(text, xmltext.DefaultLimits())
			if err != nil {
				f.Fatal(err)
			}
			count := len(signatures(d.Root()))
			d.Release()
			for n := range count {
				if what, err := verifiedMeaning(text, n, public(f, name), &policy); err == nil {
					said[what] = true
					f.Add(text, uint8(k), uint8(n))
				}
			}
		}
	}
	add([]byte(fill(f, threeReferences(), key(f, "p256"), crypto.SHA256, false)))
	add([]byte(fill(f, enveloped, key(f, "p256"), crypto.SHA256, false)))
	vectors, err := vector.Read(os.DirFS(".."), "testdata/xmlsec", "sha1", "signs", "not")
	if err != nil {
		f.Fatal(err)
	}
	for i := range vectors {
		add(vectors[i].Message())
	}
	if len(said) < 20 {
		f.Fatalf("only %d messages to begin with", len(said))
	}
	f.Fuzz(func(t *testing.T, text []byte, k, n uint8) {
		what, err := verifiedMeaning(text, int(n%4), public(t, names[int(k)%len(names)]), &policy)
		if err == nil && !said[what] {
			t.Fatalf("verifies, and was never signed: %s", what)
		}
	})
}

// FuzzParseKeyInfo reads any text. A KeyInfo in it selects in exactly one way or
// leaves nothing behind.
func FuzzParseKeyInfo(f *testing.F) {
	for _, content := range []string{
		directSTR, str(keyIdentifier(typeSKI, ` EncodingType="`+xmlsec.EncodingBase64+`"`, "AQI=")), str(keyIdentifier(typeThumbprint, ``, "AQI=")),
		str(keyIdentifier(xmlsec.ValueTypeAssertionID, ``, "assertion")), str(`<ds:X509Data>` + issuer + `</ds:X509Data>`), `<ds:X509Data>` + issuer + `</ds:X509Data>`,
		`<ds:X509Data>` + certText + `</ds:X509Data>`, rsaKeyValue(make([]byte, 256), []byte{1, 0, 1}), ecKeyValue(oid256, make([]byte, 65)),
		`<ds:KeyName>alice</ds:KeyName>`, `<ds:RetrievalMethod URI="#this"/>`, directSTR + directSTR,
	} {
		f.Add([]byte(inMessage(content)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err != nil {
			return
		}
		defer d.Release()
		var walk func(n xmltext.Node)
		walk = func(n xmltext.Node) {
			checkKeyInfo(t, n)
			for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
				walk(c)
			}
		}
		walk(d.Root())
	})
}

func checkKeyInfo(t *testing.T, n xmltext.Node) {
	t.Helper()
	k, err := xmlsec.ParseKeyInfo(n)
	has := [5]bool{!k.Token.IsZero(), k.Value != nil, k.Issuer != nil, k.Serial != nil, k.Key != nil}
	if err != nil {
		if reason(t, err) == 0 || k.Selector != 0 || has != [5]bool{} || k.ValueType != nil {
			t.Fatalf("a selection beside an error: %+v", k)
		}
		return
	}
	if !n.Is(xmlsec.NamespaceDS, "KeyInfo") || n.HasComment() {
		t.Fatal("a KeyInfo that is none")
	}
	children := 0
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		children++
	}
	want := map[xmlsec.Selector][5]bool{
		xmlsec.ByReference:    {true, false, false, false, false},
		xmlsec.BySKI:          {false, true, false, false, false},
		xmlsec.ByThumbprint:   {false, true, false, false, false},
		xmlsec.ByAssertionID:  {has[0], true, false, false, false},
		xmlsec.ByIssuerSerial: {false, false, true, true, false},
		xmlsec.ByCertificate:  {false, true, false, false, false},
		xmlsec.ByKeyValue:     {false, false, false, false, true},
	}
	if w, ok := want[k.Selector]; !ok || has != w || children != 1 {
		t.Fatalf("%d children, selection %+v", children, k)
	}
}

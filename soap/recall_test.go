package soap_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/xmlsec"
)

// recalling is a Recaller that knows one text.
type recalling struct {
	*keys
	knows string
	seen  []string
}

func (k *recalling) Recall(text []byte) bool {
	k.seen = append(k.seen, string(text))
	return string(text) == k.knows
}

// TestRecall: a certificate that is known by its base64 is not decoded, another one is, and nothing else of the
// message is judged otherwise.
func TestRecall(t *testing.T) {
	pki := testpki.Load()
	leaf := &pki.AliceEIDP256
	text := base64.StdEncoding.EncodeToString(leaf.DER)
	d := newDraft()
	message := d.sign(t)
	for name, knows := range map[string]string{"known": text, "unknown": "another"} {
		k := &recalling{keys: trust(leaf), knows: knows}
		if err := judge(t, message, config(), policy(), k, testpki.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(k.seen) != 1 || k.seen[0] != text || k.asked.Load() != 1 || k.token.Kind != soap.X509 || (k.token.Certificate == nil) != (knows == text) {
			t.Errorf("%s: %q, certificate of %d octets", name, k.seen, len(k.token.Certificate))
		}
	}
	stranger := &recalling{keys: trust(&pki.AliceEIDP384), knows: text}
	refused(t, judge(t, message, config(), policy(), stranger, testpki.Now()), soap.BadSignature, "")
	distrusted := &recalling{keys: &keys{err: errors.New("revoked")}, knows: text}
	refused(t, judge(t, message, config(), policy(), distrusted, testpki.Now()), soap.UntrustedToken, "")
}

// TestRecallNoPath: the text of a PKIPath is no certificate's, whatever it says.
func TestRecallNoPath(t *testing.T) {
	leaf := &testpki.Load().AliceEIDP256
	path, err := soap.AppendPKIPath(nil, leaf.DER)
	if err != nil {
		t.Fatal(err)
	}
	pathInfo := keyInfo(`<wsse:Reference URI="#X509" ValueType="` + xmlsec.ValueTypePKIPathv1 + `"/>`)
	for _, octets := range [][]byte{path, leaf.DER} {
		d := newDraft()
		d.token, d.keyInfo = binaryToken(xmlsec.ValueTypePKIPathv1, octets), pathInfo
		k := &recalling{keys: trust(leaf), knows: base64.StdEncoding.EncodeToString(octets)}
		err := judge(t, d.sign(t), config(), policy(), k, testpki.Now())
		if len(k.seen) != 0 {
			t.Errorf("asked whether it knows %q", k.seen)
		}
		if string(octets) == string(path) {
			if err != nil || string(k.token.Certificate) != string(leaf.DER) {
				t.Errorf("a path: %v", err)
			}
		} else {
			refused(t, err, soap.BadToken, "")
		}
	}
}

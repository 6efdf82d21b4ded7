package wsc_test

import (
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsc"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// Whatever an old client sends: no panic, and what is signed is what it sent.
func FuzzSecure(f *testing.F) {
	pki := testpki.Load()
	credentials := credentialsOf(f, wsc.ModeSession, &pki.AliceEIDP256, &pki.AliceEHealthP256)
	answer, _ := goldenAnswer(f, credentials)
	client := clientOf(f, fuzzID)
	token, err := client.Judge(answer, credentials, doctorRequest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(oldMessage))
	f.Add([]byte(`<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><a xmlns=""><!--c--><![CDATA[</Body>]]></a></Body></Envelope>`))
	f.Add([]byte(`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:x="u"><e:Header><b xmlns="v" x:Id="TS-1">]]&gt;</b></e:Header><e:Body xml:lang="nl"><x:a y="1"/></e:Body></e:Envelope>`))
	f.Add([]byte(`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><b xmlns="v" e:mustUnderstand=""/></e:Header><e:Body><a/></e:Body></e:Envelope>`))
	f.Fuzz(func(t *testing.T, message []byte) {
		secured, err := client.Secure("urn:x", token, message)
		if err != nil {
			if secured != nil || wsc.ReasonOf(err) != wsc.BadRequest {
				t.Fatal(err)
			}
			return
		}
		limits := xmltext.DefaultLimits()
		limits.Bytes, limits.Nodes = len(secured), len(secured)
		envelope, err := soap.Parse(secured, &soap.Config{Limits: limits})
		if soapError(err, soap.NotUnderstood) {
			return // a block of the client's that must be understood is not ours to drop
		}
		if err != nil {
			t.Fatalf("%v: %s", err, secured)
		}
		defer envelope.Release()
		policy := &soap.Policy{Signature: xmlsec.DefaultPolicy(), Timestamp: soap.DefaultTimestampPolicy(), Replay: soap.NewMemoryReplay(1), Tokens: []soap.TokenKind{soap.SAMLAssertion}}
		signed, err := envelope.Verify(policy, keyOfHolder{pki.AliceEHealthP256.Key.Public()}, testpki.Now())
		if err != nil {
			t.Fatalf("%v: %s", err, secured)
		}
		document, err := xmltext.Parse(message, limits)
		if err != nil {
			t.Fatal(err)
		}
		defer document.Release()
		body := document.Root().FirstElement()
		if !body.NextElement().IsZero() {
			body = body.NextElement()
		}
		sent, err := c14n.Append(nil, body.FirstElement(), c14n.Options{})
		if err != nil {
			t.Fatal(err)
		}
		arrived, err := c14n.Append(nil, signed.Body(), c14n.Options{})
		if err != nil || !bytes.Equal(sent, arrived) {
			t.Fatalf("%v: %s\narrived: %s", err, sent, arrived)
		}
	})
}

type keyOfHolder struct{ crypto.PublicKey }

func (k keyOfHolder) Key(*soap.Token) (crypto.PublicKey, error) { return k.PublicKey, nil }

func soapError(err error, reason soap.Reason) bool {
	e, ok := err.(*soap.Error)
	return ok && e.Reason == reason
}

// Whatever is in the place of a store: no panic, and an error that says what is wrong.
func FuzzStore(f *testing.F) {
	key := storeKey(f, oneKey)
	f.Add([]byte("sceau-wsc-store1"))
	f.Add(append([]byte("sceau-wsc-store1\x00"), make([]byte, 100)...))
	f.Add(append([]byte("sceau-wsc-store1\x02"), make([]byte, 100)...))
	path := filepath.Join(f.TempDir(), "session")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if store, err := wsc.OpenStore(path, key); store != nil || wsc.ReasonOf(err) != wsc.BadStore && wsc.ReasonOf(err) != wsc.BadStoreKey {
			t.Fatalf("%v", err)
		}
	})
}

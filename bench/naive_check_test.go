package bench

import (
	"bytes"
	"fmt"
	"testing"

	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// TestNaiveAnswers: what is compared is equal work. The answer of the naive service, with the validator and without,
// verifies here, and says the same as the handler's.
func TestNaiveAnswers(t *testing.T) {
	pki := testpki.Load()
	messages := &store{}
	for _, c := range cells() {
		t.Run(c.String(), func(t *testing.T) {
			message := messages.sealed(t, c.eid, 1)[0]
			signer := c.sts.sts(pki)
			naive, err := newNaiveService(pki, signer, naiveValues())
			fatal(t, err)
			ours, err := answer(handler(t, signer, written, nil), message, nil)
			fatal(t, err)
			want := verified(t, ours, signer)
			for name, path := range map[string]func([]byte) ([]byte, error){"naive": naive.answer, "validated": naive.answerValidated} {
				theirs, err := path(message)
				fatal(t, err)
				if got := verified(t, theirs, signer); got != want {
					t.Errorf("the answers differ: %s\n%s\n%s", name, got, want)
				}
			}
		})
	}
}

// verified verifies the signature of the assertion in an answer and tells what it says:
// window, attributes and whose key.
func verified(t *testing.T, text []byte, signer *testpki.Leaf) string {
	t.Helper()
	d := parse(t, text)
	n := find(t, d.Root(), saml.NamespaceAssertion, "Assertion")
	var a saml.Assertion
	fatal(t, saml.ParseAssertion(n, &a))
	signature, err := xmlsec.ParseSignature(a.Signature)
	fatal(t, err)
	policy := xmlsec.DefaultPolicy()
	v, err := signature.Verify(signer.Key.Public(), &policy)
	fatal(t, err)
	if !v.Signs(n) {
		t.Fatal("the signature signs something else")
	}
	if info, err := xmlsec.ParseKeyInfo(signature.KeyInfo()); err != nil || info.Selector != xmlsec.ByCertificate {
		t.Fatal("KeyInfo", err)
	}
	var said bytes.Buffer
	fmt.Fprintln(&said, a.Conditions.NotBefore.UTC(), a.Conditions.NotOnOrAfter.UTC(), string(a.Issuer))
	for _, attribute := range a.Attributes() {
		fmt.Fprintf(&said, "%s %s %q\n", attribute.Namespace, attribute.Name, attribute.Values)
	}
	holder, err := xmlsec.ParseKeyInfo(a.AuthenticationSubject.Confirmation.KeyInfo)
	fatal(t, err)
	fmt.Fprintf(&said, "%s", holder.Value)
	return said.String()
}

// TestNaiveRefuses: one flipped bit anywhere in what is signed, and the naive service, the
// handler beside it, answers no more.
func TestNaiveRefuses(t *testing.T) {
	pki := testpki.Load()
	message := (&store{}).sealed(t, p256, 1)[0]
	naive, err := newNaiveService(pki, &pki.STSP256, naiveValues())
	fatal(t, err)
	service := handler(t, &pki.STSP256, written, nil)
	d := parse(t, message)
	security := find(t, d.Root(), xmlsec.NamespaceWSSE, "Security")
	parts := []xmltext.Node{
		find(t, security, xmlsec.NamespaceWSU, "Timestamp"),
		find(t, security, xmlsec.NamespaceWSSE, "BinarySecurityToken"),
		find(t, security, xmlsec.NamespaceDS, "SignedInfo"),
		find(t, d.Root(), saml.NamespaceProtocol, "Request"),
	}
	tried := 0
	for _, part := range parts {
		source := part.Source()
		start := bytes.Index(message, source)
		for at := start; at < start+len(source); at += 97 {
			changed := bytes.Clone(message)
			changed[at] ^= 1 << (at % 7)
			if out, err := naive.answer(changed); err == nil {
				t.Errorf("naive answers with bit %d of %q changed: %s", at%7, message[at-10:at+10], out)
			}
			if _, err := answer(service, changed, nil); err == nil {
				t.Errorf("the handler answers with octet %d changed", at)
			}
			tried++
		}
	}
	fatal(t, onlyError(naive.answer(message)))
	fatal(t, onlyError(answer(service, message, nil)))
	t.Log(tried, "changed messages")
}

func onlyError(_ []byte, err error) error { return err }

package task

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sceau/certs"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// A wanted answer, as the request and the authentic source have it.
type wanted struct {
	request saml.Request
	window  saml.Conditions
	values  map[string]string // by attribute name
	sts     *x509.Certificate
}

// Judge says whether an answer is the one that a task asks for: a SAML 1.1 Response to the
// request, with Success and one assertion, signed by the certificate of the STS, with the window, the holder
// and the attributes that the request asks for and the values that the authentic source
// has. The error says what is wrong, with the answer or with the folder of the task.
func Judge(dir string, answer []byte) error {
	w, err := newWanted(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return w.check(answer)
}

// newWanted reads what a folder asks for.
func newWanted(dir string) (*wanted, error) {
	text, err := os.ReadFile(filepath.Join(dir, "request.xml"))
	if err != nil {
		return nil, err
	}
	document, err := xmltext.Parse(text, xmltext.DefaultLimits())
	if err != nil {
		return nil, err
	}
	w := &wanted{values: map[string]string{}}
	header := document.Root().FirstElement()
	if err := saml.ParseRequest(header.NextElement().FirstElement(), &w.request); err != nil {
		return nil, err
	}
	var claims saml.Assertion
	if err := saml.ParseAssertion(w.request.Subject.Confirmation.Data.FirstElement(), &claims); err != nil {
		return nil, err
	}
	w.window = claims.Conditions
	for _, a := range claims.Attributes() {
		w.values[string(a.Name)] = string(bytes.Join(a.Values, []byte(",")))
	}
	facts, err := os.ReadFile(filepath.Join(dir, "facts.tsv"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(facts)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		w.values[name] = value
	}
	ders, err := certs.ReadCertificates(filepath.Join(dir, "sts.pem"))
	if err != nil {
		return nil, err
	}
	w.sts, err = x509.ParseCertificate(ders[0])
	return w, err
}

// check reads an answer and compares it.
func (w *wanted) check(answer []byte) error {
	document, err := xmltext.Parse(answer, xmltext.DefaultLimits())
	if err != nil {
		return err
	}
	var response saml.Response
	if err := saml.ParseResponse(document.Root().FirstElement().FirstElement(), &response); err != nil {
		return err
	}
	var a saml.Assertion
	if !response.Success || response.Assertion.IsZero() {
		return errors.New("no success")
	}
	if err := saml.ParseAssertion(response.Assertion, &a); err != nil {
		return err
	}
	signature, err := xmlsec.ParseSignature(a.Signature)
	if err != nil {
		return err
	}
	policy := xmlsec.DefaultPolicy()
	verified, err := signature.Verify(w.sts.PublicKey, &policy)
	if err != nil {
		return err
	}
	if !verified.Signs(response.Assertion) {
		return errors.New("the signature is not over the assertion")
	}
	if !bytes.Equal(response.InResponseTo, w.request.RequestID) {
		return fmt.Errorf("InResponseTo %q", response.InResponseTo)
	}
	return errors.Join(w.checkHolder(&a), w.checkWindow(&a), w.checkAttributes(&a))
}

// checkHolder compares whom the assertion is bound to.
func (w *wanted) checkHolder(a *saml.Assertion) error {
	asked, got := w.request.Subject.Confirmation, a.AuthenticationSubject.Confirmation
	if string(got.Method) != saml.HolderOfKey {
		return fmt.Errorf("ConfirmationMethod %q", got.Method)
	}
	want, err := holder(asked.KeyInfo)
	if err != nil {
		return err
	}
	have, err := holder(got.KeyInfo)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return errors.New("another holder-of-key certificate")
	}
	return nil
}

// holder reads the certificate of a KeyInfo.
func holder(n xmltext.Node) ([]byte, error) {
	info, err := xmlsec.ParseKeyInfo(n)
	if err != nil {
		return nil, err
	}
	return xmlsec.AppendBase64(nil, info.Value)
}

// checkWindow compares the validity: from five minutes before what was asked for.
func (w *wanted) checkWindow(a *saml.Assertion) error {
	if !a.Conditions.NotBefore.Equal(w.window.NotBefore.Add(-5*time.Minute)) || !a.Conditions.NotOnOrAfter.Equal(w.window.NotOnOrAfter) {
		return fmt.Errorf("valid from %v until %v", a.Conditions.NotBefore, a.Conditions.NotOnOrAfter)
	}
	return nil
}

// checkAttributes compares names and values, in the order asked.
func (w *wanted) checkAttributes(a *saml.Assertion) error {
	asked, got := w.request.Designators(), a.Attributes()
	if len(got) != len(asked) {
		return fmt.Errorf("%d attributes, want %d", len(got), len(asked))
	}
	for i, d := range asked {
		if !bytes.Equal(got[i].Name, d.Name) || !bytes.Equal(got[i].Namespace, d.Namespace) {
			return fmt.Errorf("attribute %d is %s, want %s", i, got[i].Name, d.Name)
		}
		if len(got[i].Values) != 1 || string(got[i].Values[0]) != w.values[string(d.Name)] {
			return fmt.Errorf("attribute %s: another value", d.Name)
		}
	}
	return nil
}

package wsc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// answer judges what came back to a query and makes a token of it (step 4).
func (c *Client) answer(x *exchange, q *query) (*Token, error) {
	document, err := c.parse(x)
	if err != nil {
		return nil, err
	}
	defer document.Release()
	content, err := x.content(document)
	if err != nil {
		return nil, err
	}
	return c.judge(document, content, q, x.correlation, c.believe)
}

// judge judges the content of an answer, the assertion in it with believe. A nil query is
// nobody's: then nothing is said of whom the answer is for.
func (c *Client) judge(document *xmltext.Document, content xmltext.Node, q *query, correlation string, believe func([]byte, *query) (*Token, error)) (*Token, error) {
	if several(document.Root()) {
		return nil, refuse(SeveralAssertions, "")
	}
	var response saml.Response
	if err := saml.ParseResponse(content, &response); err != nil {
		return nil, refuseFor(NotResponse, err)
	}
	if q != nil {
		if err := q.fits(&response); err != nil {
			return nil, err
		}
	}
	if !response.Success {
		return nil, statusError(&response, correlation)
	}
	if response.Assertion.IsZero() {
		return nil, refuse(NoAssertion, "")
	}
	// From here on the answer is forgotten but for what it says it left out: the
	// assertion is judged as the document of its own that it will be.
	token, err := believe(response.Assertion.Source(), q)
	if err != nil {
		return nil, err
	}
	token.leftOut = leftOut(response.Detail)
	if q != nil {
		if err := q.answered(token); err != nil {
			return nil, err
		}
	}
	return token, nil
}

// several reports more than one Assertion anywhere in the answer. Only the child of
// Response would be read, but whoever gets the token from a more naive reader might
// get another (attacks.md W15, W16).
func several(root xmltext.Node) bool {
	count := 0
	for n := root; !n.IsZero(); n = following(n) {
		if string(n.Local()) == "Assertion" {
			count++
		}
	}
	return count > 1
}

// fits says whether the response answers our request (SAML 1.1 core 3.4.1). An error
// may lack InResponseTo, where the STS could not find the RequestID.
func (q *query) fits(r *saml.Response) error {
	if string(r.InResponseTo) != q.RequestID && (r.Success || len(r.InResponseTo) > 0) {
		return refuse(WrongInResponseTo, "")
	}
	if len(r.Recipient) > 0 && string(r.Recipient) != q.Issuer {
		return refuse(WrongRecipient, "")
	}
	return nil
}

func statusError(r *saml.Response, correlation string) error {
	e := &StatusError{Code: Printable(r.Code), SubCode: Printable(r.SubCode), Message: Printable(r.Message), CorrelationID: correlation}
	for n := r.Detail.FirstElement(); !n.IsZero(); n = n.NextElement() {
		if id, ok := n.Attribute("", "Id"); ok && n.Is(saml.NamespaceDetail, "Audit") {
			e.AuditID = Printable(id)
		}
	}
	return e
}

func leftOut(detail xmltext.Node) []attrs.Designator {
	var all []attrs.Designator
	for n := detail.FirstElement(); !n.IsZero(); n = n.NextElement() {
		if n.Is(saml.NamespaceDetail, "LeftOut") {
			name, _ := n.Attribute("", "AttributeName")
			namespace, _ := n.Attribute("", "AttributeNamespace")
			all = append(all, attrs.Designator{Name: string(name), Namespace: string(namespace)})
		}
	}
	return all
}

// believe judges the bytes of an assertion that answers a query.
func (c *Client) believe(source []byte, q *query) (*Token, error) {
	token, subjects, err := c.open(source, q.holder)
	if err != nil {
		return nil, err
	}
	if q.credentials != nil {
		token.holder = q.credentials.holder
	}
	for _, name := range subjects {
		if !q.identity.SubjectIs(name.value) || !q.identity.IssuerIs(name.qualifier) {
			return nil, refuse(WrongSubject, "NameIdentifier")
		}
	}
	for _, a := range q.identification {
		if values := token.Values(a.Designator); values != nil && !slices.Equal(values, a.Values) {
			return nil, refuse(WrongSubject, "value of "+a.Name)
		}
	}
	return token, nil
}

// open judges the bytes of an assertion for themselves: signature, issuer, window,
// form and holder; nil is anybody's.
func (c *Client) open(source []byte, holder *certs.Certificate) (*Token, []name, error) {
	if c.config.Trust == nil {
		return nil, nil, refuse(NoTrust, "")
	}
	r, err := readAssertion(source, c.limits)
	if err != nil {
		return nil, nil, err
	}
	defer r.document.Release()
	now := c.config.Now()
	signer, err := c.signedBy(r, now)
	if err != nil {
		return nil, nil, err
	}
	if string(r.Issuer) != c.config.Issuer { // exact (attacks.md H5)
		return nil, nil, refuse(WrongIssuer, fmt.Sprintf("%q", Printable(r.Issuer)))
	}
	if err := holds(&r.Conditions, now, c.config.Skew); err != nil {
		return nil, nil, err
	}
	token, err := r.token(holder)
	if err != nil {
		return nil, nil, err
	}
	token.signer = signer
	return token, r.subjects(), nil
}

// signedBy proves who signed the assertion that is the root of its document: a
// signature that is its direct child, with one enveloped reference, to it.
func (c *Client) signedBy(r *reading, now time.Time) (certs.Identity, error) {
	if r.Node.HasComment() {
		return certs.Identity{}, refuse(HasComment, "")
	}
	if r.Signature.IsZero() { // attacks.md W21
		return certs.Identity{}, refuse(NotSigned, "")
	}
	signature, err := xmlsec.ParseSignature(r.Signature)
	if err != nil {
		return certs.Identity{}, refuseFor(BadSignature, err)
	}
	// The place of the signature must not matter, only what it refers to (W17); and
	// it must refer to nothing else, which a reader might take for it (W19).
	if target, enveloped := signature.Refers(0); signature.References() != 1 || target != r.Node || !enveloped {
		return certs.Identity{}, refuse(BadSignature, "it does not sign the assertion")
	}
	signer, err := c.identify(&signature, now)
	if err != nil {
		return certs.Identity{}, err
	}
	verified, err := signature.Verify(signer.PublicKey(), &c.config.Signature)
	if err != nil {
		return certs.Identity{}, refuseFor(BadSignature, err)
	}
	if !verified.Signs(r.Node) {
		return certs.Identity{}, refuse(BadSignature, "it does not sign the assertion")
	}
	return signer, nil
}

// identify finds the certificate that the KeyInfo selects and asks whether it is
// that of an STS. KeyInfo proves nothing (attacks.md A6).
func (c *Client) identify(signature *xmlsec.Signature, now time.Time) (certs.Identity, error) {
	der, err := certificateIn(signature.KeyInfo())
	if err != nil {
		return certs.Identity{}, refuseFor(UntrustedSigner, err)
	}
	certificate, err := c.config.Trust.Parse(der)
	if err != nil {
		return certs.Identity{}, refuseFor(UntrustedSigner, err)
	}
	signer, err := c.config.Trust.Identify(certs.RoleSTS, certificate, nil, now)
	if err != nil {
		return certs.Identity{}, refuseFor(UntrustedSigner, err)
	}
	return signer, nil
}

var errNoCertificate = errors.New("KeyInfo without X509Certificate")

// certificateIn decodes the one certificate of a ds:KeyInfo.
func certificateIn(keyInfo xmltext.Node) ([]byte, error) {
	info, err := xmlsec.ParseKeyInfo(keyInfo)
	if err != nil {
		return nil, err
	}
	if info.Selector != xmlsec.ByCertificate {
		return nil, errNoCertificate
	}
	return xmlsec.AppendBase64(nil, info.Value)
}

// holds checks Conditions (core 2.3.2.1): a token without a window is refused, as one
// that never ends would be.
func holds(c *saml.Conditions, now time.Time, skew time.Duration) error {
	switch {
	case c.NotBefore.IsZero() || c.NotOnOrAfter.IsZero() || !c.NotBefore.Before(c.NotOnOrAfter):
		return refuse(NotValidNow, "no window")
	case now.Add(skew).Before(c.NotBefore):
		return refuse(NotValidNow, "from "+c.NotBefore.UTC().Format(time.RFC3339))
	case !now.Add(-skew).Before(c.NotOnOrAfter):
		return refuse(NotValidNow, "until "+c.NotOnOrAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// answered says whether the token answers everything that was asked, except what the
// STS says it left out.
func (q *query) answered(t *Token) error {
	for _, d := range q.designators {
		if t.Values(d) == nil && !slices.Contains(t.leftOut, d) {
			return refuse(MissingAttribute, d.Name)
		}
	}
	return nil
}

// confirmed checks a subject's confirmation: holder-of-key, by our certificate, and
// nothing else (attacks.md H1, H2). A nil holder is anybody.
func confirmed(s *saml.SubjectConfirmation, holder *certs.Certificate) error {
	if s.Methods != 1 || string(s.Method) != saml.HolderOfKey || !s.Data.IsZero() || s.KeyInfo.IsZero() {
		return refuse(WrongConfirmation, "")
	}
	der, err := certificateIn(s.KeyInfo)
	if err != nil {
		return refuseFor(WrongConfirmation, err)
	}
	if holder != nil && !bytes.Equal(der, holder.Raw()) {
		return refuse(WrongHolder, "")
	}
	return nil
}

package soap

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"sceau/internal/xsdtime"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// An Outgoing is a message to be written and signed: with a certificate (an STS is
// asked) or with an assertion (a provider is called).
type Outgoing struct {
	// Content is the body element, with all the namespace declarations it needs.
	Content []byte
	// Created and Expires of the Timestamp.
	Created, Expires time.Time
	// Certificate is the DER of the certificate that goes along as
	// BinarySecurityToken and whose key signs; exclusive with Assertion.
	Certificate []byte
	// Assertion is the SAML 1.1 assertion as the STS wrote it, byte for byte; its
	// holder-of-key key signs. AssertionID is its identifier, to which the signer
	// refers.
	Assertion   []byte
	AssertionID string
	// BodyID is the identifier of the Body, an NCName; empty makes one of random bits.
	// Two messages with one content at one moment have different signatures by it, and
	// are not taken for a replay.
	BodyID string
}

// Identifiers in our messages, besides that of the Body. They are unique in the message;
// that they are the same in every message does no harm.
const (
	idTimestamp = "TS-1"
	idToken     = "X509-1"
)

var (
	// errOutgoing: an Outgoing with neither or both of Certificate and Assertion.
	errOutgoing = errors.New("soap: an outgoing message has a certificate or an assertion")
	// errPlace: a Content that closes its Body, or an Assertion that is not the one
	// element of that name and identifier.
	errPlace = errors.New("soap: content or assertion of an outgoing message reaches out of its place")
	// errAssertionID: a reference that could be no identifier.
	errAssertionID = errors.New("soap: the AssertionID is no identifier")
)

// NewMessageSigner returns the Signer for outgoing messages: its KeyInfo refers to
// the certificate in the message, or to the assertion when assertionID is given
// (SAML Token Profile 1.0 section 3.3).
func NewMessageSigner(config xmlsec.SignerConfig, assertionID string) (*xmlsec.Signer, error) {
	config.KeyInfo = `<ds:KeyInfo><wsse:SecurityTokenReference xmlns:wsse="` + xmlsec.NamespaceWSSE + `">`
	if assertionID != "" && !xmltext.IsNCName([]byte(assertionID)) {
		return nil, errAssertionID
	}
	if assertionID == "" {
		config.KeyInfo += `<wsse:Reference URI="#` + idToken + `" ValueType="` + xmlsec.ValueTypeX509v3 + `"></wsse:Reference>`
	} else {
		config.KeyInfo += `<wsse:KeyIdentifier ValueType="` + xmlsec.ValueTypeAssertionID + `">` +
			string(c14n.AppendText(nil, assertionID)) + `</wsse:KeyIdentifier>`
	}
	config.KeyInfo += `</wsse:SecurityTokenReference></ds:KeyInfo>`
	return xmlsec.NewSigner(config)
}

// Append appends the signed message to dst: Timestamp, token, signature over Body,
// Timestamp and, when it is a certificate, the token. On error the result is nil.
func (o *Outgoing) Append(dst []byte, signer *xmlsec.Signer) ([]byte, error) {
	if (len(o.Certificate) == 0) == (len(o.Assertion) == 0) {
		return nil, errOutgoing
	}
	idBody := o.BodyID
	if idBody == "" {
		idBody = "id-" + rand.Text()
	}
	start := len(dst)
	dst = append(dst, `<soapenv:Envelope xmlns:soapenv="`+NamespaceEnvelope+`"><soapenv:Header><wsse:Security xmlns:wsse="`+
		xmlsec.NamespaceWSSE+`" xmlns:wsu="`+xmlsec.NamespaceWSU+`" soapenv:mustUnderstand="1"><wsu:Timestamp wsu:Id="`+idTimestamp+`"><wsu:Created>`...)
	dst = xsdtime.Append(dst, o.Created)
	dst = append(dst, `</wsu:Created><wsu:Expires>`...)
	dst = xsdtime.Append(dst, o.Expires)
	dst = append(dst, `</wsu:Expires></wsu:Timestamp>`...)
	if len(o.Certificate) > 0 {
		dst = append(dst, `<wsse:BinarySecurityToken EncodingType="`+xmlsec.EncodingBase64+`" ValueType="`+xmlsec.ValueTypeX509v3+`" wsu:Id="`+idToken+`">`...)
		dst = base64.StdEncoding.AppendEncode(dst, o.Certificate)
		dst = append(dst, `</wsse:BinarySecurityToken>`...)
	} else {
		dst = append(dst, o.Assertion...)
	}
	place := len(dst)
	dst = append(dst, `</wsse:Security></soapenv:Header><soapenv:Body xmlns:wsu="`+xmlsec.NamespaceWSU+`" wsu:Id="`...)
	dst = c14n.AppendValue(dst, idBody)
	dst = append(dst, `">`...)
	dst = append(dst, o.Content...)
	dst = append(dst, envelopeClose...)

	limits := xmltext.DefaultLimits()
	limits.Bytes, limits.Nodes = len(dst)-start, len(dst)
	document, err := xmltext.Parse(dst[start:], limits)
	if err != nil {
		return nil, err
	}
	defer document.Release()
	if !o.inPlace(document, idBody) {
		return nil, errPlace
	}
	ids := []string{idBody, idTimestamp, idToken}
	if len(o.Certificate) == 0 {
		ids = ids[:2]
	}
	parts := make([]xmlsec.Part, len(ids))
	for i, id := range ids {
		// The identifiers were written above; the content cannot bear them too, or
		// the text would not have been well-formed.
		n, _ := document.ElementByID([]byte(id))
		canonical, err := c14n.Append(nil, n, c14n.Options{})
		if err != nil {
			return nil, err
		}
		parts[i] = xmlsec.Part{ID: id, Canonical: canonical}
	}
	rest := append([]byte(nil), dst[place:]...)
	out, err := signer.Append(dst[:place:place], parts...)
	if err != nil {
		return nil, err
	}
	return append(out, rest...), nil
}

// inPlace reports whether what the caller gave stands where Append put it and
// nowhere else: markup that closes its parent would sign another message than the
// caller means (attacks.md H4).
func (o *Outgoing) inPlace(document *xmltext.Document, idBody string) bool {
	header := document.Root().FirstElement()
	body := header.NextElement()
	named, _ := document.ElementByID([]byte(idBody))
	if !header.NextElement().NextElement().IsZero() || body != named || !header.Is(NamespaceEnvelope, "Header") {
		return false
	}
	security := header.FirstElement()
	timestamp := security.FirstElement()
	token := timestamp.NextElement()
	if !security.NextElement().IsZero() || !security.OnlyElements() || !token.NextElement().IsZero() {
		return false
	}
	if len(o.Certificate) > 0 {
		return true
	}
	id, _ := token.Attribute("", "AssertionID")
	return token.Is(namespaceSAML1, "Assertion") && len(id) > 0 && string(id) == o.AssertionID
}

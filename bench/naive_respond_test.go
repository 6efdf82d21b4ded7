package bench

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

const xmlTime = "2006-01-02T15:04:05.000Z"

// respond reads the query and writes and signs the answer.
func (s *naiveService) respond(request, query, subject, confirmation *etree.Element, identity, holder *x509.Certificate) ([]byte, error) {
	self := child(child(confirmation, "SubjectConfirmationData"), "Assertion")
	conditions := child(self, "Conditions")
	notBefore, err := time.Parse(time.RFC3339, conditions.NotNil().SelectAttrValue("NotBefore", ""))
	if err != nil {
		return nil, err
	}
	notOnOrAfter, err := time.Parse(time.RFC3339, conditions.SelectAttrValue("NotOnOrAfter", ""))
	if err != nil {
		return nil, err
	}
	if !notOnOrAfter.After(s.now()) {
		return nil, errNaive
	}
	values := map[string]string{}
	for _, attribute := range child(self, "AttributeStatement").NotNil().ChildElements() {
		if attribute.Tag == "Attribute" {
			values[attribute.SelectAttrValue("AttributeName", "")] = child(attribute, "AttributeValue").NotNil().Text()
		}
	}
	if values["urn:be:fgov:person:ssin"] != identity.Subject.SerialNumber {
		return nil, errNaive
	}

	assertion := etree.NewElement("Assertion")
	now := s.now().UTC().Format(xmlTime)
	assertion.CreateAttr("xmlns", "urn:oasis:names:tc:SAML:1.0:assertion")
	assertion.CreateAttr("AssertionID", newID())
	assertion.CreateAttr("IssueInstant", now)
	assertion.CreateAttr("Issuer", "urn:be:fgov:ehealth:sts:1_0")
	assertion.CreateAttr("MajorVersion", "1")
	assertion.CreateAttr("MinorVersion", "1")
	window := assertion.CreateElement("Conditions")
	window.CreateAttr("NotBefore", notBefore.UTC().Add(-5*time.Minute).Format(xmlTime))
	window.CreateAttr("NotOnOrAfter", notOnOrAfter.UTC().Format(xmlTime))
	name := child(subject, "NameIdentifier").NotNil()
	writeSubject := func(parent *etree.Element) *etree.Element {
		e := parent.CreateElement("Subject")
		n := e.CreateElement("NameIdentifier")
		n.CreateAttr("Format", "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName")
		n.CreateAttr("NameQualifier", name.SelectAttrValue("NameQualifier", ""))
		n.SetText(name.Text())
		return e
	}
	authentication := assertion.CreateElement("AuthenticationStatement")
	authentication.CreateAttr("AuthenticationInstant", now)
	authentication.CreateAttr("AuthenticationMethod", "urn:oasis:names:tc:SAML:1.0:am:X509-PKI")
	confirmed := writeSubject(authentication).CreateElement("SubjectConfirmation")
	confirmed.CreateElement("ConfirmationMethod").SetText("urn:oasis:names:tc:SAML:1.0:cm:holder-of-key")
	info := confirmed.CreateElement("ds:KeyInfo")
	info.CreateAttr("xmlns:ds", dsig.Namespace)
	info.CreateElement("ds:X509Data").CreateElement("ds:X509Certificate").SetText(base64.StdEncoding.EncodeToString(holder.Raw))
	statement := assertion.CreateElement("AttributeStatement")
	writeSubject(statement)
	for _, designator := range query.ChildElements() {
		if designator.Tag != "AttributeDesignator" {
			continue
		}
		asked := designator.SelectAttrValue("AttributeName", "")
		value, ok := values[asked]
		if !ok {
			if value, ok = s.values[asked]; !ok {
				return nil, errNaive
			}
		}
		attribute := statement.CreateElement("Attribute")
		attribute.CreateAttr("AttributeName", asked)
		attribute.CreateAttr("AttributeNamespace", designator.SelectAttrValue("AttributeNamespace", ""))
		attribute.CreateElement("AttributeValue").SetText(value)
	}
	signed, err := s.signing.SignEnveloped(assertion)
	if err != nil {
		return nil, err
	}

	document := etree.NewDocument()
	envelope := document.CreateElement("soapenv:Envelope")
	envelope.CreateAttr("xmlns:soapenv", "http://schemas.xmlsoap.org/soap/envelope/")
	response := envelope.CreateElement("soapenv:Body").CreateElement("samlp:Response")
	response.CreateAttr("xmlns:samlp", "urn:oasis:names:tc:SAML:1.0:protocol")
	response.CreateAttr("InResponseTo", request.SelectAttrValue("RequestID", ""))
	response.CreateAttr("IssueInstant", now)
	response.CreateAttr("MajorVersion", "1")
	response.CreateAttr("MinorVersion", "1")
	response.CreateAttr("ResponseID", newID())
	response.CreateElement("samlp:Status").CreateElement("samlp:StatusCode").CreateAttr("Value", "samlp:Success")
	response.AddChild(signed)
	return document.WriteToBytes()
}

func newID() string {
	var random [16]byte
	rand.Read(random[:])
	return "_" + hex.EncodeToString(random[:])
}

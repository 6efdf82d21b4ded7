package attack

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"time"

	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// Seal puts content, any number of elements, into the Body of a message and signs it
// with a header in order: what an attacker does who has a good certificate of his
// own and a request or assertion that another signed. Content that our parser refuses
// (two elements with one identifier, W13) is an error: no message of ours can hold it.
func Seal(content, certificate []byte, key crypto.Signer, created time.Time) ([]byte, error) {
	const layout = "2006-01-02T15:04:05.000Z"
	const place = "<!--signature-->"
	template := `<soapenv:Envelope xmlns:soapenv="` + nsEnvelope + `"><soapenv:Header><wsse:Security xmlns:wsse="` + nsWSSE +
		`" xmlns:wsu="` + nsWSU + `" soapenv:mustUnderstand="1"><wsu:Timestamp wsu:Id="TS-seal"><wsu:Created>` + created.UTC().Format(layout) +
		`</wsu:Created><wsu:Expires>` + created.Add(time.Minute).UTC().Format(layout) + `</wsu:Expires></wsu:Timestamp>` +
		`<wsse:BinarySecurityToken EncodingType="` + xmlsec.EncodingBase64 + `" ValueType="` + xmlsec.ValueTypeX509v3 + `" wsu:Id="X509-seal">` +
		base64.StdEncoding.EncodeToString(certificate) + `</wsse:BinarySecurityToken>` + place + `</wsse:Security></soapenv:Header>` +
		`<soapenv:Body xmlns:wsu="` + nsWSU + `" wsu:Id="id-seal">`
	message := append(append([]byte(template), content...), `</soapenv:Body></soapenv:Envelope>`...)
	limits := xmltext.DefaultLimits()
	limits.Bytes, limits.Depth = len(message), 1000
	d, err := xmltext.Parse(message, limits)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	var parts []xmlsec.Part
	for _, id := range []string{"id-seal", "TS-seal", "X509-seal"} {
		n, _ := d.ElementByID([]byte(id))
		canonical, err := c14n.Append(nil, n, c14n.Options{})
		if err != nil {
			return nil, err
		}
		parts = append(parts, xmlsec.Part{ID: id, Canonical: canonical})
	}
	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: key, KeyInfo: `<ds:KeyInfo><wsse:SecurityTokenReference xmlns:wsse="` + nsWSSE +
		`"><wsse:Reference URI="#X509-seal" ValueType="` + xmlsec.ValueTypeX509v3 + `"></wsse:Reference></wsse:SecurityTokenReference></ds:KeyInfo>`})
	if err != nil {
		return nil, err
	}
	signature, err := signer.Append(nil, parts...)
	if err != nil {
		return nil, err
	}
	return bytes.Replace(message, []byte(place), signature, 1), nil
}

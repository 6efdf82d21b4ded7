package task

import (
	"bytes"
	"fmt"
	"regexp"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
)

// A message says how one message differs from the one that is answered.
type message struct {
	eid, holder leaf
	created     time.Time
	// inner changes the samlp:Request after it was signed and before the message is, so that only the
	// inner signature can tell; whole changes the finished message.
	inner, whole func([]byte) ([]byte, error)
}

// messages writes request.xml and what must be refused. A peer that refuses body and
// timestamp digests the parts that the header signs; one that refuses request verifies the
// inner signature besides, since the header's is right; the strangers show that chains are
// verified, stale that the Timestamp is read. The bits that are flipped change nothing else
// that anybody checks: the AssertionID of the self-issued assertion, a millisecond of the Timestamp.
func (p *pki) messages(now time.Time) (map[string][]byte, error) {
	right := message{eid: p.eid, holder: p.holder, created: now}
	change := func(with func(*message)) message {
		m := right
		with(&m)
		return m
	}
	files := map[string][]byte{}
	for name, m := range map[string]message{
		"request.xml":                right,
		"refuse/body.xml":            change(func(m *message) { m.whole = flip(`AssertionID="bench`) }),
		"refuse/timestamp.xml":       change(func(m *message) { m.whole = flip(now.UTC().Format("2006-01-02T15:04:05.000")) }),
		"refuse/request.xml":         change(func(m *message) { m.inner = flip(`AssertionID="bench`) }),
		"refuse/eid-stranger.xml":    change(func(m *message) { m.eid = p.strangeEID }),
		"refuse/holder-stranger.xml": change(func(m *message) { m.holder = p.strangeHolder }),
		"refuse/stale.xml":           change(func(m *message) { m.created = now.Add(-time.Hour) }),
	} {
		text, err := m.write(now)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = text
	}
	return files, nil
}

// flip changes the lowest bit of the last octet of the first mark in a text.
func flip(mark string) func([]byte) ([]byte, error) {
	return func(text []byte) ([]byte, error) {
		at := bytes.Index(text, []byte(mark))
		if at < 0 {
			return nil, fmt.Errorf("no %q to change a bit of", mark)
		}
		changed := bytes.Clone(text)
		changed[at+len(mark)-1] ^= 1
		return changed, nil
	}
}

// write signs the message.
func (m *message) write(now time.Time) ([]byte, error) {
	inner, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: m.holder.key, KeyInfo: xmlsec.CertificateKeyInfo(m.holder.der)})
	if err != nil {
		return nil, err
	}
	query, err := m.query(now)
	if err != nil {
		return nil, err
	}
	request, err := saml.AppendQuery(nil, query, inner)
	if err != nil {
		return nil, err
	}
	if m.inner != nil {
		if request, err = m.inner(request); err != nil {
			return nil, err
		}
	}
	outer, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: m.eid.key}, "")
	if err != nil {
		return nil, err
	}
	out := soap.Outgoing{Content: request, Created: m.created, Expires: m.created.Add(time.Minute), Certificate: m.eid.der}
	text, err := out.Append(nil, outer)
	if err != nil {
		return nil, err
	}
	text = emptyElement.ReplaceAll(text, []byte("<$1/>"))
	if m.whole == nil {
		return text, nil
	}
	return m.whole(text)
}

// emptyElement is an element without content in canonical form. The clients of the wire write
// such elements as one tag: to write the message as they do changes no signature, and keeps
// it from being canonical already, which would be an advantage for whoever looks for that.
var emptyElement = regexp.MustCompile(`<([^<>/][^<>]*)></[^<>]+>`)

// query asks for two identification attributes and two certified ones.
func (m *message) query(now time.Time) (*saml.Query, error) {
	certificate, err := certs.ParseCertificate(m.eid.der)
	if err != nil {
		return nil, err
	}
	subject := saml.Name{Subject: certificate.Subject().JavaRFC1779(), Issuer: certificate.Issuer().JavaRFC1779()}
	q := &saml.Query{
		RequestID: "request-bench", AssertionID: "bench-assertion", IssueInstant: now,
		Issuer: subject.Subject, Subject: subject, NotBefore: now, NotOnOrAfter: now.Add(8 * time.Hour), Holder: m.holder.der,
		Identification: []saml.Statement{
			{Name: attrs.CertificateHolderSSIN, Namespace: attrs.NamespaceIdentification, Values: []string{ssin}},
			{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification, Values: []string{ssin}},
		},
	}
	q.Designators = append(q.Designators, q.Identification...)
	for _, name := range []string{doctorBoolean, doctorNIHII} {
		q.Designators = append(q.Designators, saml.Statement{Name: name, Namespace: attrs.NamespaceCertified})
	}
	return q, nil
}

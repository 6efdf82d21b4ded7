package bench

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	validator "github.com/mattermost/xml-roundtrip-validator"

	"sceau/audit"
	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
	"sceau/sts/ststest"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// A stage is a step of the road on its own. Where a step holds a public-key operation
// that cannot be left out, less is that operation alone, and its time is subtracted.
type stage struct {
	name string
	work func() error
	less func() error
}

// BenchmarkStage measures the steps of one request (RSA-2048 eID) without their
// public-key operations. Absolute times are of this machine; what they show is where the
// time goes.
func BenchmarkStage(b *testing.B) {
	for _, s := range stages(b) {
		b.Run(s.name, func(b *testing.B) {
			least, floor := time.Duration(math.MaxInt64), time.Duration(0)
			if s.less != nil {
				floor = least
			}
			for b.Loop() {
				for turn := range stageTurns {
					if turn >= fewTurns && least > time.Millisecond {
						break
					}
					least = min(least, timed(b, s.work))
					if s.less != nil {
						floor = min(floor, timed(b, s.less))
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64((least-floor).Nanoseconds())/stageBatch/1000, "µs")
			results.stage(s.name, (least-floor)/stageBatch, "")
		})
	}
}

const (
	stageBatch = 8  // how often a step is timed at once; about 50 µs
	stageTurns = 50 // how many such times an iteration takes
	fewTurns   = 10 // how many of a step that takes long
)

func timed(b *testing.B, work func() error) time.Duration {
	begin := time.Now()
	for range stageBatch {
		if err := work(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

// A mute signer has a key and gives one signature whatever it signs.
type mute struct {
	key   crypto.PublicKey
	value []byte
}

func (m mute) Public() crypto.PublicKey { return m.key }

func (m mute) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return m.value, nil }

// A listener keeps a copy of the event of the last request, which is the service's.
type listener struct{ event audit.Event }

func (l *listener) Record(_ context.Context, e *audit.Event) error {
	l.event = *e
	l.event.RequestID, l.event.AssertionID = bytes.Clone(e.RequestID), bytes.Clone(e.AssertionID)
	l.event.Profiles, l.event.Attributes = slices.Clone(e.Profiles), slices.Clone(e.Attributes)
	return nil
}

func stages(b *testing.B) []stage {
	pki := testpki.Load()
	heard := &listener{}
	f := handler(b, &pki.STS, unsynced, func(c *sts.Config) { c.Journal = heard })
	journal := f.Journal
	message := (&store{}).sealed(b, rsa2048, 1)[0]
	out, err := answer(f, message, nil)
	fatal(b, err)
	f.Certificates.Settle()
	floor := newFloor(b, message, out, &pki.STS, &pki.AliceEID)
	event := heard.event

	limits := xmltext.DefaultLimits()
	config := soap.Config{Limits: limits}
	security := soap.Policy{Signature: xmlsec.DefaultPolicy(), Timestamp: soap.DefaultTimestampPolicy(),
		Replay: ststest.Forgetful{}, Tokens: []soap.TokenKind{soap.X509}}
	inner := xmlsec.DefaultPolicy()
	envelope, err := soap.Parse(message, &config)
	fatal(b, err)
	document := parse(b, message)
	request := find(b, document.Root(), saml.NamespaceProtocol, "Request")
	signature := find(b, request, xmlsec.NamespaceDS, "Signature")
	eid, holder := pki.AliceEID.Key.Public(), pki.AliceEHealth.Key.Public().(*rsa.PublicKey)
	keys := keyOf{eid}
	type apex struct {
		node    xmltext.Node
		options c14n.Options
	}
	signed := []apex{{request.Parent(), c14n.Options{}}, {find1(document, "TS-1"), c14n.Options{}}, {find1(document, "X509-1"), c14n.Options{}},
		{find(b, document.Root(), xmlsec.NamespaceDS, "SignedInfo"), c14n.Options{}}, {request, c14n.Options{Omit: signature}}, {signature.FirstElement(), c14n.Options{}}}
	borne := []struct {
		der  []byte
		role certs.Role
	}{{pki.AliceEID.DER, certs.RoleIdentity}, {pki.AliceEHealth.DER, certs.RoleHolder}}
	var buffer []byte
	var read saml.Request
	var self saml.Assertion
	replay := soap.NewMemoryReplay(1 << 22)
	var digest [32]byte

	signer, err := xmlsec.NewSigner(xmlsec.SignerConfig{Key: mute{pki.STS.Key.Public(), floor.answer.value}, KeyInfo: xmlsec.CertificateKeyInfo(pki.STS.DER)})
	fatal(b, err)
	issue := issueOf(b, out)

	naive, err := newNaiveService(pki, &pki.STSP256, naiveValues())
	fatal(b, err)
	return []stage{
		{"parse", func() error {
			e, err := soap.Parse(message, &config)
			e.Release()
			return err
		}, nil},
		{"c14n", func() error { // of everything that is signed in the message, without SHA-256
			for i := range signed {
				if buffer, err = c14n.Append(buffer[:0], signed[i].node, signed[i].options); err != nil {
					return err
				}
			}
			return nil
		}, nil},
		{"header", func() error {
			_, err := envelope.Verify(&security, keys, testpki.Now())
			return err
		}, floor.header.verify},
		{"certificates", func() error {
			for _, c := range borne {
				certificate, err := f.Certificates.Parse(c.der)
				if err != nil {
					return err
				}
				if _, err = f.Certificates.Identify(c.role, certificate, nil, testpki.Now()); err != nil {
					return err
				}
			}
			return nil
		}, nil},
		{"query", func() error {
			if err := saml.ParseRequest(request, &read); err != nil {
				return err
			}
			return saml.ParseAssertion(read.Subject.Confirmation.Data.FirstElement(), &self)
		}, nil},
		{"inner", func() error {
			s, err := xmlsec.ParseSignature(signature)
			if err != nil {
				return err
			}
			_, err = s.Verify(holder, &inner)
			return err
		}, floor.inner.verify},
		{"replay", func() error {
			for i := range digest {
				if digest[i]++; digest[i] != 0 {
					break
				}
			}
			return replay.Remember(digest, testpki.Now().Add(time.Minute), testpki.Now())
		}, nil},
		{"answer", func() error {
			w := saml.Writer{Out: soap.AppendOpen(buffer[:0])}
			saml.OpenResponse(&w, "_89d817a1ddc916936e92fd3cc75f6d72", "_request-0", testpki.Now(), &saml.Status{Code: "Success"})
			if w.Out, err = saml.AppendAssertion(w.Out, &issue, signer); err != nil {
				return err
			}
			saml.CloseResponse(&w)
			buffer = soap.AppendClose(w.Out)
			return w.Err()
		}, nil},
		{"audit", func() error { return journal.Record(context.Background(), &event) }, nil},
		{"naive: xml-roundtrip-validator", func() error { return validator.Validate(bytes.NewReader(message)) }, nil},
		{"naive: parse", func() error {
			_, err := naiveParse(message)
			return err
		}, nil},
		{"naive: certificates", func() error {
			if _, err := naive.certificate(base64.StdEncoding.EncodeToString(pki.AliceEID.DER), naive.identityRoots, naive.identityCAs); err != nil {
				return err
			}
			_, err := naive.certificate(base64.StdEncoding.EncodeToString(pki.AliceEHealth.DER), naive.holderRoots, naive.holderCAs)
			return err
		}, nil},
		{"sha", func() error { // of everything that is signed in message and answer: the floor's part
			for _, octets := range floor.digested {
				sink = sha256.Sum256(octets)
			}
			sink = sha256.Sum256(floor.header.octets)
			sink = sha256.Sum256(floor.inner.octets)
			sink = sha256.Sum256(floor.answer.octets)
			return nil
		}, nil},
	}
}

type keyOf struct{ key crypto.PublicKey }

func (k keyOf) Key(*soap.Token) (crypto.PublicKey, error) { return k.key, nil }

func find1(d *xmltext.Document, id string) xmltext.Node {
	n, _ := d.ElementByID([]byte(id))
	return n
}

// issueOf reads an answer back into what it was written from.
func issueOf(tb testing.TB, answer []byte) saml.Issue {
	tb.Helper()
	var a saml.Assertion
	fatal(tb, saml.ParseAssertion(find(tb, parse(tb, answer).Root(), saml.NamespaceAssertion, "Assertion"), &a))
	name := saml.Name{Subject: string(a.AttributeSubject.NameIdentifier.Value), Issuer: string(a.AttributeSubject.NameIdentifier.NameQualifier)}
	issue := saml.Issue{AssertionID: "_a831ac119312174934536b68a0b8af96", Issuer: string(a.Issuer), IssueInstant: a.IssueInstant,
		NotBefore: a.Conditions.NotBefore, NotOnOrAfter: a.Conditions.NotOnOrAfter, Subject: name, Holder: testpki.Load().AliceEHealth.DER}
	for _, attribute := range a.Attributes() {
		s := saml.Statement{Name: string(attribute.Name), Namespace: string(attribute.Namespace)}
		for _, v := range attribute.Values {
			s.Values = append(s.Values, string(v))
		}
		issue.Attributes = append(issue.Attributes, s)
	}
	return issue
}

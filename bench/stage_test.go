package bench

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
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
// that cannot be left out, less is that operation alone: both are timed turn by turn, and the time of the one is
// subtracted from that of the other. Steps overlap; note says with which others, and is empty where they do not.
type stage struct {
	name string
	work func() error
	less func() error // may be nil
	note string
}

// BenchmarkStage measures the steps of one request (RSA-2048 eID) without their
// public-key operations. Absolute times are of this machine; what they show is where the
// time goes.
func BenchmarkStage(b *testing.B) {
	for _, s := range stages(b) {
		b.Run(s.name, func(b *testing.B) {
			n, m := repetitions(b, s.work), 0
			if s.less != nil {
				m = repetitions(b, s.less)
			}
			var works, lesses times
			for b.Loop() {
				for range stageTurns {
					works = append(works, timed(b, n, s.work))
					lesses = append(lesses, timed(b, m, s.less))
				}
			}
			work, less := quietest(works, lesses)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(micros(work-less), "µs")
			results.stage(s.name, work-less, s.note)
		})
	}
}

// stageTurns is how many turns a step has in an iteration.
const stageTurns = 10

// repetitions is how often a step fits into turnTime, which is long against the microseconds in which CPU time is
// counted.
func repetitions(b *testing.B, work func() error) int {
	n := 1
	for timed(b, n, work) < turnTime/time.Duration(n) && n < 1<<16 {
		n *= 2
	}
	return n
}

// timed gives the CPU time of one of n repetitions, zero where there are none.
func timed(b *testing.B, n int, work func() error) time.Duration {
	if n == 0 {
		return 0
	}
	begin := cpu()
	for range n {
		if err := work(); err != nil {
			b.Fatal(err)
		}
	}
	return (cpu() - begin) / time.Duration(n)
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
	f := handler(b, &pki.STS, written, func(c *sts.Config) { c.Journal = heard })
	journal := f.Journal
	messages := (&store{}).sealed(b, rsa2048, 3)
	for _, earlier := range messages[1:] { // certificates are recalled by their base64 from the third request on
		_, err := answer(f, earlier, nil)
		fatal(b, err)
		f.Certificates.Settle()
	}
	message := messages[0]
	out, err := answer(f, message, nil)
	fatal(b, err)
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
		text []byte // as the message has it
		role certs.Role
	}{{[]byte(base64.StdEncoding.EncodeToString(pki.AliceEID.DER)), certs.RoleIdentity},
		{[]byte(base64.StdEncoding.EncodeToString(pki.AliceEHealth.DER)), certs.RoleHolder}}
	var buffer []byte
	var read saml.Request
	var self saml.Assertion
	var replay *soap.MemoryReplay
	var digest [32]byte
	remembered := 0

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
		}, nil, ""},
		{"c14n", func() error {
			for i := range signed {
				if buffer, err = c14n.Append(buffer[:0], signed[i].node, signed[i].options); err != nil {
					return err
				}
			}
			return nil
		}, nil, "all that is signed in the message, without SHA-256: part of header and inner"},
		{"header", func() error {
			_, err := envelope.Verify(&security, keys, testpki.Now())
			return err
		}, floor.header.verify, "with its canonical forms and SHA-256; without certificates and replay"},
		{"certificates", func() error {
			for _, c := range borne {
				certificate := f.Certificates.Recall(c.text)
				if certificate == nil {
					return errors.New("a certificate that was identified is not recalled")
				}
				if _, err := f.Certificates.Identify(c.role, certificate, nil, testpki.Now()); err != nil {
					return err
				}
			}
			return nil
		}, nil, "both, recalled by their base64 and identified with their CRLs"},
		{"query", func() error {
			if err := saml.ParseRequest(request, &read); err != nil {
				return err
			}
			return saml.ParseAssertion(read.Subject.Confirmation.Data.FirstElement(), &self)
		}, nil, ""},
		{"inner", func() error {
			s, err := xmlsec.ParseSignature(signature)
			if err != nil {
				return err
			}
			_, err = s.Verify(holder, &inner)
			return err
		}, floor.inner.verify, "with its canonical forms and SHA-256; without certificates"},
		{"replay", func() error {
			if remembered%replayEntries == 0 {
				replay = soap.NewMemoryReplay(replayEntries)
			}
			remembered++
			for i := range digest {
				if digest[i]++; digest[i] != 0 {
					break
				}
			}
			return replay.Remember(digest, testpki.Now().Add(time.Minute), testpki.Now())
		}, nil, ""},
		{"answer", func() error {
			w := saml.Writer{Out: soap.AppendOpen(buffer[:0])}
			saml.OpenResponse(&w, "_89d817a1ddc916936e92fd3cc75f6d72", "_request-0", testpki.Now(), &saml.Status{Code: "Success"})
			if w.Out, err = saml.AppendAssertion(w.Out, &issue, signer); err != nil {
				return err
			}
			saml.CloseResponse(&w)
			buffer = soap.AppendClose(w.Out)
			return w.Err()
		}, nil, "with its canonical form and SHA-256"},
		{"audit", func() error { return journal.Record(context.Background(), &event) }, nil, ""},
		{"naive: xml-roundtrip-validator", func() error { return validator.Validate(bytes.NewReader(message)) }, nil, "of the naive path"},
		{"naive: parse", func() error {
			_, err := naiveParse(message)
			return err
		}, nil, "of the naive path"},
		{"naive: certificates", func() error {
			if _, err := naive.certificate(base64.StdEncoding.EncodeToString(pki.AliceEID.DER), naive.identityRoots, naive.identityCAs); err != nil {
				return err
			}
			_, err := naive.certificate(base64.StdEncoding.EncodeToString(pki.AliceEHealth.DER), naive.holderRoots, naive.holderCAs)
			return err
		}, nil, "of the naive path, chains built each time"},
		{"sha", func() error {
			for _, octets := range floor.digested {
				sink = sha256.Sum256(octets)
			}
			sink = sha256.Sum256(floor.header.octets)
			sink = sha256.Sum256(floor.inner.octets)
			sink = sha256.Sum256(floor.answer.octets)
			return nil
		}, nil, "all that is signed in message and answer: part of header, inner and answer, and the floor's"},
	}
}

// replayEntries is after how many messages the replay state of its step begins anew.
const replayEntries = 1 << 16

// A keyOf has the key of a certificate that it recalls, as the handler does for a consumer who comes again.
type keyOf struct{ key crypto.PublicKey }

func (k keyOf) Key(*soap.Token) (crypto.PublicKey, error) { return k.key, nil }

func (keyOf) Recall([]byte) bool { return true }

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

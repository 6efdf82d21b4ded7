package soap_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

const (
	nsDS      = xmlsec.NamespaceDS
	exclusive = c14n.Algorithm
	excC14N   = `<ds:Transform Algorithm="` + exclusive + `"></ds:Transform>`
	here      = "<!--signature-->" // where sign puts the signature
)

func config() *soap.Config { return &soap.Config{Limits: xmltext.DefaultLimits()} }

// A draft is a message in parts, so that a test changes one of them.
type draft struct {
	open, headerOpen, before, securityOpen, timestamp, token, signature, rest, securityClose, after, headerClose, body, tail string

	leaf    *testpki.Leaf
	keyInfo string
	refs    []ref
}

// A ref is a reference of the signature; octets are those of the element with the
// identifier unless given.
type ref struct {
	id, transforms string
	octets         func(*xmltext.Document) []byte
}

func over(ids ...string) []ref {
	var all []ref
	for _, id := range ids {
		all = append(all, ref{id: id})
	}
	return all
}

func timestamp(created, expires string) string {
	return `<wsu:Timestamp wsu:Id="TS"><wsu:Created>` + created + `</wsu:Created><wsu:Expires>` + expires + `</wsu:Expires></wsu:Timestamp>`
}

func binaryToken(valueType string, octets []byte) string {
	return `<wsse:BinarySecurityToken EncodingType="` + xmlsec.EncodingBase64 + `" ValueType="` + valueType + `" wsu:Id="X509">` +
		base64.StdEncoding.EncodeToString(octets) + `</wsse:BinarySecurityToken>`
}

func keyInfo(content string) string {
	return `<ds:KeyInfo><wsse:SecurityTokenReference wsu:Id="STR">` + content + `</wsse:SecurityTokenReference></ds:KeyInfo>`
}

const direct = `<wsse:Reference URI="#X509" ValueType="` + xmlsec.ValueTypeX509v3 + `"/>`

// newDraft is a message as a client sends it, signed by Alice's P-256 eID.
func newDraft() *draft {
	leaf := &testpki.Load().AliceEIDP256
	return &draft{
		open: `<soapenv:Envelope xmlns:soapenv="` + soap.NamespaceEnvelope + `" xmlns:wsse="` + xmlsec.NamespaceWSSE +
			`" xmlns:wsu="` + xmlsec.NamespaceWSU + `" xmlns:ds="` + nsDS + `">`,
		headerOpen:    `<soapenv:Header>`,
		securityOpen:  `<wsse:Security soapenv:mustUnderstand="1">`,
		timestamp:     timestamp("2026-11-21T20:00:00.000Z", "2026-11-21T20:01:00.000Z"),
		token:         binaryToken(xmlsec.ValueTypeX509v3, leaf.DER),
		signature:     here,
		securityClose: `</wsse:Security>`,
		headerClose:   `</soapenv:Header>`,
		body:          `<soapenv:Body wsu:Id="B"><q:Ask xmlns:q="urn:q">what</q:Ask></soapenv:Body>`,
		tail:          `</soapenv:Envelope>`,
		leaf:          leaf,
		keyInfo:       keyInfo(direct),
		refs:          over("B", "TS", "X509"),
	}
}

func (d *draft) text() string {
	return d.open + d.headerOpen + d.before + d.securityOpen + d.timestamp + d.token + d.signature + d.rest +
		d.securityClose + d.after + d.headerClose + d.body + d.tail
}

func method(key crypto.Signer) string { return xmlsec.DefaultMethod(key.Public()).URI() }

// sign returns the message, signed. It shares no code with xmlsec.Signer.
func (d *draft) sign(t testing.TB) []byte {
	t.Helper()
	text := d.text()
	limits := xmltext.DefaultLimits()
	limits.Depth, limits.Nodes = 1000, 1<<20
	document, err := xmltext.Parse([]byte(text), limits)
	if err != nil {
		t.Fatalf("the draft is ill-formed: %v\n%s", err, text)
	}
	defer document.Release()
	info := `<ds:SignedInfo xmlns:ds="` + nsDS + `"><ds:CanonicalizationMethod Algorithm="` + exclusive +
		`"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="` + method(d.leaf.Key) + `"></ds:SignatureMethod>`
	for _, r := range d.refs {
		var octets []byte
		if r.octets != nil {
			octets = r.octets(document)
		} else if n, ok := document.ElementByID([]byte(r.id)); ok {
			if octets, err = c14n.Append(nil, n, c14n.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		transforms := r.transforms
		if transforms == "" {
			transforms = excC14N
		}
		sum := sha256.Sum256(octets)
		info += `<ds:Reference URI="#` + r.id + `"><ds:Transforms>` + transforms + `</ds:Transforms><ds:DigestMethod Algorithm="` +
			xmlsec.SHA256.URI() + `"></ds:DigestMethod><ds:DigestValue>` + base64.StdEncoding.EncodeToString(sum[:]) + `</ds:DigestValue></ds:Reference>`
	}
	info += `</ds:SignedInfo>`
	hash := xmlsec.DefaultMethod(d.leaf.Key.Public()).Hash()
	h := hash.New()
	h.Write([]byte(info))
	value, err := d.leaf.Key.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := d.leaf.Key.Public().(*ecdsa.PublicKey); ok {
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(value, &rs); err != nil {
			t.Fatal(err)
		}
		value = raw(key, rs.R, rs.S)
	}
	return []byte(strings.Replace(text, here, `<ds:Signature>`+info+`<ds:SignatureValue>`+
		base64.StdEncoding.EncodeToString(value)+`</ds:SignatureValue>`+d.keyInfo+`</ds:Signature>`, 1))
}

func raw(key *ecdsa.PublicKey, r, s *big.Int) []byte {
	size := (key.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

// keys gives one key for every token and counts how often it is asked.
type keys struct {
	key   crypto.PublicKey
	err   error
	asked atomic.Int64
	token soap.Token // of the last call
}

func (k *keys) Key(token *soap.Token) (crypto.PublicKey, error) {
	k.asked.Add(1)
	k.token = *token
	return k.key, k.err
}

func trust(leaf *testpki.Leaf) *keys { return &keys{key: leaf.Key.Public()} }

// counter is a replay state that counts, and answers what it is told to.
type counter struct {
	err   error
	asked atomic.Int64
	until time.Time
}

func (c *counter) Remember(_ [32]byte, until, _ time.Time) error {
	c.asked.Add(1)
	c.until = until
	return c.err
}

func policy() *soap.Policy {
	return &soap.Policy{Signature: xmlsec.DefaultPolicy(), Timestamp: soap.DefaultTimestampPolicy(), Replay: &counter{},
		Tokens: []soap.TokenKind{soap.X509, soap.SAMLAssertion}}
}

// judge parses and verifies and returns the error, after it has seen that an error
// comes with nothing else.
func judge(t testing.TB, message []byte, c *soap.Config, p *soap.Policy, k soap.Keys, now time.Time) error {
	t.Helper()
	e, err := soap.Parse(message, c)
	if err != nil {
		if e != nil {
			t.Error("an Envelope with an error")
		}
		return typed(t, err)
	}
	defer e.Release()
	s, err := e.Verify(p, k, now)
	if err != nil {
		if !s.Body().IsZero() || s.Token() != nil || !s.Created().IsZero() || s.Covers(xmltext.Node{}) || s.Digest() != [32]byte{} {
			t.Error("a Signed with an error")
		}
		return typed(t, err)
	}
	if s.Body().IsZero() || s.Body().Parent().Parent() != s.Body().Document().Root() || !s.Covers(s.Body()) {
		t.Error("a Signed without a body in its place")
	}
	return nil
}

func typed(t testing.TB, err error) error {
	t.Helper()
	var e *soap.Error
	if !errors.As(err, &e) || e.Reason == 0 || strings.HasPrefix(e.Reason.String(), "reason ") {
		t.Errorf("the error %v is not an *Error with a Reason", err)
	}
	return err
}

func judged(t testing.TB, message []byte) error {
	t.Helper()
	return judge(t, message, config(), policy(), trust(&testpki.Load().AliceEIDP256), testpki.Now())
}

func refused(t testing.TB, err error, reason soap.Reason, rule string) {
	t.Helper()
	var e *soap.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want %v", err, reason)
	}
	if e.Reason != reason || e.Rule != rule {
		t.Errorf("error %v, want %v (%s)", err, reason, rule)
	}
}

func replace(t testing.TB, message []byte, old, new string) []byte {
	t.Helper()
	if bytes.Count(message, []byte(old)) != 1 {
		t.Fatalf("%q is not once in the message", old)
	}
	return bytes.Replace(message, []byte(old), []byte(new), 1)
}

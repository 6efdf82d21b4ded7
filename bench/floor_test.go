package bench

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"

	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// A floor is what no handler can do without: the octets that the signatures of one
// message and of its answer are over, already canonical, and the keys. Nothing is
// parsed, found, decoded or written.
type floor struct {
	digested [][]byte // octets behind the digests: the parts of the message, the request, the assertion
	header   signedInfo
	inner    signedInfo
	answer   signedInfo // signed anew each time
	key      crypto.Signer
}

// A signedInfo is a canonical SignedInfo and its signature.
type signedInfo struct {
	octets []byte
	hash   crypto.Hash
	key    crypto.PublicKey
	value  []byte // as crypto takes it: of ECDSA the DER form
	sum    []byte
}

var errFloor = errors.New("floor: a signature does not verify")

// newFloor takes a message and the handler's answer to it apart.
func newFloor(tb testing.TB, message, answer []byte, signer *testpki.Leaf, identity *testpki.Leaf) *floor {
	tb.Helper()
	pki := testpki.Load()
	f := &floor{key: signer.Key}
	asked, answered := parse(tb, message), parse(tb, answer)
	header := find(tb, asked.Root(), xmlsec.NamespaceDS, "Signature")
	request := find(tb, asked.Root(), saml.NamespaceProtocol, "Request")
	inner := find(tb, request, xmlsec.NamespaceDS, "Signature")
	assertion := find(tb, answered.Root(), saml.NamespaceAssertion, "Assertion")
	signature := child1(assertion, "Signature")
	f.header = f.take(tb, header, identity.Key.Public())
	f.inner = f.take(tb, inner, pki.AliceEHealth.Key.Public())
	f.answer = f.take(tb, signature, signer.Key.Public())
	if len(f.digested) != 5 {
		tb.Fatalf("%d digests, want three of the message, the request's and the assertion's", len(f.digested))
	}
	fatal(tb, f.whole())
	fatal(tb, f.keys())
	return f
}

// take gathers the octets of one signature.
func (f *floor) take(tb testing.TB, n xmltext.Node, key crypto.PublicKey) signedInfo {
	tb.Helper()
	s, err := xmlsec.ParseSignature(n)
	fatal(tb, err)
	for i := range s.References() {
		target, enveloped := s.Refers(i)
		options := c14n.Options{}
		if enveloped {
			options.Omit = n
		}
		octets, err := c14n.Append(nil, target, options)
		fatal(tb, err)
		f.digested = append(f.digested, octets)
	}
	info := signedInfo{hash: s.Method().Hash(), key: key}
	info.octets, err = c14n.Append(nil, n.FirstElement(), c14n.Options{})
	fatal(tb, err)
	value, _ := n.FirstElement().NextElement().Value()
	info.value, err = xmlsec.AppendBase64(nil, value)
	fatal(tb, err)
	if _, ok := key.(*ecdsa.PublicKey); ok {
		half := len(info.value) / 2
		r, s := new(big.Int).SetBytes(info.value[:half]), new(big.Int).SetBytes(info.value[half:])
		info.value, err = asn1.Marshal(struct{ R, S *big.Int }{r, s})
		fatal(tb, err)
	}
	info.sum = sum(info.hash, info.octets)
	return info
}

func sum(hash crypto.Hash, octets []byte) []byte {
	h := hash.New()
	h.Write(octets)
	return h.Sum(nil)
}

func (s *signedInfo) verify() error {
	switch key := s.key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, s.hash, s.sum, s.value)
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, s.sum, s.value) {
			return nil
		}
	}
	return errFloor
}

// keys makes the three public-key operations of a request.
func (f *floor) keys() error {
	if err := f.header.verify(); err != nil {
		return err
	}
	if err := f.inner.verify(); err != nil {
		return err
	}
	_, err := f.key.Sign(rand.Reader, f.answer.sum, f.answer.hash)
	return err
}

// whole makes them and digests what the signatures are over, each octet once for
// each signature that covers it.
func (f *floor) whole() error {
	for _, octets := range f.digested {
		sink = sha256.Sum256(octets)
	}
	for _, s := range []*signedInfo{&f.header, &f.inner, &f.answer} {
		if s.hash == crypto.SHA256 {
			sink = sha256.Sum256(s.octets)
		} else {
			sum(s.hash, s.octets)
		}
	}
	return f.keys()
}

var sink [32]byte // keeps the compiler from passing over a digest

func parse(tb testing.TB, text []byte) *xmltext.Document {
	tb.Helper()
	d, err := xmltext.Parse(text, xmltext.DefaultLimits())
	fatal(tb, err)
	return d
}

// find returns the first element of that name, n first, in document order.
func find(tb testing.TB, n xmltext.Node, namespace, local string) xmltext.Node {
	tb.Helper()
	var walk func(xmltext.Node) xmltext.Node
	walk = func(n xmltext.Node) xmltext.Node {
		if n.Is(namespace, local) {
			return n
		}
		for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
			if found := walk(c); !found.IsZero() {
				return found
			}
		}
		return xmltext.Node{}
	}
	found := walk(n)
	if found.IsZero() {
		tb.Fatal("no element " + local)
	}
	return found
}

// child1 returns the child element of that name.
func child1(n xmltext.Node, local string) xmltext.Node {
	c := n.FirstElement()
	for !c.IsZero() && string(c.Local()) != local {
		c = c.NextElement()
	}
	return c
}

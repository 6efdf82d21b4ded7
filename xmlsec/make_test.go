package xmlsec_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"embed"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"

	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// The keys of these tests were generated once and protect nothing.
//
//go:embed testdata/keys
var keyFiles embed.FS

var keys = sync.OnceValue(func() map[string]crypto.Signer {
	entries, err := keyFiles.ReadDir("testdata/keys")
	if err != nil {
		panic(err)
	}
	all := map[string]crypto.Signer{}
	for _, entry := range entries {
		text, err := keyFiles.ReadFile("testdata/keys/" + entry.Name())
		if err != nil {
			panic(err)
		}
		block, _ := pem.Decode(text)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(fmt.Errorf("%s: %w", entry.Name(), err))
		}
		all[strings.TrimSuffix(entry.Name(), ".pem")] = key.(crypto.Signer)
	}
	return all
})

func key(t testing.TB, name string) crypto.Signer {
	t.Helper()
	k := keys()[name]
	if k == nil {
		t.Fatalf("no key %s", name)
	}
	return k
}

func public(t testing.TB, name string) crypto.PublicKey { return key(t, name).Public() }

func parse(t testing.TB, text string) *xmltext.Document {
	t.Helper()
	d, err := xmltext.Parse([]byte(text), xmltext.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %.400q", err, text)
	}
	return d
}

func byID(t testing.TB, d *xmltext.Document, id string) xmltext.Node {
	t.Helper()
	n, ok := d.ElementByID([]byte(id))
	if !ok {
		t.Fatalf("no element %q", id)
	}
	return n
}

// find returns the n-th element of this local name in document order.
func find(t testing.TB, n xmltext.Node, local string, nth int) xmltext.Node {
	t.Helper()
	var found xmltext.Node
	var walk func(n xmltext.Node)
	walk = func(n xmltext.Node) {
		if string(n.Local()) == local {
			if nth == 0 && found.IsZero() {
				found = n
			}
			nth--
		}
		for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
			walk(c)
		}
	}
	walk(n)
	if found.IsZero() {
		t.Fatalf("no element %s", local)
	}
	return found
}

// A template is a message with a signature in which some values are still to be
// computed. Whatever a case does to it before that is covered by the signature, so
// that a refusal is never the refusal of a wrong digest unless the case wants one.
//
//	{digest ID}            SHA-256 of the canonical form of the element ID
//	{enveloped ID}         the same without the first ds:Signature inside it
//	{sha1 ID}, {sha512 ID} other digests
//	{list ID p q}          with a PrefixList
//	{str ID}               with the default namespace at the apex
//	{value}                the signature value over the first SignedInfo
var placeholder = regexp.MustCompile(`\{(digest|enveloped|sha1|sha384|sha512|list|str|value)(?: ([^ }]+))?((?: [^ }]+)*)\}`)

func fill(t testing.TB, template string, signer crypto.Signer, hash crypto.Hash, pss bool) string {
	t.Helper()
	// Anything of base64 does for the first reading: no part that is digested holds a
	// placeholder outside of the omitted signature.
	bare := parse(t, placeholder.ReplaceAllString(template, "AAAA"))
	defer bare.Release()
	text := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		m := placeholder.FindStringSubmatch(p)
		if m[1] == "value" {
			return p
		}
		options, sum := c14n.Options{PrefixList: []byte(m[3])}, crypto.SHA256
		apex := byID(t, bare, m[2])
		switch m[1] {
		case "enveloped":
			options.Omit = find(t, apex, "Signature", 0)
		case "str":
			options.DefaultAtApex = true
		case "sha1":
			sum = crypto.SHA1
		case "sha384":
			sum = crypto.SHA384
		case "sha512":
			sum = crypto.SHA512
		}
		form, err := c14n.Append(nil, apex, options)
		if err != nil {
			t.Fatal(err)
		}
		h := sum.New()
		h.Write(form)
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	})
	if !strings.Contains(text, "{value}") {
		return text
	}
	digested := parse(t, strings.ReplaceAll(text, "{value}", "AAAA"))
	defer digested.Release()
	info := find(t, digested.Root(), "SignedInfo", 0)
	list := []byte(nil)
	if i := find(t, info, "CanonicalizationMethod", 0).FirstElement(); !i.IsZero() {
		list, _ = i.Attribute("", "PrefixList")
	}
	form, err := c14n.Append(nil, info, c14n.Options{PrefixList: list})
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(text, "{value}", base64.StdEncoding.EncodeToString(rawSign(t, signer, hash, pss, form)))
}

// rawSign makes the octets of a SignatureValue without this project's Signer.
func rawSign(t testing.TB, signer crypto.Signer, hash crypto.Hash, pss bool, octets []byte) []byte {
	t.Helper()
	h := hash.New()
	h.Write(octets)
	sum := h.Sum(nil)
	switch k := signer.(type) {
	case *rsa.PrivateKey:
		var value []byte
		var err error
		if pss {
			value, err = rsa.SignPSS(rand.Reader, k, hash, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			value, err = rsa.SignPKCS1v15(nil, k, hash, sum)
		}
		if err != nil {
			t.Fatal(err)
		}
		return value
	case hmacSigner:
		m := hmac.New(hash.New, k)
		m.Write(octets)
		return m.Sum(nil)
	case *ecdsa.PrivateKey:
		der, err := ecdsa.SignASN1(rand.Reader, k, sum)
		if err != nil {
			t.Fatal(err)
		}
		r, s := splitDER(t, der)
		return joinRS(r, s, (k.Params().BitSize+7)/8)
	}
	t.Fatalf("key %T", signer)
	return nil
}

// hmacSigner is a secret that passes for a key: attacks.md A1.
type hmacSigner []byte

func (hmacSigner) Public() crypto.PublicKey { return nil }
func (hmacSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("not a signer")
}

func splitDER(t testing.TB, der []byte) (r, s *big.Int) {
	t.Helper()
	var value struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &value); err != nil {
		t.Fatal(err)
	}
	return value.R, value.S
}

func joinRS(r, s *big.Int, size int) []byte {
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

const (
	ns = `xmlns:ds="` + xmlsec.NamespaceDS + `" xmlns:wsse="` + xmlsec.NamespaceWSSE + `" xmlns:wsu="` + xmlsec.NamespaceWSU + `" xmlns:ec="` + xmlsec.NamespaceExcC14 + `"`

	algorithmEnveloped = xmlsec.NamespaceDS + "enveloped-signature"
	algorithmSTR       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
	typeSKI            = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier"
	typeThumbprint     = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
	algorithmSHA256    = "http://www.w3.org/2001/04/xmlenc#sha256"
	algorithmECDSA     = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"

	excTransform = `<ds:Transform Algorithm="` + c14n.Algorithm + `"/>`
	excMethod    = `<ds:CanonicalizationMethod Algorithm="` + c14n.Algorithm + `"/>`
	ecdsaMethod  = `<ds:SignatureMethod Algorithm="` + algorithmECDSA + `"/>`
	sha256Method = `<ds:DigestMethod Algorithm="` + algorithmSHA256 + `"/>`
)

func reference(id string) string {
	return `<ds:Reference URI="#` + id + `"><ds:Transforms>` + excTransform + `</ds:Transforms>` + sha256Method + `<ds:DigestValue>{digest ` + id + `}</ds:DigestValue></ds:Reference>`
}

// detached is a message in the shape of WS-Security: a signature in the header over
// Body, Timestamp and token.
const detached = `<e:Envelope xmlns:e="urn:envelope" ` + ns + `><e:Header><wsse:Security><wsse:BinarySecurityToken wsu:Id="token">VG9rZW4=</wsse:BinarySecurityToken>` +
	`<wsu:Timestamp wsu:Id="time"><wsu:Created>2026-11-21T20:00:00Z</wsu:Created></wsu:Timestamp>` +
	`<ds:Signature><ds:SignedInfo>` + excMethod + ecdsaMethod + `{references}</ds:SignedInfo><ds:SignatureValue>{value}</ds:SignatureValue>` +
	`<ds:KeyInfo><wsse:SecurityTokenReference wsu:Id="str"><wsse:Reference URI="#token"/></wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>` +
	`</wsse:Security></e:Header><e:Body wsu:Id="body"><q:request xmlns:q="urn:q" ssin="00000000097">what is <!-- not --> asked &amp; more</q:request></e:Body></e:Envelope>`

// enveloped is an assertion that holds its own signature.
const enveloped = `<a:Assertion xmlns:a="urn:assertion" AssertionID="assertion"><a:Conditions/><a:Advice><a:Note>read</a:Note></a:Advice>` +
	`<ds:Signature ` + ns + `><ds:SignedInfo>` + excMethod + ecdsaMethod +
	`<ds:Reference URI="#assertion"><ds:Transforms><ds:Transform Algorithm="` + algorithmEnveloped + `"/>` + excTransform + `</ds:Transforms>` + sha256Method +
	`<ds:DigestValue>{enveloped assertion}</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature><a:Subject>alice</a:Subject></a:Assertion>`

func threeReferences() string {
	return strings.Replace(detached, "{references}", reference("body")+reference("time")+reference("token"), 1)
}

// verify reads the n-th signature of text and verifies it.
func verify(t testing.TB, text string, n int, key crypto.PublicKey, policy xmlsec.Policy) (*xmltext.Document, *xmlsec.Signature, xmlsec.Verified, error) {
	t.Helper()
	d := parse(t, text)
	t.Cleanup(d.Release)
	s, err := xmlsec.ParseSignature(find(t, d.Root(), "Signature", n))
	if err != nil {
		if s.Node() != (xmltext.Node{}) || s.References() != 0 {
			t.Error("a signature beside an error")
		}
		return d, nil, xmlsec.Verified{}, err
	}
	v, err := s.Verify(key, &policy)
	if err != nil && (v.Key() != nil || v.Signs(d.Root()) || v.Covers(d.Root()) || v.Digest() != [32]byte{} || !v.Signature().IsZero()) {
		t.Error("a proof beside an error")
	}
	return d, &s, v, err
}

// reason returns the Reason of an *Error, zero for nil.
func reason(t testing.TB, err error) xmlsec.Reason {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *xmlsec.Error
	if !errors.As(err, &e) || e.Reason == 0 {
		t.Fatalf("error without a reason: %v", err)
	}
	return e.Reason
}

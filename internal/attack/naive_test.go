package attack_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// The verifier that the attacks are for: it finds identifiers anywhere, the first
// element that bears one, whatever the attribute; it takes out the signature when it
// happens to be inside; it asks whether the digests and the value are right; and when
// any signature of the message is, it is content. It shares no code with ours.
func naiveVerify(message []byte, key crypto.PublicKey) error {
	d := etree.NewDocument()
	if err := d.ReadFromBytes(message); err != nil {
		return err
	}
	err := fmt.Errorf("no signature")
	walk(&d.Element, func(e *etree.Element) bool {
		if e.Tag == "Signature" && e.NamespaceURI() == nsDS {
			if err = naiveSignature(d, e, key); err == nil {
				return true
			}
		}
		return false
	})
	return err
}

const nsDS = "http://www.w3.org/2000/09/xmldsig#"

func walk(e *etree.Element, visit func(*etree.Element) bool) bool {
	if visit(e) {
		return true
	}
	for _, c := range e.ChildElements() {
		if walk(c, visit) {
			return true
		}
	}
	return false
}

func child(e *etree.Element, local string) *etree.Element {
	for _, c := range e.NotNil().ChildElements() {
		if c.Tag == local {
			return c
		}
	}
	return nil
}

func naiveSignature(d *etree.Document, s *etree.Element, key crypto.PublicKey) error {
	info := child(s, "SignedInfo")
	if info == nil {
		return fmt.Errorf("no SignedInfo")
	}
	references := 0
	for _, r := range info.ChildElements() {
		if r.Tag != "Reference" {
			continue
		}
		references++
		id := strings.TrimPrefix(r.SelectAttrValue("URI", ""), "#")
		var target *etree.Element
		if !walk(&d.Element, func(e *etree.Element) bool {
			for _, a := range e.Attr {
				if strings.TrimSpace(a.Value) == id && (strings.EqualFold(a.Key, "id") || strings.HasSuffix(a.Key, "ID")) {
					target = e
					return true
				}
			}
			return false
		}) {
			return fmt.Errorf("reference %s resolves to nothing", id)
		}
		prefixes := ""
		for _, t := range child(r, "Transforms").NotNil().ChildElements() {
			if n := child(t, "InclusiveNamespaces"); n != nil {
				prefixes = n.SelectAttrValue("PrefixList", "")
			}
		}
		octets, err := naiveCanonical(target, s, prefixes)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(octets)
		digest := sum[:]
		if strings.HasSuffix(child(r, "DigestMethod").SelectAttrValue("Algorithm", ""), "#sha1") {
			sum := sha1.Sum(octets)
			digest = sum[:]
		}
		want := ""
		for _, c := range child(r, "DigestValue").NotNil().Child {
			if text, ok := c.(*etree.CharData); ok {
				want += text.Data
			}
		}
		if base64.StdEncoding.EncodeToString(digest) != strings.Join(strings.Fields(want), "") {
			return fmt.Errorf("digest of %s differs", id)
		}
	}
	if references == 0 {
		return fmt.Errorf("no reference")
	}
	prefixes := ""
	if n := child(child(info, "CanonicalizationMethod"), "InclusiveNamespaces"); n != nil {
		prefixes = n.SelectAttrValue("PrefixList", "")
	}
	octets, err := naiveCanonical(info, nil, prefixes)
	if err != nil {
		return err
	}
	value, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(child(s, "SignatureValue").NotNil().Text()), ""))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(octets)
	switch key := key.(type) {
	case *rsa.PublicKey:
		if strings.HasSuffix(child(info, "SignatureMethod").SelectAttrValue("Algorithm", ""), "#rsa-sha1") {
			sum := sha1.Sum(octets)
			return rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], value)
		}
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], value)
	case *ecdsa.PublicKey:
		r, s := new(big.Int).SetBytes(value[:len(value)/2]), new(big.Int).SetBytes(value[len(value)/2:])
		if !ecdsa.Verify(key, sum[:], r, s) {
			return fmt.Errorf("signature value")
		}
		return nil
	}
	return fmt.Errorf("key %T", key)
}

func naiveCanonical(e, omit *etree.Element, prefixes string) ([]byte, error) {
	if omit != nil {
		for up := omit.Parent(); up != nil; up = up.Parent() {
			if up == e {
				parent, at := omit.Parent(), omit.Index()
				parent.RemoveChild(omit)
				defer parent.InsertChildAt(at, omit)
				break
			}
		}
	}
	context, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return nil, err
	}
	alone, err := etreeutils.NSDetatch(context, e)
	if err != nil {
		return nil, err
	}
	octets, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes).Canonicalize(alone)
	// goxmldsig leaves CR as it is.
	return bytes.ReplaceAll(octets, []byte("\r"), []byte("&#xD;")), err
}

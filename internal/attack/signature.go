package attack

import "github.com/beevik/etree"

// signatureEdits are the attacks on a ds:Signature itself, one that stands inside what
// it signs or a detached one.
func signatureEdits(detached bool) []edit {
	return names(append(signedInfoEdits(), []edit{
		{"W18", "comment with another digest in DigestValue", "the comment is taken for the digest", true, func(t *tree) error {
			v := t.digestValue()
			v.InsertChildAt(0, etree.NewComment("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="))
			return nil
		}},
		{"W18", "comment in SignatureValue", "the value is cut at the comment", true, func(t *tree) error {
			child(t.signature, nsDS, "SignatureValue").AddChild(etree.NewComment("x"))
			return nil
		}},
		{"W18", "comment in SignedInfo", "what is signed and what is read differ", true, func(t *tree) error {
			t.signedInfo().AddChild(etree.NewComment("x"))
			return nil
		}},
		{"W18", "second SignedInfo after the first", "one is verified, the references of the other are read", true, func(t *tree) error {
			info := t.signedInfo()
			after(info, t.forgedSignedInfo())
			return nil
		}},
		{"W18", "second SignedInfo before the first", "one is verified, the references of the other are read", false, func(t *tree) error {
			before(t.signedInfo(), t.forgedSignedInfo())
			return nil
		}},
		{"W18", "element in DigestValue", "the digest is cut at the element", false, func(t *tree) error {
			t.digestValue().AddChild(wrapper())
			return nil
		}},
		{"W18", "element in SignatureValue", "the value is cut at the element", true, func(t *tree) error {
			child(t.signature, nsDS, "SignatureValue").AddChild(wrapper())
			return nil
		}},
		{"W20", "ds:Object in the signature", "an enveloping signature brings content of its own", true, func(t *tree) error {
			t.signature.AddChild(element("ds", nsDS, "Object", wrapper()))
			return nil
		}},
		{"W20", "Manifest in a ds:Object", "references that nobody verifies count as verified", true, func(t *tree) error {
			t.signature.AddChild(element("ds", nsDS, "Object", element("ds", nsDS, "Manifest")))
			return nil
		}},
		{"W20", "signature inside a signature", "the outer or the inner one is verified, the other read", true, func(t *tree) error {
			pin(t.signature)
			inner := t.signature.Copy()
			t.signature.AddChild(inner)
			return nil
		}},
		{"W20", "signature wrapped in a signature", "the outer or the inner one is verified, the other read", detached, func(t *tree) error {
			outer := element("ds", nsDS, "Signature")
			outer.AddChild(replace(t.signature, outer))
			return nil
		}},
		{"W21", "signature left out", "what is not signed is not verified", false, func(t *tree) error {
			take(t.signature)
			return nil
		}},
		{"W21", "empty SignatureValue", "an empty value passes", false, func(t *tree) error {
			child(t.signature, nsDS, "SignatureValue").SetText("")
			return nil
		}},
		{"W21", "no SignatureValue", "an absent value passes", false, func(t *tree) error {
			take(child(t.signature, nsDS, "SignatureValue"))
			return nil
		}},
		{"W21", "no SignedInfo", "nothing is verified", false, func(t *tree) error {
			take(t.signedInfo())
			return nil
		}},
		{"W21", "SignatureValue of zeros", "zero passes", false, func(t *tree) error {
			child(t.signature, nsDS, "SignatureValue").SetText("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==")
			return nil
		}},
	}...))
}

// signedInfoEdits change what is signed, so that the value is wrong: a verifier must
// refuse them before it does what they ask for.
func signedInfoEdits() []edit {
	var all []edit
	add := func(id, name, gain string, change func(t *tree, r *etree.Element)) {
		all = append(all, edit{id, name, gain, false, func(t *tree) error {
			r := child(t.signedInfo(), nsDS, "Reference")
			pin(r)
			change(t, r)
			return nil
		}})
	}
	add("W19", "the reference twice", "the attacker chooses which of two counts", func(_ *tree, r *etree.Element) { after(r, r.Copy()) })
	add("W19", "another reference to the same element first", "the first reference with the identifier counts", func(_ *tree, r *etree.Element) {
		c := r.Copy()
		child(c, nsDS, "DigestValue").SetText("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
		before(r, c)
	})
	add("W19", "a reference to the whole document", "everything counts as signed", func(_ *tree, r *etree.Element) {
		c := r.Copy()
		c.CreateAttr("URI", "")
		before(r, c)
	})
	add("W21", "empty DigestValue", "an empty digest passes", func(_ *tree, r *etree.Element) { child(r, nsDS, "DigestValue").SetText("") })
	add("W21", "no reference", "a signature over nothing counts for everything", func(t *tree, _ *etree.Element) {
		for r := child(t.signedInfo(), nsDS, "Reference"); r != nil; r = child(t.signedInfo(), nsDS, "Reference") {
			take(r)
		}
	})
	for _, uri := range []string{"", "#xpointer(/)", "#xpointer(id('x'))", "http://127.0.0.1:9/", "file:///etc/hostname", "cid:part", "ftp://127.0.0.1:9/"} {
		add("T3", "reference to "+uri, "the server fetches what the attacker names, or digests something else", func(_ *tree, r *etree.Element) { r.CreateAttr("URI", uri) })
	}
	add("T3", "percent-encoded identifier", "two readers resolve it to two elements", func(_ *tree, r *etree.Element) {
		r.CreateAttr("URI", r.SelectAttrValue("URI", "")[:1]+"%69"+r.SelectAttrValue("URI", "")[1:])
	})
	for _, transform := range [...]struct{ id, name, algorithm string }{
		{"T1", "XSLT", "http://www.w3.org/TR/1999/REC-xslt-19991116"},
		{"T2", "XPath", "http://www.w3.org/TR/1999/REC-xpath-19991116"},
		{"T2", "XPath filter 2", "http://www.w3.org/2002/06/xmldsig-filter2"},
		{"T2", "base64", "http://www.w3.org/2000/09/xmldsig#base64"},
		{"T2", "inclusive c14n", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"},
		{"T2", "exclusive c14n with comments", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"},
	} {
		add(transform.id, "transform "+transform.name, "the attacker's program runs, or chooses the octets that are digested", func(_ *tree, r *etree.Element) {
			child(r, nsDS, "Transforms").ChildElements()[0].CreateAttr("Algorithm", transform.algorithm)
		})
	}
	return all
}

func (t *tree) signedInfo() *etree.Element { return child(t.signature, nsDS, "SignedInfo") }

func (t *tree) digestValue() *etree.Element {
	return child(child(t.signedInfo(), nsDS, "Reference"), nsDS, "DigestValue")
}

// forgedSignedInfo is a copy of SignedInfo with another digest.
func (t *tree) forgedSignedInfo() *etree.Element {
	pin(t.signedInfo())
	c := t.signedInfo().Copy()
	child(child(c, nsDS, "Reference"), nsDS, "DigestValue").SetText("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	return c
}

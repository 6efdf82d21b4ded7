package attack

import "github.com/beevik/etree"

// Enveloped returns the attacks on the first element of document that bears an
// enveloped signature: XSW 1 to 8 as W1 to W8, and what else is done to such a
// signature. The document is that element alone or a message that holds it.
func Enveloped(document []byte) ([]Variant, error) {
	return variants(document, append(envelopedEdits(), signatureEdits(false)...), findEnveloped)
}

func findEnveloped(t *tree) error {
	walk(t.document.Root(), func(e *etree.Element) bool {
		s := child(e, nsDS, "Signature")
		if s == nil || identifier(e) == "" || reference(s) != "#"+identifier(e) {
			return false
		}
		t.element, t.signature = e, s
		return true
	})
	if t.element == nil {
		return errShape
	}
	return nil
}

// reference returns the URI of the first reference.
func reference(s *etree.Element) string {
	return child(child(s, nsDS, "SignedInfo"), nsDS, "Reference").NotNil().SelectAttrValue("URI", "")
}

// stripped takes the element and its signature apart and out, and leaves the forged
// copy in the element's place, the signature first in it where the schema of a
// Request wants it or last as an Assertion has it.
func (t *tree) stripped() (evil, original *etree.Element) {
	place, last := t.signature.Index(), len(t.element.Child)-1
	take(t.signature)
	evil = forge(t.element)
	original = replace(t.element, evil)
	if place == last {
		evil.AddChild(t.signature)
	} else {
		evil.InsertChildAt(0, t.signature)
	}
	return evil, original
}

func envelopedEdits() []edit {
	const read = "the forged element is read, the signed one verified"
	return names([]edit{
		{"W1", "XSW1 original at the end of the signature", read, true, func(t *tree) error {
			_, original := t.stripped()
			t.signature.AddChild(original)
			return nil
		}},
		{"W2", "XSW2 original before the signature, detached", read, true, func(t *tree) error {
			_, original := t.stripped()
			before(t.signature, original)
			return nil
		}},
		{"W3", "XSW3 forged element before the original", "the first element is read, the signed one is the second", true, func(t *tree) error {
			before(t.element, forge(t.element))
			return nil
		}},
		{"W4", "XSW4 forged element around the original", "the outer element is read, the inner one verified", true, func(t *tree) error {
			evil := forge(t.element)
			evil.AddChild(replace(t.element, evil))
			return nil
		}},
		{"W5", "XSW5 original without signature after the forged element", read, true, func(t *tree) error {
			evil, original := t.stripped()
			after(evil, original)
			return nil
		}},
		{"W6", "XSW6 original inside the KeyInfo of the signature", read, true, func(t *tree) error {
			_, original := t.stripped()
			info := child(t.signature, nsDS, "KeyInfo")
			if info == nil {
				info = element("ds", nsDS, "KeyInfo")
				t.signature.AddChild(info)
			}
			info.AddChild(original)
			return nil
		}},
		{"W7", "XSW7 forged element inside an extension before the original", "a search for the first element of the name finds the forged one", true, func(t *tree) error {
			before(t.element, element("x", "urn:x-attack", "Extensions", forge(t.element)))
			return nil
		}},
		{"W7", "XSW7 original inside an extension of the forged element", "the outer element is read, the inner one verified", true, func(t *tree) error {
			evil := forge(t.element)
			evil.InsertChildAt(0, element("x", "urn:x-attack", "Extensions", replace(t.element, evil)))
			return nil
		}},
		{"W8", "XSW8 original inside a ds:Object of the signature", read, true, func(t *tree) error {
			_, original := t.stripped()
			t.signature.AddChild(element("ds", nsDS, "Object", original))
			return nil
		}},
		{"W13", "forged element with the identifier of the original", "the identifier finds one element, the reader takes the other", true, func(t *tree) error {
			evil := forge(t.element)
			setIdentifier(evil, identifier(t.element))
			after(t.element, evil)
			return nil
		}},
		{"W13", "forged element with the identifier in another attribute", "the identifier finds one element, the reader takes the other", true, func(t *tree) error {
			evil := withoutIdentifier(forge(t.element))
			evil.CreateAttr("Id", identifier(t.element))
			after(t.element, evil)
			return nil
		}},
		{"W13", "forged element with the identifier and white space", "readers that normalize find the other element", true, func(t *tree) error {
			evil := forge(t.element)
			setIdentifier(evil, " "+identifier(t.element)+" ")
			after(t.element, evil)
			return nil
		}},
		{"W15", "the signed element twice", "each reader takes another one of the two", true, func(t *tree) error {
			pin(t.element)
			after(t.element, t.element.Copy())
			return nil
		}},
		{"W16", "forged element after the original", "a reader that takes all of them takes an unsigned one", true, func(t *tree) error {
			after(t.element, forge(t.element))
			return nil
		}},
		{"W17", "signature beside the element", "what holds the signature is taken for signed", true, func(t *tree) error {
			signature := take(t.signature)
			after(t.element, signature)
			return nil
		}},
		{"W17", "signature in the parent, forged element first", "what holds the signature is taken for signed", true, func(t *tree) error {
			signature := take(t.signature)
			before(t.element, forge(t.element))
			before(t.element, signature)
			return nil
		}},
		{"W20", "forged element inside the signature", "a search for the first element of the name finds the forged one", true, func(t *tree) error {
			t.signature.AddChild(element("ds", nsDS, "Object", forge(t.element)))
			return nil
		}},
	})
}

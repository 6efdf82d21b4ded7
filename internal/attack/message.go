package attack

import "github.com/beevik/etree"

// Message returns the attacks on the header signature of a SOAP message (W9 to W24,
// T1 to T3).
func Message(message []byte) ([]Variant, error) {
	var all []edit
	all = append(all, bodyEdits()...)
	all = append(all, timestampEdits()...)
	all = append(all, headerEdits()...)
	all = append(all, tokenEdits()...)
	all = append(all, envelopeEdits()...)
	all = append(all, signatureEdits(true)...)
	return variants(message, names(all), findMessage)
}

func findMessage(t *tree) error {
	t.envelope = t.document.Root()
	t.header = child(t.envelope, nsEnvelope, "Header")
	t.body = child(t.envelope, nsEnvelope, "Body")
	t.security = child(t.header, nsWSSE, "Security")
	t.timestamp = child(t.security, nsWSU, "Timestamp")
	t.binary = child(t.security, nsWSSE, "BinarySecurityToken")
	t.assertion = child(t.security, nsSAML, "Assertion")
	t.signature = child(t.security, nsDS, "Signature")
	if t.body == nil || t.timestamp == nil || t.signature == nil || len(t.body.ChildElements()) == 0 {
		return errShape
	}
	return nil
}

// swapBody puts a forged Body in the place of the signed one, which it returns.
func (t *tree) swapBody() (evil, original *etree.Element) {
	evil = forge(t.body)
	return evil, replace(t.body, evil)
}

func bodyEdits() []edit {
	const gain = "a body of the attacker's is processed under the victim's signature"
	var all []edit
	to := func(name string, place func(t *tree, evil, original *etree.Element)) {
		all = append(all, edit{"W9", "signed Body " + name, gain, true, func(t *tree) error {
			evil, original := t.swapBody()
			place(t, evil, original)
			return nil
		}})
	}
	to("into the Header", func(t *tree, _, o *etree.Element) { t.header.AddChild(o) })
	to("into the Header, before Security", func(t *tree, _, o *etree.Element) { t.header.InsertChildAt(0, o) })
	to("into a wrapper in the Header", func(t *tree, _, o *etree.Element) { t.header.AddChild(wrapper(o)) })
	to("into a wrapper for another role", func(t *tree, _, o *etree.Element) {
		w := wrapper(o)
		w.CreateAttr("xmlns:soap", nsEnvelope)
		w.CreateAttr("soap:actor", "urn:x-other")
		w.CreateAttr("soap:mustUnderstand", "1")
		t.header.AddChild(w)
	})
	to("into Security", func(t *tree, _, o *etree.Element) { t.security.AddChild(o) })
	to("into a wrapper in Security", func(t *tree, _, o *etree.Element) { t.security.AddChild(wrapper(o)) })
	to("into a ds:Object", func(t *tree, _, o *etree.Element) { t.signature.AddChild(element("ds", nsDS, "Object", o)) })
	to("into the KeyInfo", func(t *tree, _, o *etree.Element) { child(t.signature, nsDS, "KeyInfo").AddChild(o) })
	to("into the SecurityTokenReference", func(t *tree, _, o *etree.Element) {
		child(child(t.signature, nsDS, "KeyInfo"), nsWSSE, "SecurityTokenReference").AddChild(o)
	})
	to("into the Timestamp", func(t *tree, _, o *etree.Element) { child(t.timestamp, nsWSU, "Created").AddChild(wrapper(o)) })
	all[len(all)-1].holds = false // the Timestamp is signed
	to("after a forged Body", func(_ *tree, e, o *etree.Element) { after(e, o) })
	to("before a forged Body", func(_ *tree, e, o *etree.Element) { before(e, o) })
	to("in a wrapper after a forged Body", func(_ *tree, e, o *etree.Element) { after(e, wrapper(o)) })
	to("inside a forged Body, after its content", func(_ *tree, e, o *etree.Element) { e.AddChild(o) })
	to("inside a forged Body, before its content", func(_ *tree, e, o *etree.Element) { e.InsertChildAt(0, o) })
	to("inside the content of a forged Body", func(_ *tree, e, o *etree.Element) { e.ChildElements()[0].AddChild(o) })
	to("away, the forged Body without identifier", func(t *tree, e, o *etree.Element) {
		withoutIdentifier(e)
		t.header.AddChild(wrapper(o))
	})
	all = append(all,
		edit{"W9", "forged content before the signed content", gain, false, func(t *tree) error {
			c := t.body.ChildElements()[0]
			before(c, forge(c))
			return nil
		}},
		edit{"W9", "forged content in place of the signed content", gain, false, func(t *tree) error {
			c := t.body.ChildElements()[0]
			replace(c, forge(c))
			return nil
		}},
		edit{"W10", "signed Body away with another identifier", "the identifier finds the forged Body and the digest is not looked at", false, func(t *tree) error {
			evil, original := t.swapBody()
			setIdentifier(evil, identifier(original))
			setIdentifier(original, "moved")
			t.header.AddChild(original)
			return nil
		}},
		edit{"W10", "signed Body away without identifier", "an unresolved reference passes", false, func(t *tree) error {
			_, original := t.swapBody()
			t.header.AddChild(withoutIdentifier(original))
			return nil
		}},
		edit{"W10", "signed Body left out", "an unresolved reference passes", false, func(t *tree) error {
			t.swapBody()
			return nil
		}},
	)
	for _, attribute := range []string{"wsu:Id", "Id", "ID", "AssertionID", "RequestID", "ResponseID", "xml:id"} {
		all = append(all, edit{"W13", "signed Body away, the forged one with its identifier as " + attribute,
			"the identifier finds the one, the place the other", true, func(t *tree) error {
				evil, original := t.swapBody()
				withoutIdentifier(evil).CreateAttr("xmlns:wsu", nsWSU)
				evil.CreateAttr(attribute, identifier(original))
				t.header.InsertChildAt(0, original)
				return nil
			}})
	}
	return append(all, edit{"W13", "signed Body away, the forged one with its identifier and white space",
		"readers that normalize find the other one", true, func(t *tree) error {
			evil, original := t.swapBody()
			setIdentifier(evil, "\t"+identifier(original)+" ")
			t.header.InsertChildAt(0, wrapper(original))
			return nil
		}})
}

func timestampEdits() []edit {
	const gain = "an old message is fresh for ever"
	var all []edit
	to := func(name string, place func(t *tree, evil, original *etree.Element)) {
		all = append(all, edit{"W11", "signed Timestamp " + name, gain, true, func(t *tree) error {
			evil := t.freshTimestamp()
			place(t, evil, replace(t.timestamp, evil))
			return nil
		}})
	}
	to("into the Header", func(t *tree, _, o *etree.Element) { t.header.AddChild(o) })
	to("into a wrapper in the Header", func(t *tree, _, o *etree.Element) { t.header.AddChild(wrapper(o)) })
	to("into a wrapper in Security", func(t *tree, _, o *etree.Element) { t.security.AddChild(wrapper(o)) })
	to("into a ds:Object", func(t *tree, _, o *etree.Element) { t.signature.AddChild(element("ds", nsDS, "Object", o)) })
	to("into the KeyInfo", func(t *tree, _, o *etree.Element) { child(t.signature, nsDS, "KeyInfo").AddChild(o) })
	to("after a fresh one", func(_ *tree, e, o *etree.Element) { after(e, o) })
	to("before a fresh one", func(_ *tree, e, o *etree.Element) { before(e, o) })
	to("inside a fresh one", func(_ *tree, e, o *etree.Element) { e.AddChild(o) })
	to("into a Security for another role", func(t *tree, _, o *etree.Element) { t.header.AddChild(otherSecurity("urn:x-other", o)) })
	to("into a wrapper after the Body", func(t *tree, _, o *etree.Element) { after(t.body, wrapper(o)) })
	return append(all,
		edit{"W11", "unsigned Timestamp in place of the signed one", gain, false, func(t *tree) error {
			replace(t.timestamp, t.freshTimestamp())
			return nil
		}},
		edit{"W11", "no Timestamp", gain, false, func(t *tree) error {
			take(t.timestamp)
			return nil
		}},
	)
}

// freshTimestamp is an unsigned copy with another identifier and, to be fresh and
// another, its times written in another way.
func (t *tree) freshTimestamp() *etree.Element {
	pin(t.timestamp)
	c := t.timestamp.Copy()
	setIdentifier(c, "evil-"+identifier(t.timestamp))
	for _, e := range c.ChildElements() {
		e.SetText(" " + e.Text())
	}
	return c
}

// otherSecurity is a Security header with this actor; none when it is "absent".
func otherSecurity(actor string, children ...*etree.Element) *etree.Element {
	s := element("wsse", nsWSSE, "Security", children...)
	if actor != "absent" {
		s.CreateAttr("xmlns:soap", nsEnvelope)
		s.CreateAttr("soap:actor", actor)
	}
	return s
}

func headerEdits() []edit {
	const gain = "one header is verified, the other is read"
	var all []edit
	for _, actor := range []string{"absent", "", "http://schemas.xmlsoap.org/soap/actor/next"} {
		all = append(all,
			edit{"W12", "empty second Security, actor " + actor, gain, true, func(t *tree) error {
				after(t.security, otherSecurity(actor))
				return nil
			}},
			edit{"W12", "second Security with a fresh Timestamp first, actor " + actor, gain, true, func(t *tree) error {
				before(t.security, otherSecurity(actor, t.freshTimestamp()))
				return nil
			}},
		)
	}
	return append(all,
		edit{"W12", "the signed Security for another role, ours with a fresh Timestamp only", gain, true, func(t *tree) error {
			t.security.CreateAttr("xmlns:soap", nsEnvelope)
			t.security.CreateAttr("soap:actor", "urn:x-other")
			before(t.security, otherSecurity("absent", t.freshTimestamp()))
			return nil
		}},
		edit{"W12", "the signature in a Security for another role", gain, true, func(t *tree) error {
			after(t.security, otherSecurity("urn:x-other", take(t.signature)))
			return nil
		}},
		edit{"W12", "the whole Security inside a wrapper", gain, true, func(t *tree) error {
			w := wrapper()
			w.AddChild(replace(t.security, w))
			return nil
		}},
		edit{"W12", "the whole Security after the Body", gain, true, func(t *tree) error {
			after(t.body, take(t.security))
			return nil
		}},
		edit{"W12", "a second Header with the Security", gain, true, func(t *tree) error {
			h := element("soap", nsEnvelope, "Header", take(t.security))
			after(t.header, h)
			return nil
		}},
		edit{"W20", "a second signature in Security", "one is verified, the other is read", true, func(t *tree) error {
			pin(t.signature)
			after(t.signature, t.signature.Copy())
			return nil
		}},
		edit{"W20", "the signature inside a wrapper in Security", "one is verified, the other is read", true, func(t *tree) error {
			w := wrapper()
			w.AddChild(replace(t.signature, w))
			return nil
		}},
	)
}

func tokenEdits() []edit {
	const gain = "the key of one token verifies, the name in another is believed"
	binary := func(change func(t *tree, str, ref *etree.Element) error) func(*tree) error {
		return func(t *tree) error {
			str := child(child(t.signature, nsDS, "KeyInfo"), nsWSSE, "SecurityTokenReference")
			ref := child(str, nsWSSE, "Reference")
			if t.binary == nil || ref == nil {
				return errShape
			}
			return change(t, str, ref)
		}
	}
	moved := func(name string, place func(t *tree, original *etree.Element)) edit {
		return edit{"W14", "signed token " + name + ", KeyInfo to another in its place", gain, true,
			binary(func(t *tree, _, ref *etree.Element) error {
				evil := t.otherToken()
				original := replace(t.binary, evil)
				ref.CreateAttr("URI", "#"+identifier(evil))
				place(t, original)
				return nil
			})}
	}
	stays := func(name string, place func(t *tree, original *etree.Element)) edit {
		return edit{"W14", "signed token " + name, gain, true, binary(func(t *tree, _, _ *etree.Element) error {
			place(t, take(t.binary))
			return nil
		})}
	}
	return []edit{
		moved("into the Header", func(t *tree, o *etree.Element) { t.header.AddChild(o) }),
		moved("into a wrapper in the Header", func(t *tree, o *etree.Element) { t.header.AddChild(wrapper(o)) }),
		moved("into a ds:Object", func(t *tree, o *etree.Element) { t.signature.AddChild(element("ds", nsDS, "Object", o)) }),
		moved("into a Security for another role", func(t *tree, o *etree.Element) { t.header.AddChild(otherSecurity("urn:x-other", o)) }),
		moved("after the Body", func(t *tree, o *etree.Element) { after(t.body, o) }),
		stays("into the Header", func(t *tree, o *etree.Element) { t.header.AddChild(o) }),
		stays("into a Security for another role", func(t *tree, o *etree.Element) { t.header.AddChild(otherSecurity("urn:x-other", o)) }),
		stays("into the SecurityTokenReference", func(t *tree, o *etree.Element) {
			child(child(t.signature, nsDS, "KeyInfo"), nsWSSE, "SecurityTokenReference").AddChild(element("wsse", nsWSSE, "Embedded", o))
		}),
		{"W14", "second token before the signed one", gain, true, binary(func(t *tree, _, _ *etree.Element) error {
			before(t.binary, t.otherToken())
			return nil
		})},
		{"W14", "second token after the signed one", gain, true, binary(func(t *tree, _, _ *etree.Element) error {
			after(t.binary, t.otherToken())
			return nil
		})},
		{"W14", "KeyInfo to a second token", gain, true, binary(func(t *tree, _, ref *etree.Element) error {
			other := t.otherToken()
			after(t.binary, other)
			ref.CreateAttr("URI", "#"+identifier(other))
			return nil
		})},
		{"W14", "KeyInfo with two references", gain, true, binary(func(t *tree, str, _ *etree.Element) error {
			pin(str)
			after(str, withoutIdentifier(str.Copy()))
			return nil
		})},
		{"W14", "SecurityTokenReference with two references", gain, true, binary(func(_ *tree, _, ref *etree.Element) error {
			pin(ref)
			after(ref, ref.Copy())
			return nil
		})},
		{"W14", "KeyInfo to the Body", gain, true, binary(func(t *tree, _, ref *etree.Element) error {
			ref.CreateAttr("URI", "#"+identifier(t.body))
			return nil
		})},
		{"W14", "KeyInfo to the Timestamp", gain, true, binary(func(t *tree, _, ref *etree.Element) error {
			ref.CreateAttr("URI", "#"+identifier(t.timestamp))
			return nil
		})},
		{"W15", "the assertion twice", gain, true, func(t *tree) error {
			if t.assertion == nil {
				return errShape
			}
			pin(t.assertion)
			after(t.assertion, t.assertion.Copy())
			return nil
		}},
		{"W15", "the assertion twice, the copy without identifier first", gain, true, func(t *tree) error {
			if t.assertion == nil {
				return errShape
			}
			pin(t.assertion)
			before(t.assertion, withoutIdentifier(t.assertion.Copy()))
			return nil
		}},
		{"W16", "a forged assertion before the signed one", gain, true, func(t *tree) error {
			if t.assertion == nil {
				return errShape
			}
			before(t.assertion, forge(t.assertion))
			return nil
		}},
		{"W16", "a forged assertion in place, the signed one in the Header", gain, true, func(t *tree) error {
			if t.assertion == nil {
				return errShape
			}
			evil := forge(t.assertion)
			t.header.AddChild(replace(t.assertion, evil))
			return nil
		}},
		{"W16", "an assertion beside the token", gain, true, func(t *tree) error {
			if t.assertion != nil {
				return errShape
			}
			a := element("saml", nsSAML, "Assertion")
			a.CreateAttr("AssertionID", "evil-assertion")
			before(t.signature, a)
			return nil
		}},
	}
}

// otherToken is a copy of the token with another identifier: another certificate of
// the same key would look like this.
func (t *tree) otherToken() *etree.Element {
	pin(t.binary)
	c := t.binary.Copy()
	setIdentifier(c, "evil-"+identifier(t.binary))
	return c
}

func envelopeEdits() []edit {
	const gain = "the receiver and the verifier see two messages"
	return []edit{
		{"W24", "the SOAP 1.2 namespace", gain, false, func(t *tree) error {
			walk(t.envelope, func(e *etree.Element) bool {
				for i := range e.Attr {
					if e.Attr[i].Value == nsEnvelope {
						e.Attr[i].Value = nsEnvelope12
					}
				}
				return false
			})
			return nil
		}},
		{"W24", "a SOAP 1.2 Envelope around a SOAP 1.1 Header and Body", gain, true, func(t *tree) error {
			outer := element("env12", nsEnvelope12, "Envelope")
			header, body := take(t.header), take(t.body)
			t.frame.RemoveChild(t.envelope)
			outer.AddChild(header)
			outer.AddChild(body)
			t.frame.AddChild(outer)
			return nil
		}},
		{"W24", "a SOAP 1.2 Body before the signed Body", gain, true, func(t *tree) error {
			before(t.body, element("env12", nsEnvelope12, "Body", forge(t.body.ChildElements()[0])))
			return nil
		}},
		{"W24", "a SOAP 1.2 Body after the signed Body", gain, true, func(t *tree) error {
			after(t.body, element("env12", nsEnvelope12, "Body", forge(t.body.ChildElements()[0])))
			return nil
		}},
		{"W24", "a SOAP 1.2 Header before the SOAP 1.1 Header", gain, true, func(t *tree) error {
			before(t.header, element("env12", nsEnvelope12, "Header"))
			return nil
		}},
		{"W24", "Body before Header", gain, true, func(t *tree) error {
			before(t.header, take(t.body))
			return nil
		}},
		{"W24", "an element after the Body", gain, true, func(t *tree) error {
			after(t.body, wrapper())
			return nil
		}},
		{"W24", "an element between Header and Body", gain, true, func(t *tree) error {
			after(t.header, wrapper())
			return nil
		}},
		{"W24", "text in the Envelope", gain, true, func(t *tree) error {
			t.envelope.InsertChildAt(0, etree.NewText("x"))
			return nil
		}},
		{"W24", "text in the Header", gain, true, func(t *tree) error {
			t.header.InsertChildAt(0, etree.NewText("x"))
			return nil
		}},
		{"W24", "text in Security", gain, true, func(t *tree) error {
			t.security.InsertChildAt(0, etree.NewText("x"))
			return nil
		}},
		{"W24", "the signed message inside the Body of a forged one", gain, true, func(t *tree) error {
			body := forge(t.body)
			outer := element("soap", nsEnvelope, "Envelope", element("soap", nsEnvelope, "Header"), body)
			inner := replace(t.envelope, outer)
			body.AddChild(inner)
			return nil
		}},
		{"W24", "the signed message inside the Body, its Security outside", gain, true, func(t *tree) error {
			security := take(t.security)
			outer := element("soap", nsEnvelope, "Envelope", element("soap", nsEnvelope, "Header", security))
			inner := replace(t.envelope, outer)
			outer.AddChild(element("soap", nsEnvelope, "Body", inner))
			return nil
		}},
		{"W24", "the signed message inside the Header of a forged one", gain, true, func(t *tree) error {
			security := take(t.security)
			body := forge(t.body)
			outer := element("soap", nsEnvelope, "Envelope")
			inner := replace(t.envelope, outer)
			outer.AddChild(element("soap", nsEnvelope, "Header", security, wrapper(inner)))
			outer.AddChild(body)
			return nil
		}},
	}
}

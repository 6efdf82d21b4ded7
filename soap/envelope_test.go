package soap_test

import (
	"errors"
	"strings"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

const next = "http://schemas.xmlsoap.org/soap/actor/next"

// TestEnvelope is SOAP 1.1 section 4 and WS-I Basic Profile: what stands where.
func TestEnvelope(t *testing.T) {
	block := `<x:Block xmlns:x="urn:x"/>`
	for name, c := range map[string]struct {
		change func(*draft)
		reason soap.Reason // zero: admitted
		rule   string
	}{
		"as a client sends it": {func(*draft) {}, 0, ""},
		"white space and comments": {func(d *draft) {
			d.headerOpen, d.tail = "\r\n <!-- c --> "+d.headerOpen+"\n", " <!-- c --> "+d.tail+"\n"
		}, 0, ""},
		"XML declaration": {func(d *draft) { d.open = `<?xml version="1.0" encoding="UTF-8"?>` + d.open }, 0, ""},
		"ill-formed":      {func(d *draft) { d.tail = "" }, soap.Malformed, ""},
		"DTD":             {func(d *draft) { d.open = `<!DOCTYPE x>` + d.open }, soap.Malformed, ""},
		"another root": {func(d *draft) {
			d.open, d.tail = `<a xmlns:soapenv="urn:a" xmlns:wsse="urn:b" xmlns:wsu="urn:c" xmlns:ds="urn:d">`, `</a>`
		}, soap.NotSOAP, ""},
		"SOAP 1.2 (W24)": {func(d *draft) {
			d.open = strings.Replace(d.open, soap.NamespaceEnvelope, "http://www.w3.org/2003/05/soap-envelope", 1)
		}, soap.VersionMismatch, ""},
		"Envelope of no namespace": {func(d *draft) {
			d.open, d.tail = strings.Replace(d.open, "soapenv:Envelope", "Envelope", 1), "</Envelope>"
		}, soap.VersionMismatch, ""},
		"Envelope of another one": {func(d *draft) {
			d.open = strings.Replace(d.open, soap.NamespaceEnvelope, "urn:schemas-xmlsoap-org:soap.v1", 1)
		}, soap.VersionMismatch, ""},
		"text in Envelope":         {func(d *draft) { d.headerOpen = "x" + d.headerOpen }, soap.BadEnvelope, ""},
		"CDATA in Envelope":        {func(d *draft) { d.headerOpen = "<![CDATA[x]]>" + d.headerOpen }, soap.BadEnvelope, ""},
		"text after Body":          {func(d *draft) { d.tail = "x" + d.tail }, soap.BadEnvelope, ""},
		"Body before Header (W24)": {func(d *draft) { d.open, d.body = d.open+d.body, "" }, soap.BadEnvelope, ""},
		"two Headers":              {func(d *draft) { d.open += "<soapenv:Header/>" }, soap.BadEnvelope, ""},
		"element before Header":    {func(d *draft) { d.open += block }, soap.BadEnvelope, ""},
		"element before Body":      {func(d *draft) { d.headerClose += block }, soap.BadEnvelope, ""},
		"element after Body (W9)":  {func(d *draft) { d.tail = block + d.tail }, soap.BadEnvelope, ""},
		"two Bodies (W9)":          {func(d *draft) { d.tail = `<soapenv:Body/>` + d.tail }, soap.BadEnvelope, ""},
		"Body of SOAP 1.2 (W24)": {func(d *draft) {
			d.body = `<e:Body xmlns:e="http://www.w3.org/2003/05/soap-envelope" wsu:Id="B"><a/></e:Body>`
		}, soap.BadEnvelope, ""},
		"Header of SOAP 1.2 (W24)": {func(d *draft) { d.open += `<e:Header xmlns:e="http://www.w3.org/2003/05/soap-envelope"/>` }, soap.BadEnvelope, ""},
		"no Body":                  {func(d *draft) { d.body = "" }, soap.NoBody, ""},
		"empty Body":               {func(d *draft) { d.body = `<soapenv:Body wsu:Id="B"/>` }, soap.NoBody, ""},
		"text in Body":             {func(d *draft) { d.body = `<soapenv:Body wsu:Id="B">x<a/></soapenv:Body>` }, soap.NoBody, ""},
		"only text in Body":        {func(d *draft) { d.body = `<soapenv:Body wsu:Id="B">x</soapenv:Body>` }, soap.NoBody, ""},
		"two elements in Body":     {func(d *draft) { d.body = `<soapenv:Body wsu:Id="B"><a/><b/></soapenv:Body>` }, soap.NoBody, ""},
		"comment in Body":          {func(d *draft) { d.body = `<soapenv:Body wsu:Id="B"><!--c--><a/><!--c--></soapenv:Body>` }, 0, ""},
		"no Header":                {func(d *draft) { *d = draft{open: d.open, body: d.body, tail: d.tail, leaf: d.leaf, refs: nil} }, soap.NoSecurity, ""},
		"empty Header": {func(d *draft) {
			*d = draft{open: d.open + "<soapenv:Header/>", body: d.body, tail: d.tail, leaf: d.leaf}
		}, soap.NoSecurity, ""},
		"text in Header":              {func(d *draft) { d.before = "x" }, soap.BadEnvelope, ""},
		"Security of another role":    {func(d *draft) { d.securityOpen = `<wsse:Security soapenv:actor="urn:other">` }, soap.NoSecurity, ""},
		"Security, actor next":        {func(d *draft) { d.securityOpen = `<wsse:Security soapenv:actor="` + next + `">` }, 0, ""},
		"Security, actor empty":       {func(d *draft) { d.securityOpen = `<wsse:Security soapenv:actor="">` }, 0, ""},
		"Security, unqualified actor": {func(d *draft) { d.securityOpen = `<wsse:Security actor="urn:other">` }, 0, ""},
		"Security, our actor":         {func(d *draft) { d.securityOpen = `<wsse:Security soapenv:actor="urn:ours">` }, 0, ""},
		"Security of no namespace":    {func(d *draft) { d.securityOpen, d.securityClose = `<Security>`, `</Security>` }, soap.NoSecurity, ""},
		"Security inside a block":     {func(d *draft) { d.before, d.after = `<x:B xmlns:x="urn:x">`, `</x:B>` }, soap.NoSecurity, ""},
		"mustUnderstand 0":            {func(d *draft) { d.securityOpen = `<wsse:Security soapenv:mustUnderstand="0">` }, 0, ""},
		"mustUnderstand true":         {func(d *draft) { d.securityOpen = `<wsse:Security soapenv:mustUnderstand="true">` }, soap.BadEnvelope, ""},
		"mustUnderstand 2":            {func(d *draft) { d.securityOpen = `<wsse:Security soapenv:mustUnderstand="2">` }, soap.BadEnvelope, ""},
		"mustUnderstand empty":        {func(d *draft) { d.securityOpen = `<wsse:Security soapenv:mustUnderstand="">` }, soap.BadEnvelope, ""},
		"a block":                     {func(d *draft) { d.before = block }, 0, ""},
		"a block, mustUnderstand 0":   {func(d *draft) { d.before = `<x:B xmlns:x="urn:x" soapenv:mustUnderstand="0"/>` }, 0, ""},
		"a mandatory block":           {func(d *draft) { d.before = `<x:B xmlns:x="urn:x" soapenv:mustUnderstand="1"/>` }, soap.NotUnderstood, ""},
		"a mandatory block after":     {func(d *draft) { d.after = `<x:B xmlns:x="urn:x" soapenv:mustUnderstand="1"/>` }, soap.NotUnderstood, ""},
		"a mandatory block, next": {func(d *draft) {
			d.after = `<x:B xmlns:x="urn:x" soapenv:actor="` + next + `" soapenv:mustUnderstand="1"/>`
		}, soap.NotUnderstood, ""},
		"a mandatory block, our actor": {func(d *draft) { d.after = `<x:B xmlns:x="urn:x" soapenv:actor="urn:ours" soapenv:mustUnderstand="1"/>` }, soap.NotUnderstood, ""},
		"a mandatory block, other": {func(d *draft) {
			d.after = `<x:B xmlns:x="urn:x" soapenv:actor="urn:other" soapenv:mustUnderstand="1"/>`
		}, 0, ""},
		"mandatory in SOAP 1.2": {func(d *draft) {
			d.after = `<x:B xmlns:x="urn:x" xmlns:e="http://www.w3.org/2003/05/soap-envelope" e:mustUnderstand="1"/>`
		}, 0, ""},
		"a block, mustUnderstand x": {func(d *draft) { d.after = `<x:B xmlns:x="urn:x" soapenv:mustUnderstand="x"/>` }, soap.BadEnvelope, ""},
		"two Security (W12)":        {func(d *draft) { d.after = `<wsse:Security/>` }, soap.BadSecurity, "R3206"},
		"two, first empty (W12)":    {func(d *draft) { d.before = `<wsse:Security/>` }, soap.BadSecurity, "R3206"},
		"two, next (W12)":           {func(d *draft) { d.after = `<wsse:Security soapenv:actor="` + next + `"/>` }, soap.BadSecurity, "R3206"},
		"two, empty actor (W12)":    {func(d *draft) { d.after = `<wsse:Security soapenv:actor=""/>` }, soap.BadSecurity, "R3206"},
		"two, our actor (W12)":      {func(d *draft) { d.after = `<wsse:Security soapenv:actor="urn:ours"/>` }, soap.BadSecurity, "R3206"},
		"two, other actor":          {func(d *draft) { d.after = `<wsse:Security soapenv:actor="urn:other"/>` }, 0, ""},
		"text in Security":          {func(d *draft) { d.rest = "x" }, soap.BadSecurity, ""},
		"two Timestamps (W11)":      {func(d *draft) { d.rest = `<wsu:Timestamp/>` }, soap.BadSecurity, "R3227"},
		"no Timestamp":              {func(d *draft) { d.timestamp, d.refs = "", over("B", "X509") }, soap.BadTimestamp, ""},
		"two tokens (W14)":          {func(d *draft) { d.rest = `<wsse:BinarySecurityToken/>` }, soap.BadSecurity, ""},
		"two signatures (W20)":      {func(d *draft) { d.rest = `<ds:Signature/>` }, soap.BadSecurity, ""},
		"no signature (W21)":        {func(d *draft) { d.signature = "" }, soap.BadSecurity, ""},
		"two assertions (W15)": {func(d *draft) {
			d.rest = strings.Repeat(`<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion"/>`, 2)
		}, soap.BadSecurity, ""},
		"UsernameToken":               {func(d *draft) { d.rest = `<wsse:UsernameToken/>` }, soap.UnsupportedToken, ""},
		"SAML 2.0 assertion":          {func(d *draft) { d.rest = `<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/>` }, soap.UnsupportedToken, ""},
		"EncryptedKey (W22)":          {func(d *draft) { d.rest = `<x:EncryptedKey xmlns:x="http://www.w3.org/2001/04/xmlenc#"/>` }, soap.UnsupportedToken, ""},
		"an assertion beside (W16)":   {func(d *draft) { d.rest = `<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion"/>` }, soap.UnsupportedToken, ""},
		"token, signature, Timestamp": {func(d *draft) { d.rest, d.timestamp = d.timestamp, "" }, 0, ""},
		"signature first":             {func(d *draft) { d.rest, d.timestamp, d.token = d.timestamp+d.token, "", "" }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft()
			c.change(d)
			var message []byte
			if c.reason == soap.Malformed {
				message = []byte(d.text())
			} else {
				message = d.sign(t)
			}
			config := config()
			config.Actor = "urn:ours"
			err := judge(t, message, config, policy(), trust(&testpki.Load().AliceEIDP256), testpki.Now())
			if c.reason == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, c.reason, c.rule)
		})
	}
}

// TestOurActor: without an Actor only next and the ultimate receiver are us.
func TestOurActor(t *testing.T) {
	d := newDraft()
	d.securityOpen = `<wsse:Security soapenv:actor="urn:ours">`
	refused(t, judged(t, d.sign(t)), soap.NoSecurity, "")
	d = newDraft()
	d.after = `<x:B xmlns:x="urn:x" soapenv:actor="urn:ours" soapenv:mustUnderstand="1"/>`
	if err := judged(t, d.sign(t)); err != nil {
		t.Error(err)
	}
}

// TestZeroValues: what nobody made proves nothing and admits nothing.
func TestZeroValues(t *testing.T) {
	message := newDraft().sign(t)
	_, err := soap.Parse(message, &soap.Config{})
	refused(t, err, soap.Malformed, "")
	var syntax *xmltext.SyntaxError
	if !errors.As(err, &syntax) || syntax.Reason != xmltext.TooLarge {
		t.Errorf("the zero Config: %v", err)
	}

	refused(t, judge(t, message, config(), &soap.Policy{}, trust(&testpki.Load().AliceEIDP256), testpki.Now()), soap.BadTimestamp, "")
	for name, c := range map[string]struct {
		change func(*soap.Policy)
		reason soap.Reason
	}{
		"Timestamp": {func(p *soap.Policy) { p.Timestamp = soap.TimestampPolicy{} }, soap.BadTimestamp},
		"Tokens":    {func(p *soap.Policy) { p.Tokens = nil }, soap.UnsupportedToken},
		"no Tokens": {func(p *soap.Policy) { p.Tokens = []soap.TokenKind{0} }, soap.UnsupportedToken},
		"Signature": {func(p *soap.Policy) { p.Signature = xmlsec.Policy{} }, soap.UnsupportedAlgorithm},
		"Replay":    {func(p *soap.Policy) { p.Replay = nil }, soap.NoReplayState},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy()
			c.change(p)
			refused(t, judge(t, message, config(), p, trust(&testpki.Load().AliceEIDP256), testpki.Now()), c.reason, "")
		})
	}
	t.Run("no key", func(t *testing.T) {
		refused(t, judge(t, message, config(), policy(), &keys{}, testpki.Now()), soap.BadSignature, "")
	})

	var s soap.Signed
	if !s.Body().IsZero() || s.Token() != nil || !s.Created().IsZero() || s.Digest() != [32]byte{} {
		t.Error("the zero Signed holds something")
	}
	e, err := soap.Parse(message, config())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := e.Verify(policy(), trust(&testpki.Load().AliceEIDP256), testpki.Now())
	if err != nil {
		t.Fatal(err)
	}
	if s.Covers(signed.Body()) {
		t.Error("the zero Signed covers something")
	}
	e.Release()
	e.Release()
	(*soap.Envelope)(nil).Release()
	if _, err := new(soap.Envelope).Verify(policy(), trust(&testpki.Load().AliceEIDP256), testpki.Now()); err == nil {
		t.Error("the zero Envelope verifies")
	}
	if _, err := e.Verify(policy(), trust(&testpki.Load().AliceEIDP256), testpki.Now()); err == nil {
		t.Error("a released Envelope verifies")
	}
}

func TestReasons(t *testing.T) {
	seen := map[string]bool{}
	for r := soap.Malformed; r <= soap.NoReplayState; r++ {
		if s := r.String(); strings.HasPrefix(s, "reason ") || seen[s] {
			t.Errorf("reason %d: %q", r, s)
		} else {
			seen[s] = true
		}
	}
	if s := soap.Reason(0).String() + soap.Reason(200).String(); s != "reason 0reason 200" {
		t.Error(s)
	}
	e := &soap.Error{Reason: soap.BadToken, Rule: "R3029", Detail: "detail", Err: errors.New("cause")}
	if e.Error() != "soap: malformed security token (BSP R3029): detail: cause" || !errors.Is(e, e.Err) {
		t.Error(e)
	}
}

package soap_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

const (
	x509profile = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#"
	assertionID = "_4f3a"
)

// plain is an assertion as far as this package looks at it.
const plain = `<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="` + assertionID + `"><a:X/></a:Assertion>`

func byAssertion(id string) string {
	return keyInfo(`<wsse:KeyIdentifier ValueType="` + xmlsec.ValueTypeAssertionID + `">` + id + `</wsse:KeyIdentifier>`)
}

func TestBinarySecurityToken(t *testing.T) {
	pki := testpki.Load()
	der := pki.AliceEIDP256.DER
	text := base64.StdEncoding.EncodeToString(der)
	token := func(attributes, content string) string {
		return `<wsse:BinarySecurityToken wsu:Id="X509"` + attributes + `>` + content + `</wsse:BinarySecurityToken>`
	}
	both := ` EncodingType="` + xmlsec.EncodingBase64 + `" ValueType="` + xmlsec.ValueTypeX509v3 + `"`
	path := func(certificates ...[]byte) []byte {
		out, err := soap.AppendPKIPath(nil, certificates...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	many := make([][]byte, 6)
	for i := range many {
		many[i] = der
	}
	pathInfo := keyInfo(`<wsse:Reference URI="#X509" ValueType="` + xmlsec.ValueTypePKIPathv1 + `"/>`)
	for name, c := range map[string]struct {
		token   string
		keyInfo string
		reason  soap.Reason // zero: admitted
		rule    string
		path    int
	}{
		"as a client sends it":        {token(both, text), "", 0, "", 0},
		"lines":                       {token(both, "\n"+text[:64]+"\n"+text[64:]+"\n"), "", 0, "", 0},
		"CR as Java leaves it":        {token(both, text[:76]+"&#13;\n"+text[76:]), "", 0, "", 0},
		"spaces":                      {token(both, " "+text[:10]+" \t"+text[10:]), "", 0, "", 0},
		"comment inside (D1)":         {token(both, text[:40]+"<!-- x -->"+text[40:]), "", 0, "", 0},
		"CDATA":                       {token(both, "<![CDATA["+text+"]]>"), "", 0, "", 0},
		"element inside":              {token(both, text+"<a/>"), "", soap.BadToken, "", 0},
		"empty":                       {token(both, ""), "", soap.BadToken, "", 0},
		"only a comment":              {token(both, "<!-- x -->"), "", soap.BadToken, "", 0},
		"no base64":                   {token(both, "????"), "", soap.BadToken, "", 0},
		"base64url":                   {token(both, strings.NewReplacer("+", "-", "/", "_").Replace(text)), "", soap.BadToken, "", 0},
		"padding short":               {token(both, strings.TrimRight(text, "=")+"A"), "", soap.BadToken, "", 0},
		"no EncodingType":             {token(` ValueType="`+xmlsec.ValueTypeX509v3+`"`, text), "", soap.BadToken, "R3029", 0},
		"HexBinary":                   {token(strings.Replace(both, "#Base64Binary", "#HexBinary", 1), text), "", soap.BadToken, "R3030", 0},
		"no ValueType":                {token(` EncodingType="`+xmlsec.EncodingBase64+`"`, text), "", soap.UnsupportedToken, "R3031", 0},
		"qualified ValueType":         {token(` EncodingType="`+xmlsec.EncodingBase64+`" wsse:ValueType="`+xmlsec.ValueTypeX509v3+`"`, text), "", soap.UnsupportedToken, "R3031", 0},
		"PKCS7":                       {token(strings.Replace(both, "#X509v3", "#PKCS7", 1), text), "", soap.UnsupportedToken, "R3032", 0},
		"X509v1":                      {token(strings.Replace(both, "#X509v3", "#X509v1", 1), text), "", soap.UnsupportedToken, "R3032", 0},
		"another ValueType":           {binaryToken(xmlsec.ValueTypePKIPathv1, path(der)), "", soap.BadSecurity, "R3058", 0},
		"reference without ValueType": {token(both, text), keyInfo(`<wsse:Reference URI="#X509"/>`), 0, "", 0},
		"path of one":                 {binaryToken(xmlsec.ValueTypePKIPathv1, path(der)), pathInfo, 0, "", 0},
		"path of three":               {binaryToken(xmlsec.ValueTypePKIPathv1, path(pki.CitizenRoot.DER(), pki.CitizenCA.DER(), der)), pathInfo, 0, "", 2},
		"path of five":                {binaryToken(xmlsec.ValueTypePKIPathv1, path(many[:5]...)), pathInfo, 0, "", 4},
		"path of six (K5)":            {binaryToken(xmlsec.ValueTypePKIPathv1, path(many...)), pathInfo, soap.BadToken, "", 0},
		"empty path":                  {binaryToken(xmlsec.ValueTypePKIPathv1, []byte{0x30, 0}), pathInfo, soap.BadToken, "", 0},
		"certificate for a path":      {binaryToken(xmlsec.ValueTypePKIPathv1, der), pathInfo, soap.BadToken, "", 0},
		"octets after a path":         {binaryToken(xmlsec.ValueTypePKIPathv1, append(path(der), 0)), pathInfo, soap.BadToken, "", 0},
		"a path cut short":            {binaryToken(xmlsec.ValueTypePKIPathv1, path(der)[:40]), pathInfo, soap.BadToken, "", 0},
		"a path of no sequences":      {binaryToken(xmlsec.ValueTypePKIPathv1, []byte{0x30, 3, 2, 1, 1}), pathInfo, soap.BadToken, "", 0},
		"indefinite length":           {binaryToken(xmlsec.ValueTypePKIPathv1, append([]byte{0x30, 0x80}, 0, 0)), pathInfo, soap.BadToken, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft()
			d.token = c.token
			if c.keyInfo != "" {
				d.keyInfo = c.keyInfo
			}
			k := trust(&pki.AliceEIDP256)
			err := judge(t, d.sign(t), config(), policy(), k, testpki.Now())
			if c.reason != 0 {
				refused(t, err, c.reason, c.rule)
				if k.asked.Load() != 0 {
					t.Error("Keys was asked about a token that cannot be read")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("what Keys sees", func(t *testing.T) {
		d := newDraft()
		d.token, d.keyInfo = binaryToken(xmlsec.ValueTypePKIPathv1, path(pki.CitizenRoot.DER(), pki.CitizenCA.DER(), der)), pathInfo
		e, err := soap.Parse(d.sign(t), config())
		if err != nil {
			t.Fatal(err)
		}
		defer e.Release()
		k := trust(&pki.AliceEIDP256)
		s, err := e.Verify(policy(), k, testpki.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []*soap.Token{&k.token, s.Token()} {
			if token.Kind != soap.X509 || !bytes.Equal(token.Certificate, der) || len(token.Path) != 2 ||
				!bytes.Equal(token.Path[0], pki.CitizenCA.DER()) || !bytes.Equal(token.Path[1], pki.CitizenRoot.DER()) ||
				!token.Node.Is(xmlsec.NamespaceWSSE, "BinarySecurityToken") || token.KeyInfo.Selector != xmlsec.ByReference {
				t.Errorf("token %+v", token)
			}
		}
	})
	t.Run("PKIPath", func(t *testing.T) {
		if out, err := soap.AppendPKIPath(nil); err != nil || !bytes.Equal(out, []byte{0x30, 0}) {
			t.Errorf("%x %v", out, err)
		}
		if out, err := soap.AppendPKIPath([]byte{1}, []byte{0x30, 0}); err != nil || !bytes.Equal(out, []byte{1, 0x30, 2, 0x30, 0}) {
			t.Errorf("%x %v", out, err)
		}
	})
}

// TestSecurityTokenReference: how a signature may name its token (attacks.md A6, A7,
// W14, T4).
func TestSecurityTokenReference(t *testing.T) {
	leaf := &testpki.Load().AliceEIDP256
	serial := `<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>`
	ski := `<wsse:KeyIdentifier EncodingType="` + xmlsec.EncodingBase64 + `" ValueType="` + x509profile + `X509SubjectKeyIdentifier">AAAA</wsse:KeyIdentifier>`
	thumbprint := `<wsse:KeyIdentifier EncodingType="` + xmlsec.EncodingBase64 + `" ValueType="http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1">AAAA</wsse:KeyIdentifier>`
	certificate := `<ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(leaf.DER) + `</ds:X509Certificate></ds:X509Data>`
	for name, c := range map[string]struct {
		keyInfo  string
		change   func(*draft)
		reason   soap.Reason
		rule     string
		selector xmlsec.Selector
	}{
		"direct":                  {keyInfo(direct), nil, 0, "", xmlsec.ByReference},
		"issuer and serial":       {keyInfo(serial), nil, 0, "", xmlsec.ByIssuerSerial},
		"subject key identifier":  {keyInfo(ski), nil, 0, "", xmlsec.BySKI},
		"thumbprint":              {keyInfo(thumbprint), nil, 0, "", xmlsec.ByThumbprint},
		"issuer, no token":        {keyInfo(serial), func(d *draft) { d.token, d.refs = "", over("B", "TS") }, soap.UnsupportedToken, "", 0},
		"identifier, no token":    {keyInfo(ski), func(d *draft) { d.token, d.refs = "", over("B", "TS") }, soap.UnsupportedToken, "", 0},
		"thumbprint, no token":    {keyInfo(thumbprint), func(d *draft) { d.token, d.refs = "", over("B", "TS") }, soap.UnsupportedToken, "", 0},
		"assertion":               {byAssertion(assertionID), func(d *draft) { d.token, d.refs = plain, over("B", "TS") }, 0, "", xmlsec.ByAssertionID},
		"assertion, also covered": {byAssertion(assertionID), func(d *draft) { d.token, d.refs = plain, over("B", "TS", assertionID) }, 0, "", xmlsec.ByAssertionID},
		"assertion and token":     {byAssertion(assertionID), func(d *draft) { d.rest = plain }, soap.UnsupportedToken, "", 0},
		"assertion not there":     {byAssertion("_other"), func(d *draft) { d.token, d.refs = plain, over("B", "TS") }, soap.BadSecurity, "", 0},
		"assertion in the Header": {byAssertion(assertionID), func(d *draft) { d.token, d.before, d.refs = "", plain, over("B", "TS") }, soap.BadSecurity, "", 0},
		"assertion in the Body": {byAssertion(assertionID), func(d *draft) {
			d.body, d.token, d.refs = `<soapenv:Body wsu:Id="B">`+plain+`</soapenv:Body>`, "", over("B", "TS")
		}, soap.BadSecurity, "", 0},
		"assertion id of the Body":     {byAssertion("B"), nil, soap.BadSecurity, "", 0},
		"assertion by direct":          {keyInfo(`<wsse:Reference URI="#` + assertionID + `"/>`), func(d *draft) { d.token, d.refs = plain, over("B", "TS") }, soap.BadSecurity, "R3066", 0},
		"EncodingType with it":         {strings.Replace(byAssertion(assertionID), "<wsse:KeyIdentifier", `<wsse:KeyIdentifier EncodingType="`+xmlsec.EncodingBase64+`"`, 1), func(d *draft) { d.token, d.refs = plain, over("B", "TS") }, soap.BadSecurity, "R6604", 0},
		"no KeyInfo":                   {"", nil, soap.BadSecurity, "R5402", 0},
		"empty KeyInfo":                {`<ds:KeyInfo/>`, nil, soap.BadSecurity, "", 0},
		"X509Data in KeyInfo":          {`<ds:KeyInfo>` + certificate + `</ds:KeyInfo>`, nil, soap.BadSecurity, "R5417", 0},
		"certificate in the reference": {keyInfo(certificate), nil, soap.BadSecurity, "", 0},
		"KeyName":                      {`<ds:KeyInfo><ds:KeyName>x</ds:KeyName></ds:KeyInfo>`, nil, soap.BadSecurity, "", 0},
		"KeyName in the reference":     {keyInfo(`<ds:KeyName>x</ds:KeyName>`), nil, soap.BadSecurity, "R3061", 0},
		"KeyName beside":               {strings.Replace(keyInfo(direct), "</ds:KeyInfo>", "<ds:KeyName>x</ds:KeyName></ds:KeyInfo>", 1), nil, soap.BadSecurity, "", 0},
		"RetrievalMethod (T4)":         {`<ds:KeyInfo><ds:RetrievalMethod URI="file:///etc/hostname"/></ds:KeyInfo>`, nil, soap.BadSecurity, "", 0},
		"empty reference":              {keyInfo(""), nil, soap.BadSecurity, "", 0},
		"two references":               {keyInfo(direct + direct), nil, soap.BadSecurity, "R3061", 0},
		"direct and issuer":            {keyInfo(direct + serial), nil, soap.BadSecurity, "R3061", 0},
		"Embedded":                     {keyInfo(`<wsse:Embedded/>`), nil, soap.BadSecurity, "R3061", 0},
		"text":                         {keyInfo("x" + direct), nil, soap.BadSecurity, "", 0},
		"comment":                      {keyInfo("<!-- -->" + direct), nil, soap.BadSecurity, "", 0},
		"URI to nothing":               {keyInfo(`<wsse:Reference URI="#other"/>`), nil, soap.BadSecurity, "", 0},
		"URI to another document":      {keyInfo(`<wsse:Reference URI="http://127.0.0.1:9/#X509"/>`), nil, soap.BadSecurity, "R5204", 0},
		"no URI":                       {keyInfo(`<wsse:Reference/>`), nil, soap.BadSecurity, "R5204", 0},
		"to itself (A7)":               {keyInfo(`<wsse:Reference URI="#STR"/>`), nil, soap.BadSecurity, "R3057", 0},
		"to the Body":                  {keyInfo(`<wsse:Reference URI="#B"/>`), nil, soap.BadSecurity, "R3066", 0},
		"to the Timestamp":             {keyInfo(`<wsse:Reference URI="#TS"/>`), nil, soap.BadSecurity, "R3066", 0},
		"to a token in the Header":     {keyInfo(`<wsse:Reference URI="#X509"/>`), func(d *draft) { d.before, d.token = d.token, "" }, soap.BadSecurity, "R3066", 0},
		"to a token of another role": {keyInfo(`<wsse:Reference URI="#X509"/>`), func(d *draft) {
			d.after, d.token = `<wsse:Security soapenv:actor="urn:other">`+d.token+`</wsse:Security>`, ""
		}, soap.BadSecurity, "R3066", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft()
			d.keyInfo = c.keyInfo
			if c.change != nil {
				c.change(d)
			}
			k := trust(leaf)
			err := judge(t, d.sign(t), config(), policy(), k, testpki.Now())
			if c.reason != 0 {
				refused(t, err, c.reason, c.rule)
				if k.asked.Load() != 0 {
					t.Error("Keys was asked")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if k.token.KeyInfo.Selector != c.selector || k.asked.Load() != 1 {
				t.Errorf("selector %d, asked %d times", k.token.KeyInfo.Selector, k.asked.Load())
			}
		})
	}
}

// TestTokenKinds: only the kinds that the policy lists are handed to Keys.
func TestTokenKinds(t *testing.T) {
	leaf := &testpki.Load().AliceEIDP256
	saml := newDraft()
	saml.keyInfo, saml.token, saml.refs = byAssertion(assertionID), plain, over("B", "TS")
	for kind, message := range map[soap.TokenKind][]byte{soap.X509: newDraft().sign(t), soap.SAMLAssertion: saml.sign(t)} {
		for _, admitted := range []soap.TokenKind{soap.X509, soap.SAMLAssertion} {
			p, k := policy(), trust(leaf)
			p.Tokens = []soap.TokenKind{admitted}
			err := judge(t, message, config(), p, k, testpki.Now())
			if kind == admitted && err != nil {
				t.Error(kind, err)
			}
			if kind != admitted {
				refused(t, err, soap.UnsupportedToken, "")
				if k.asked.Load() != 0 {
					t.Error("Keys was asked")
				}
			}
		}
	}
}

// TestSTRTransform: a reference through the SecurityTokenReference covers the token
// (SOAP Message Security 1.0 section 8.3), and only the token that it leads to.
func TestSTRTransform(t *testing.T) {
	transform := `<ds:Transform Algorithm="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform">` +
		`<wsse:TransformationParameters xmlns:wsse="` + xmlsec.NamespaceWSSE + `"><ds:CanonicalizationMethod Algorithm="` + exclusive +
		`"></ds:CanonicalizationMethod></wsse:TransformationParameters></ds:Transform>`
	element := func(id string) func(*xmltext.Document) []byte {
		return func(d *xmltext.Document) []byte {
			n, _ := d.ElementByID([]byte(id))
			out, err := c14n.Append(nil, n, c14n.Options{DefaultAtApex: true})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	t.Run("covers the token", func(t *testing.T) {
		d := newDraft()
		d.refs = append(over("B", "TS"), ref{"STR", transform, element("X509")})
		if err := judged(t, d.sign(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("leads to another element (T6)", func(t *testing.T) {
		// The digest is that of the Body; the token in the header is not covered.
		d := newDraft()
		d.after = `<x:S xmlns:x="urn:x"><wsse:SecurityTokenReference wsu:Id="other"><wsse:Reference URI="#B"/></wsse:SecurityTokenReference></x:S>`
		d.refs = append(over("B", "TS"), ref{"other", transform, element("B")})
		refused(t, judged(t, d.sign(t)), soap.NotCovered, "")
	})
	t.Run("a plain reference to the reference", func(t *testing.T) {
		d := newDraft()
		d.after = `<x:S xmlns:x="urn:x"><wsse:SecurityTokenReference wsu:Id="other">` + direct + `</wsse:SecurityTokenReference></x:S>`
		d.refs = over("B", "TS", "other")
		refused(t, judged(t, d.sign(t)), soap.NotCovered, "")
	})
	t.Run("of another element", func(t *testing.T) {
		d := newDraft()
		d.refs = append(over("B", "TS"), ref{"X509", transform, element("X509")})
		refused(t, judged(t, d.sign(t)), soap.UnsupportedAlgorithm, "")
	})
}

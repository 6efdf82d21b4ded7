package soap_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"crypto/x509"
	"encoding/pem"

	"sceau/internal/attack"
	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// TestCoverage: Body, Timestamp and token are signed, each the element in its place.
func TestCoverage(t *testing.T) {
	wrap := func(content string) string { return `<x:W xmlns:x="urn:x">` + content + `</x:W>` }
	forgedBody := `<soapenv:Body wsu:Id="evil"><q:Ask xmlns:q="urn:q">evil</q:Ask></soapenv:Body>`
	fresh := strings.Replace(newDraft().timestamp, `"TS"`, `"evil"`, 1)
	other := strings.Replace(newDraft().token, `"X509"`, `"evil"`, 1)
	otherInfo := keyInfo(`<wsse:Reference URI="#evil"/>`)
	for name, c := range map[string]struct {
		change func(*draft)
		reason soap.Reason
	}{
		"all three":        {func(*draft) {}, 0},
		"in another order": {func(d *draft) { d.refs = over("TS", "X509", "B") }, 0},
		"and more":         {func(d *draft) { d.before, d.refs = `<x:H xmlns:x="urn:x" wsu:Id="H"/>`, over("H", "TS", "B", "X509") }, 0},
		"no Body":          {func(d *draft) { d.refs = over("TS", "X509") }, soap.NotCovered},
		"no Timestamp":     {func(d *draft) { d.refs = over("B", "X509") }, soap.NotCovered},
		"no token":         {func(d *draft) { d.refs = over("B", "TS") }, soap.NotCovered},
		"only the token":   {func(d *draft) { d.refs = over("X509") }, soap.NotCovered},
		"the content instead of the Body": {func(d *draft) {
			d.body, d.refs = `<soapenv:Body><q:Ask xmlns:q="urn:q" Id="C"/></soapenv:Body>`, over("C", "TS", "X509")
		}, soap.NotCovered},
		"the Header instead of its parts": {func(d *draft) { d.refs = []ref{{id: "B"}, {id: "H"}}; d.headerOpen = `<soapenv:Header wsu:Id="H">` }, soap.UnsupportedAlgorithm},
		"the Envelope instead of its parts": {func(d *draft) {
			d.open, d.refs = strings.Replace(d.open, "<soapenv:Envelope", `<soapenv:Envelope Id="E"`, 1), over("E")
		}, soap.UnsupportedAlgorithm},
		"the Envelope, enveloped": {func(d *draft) {
			d.open = strings.Replace(d.open, "<soapenv:Envelope", `<soapenv:Envelope Id="E"`, 1)
			d.refs = append(over("TS", "X509"), ref{id: "E", transforms: `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>` + excC14N})
		}, soap.NotCovered},
		"Created instead of the Timestamp": {func(d *draft) {
			d.timestamp, d.refs = strings.Replace(d.timestamp, "<wsu:Created", `<wsu:Created wsu:Id="C"`, 1), over("B", "C", "X509")
		}, soap.NotCovered},
		"Body in the Header (W9)":       {func(d *draft) { d.before, d.body = d.body, forgedBody }, soap.NotCovered},
		"Body in a wrapper (W9)":        {func(d *draft) { d.after, d.body = wrap(d.body), forgedBody }, soap.NotCovered},
		"Body in Security (W9)":         {func(d *draft) { d.rest, d.body = wrap(d.body), forgedBody }, soap.UnsupportedToken},
		"Body in the Body (W9)":         {func(d *draft) { d.body = `<soapenv:Body wsu:Id="evil">` + d.body + `</soapenv:Body>` }, soap.NotCovered},
		"Timestamp in the Header (W11)": {func(d *draft) { d.before, d.timestamp = d.timestamp, fresh }, soap.NotCovered},
		"Timestamp in the Body (W11)":   {func(d *draft) { d.body, d.timestamp = `<soapenv:Body wsu:Id="B">`+d.timestamp+`</soapenv:Body>`, fresh }, soap.NotCovered},
		"Timestamp of another role": {func(d *draft) {
			d.after, d.timestamp = `<wsse:Security soapenv:actor="urn:other">`+d.timestamp+`</wsse:Security>`, fresh
		}, soap.NotCovered},
		"token in the Header (W14)": {func(d *draft) { d.before, d.token, d.keyInfo = d.token, other, otherInfo }, soap.NotCovered},
		"token in the Body (W14)": {func(d *draft) {
			d.body, d.token, d.keyInfo = `<soapenv:Body wsu:Id="B">`+d.token+`</soapenv:Body>`, other, otherInfo
		}, soap.NotCovered},
		"token of another role (W14)": {func(d *draft) {
			d.after, d.token, d.keyInfo = `<wsse:Security soapenv:actor="urn:other">`+d.token+`</wsse:Security>`, other, otherInfo
		}, soap.NotCovered},
		"the id elsewhere, unqualified (W13)": {func(d *draft) { d.before, d.body = `<x:W xmlns:x="urn:x" Id="B"/>`, forgedBody }, soap.NotCovered},
		"the token by an assertion":           {func(d *draft) { d.keyInfo, d.token, d.refs = byAssertion(assertionID), plain, over("B", "TS") }, 0},
		"assertion, no Body":                  {func(d *draft) { d.keyInfo, d.token, d.refs = byAssertion(assertionID), plain, over("TS") }, soap.NotCovered},
		"assertion, no Timestamp":             {func(d *draft) { d.keyInfo, d.token, d.refs = byAssertion(assertionID), plain, over("B") }, soap.NotCovered},
		"assertion, only itself":              {func(d *draft) { d.keyInfo, d.token, d.refs = byAssertion(assertionID), plain, over(assertionID) }, soap.NotCovered},
		"reference to nothing":                {func(d *draft) { d.refs = over("B", "TS", "X509", "nothing") }, soap.BadSecurity},
		"nine references (T5)":                {func(d *draft) { d.refs = over("B", "TS", "X509", "B", "B", "B", "B", "B", "B") }, soap.BadSecurity},
		"no reference (W21)":                  {func(d *draft) { d.refs = nil }, soap.BadSecurity},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft()
			c.change(d)
			p := policy()
			err := judge(t, d.sign(t), config(), p, trust(d.leaf), testpki.Now())
			if c.reason == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, c.reason, "")
			if p.Replay.(*counter).asked.Load() != 0 {
				t.Error("a refused message entered the replay state")
			}
		})
	}
	t.Run("the id twice (W13)", func(t *testing.T) {
		for _, attribute := range []string{"wsu:Id", "Id", "ID", "AssertionID", "RequestID", "ResponseID", "xml:id"} {
			message := newDraft().sign(t)
			message = replace(t, message, "<q:Ask ", "<q:Ask "+attribute+`="B" `)
			refused(t, judged(t, message), soap.Malformed, "")
		}
	})
}

// TestOrder: what costs little is asked first, and a stranger gets no further than to
// Keys: no signature of his is verified and nothing of his is remembered.
func TestOrder(t *testing.T) {
	stranger := errors.New("nobody trusts it")
	good := newDraft().sign(t)
	broken := regexp.MustCompile(`<ds:DigestValue>.{8}`).ReplaceAll(good, []byte("<ds:DigestValue>AAAAAAAA"))
	uncovered := newDraft()
	uncovered.refs = over("TS", "X509")
	late := newDraft()
	late.timestamp, late.keyInfo = timestamp("2026-11-21T10:00:00Z", "2026-11-21T10:01:00Z"), ""
	for name, c := range map[string]struct {
		message        []byte
		keys           error
		replay         error
		reason         soap.Reason
		asked, entered int64
	}{
		"good":                         {good, nil, nil, 0, 1, 1},
		"late, and without KeyInfo":    {late.sign(t), nil, nil, soap.Expired, 0, 0},
		"untrusted":                    {good, stranger, nil, soap.UntrustedToken, 1, 0},
		"untrusted and broken":         {broken, stranger, nil, soap.UntrustedToken, 1, 0},
		"untrusted and uncovered":      {uncovered.sign(t), stranger, nil, soap.UntrustedToken, 1, 0},
		"broken":                       {broken, nil, nil, soap.BadSignature, 1, 0},
		"uncovered":                    {uncovered.sign(t), nil, nil, soap.NotCovered, 1, 0},
		"replayed":                     {good, nil, soap.ErrReplayed, soap.Replayed, 1, 1},
		"replay state full":            {good, nil, soap.ErrReplayFull, soap.ReplayStateFull, 1, 1},
		"replay state out of reach":    {good, nil, errors.New("down"), soap.NoReplayState, 1, 1},
		"replay state, wrapped answer": {good, nil, errors.Join(errors.New("node 2"), soap.ErrReplayed), soap.Replayed, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p, k := policy(), trust(&testpki.Load().AliceEIDP256)
			state := &counter{err: c.replay}
			p.Replay, k.err = state, c.keys
			err := judge(t, c.message, config(), p, k, testpki.Now())
			if c.reason == 0 {
				if err != nil {
					t.Error(err)
				}
			} else {
				refused(t, err, c.reason, "")
			}
			if c.keys != nil && !errors.Is(err, c.keys) {
				t.Error("the cause of Keys is lost")
			}
			if k.asked.Load() != c.asked || state.asked.Load() != c.entered {
				t.Errorf("Keys asked %d times, replay state %d times; want %d and %d", k.asked.Load(), state.asked.Load(), c.asked, c.entered)
			}
		})
	}
}

// TestAlgorithms: signatureError says what a client can mend.
func TestAlgorithms(t *testing.T) {
	good := string(newDraft().sign(t))
	for name, c := range map[string]struct {
		old, new string
		reason   soap.Reason
	}{
		"unknown method":        {method(newDraft().leaf.Key), "urn:x", soap.UnsupportedAlgorithm},
		"HMAC (A1)":             {method(newDraft().leaf.Key), "http://www.w3.org/2000/09/xmldsig#hmac-sha1", soap.UnsupportedAlgorithm},
		"RSA method, EC key":    {method(newDraft().leaf.Key), xmlsec.RSASHA256.URI(), soap.BadSignature},
		"SHA-1":                 {method(newDraft().leaf.Key), xmlsec.RSASHA1.URI(), soap.UnsupportedAlgorithm},
		"inclusive c14n":        {`<ds:CanonicalizationMethod Algorithm="` + exclusive + `"`, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"`, soap.UnsupportedAlgorithm},
		"comments kept":         {`<ds:CanonicalizationMethod Algorithm="` + exclusive + `"`, `<ds:CanonicalizationMethod Algorithm="` + exclusive + `WithComments"`, soap.UnsupportedAlgorithm},
		"HMACOutputLength (A2)": {`</ds:SignatureMethod>`, `<ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>`, soap.UnsupportedAlgorithm},
		"external (T3)":         {`URI="#B"`, `URI="http://127.0.0.1:9/"`, soap.UnsupportedAlgorithm},
		"empty URI (W19)":       {`URI="#B"`, `URI=""`, soap.UnsupportedAlgorithm},
		"changed Body":          {`>what<`, `>evil<`, soap.BadSignature},
		"changed Timestamp":     {`20:01:00.000Z`, `20:02:00.000Z`, soap.BadSignature},
		"changed SignedInfo":    {`URI="#TS"`, `URI="#X509"`, soap.BadSignature},
		"empty value (W21)":     {`<ds:SignatureValue>`, `<ds:SignatureValue><!--`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if c.reason == 0 {
				message := regexp.MustCompile(`<ds:SignatureValue>[^<]*`).ReplaceAllString(good, "<ds:SignatureValue>")
				refused(t, judged(t, []byte(message)), soap.BadSecurity, "")
				return
			}
			if strings.Count(good, c.old) == 0 {
				t.Fatal("nothing to change")
			}
			rule := ""
			if strings.Contains(c.new, "HMACOutputLength") {
				rule = "R5401"
			}
			refused(t, judged(t, []byte(strings.Replace(good, c.old, c.new, 1))), c.reason, rule)
		})
	}
}

// TestAttacks sends every attack message of package attack, RSA and ECDSA, with a
// certificate and with an assertion. The key is the right one: only the place of
// things is wrong.
func TestAttacks(t *testing.T) {
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{"RSA": &pki.AliceEID, "P-256": &pki.AliceEIDP256, "P-384": &pki.AliceEIDP384} {
		for _, kind := range []string{"certificate", "assertion"} {
			d := newDraft()
			d.leaf, d.token = leaf, binaryToken(xmlsec.ValueTypeX509v3, leaf.DER)
			if kind == "assertion" {
				d.keyInfo, d.token, d.refs = byAssertion(assertionID), plain, over("B", "TS")
			}
			message := d.sign(t)
			if err := judge(t, message, config(), policy(), trust(leaf), testpki.Now()); err != nil {
				t.Fatal(err)
			}
			variants, err := attack.Message(message)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range variants {
				t.Run(name+" "+kind+" "+v.Name, func(t *testing.T) {
					p := policy()
					if err := judge(t, v.Message, config(), p, trust(leaf), testpki.Now()); err == nil {
						t.Errorf("admitted: %s\n%s", v.Gain, v.Message)
					}
					if p.Replay.(*counter).asked.Load() != 0 {
						t.Error("it entered the replay state")
					}
				})
			}
		}
	}
}

// TestMalleability turns (r, s) into the equally valid (r, n-s): another message text,
// the same message (attacks.md R1).
func TestMalleability(t *testing.T) {
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{"P-256": &pki.AliceEIDP256, "P-384": &pki.AliceEIDP384} {
		t.Run(name, func(t *testing.T) {
			d := newDraft()
			d.leaf, d.token = leaf, binaryToken(xmlsec.ValueTypeX509v3, leaf.DER)
			message := d.sign(t)
			found := regexp.MustCompile(`<ds:SignatureValue>([^<]*)<`).FindSubmatch(message)
			value, err := base64.StdEncoding.DecodeString(string(found[1]))
			if err != nil {
				t.Fatal(err)
			}
			key := leaf.Key.Public().(*ecdsa.PublicKey)
			half := len(value) / 2
			r, s := new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:])
			other := replace(t, message, string(found[1]), base64.StdEncoding.EncodeToString(raw(key, r, new(big.Int).Sub(key.Params().N, s))))

			if err := judge(t, other, config(), policy(), trust(leaf), testpki.Now()); err != nil {
				t.Fatalf("(r, n-s) does not verify, the test proves nothing: %v", err)
			}
			p := policy()
			p.Replay = soap.NewMemoryReplay(10)
			if err := judge(t, message, config(), p, trust(leaf), testpki.Now()); err != nil {
				t.Fatal(err)
			}
			refused(t, judge(t, other, config(), p, trust(leaf), testpki.Now()), soap.Replayed, "")
			refused(t, judge(t, message, config(), p, trust(leaf), testpki.Now()), soap.Replayed, "")
		})
	}
}

// TestReplayedInOtherWords: white space, comments, prefixes of the KeyInfo, header
// blocks: all that is not signed may change, and the message is the same.
func TestReplayedInOtherWords(t *testing.T) {
	message := newDraft().sign(t)
	p, k := policy(), trust(&testpki.Load().AliceEIDP256)
	p.Replay = soap.NewMemoryReplay(10)
	if err := judge(t, message, config(), p, k, testpki.Now()); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string][]byte{
		"the same":             message,
		"declaration":          append([]byte(`<?xml version="1.0"?>`), message...),
		"white space":          replace(t, message, "<soapenv:Header>", "<soapenv:Header> "),
		"a header block":       replace(t, message, "<soapenv:Header>", `<soapenv:Header><x:x xmlns:x="urn:x"/>`),
		"a comment":            replace(t, message, "<soapenv:Header>", "<soapenv:Header><!-- -->"),
		"KeyInfo by serial":    replace(t, message, direct, `<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>`),
		"spaces in the value":  replace(t, message, "<ds:SignatureValue>", "<ds:SignatureValue> "),
		"quotes":               replace(t, message, `<wsu:Timestamp wsu:Id="TS"`, `<wsu:Timestamp wsu:Id='TS'`),
		"empty-element tags":   replace(t, message, `></ds:CanonicalizationMethod>`, `/>`),
		"references to itself": replace(t, message, `>what<`, `>&#119;hat<`),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, judge(t, other, config(), p, k, testpki.Now()), soap.Replayed, "")
		})
	}
	// The same second, another message.
	d := newDraft()
	d.body = strings.Replace(d.body, "what", "when", 1)
	if err := judge(t, d.sign(t), config(), p, k, testpki.Now()); err != nil {
		t.Error(err)
	}
}

// TestInclusiveNamespaces: WSS4J 2 writes a PrefixList, empty or not, everywhere.
func TestInclusiveNamespaces(t *testing.T) {
	d := newDraft()
	for i := range d.refs {
		id, list := d.refs[i].id, []string{"soapenv wsse", "", " wsse\tsoapenv  #default "}[i]
		d.refs[i].transforms = `<ds:Transform Algorithm="` + exclusive + `"><ec:InclusiveNamespaces xmlns:ec="` + exclusive + `" PrefixList="` +
			strings.NewReplacer("\t", "&#x9;").Replace(list) + `"></ec:InclusiveNamespaces></ds:Transform>`
		d.refs[i].octets = func(document *xmltext.Document) []byte {
			n, _ := document.ElementByID([]byte(id))
			out, err := c14n.Append(nil, n, c14n.Options{PrefixList: []byte(list)})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	if err := judged(t, d.sign(t)); err != nil {
		t.Error(err)
	}
}

// TestSamples admits what real clients send, at the moment they sent it.
func TestSamples(t *testing.T) {
	root := os.Getenv("SCEAU_SHARED")
	if root == "" {
		t.Skip("SCEAU_SHARED is not set: the shared samples are not at hand")
	}
	folder := filepath.Join(root, "samples", "ehealth")
	for file, c := range map[string]struct {
		key       string
		kind      soap.TokenKind
		sha1      bool
		namespace string
		local     string
	}{
		"connector-saml11-request-eid-hok-sha256.xml":                      {"eid", soap.X509, false, "urn:oasis:names:tc:SAML:1.0:protocol", "Request"},
		"connector402-saml11-request-eid-hok-header-sha256-inner-sha1.xml": {"eid", soap.X509, false, "urn:oasis:names:tc:SAML:1.0:protocol", "Request"},
		"connector-saml11-request-eid-hok-sha1.xml":                        {"eid", soap.X509, true, "urn:oasis:names:tc:SAML:1.0:protocol", "Request"},
		"connector-saml11-request-fallback-samecert-sha256.xml":            {"hok", soap.X509, false, "urn:oasis:names:tc:SAML:1.0:protocol", "Request"},
		"connector-wstrust-issue-eid-hok-sha256.xml":                       {"eid", soap.X509, false, "http://docs.oasis-open.org/ws-sx/ws-trust/200512", "RequestSecurityToken"},
		"connector-wstrust-challenge-hok-sha256.xml":                       {"hok", soap.X509, false, "http://docs.oasis-open.org/ws-sx/ws-trust/200512", "RequestSecurityTokenResponse"},
		"wsp-call-saml-hok-sha256.xml":                                     {"hok", soap.SAMLAssertion, false, "", ""},
	} {
		t.Run(file, func(t *testing.T) {
			message, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			pemText, err := os.ReadFile(filepath.Join(folder, "pki", c.key+".pem"))
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(pemText)
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			created := regexp.MustCompile(`<wsu:Created>([^<]*)<`).FindSubmatch(message)
			now, err := time.Parse(time.RFC3339Nano, string(created[1]))
			if err != nil {
				t.Fatal(err)
			}
			k, p := &keys{key: certificate.PublicKey}, policy()
			if c.sha1 {
				refused(t, judge(t, message, config(), p, k, now), soap.UnsupportedAlgorithm, "")
				p.Signature.SHA1 = true
			}
			e, err := soap.Parse(message, config())
			if err != nil {
				t.Fatal(err)
			}
			defer e.Release()
			s, err := e.Verify(p, k, now)
			if err != nil {
				t.Fatal(err)
			}
			if s.Token().Kind != c.kind || c.kind == soap.X509 && !bytes.Equal(s.Token().Certificate, block.Bytes) {
				t.Errorf("token of kind %d", s.Token().Kind)
			}
			if c.local != "" && !s.Body().Is(c.namespace, c.local) {
				t.Errorf("body {%s}%s", s.Body().Namespace(), s.Body().Local())
			}
			variants, err := attack.Message(message)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range variants {
				if err := judge(t, v.Message, config(), p, k, now); err == nil {
					t.Errorf("%s admitted: %s", v.Name, v.Gain)
				}
			}
		})
	}
}

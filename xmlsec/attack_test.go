package xmlsec_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
)

// swap is one replacement in a template; the old text must be there.
type swap struct{ old, new string }

func apply(t testing.TB, text string, swaps []swap) string {
	t.Helper()
	for _, s := range swaps {
		if !strings.Contains(text, s.old) {
			t.Fatalf("nothing to replace: %.100q", s.old)
		}
		text = strings.Replace(text, s.old, s.new, 1)
	}
	return text
}

const accepted = xmlsec.Reason(0)

// TestAttacks: each case changes the template before it is signed (so that digests
// and signature value are right) or after, and says why it is refused; what a
// careless verifier would have let through stands beside it.
func TestAttacks(t *testing.T) {
	first := reference("body")
	cases := []struct {
		name   string
		before []swap
		after  []swap
		want   xmlsec.Reason
	}{
		{"the template itself", nil, nil, accepted},

		// W18: values in which two readers see two things.
		{"W18 second SignedInfo after the first", nil, []swap{{"</ds:SignedInfo>", "</ds:SignedInfo><ds:SignedInfo>" + excMethod + ecdsaMethod + first + "</ds:SignedInfo>"}}, xmlsec.Malformed},
		{"W18 second SignedInfo before the first", nil, []swap{{"<ds:SignedInfo>", "<ds:SignedInfo/><ds:SignedInfo>"}}, xmlsec.Malformed},
		{"W18 SignedInfo in an Object", nil, []swap{{"<ds:KeyInfo>", "<ds:Object><ds:SignedInfo/></ds:Object><ds:KeyInfo>"}}, xmlsec.Malformed},
		{"W18 comment in DigestValue", []swap{{"<ds:DigestValue>", "<ds:DigestValue><!--x-->"}}, nil, xmlsec.Malformed},
		{"W18 comment cuts DigestValue", nil, []swap{{"</ds:DigestValue>", "<!--AAAA--></ds:DigestValue>"}}, xmlsec.Malformed},
		{"W18 comment in SignatureValue", nil, []swap{{"<ds:SignatureValue>", "<ds:SignatureValue><!---->"}}, xmlsec.Malformed},
		{"W18 comment between references", nil, []swap{{"<ds:Reference", "<!-- --><ds:Reference"}}, xmlsec.Malformed},
		{"W18 comment in an InclusiveNamespaces", []swap{{excMethod, `<ds:CanonicalizationMethod Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces PrefixList=""><!----></ec:InclusiveNamespaces></ds:CanonicalizationMethod>`}}, nil, xmlsec.Malformed},
		{"W18 comment in KeyInfo", nil, []swap{{"<ds:KeyInfo>", "<ds:KeyInfo><!-- -->"}}, xmlsec.Malformed},
		{"W18 element in DigestValue", []swap{{"<ds:DigestValue>", "<ds:DigestValue><x/>"}}, nil, xmlsec.Malformed},
		{"W18 element after the digest", []swap{{"</ds:DigestValue>", "<ds:DigestValue>AAAA</ds:DigestValue></ds:DigestValue>"}}, nil, xmlsec.Malformed},
		{"W18 two DigestValues", []swap{{"</ds:Reference>", "<ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>"}}, nil, xmlsec.Malformed},
		{"W18 element in SignatureValue", nil, []swap{{"</ds:SignatureValue>", "<x/></ds:SignatureValue>"}}, xmlsec.Malformed},
		{"W18 two SignatureValues", nil, []swap{{"<ds:KeyInfo>", "<ds:SignatureValue>AAAA</ds:SignatureValue><ds:KeyInfo>"}}, xmlsec.Malformed},
		{"W18 two KeyInfos", nil, []swap{{"</ds:Signature>", "<ds:KeyInfo/></ds:Signature>"}}, xmlsec.Malformed},
		{"W18 text in SignedInfo", []swap{{"<ds:SignedInfo>", "<ds:SignedInfo>x"}}, nil, xmlsec.Malformed},
		{"W18 text in Signature", nil, []swap{{"<ds:SignedInfo>", "x<ds:SignedInfo>"}}, xmlsec.Malformed},
		{"W18 text in Reference", []swap{{"<ds:Transforms>", "x<ds:Transforms>"}}, nil, xmlsec.Malformed},
		{"W18 text in Transforms", []swap{{"<ds:Transforms>", "<ds:Transforms>x"}}, nil, xmlsec.Malformed},
		{"W18 text in DigestMethod", []swap{{sha256Method, `<ds:DigestMethod Algorithm="` + algorithmSHA256 + `">x</ds:DigestMethod>`}}, nil, xmlsec.Malformed},
		{"W18 text in CanonicalizationMethod", []swap{{excMethod, `<ds:CanonicalizationMethod Algorithm="` + c14n.Algorithm + `">x</ds:CanonicalizationMethod>`}}, nil, xmlsec.Malformed},
		{"W18 element in DigestMethod", []swap{{sha256Method, `<ds:DigestMethod Algorithm="` + algorithmSHA256 + `"><x/></ds:DigestMethod>`}}, nil, xmlsec.Malformed},
		{"W18 CDATA is text like any other", []swap{{"<ds:DigestValue>{digest body}", "<ds:DigestValue><![CDATA[{digest body}]]>"}}, nil, accepted},
		{"W18 SignedInfo of another namespace", nil, []swap{{"<ds:SignedInfo>", `<x:SignedInfo xmlns:x="urn:x"/><ds:SignedInfo>`}}, xmlsec.Malformed},
		{"W18 unknown element in SignedInfo", []swap{{"</ds:SignedInfo>", "<ds:Extra/></ds:SignedInfo>"}}, nil, xmlsec.Malformed},

		// W19: several references, of which an attacker picks.
		{"W19 one target twice, both right", []swap{{first, first + first}}, nil, accepted},
		{"W19 one target twice, the first wrong", []swap{{first, strings.Replace(first, "{digest body}", "{digest time}", 1) + first}}, nil, xmlsec.DigestMismatch},
		{"W19 one target twice, the second wrong", []swap{{first, first + strings.Replace(first, "{digest body}", "{digest time}", 1)}}, nil, xmlsec.DigestMismatch},
		{"W19 last reference wrong", []swap{{"{digest token}", "{digest body}"}}, nil, xmlsec.DigestMismatch},
		{"W19 order of references changed", nil, []swap{{`URI="#body"`, `URI="#x"`}, {`URI="#time"`, `URI="#body"`}, {`URI="#x"`, `URI="#time"`}}, xmlsec.SignatureMismatch},
		{"W19 a reference taken out", []swap{{first, "<!---->" + first}}, []swap{{"<!---->", ""}, {`<ds:Reference URI="#token">`, `<ds:Reference URI="#nowhere">`}}, xmlsec.ReferenceUnresolved},
		{"W19 empty URI", []swap{{`URI="#body"`, `URI=""`}}, nil, xmlsec.ReferenceRefused},
		{"W19 no URI", []swap{{`<ds:Reference URI="#body">`, `<ds:Reference>`}}, nil, xmlsec.ReferenceRefused},
		{"W19 URI of a namespace", []swap{{`<ds:Reference URI="#body">`, `<ds:Reference ds:URI="#body">`}}, nil, xmlsec.ReferenceRefused},
		{"W19 identifier that nothing bears", []swap{{`URI="#body"`, `URI="#Body"`}}, nil, xmlsec.ReferenceUnresolved},

		// W20: signatures and manifests inside.
		{"W20 Object", nil, []swap{{"</ds:Signature>", "<ds:Object>x</ds:Object></ds:Signature>"}}, xmlsec.Malformed},
		{"W20 Signature inside Signature", nil, []swap{{"</ds:Signature>", "<ds:Signature/></ds:Signature>"}}, xmlsec.Malformed},
		{"W20 Manifest by type", []swap{{`<ds:Reference URI="#body">`, `<ds:Reference URI="#body" Type="` + xmlsec.NamespaceDS + `Manifest">`}}, nil, xmlsec.ReferenceRefused},
		{"W20 Manifest beside references", []swap{{"</ds:SignedInfo>", "<ds:Manifest/></ds:SignedInfo>"}}, nil, xmlsec.Malformed},

		// W21: what is left out.
		{"W21 empty SignatureValue", nil, []swap{{"<ds:SignatureValue>", "<ds:SignatureValue/><ds:x>"}, {"</ds:SignatureValue>", "</ds:x>"}}, xmlsec.Malformed},
		{"W21 no SignatureValue", nil, []swap{{"<ds:SignatureValue>", "<ds:x>"}, {"</ds:SignatureValue>", "</ds:x>"}}, xmlsec.Malformed},
		{"W21 SignatureValue of white space", nil, []swap{{"<ds:SignatureValue>", "<ds:SignatureValue> </ds:SignatureValue><ds:x>"}, {"</ds:SignatureValue><ds:KeyInfo>", "</ds:x><ds:KeyInfo>"}}, xmlsec.Malformed},
		{"W21 empty DigestValue", []swap{{"{digest body}", ""}}, nil, xmlsec.Malformed},
		{"W21 DigestValue cut", []swap{{"{digest body}", "AAAA"}}, nil, xmlsec.Malformed},
		{"W21 DigestValue a byte longer", []swap{{"{digest body}", strings.Repeat("AAAA", 11)}}, nil, xmlsec.Malformed},
		{"W21 DigestValue of a megabyte", []swap{{"{digest body}", strings.Repeat("AAAA", 200000)}}, nil, xmlsec.Malformed},
		{"W21 DigestValue no base64", []swap{{"{digest body}", "not*base64"}}, nil, xmlsec.BadBase64},
		{"W21 no DigestValue", []swap{{"<ds:DigestValue>{digest body}</ds:DigestValue>", ""}}, nil, xmlsec.Malformed},
		{"W21 no DigestMethod", []swap{{sha256Method, ""}}, nil, xmlsec.Malformed},
		{"W21 no SignatureMethod", []swap{{ecdsaMethod, ""}}, nil, xmlsec.Malformed},
		{"W21 no CanonicalizationMethod", nil, []swap{{excMethod, ""}}, xmlsec.Malformed},
		{"W21 no reference", []swap{{first + reference("time") + reference("token"), ""}}, nil, xmlsec.TooMany},
		{"W21 nothing", nil, []swap{{"<ds:SignedInfo>", "</ds:Signature><ds:x><ds:SignedInfo>"}, {"</ds:KeyInfo></ds:Signature>", "</ds:KeyInfo></ds:x>"}}, xmlsec.Malformed},

		// A1, A2: a public key is no secret.
		{"A1 hmac-sha256", []swap{{algorithmECDSA, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"}}, nil, xmlsec.AlgorithmRefused},
		{"A1 hmac-sha1", []swap{{algorithmECDSA, xmlsec.NamespaceDS + "hmac-sha1"}}, nil, xmlsec.AlgorithmRefused},
		{"A2 HMACOutputLength", []swap{{ecdsaMethod, `<ds:SignatureMethod Algorithm="` + algorithmECDSA + `"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>`}}, nil, xmlsec.AlgorithmRefused},
		{"A2 text in SignatureMethod", []swap{{ecdsaMethod, `<ds:SignatureMethod Algorithm="` + algorithmECDSA + `">8</ds:SignatureMethod>`}}, nil, xmlsec.AlgorithmRefused},
		{"A3 ecdsa-sha1", []swap{{algorithmECDSA, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"}}, nil, xmlsec.AlgorithmRefused},
		{"A3 rsa-md5", []swap{{algorithmECDSA, "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"}}, nil, xmlsec.AlgorithmRefused},
		{"A3 dsa-sha1", []swap{{algorithmECDSA, xmlsec.NamespaceDS + "dsa-sha1"}}, nil, xmlsec.AlgorithmRefused},
		{"A3 rsa-sha1 without the switch", []swap{{algorithmECDSA, xmlsec.NamespaceDS + "rsa-sha1"}}, nil, xmlsec.AlgorithmRefused},
		{"A3 digest sha1 without the switch", []swap{{algorithmSHA256, xmlsec.NamespaceDS + "sha1"}, {"{digest body}", "{sha1 body}"}}, nil, xmlsec.AlgorithmRefused},
		{"A3 digest sha1 in the last reference", []swap{{"{digest token}", "{sha1 token}"}, {`URI="#token"><ds:Transforms>` + excTransform + `</ds:Transforms><ds:DigestMethod Algorithm="` + algorithmSHA256,
			`URI="#token"><ds:Transforms>` + excTransform + `</ds:Transforms><ds:DigestMethod Algorithm="` + xmlsec.NamespaceDS + "sha1"}}, nil, xmlsec.AlgorithmRefused},
		{"A3 digest md5", []swap{{algorithmSHA256, "http://www.w3.org/2001/04/xmldsig-more#md5"}}, nil, xmlsec.AlgorithmRefused},
		{"A3 digest ripemd160", []swap{{algorithmSHA256, "http://www.w3.org/2001/04/xmlenc#ripemd160"}}, nil, xmlsec.AlgorithmRefused},
		{"A3 algorithm with white space", []swap{{`"` + algorithmECDSA, `" ` + algorithmECDSA}}, nil, xmlsec.AlgorithmRefused},
		{"A3 algorithm missing", []swap{{ecdsaMethod, `<ds:SignatureMethod/>`}}, nil, xmlsec.AlgorithmRefused},
		{"A3 algorithm of a namespace", []swap{{ecdsaMethod, `<ds:SignatureMethod ds:Algorithm="` + algorithmECDSA + `"/>`}}, nil, xmlsec.AlgorithmRefused},
		{"A5 rsa-sha256 with an EC key", []swap{{algorithmECDSA, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"}}, nil, xmlsec.KeyMismatch},

		// T1 to T5.
		{"T1 XSLT", []swap{{excTransform, `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><x:stylesheet xmlns:x="http://www.w3.org/1999/XSL/Transform"/></ds:Transform>` + excTransform}}, nil, xmlsec.TransformRefused},
		{"T1 XSLT alone", []swap{{excTransform, `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>`}}, nil, xmlsec.TransformRefused},
		{"T2 XPath", []swap{{excTransform, `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>not(self::node())</ds:XPath></ds:Transform>` + excTransform}}, nil, xmlsec.TransformRefused},
		{"T2 XPath filter 2", []swap{{excTransform, `<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"/>` + excTransform}}, nil, xmlsec.TransformRefused},
		{"T2 base64", []swap{{excTransform, `<ds:Transform Algorithm="` + xmlsec.NamespaceDS + `base64"/>`}}, nil, xmlsec.TransformRefused},
		{"T2 decryption", []swap{{excTransform, `<ds:Transform Algorithm="http://www.w3.org/2002/07/decrypt#XML"/>` + excTransform}}, nil, xmlsec.TransformRefused},
		{"T2 inclusive canonicalization", []swap{{excTransform, `<ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>`}}, nil, xmlsec.TransformRefused},
		{"T2 canonicalization 1.1", []swap{{excTransform, `<ds:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11"/>`}}, nil, xmlsec.TransformRefused},
		{"T2 with comments", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `WithComments"/>`}}, nil, xmlsec.TransformRefused},
		{"T2 transform after canonicalization", []swap{{excTransform, excTransform + `<ds:Transform Algorithm="` + algorithmEnveloped + `"/>`}}, nil, xmlsec.TransformRefused},
		{"T2 canonicalization twice", []swap{{excTransform, excTransform + excTransform}}, nil, xmlsec.TransformRefused},
		{"T2 enveloped on a detached signature", []swap{{excTransform, `<ds:Transform Algorithm="` + algorithmEnveloped + `"/>` + excTransform}}, nil, xmlsec.TransformRefused},
		{"T2 enveloped alone", []swap{{excTransform, `<ds:Transform Algorithm="` + algorithmEnveloped + `"/>`}}, nil, xmlsec.TransformRefused},
		{"T2 enveloped twice", []swap{{excTransform, `<ds:Transform Algorithm="` + algorithmEnveloped + `"/><ds:Transform Algorithm="` + algorithmEnveloped + `"/>`}}, nil, xmlsec.TransformRefused},
		{"T2 no transforms", []swap{{`<ds:Transforms>` + excTransform + `</ds:Transforms>`, ``}}, nil, xmlsec.TransformRefused},
		{"T2 empty transforms", []swap{{excTransform, ``}}, nil, xmlsec.TransformRefused},
		{"T2 inclusive canonicalization of SignedInfo", []swap{{excMethod, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>`}}, nil, xmlsec.CanonicalizationRefused},
		{"T2 SignedInfo with comments", []swap{{excMethod, `<ds:CanonicalizationMethod Algorithm="` + c14n.Algorithm + `WithComments"/>`}}, nil, xmlsec.CanonicalizationRefused},
		{"T2 SignedInfo by another namespace's exc-c14n", []swap{{excMethod, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n"/>`}}, nil, xmlsec.CanonicalizationRefused},
		{"T3 http", []swap{{`URI="#body"`, `URI="http://127.0.0.1:1/body"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 file", []swap{{`URI="#body"`, `URI="file:///etc/passwd"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 cid", []swap{{`URI="#body"`, `URI="cid:body"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 relative", []swap{{`URI="#body"`, `URI="body"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 xpointer root", []swap{{`URI="#body"`, `URI="#xpointer(/)"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 xpointer id", []swap{{`URI="#body"`, `URI="#xpointer(id('body'))"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 empty fragment", []swap{{`URI="#body"`, `URI="#"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 percent-encoded", []swap{{`URI="#body"`, `URI="#b%6Fdy"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 white space", []swap{{`URI="#body"`, `URI="#body "`}}, nil, xmlsec.ReferenceRefused},
		{"T3 white space in front", []swap{{`URI="#body"`, `URI=" #body"`}}, nil, xmlsec.ReferenceRefused},
		{"T3 address with fragment", []swap{{`URI="#body"`, `URI="http://127.0.0.1/#body"`}}, nil, xmlsec.ReferenceRefused},
		{"T5 eight references", []swap{{first, strings.Repeat(first, 6)}}, nil, accepted},
		{"T5 nine references", []swap{{first, strings.Repeat(first, 7)}}, nil, xmlsec.TooMany},
		{"T5 three transforms", []swap{{excTransform, `<ds:Transform Algorithm="` + algorithmEnveloped + `"/>` + strings.Repeat(excTransform, 2)}}, nil, xmlsec.TooMany},
		{"T5 a thousand transforms", []swap{{excTransform, strings.Repeat(excTransform, 1000)}}, nil, xmlsec.TransformRefused},

		// D6: no digest over nothing.
		{"D6 malformed PrefixList", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces PrefixList="a,b"/></ds:Transform>`}}, nil, xmlsec.NoCanonicalForm},
		{"D6 digest of the empty string", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces PrefixList="a,b"/></ds:Transform>`}, {"{digest body}", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}, nil, xmlsec.NoCanonicalForm},
		{"D6 relative namespace name in the body", []swap{{"{digest body}", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}, []swap{{`xmlns:q="urn:q"`, `xmlns:q="q"`}}, xmlsec.NoCanonicalForm},
		{"D6 malformed PrefixList of SignedInfo", nil, []swap{{excMethod, `<ds:CanonicalizationMethod Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces PrefixList="#x"/></ds:CanonicalizationMethod>`}}, xmlsec.NoCanonicalForm},
		{"D6 InclusiveNamespaces without PrefixList", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces/></ds:Transform>`}}, nil, xmlsec.Malformed},
		{"D6 InclusiveNamespaces twice", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces PrefixList=""/><ec:InclusiveNamespaces PrefixList="q"/></ds:Transform>`}}, nil, xmlsec.Malformed},
		{"D6 InclusiveNamespaces of the ds namespace", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `"><ds:InclusiveNamespaces PrefixList=""/></ds:Transform>`}}, nil, xmlsec.Malformed},
		{"an empty PrefixList", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces PrefixList=""/></ds:Transform>`}}, nil, accepted},
		{"a PrefixList", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces PrefixList="wsu ds #default"/></ds:Transform>`}, {"{digest body}", "{list body wsu ds #default}"}}, nil, accepted},
		{"a PrefixList that was not signed", []swap{{excTransform, `<ds:Transform Algorithm="` + c14n.Algorithm + `"><ec:InclusiveNamespaces PrefixList="wsu"/></ds:Transform>`}, {"{digest body}", "{list body wsu}"}}, []swap{{`PrefixList="wsu"`, `PrefixList="wsu ds"`}}, xmlsec.SignatureMismatch},

		// Changes to what was signed.
		{"changed value", nil, []swap{{"asked", "akses"}}, xmlsec.DigestMismatch},
		{"changed attribute", nil, []swap{{"00000000097", "00000000098"}}, xmlsec.DigestMismatch},
		{"changed namespace", nil, []swap{{"urn:q", "urn:r"}}, xmlsec.DigestMismatch},
		{"changed prefix", nil, []swap{{"xmlns:q", "xmlns:r"}, {"<q:", "<r:"}, {"</q:", "</r:"}}, xmlsec.DigestMismatch},
		{"changed time", nil, []swap{{"20:00:00Z", "21:00:00Z"}}, xmlsec.DigestMismatch},
		{"changed token", nil, []swap{{"VG9rZW4=", "VG9rZW5="}}, xmlsec.DigestMismatch},
		{"element added to the body", nil, []swap{{"</e:Body>", "<x/></e:Body>"}}, xmlsec.DigestMismatch},
		{"comment changed in the body", nil, []swap{{"<!-- not -->", "<!-- rather -->"}}, accepted}, // no comment is signed, so none is ever read
		{"comment taken out of the body", nil, []swap{{"<!-- not -->", ""}}, accepted},
		{"character written as a reference", nil, []swap{{"asked", "&#97;sked"}}, accepted},
		{"value written in CDATA", nil, []swap{{"asked", "<![CDATA[asked]]>"}}, accepted},
		{"white space in a tag", nil, []swap{{"</q:request>", "</q:request \n>"}}, accepted},
		{"white space added to the body", nil, []swap{{"</e:Body>", " </e:Body>"}}, xmlsec.DigestMismatch},
		{"changed identifier of the header token", nil, []swap{{`wsu:Id="token"`, `wsu:Id="token2"`}}, xmlsec.ReferenceUnresolved},
		{"unused prefix declared outside", nil, []swap{{"<e:Header>", `<e:Header xmlns:zz="urn:zz">`}}, accepted},
		{"Z4 a name of 300 kB written 20000 times", nil, []swap{{"what is", `<q:a xmlns:z="urn:` + strings.Repeat("x", 300000) + `">` + strings.Repeat("<z:b/>", 20000) + "</q:a>"}}, xmlsec.NoCanonicalForm},
		{"changed digest", nil, []swap{{"<ds:DigestValue>", "<ds:DigestValue>A"}}, xmlsec.BadBase64},
		{"changed SignedInfo", nil, []swap{{`<ds:Reference URI="#body">`, `<ds:Reference URI="#body" Id="r">`}}, xmlsec.SignatureMismatch},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			template := apply(t, threeReferences(), c.before)
			text := apply(t, fill(t, template, key(t, "p256"), crypto.SHA256, false), c.after)
			d, s, v, err := verify(t, text, 0, public(t, "p256"), xmlsec.DefaultPolicy())
			if got := reason(t, err); got != c.want {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err == nil {
				for _, id := range []string{"body", "time", "token"} {
					if !v.Signs(byID(t, d, id)) {
						t.Errorf("%s is not signed", id)
					}
				}
				if s.References() < 3 || v.Key() == nil || v.Signature() != s.Node() || v.Digest() == [32]byte{} {
					t.Error("an empty proof")
				}
			}
		})
	}
}

// TestCoverage: what a proof says of each element of a message, by identity.
func TestCoverage(t *testing.T) {
	t.Run("detached", func(t *testing.T) {
		text := fill(t, strings.Replace(detached, "{references}", reference("body")+reference("time"), 1), key(t, "p256"), crypto.SHA256, false)
		d, s, v, err := verify(t, text, 0, public(t, "p256"), xmlsec.DefaultPolicy())
		if err != nil {
			t.Fatal(err)
		}
		for local, want := range map[string][2]bool{ // Signs, Covers
			"Envelope": {}, "Header": {}, "Security": {}, "Signature": {}, "SignedInfo": {}, "KeyInfo": {}, "BinarySecurityToken": {},
			"Body": {true, true}, "request": {false, true}, "Timestamp": {true, true}, "Created": {false, true},
		} {
			n := find(t, d.Root(), local, 0)
			if got := [2]bool{v.Signs(n), v.Covers(n)}; got != want {
				t.Errorf("%s: %v, want %v", local, got, want)
			}
		}
		if target, enveloped := s.Refers(1); target != byID(t, d, "time") || enveloped {
			t.Error("Refers")
		}
		// The same message once more: looks the same, is not the same.
		other := parse(t, text)
		defer other.Release()
		if v.Signs(byID(t, other, "body")) || v.Covers(byID(t, other, "body")) {
			t.Error("an element of another document is covered")
		}
	})
	t.Run("enveloped", func(t *testing.T) {
		// The signature stands deeper, in a part of the assertion.
		at := strings.Index(enveloped, "<ds:Signature")
		end := strings.Index(enveloped, "</ds:Signature>") + len("</ds:Signature>")
		deep := strings.Replace(enveloped[:at]+enveloped[end:], "<a:Note>", enveloped[at:end]+"<a:Note>", 1)
		for name, template := range map[string]string{"shallow": enveloped, "deep": deep} {
			text := `<r>` + fill(t, template, key(t, "p256"), crypto.SHA256, false) + `</r>`
			d, s, v, err := verify(t, text, 0, public(t, "p256"), xmlsec.DefaultPolicy())
			if err != nil {
				t.Fatal(err)
			}
			want := map[string][2]bool{
				"r": {}, "Signature": {}, "SignedInfo": {}, "Assertion": {true, true}, "Conditions": {false, true}, "Subject": {false, true}, "Note": {false, true},
				// Part of what Advice holds, where the signature stands in it, is not signed.
				"Advice": {false, name == "shallow"},
			}
			for local, want := range want {
				n := find(t, d.Root(), local, 0)
				if got := [2]bool{v.Signs(n), v.Covers(n)}; got != want {
					t.Errorf("%s: %s: %v, want %v", name, local, got, want)
				}
			}
			if target, enveloped := s.Refers(0); target != byID(t, d, "assertion") || !enveloped {
				t.Error("Refers")
			}
			if v.Signs(d.Root().Parent()) || v.Covers(d.Root().Parent()) {
				t.Error("the zero node is covered")
			}
		}
	})
}

// TestScope: the reference says what is signed, not the place of the signature
// (W17, CVE-2024-8698).
func TestScope(t *testing.T) {
	signature := func(transforms, digest string) string {
		return `<ds:Signature ` + ns + `><ds:SignedInfo>` + excMethod + ecdsaMethod + `<ds:Reference URI="#assertion"><ds:Transforms>` + transforms + `</ds:Transforms>` +
			sha256Method + `<ds:DigestValue>` + digest + `</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>`
	}
	message := func(inResponse, inAssertion string) string {
		return `<Response ID="response">` + inResponse + `<Assertion ID="assertion">` + inAssertion + `<Subject>alice</Subject></Assertion><Subject>eve</Subject></Response>`
	}
	envelopedTransforms := `<ds:Transform Algorithm="` + algorithmEnveloped + `"/>` + excTransform

	text := fill(t, message(signature(excTransform, "{digest assertion}"), ""), key(t, "p256"), crypto.SHA256, false)
	d, _, v, err := verify(t, text, 0, public(t, "p256"), xmlsec.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if response := byID(t, d, "response"); v.Signs(response) || v.Covers(response) || v.Covers(find(t, d.Root(), "Subject", 1)) || !v.Signs(byID(t, d, "assertion")) {
		t.Error("the signature in the Response says something of the Response")
	}
	// enveloped-signature where the signature is not inside, and inside without it.
	for name, text := range map[string]string{
		"enveloped, signature outside":     fill(t, message(signature(envelopedTransforms, "{digest assertion}"), ""), key(t, "p256"), crypto.SHA256, false),
		"not enveloped, signature inside":  strings.Replace(text, "<Subject>alice", text[strings.Index(text, "<ds:Signature"):strings.Index(text, "<Assertion")]+"<Subject>alice", 1),
		"not enveloped, signature moved":   message("", text[strings.Index(text, "<ds:Signature"):strings.Index(text, "<Assertion")]),
		"not enveloped, target is its own": message("", strings.ReplaceAll(signature(excTransform, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), "{value}", "AAAA")),
	} {
		n := 0
		if name == "not enveloped, signature inside" {
			n = 1
		}
		if _, _, _, err := verify(t, text, n, public(t, "p256"), xmlsec.DefaultPolicy()); reason(t, err) != xmlsec.TransformRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A second assertion wrapped around: another element has the identifier's place, the
	// proof is of the inner one only.
	inner := fill(t, enveloped, key(t, "p256"), crypto.SHA256, false)
	wrapped := `<a:Assertion xmlns:a="urn:assertion" AssertionID="evil"><a:Subject>eve</a:Subject>` + inner + `</a:Assertion>`
	d, _, v, err = verify(t, wrapped, 0, public(t, "p256"), xmlsec.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if v.Signs(d.Root()) || v.Covers(d.Root()) || v.Covers(find(t, d.Root(), "Subject", 0)) || !v.Covers(find(t, d.Root(), "Subject", 1)) {
		t.Error("wrapping moved the proof")
	}
}

// TestSTRTransform: the token is what is signed, at its own place (T6, W14).
func TestSTRTransform(t *testing.T) {
	strReference := `<ds:Reference URI="#str"><ds:Transforms><ds:Transform Algorithm="` + algorithmSTR + `"><wsse:TransformationParameters>` + excMethod +
		`</wsse:TransformationParameters></ds:Transform></ds:Transforms>` + sha256Method + `<ds:DigestValue>{str token}</ds:DigestValue></ds:Reference>`
	template := strings.Replace(detached, "{references}", reference("body")+strReference, 1)
	second := `<wsse:BinarySecurityToken wsu:Id="token2">VG9rZW4=</wsse:BinarySecurityToken>`
	cases := []struct {
		name          string
		before, after []swap
		want          xmlsec.Reason
	}{
		{"direct reference", nil, nil, accepted},
		{"without the augmented default namespace", []swap{{"{str token}", "{digest token}"}}, nil, xmlsec.DigestMismatch},
		{"under a default namespace", []swap{{"<wsse:Security>", `<wsse:Security xmlns="urn:d">`}}, nil, accepted},
		{"moved under a default namespace", nil, []swap{{"<wsse:Security>", `<wsse:Security xmlns="urn:d">`}}, xmlsec.DigestMismatch},
		{"T6 another token with other octets", nil, []swap{{"<wsse:Security>", "<wsse:Security>" + strings.Replace(second, "VG", "VH", 1)}, {`<wsse:Reference URI="#token"/>`, `<wsse:Reference URI="#token2"/>`}}, xmlsec.DigestMismatch},
		{"T6 reference out of the message", []swap{{`<wsse:Reference URI="#token"/>`, `<wsse:Reference URI="http://127.0.0.1/"/>`}}, nil, xmlsec.KeyInfoRefused},
		{"T6 reference to nothing", []swap{{`<wsse:Reference URI="#token"/>`, `<wsse:Reference URI="#none"/>`}}, nil, xmlsec.KeyInfoRefused},
		{"T6 a token outside the message", []swap{{`<wsse:Reference URI="#token"/>`, `<wsse:KeyIdentifier ValueType="` + typeSKI + `">AAAA</wsse:KeyIdentifier>`}}, nil, xmlsec.ReferenceUnresolved},
		{"T6 two references in the STR", []swap{{`<wsse:Reference URI="#token"/>`, `<wsse:Reference URI="#body"/><wsse:Reference URI="#token"/>`}}, nil, xmlsec.KeyInfoRefused},
		{"A7 the STR itself", []swap{{`<wsse:Reference URI="#token"/>`, `<wsse:Reference URI="#str"/>`}}, nil, xmlsec.KeyInfoRefused},
		{"T6 not of an STR", []swap{{`<ds:Reference URI="#str">`, `<ds:Reference URI="#time">`}}, nil, xmlsec.TransformRefused},
		{"T6 the token holds the signature", []swap{{`<wsse:Reference URI="#token"/>`, `<wsse:Reference URI="#security"/>`}, {"<wsse:Security>", `<wsse:Security wsu:Id="security">`}}, nil, xmlsec.TransformRefused},
		{"no parameters", []swap{{`<wsse:TransformationParameters>` + excMethod + `</wsse:TransformationParameters>`, ``}}, nil, xmlsec.Malformed},
		{"parameters of inclusive canonicalization", []swap{{`<wsse:TransformationParameters>` + excMethod, `<wsse:TransformationParameters><ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>`}}, nil, xmlsec.CanonicalizationRefused},
		{"two parameters", []swap{{`<wsse:TransformationParameters>` + excMethod, `<wsse:TransformationParameters>` + excMethod + excMethod}}, nil, xmlsec.Malformed},
		{"STR-Transform after another", []swap{{`<ds:Transform Algorithm="` + algorithmSTR, excTransform + `<ds:Transform Algorithm="` + algorithmSTR}}, nil, xmlsec.TransformRefused},
		{"another after STR-Transform", []swap{{`</wsse:TransformationParameters></ds:Transform>`, `</wsse:TransformationParameters></ds:Transform>` + excTransform}}, nil, xmlsec.TransformRefused},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := apply(t, fill(t, apply(t, template, c.before), key(t, "p256"), crypto.SHA256, false), c.after)
			d, _, v, err := verify(t, text, 0, public(t, "p256"), xmlsec.DefaultPolicy())
			if got := reason(t, err); got != c.want {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err == nil && (!v.Signs(byID(t, d, "token")) || v.Signs(byID(t, d, "str")) || v.Covers(byID(t, d, "str"))) {
				t.Error("coverage")
			}
		})
	}
	// The STR is not signed: turned to a second token of the same octets, it makes the
	// second one the signed one, and the first one none.
	text := fill(t, template, key(t, "p256"), crypto.SHA256, false)
	text = apply(t, text, []swap{{`wsu:Id="token"`, `wsu:Id="x"`}, {"<wsse:Security>", `<wsse:Security><wsse:BinarySecurityToken wsu:Id="token">VG9rZW4=</wsse:BinarySecurityToken>`}})
	d, _, v, err := verify(t, text, 0, public(t, "p256"), xmlsec.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if !v.Signs(byID(t, d, "token")) || v.Signs(byID(t, d, "x")) || v.Covers(byID(t, d, "x")) {
		t.Error("the token that was not digested is covered")
	}
}

// TestHMACWithPublicKey: A1 in full: the value really is the HMAC under the public
// key in each of its spellings, and is refused before anything is computed.
func TestHMACWithPublicKey(t *testing.T) {
	der, err := x509.MarshalPKIXPublicKey(public(t, "p256"))
	if err != nil {
		t.Fatal(err)
	}
	spellings := map[string][]byte{"SPKI": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "base64": []byte(base64.StdEncoding.EncodeToString(der))}
	for name, secret := range spellings {
		text := apply(t, threeReferences(), []swap{{algorithmECDSA, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"}})
		text = fill(t, text, hmacSigner(secret), crypto.SHA256, false)
		if _, _, _, err := verify(t, text, 0, public(t, "p256"), xmlsec.DefaultPolicy()); reason(t, err) != xmlsec.AlgorithmRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

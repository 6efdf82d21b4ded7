package xmlsec_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

func b64(octets []byte) string { return base64.StdEncoding.EncodeToString(octets) }

func rsaKeyValue(modulus, exponent []byte) string {
	return `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + b64(modulus) + `</ds:Modulus><ds:Exponent>` + b64(exponent) + `</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`
}

func ecKeyValue(curve string, point []byte) string {
	return `<ds:KeyValue><d11:ECKeyValue xmlns:d11="` + xmlsec.NamespaceDS11 + `"><d11:NamedCurve URI="` + curve + `"/><d11:PublicKey>` + b64(point) + `</d11:PublicKey></d11:ECKeyValue></ds:KeyValue>`
}

const (
	oid256   = "urn:oid:1.2.840.10045.3.1.7"
	oid384   = "urn:oid:1.3.132.0.34"
	oid521   = "urn:oid:1.3.132.0.35"
	issuer   = `<ds:X509IssuerSerial><ds:X509IssuerName>CN=CA</ds:X509IssuerName><ds:X509SerialNumber>17</ds:X509SerialNumber></ds:X509IssuerSerial>`
	certText = `<ds:X509Certificate>TUlJ&#13;
Qg==</ds:X509Certificate>`
	directSTR = `<wsse:SecurityTokenReference><wsse:Reference URI="#token" ValueType="` + xmlsec.ValueTypeX509v3 + `"/></wsse:SecurityTokenReference>`
	direct    = `<wsse:Reference URI="#token"/>`
)

func keyIdentifier(valueType, attributes, value string) string {
	return `<wsse:KeyIdentifier ValueType="` + valueType + `"` + attributes + `>` + value + `</wsse:KeyIdentifier>`
}

func str(content string) string {
	return `<wsse:SecurityTokenReference>` + content + `</wsse:SecurityTokenReference>`
}

// inMessage puts a KeyInfo beside the tokens that it may refer to.
func inMessage(content string) string {
	return `<r ` + ns + `><wsse:BinarySecurityToken wsu:Id="token">AAAA</wsse:BinarySecurityToken><wsse:SecurityTokenReference wsu:Id="otherSTR"/><ds:KeyInfo Id="otherInfo"/>` +
		`<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="assertion"/><x ID="x"/><ds:KeyInfo Id="this">` + content + `</ds:KeyInfo></r>`
}

func TestKeyInfoAdmitted(t *testing.T) {
	rsaKey := public(t, "rsa2048").(*rsa.PublicKey)
	point := func(name string) []byte {
		p, err := public(t, name).(*ecdsa.PublicKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	cases := []struct {
		name, content string
		check         func(k xmlsec.KeyInfo, d *xmltext.Document) bool
	}{
		{"direct reference", directSTR, func(k xmlsec.KeyInfo, d *xmltext.Document) bool {
			return k.Selector == xmlsec.ByReference && k.Token == byID(t, d, "token") && string(k.ValueType) == xmlsec.ValueTypeX509v3
		}},
		{"direct reference without ValueType", str(direct), func(k xmlsec.KeyInfo, d *xmltext.Document) bool {
			return k.Selector == xmlsec.ByReference && k.Token == byID(t, d, "token") && k.ValueType == nil
		}},
		{"white space around", "\n " + str("\n "+direct+" \n") + "\n", func(k xmlsec.KeyInfo, _ *xmltext.Document) bool { return k.Selector == xmlsec.ByReference }},
		{"subject key identifier", str(keyIdentifier(typeSKI, ` EncodingType="`+xmlsec.EncodingBase64+`"`, "AQI=")), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			return k.Selector == xmlsec.BySKI && string(k.Value) == "AQI="
		}},
		{"subject key identifier without EncodingType", str(keyIdentifier(typeSKI, ``, "AQI=")), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool { return k.Selector == xmlsec.BySKI }},
		{"thumbprint", str(keyIdentifier(typeThumbprint, ``, "AQI=")), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool { return k.Selector == xmlsec.ByThumbprint }},
		{"assertion in the message", str(keyIdentifier(xmlsec.ValueTypeAssertionID, ``, "assertion")), func(k xmlsec.KeyInfo, d *xmltext.Document) bool {
			return k.Selector == xmlsec.ByAssertionID && string(k.Value) == "assertion" && k.Token == byID(t, d, "assertion")
		}},
		{"assertion elsewhere", str(keyIdentifier(xmlsec.ValueTypeAssertionID, ``, "elsewhere")), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			return k.Selector == xmlsec.ByAssertionID && k.Token.IsZero()
		}},
		{"assertion identifier of no assertion", str(keyIdentifier(xmlsec.ValueTypeAssertionID, ``, "x")), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			return k.Selector == xmlsec.ByAssertionID && k.Token.IsZero()
		}},
		{"issuer and serial in an STR", str(`<ds:X509Data>` + issuer + `</ds:X509Data>`), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			return k.Selector == xmlsec.ByIssuerSerial && string(k.Issuer) == "CN=CA" && string(k.Serial) == "17"
		}},
		{"issuer and serial", `<ds:X509Data>` + issuer + `</ds:X509Data>`, func(k xmlsec.KeyInfo, _ *xmltext.Document) bool { return k.Selector == xmlsec.ByIssuerSerial }},
		{"certificate", `<ds:X509Data>` + certText + `</ds:X509Data>`, func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			der, err := xmlsec.AppendBase64(nil, k.Value)
			return k.Selector == xmlsec.ByCertificate && err == nil && string(der) == "MIIB"
		}},
		{"RSA key", rsaKeyValue(rsaKey.N.Bytes(), []byte{1, 0, 1}), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			return k.Selector == xmlsec.ByKeyValue && rsaKey.Equal(k.Key)
		}},
		{"RSA key with leading zeros", rsaKeyValue(append([]byte{0}, rsaKey.N.Bytes()...), []byte{0, 1, 0, 1}), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool { return rsaKey.Equal(k.Key) }},
		{"RSA key, Java's line ends", strings.Replace(rsaKeyValue(rsaKey.N.Bytes(), []byte{1, 0, 1}), "==", "=&#13;\n=", 1), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool { return rsaKey.Equal(k.Key) }},
		{"P-256 key", ecKeyValue(oid256, point("p256")), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			return public(t, "p256").(*ecdsa.PublicKey).Equal(k.Key)
		}},
		{"P-384 key", ecKeyValue(oid384, point("p384")), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			return public(t, "p384").(*ecdsa.PublicKey).Equal(k.Key)
		}},
		{"P-521 key", ecKeyValue(oid521, point("p521")), func(k xmlsec.KeyInfo, _ *xmltext.Document) bool {
			return public(t, "p521").(*ecdsa.PublicKey).Equal(k.Key)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, inMessage(c.content))
			defer d.Release()
			k, err := xmlsec.ParseKeyInfo(byID(t, d, "this"))
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(k, d) {
				t.Errorf("%+v", k)
			}
		})
	}
}

// TestKeyInfoRefused: A6, A7, T4, A4: everything that selects in two ways, leads out
// of the message, in circles, or to a key that is none.
func TestKeyInfoRefused(t *testing.T) {
	rsaKey := public(t, "rsa2048").(*rsa.PublicKey)
	modulus := rsaKey.N.Bytes()
	p256, err := public(t, "p256").(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	off := append([]byte(nil), p256...)
	off[64] ^= 1
	small := public(t, "rsa1024").(*rsa.PublicKey).N.Bytes()
	e3 := public(t, "rsa2048e3").(*rsa.PublicKey).N.Bytes()
	even := append([]byte(nil), modulus...)
	even[len(even)-1] &^= 1
	data := func(content string) string { return `<ds:X509Data>` + content + `</ds:X509Data>` }
	rsaValue := rsaKeyValue(modulus, []byte{1, 0, 1})
	ecValue := ecKeyValue(oid256, p256)
	inner := func(v string) string { return v[len(`<ds:KeyValue>`) : len(v)-len(`</ds:KeyValue>`)] }
	refused, weak := xmlsec.KeyInfoRefused, xmlsec.KeyRefused
	cases := []struct {
		name, content string
		want          xmlsec.Reason
	}{
		{"empty", ``, refused},
		{"text", `x`, refused},
		{"text beside", `x` + directSTR, refused},
		{"comment", directSTR + `<!-- -->`, refused},
		{"comment deep inside", data(`<ds:X509Certificate>AA<!-- -->AA</ds:X509Certificate>`), refused},

		// A6: two selections.
		{"A6 STR twice", directSTR + directSTR, refused},
		{"A6 STR and X509Data", directSTR + data(certText), refused},
		{"A6 STR and KeyValue", directSTR + rsaValue, refused},
		{"A6 STR, X509Data and KeyValue", directSTR + data(certText) + rsaValue, refused},
		{"A6 X509Data and STR", data(certText) + directSTR, refused},
		{"A6 X509Data and KeyValue", data(certText) + rsaValue, refused},
		{"A6 X509Data twice", data(certText) + data(certText), refused},
		{"A6 KeyValue and X509Data", rsaValue + data(certText), refused},
		{"A6 KeyValue twice", rsaValue + ecValue, refused},
		{"A6 KeyName", `<ds:KeyName>alice</ds:KeyName>`, refused},
		{"A6 KeyName and X509Data", `<ds:KeyName>alice</ds:KeyName>` + data(certText), refused},
		{"A6 X509Data and KeyName", data(certText) + `<ds:KeyName>alice</ds:KeyName>`, refused},
		{"A6 two certificates", data(certText + certText), refused},
		{"A6 certificate and issuer", data(certText + issuer), refused},
		{"A6 issuer and certificate", data(issuer + certText), refused},
		{"A6 issuer twice", data(issuer + issuer), refused},
		{"A6 certificate and subject name", data(certText + `<ds:X509SubjectName>CN=a</ds:X509SubjectName>`), refused},
		{"A6 certificate and CRL", data(certText + `<ds:X509CRL>AAAA</ds:X509CRL>`), refused},
		{"A6 X509SKI", data(`<ds:X509SKI>AAAA</ds:X509SKI>`), refused},
		{"A6 X509Digest", data(`<d11:X509Digest xmlns:d11="` + xmlsec.NamespaceDS11 + `">AAAA</d11:X509Digest>`), refused},
		{"A6 X509Data empty", data(``), refused},
		{"A6 X509Data with text", data(`x` + certText), refused},
		{"A6 certificate empty", data(`<ds:X509Certificate/>`), refused},
		{"A6 certificate with an element", data(`<ds:X509Certificate>AA<x/>AA</ds:X509Certificate>`), refused},
		{"A6 issuer without serial", data(`<ds:X509IssuerSerial><ds:X509IssuerName>CN=CA</ds:X509IssuerName></ds:X509IssuerSerial>`), refused},
		{"A6 serial before issuer", data(`<ds:X509IssuerSerial><ds:X509SerialNumber>17</ds:X509SerialNumber><ds:X509IssuerName>CN=CA</ds:X509IssuerName></ds:X509IssuerSerial>`), refused},
		{"A6 issuer empty", data(`<ds:X509IssuerSerial><ds:X509IssuerName/><ds:X509SerialNumber>17</ds:X509SerialNumber></ds:X509IssuerSerial>`), refused},
		{"A6 serial empty", data(`<ds:X509IssuerSerial><ds:X509IssuerName>CN=CA</ds:X509IssuerName><ds:X509SerialNumber/></ds:X509IssuerSerial>`), refused},
		{"A6 two serials", data(`<ds:X509IssuerSerial><ds:X509IssuerName>CN=CA</ds:X509IssuerName><ds:X509SerialNumber>17</ds:X509SerialNumber><ds:X509SerialNumber>18</ds:X509SerialNumber></ds:X509IssuerSerial>`), refused},
		{"A6 element in the issuer", data(`<ds:X509IssuerSerial><ds:X509IssuerName>CN=<x/>CA</ds:X509IssuerName><ds:X509SerialNumber>17</ds:X509SerialNumber></ds:X509IssuerSerial>`), refused},
		{"A6 PGPData", `<ds:PGPData/>`, refused},
		{"A6 SPKIData", `<ds:SPKIData/>`, refused},
		{"A6 MgmtData", `<ds:MgmtData>x</ds:MgmtData>`, refused},
		{"A6 DEREncodedKeyValue", `<d11:DEREncodedKeyValue xmlns:d11="` + xmlsec.NamespaceDS11 + `">AAAA</d11:DEREncodedKeyValue>`, refused},
		{"A6 unknown element", `<x/>`, refused},
		{"A6 of another namespace", `<X509Data><X509Certificate>AAAA</X509Certificate></X509Data>`, refused},

		// The SecurityTokenReference, by the rules of the Basic Security Profile.
		{"R3061 STR empty", str(``), refused},
		{"R3061 reference twice", str(direct + direct), refused},
		{"R3061 reference and identifier", str(direct + keyIdentifier(typeSKI, ``, "AQI=")), refused},
		{"R3061 identifier and reference", str(keyIdentifier(typeSKI, ``, "AQI=") + direct), refused},
		{"R3061 identifier twice", str(keyIdentifier(typeSKI, ``, "AQI=") + keyIdentifier(typeThumbprint, ``, "AQI=")), refused},
		{"R3061 issuer and reference", str(data(issuer) + direct), refused},
		{"R3061 issuer and identifier", str(data(issuer) + keyIdentifier(typeSKI, ``, "AQI=")), refused},
		{"R3061 issuer, reference and identifier", str(data(issuer) + direct + keyIdentifier(typeSKI, ``, "AQI=")), refused},
		{"R3061 reference and issuer", str(direct + data(issuer)), refused},
		{"STR with text", str(`x` + direct), refused},
		{"R3027 KeyName in an STR", str(`<ds:KeyName>alice</ds:KeyName>`), refused},
		{"embedded token", str(`<wsse:Embedded><wsse:BinarySecurityToken>AAAA</wsse:BinarySecurityToken></wsse:Embedded>`), refused},
		{"certificate in an STR", str(data(certText)), refused},
		{"R3057 reference to an STR", str(`<wsse:Reference URI="#otherSTR"/>`), refused},
		{"R3057 reference to a KeyInfo", str(`<wsse:Reference URI="#otherInfo"/>`), refused},
		{"A7 reference to the KeyInfo it is in", str(`<wsse:Reference URI="#this"/>`), refused},
		{"R3062 reference without URI", str(`<wsse:Reference/>`), refused},
		{"reference to nothing", str(`<wsse:Reference URI="#nothing"/>`), refused},
		{"reference with an empty fragment", str(`<wsse:Reference URI="#"/>`), refused},
		{"R5204 reference without fragment", str(`<wsse:Reference URI="token"/>`), refused},
		{"R5204 reference to http", str(`<wsse:Reference URI="http://127.0.0.1:1/"/>`), refused},
		{"reference with content", str(`<wsse:Reference URI="#token"><x/></wsse:Reference>`), refused},
		{"R3054 identifier without ValueType", str(`<wsse:KeyIdentifier>AQI=</wsse:KeyIdentifier>`), refused},
		{"identifier of an unknown type", str(keyIdentifier("urn:x", ``, "AQI=")), refused},
		{"SAML 2 identifier", str(keyIdentifier("http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID", ``, "x")), refused},
		{"certificate as identifier", str(keyIdentifier(xmlsec.ValueTypeX509v3, ``, "AQI=")), refused},
		{"R3071 identifier in hexadecimal", str(keyIdentifier(typeSKI, ` EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#HexBinary"`, "0102")), refused},
		{"identifier empty", str(keyIdentifier(typeSKI, ``, "")), refused},
		{"identifier with an element", str(keyIdentifier(typeSKI, ``, "A<x/>A")), refused},
		{"R6604 assertion identifier with EncodingType", str(keyIdentifier(xmlsec.ValueTypeAssertionID, ` EncodingType="`+xmlsec.EncodingBase64+`"`, "assertion")), refused},

		// T4, A7: keys fetched from elsewhere.
		{"T4 RetrievalMethod", `<ds:RetrievalMethod URI="file:///etc/passwd" Type="` + xmlsec.NamespaceDS + `X509Data"/>`, refused},
		{"A7 RetrievalMethod to itself", `<ds:RetrievalMethod URI="#this"/>`, refused},
		{"T4 KeyInfoReference", `<d11:KeyInfoReference xmlns:d11="` + xmlsec.NamespaceDS11 + `" URI="#otherInfo"/>`, refused},
		{"EncryptedKey", `<x:EncryptedKey xmlns:x="http://www.w3.org/2001/04/xmlenc#"/>`, refused},

		// Keys.
		{"KeyValue empty", `<ds:KeyValue/>`, refused},
		{"KeyValue with text", `<ds:KeyValue>x` + inner(rsaValue) + `</ds:KeyValue>`, refused},
		{"KeyValue of two kinds", `<ds:KeyValue>` + inner(rsaValue) + inner(ecValue) + `</ds:KeyValue>`, refused},
		{"KeyValue of two kinds, turned", `<ds:KeyValue>` + inner(ecValue) + inner(rsaValue) + `</ds:KeyValue>`, refused},
		{"DSA key", `<ds:KeyValue><ds:DSAKeyValue><ds:Y>AQAB</ds:Y></ds:DSAKeyValue></ds:KeyValue>`, refused},
		{"RSA of 1024 bits", rsaKeyValue(small, []byte{1, 0, 1}), weak},
		{"Z8 RSA of 16384 bits", rsaKeyValue(append([]byte{0x80}, make([]byte, 2047)...), []byte{1, 0, 1}), weak},
		{"Z8 RSA of 8200 bits", rsaKeyValue(append(append([]byte{0x80}, make([]byte, 1023)...), 1), []byte{1, 0, 1}), weak},
		{"Z8 RSA of a megabyte", `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + strings.Repeat("AQAB", 200000) + `</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`, refused},
		{"RSA with exponent 3", rsaKeyValue(e3, []byte{3}), weak},
		{"RSA with exponent 1", rsaKeyValue(modulus, []byte{1}), weak},
		{"RSA with exponent 0", rsaKeyValue(modulus, []byte{0}), weak},
		{"RSA with an even exponent", rsaKeyValue(modulus, []byte{1, 0, 2}), weak},
		{"RSA with exponent 2^32+1", rsaKeyValue(modulus, []byte{1, 0, 0, 0, 1}), weak},
		{"RSA with a long exponent", rsaKeyValue(modulus, modulus), refused},
		{"RSA without exponent", `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>` + b64(modulus) + `</ds:Modulus></ds:RSAKeyValue></ds:KeyValue>`, refused},
		{"RSA exponent first", `<ds:KeyValue><ds:RSAKeyValue><ds:Exponent>AQAB</ds:Exponent><ds:Modulus>` + b64(modulus) + `</ds:Modulus></ds:RSAKeyValue></ds:KeyValue>`, refused},
		{"RSA with an even modulus", rsaKeyValue(even, []byte{1, 0, 1}), weak},
		{"RSA with modulus zero", rsaKeyValue(make([]byte, 256), []byte{1, 0, 1}), weak},
		{"RSA modulus no base64", `<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>***</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>`, xmlsec.BadBase64},
		{"A4 point off the curve", ecKeyValue(oid256, off), weak},
		{"A4 point of another curve", ecKeyValue(oid384, p256), weak},
		{"A4 point at infinity", ecKeyValue(oid256, []byte{0}), weak},
		{"A4 zero point", ecKeyValue(oid256, append([]byte{4}, make([]byte, 64)...)), weak},
		{"A4 compressed point", ecKeyValue(oid256, elliptic.MarshalCompressed(elliptic.P256(), new(big.Int).SetBytes(p256[1:33]), new(big.Int).SetBytes(p256[33:]))), weak},
		{"A4 hybrid point", ecKeyValue(oid256, append([]byte{6 | p256[64]&1}, p256[1:]...)), weak},
		{"A4 point empty", ecKeyValue(oid256, nil), weak},
		{"A4 P-224", ecKeyValue("urn:oid:1.3.132.0.33", p256), refused},
		{"A4 secp256k1", ecKeyValue("urn:oid:1.3.132.0.10", p256), refused},
		{"A4 curve without URI", strings.Replace(ecValue, ` URI="`+oid256+`"`, ``, 1), refused},
		{"A4 explicit parameters", strings.Replace(ecValue, `<d11:NamedCurve URI="`+oid256+`"/>`, `<d11:ECParameters/>`, 1), refused},
		{"A4 explicit parameters beside", strings.Replace(ecValue, `<d11:PublicKey>`, `<d11:ECParameters/><d11:PublicKey>`, 1), refused},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, inMessage(c.content))
			defer d.Release()
			k, err := xmlsec.ParseKeyInfo(byID(t, d, "this"))
			if got := reason(t, err); got != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
			if k.Selector != 0 || k.Key != nil || !k.Token.IsZero() || k.Value != nil || k.Issuer != nil || k.Serial != nil {
				t.Errorf("a selection beside an error: %+v", k)
			}
		})
	}
	if _, err := xmlsec.ParseKeyInfo(xmltext.Node{}); reason(t, err) != refused {
		t.Error(err)
	}
	d := parse(t, inMessage(directSTR))
	defer d.Release()
	if _, err := xmlsec.ParseKeyInfo(byID(t, d, "x")); reason(t, err) != refused {
		t.Error(err)
	}
}

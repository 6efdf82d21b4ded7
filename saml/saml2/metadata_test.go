package saml2_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/saml/saml2"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

const metadataNamespace = "urn:oasis:names:tc:SAML:2.0:metadata"

// config describes the STS with the key of a leaf.
func config(leaf testpki.Leaf) saml2.Config {
	return saml2.Config{
		EntityID:  "urn:be:fgov:ehealth:sts:1_0",
		Locations: []string{"https://sts.example/IAM/Saml11TokenService/v1", "https://sts.example/IAM/Saml11TokenService/Legacy/v1?a=1&b='2'"},
		Signer:    leaf.Key, Certificate: leaf.DER, MoreCertificates: [][]byte{testpki.Load().Application.DER},
		Now:               testpki.Now(),
		AttributeProfiles: []string{"urn:example:profile"},
		Organization:      &saml2.Organization{Language: "nl", Name: "sceau", Display: `Zorg & <Zegel> "é"`, URL: "https://sts.example/"},
	}
}

// signers are keys of every kind that can sign.
func signers() map[string]testpki.Leaf {
	pki := testpki.Load()
	return map[string]testpki.Leaf{"RSA-2048": pki.STS, "P-256": pki.STSP256, "P-384": pki.AliceEHealthP384}
}

func mustMake(t *testing.T, c saml2.Config) []byte {
	t.Helper()
	document, err := saml2.Metadata(c)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// verify has our own xmlsec verify the one signature and say that it covers all.
func verify(document []byte, leaf testpki.Leaf) error {
	d, err := xmltext.Parse(document, xmltext.DefaultLimits())
	if err != nil {
		return err
	}
	defer d.Release()
	signature, err := xmlsec.ParseSignature(d.Root().FirstElement())
	if err != nil {
		return err
	}
	policy := xmlsec.DefaultPolicy()
	verified, err := signature.Verify(leaf.X509().PublicKey, &policy)
	if err != nil {
		return err
	}
	if !verified.Signs(d.Root()) || !d.Root().Is(metadataNamespace, "EntityDescriptor") {
		return errors.New("the signature is not over the document")
	}
	return nil
}

func TestSignatureVerifies(t *testing.T) {
	for name, leaf := range signers() {
		t.Run(name, func(t *testing.T) {
			// Many: a leading zero in r or s comes once in 256 signatures, and DER drops it.
			for range 40 {
				if err := verify(mustMake(t, config(leaf)), leaf); err != nil {
					t.Fatal(err)
				}
			}
			if err := verify(mustMake(t, config(leaf)), testpki.Load().Application); err == nil {
				t.Error("verifies with another key")
			}
			changed := bytes.Replace(mustMake(t, config(leaf)), []byte("sts.example"), []byte("sts.exemple"), 1)
			if err := verify(changed, leaf); err == nil {
				t.Error("verifies after a change")
			}
		})
	}
}

func TestSignatureVerifiesWithXMLSec(t *testing.T) {
	ids := []judge.ID{{Attribute: "ID", Namespace: metadataNamespace, Element: "EntityDescriptor"}}
	for name, leaf := range signers() {
		t.Run(name, func(t *testing.T) {
			public, err := x509.MarshalPKIXPublicKey(leaf.X509().PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			good := mustMake(t, config(leaf))
			documents := [][]byte{good, bytes.Replace(good, []byte("sts.example"), []byte("sts.exemple"), 1)}
			valid := judge.VerifyXMLSec(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), ids, "", documents)
			if !valid[0] || valid[1] {
				t.Errorf("as it is %v, changed %v", valid[0], valid[1])
			}
		})
	}
}

// TestSignatureVerifiesWithGoxmldsig: RSA only, because goxmldsig reads ECDSA in DER,
// which is not XML Signature.
func TestSignatureVerifiesWithGoxmldsig(t *testing.T) {
	leaf := testpki.Load().STS
	document := etree.NewDocument()
	if err := document.ReadFromBytes(mustMake(t, config(leaf))); err != nil {
		t.Fatal(err)
	}
	context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{leaf.X509()}})
	context.Clock = dsig.NewFakeClockAt(testpki.Now())
	if _, err := context.Validate(document.Root()); err != nil {
		t.Error(err)
	}
}

func TestAlgorithms(t *testing.T) {
	for name, want := range map[string][2]string{
		"RSA-2048": {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"},
		"P-256":    {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"},
		"P-384":    {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#sha384"},
	} {
		document := string(mustMake(t, config(signers()[name])))
		for _, algorithm := range append(want[:], "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2000/09/xmldsig#enveloped-signature") {
			if !strings.Contains(document, `"`+algorithm+`"`) {
				t.Errorf("%s: no %s", name, algorithm)
			}
		}
	}
}

// TestContent reads the document back with the types of crewjam/saml.
func TestContent(t *testing.T) {
	c := config(testpki.Load().STS)
	var entity saml.EntityDescriptor
	if err := xml.Unmarshal(mustMake(t, c), &entity); err != nil {
		t.Fatal(err)
	}
	if entity.EntityID != c.EntityID || !entity.ValidUntil.Equal(c.Now.Add(saml2.DefaultValidity)) {
		t.Errorf("%s until %v", entity.EntityID, entity.ValidUntil)
	}
	if o := entity.Organization; o == nil || o.OrganizationDisplayNames[0] != (saml.LocalizedName{Lang: "nl", Value: c.Organization.Display}) {
		t.Errorf("organisation %+v", o)
	}
	if len(entity.AttributeAuthorityDescriptors) != 1 {
		t.Fatalf("%d attribute authorities", len(entity.AttributeAuthorityDescriptors))
	}
	role := entity.AttributeAuthorityDescriptors[0]
	if role.ProtocolSupportEnumeration != "urn:oasis:names:tc:SAML:1.1:protocol" ||
		len(role.NameIDFormats) != 1 || role.NameIDFormats[0] != "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName" ||
		len(role.AttributeProfiles) != 1 || role.AttributeProfiles[0] != "urn:example:profile" {
		t.Errorf("role %+v", role)
	}
	for i, location := range c.Locations {
		if got := role.AttributeServices[i]; got.Location != location || got.Binding != "urn:oasis:names:tc:SAML:1.0:bindings:SOAP-binding" {
			t.Errorf("service %d: %+v", i, got)
		}
	}
	want := [][]byte{c.Certificate, c.MoreCertificates[0]}
	if len(role.KeyDescriptors) != len(want) {
		t.Fatalf("%d keys", len(role.KeyDescriptors))
	}
	for i, key := range role.KeyDescriptors {
		der, err := base64.StdEncoding.DecodeString(key.KeyInfo.X509Data.X509Certificates[0].Data)
		if err != nil || !bytes.Equal(der, want[i]) || key.Use != "signing" {
			t.Errorf("key %d: use %q, %v", i, key.Use, err)
		}
	}
}

func TestIdentifiersDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		var entity saml.EntityDescriptor
		if err := xml.Unmarshal(mustMake(t, config(testpki.Load().STSP256)), &entity); err != nil {
			t.Fatal(err)
		}
		if seen[entity.ID] || !xmltext.IsNCName([]byte(entity.ID)) {
			t.Fatalf("ID %q", entity.ID)
		}
		seen[entity.ID] = true
	}
}

// TestValidityEndsWithTheCertificate: a document that outlives the key it announces
// would keep relying parties on it.
func TestValidityEndsWithTheCertificate(t *testing.T) {
	leaf := testpki.Load().STS
	c := config(leaf)
	c.Validity = 100 * 365 * 24 * time.Hour
	var entity saml.EntityDescriptor
	if err := xml.Unmarshal(mustMake(t, c), &entity); err != nil {
		t.Fatal(err)
	}
	if !entity.ValidUntil.Equal(leaf.X509().NotAfter) {
		t.Errorf("until %v", entity.ValidUntil)
	}
}

func TestConfigIsChecked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*saml2.Config)
		want   string
	}{
		{"nothing", func(c *saml2.Config) { *c = saml2.Config{} }, "entity id"},
		{"no entity id", func(c *saml2.Config) { c.EntityID = "" }, "entity id"},
		{"relative entity id", func(c *saml2.Config) { c.EntityID = "sts" }, "entity id"},
		{"long entity id", func(c *saml2.Config) { c.EntityID = "urn:" + strings.Repeat("x", 1021) }, "entity id"},
		{"no location", func(c *saml2.Config) { c.Locations = nil }, "no location"},
		{"a location that runs", func(c *saml2.Config) { c.Locations[0] = "javascript:alert(1)" }, "javascript"},
		{"a location without a host", func(c *saml2.Config) { c.Locations[0] = "https:///v1" }, "https:///v1"},
		{"no key", func(c *saml2.Config) { c.Signer = nil }, "no key"},
		{"another key", func(c *saml2.Config) { c.Signer = testpki.Load().OtherKey() }, "not that of the key"},
		{"no certificate", func(c *saml2.Config) { c.Certificate = nil }, "certificate"},
		{"a further certificate that is none", func(c *saml2.Config) { c.MoreCertificates = [][]byte{{1}} }, "certificate"},
		{"no clock", func(c *saml2.Config) { c.Now = time.Time{} }, "not valid now"},
		{"after the certificate", func(c *saml2.Config) { c.Now = testpki.NotAfter().Add(time.Second) }, "not valid now"},
		{"negative validity", func(c *saml2.Config) { c.Validity = -time.Second }, "validity"},
		{"an organisation without a name", func(c *saml2.Config) { c.Organization.Name = "" }, "organization"},
		{"an organisation without an address", func(c *saml2.Config) { c.Organization.URL = "x" }, "organization"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := config(testpki.Load().STS)
			test.change(&c)
			document, err := saml2.Metadata(c)
			if err == nil || document != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	c := config(testpki.Load().STS)
	c.EntityID, c.Locations, c.Certificate, c.Validity = "", nil, nil, -1
	_, err := saml2.Metadata(c)
	for _, want := range []string{"entity id", "location", "certificate", "validity"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// TestSchema has xmllint validate documents against the schema of SAML 2.0 metadata, and
// one that it must refuse.
func TestSchema(t *testing.T) {
	program := judge.Require(t, "xmllint")
	const schemas = "/usr/share/xml/opensaml" // of the Debian package opensaml-schemas
	if _, err := os.Stat(schemas); err != nil {
		if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			t.Fatalf("the package opensaml-schemas is not installed, and SCEAU_REQUIRE_EXTERNAL=1 wants it")
		}
		t.Skip("the package opensaml-schemas is not installed")
	}
	standIns, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	catalog := filepath.Join(folder, "catalog.xml")
	text := `<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">`
	for uri, file := range map[string]string{
		"http://www.w3.org/TR/2002/REC-xmldsig-core-20020212/xmldsig-core-schema.xsd": "xmldsig.xsd",
		"http://www.w3.org/TR/2002/REC-xmlenc-core-20021210/xenc-schema.xsd":          "xenc.xsd",
		"http://www.w3.org/2001/xml.xsd":                                              "xml.xsd",
	} {
		text += fmt.Sprintf(`<uri name="%s" uri="file://%s"/><system systemId="%[1]s" uri="file://%[2]s"/>`, uri, filepath.Join(standIns, file))
	}
	write(t, catalog, []byte(text+"</catalog>"))
	validate := func(document []byte) (string, bool) {
		name := filepath.Join(folder, "metadata.xml")
		write(t, name, document)
		command := exec.CommandContext(t.Context(), program, "--nonet", "--noout", "--schema", filepath.Join(schemas, "saml-schema-metadata-2.0.xsd"), name)
		command.Env = append(os.Environ(), "XML_CATALOG_FILES="+catalog)
		output, err := command.CombinedOutput()
		return string(output), err == nil
	}
	least := config(testpki.Load().STS)
	least.MoreCertificates, least.AttributeProfiles, least.Organization = nil, nil, nil
	for _, c := range []saml2.Config{config(testpki.Load().STS), config(testpki.Load().STSP256), least} {
		if output, ok := validate(mustMake(t, c)); !ok {
			t.Error(output)
		}
	}
	misplaced := bytes.Replace(mustMake(t, least), []byte("<AttributeService "), []byte("<AttributeServant "), 1)
	if output, ok := validate(misplaced); ok || !strings.Contains(output, "AttributeServant") {
		t.Errorf("the schema admits what it does not know: %s", output)
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

package judge

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Where Debian's opensaml-schemas and xmltooling-schemas put the schemas of the
// standards.
const (
	opensamlSchemas   = "/usr/share/xml/opensaml"
	xmltoolingSchemas = "/usr/share/xml/xmltooling"
)

// SAML11 requires that documents are valid by the SAML 1.1 schemas, by xmllint. Each is
// a samlp:Request, a samlp:Response or a saml:Assertion.
func SAML11(t testing.TB, documents ...[]byte) {
	t.Helper()
	program := Require(t, "xmllint")
	folder := t.TempDir()
	for _, name := range []string{"cs-sstc-schema-protocol-1.1.xsd", "cs-sstc-schema-assertion-1.1.xsd"} {
		schema, err := os.ReadFile(filepath.Join(opensamlSchemas, name))
		if err != nil {
			missing(t, "the Debian package opensaml-schemas")
		}
		// The schemas point to the network for xmldsig.
		schema = bytes.ReplaceAll(schema, []byte("http://www.w3.org/TR/xmldsig-core/xmldsig-core-schema.xsd"), []byte("xmldsig-core-schema.xsd"))
		write(t, filepath.Join(folder, name), schema)
	}
	signature, err := os.ReadFile(filepath.Join(xmltoolingSchemas, "xmldsig-core-schema.xsd"))
	if err != nil {
		missing(t, "the Debian package xmltooling-schemas")
	}
	// Its document type declaration points to the network too, and declares nothing
	// that the schema uses but one entity.
	if from := bytes.Index(signature, []byte("<!DOCTYPE")); from >= 0 {
		if to := bytes.Index(signature[from:], []byte("]>")); to >= 0 {
			signature = append(signature[:from:from], signature[from+to+2:]...)
		}
	}
	write(t, filepath.Join(folder, "xmldsig-core-schema.xsd"), signature)
	write(t, filepath.Join(folder, "saml.xsd"), []byte(`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:all">`+
		`<xs:import namespace="urn:oasis:names:tc:SAML:1.0:protocol" schemaLocation="cs-sstc-schema-protocol-1.1.xsd"/>`+
		`<xs:import namespace="urn:oasis:names:tc:SAML:1.0:assertion" schemaLocation="cs-sstc-schema-assertion-1.1.xsd"/></xs:schema>`))
	valid := func(document []byte) (bool, []byte) {
		name := filepath.Join(folder, "document.xml")
		write(t, name, document)
		_, stderr, status := run(t, program, "--noout", "--nonet", "--schema", filepath.Join(folder, "saml.xsd"), name)
		return status == 0, stderr
	}
	// A judge that takes anything is none.
	if ok, _ := valid([]byte(`<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion"/>`)); ok {
		t.Fatal("the schema takes an assertion without anything in it")
	}
	for _, document := range documents {
		if ok, complaint := valid(document); !ok {
			t.Errorf("not valid by the SAML 1.1 schema: %s\n%s", complaint, document)
		}
	}
}

// missing skips a test that lacks something of the machine, or fails it where the
// checks decide.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("%s is not installed", what)
}

package wsdl_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/sts"
	"sceau/sts/ststest"
	"sceau/sts/wsdl"
	"sceau/xmlsec/xmltext"
)

const (
	location = "https://sts.example/IAM/Saml11TokenService/v1"
	legacy   = "https://sts.example/IAM/Saml11TokenService/Legacy/v1"

	namespaceWSDL   = "http://schemas.xmlsoap.org/wsdl/"
	namespaceSOAP   = "http://schemas.xmlsoap.org/wsdl/soap/"
	namespacePolicy = "http://schemas.xmlsoap.org/ws/2004/09/policy"
	namespaceSP     = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"
	namespaceXSD    = "http://www.w3.org/2001/XMLSchema"
)

func parse(t *testing.T, text []byte) xmltext.Node {
	t.Helper()
	d, err := xmltext.Parse(text, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Release)
	return d.Root()
}

// all gives every element of a name below n, in document order.
func all(n xmltext.Node, namespace, local string) []xmltext.Node {
	var found []xmltext.Node
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		if c.Is(namespace, local) {
			found = append(found, c)
		}
		found = append(found, all(c, namespace, local)...)
	}
	return found
}

func attribute(n xmltext.Node, name string) string {
	value, _ := n.Attribute("", name)
	return string(value)
}

// expand gives the namespace and local name of a QName in content.
func expand(t *testing.T, n xmltext.Node, qname string) (string, string) {
	t.Helper()
	prefix, local, _ := strings.Cut(qname, ":")
	namespace, ok := n.NamespaceOf([]byte(prefix))
	if !ok {
		t.Errorf("%s: no such prefix", qname)
	}
	return string(namespace), local
}

// TestNames holds the document against section 1.1 of the wire document.
func TestNames(t *testing.T) {
	root := parse(t, wsdl.Document(location, legacy))
	const target = "urn:be:fgov:ehealth:sts:protocol:v1"
	if !root.Is(namespaceWSDL, "definitions") || attribute(root, "targetNamespace") != target {
		t.Error("not the definitions of the service")
	}
	one := func(namespace, local string) xmltext.Node {
		t.Helper()
		found := all(root, namespace, local)
		if len(found) == 0 {
			t.Fatalf("no %s", local)
		}
		return found[0]
	}
	for local, name := range map[string]string{
		"service": "Saml11TokenService", "port": "Saml11TokenServiceSOAP11",
		"portType": "Saml11TokenServicePortType", "operation": "RequestSecurityToken",
	} {
		if got := attribute(one(namespaceWSDL, local), "name"); got != name {
			t.Errorf("%s %s, want %s", local, got, name)
		}
	}
	if got := attribute(one(namespaceSOAP, "operation"), "soapAction"); got != target+":RequestSecurityToken" {
		t.Errorf("soapAction %s", got)
	}
	if len(all(root, namespaceWSDL, "fault")) > 0 {
		t.Error("the platform declares no fault")
	}
	var addresses []string
	for _, address := range all(root, namespaceSOAP, "address") {
		addresses = append(addresses, attribute(address, "location"))
	}
	if !slices.Equal(addresses, []string{location, legacy}) {
		t.Errorf("addresses %v", addresses)
	}
	var elements []string
	for _, part := range all(root, namespaceWSDL, "part") {
		namespace, local := expand(t, part, attribute(part, "element"))
		if namespace != "urn:oasis:names:tc:SAML:1.0:protocol" {
			t.Errorf("part of %s", namespace)
		}
		elements = append(elements, local)
	}
	if !slices.Equal(elements, []string{"Request", "Response"}) {
		t.Errorf("elements %v", elements)
	}
}

// TestReferencesResolve: whatever the document refers to by name is in it.
func TestReferencesResolve(t *testing.T) {
	root := parse(t, wsdl.Document(location, legacy))
	target := attribute(root, "targetNamespace")
	resolves := func(from, attributeName, to string) {
		t.Helper()
		for _, n := range all(root, namespaceWSDL, from) {
			value := attribute(n, attributeName)
			if value == "" {
				continue
			}
			namespace, local := expand(t, n, value)
			if namespace != target || !slices.ContainsFunc(all(root, namespaceWSDL, to), func(m xmltext.Node) bool { return attribute(m, "name") == local }) {
				t.Errorf("%s refers to %s %s, which is not there", from, to, value)
			}
		}
	}
	resolves("input", "message", "message")
	resolves("output", "message", "message")
	resolves("binding", "type", "portType")
	resolves("port", "binding", "binding")
}

// TestPolicy: the input message is signed as section 1.1 lists it, the output is not.
func TestPolicy(t *testing.T) {
	root := parse(t, wsdl.Document(location, legacy))
	references := all(root, namespacePolicy, "PolicyReference")
	if len(references) != 1 || !references[0].Parent().Is(namespaceWSDL, "input") {
		t.Fatalf("%d references to a policy, or not on the input", len(references))
	}
	policy, ok := root.Document().ElementByID([]byte(strings.TrimPrefix(attribute(references[0], "URI"), "#")))
	if !ok || !policy.Is(namespacePolicy, "Policy") {
		t.Fatal("the policy is not there")
	}
	var got []string
	var walk func(n xmltext.Node)
	walk = func(n xmltext.Node) {
		for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
			if string(c.Namespace()) == namespaceSP {
				name := string(c.Local())
				if include, ok := c.Attribute(namespaceSP, "IncludeToken"); ok {
					name += " " + string(include[bytes.LastIndexByte(include, '/')+1:])
				}
				got = append(got, name)
			}
			walk(c)
		}
	}
	walk(policy)
	want := []string{"AsymmetricBinding",
		"InitiatorToken", "X509Token AlwaysToRecipient", "WssX509V3Token10", "RecipientToken", "X509Token Never", "WssX509V3Token10",
		"AlgorithmSuite", "Basic256", "Layout", "Lax", "IncludeTimestamp", "ProtectTokens", "OnlySignEntireHeadersAndBody",
		"Wss10", "MustSupportRefKeyIdentifier", "MustSupportRefIssuerSerial", "SignedParts", "Body"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestSchemasAreThere: every import leads to a schema of that namespace.
func TestSchemasAreThere(t *testing.T) {
	schemas := wsdl.Schemas(location)
	texts := [][]byte{wsdl.Document(location, legacy)}
	for _, text := range schemas {
		texts = append(texts, text)
	}
	imports := 0
	for _, text := range texts {
		for _, n := range all(parse(t, text), namespaceXSD, "import") {
			imports++
			name, ok := strings.CutPrefix(attribute(n, "schemaLocation"), location+"?xsd=")
			if !ok || schemas[name] == nil {
				t.Errorf("import from %s", attribute(n, "schemaLocation"))
				continue
			}
			if got := attribute(parse(t, schemas[name]), "targetNamespace"); got != attribute(n, "namespace") {
				t.Errorf("import of %s gives %s", attribute(n, "namespace"), got)
			}
		}
	}
	if imports != 4 {
		t.Errorf("%d imports", imports)
	}
}

func TestAddressesAreText(t *testing.T) {
	strange := `https://sts.example/?a=1&b="<@LEGACY@>'`
	root := parse(t, wsdl.Document(strange, legacy))
	if got := attribute(all(root, namespaceSOAP, "address")[0], "location"); got != strange {
		t.Errorf("address %s", got)
	}
	for name, text := range wsdl.Schemas(strange) {
		for _, n := range all(parse(t, text), namespaceXSD, "import") {
			if !strings.HasPrefix(attribute(n, "schemaLocation"), strange+"?xsd=") {
				t.Errorf("%s imports %s", name, attribute(n, "schemaLocation"))
			}
		}
	}
}

func TestCallsShareNothing(t *testing.T) {
	first := wsdl.Schemas(location)["protocol"]
	clear(first)
	if second := wsdl.Schemas(location)["protocol"]; second[0] != '<' {
		t.Error("a caller changed what the next one gets")
	}
}

// messages are envelopes that the service reads and writes.
func messages(t *testing.T) map[string][]byte {
	pki := testpki.Load()
	fixture := ststest.New(t, nil)
	texts := map[string][]byte{}
	ask := func(name string, q ststest.Query) {
		texts["request, "+name] = fixture.Message(t, q)
		answer := fixture.Service.AttributeQuery(context.Background(), &sts.Message{Body: texts["request, "+name]}, nil)
		if bytes.Contains(answer.Body, []byte("Fault>")) {
			t.Fatalf("%s: %s", name, answer.Body)
		}
		texts["answer, "+name] = answer.Body
	}
	ask("two certificates", ststest.Query{Identity: &pki.AliceEID, Holder: &pki.AliceEHealth})
	ask("one certificate", ststest.Query{Identity: &pki.AliceEHealth, Holder: &pki.AliceEHealth})
	ask("refused", ststest.Query{Identity: &pki.AliceEID, Holder: &pki.AliceEHealth, Unsigned: true})
	if !bytes.Contains(texts["answer, two certificates"], []byte("<Assertion ")) || bytes.Contains(texts["answer, refused"], []byte("<Assertion ")) {
		t.Fatal("the answers are not what the test needs")
	}
	return texts
}

// validator writes a schema for envelopes around our schemas and returns what xmllint
// says of a message.
func validator(t *testing.T) func(message []byte) (string, bool) {
	program := judge.Require(t, "xmllint")
	folder := t.TempDir()
	for name, text := range wsdl.Schemas("") {
		write(t, filepath.Join(folder, name+".xsd"), []byte(strings.NewReplacer(
			"?xsd=protocol", "protocol.xsd", "?xsd=assertion", "assertion.xsd", "?xsd=xmldsig", "xmldsig.xsd").Replace(string(text))))
	}
	envelope := filepath.Join(folder, "envelope.xsd")
	write(t, envelope, []byte(`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://schemas.xmlsoap.org/soap/envelope/"
  xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" elementFormDefault="qualified">
 <xs:import namespace="urn:oasis:names:tc:SAML:1.0:protocol" schemaLocation="protocol.xsd"/>
 <xs:element name="Envelope"><xs:complexType><xs:sequence>
  <xs:element name="Header" minOccurs="0"><xs:complexType><xs:sequence><xs:any processContents="skip" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="Body"><xs:complexType><xs:sequence><xs:any processContents="strict"/></xs:sequence><xs:anyAttribute processContents="skip"/></xs:complexType></xs:element>
 </xs:sequence></xs:complexType></xs:element></xs:schema>`))
	return func(message []byte) (string, bool) { return validate(t, program, envelope, message) }
}

func validate(t *testing.T, program, schema string, message []byte) (string, bool) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "message.xml")
	write(t, name, message)
	output, err := exec.CommandContext(t.Context(), program, "--nonet", "--noout", "--schema", schema, name).CombinedOutput()
	return string(output), err == nil
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMessagesAreValid: what the service really reads and writes is what it describes.
func TestMessagesAreValid(t *testing.T) {
	valid := validator(t)
	for name, message := range messages(t) {
		if output, ok := valid(message); !ok {
			t.Errorf("%s: %s", name, output)
		}
	}
}

// TestSchemasRefuse: schemas that admit everything would describe nothing.
func TestSchemasRefuse(t *testing.T) {
	valid := validator(t)
	good := messages(t)["request, two certificates"]
	for name, change := range map[string][2]string{
		"another protocol version": {`MinorVersion="1" RequestID`, `MinorVersion="0" RequestID`},
		"an unknown element":       {"saml:Conditions ", "saml:Condition "},
		"a missing attribute":      {` AttributeNamespace="urn:be:fgov:identification-namespace"`, ``},
		"a time that is none":      {`NotBefore="2026`, `NotBefore="26`},
	} {
		changed := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, good) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, ok := valid(changed); ok {
			t.Errorf("%s: valid", name)
		}
	}
}

// TestSchemasAreAProfile holds messages of this service and of other implementations
// against our schemas and the schemas of OASIS and W3C.
func TestSchemasAreAProfile(t *testing.T) {
	standard := judge.Shared(t, "vectors", "xsd", "all.xsd")
	program := judge.Require(t, "xmllint")
	ours := validator(t)
	texts := messages(t)
	for _, name := range []string{"connector-saml11-request-eid-hok-sha256.xml", "connector-saml11-request-fallback-samecert-sha256.xml",
		"connector402-saml11-request-eid-hok-header-sha256-inner-sha1.xml"} {
		text, err := os.ReadFile(judge.Shared(t, "samples", "ehealth", name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = text
	}
	for name, message := range texts {
		if output, ok := ours(message); !ok {
			t.Errorf("%s: not valid under ours: %s", name, output)
		}
		if output, ok := validate(t, program, standard, message); !ok {
			t.Errorf("%s: not valid under the standard ones: %s", name, output)
		}
	}
}

package soap_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"

	external "sceau/internal/judge"
	"sceau/soap"
	"sceau/xmlsec/xmltext"
)

// environments of the platform's schema.
var environments = []string{"", "Development", "Test", "Integration", "Acceptation", "Simulation", "Production"}

// allFaults is a fault for every Reason and for strange errors.
func allFaults() map[string]soap.Fault {
	all := map[string]soap.Fault{"zero Fault": {}, "nil": soap.FaultOf(nil), "another error": soap.FaultOf(errors.New("secret-cause")),
		"no reason": soap.FaultOf(&soap.Error{}), "unknown reason": soap.FaultOf(&soap.Error{Reason: 200})}
	for r := soap.Malformed; r <= soap.NoReplayState; r++ {
		all[r.String()] = soap.FaultOf(fmt.Errorf("wrapped: %w", &soap.Error{Reason: r, Rule: "R9999", Detail: "secret-detail", Err: errors.New("secret-cause")}))
	}
	return all
}

// TestFaults reads the faults as the clients of the wire do (wire document 4.3).
func TestFaults(t *testing.T) {
	codes := map[string]string{}
	for _, c := range soap.SOACodes() {
		codes[c.Code] = c.Text
	}
	for name, f := range allFaults() {
		t.Run(name, func(t *testing.T) {
			for i, environment := range environments {
				f.Environment, f.Business = environment, i%2 == 1
				f.ID = []string{"", "audit-1", `a"<&>'` + "\r\n"}[i%3]
				message := soap.AppendFault([]byte("kept"), f)
				if !bytes.HasPrefix(message, []byte("kept")) {
					t.Fatal("dst is not kept")
				}
				message = message[len("kept"):]
				read(t, message, f, codes)
				if bytes.Contains(message, []byte("secret")) || bytes.Contains(message, []byte("R9999")) {
					t.Errorf("a stranger learns the cause (H7): %s", message)
				}
			}
		})
	}
}

func read(t *testing.T, message []byte, f soap.Fault, codes map[string]string) {
	t.Helper()
	d, err := xmltext.Parse(message, xmltext.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	defer d.Release()
	fault := d.Root().FirstElement().FirstElement()
	faultcode := fault.FirstElement()
	faultstring := faultcode.NextElement()
	detail := faultstring.NextElement()
	if !fault.Is(soap.NamespaceEnvelope, "Fault") || !faultcode.Is("", "faultcode") || !faultstring.Is("", "faultstring") || !detail.Is("", "detail") || !detail.NextElement().IsZero() {
		t.Fatalf("not faultcode, faultstring, detail: %s", message)
	}
	// The faultcode is a QName that resolves where it stands.
	code, _ := faultcode.Value()
	prefix, local, ok := strings.Cut(string(code), ":")
	namespace, bound := faultcode.NamespaceOf([]byte(prefix))
	want := f.Code
	if want.Local == "" {
		want = soap.FaultServer
	}
	if !ok || !bound || string(namespace) != want.Namespace || local != want.Local {
		t.Errorf("faultcode %s", code)
	}

	// The failover rules of the connector: soapenv:Fault/detail/*/Code, unprefixed.
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(message); err != nil {
		t.Fatal(err)
	}
	found := tree.FindElements("//soapenv:Fault/detail/*/Code")
	if len(found) != 1 || found[0].Space != "" || found[0].NamespaceURI() != "" || codes[found[0].Text()] == "" {
		t.Fatalf("Code: %s", message)
	}
	system := detail.FirstElement()
	name := "SystemError"
	if f.Business {
		name = "BusinessError"
	}
	id, identified := system.Attribute("", "Id")
	if !system.Is(soap.NamespaceSOA, name) || !system.NextElement().IsZero() || identified != (f.ID != "") || string(id) != f.ID {
		t.Errorf("detail, Id %q, want %q: %s", id, f.ID, message)
	}
	origin := system.FirstElement()
	number := origin.NextElement()
	text := number.NextElement()
	value, _ := origin.Value()
	sentence, _ := text.Value()
	language, _ := text.Attribute(xmltext.NamespaceXML, "lang")
	if !origin.Is("", "Origin") || string(value) != "Consumer" && string(value) != "Provider" || !text.Is("", "Message") ||
		string(sentence) != codes[found[0].Text()] || string(language) != "en" {
		t.Errorf("Origin, Code, Message: %s", message)
	}
	rest := text.NextElement()
	if rest.Is("", "Retry") {
		rest = rest.NextElement()
	}
	if f.Environment == "" {
		if !rest.IsZero() {
			t.Errorf("after Message: %s", message)
		}
		return
	}
	environment, _ := rest.Value()
	if !rest.Is(soap.NamespaceSOA, "Environment") || string(environment) != f.Environment || !rest.NextElement().IsZero() {
		t.Errorf("Environment: %s", message)
	}
}

// TestFaultClasses: who is not known is told one platform code, whatever the check
// (attacks.md H7); connectors try another data centre on it.
func TestFaultClasses(t *testing.T) {
	for r := soap.NoSecurity; r <= soap.Replayed; r++ {
		if f := soap.FaultOf(&soap.Error{Reason: r}); f.SOA.Code != "SOA-01001" || f.SOA.Ours || f.SOA.Retry {
			t.Errorf("%v: %+v", r, f)
		}
	}
	for _, r := range []soap.Reason{soap.BadSignature, soap.NotCovered, soap.Replayed} {
		if f := soap.FaultOf(&soap.Error{Reason: r}); f != soap.FaultOf(&soap.Error{Reason: soap.BadSignature}) {
			t.Errorf("%v is told apart from a bad signature: %+v", r, f)
		}
	}
	for _, r := range []soap.Reason{soap.ReplayStateFull, soap.NoReplayState} {
		if f := soap.FaultOf(&soap.Error{Reason: r}); f.SOA.Code != "SOA-02002" || !f.SOA.Ours || !f.SOA.Retry || f.Code != soap.FaultServer {
			t.Errorf("%v: %+v", r, f)
		}
	}
	if f := soap.FaultOf(errors.New("x")); f.SOA.Code != "SOA-00001" || f.Code != soap.FaultServer {
		t.Errorf("%+v", f)
	}
	codes := soap.SOACodes()
	for i := range codes[1:] {
		if codes[i].Code >= codes[i+1].Code {
			t.Errorf("%s before %s", codes[i].Code, codes[i+1].Code)
		}
	}
}

// TestFaultsValidate asks xmllint with the schema of SOAP 1.1.
func TestFaultsValidate(t *testing.T) {
	var documents [][]byte
	for _, f := range allFaults() {
		f.ID, f.Environment = "audit-1", "Test"
		documents = append(documents, soap.AppendFault(nil, f))
	}
	documents = append(documents, append(soap.AppendClose(append(soap.AppendOpen(nil), "<a/>"...)), '\n'))
	validate(t, "soap-1.1.xsd", documents)
}

func validate(t *testing.T, schema string, documents [][]byte) {
	t.Helper()
	xsd := external.Shared(t, "vectors", "xsd", schema)
	program := external.Require(t, "xmllint")
	folder := t.TempDir()
	arguments := []string{"--noout", "--nonet", "--schema", xsd}
	for i, d := range documents {
		name := filepath.Join(folder, fmt.Sprintf("%03d.xml", i))
		if err := os.WriteFile(name, d, 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, name)
	}
	if out, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput(); err != nil {
		t.Errorf("xmllint: %v\n%s", err, out)
	}
}

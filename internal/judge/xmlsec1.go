package judge

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// ID names an attribute that is an identifier, on elements of one expanded name.
type ID struct{ Attribute, Namespace, Element string }

// VerifyXMLSec asks xmlsec1 to verify one signature in each of the documents, all
// with the public key in PEM form. xpath selects the signature. Whatever the
// KeyInfo says, only this key is used.
func VerifyXMLSec(t testing.TB, publicKeyPEM []byte, ids []ID, xpath string, documents [][]byte) []bool {
	t.Helper()
	program := Require(t, "xmlsec1")
	folder := t.TempDir()
	key := filepath.Join(folder, "key.pem")
	write(t, key, publicKeyPEM)
	options := []string{"--verify", "--pubkey-pem", key, "--enabled-key-data", "key-name", "--enabled-reference-uris", "same-doc"}
	options = append(options, idOptions(ids)...)
	if xpath != "" {
		options = append(options, "--node-xpath", xpath)
	}
	names := make([]string, len(documents))
	for i := range documents {
		names[i] = filepath.Join(folder, fmt.Sprintf("%06d.xml", i))
		write(t, names[i], documents[i])
	}
	valid := make([]bool, len(documents))
	// xmlsec1 takes many files and reports each; one that it cannot read ends the run.
	for from := 0; from < len(documents); {
		_, stderr, status := run(t, program, append(options[:len(options):len(options)], names[from:min(from+100, len(names))]...)...)
		reports := verdicts(stderr)
		if len(reports) == 0 {
			t.Fatalf("xmlsec1 reports nothing, status %d: %s", status, stderr)
		}
		for _, r := range reports {
			valid[from] = r
			from++
		}
	}
	return valid
}

// verdicts reads the lines that stand alone: OK, FAIL or ERROR, one a file.
func verdicts(stderr []byte) []bool {
	var all []bool
	for line := range bytes.Lines(stderr) {
		switch strings.TrimSpace(string(line)) {
		case "OK":
			all = append(all, true)
		case "FAIL", "ERROR":
			all = append(all, false)
		}
	}
	return all
}

// SignXMLSec has xmlsec1 fill the signature templates in the documents, each with
// the private key in PKCS #8 PEM form.
func SignXMLSec(t testing.TB, privateKeyPEM []byte, ids []ID, templates [][]byte) [][]byte {
	t.Helper()
	program := Require(t, "xmlsec1")
	folder := t.TempDir()
	key := filepath.Join(folder, "key.pem")
	write(t, key, privateKeyPEM)
	signed := make([][]byte, len(templates))
	for i := range templates {
		in, out := filepath.Join(folder, "in.xml"), filepath.Join(folder, "out.xml")
		write(t, in, templates[i])
		options := append([]string{"--sign", "--privkey-pem", key, "--output", out}, idOptions(ids)...)
		if _, stderr, status := run(t, program, append(options, in)...); status != 0 {
			t.Fatalf("xmlsec1 --sign, template %d: status %d: %s", i, status, stderr)
		}
		signed[i] = read(t, out)
	}
	return signed
}

func idOptions(ids []ID) []string {
	var options []string
	for _, id := range ids {
		element := id.Element
		if id.Namespace != "" {
			element = id.Namespace + ":" + element
		}
		options = append(options, "--id-attr:"+id.Attribute, element)
	}
	return options
}

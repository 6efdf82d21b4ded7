package xmlsec_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

var update = flag.Bool("update", false, "write testdata/suites.txt anew, to be read before it is believed")

// suites are the public test suites with signatures in them. What comes of each
// signature stands in testdata/suites.txt, by name: "ok", or the reason why it is
// outside of the profile or refused.
var suites = []string{"xmlsec", "goxmldsig", "xmlseclibs", "signxml", "php-saml", "pysaml2-xsw", "crewjam-saml"}

// A suiteResult is what comes of one signature of a suite.
type suiteResult struct {
	name    string // suite/path#n
	outcome string
	text    []byte
	n       int
	key     crypto.PublicKey
}

// suiteText returns the XML that a file holds, nil when it holds none.
func suiteText(name string) []byte {
	text, err := os.ReadFile(name)
	if err != nil || len(text) > 1<<20 {
		return nil
	}
	if strings.Contains(filepath.Base(name), "base64") || bytes.HasPrefix(text, []byte("PD94")) || bytes.HasPrefix(text, []byte("PHNh")) {
		decoded, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
		if err != nil {
			return nil
		}
		text = decoded
	}
	if !bytes.Contains(text, []byte("SignatureValue")) {
		return nil
	}
	return text
}

// suiteKey finds a key for a signature: the certificate or key in it. Tests of
// arithmetic may believe a KeyInfo; nobody else may.
func suiteKey(signature xmltext.Node, folder string) crypto.PublicKey {
	var found crypto.PublicKey
	var walk func(n xmltext.Node)
	walk = func(n xmltext.Node) {
		if found == nil && n.Is(xmlsec.NamespaceDS, "X509Certificate") {
			value, _ := n.Value()
			if der, err := xmlsec.AppendBase64(nil, value); err == nil {
				if c, err := x509.ParseCertificate(der); err == nil {
					found = c.PublicKey
				}
			}
		}
		if found == nil && n.Is(xmlsec.NamespaceDS, "KeyInfo") {
			if k, err := xmlsec.ParseKeyInfo(n); err == nil && k.Key != nil {
				found = k.Key
			}
		}
		for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
			walk(c)
		}
	}
	walk(signature)
	if found == nil {
		found = folderKey(folder)
	}
	if at := strings.Index(folder, "/ws.js/"); found == nil && at >= 0 {
		found = folderKey(folder[:at] + "/ws.js/examples")
	}
	return found
}

// folderKey returns the first public key among the .pem files beside a message.
func folderKey(folder string) crypto.PublicKey {
	names, _ := filepath.Glob(filepath.Join(folder, "*.pem"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if c, err := x509.ParseCertificate(block.Bytes); err == nil {
				return c.PublicKey
			}
		}
	}
	return nil
}

func outcome(err error) string {
	var e *xmlsec.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &e):
		return e.Reason.String()
	}
	return err.Error()
}

// suiteResults verifies every signature of a suite.
func suiteResults(t *testing.T, suite string) []suiteResult {
	t.Helper()
	root := judge.Shared(t, "vectors", suite)
	policy := xmlsec.DefaultPolicy()
	policy.SHA1 = true // to judge more of the arithmetic; no server has it on by default
	var results []suiteResult
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text := suiteText(name)
		if text == nil {
			return nil
		}
		base := suite + strings.TrimPrefix(name, root)
		d, err := xmltext.Parse(text, xmltext.DefaultLimits())
		if err != nil {
			results = append(results, suiteResult{name: base, outcome: "xml: " + err.(*xmltext.SyntaxError).Reason.String()})
			return nil
		}
		defer d.Release()
		all := signatures(d.Root())
		if d.Root().Is(xmlsec.NamespaceDS, "Signature") {
			all = append([]xmltext.Node{d.Root()}, all...)
		}
		for n, node := range all {
			r := suiteResult{name: fmt.Sprintf("%s#%d", base, n), text: text, n: n}
			s, err := xmlsec.ParseSignature(node)
			if err == nil {
				if r.key = suiteKey(node, filepath.Dir(name)); r.key == nil {
					r.outcome = "no key at hand"
				} else {
					_, err = s.Verify(r.key, &policy)
				}
			}
			if r.outcome == "" {
				r.outcome = outcome(err)
			}
			results = append(results, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 {
		t.Fatalf("suite %s holds no signature", suite)
	}
	return results
}

// TestSuites compares what comes of each signature of the public suites with the
// list, and asks xmlsec1 about each that we verify or find altered.
func TestSuites(t *testing.T) {
	list := filepath.Join("testdata", "suites.txt")
	var lines []string
	var asked []suiteResult
	for _, suite := range suites {
		counts := map[string]int{}
		for _, r := range suiteResults(t, suite) {
			counts[r.outcome]++
			lines = append(lines, r.name+": "+r.outcome)
			if r.outcome == "ok" || r.outcome == xmlsec.DigestMismatch.String() || r.outcome == xmlsec.SignatureMismatch.String() {
				asked = append(asked, r)
			}
		}
		t.Logf("%s: %v", suite, counts)
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(list, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	wanted := strings.Split(strings.TrimSpace(string(want)), "\n")
	for _, line := range lines {
		if !slices.Contains(wanted, line) {
			t.Errorf("not in the list: %s", line)
		}
	}
	for _, line := range wanted {
		if !slices.Contains(lines, line) {
			t.Errorf("in the list only: %s", line)
		}
	}
	askXMLSec(t, asked)
}

// askXMLSec: nobody but we may refuse, and nobody may refuse what we verify.
func askXMLSec(t *testing.T, asked []suiteResult) {
	t.Helper()
	ids := []judge.ID{}
	for _, element := range []string{"Response", "Assertion", "AuthnRequest", "Body", "Timestamp", "BinarySecurityToken", "EntityDescriptor", "EntitiesDescriptor", "LogoutRequest", "ArtifactResponse"} {
		for _, attribute := range []string{"ID", "Id", "AssertionID", "ResponseID"} {
			ids = append(ids, judge.ID{Attribute: attribute, Element: element})
		}
	}
	agreed := 0
	for _, r := range asked {
		der, err := x509.MarshalPKIXPublicKey(r.key)
		if err != nil {
			t.Fatal(err)
		}
		key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		theirs := judge.VerifyXMLSec(t, key, ids, fmt.Sprintf(`(//*[local-name()="Signature"])[%d]`, r.n+1), [][]byte{r.text})[0]
		if ours := r.outcome == "ok"; ours != theirs {
			t.Errorf("%s: ours %s, xmlsec1 %v", r.name, r.outcome, theirs)
		}
		agreed++
	}
	t.Logf("%d signatures judged by xmlsec1 too", agreed)
}

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// networkFiles is a folder with the files that entries of sources name.
func networkFiles(t *testing.T) string {
	t.Helper()
	dir, pki := t.TempDir(), testpki.Load()
	for name, octets := range map[string][]byte{
		"ca.pem": minipki.CertificatePEM(pki.EHealthRoot.DER()), "client.pem": pki.Server.CertificatePEM(), "client.key": pki.Server.KeyPEM(),
		"pass": []byte("a secret"), "token": []byte("a.token"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), octets, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, alias := range [][2]string{{"ca.pem", "directory-ca.pem"}, {"ca.pem", "api-ca.pem"}, {"pass", "directory.pass"}, {"token", "api.token"}} {
		if err := os.Link(filepath.Join(dir, alias[0]), filepath.Join(dir, alias[1])); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// readOne reads the one entry of the text, which begins at line 1.
func readOne(t *testing.T, dir, text string, read func(*system, string, *yaml.Node, *problems) source) (source, error) {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	p := &problems{file: "x.yaml"}
	made := read(&system{config: &fileConfig{dir: dir}, now: testpki.Now, supply: supply{catalogue: attrs.EHealth()}}, "one", n.Content[0], p)
	if made != nil {
		t.Cleanup(func() { made.Close() })
	}
	if (made == nil) != (len(p.list) > 0) {
		t.Errorf("a source %t, and %v", made != nil, p.err())
	}
	return made, p.err()
}

// aDirectory is an entry of kind ldap, each key on a line of its own.
const aDirectory = `id: directory
kind: ldap
attributes: ["urn:be:fgov:person:ssin:doctor:boolean"]
servers: ["ldaps://127.0.0.1:1"]
ca: ca.pem
bind-dn: cn=sts,dc=example
password-file: pass
base: ou=people,dc=example
filters: {ssin: "(employeeNumber={ssin})"}
ttl: 1h
map:
  - {attribute: "urn:be:fgov:person:ssin:doctor:boolean", group: "cn=doctors,dc=example"}
  - {attribute: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", from: nihii, not-before: a, not-on-or-after: b}
  - {attribute: "urn:be:fgov:person:ssin:nurse:boolean", list: employeeType, true-values: [a, "1"], false-values: [b]}
  - {attribute: "urn:be:fgov:person:ssin:ehealth:1.0:fpsph:nurse:boolean", present: x}
  - {attribute: "urn:be:fgov:person:ssin:ehealth:1.0:fpsph:doctor:boolean", group: "cn=doctors,dc=example", member: member}
`

// TestLDAPKeys: an entry of kind ldap, and what is wrong with one, by line.
func TestLDAPKeys(t *testing.T) {
	dir := networkFiles(t)
	for name, tt := range map[string]struct {
		old, new string
		problems []string
	}{
		"as it is":                {"", "", nil},
		"all keys":                {"ttl: 1h\n", "ttl: 1h\nscope: one\nstarttls: false\nserver-name: x\ncertificate: client.pem\nkey: client.key\nattempt-timeout: 1s\nconnections: 2\ncheck-after: 1s\nidle: 1s\nlifetime: 1m\nretry-after: 1s\nmax-bytes: 1000\n", nil},
		"SASL EXTERNAL":           {"bind-dn: cn=sts,dc=example\npassword-file: pass\n", "sasl-external: true\ncertificate: client.pem\nkey: client.key\n", nil},
		"an unknown key":          {"ttl: 1h\n", "ttl: 1h\nfilter: x\n", []string{`x.yaml:11: unknown key "filter"`}},
		"an unknown key of map":   {"from: nihii", "form: nihii", []string{`x.yaml:13: unknown key "form"`}},
		"a key of another kind":   {"ttl: 1h\n", "ttl: 1h\nurls: {}\n", []string{`x.yaml:11: unknown key "urls"`}},
		"a password inline":       {"password-file: pass", "password: secret", []string{`x.yaml:7: unknown key "password"`}},
		"no password":             {"password-file: pass", "password-file: none", []string{"x.yaml:1:", "none"}},
		"no time to live":         {"ttl: 1h\n", "", []string{"x.yaml:1:", "no time to live"}},
		"a time of nothing":       {"ttl: 1h\n", "ttl: 0s\n", []string{"x.yaml:10:", "ttl: must be positive"}},
		"no time":                 {"ttl: 1h\n", "ttl: soon\n", []string{"x.yaml:10:", `"soon" is no duration`}},
		"no number":               {"ttl: 1h\n", "ttl: 1h\nconnections: many\n", []string{"x.yaml:11:", "many"}},
		"plain to another host":   {"ldaps://127.0.0.1:1", "ldap://ldap.example", []string{"x.yaml:4:", "only on loopback"}},
		"a scope that is none":    {"ttl: 1h\n", "ttl: 1h\nscope: all\n", []string{"x.yaml:11:", "base, one or sub"}},
		"a filter that is none":   {"(employeeNumber={ssin})", "(|(employeeNumber={ssin})(a=b))", []string{"x.yaml:9:", "holds of every entry"}},
		"a subject that is none":  {`{ssin: "(employee`, `{insz: "(employee`, []string{"x.yaml:9:", `"insz" is no type of subject`}},
		"no filter":               {`filters: {ssin: "(employeeNumber={ssin})"}`, `filters: {nihii: "(a={nihii})"}`, []string{"x.yaml:12:", "x.yaml:13:", "no filter for subjects of type ssin"}},
		"a base that is none":     {"base: ou=people,dc=example", "base: people", []string{"x.yaml:8:", "no DN"}},
		"no attribute":            {"doctor:nihii11\", from", "doctor:nihii12\", from", []string{"x.yaml:13:", "no certified attribute"}},
		"asked, not mapped":       {`["urn:be:fgov:person:ssin:doctor:boolean"]`, `["urn:be:fgov:person:ssin:ehealth:1.0:surname"]`, []string{"x.yaml:3:", "not below map"}},
		"two rules":               {"from: nihii", "from: nihii, present: x", []string{"x.yaml:13:", "one of from, present, list and group"}},
		"no rule":                 {"from: nihii, ", "", []string{"x.yaml:13:", "one of from, present, list and group"}},
		"member-of without group": {"from: nihii", "from: nihii, member-of: x", []string{"x.yaml:13:", "goes with group"}},
		"a value by presence":     {"from: nihii", "present: nihii", []string{"x.yaml:13:", "only a boolean"}},
		"a list of map":           {"  - {attribute: \"urn:be:fgov:person:ssin:ehealth:1.0:fpsph:nurse:boolean\", present: x}", "  - x", []string{"x.yaml:15:", "want one of attribute"}},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(aDirectory, tt.old) {
				t.Fatalf("%q is not in the entry", tt.old)
			}
			made, err := readOne(t, dir, strings.Replace(aDirectory, tt.old, tt.new, 1), readLDAPSource)
			expect(t, made, err, tt.problems)
		})
	}
}

// aService is an entry of kind http, each key on a line of its own.
const aService = `id: service
kind: http
attributes: ["urn:be:fgov:person:ssin:doctor:boolean"]
urls: {ssin: "https://api.example/v1/{ssin}"}
ca: ca.pem
ttl: 1h
map:
  - {attribute: "urn:be:fgov:person:ssin:doctor:boolean", value: /doctor}
  - {attribute: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", items: /numbers, where: /kind, is: [doctor], value: /number, not-before: /from, not-on-or-after: /to}
  - {attribute: "urn:be:fgov:person:ssin:nurse:boolean", list: "$.kinds[*]", true-values: [a, "1"], false-values: [b], optional: true}
  - {attribute: "urn:be:fgov:person:ssin:ehealth:1.0:fpsph:nurse:boolean", present: /x}
`

// TestHTTPKeys: an entry of kind http, and what is wrong with one, by line.
func TestHTTPKeys(t *testing.T) {
	dir := networkFiles(t)
	for name, tt := range map[string]struct {
		old, new string
		problems []string
	}{
		"as it is": {"", "", nil},
		"all keys": {"ttl: 1h\n", "ttl: 1h\nmethod: POST\nbodies: {ssin: '{\"ssin\": \"{ssin}\"}'}\nserver-name: x\ncertificate: client.pem\nkey: client.key\ntoken-file: token\n" +
			"success: [200]\nnot-found: [404, 410]\nnot-found-at: /code\nnot-found-is: [X]\ncontent-types: [application/json]\ncache-control: true\n" +
			"health-url: https://api.example/health\nrequest-timeout: 1s\nconnections: 2\nidle: 1s\nmax-bytes: 1000\nmax-depth: 5\necho: {ssin: /ssin}\n", nil},
		"an echo of no request":  {"ttl: 1h\n", "ttl: 1h\necho: {nihii: /nihii}\n", []string{"x.yaml:7:", "echo of nihii: no request"}},
		"an echo nowhere":        {"ttl: 1h\n", "ttl: 1h\necho: {ssin: ssin}\n", []string{"x.yaml:7:", "echo of ssin: path"}},
		"an unknown key":         {"ttl: 1h\n", "ttl: 1h\nurl: x\n", []string{`x.yaml:7: unknown key "url"`}},
		"a token inline":         {"ttl: 1h\n", "ttl: 1h\ntoken: x\n", []string{`x.yaml:7: unknown key "token"`}},
		"an unknown key of map":  {"items: /numbers", "item: /numbers", []string{`x.yaml:9: unknown key "item"`}},
		"no token":               {"ttl: 1h\n", "ttl: 1h\ntoken-file: none\n", []string{"x.yaml:1:", "none"}},
		"http":                   {"https://api.example/v1", "http://api.example/v1", []string{"x.yaml:4:", "only on loopback"}},
		"a part of a segment":    {"/v1/{ssin}", "/v1/p{ssin}", []string{"x.yaml:4:", "whole segment"}},
		"nowhere":                {"/v1/{ssin}", "/v1/p", []string{"x.yaml:4:", "stands nowhere"}},
		"a subject that is none": {"{ssin: \"https", "{insz: \"https", []string{"x.yaml:4:", `"insz" is no type of subject`}},
		"a body that is none":    {"ttl: 1h\n", "ttl: 1h\nmethod: POST\nbodies: {ssin: '{'}\n", []string{"x.yaml:8:", "no JSON"}},
		"another method":         {"ttl: 1h\n", "ttl: 1h\nmethod: PUT\n", []string{"x.yaml:7:", "want GET or POST"}},
		"health elsewhere":       {"ttl: 1h\n", "ttl: 1h\nhealth-url: https://x.example/\n", []string{"x.yaml:7:", "not of a host"}},
		"an outage as not found": {"ttl: 1h\n", "ttl: 1h\nnot-found: [503]\n", []string{"x.yaml:1:", "want 404, 410 or 204"}},
		"a depth of nothing":     {"ttl: 1h\n", "ttl: 1h\nmax-depth: 0\n", []string{"x.yaml:7:", "max-depth: must be positive"}},
		"a path that is none":    {"value: /doctor}", "value: doctor}", []string{"x.yaml:8:", "JSON Pointer"}},
		"two rules":              {"value: /doctor}", "value: /doctor, present: /x}", []string{"x.yaml:8:", "one of value, present and list"}},
		"no rule":                {", value: /doctor}", "}", []string{"x.yaml:8:", "one of value, present and list"}},
		"asked, not mapped":      {`["urn:be:fgov:person:ssin:doctor:boolean"]`, `["urn:be:fgov:person:ssin:ehealth:1.0:surname"]`, []string{"x.yaml:3:", "not below map"}},
		"several at once":        {"ca: ca.pem\nttl: 1h\n", "", []string{"no file of certification authorities", "no time to live"}},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(aService, tt.old) {
				t.Fatalf("%q is not in the entry", tt.old)
			}
			made, err := readOne(t, dir, strings.Replace(aService, tt.old, tt.new, 1), readHTTPSource)
			expect(t, made, err, tt.problems)
		})
	}
}

// expect demands a source, or the problems, of which each stands in the text of them all.
func expect(t *testing.T, made source, err error, problems []string) {
	t.Helper()
	if (err == nil) != (problems == nil) {
		t.Fatalf("problems: %v", err)
	}
	for _, want := range problems {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if err == nil && made.ID() != "one" {
		t.Errorf("its ID is %q", made.ID())
	}
}

// TestHTTPSourceAnswers: what the keys say is what is asked.
func TestHTTPSourceAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/00000000097" && r.Header.Get("Authorization") == "Bearer a.token" {
			w.Write([]byte(`{"doctor": true, "numbers": [{"kind": "doctor", "number": "71000040001", "from": null, "to": "2026-12-01T00:00:00Z"}]}`))
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	text := strings.NewReplacer("https://api.example", server.URL, "ttl: 1h", "ttl: 1000h\ntoken-file: token").Replace(aService)
	made, err := readOne(t, networkFiles(t), text, readHTTPSource)
	if err != nil {
		t.Fatal(err)
	}
	find := func(name, namespace string) *attrs.Definition {
		d, ok := attrs.EHealth().Find(attrs.Designator{Name: name, Namespace: namespace})
		if !ok {
			t.Fatal(name)
		}
		return d
	}
	q := &attrs.Query{At: testpki.Now(), Subjects: []attrs.Keyed{{By: find(attrs.PersonSSIN, attrs.NamespaceIdentification), Value: "00000000097"}},
		Definitions: []*attrs.Definition{find("urn:be:fgov:person:ssin:doctor:boolean", attrs.NamespaceCertified), find("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", attrs.NamespaceCertified)}}
	answers, err := made.Resolve(t.Context(), q, nil)
	if err != nil || answers[0].State != attrs.Affirmed || answers[1].Values[0] != "71000040001" || !answers[1].NotOnOrAfter.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", answers, err)
	}
}

// TestNetworkExamples: the example's commented sources are ones that are taken.
func TestNetworkExamples(t *testing.T) {
	dir := networkFiles(t)
	for kind, read := range map[string]func(*system, string, *yaml.Node, *problems) source{"ldap": readLDAPSource, "http": readHTTPSource} {
		before, after, has := bytes.Cut(exampleConfig, []byte("##    kind: "+kind+"\n"))
		if !has {
			t.Fatalf("example.yaml has no source of kind %s", kind)
		}
		id := before[bytes.LastIndex(before, []byte("##  - "))+len("##  - "):]
		text := "    " + string(id[:bytes.IndexByte(id, '\n')+1]) + "    kind: " + kind + "\n"
		for line := range strings.Lines(string(after)) {
			uncommented, commented := strings.CutPrefix(line, "##")
			if !commented || !strings.HasPrefix(uncommented, "    ") {
				break
			}
			text += uncommented
		}
		if _, err := readOne(t, dir, text, read); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, text)
		}
	}
}

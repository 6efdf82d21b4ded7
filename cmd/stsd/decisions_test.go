package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sceau/attrs"
	"sceau/internal/minipki"
)

const decisionPolicies = `@id("doctors-enter-dtw") permit (principal in Role::"doctor", action == Action::"enter", resource == Application::"DTW");`

// A desk is a server with decisions behind mutual TLS.
type desk struct {
	*gate
	address string
	config  string // with AUTHORITIES and CLIENT in their places
}

func newDesk(t *testing.T) *desk {
	d := &desk{gate: &gate{t: t}, address: freeAddress(t)}
	d.server, d.one, d.two = d.root("Server CA"), d.root("Client CA one"), d.root("Client CA two")
	d.served, _ = startDemoServerWith(t, func(dir, config string) string {
		err := errors.Join(d.writePair(dir, minipki.TLSServer("127.0.0.1")),
			os.WriteFile(filepath.Join(dir, "one.pem"), minipki.CertificatePEM(d.one.DER()), 0o600),
			os.WriteFile(filepath.Join(dir, "two.pem"), minipki.CertificatePEM(d.two.DER()), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		d.config = useCedar(t, "enter.cedar", decisionPolicies)(dir, config) + `
decisions:
  address: ` + d.address + `
  certificate: tls.pem
  key: tls.key
  client-authorities: [AUTHORITIES]
  clients:
    - {name: dtw, certificate: "CLIENT", resources: [Application]}
`
		return d.text("one.pem", "CN=dtw")
	})
	return d
}

func (d *desk) text(authorities, client string) string {
	return strings.NewReplacer("AUTHORITIES", authorities, "CLIENT", client).Replace(d.config)
}

func (d *desk) reload(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	before := strings.Count(d.log.String(), "msg=reloaded")
	d.hangup <- syscall.SIGHUP
	d.wait("a reload", func() bool { return strings.Count(d.log.String(), "msg=reloaded") > before })
}

// pep is a client with a certificate of this subject.
func (d *desk) pep(issuer *minipki.Authority, name string) *http.Client {
	template := minipki.EHealth(minipki.Holder{Type: "SSIN", Value: aliceSSIN, Name: clientName})
	template.Subject = minipki.DN("CN", name)
	var certificate *tls.Certificate
	if issuer != nil {
		certificate = d.leaf(issuer, template)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: d.settings(certificate, tls.VersionTLS13)}}
}

// ask asks whether Alice may enter DTW: "200 true", "200 false", "401", or the error of the connection.
func (d *desk) ask(client *http.Client) string {
	response, err := client.Post("https://"+d.address+"/access/v1/evaluation", "application/json", strings.NewReader(
		`{"subject": {"type": "Person", "id": "SSIN=`+aliceSSIN+`"}, "action": {"name": "enter"}, "resource": {"type": "Application", "id": "DTW"}}`))
	if err != nil {
		return "no connection"
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	switch {
	case strings.Contains(string(body), `"decision":true`):
		return fmt.Sprint(response.StatusCode, " true")
	case strings.Contains(string(body), `"decision":false`):
		return fmt.Sprint(response.StatusCode, " false")
	}
	return fmt.Sprint(response.StatusCode)
}

// Mutual TLS names the client, and what a reload changes (authorities, clients, policies, the whole key) counts at once,
// on open connections too.
func TestDecisionsMutualTLS(t *testing.T) {
	d := newDesk(t)
	dtw := d.pep(d.one, "dtw")
	expect := func(what string, client *http.Client, want string) {
		t.Helper()
		if got := d.ask(client); got != want {
			t.Errorf("%s: %s instead of %s", what, got, want)
		}
	}
	expect("the client", dtw, "200 true")
	expect("another of its CA", d.pep(d.one, "other"), "401")
	expect("its name by another CA", d.pep(d.two, "dtw"), "no connection")
	expect("without certificate", d.pep(nil, ""), "no connection")

	writeFiles(t, filepath.Join(d.dir, "policies"), "enter.cedar", `@id("closed") forbid (principal, action, resource);`)
	d.reload(d.text("one.pem", "CN=dtw"))
	expect("after the policies", dtw, "200 false")
	writeFiles(t, filepath.Join(d.dir, "policies"), "enter.cedar", decisionPolicies)
	d.reload(d.text("one.pem", "CN=other"))
	expect("no longer named", dtw, "401")
	d.reload(d.text("two.pem", "CN=dtw"))
	expect("of a CA no longer listed, on its open connection", dtw, "401")
	expect("and on a new one", d.pep(d.one, "dtw"), "no connection")
	expect("of the CA listed now", d.pep(d.two, "dtw"), "200 true")
	text, _, _ := strings.Cut(d.text("one.pem", "CN=dtw"), "\ndecisions:")
	again := d.pep(d.two, "dtw")
	expect("before the key goes", again, "200 true")
	d.reload(text + "\n")
	expect("without the key", again, "503")
	d.waitLog(t, "decisions")
}

// The demonstration's PKI names a subject as crypto/x509 writes it.
func TestClientSubject(t *testing.T) {
	d := &gate{t: t}
	template := minipki.EHealth(minipki.Holder{Type: "SSIN", Value: aliceSSIN, Name: clientName})
	template.Subject = minipki.DN("C", "BE", "O", "Example", "CN", "dtw")
	c, err := x509.ParseCertificate(d.leaf(d.root("CA"), template).Certificate[0])
	if err != nil || c.Subject.String() != "CN=dtw,O=Example,C=BE" {
		t.Errorf("%v, %v", c.Subject, err)
	}
}

func TestDecisionsKeys(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "long.token", "Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHNlY3JldA\n", "short.token", "secret\n", "two.token", "Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHNlY3JldA and another\n")
	writeFiles(t, filepath.Join(dir, "policies"), "enter.cedar", `@id("a") permit (principal, action == Action::"hold", resource) when { principal in resource };`)
	const client = `, clients: [{name: dtw, token-file: long.token, resources: [Application]}]}`
	for text, want := range map[string]string{
		`{clients: [{name: a}]}`:                       "decisions: no address",
		`{public-url: "https://x"}`:                    "decisions: no address",
		`{address: nowhere` + client:                   `decisions: "nowhere" is no host:port`,
		`{address: "192.0.2.1:80"` + client:            "decisions: plain HTTP only on a loopback address",
		`{address: "127.0.0.1:1", key: a.key` + client: "certificate and key go together",
		`{address: "192.0.2.1:80", certificate: a.pem, key: a.key` + client + "\ntest-clock: 2026-11-21T20:00:00Z": "test-clock: only with decisions on loopback",
		`{address: "127.0.0.1:8080"` + client:                                                           "the address of another listener",
		`{address: "127.0.0.1:1"}`:                                                                      "no client: nobody could ask",
		`{address: "127.0.0.1:1", adress: x` + client:                                                   `unknown key "adress"`,
		`{address: "127.0.0.1:1", clients: [{name: a, token: x}]}`:                                      `unknown key "token"`,
		`{address: "127.0.0.1:1", clients: [{name: a, token-file: none.token, resources: [Role]}]}`:     "none.token",
		`{address: "127.0.0.1:1", clients: [{name: a, token-file: short.token, resources: [Role]}]}`:    "a token is of at least 22 characters",
		`{address: "127.0.0.1:1", clients: [{name: a, token-file: two.token, resources: [Role]}]}`:      "the file holds one token",
		`{address: "127.0.0.1:1", clients: [{name: a, certificate: CN=a, resources: [Role]}]}`:          "a certificate is asked for where there are client-authorities",
		`{address: "127.0.0.1:1", clients: [{name: a, token-file: long.token, resources: ["Role::"]}]}`: "a resource is written Type or Type::id",
		`{address: "127.0.0.1:1", clients: [{name: a, token-file: long.token, resources: [Rolle]}]}`:    `the schema has no type "Rolle"`,
		`{address: "127.0.0.1:1", clients: [{name: a, resources: [Role]}]}`:                             `client "a": neither token nor certificate proves it`,
		`{address: "127.0.0.1:1", public-url: "https://x/y"` + client:                                   "the URL is https and a host",
		`{address: "127.0.0.1:1", clients: [{token-file: long.token, resources: [Role]}]}`:              "a client without name",
		`{address: "127.0.0.1:1"` + client + "\npolicy: {engine: rules, file: x}":                       "policy has engine cedar for them",
	} {
		config := "listen: [{address: \"127.0.0.1:8080\"}]\ndecisions: " + text
		if !strings.Contains(config, "policy:") {
			config += "\npolicy: {engine: cedar, directory: policies}"
		}
		p := &problems{file: "stsd.yaml"}
		if c := parseConfig([]byte(config+"\n"), dir, p); c != nil && len(p.list) == 0 {
			s := &system{config: c, supply: supply{catalogue: attrs.EHealth()}}
			s.set = s.openPolicySet(p)
			s.rules = s.loadRules(p)
			s.checkDecisions(p)
		}
		if err := p.err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n%v\nwant %s", text, err, want)
		}
	}
	p := &problems{file: "stsd.yaml"}
	s := &system{config: parseConfig([]byte(`policy: {engine: cedar, directory: policies}
decisions: {address: "127.0.0.1:1"`+client), dir, p), supply: supply{catalogue: attrs.EHealth()}}
	s.set = s.openPolicySet(p)
	s.rules = s.loadRules(p)
	if _, clients := s.checkDecisions(p); p.err() != nil || len(clients) != 1 {
		t.Errorf("what the cases change is itself wrong: %v", p.err())
	}
}

// What docs/authzen.md shows is what the script asks, and what docs/access-control.md shows is a policy that is tested.
func TestDocumentedDecisions(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(filepath.FromSlash(path))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	script, examples := read("testdata/script/decisions.txtar"), ""
	for _, name := range []string{"rbac", "abac", "zbac"} {
		for line := range strings.Lines(read("../../policy/cedar/testdata/examples/" + name + ".cedar")) {
			if !strings.HasPrefix(line, "@description") { // which the page says in its own words
				examples += line
			}
		}
	}
	squeeze := func(text string) string { return strings.Join(strings.Fields(text), "") }
	shown := 0
	for _, block := range strings.Split(read("../../docs/authzen.md"), "```json\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, `{"subject"`) {
			continue // an answer
		}
		if shown++; !strings.Contains(script, block) {
			t.Errorf("the script does not ask %s", block)
		}
	}
	for _, block := range strings.Split(read("../../docs/access-control.md"), "```cedar\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if shown++; !strings.Contains(squeeze(examples), strings.TrimSuffix(squeeze(block), "}")) {
			t.Errorf("no example is %s", block)
		}
	}
	if shown != 9 {
		t.Errorf("%d questions and policies are shown", shown)
	}
}

// The keys of policies in Cedar and of decisions that the example shows behind a # are keys.
func TestExampleDecisionKeys(t *testing.T) {
	text := strings.Replace(string(exampleConfig), "\npolicy: policy.yaml\n", "\n", 1)
	for _, key := range []string{"policy", "decisions"} {
		begin := strings.Index(text, "\n#"+key+":\n")
		if begin < 0 {
			t.Fatalf("the example does not show %s", key)
		}
		block, rest := text[begin+1:], ""
		if end := strings.Index(block, "\n\n"); end >= 0 {
			block, rest = block[:end], block[end:]
		}
		text = text[:begin+1] + strings.ReplaceAll("\n"+block, "\n#", "\n") + rest
	}
	p := &problems{file: "example.yaml"}
	c := parseConfig([]byte(text), ".", p)
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	if c.Policy.Engine.V != policyCedar || c.Policy.Directory.V != "policies" || !c.Decisions.configured() || len(c.Decisions.Clients) != 1 ||
		c.Decisions.Metadata.IsZero() || len(c.Decisions.Clients[0].Resources) != 3 || c.Decisions.Listener.ClientAuthorities.IsZero() {
		t.Errorf("%+v, %+v", c.Policy, c.Decisions)
	}
}

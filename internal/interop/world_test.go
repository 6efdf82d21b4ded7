package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/internal/judge"
	"sceau/internal/testpki"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if made := theWorld; made != nil {
		made.close()
	}
	os.Exit(code)
}

const doctorBoolean = "urn:be:fgov:person:ssin:doctor:boolean"

// A world is what the foreign programs meet: our shipped programs on loopback, with a
// PKI, a registry in which Alice is a doctor, and a policy.
type world struct {
	dir       string
	pki       *pki
	sts       map[string]string // URLs by the kind of the key that signs, and "sha1", which takes SHA-1
	wsp       string            // the guarded service, which admits doctors
	processes []*exec.Cmd
	logs      []*bytes.Buffer
}

var (
	theWorld *world
	making   sync.Once
	unmade   error
)

// apart begins the test of a stack: they run beside each other, since much of their time is
// starting programs. Under the race detector, which sees this process alone, they are left
// out; the checks run them without it.
func apart(t *testing.T) {
	t.Helper()
	if judge.RaceEnabled {
		t.Skip("all that runs is other processes")
	}
	t.Parallel()
}

// meet gives the world; it is made once for all tests.
func meet(t *testing.T) *world {
	t.Helper()
	judge.Require(t, "go")
	making.Do(func() {
		w := &world{sts: map[string]string{}}
		theWorld = w
		unmade = w.make()
	})
	if unmade != nil {
		t.Fatal(unmade)
	}
	return theWorld
}

const registryCSV = `subject_type,subject,attribute,namespace,value,not_before,not_on_or_after
ssin,` + testpki.AliceSSIN + `,` + doctorBoolean + `,,true,2020-01-01T00:00:00Z,
`

const policyYAML = `version: 1
profiles:
  APP2:
    maximum-validity: 12h
    fallback-maximum-validity: 1h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin", namespace: identification}
      - {name: "` + doctorBoolean + `", namespace: certified}
rules:
  - {id: care-providers, effect: permit, identity: {kinds: [eid, ehealth-person]}, profiles: [APP2]}
`

const stsdYAML = `listen: [{address: %[1]q}]
admin: %[2]q
environment: Test
signing: {key: pki/sts-%[3]s.key, certificate: pki/sts-%[3]s.pem}
trust:
  authorities:
    - {name: citizen-ca, certificate: pki/citizen-ca.pem}
    - {name: ehealth-ca, certificate: pki/ehealth-ca.pem}
  profiles:
    - {name: eID, kind: belgian-eid, role: identity, roots: [citizen-ca]}
    - {name: eHealth, kind: ehealth, role: holder, roots: [ehealth-ca]}
    - {name: "eHealth, fallback", kind: ehealth, role: identity, roots: [ehealth-ca]}
  crl-files: [pki/crl/citizen-ca.crl, pki/crl/ehealth-ca.crl]
sha1: {header: %[4]t, inner: %[4]t}
registry: {file: registry-%[5]s.db}
policy: policy.yaml
audit: {dir: audit-%[5]s}
`

const wspdYAML = `listen: {address: %q}
admin: {address: %q}
environment: Test
issuers: ["urn:be:fgov:ehealth:sts:1_0"]
skew: 1m
sts: {pinned: [pki/sts-rsa.pem, pki/sts-p256.pem]}
holders:
  - {kind: ehealth, roots: [{certificate: pki/ehealth-ca.pem, revocation: require}]}
crl: {files: [pki/crl/ehealth-ca.crl]}
require:
  - {name: "` + doctorBoolean + `", namespace: "urn:be:fgov:certified-namespace:ehealth", values: ["true"]}
`

// look looks at every source of the module: the go command remembers that a test passed until
// something that it looked at changes, and the servers and programs are no packages of it.
func look(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root:
			return fs.SkipDir
		case entry.IsDir() || !slices.Contains([]string{".go", ".mod", ".java", ".py", ".js", ".json", ".php", ".c", ".h", ".xml", ".wsdl", ".xsd"}, filepath.Ext(path)):
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
}

func (w *world) make() (err error) {
	if err := look(filepath.Join("..", "..")); err != nil {
		return err
	}
	if w.dir, err = os.MkdirTemp("", "sceau-interop-"); err != nil {
		return err
	}
	if w.pki, err = newPKI(w.file("pki")); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", w.dir, "sceau/cmd/stsd", "sceau/cmd/wspd", "sceau/cmd/wsc")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := errors.Join(w.write("registry.csv", registryCSV), w.write("policy.yaml", policyYAML)); err != nil {
		return err
	}
	ready := map[string]string{}
	for name, kind := range map[string]string{"rsa": "rsa", "p256": "p256", "sha1": "rsa"} {
		if out, err := exec.Command(w.file("stsd"), "registry", "import", w.file("registry.csv"), "--db", w.file("registry-"+name+".db")).CombinedOutput(); err != nil {
			return fmt.Errorf("stsd registry import: %w\n%s", err, out)
		}
		address, admin, err := free()
		if err != nil {
			return err
		}
		if err := w.start("stsd", "stsd-"+name+".yaml", fmt.Sprintf(stsdYAML, address, admin, kind, name == "sha1", name)); err != nil {
			return err
		}
		w.sts[name], ready["stsd "+name] = "http://"+address+"/IAM/Saml11TokenService/v1", admin
	}
	address, admin, err := free()
	if err != nil {
		return err
	}
	if err := w.start("wspd", "wspd.yaml", fmt.Sprintf(wspdYAML, address, admin)); err != nil {
		return err
	}
	w.wsp, ready["wspd"] = "http://"+address+"/", admin
	for name, admin := range ready {
		if err := await("http://" + admin + "/healthz/ready"); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, w.said())
		}
	}
	return nil
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, content string) error {
	return os.WriteFile(w.file(name), []byte(content), 0o600)
}

// start starts a server of ours.
func (w *world) start(program, config, content string) error {
	if err := w.write(config, content); err != nil {
		return err
	}
	command := exec.Command(w.file(program), "serve", "--config", w.file(config))
	log := new(bytes.Buffer)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return err
	}
	w.processes, w.logs = append(w.processes, command), append(w.logs, log)
	return nil
}

// close ends the servers; their logs may be read then.
func (w *world) close() {
	for _, p := range w.processes {
		_ = p.Process.Signal(os.Interrupt)
	}
	for _, p := range w.processes {
		_ = p.Wait()
	}
	w.processes = nil
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}

// said ends the servers and gives what they said.
func (w *world) said() string {
	w.close()
	var all strings.Builder
	for _, log := range w.logs {
		all.WriteString(log.String())
	}
	return all.String()
}

// free finds two addresses that nobody listens on.
func free() (one, another string, err error) {
	var addresses [2]string
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer l.Close()
		addresses[i] = l.Addr().String()
	}
	return addresses[0], addresses[1], nil
}

func await(url string) error {
	for range 1200 {
		if response, err := http.Get(url); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s does not answer", url)
}

package kerberos

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
)

// A kdc is a key distribution centre of MIT Kerberos, of one test, with invented people.
type kdc struct {
	dir, realm, conf string
	env              []string
}

func external(t *testing.T, program string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
		t.Fatalf("%s is required", program)
	}
	t.Skipf("without %s", program)
	return ""
}

const (
	realm   = "HOPITAL.EXAMPLE"
	service = "HTTP/localhost"
)

// startKDC starts one with alice, a machine, a service and the keytab of ours.
func startKDC(t *testing.T, realm string) *kdc {
	t.Helper()
	daemon, util, admin := external(t, "krb5kdc"), external(t, "kdb5_util"), external(t, "kadmin.local")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	k := &kdc{dir: t.TempDir(), realm: realm}
	k.conf = filepath.Join(k.dir, "krb5.conf")
	k.write(t, "krb5.conf", fmt.Sprintf(`[libdefaults]
 default_realm = %[1]s
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 %[1]s = {
  kdc = %[2]s
 }
[domain_realm]
 localhost = %[1]s
`, realm, at))
	k.write(t, "kdc.conf", fmt.Sprintf(`[kdcdefaults]
 kdc_listen = ""
 kdc_tcp_listen = %[2]s
[realms]
 %[1]s = {
  database_name = %[3]s/principal
  key_stash_file = %[3]s/stash
  acl_file = %[3]s/acl
  max_life = 10h
 }
[logging]
 kdc = FILE:%[3]s/log
`, realm, at, k.dir))
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.conf, "KRB5_KDC_PROFILE="+k.file("kdc.conf"), "KRB5CCNAME=FILE:"+k.file("ccache"), "KRB5RCACHETYPE=none")
	k.run(t, util, "create", "-s", "-r", realm, "-P", "master of the tests")
	k.run(t, admin, "-r", realm, "-q", "addprinc -pw alices alice")
	k.run(t, admin, "-r", realm, "-q", "addprinc -pw machines WORKSTATION$")
	k.run(t, admin, "-r", realm, "-q", "addprinc -pw services host/elsewhere")
	k.run(t, admin, "-r", realm, "-q", "addprinc -randkey "+service)
	k.run(t, admin, "-r", realm, "-q", "addprinc -randkey HTTP/other")
	k.run(t, admin, "-r", realm, "-q", "ktadd -k "+k.file("keytab")+" "+service+" HTTP/other")
	process := exec.Command(daemon, "-n", "-r", realm)
	process.Env = k.env
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Process.Kill(); process.Wait() })
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
			return k
		}
		if time.Now().After(until) {
			log, _ := os.ReadFile(k.file("log"))
			t.Fatalf("krb5kdc does not answer: %v\n%s", err, log)
		}
	}
}

func (k *kdc) file(name string) string { return filepath.Join(k.dir, name) }

func (k *kdc) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(k.file(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (k *kdc) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	return k.runWith(t, "", program, args...)
}

func (k *kdc) runWith(t *testing.T, input, program string, args ...string) string {
	t.Helper()
	c := exec.Command(program, args...)
	c.Env, c.Stdin = k.env, strings.NewReader(input)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// client is somebody with a ticket.
func (k *kdc) client(t *testing.T, name, password string) *client.Client {
	t.Helper()
	c, err := config.Load(k.conf)
	if err != nil {
		t.Fatal(err)
	}
	cl := client.NewWithPassword(name, k.realm, password, c, client.DisablePAFXFAST(true))
	if err := cl.Login(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Destroy)
	return cl
}

package ldapsource

import (
	"crypto"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/attrs"
	"sceau/attrs/remote"
	"sceau/internal/minipki"
	"sceau/internal/toxic"
)

const (
	suffix   = "dc=example,dc=org"
	people   = "ou=people," + suffix
	reader   = "cn=sts," + suffix
	password = "a secret of the tests"

	alice  = "00000000097" // a doctor, with all attributes
	bob    = "00000000194" // nothing but an entry
	twice  = "00000000291" // two entries
	odd    = "00000000388" // with values that cannot be
	nobody = "00000000485"
)

// A directory is a slapd of OpenLDAP for one test.
type directory struct {
	dir, program   string
	plain, secured string // host:port
	process        *exec.Cmd
	pki            *pki
}

// external finds a program of the directory: without it the test is skipped, or fails where it is required.
func external(tb testing.TB, program string) string {
	tb.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} { // which is not in everybody's path
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
		tb.Fatalf("%s is required", program)
	}
	tb.Skipf("without %s", program)
	return ""
}

// startDirectory starts a slapd with the data of the tests and more LDIF.
func startDirectory(tb testing.TB, more string) *directory {
	tb.Helper()
	slapd, slapadd := external(tb, "slapd"), external(tb, "slapadd")
	d := &directory{dir: tb.TempDir(), program: slapd, plain: freeAddress(tb), secured: freeAddress(tb)}
	d.pki = newPKI(tb, d.dir)
	if err := os.Mkdir(filepath.Join(d.dir, "data"), 0o700); err != nil {
		tb.Fatal(err)
	}
	d.write(tb, "slapd.conf", d.configuration())
	d.write(tb, "data.ldif", entries+more)
	add := exec.Command(slapadd, "-f", filepath.Join(d.dir, "slapd.conf"), "-l", filepath.Join(d.dir, "data.ldif"))
	if out, err := add.CombinedOutput(); err != nil {
		tb.Fatalf("slapadd: %v\n%s", err, out)
	}
	d.start(tb)
	tb.Cleanup(d.kill)
	return d
}

func (d *directory) write(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func (d *directory) start(tb testing.TB) {
	tb.Helper()
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	// With -d it stays in the foreground.
	d.process = exec.Command(d.program, "-d", "0", "-f", filepath.Join(d.dir, "slapd.conf"), "-h", "ldap://"+d.plain+" ldaps://"+d.secured)
	d.process.Stdout, d.process.Stderr = log, log
	if err := d.process.Start(); err != nil {
		tb.Fatal(err)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", d.secured)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(until) {
			text, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			tb.Fatalf("slapd does not answer: %v\n%s", err, text)
		}
	}
}

// kill ends the directory as a crash does.
func (d *directory) kill() {
	if d.process != nil {
		d.process.Process.Kill()
		d.process.Wait()
		d.process = nil
	}
}

func (d *directory) configuration() string {
	return fmt.Sprintf(`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
attributetype ( 1.3.6.1.4.1.4203.666.1.901 NAME 'recognised' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.902 NAME 'validFrom' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.903 NAME 'validUntil' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.904 NAME 'nihii' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.905 NAME 'ssin' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.4203.666.2.901 NAME 'care' SUP top AUXILIARY MAY ( recognised $ validFrom $ validUntil $ nihii $ ssin ) )
sizelimit 500
idletimeout 0
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/server.pem
TLSCertificateKeyFile %[1]s/server.key
TLSVerifyClient allow
authz-regexp "^cn=sts client$" %[2]q
database mdb
suffix %[3]q
directory %[1]s/data
maxsize 104857600
rootdn "cn=admin,%[3]s"
rootpw admin
index employeeNumber eq
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,%[3]s" by * none
access to * by dn.exact=%[2]q read by * none
`, d.dir, reader, suffix)
}

const entries = `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: cn=sts,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sts
userPassword: a secret of the tests

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: ou=hidden,dc=example,dc=org
objectClass: organizationalUnit
ou: hidden

dn: cn=alice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: care
cn: alice
sn: Example
givenName: Alice
employeeNumber: 00000000097
employeeType: 100
recognised: TRUE
nihii: 71000040001
validFrom: 20260101000000Z
validUntil: 20270101010000.0+0100
memberOf: cn=doctors,ou=groups,dc=example,dc=org

dn: cn=bob,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: care
cn: bob
sn: Example
employeeNumber: 00000000194
employeeType: 200
recognised: FALSE

dn: cn=twice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: twice
sn: Example
employeeNumber: 00000000291

dn: cn=twice again,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: twice again
sn: Example
employeeNumber: 00000000291

dn: cn=odd,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: care
cn: odd
sn: Example
employeeNumber: 00000000388
employeeType: 999
nihii: 71000041001

dn: cn=doctors,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: doctors
member: cn=alice,ou=people,dc=example,dc=org

dn: cn=secret,ou=hidden,dc=example,dc=org
objectClass: groupOfNames
cn: secret
member: cn=alice,ou=people,dc=example,dc=org

`

// referral is a part of the tree that another server holds.
const referral = `dn: ou=elsewhere,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldap://127.0.0.1:1/ou=elsewhere,dc=example,dc=org

`

// A pki is certificates that hold now: the directory knows no other clock.
type pki struct{ dir string }

func newPKI(tb testing.TB, dir string) *pki {
	tb.Helper()
	from, to := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	authority := func(name string) *minipki.Authority {
		a, err := minipki.NewRoot(minipki.CA(minipki.DN("CN", name), from, to), newKey(tb))
		if err != nil {
			tb.Fatal(err)
		}
		return a
	}
	p := &pki{dir}
	write := func(name string, octets []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), octets, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	ca := authority("TEST directory CA")
	write("ca.pem", minipki.CertificatePEM(ca.DER()))
	write("other-ca.pem", minipki.CertificatePEM(authority("TEST another CA").DER()))
	issue := func(name string, t minipki.Template) {
		key := newKey(tb)
		der, err := ca.Issue(t, key.Public())
		if err != nil {
			tb.Fatal(err)
		}
		octets, err := minipki.KeyPEM(key)
		if err != nil {
			tb.Fatal(err)
		}
		write(name+".pem", minipki.CertificatePEM(der))
		write(name+".key", octets)
	}
	issue("server", minipki.TLSServer("localhost", "127.0.0.1"))
	client := minipki.TLSServer("sts client")
	client.DNSNames, client.ExtKeyUsage = nil, []string{minipki.ClientAuth}
	issue("client", client)
	write("password", []byte(password+"\n"))
	write("wrong-password", []byte("not "+password))
	if block, _ := pem.Decode(must(os.ReadFile(p.file("ca.pem")))); block == nil {
		tb.Fatal("no PEM")
	}
	return p
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

func newKey(tb testing.TB) crypto.Signer {
	tb.Helper()
	key, err := minipki.GenerateKey(minipki.P256)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Attributes of the catalogue that the tests map.
var (
	doctor    = find(attrs.PersonSSIN + ":doctor:boolean")
	nurse     = find(attrs.PersonSSIN + ":nurse:boolean")
	nihii11   = find("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11")
	surname   = find("urn:be:fgov:person:ssin:ehealth:1.0:surname")
	mandatary = find("urn:be:fgov:person:ssin:ehealth:1.0:recognisedmandatary:boolean")
	midwife   = find("urn:be:fgov:person:ssin:ehealth:1.0:fpsph:midwife:boolean")
	dentist   = find("urn:be:fgov:person:ssin:ehealth:1.0:fpsph:dentist:boolean")
)

func find(name string) *attrs.Definition {
	d, ok := attrs.EHealth().Find(attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified})
	if !ok {
		panic(name)
	}
	return d
}

func testNow() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC) }

// config is a configuration with every rule, to the servers.
func (d *directory) config(servers ...string) Config {
	return Config{
		ID: "directory", Servers: servers, TLS: remote.TLS{CAFile: d.pki.file("ca.pem")},
		BindDN: reader, PasswordFile: d.pki.file("password"),
		BaseDN: people, Scope: WholeSubtree,
		Filters: map[attrs.SubjectType]string{attrs.SubjectSSIN: "(&(objectClass=inetOrgPerson)(employeeNumber={ssin}))"},
		Mappings: []Mapping{
			{Definition: doctor, Attribute: "recognised", NotBefore: "validFrom", NotOnOrAfter: "validUntil"},
			{Definition: nihii11, Attribute: "nihii", NotBefore: "validFrom", NotOnOrAfter: "validUntil"},
			{Definition: surname, Attribute: "sn"},
			{Definition: nurse, Rule: ByPresence, Attribute: "givenName"},
			{Definition: mandatary, Rule: ByList, Attribute: "employeeType", True: []string{"100", "110"}, False: []string{"200"}},
			{Definition: midwife, Rule: ByGroup, Group: "CN=Doctors, ou=groups," + suffix},
			{Definition: dentist, Rule: ByGroup, Group: "cn=doctors,ou=groups," + suffix, Member: "member"},
		},
		TTL: 24 * time.Hour, Timeout: 5 * time.Second, Now: time.Now,
	}
}

func open(tb testing.TB, c Config) *Source {
	tb.Helper()
	s, err := Open(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func query(ssin string, wanted ...*attrs.Definition) *attrs.Query {
	by, ok := attrs.EHealth().Find(attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification})
	if !ok {
		panic("no SSIN")
	}
	return &attrs.Query{Subjects: []attrs.Keyed{{By: by, Value: ssin}}, Definitions: wanted, At: time.Now()}
}

// told gives answers as text: the wire values of each, joined.
func told(answers []attrs.Certified) string {
	var all []string
	for i := range answers {
		var values []string
		answers[i].WireValues(func(v string) bool { values = append(values, v); return true })
		all = append(all, strings.Join(values, ","))
	}
	return strings.Join(all, " ")
}

// noLeak demands that the test leaves no goroutine, after all that it cleans up.
func noLeak(tb testing.TB) {
	tb.Helper()
	ignore := goleak.IgnoreCurrent()
	options := append(toxic.Leftovers(), ignore)
	tb.Cleanup(func() { goleak.VerifyNone(tb, options...) })
}

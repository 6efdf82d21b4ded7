package ldapsource

import (
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/attrs"
	"sceau/attrs/remote"
	"sceau/internal/slapd"
	"sceau/internal/toxic"
)

const (
	suffix   = slapd.Suffix
	people   = slapd.People
	password = slapd.Password

	alice  = slapd.Alice
	bob    = slapd.Bob
	twice  = slapd.Twice
	odd    = slapd.Odd
	nobody = "00000000485"
)

// A directory is a slapd with configurations of sources that ask it.
type directory struct{ *slapd.Directory }

// startDirectory starts a slapd with more LDIF.
func startDirectory(tb testing.TB, more string) *directory {
	tb.Helper()
	return &directory{slapd.Start(tb, more)}
}

// noDirectory has the files of one, and no server.
func noDirectory(tb testing.TB) *directory {
	tb.Helper()
	return &directory{&slapd.Directory{PKI: slapd.NewPKI(tb, tb.TempDir())}}
}

// referral is a part of the tree that another server holds.
const referral = `dn: ou=elsewhere,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldap://127.0.0.1:1/ou=elsewhere,dc=example,dc=org

`

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
		ID: "directory", Servers: servers, TLS: remote.TLS{CAFile: d.PKI.File("ca.pem")},
		BindDN: slapd.Reader, PasswordFile: d.PKI.File("password"),
		BaseDN: slapd.People, Scope: WholeSubtree,
		Filters: map[attrs.SubjectType]string{attrs.SubjectSSIN: "(&(objectClass=inetOrgPerson)(employeeNumber={ssin}))"},
		Mappings: []Mapping{
			{Definition: doctor, Attribute: "recognised", NotBefore: "validFrom", NotOnOrAfter: "validUntil"},
			{Definition: nihii11, Attribute: "nihii", NotBefore: "validFrom", NotOnOrAfter: "validUntil"},
			{Definition: surname, Attribute: "sn"},
			{Definition: nurse, Rule: ByPresence, Attribute: "givenName"},
			{Definition: mandatary, Rule: ByList, Attribute: "employeeType", True: []string{"100", "110"}, False: []string{"200"}},
			{Definition: midwife, Rule: ByGroup, Group: "CN=Doctors, ou=groups," + slapd.Suffix},
			{Definition: dentist, Rule: ByGroup, Group: "cn=doctors,ou=groups," + slapd.Suffix, Member: "member"},
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

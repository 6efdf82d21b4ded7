package ldapsource

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/internal/slapd"
)

// passwords are people with passwords.
const passwords = `dn: cn=carol,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: carol
sn: Example
uid: carol
userPassword: right

dn: cn=locked,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: locked
sn: Example
uid: locked
userPassword: right
pwdAccountLockedTime: 000001010000Z

dn: cn=new,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: new
sn: Example
uid: new
userPassword: right
pwdReset: TRUE

`

func openDirectory(t *testing.T, c Config) *Directory {
	t.Helper()
	c.Filters, c.Mappings, c.TTL = nil, nil, 0
	d, err := OpenDirectory(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDirectory(t *testing.T) {
	noLeak(t)
	s := startDirectory(t, passwords)
	d := openDirectory(t, s.config("ldaps://"+s.Secured))
	for name, tt := range map[string]struct {
		Match
		want string
		err  error
	}{
		"found":               {Match{Attribute: "uid", Value: "carol"}, "carol", nil},
		"in the filter":       {Match{Filter: "(objectClass=inetOrgPerson)", Attribute: "uid", Value: "carol"}, "carol", nil},
		"outside the filter":  {Match{Filter: "(objectClass=care)", Attribute: "uid", Value: "carol"}, "", nil},
		"nobody":              {Match{Attribute: "uid", Value: "dave"}, "", nil},
		"no value":            {Match{Attribute: "uid"}, "", nil},
		"a long value":        {Match{Attribute: "uid", Value: strings.Repeat("a", 257)}, "", nil},
		"any (H6)":            {Match{Attribute: "uid", Value: "*"}, "", nil},
		"another filter (H6)": {Match{Attribute: "uid", Value: "x)(|(uid=*"}, "", nil},
		"a NUL (H6)":          {Match{Attribute: "uid", Value: "carol\x00"}, "", nil},
		"several":             {Match{Attribute: "employeeNumber", Value: twice}, "", ErrSeveral},
	} {
		tt.Read = []string{"uid", "cn", "entryUUID", "noSuchAttribute"}
		e, err := d.Find(t.Context(), tt.Match)
		got := ""
		if e != nil {
			got = e.Values("UID")[0]
			if len(e.Values("entryuuid")) != 1 || len(e.Values("noSuchAttribute")) != 0 || e.DN == "" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if got != tt.want || !errors.Is(err, tt.err) || tt.err == nil && err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil {
			discreet(t, err)
		}
	}
}

// TestVerify: a password is right or rejected, and never an error that names somebody.
func TestVerify(t *testing.T) {
	noLeak(t)
	s := startDirectory(t, passwords)
	for _, server := range []string{"ldap://" + s.Plain, "ldaps://" + s.Secured} {
		d := openDirectory(t, s.config(server))
		for name, tt := range map[string]struct {
			dn, password string
			want         error
		}{
			"right":                             {"cn=carol," + people, "right", nil},
			"wrong":                             {"cn=carol," + people, "wrong", ErrRejected},
			"none: the bind of nobody succeeds": {"cn=carol," + people, "", ErrRejected},
			"nobody, who may bind too":          {"", "", ErrRejected},
			"no name":                           {"", "right", ErrRejected},
			"no entry":                          {"cn=dave," + people, "right", ErrRejected},
			"no password in the entry":          {"cn=alice," + people, "right", ErrRejected},
			"no DN":                             {"carol", "right", ErrRejected},
			"locked":                            {"cn=locked," + people, "right", ErrRejected},
			"to be changed":                     {"cn=new," + people, "right", ErrRejected},
		} {
			if err := d.Verify(t.Context(), tt.dn, tt.password); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("%s: %s: %v", server, name, err)
			}
		}
		// The connections of the service are its own still.
		if e, err := d.Find(t.Context(), Match{Attribute: "uid", Value: "carol", Read: []string{"uid"}}); e == nil || err != nil {
			t.Errorf("afterwards: %v, %v", e, err)
		}
	}
	s.Kill()
	d := openDirectory(t, s.config("ldap://"+s.Plain))
	if err := d.Verify(t.Context(), "cn=carol,"+people, "right"); err == nil || errors.Is(err, ErrRejected) || attrs.ReasonOf(err) != attrs.SourceUnavailable {
		t.Errorf("without a server: %v", err)
	}
	if _, err := d.Find(t.Context(), Match{Attribute: "uid", Value: "carol"}); attrs.ReasonOf(err) != attrs.SourceUnavailable {
		t.Errorf("without a server: %v", err)
	}
}

// TestVerifyOnce: a server that takes the password and dies may have counted it: no other is asked, nor it again.
func TestVerifyOnce(t *testing.T) {
	noLeak(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var asked atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			c.Read(make([]byte, 1))
			c.Close()
		}
	}()
	s := startDirectory(t, passwords)
	d := openDirectory(t, s.config("ldap://"+l.Addr().String(), "ldap://"+s.Plain))
	if err := d.Verify(t.Context(), "cn=carol,"+people, "right"); err == nil || errors.Is(err, ErrRejected) {
		t.Errorf("%v", err)
	}
	if asked.Load() != 1 {
		t.Errorf("it was asked %d times", asked.Load())
	}
	// One that is not there was not asked: the next one is.
	d = openDirectory(t, s.config("ldap://"+freeAddress(t), "ldap://"+s.Plain))
	if err := d.Verify(t.Context(), "cn=carol,"+people, "right"); err != nil {
		t.Errorf("%v", err)
	}
}

// TestVerifySilent: a server that says nothing holds nobody longer than the deadline.
func TestVerifySilent(t *testing.T) {
	noLeak(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	defer l.Close()
	s := noDirectory(t)
	c := s.config("ldap://" + l.Addr().String())
	c.Timeout = 100 * time.Millisecond
	if err := openDirectory(t, c).Verify(t.Context(), "cn=carol,"+slapd.People, "right"); err == nil || errors.Is(err, ErrRejected) {
		t.Errorf("%v", err)
	}
}

func TestOpenDirectory(t *testing.T) {
	s := noDirectory(t)
	c := s.config("ldap://ldap.example.org")
	if _, err := OpenDirectory(c); err == nil || !strings.Contains(err.Error(), "without TLS only on loopback") {
		t.Errorf("%v", err)
	}
	c = s.config("ldaps://ldap.example.org")
	c.TLS.CAFile = ""
	if _, err := OpenDirectory(c); err == nil {
		t.Error("without an authority")
	}
	if CheckFilter("(uid=") == nil || CheckFilter("(uid=a)") != nil || CheckFilter("") != nil {
		t.Error("filters")
	}
	if CheckAttribute("uid)(cn") == nil || CheckAttribute("") == nil || CheckAttribute("uid") != nil {
		t.Error("attributes")
	}
}

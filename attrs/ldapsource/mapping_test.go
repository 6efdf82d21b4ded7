package ldapsource

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"sceau/attrs"
)

// TestReadEntry: an attribute that does not come as it was asked is an error. Passed over, it would be a missing value, and a missing
// value a denial.
func TestReadEntry(t *testing.T) {
	many := make([]string, maxValues+1)
	for name, tt := range map[string]struct {
		attributes []*ldap.EntryAttribute
		why        string
	}{
		"as asked":          {[]*ldap.EntryAttribute{{Name: "memberOf", Values: []string{"a"}}}, ""},
		"in another case":   {[]*ldap.EntryAttribute{{Name: "MEMBEROF", Values: []string{"a"}}}, ""},
		"in a language too": {[]*ldap.EntryAttribute{{Name: "memberOf", Values: []string{"a"}}, {Name: "memberOf;lang-fr", Values: []string{"b"}}}, ""},
		"in ranges":         {[]*ldap.EntryAttribute{{Name: "memberOf"}, {Name: "memberOf;range=0-1499", Values: []string{"a"}}}, "ranges"},
		"binary":            {[]*ldap.EntryAttribute{{Name: "memberOf;binary", Values: []string{"a"}}}, "binary"},
		"by another name":   {[]*ldap.EntryAttribute{{Name: "isMemberOf", Values: []string{"a"}}}, "name"},
		"twice":             {[]*ldap.EntryAttribute{{Name: "memberOf", Values: []string{"a"}}, {Name: "memberof", Values: []string{"b"}}}, "twice"},
		"no text":           {[]*ldap.EntryAttribute{{Name: "memberOf", Values: []string{"\xff"}}}, "no text"},
		"a large value":     {[]*ldap.EntryAttribute{{Name: "memberOf", Values: []string{strings.Repeat("a", maxValueBytes+1)}}}, "too large"},
		"very many values":  {[]*ldap.EntryAttribute{{Name: "memberOf", Values: many}}, "values"},
	} {
		e, err := readEntry(&ldap.Entry{DN: "cn=x", Attributes: tt.attributes}, []string{"memberOf"})
		if tt.why == "" {
			if err != nil || len(e.get("MemberOf")) != 1 || e.get("memberof")[0] != "a" {
				t.Errorf("%s: %+v, %v", name, e, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAbout: an entry that does not have the very number that was asked is nobody's: a directory that ignores blanks or
// case, or the filter, must not certify one person's attributes to another.
func TestAbout(t *testing.T) {
	f, err := parseFilter("nihii/ssin", "(&(pharmacy={nihii})(holder={ssin}))")
	if err != nil {
		t.Fatal(err)
	}
	about := func(pharmacy, holder []string) error {
		return (&entry{values: map[string][]string{"pharmacy": pharmacy, "holder": holder}}).about(f, []string{"1", "2"})
	}
	if err := about([]string{"0", "1"}, []string{"2"}); err != nil {
		t.Error(err)
	}
	for _, e := range [][2][]string{{{"1"}, nil}, {nil, {"2"}}, {{"1 "}, {"2"}}, {{"2"}, {"1"}}, {{"01"}, {"2"}}} {
		if about(e[0], e[1]) == nil {
			t.Errorf("%q taken", e)
		}
	}
}

func TestGeneralizedTime(t *testing.T) {
	at := func(h, m, s, ns int) time.Time { return time.Date(2026, 11, 21, h, m, s, ns, time.UTC) }
	for text, want := range map[string]time.Time{
		"20261121200102Z":       at(20, 1, 2, 0),
		"20261121200102.0Z":     at(20, 1, 2, 0),
		"20261121200102.25Z":    at(20, 1, 2, 250_000_000),
		"20261121200102,25Z":    at(20, 1, 2, 250_000_000),
		"202611212001Z":         at(20, 1, 0, 0),
		"2026112120Z":           at(20, 0, 0, 0),
		"20261121210102+0100":   at(20, 1, 2, 0),
		"20261121210102+01":     at(20, 1, 2, 0),
		"20261121210102.5-0130": at(22, 31, 2, 500_000_000),
		"":                      {}, "2026": {}, "20261121200102": {}, "20261321200102Z": {}, "20261121250102Z": {}, "2026-11-21T20:01:02Z": {},
		"20261121200102Zx": {}, "20261121200102 Z": {}, "133769736000000000": {}, "00010101000000Z": {}, "202611212001.5Z": {}, "20261121200102+1": {},
		"20260229000000Z": {}, "0": {}, "9223372036854775807": {}, "20261121200102z": {},
	} {
		got, err := parseGeneralizedTime(text)
		if want.IsZero() != (err != nil) || err == nil && !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// FuzzGeneralizedTime: a time that is read is one that the directory's own form gives back.
func FuzzGeneralizedTime(f *testing.F) {
	for _, s := range []string{"20261121200102Z", "20261121200102.25+0100", "2026112120Z", "00010101000000Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseGeneralizedTime(s)
		if err != nil {
			if !got.IsZero() || strings.Contains(err.Error(), s) && len(s) > 3 {
				t.Errorf("%v, %v", got, err)
			}
			return
		}
		again, err := parseGeneralizedTime(got.Format("20060102150405.999999999Z0700"))
		if err != nil || !again.Equal(got) {
			t.Errorf("%q: %v, then %v, %v", s, got, again, err)
		}
	})
}

func TestHoldsDN(t *testing.T) {
	const group = "cn=doctors,ou=groups,dc=example"
	for _, tt := range []struct {
		values []string
		want   string
	}{
		{nil, "false"}, {[]string{group}, "true"}, {[]string{"CN=Doctors, OU=groups,DC=example"}, "true"},
		{[]string{"cn=doctors,ou=groups,dc=example,dc=org"}, "false"}, {[]string{"cn=doctors\\,ou=groups,dc=example"}, "false"},
		{[]string{"cn=nurses,ou=groups,dc=example", group}, "true"}, {[]string{"no name"}, "false error"}, {[]string{group, "no name"}, "false error"},
	} {
		is, err := holdsDN(tt.values, group)
		got := fmt.Sprint(is)
		if err != nil {
			got += " error"
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.values, got, tt.want)
		}
	}
}

// TestConfig: what a configuration may not say, each with the word by which the operator finds it.
func TestConfig(t *testing.T) {
	d := noDirectory(t)
	sound := func() Config { return d.config("ldaps://127.0.0.1:1") }
	if s, err := Open(sound()); err != nil {
		t.Fatal(err)
	} else {
		s.Close()
	}
	hospital, _ := attrs.EHealth().Find(attrs.Designator{Name: "urn:be:fgov:ehealth:1.0:hospital:nihii-number:recognisedhospital:boolean", Namespace: attrs.NamespaceCertified})
	session, _ := attrs.EHealth().Find(attrs.Designator{Name: attrs.UserSession, Namespace: attrs.NamespaceCertified})
	for name, tt := range map[string]struct {
		change func(*Config)
		why    string
	}{
		"nothing":                      {func(c *Config) { *c = Config{} }, "no server"},
		"no ID":                        {func(c *Config) { c.ID = "" }, "no ID"},
		"no server":                    {func(c *Config) { c.Servers = nil }, "no server"},
		"no scope":                     {func(c *Config) { c.Scope = 0 }, "no scope"},
		"no mapping":                   {func(c *Config) { c.Mappings = nil }, "no attribute is mapped"},
		"no time to live":              {func(c *Config) { c.TTL = 0 }, "no time to live"},
		"a negative time":              {func(c *Config) { c.IdleTimeout = -1 }, "negative time"},
		"a negative limit":             {func(c *Config) { c.MaxConnections = -1 }, "negative limit"},
		"no base":                      {func(c *Config) { c.BaseDN = "" }, "base"},
		"a base that is no DN":         {func(c *Config) { c.BaseDN = "people" }, "base"},
		"anonymous":                    {func(c *Config) { c.BindDN, c.PasswordFile = "", "" }, "nobody to bind as"},
		"no password":                  {func(c *Config) { c.PasswordFile = "" }, "no file of the secret"},
		"an empty password":            {func(c *Config) { d.PKI.Write(t, "empty", "\n"); c.PasswordFile = d.PKI.File("empty") }, "empty"},
		"a bind DN that is none":       {func(c *Config) { c.BindDN = "sts" }, "bind DN"},
		"two ways to bind":             {func(c *Config) { c.External = true }, "takes no bind DN"},
		"EXTERNAL without certificate": {func(c *Config) { c.External, c.BindDN, c.PasswordFile = true, "", "" }, "needs a certificate"},
		"no CA":                        {func(c *Config) { c.TLS.CAFile = "" }, "no file of certification authorities"},
		"a CA that is none":            {func(c *Config) { c.TLS.CAFile = c.PasswordFile }, "no certificate"},
		"a certificate without key":    {func(c *Config) { c.TLS.CertificateFile = d.PKI.File("client.pem") }, "go together"},
		"plain, not on loopback":       {func(c *Config) { c.Servers = []string{"ldap://192.0.2.1"} }, "only on loopback"},
		"plain, by a name":             {func(c *Config) { c.Servers = []string{"ldap://localhost.example"} }, "only on loopback"},
		"StartTLS on ldaps":            {func(c *Config) { c.StartTLS = true }, "ldap:// alone"},
		"another scheme":               {func(c *Config) { c.Servers = []string{"ldapi:///socket"} }, "want ldap"},
		"a server with a password":     {func(c *Config) { c.Servers = []string{"ldaps://a:b@127.0.0.1"} }, "want ldap"},
		"a server with a path":         {func(c *Config) { c.Servers = []string{"ldaps://127.0.0.1/dc=x"} }, "want ldap"},
		"no filter":                    {func(c *Config) { c.Filters = nil }, "no filter for subjects of type ssin"},
		"another subject":              {func(c *Config) { c.Mappings[0].Definition = hospital }, "no filter for subjects of type nihii"},
		"a computed attribute":         {func(c *Config) { c.Mappings[0].Definition = session }, "no attribute that a source"},
		"mapped twice":                 {func(c *Config) { c.Mappings[1] = c.Mappings[0] }, "twice"},
		"no LDAP attribute":            {func(c *Config) { c.Mappings[0].Attribute = "" }, "must answer"},
		"an option":                    {func(c *Config) { c.Mappings[0].Attribute = "cert;binary" }, "no LDAP attribute"},
		"all attributes":               {func(c *Config) { c.Mappings[0].Attribute = "*" }, "no LDAP attribute"},
		"a value by presence":          {func(c *Config) { c.Mappings[1].Rule = ByPresence }, "only a boolean"},
		"a list without values":        {func(c *Config) { c.Mappings[4].True = nil }, "list of values"},
		"a list for another rule":      {func(c *Config) { c.Mappings[0].True = []string{"1"} }, "list of values"},
		"true and false":               {func(c *Config) { c.Mappings[4].False = []string{"100"} }, "true and false"},
		"no group":                     {func(c *Config) { c.Mappings[5].Group = "" }, "a group goes"},
		"a group that is no DN":        {func(c *Config) { c.Mappings[5].Group = "doctors" }, "no DN"},
		"a member that is a filter":    {func(c *Config) { c.Mappings[6].Member = "a=b)(c" }, "no LDAP attribute"},
		"no rule":                      {func(c *Config) { c.Mappings[0].Rule = ByGroup + 1 }, "no rule"},
		"a time that is none":          {func(c *Config) { c.Mappings[0].NotBefore = "valid from" }, "no LDAP attribute"},
	} {
		t.Run(name, func(t *testing.T) {
			c := sound()
			tt.change(&c)
			s, err := Open(c)
			if err == nil || s != nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v, want %q", err, tt.why)
			}
		})
	}
}

package directory

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"sceau/attrs/ldapsource"
	"sceau/attrs/remote"
	"sceau/internal/slapd"
	"sceau/oidc/authn"
	"sceau/oidc/means/password"
	"sceau/oidc/means/totp"
)

const guid = "3412cdab-7856-9abc-0123-456789abcdef" // of guidOctets
const guidOctets = "\xab\xcd\x12\x34\x56\x78\xbc\x9a\x01\x23\x45\x67\x89\xab\xcd\xef"

// more are people with passwords and the locks of directories.
func more(seal *totp.Seal) string {
	person := func(uid, rest string) string {
		return "dn: cn=" + uid + ",ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nobjectClass: care\nobjectClass: windows\nobjectClass: shadowAccount\ncn: " + uid +
			"\nsn: Exemple\ngivenName: Zoé\nuid: " + uid + "\nmail: " + uid + "@hopital.example\nuserPassword: right\n" + rest + "\n"
	}
	b64 := base64.StdEncoding.EncodeToString
	sealed, _ := seal.Seal(guid, []byte("12345678901234567890"))
	return person("zoe", "nihii: 99700000001\nemployeeNumber: 00000000582\nuserAccountControl: 512\naccountExpires: 9223372036854775807\nshadowExpire: -1\nsAMAccountName: ZOE\nobjectGUID:: "+b64([]byte(guidOctets))+"\nsealedCode: "+b64(sealed)+"\n") +
		person("disabled", "userAccountControl: 514\n") +
		person("expired", "accountExpires: 133485408000000000\n") +
		person("over", "shadowExpire: 19000\n") +
		person("locked", "pwdAccountLockedTime: 000001010000Z\n") +
		person("twin", "") + strings.Replace(person("twin", ""), "cn=twin,", "cn=other twin,", 1) +
		person("ext*(rnal)", "") +
		person("reset", "pwdReset: TRUE\n") +
		person("stolen", "objectGUID:: "+b64([]byte("another guid 16."))+"\nsealedCode: "+b64(sealed)+"\n")
}

func newSeal(t *testing.T) *totp.Seal {
	t.Helper()
	path := t.TempDir() + "/key"
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := totp.LoadSeal(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// op is a provider of others, which knows people by subs of its own.
const op = "https://op.example"

func config(d *slapd.Directory) Config {
	return Config{
		Directory: ldapsource.Config{
			ID: "people", Servers: []string{"ldaps://" + d.Secured}, TLS: remote.TLS{CAFile: d.PKI.File("ca.pem")},
			BindDN: slapd.Reader, PasswordFile: d.PKI.File("password"), BaseDN: slapd.People, Scope: ldapsource.WholeSubtree, Timeout: 5 * time.Second,
		},
		Filter: "(objectClass=inetOrgPerson)", Username: "uid", ID: "entryUUID",
		Names:  Names{Given: "givenName", Family: "sn", Display: "cn", Email: "mail"},
		Groups: "memberOf", EmailVerified: true,
		Identifiers: map[string]string{"ssin": "employeeNumber", "rpps": "nihii", "sub " + op: "nihii"},
	}
}

func open(t *testing.T, c Config) *Accounts {
	t.Helper()
	a, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// binding counts as whom passwords are verified; answer is that of the directory in the place of the real one.
type binding struct {
	reach
	as     []string
	answer func(dn string) error
}

func (b *binding) Verify(ctx context.Context, dn, password string) error {
	b.as = append(b.as, dn)
	if b.answer != nil {
		return b.answer(dn)
	}
	return b.reach.Verify(ctx, dn, password)
}

func (b *binding) Find(ctx context.Context, m ldapsource.Match) (*ldapsource.Entry, error) {
	if b.reach != nil {
		return b.reach.Find(ctx, m)
	}
	return nil, nil
}

// TestNobody: for a name that is not there the directory does what it does for one that is, and whatever it says of nobody lets nobody in.
// That it cannot be asked is an outage for every name: what is refused at once while others fail would not be there.
func TestNobody(t *testing.T) {
	outage := errors.New("no answer")
	for name, c := range map[string]struct{ says, want error }{
		"it refuses": {ldapsource.ErrRejected, ErrNobody}, "it takes everything": {nil, ErrNobody}, "an outage": {outage, outage},
	} {
		b := &binding{answer: func(string) error { return c.says }}
		a := &Accounts{config: Config{Username: "uid"}, reach: b, nobody: "cn=nobody-1,dc=example"}
		got, err := a.Verify(t.Context(), "dave", "a password")
		if got != nil || !errors.Is(err, c.want) || errors.Is(err, password.ErrRejected) != (c.want == ErrNobody) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if len(b.as) != 1 || b.as[0] != a.nobody {
			t.Errorf("%s: binds as %q", name, b.as)
		}
	}
}

// TestVerify is against slapd: who comes in, and why the others do not.
func TestVerify(t *testing.T) {
	d := slapd.Start(t, more(newSeal(t)))
	a := open(t, config(d))
	binds := &binding{reach: a.reach}
	a.reach = binds
	for name, tt := range map[string]struct {
		username, secret string
		want             error
	}{
		"right":                        {"zoe", "right", nil},
		"in capitals":                  {"ZOE", "right", nil},
		"a name with characters":       {"ext*(rnal)", "right", nil},
		"wrong":                        {"zoe", "wrong", ErrPassword},
		"empty: nobody's bind":         {"zoe", "", ErrPassword},
		"nobody":                       {"dave", "right", ErrNobody},
		"everybody (H6)":               {"*", "right", ErrNobody},
		"another filter (H6)":          {"zoe)(|(objectClass=*)", "right", ErrNobody},
		"a prefix (H6)":                {"zo*", "right", ErrNobody},
		"another spelling":             {"zoe  ", "right", ErrOther},
		"two entries":                  {"twin", "right", ErrSeveral},
		"disabled (Active Directory)":  {"disabled", "right", ErrLocked},
		"expired (Active Directory)":   {"expired", "right", ErrLocked},
		"expired (shadow)":             {"over", "right", ErrLocked},
		"locked by an administrator":   {"locked", "right", ErrLocked},
		"a password to be changed":     {"reset", "right", ErrPassword},
		"a name in another attribute":  {"00000000582", "right", ErrNobody},
		"a DN":                         {"cn=zoe,ou=people,dc=example,dc=org", "right", ErrNobody},
		"the reader of the directory":  {"sts", slapd.Password, ErrNobody},
		"the password of the reader":   {"zoe", slapd.Password, ErrPassword},
		"longer than any name in it":   {strings.Repeat("z", 300), "right", ErrNobody},
		"no text":                      {"zoe\xff", "right", ErrNobody},
		"a NUL behind the name":        {"zoe\x00", "right", ErrNobody},
		"the escaped form of the name": {`\7aoe`, "right", ErrNobody},
	} {
		binds.as = nil
		got, err := a.Verify(t.Context(), tt.username, tt.secret)
		// One bind for each name, as nobody where none is to count: else the time tells names, or a stranger locks accounts.
		own := tt.want == nil || tt.want == ErrPassword
		if len(binds.as) != 1 || own == strings.HasPrefix(binds.as[0], "cn=nobody-") {
			t.Errorf("%s: binds as %q", name, binds.as)
		}
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || (got == nil) != (err != nil) || err != nil && !errors.Is(err, password.ErrRejected) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), "zoe") || strings.Contains(err.Error(), "people,")) {
			t.Errorf("%s: it names somebody: %v", name, err)
		}
	}
	d.Kill()
	if _, err := a.Verify(t.Context(), "zoe", "right"); err == nil || errors.Is(err, password.ErrRejected) {
		t.Errorf("without a directory: %v", err)
	}
	if _, err := a.Find(t.Context(), authn.Identifier{Type: "username", Value: "zoe"}); err == nil || errors.Is(err, authn.ErrNoAccount) {
		t.Errorf("without a directory: %v", err)
	}
}

func TestFind(t *testing.T) {
	seal := newSeal(t)
	d := slapd.Start(t, more(seal))
	a := open(t, config(d))
	zoe, err := a.Find(t.Context(), authn.Identifier{Type: "username", Value: "zoe"})
	if err != nil {
		t.Fatal(err)
	}
	if len(zoe.ID) != 36 || zoe.Username != "zoe" || zoe.GivenName != "Zoé" || zoe.FamilyName != "Exemple" || zoe.Name != "zoe" || zoe.Email != "zoe@hopital.example" ||
		!zoe.EmailVerified || zoe.Locked || len(zoe.Identifiers) != 3 {
		t.Errorf("%+v", zoe)
	}
	if alice, err := a.Find(t.Context(), authn.Identifier{Type: "ssin", Value: slapd.Alice}); err != nil || len(alice.Groups) != 1 || alice.EmailVerified {
		t.Errorf("%+v, %v", alice, err)
	}
	if locked, err := a.Find(t.Context(), authn.Identifier{Type: "username", Value: "locked"}); err != nil || !locked.Locked {
		t.Errorf("%+v, %v", locked, err)
	}
	for id, want := range map[authn.Identifier]error{
		{Type: "account", Value: zoe.ID}:                     nil,
		{Type: "ssin", Value: "00000000582"}:                 nil,
		{Type: "rpps", Value: "99700000001"}:                 nil,
		{Type: "rpps", Value: "00000000582"}:                 ErrNobody,
		{Type: "rpps", Value: "*"}:                           ErrNobody,
		{Type: "nihii", Value: "99700000001"}:                ErrNobody, // no attribute is configured
		{Type: "ssin", Value: " 00000000582"}:                ErrOther,  // as the directory would forgive
		{Type: "account", Value: strings.ToUpper(zoe.ID)}:    ErrOther,
		{Type: "account", Value: "*"}:                        ErrNobody,
		{Type: "account"}:                                    ErrNobody,
		{Type: "ssin", Value: slapd.Twice}:                   ErrSeveral,
		{Type: "ssin", Value: "00000000582", Authority: "x"}: ErrNobody,
		{Type: "sub", Value: "99700000001", Authority: op}:   nil, // as another provider calls her
		{Type: "sub", Value: "99700000001", Authority: "x"}:  ErrNobody,
		{Type: "sub", Value: "99700000001"}:                  ErrNobody,
		{}:                                                   ErrNobody,
	} {
		got, err := a.Find(t.Context(), id)
		switch {
		case want == nil && (err != nil || got.ID != zoe.ID):
			t.Errorf("%v: %+v, %v", id, got, err)
		case want != nil && (got != nil || !errors.Is(err, authn.ErrNoAccount) || !errors.Is(err, want)):
			t.Errorf("%v: %+v, %v, want %v", id, got, err, want)
		}
	}

	// As in Active Directory, whose ID is binary; and the codes that stand in the directory.
	c := config(d)
	c.Username, c.ID, c.Code, c.Seal = "sAMAccountName", "objectGUID", "sealedCode", seal
	a = open(t, c)
	zoe, err = a.Verify(t.Context(), "zoe", "right")
	if err != nil || zoe.ID != guid || zoe.Username != "ZOE" {
		t.Fatalf("%+v, %v", zoe, err)
	}
	if again, err := a.Find(t.Context(), authn.Identifier{Type: "account", Value: guid}); err != nil || again.ID != guid {
		t.Errorf("%+v, %v", again, err)
	}
	for _, id := range []string{strings.ToUpper(guid), strings.ReplaceAll(guid, "-", ""), guidOctets, strings.Repeat("-", 36)} {
		if got, err := a.Find(t.Context(), authn.Identifier{Type: "account", Value: id}); !errors.Is(err, authn.ErrNoAccount) {
			t.Errorf("%q: %+v, %v", id, got, err)
		}
	}
	if secret, err := a.Secret(t.Context(), zoe); err != nil || string(secret) != "12345678901234567890" {
		t.Errorf("%q, %v", secret, err)
	}
	stolen, err := a.Find(t.Context(), authn.Identifier{Type: "account", Value: textOfID("objectGUID", "another guid 16.")})
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := a.Secret(t.Context(), stolen); err == nil || errors.Is(err, totp.ErrNotEnrolled) {
		t.Errorf("the secret of another: %q, %v", secret, err)
	}
	if _, err := a.Secret(t.Context(), &authn.Account{ID: "nobody"}); !errors.Is(err, totp.ErrNotEnrolled) {
		t.Errorf("%v", err)
	}
	// An entry without the attribute of the ID is nobody: alice has no objectGUID.
	if got, err := a.Find(t.Context(), authn.Identifier{Type: "ssin", Value: slapd.Alice}); !errors.Is(err, ErrNoID) || !errors.Is(err, authn.ErrNoAccount) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := a.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLocked(t *testing.T) {
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		attribute, value string
		want             bool
	}{
		{"userAccountControl", "512", false}, {"userAccountControl", "66048", false}, {"userAccountControl", "514", true}, {"userAccountControl", "x", true},
		{"accountExpires", "0", false}, {"accountExpires", "9223372036854775807", false},
		{"accountExpires", "134083872000000000", true},  // 2025-11-22
		{"accountExpires", "134400000000000000", false}, // 2026-11-23
		{"accountExpires", "-1", true}, {"accountExpires", "9223372036854775808", true},
		{"pwdAccountLockedTime", "000001010000Z", true}, {"pwdAccountLockedTime", "20261121195900Z", false}, {"pwdAccountLockedTime", "", false}, {"pwdAccountLockedTime", "0", true},
		{"shadowExpire", "-1", false}, {"shadowExpire", "20778", true}, {"shadowExpire", "20779", false}, {"shadowExpire", "0", true}, {"shadowExpire", "never", true},
		{"nsAccountLock", "TRUE", true}, {"nsAccountLock", "false", false}, {"nsAccountLock", "maybe", true},
		{"another", "1", true},
	} {
		if tt.value == "" {
			continue
		}
		if got := lockedBy(tt.attribute, tt.value, now); got != tt.want {
			t.Errorf("%s %s: %t", tt.attribute, tt.value, got)
		}
	}
}

func TestOpen(t *testing.T) {
	right := config(&slapd.Directory{Secured: "localhost:1", PKI: slapd.NewPKI(t, t.TempDir())})
	open(t, right)
	for name, change := range map[string]func(*Config){
		"no name":                     func(c *Config) { c.Username = "" },
		"no id":                       func(c *Config) { c.ID = "" },
		"no attribute":                func(c *Config) { c.Names.Given = "given name" },
		"an injection in one":         func(c *Config) { c.Identifiers = map[string]string{"rpps": "cn=*)(uid"} },
		"no filter":                   func(c *Config) { c.Filter = "(uid=" },
		"a second id":                 func(c *Config) { c.Identifiers = map[string]string{"account": "cn"} },
		"a second name":               func(c *Config) { c.Identifiers = map[string]string{"username": "cn"} },
		"the word of another issuer":  func(c *Config) { c.Identifiers = map[string]string{"sub": "cn"} },
		"codes in the clear":          func(c *Config) { c.Code = "sealedCode" },
		"a key for nothing":           func(c *Config) { c.Seal = newSeal(t) },
		"in the clear, and elsewhere": func(c *Config) { c.Directory.Servers = []string{"ldap://ldap.example.org"} },
		"nobody to bind as":           func(c *Config) { c.Directory.BindDN = "" },
	} {
		c := right
		change(&c)
		if _, err := Open(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzID(f *testing.F) {
	f.Add("objectGUID", guidOctets)
	f.Add("entryUUID", guid)
	f.Add("uid", "0x00")
	f.Fuzz(func(t *testing.T, attribute, value string) {
		text := textOfID(attribute, value)
		back, binary := binaryID(attribute, text)
		if !binary {
			back = text
		}
		if back != value {
			t.Errorf("%q: %q, %q", value, text, back)
		}
		if octets, binary := binaryID(attribute, value); binary && octets != "" && textOfID(attribute, octets) != value {
			t.Errorf("%q has two spellings", value)
		}
	})
}

package ldapsource

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/attrs/remote"
)

var all = []*attrs.Definition{doctor, nihii11, surname, nurse, mandatary, midwife, dentist}

// TestResolve: every rule of mapping, against a real directory, over each kind of connection.
func TestResolve(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, "")
	for name, change := range map[string]func(*Config){
		"ldaps":    func(c *Config) { c.Servers = []string{"ldaps://" + d.Secured} },
		"StartTLS": func(c *Config) { c.Servers, c.StartTLS = []string{"ldap://" + d.Plain}, true },
		"loopback": func(c *Config) { c.Servers, c.TLS = []string{"ldap://" + d.Plain}, remote.TLS{} },
		"SASL EXTERNAL": func(c *Config) {
			c.Servers, c.BindDN, c.PasswordFile, c.External = []string{"ldaps://" + d.Secured}, "", "", true
			c.TLS.CertificateFile, c.TLS.KeyFile = d.PKI.File("client.pem"), d.PKI.File("client.key")
		},
		"SASL EXTERNAL after StartTLS": func(c *Config) {
			c.Servers, c.StartTLS, c.BindDN, c.PasswordFile, c.External = []string{"ldap://" + d.Plain}, true, "", "", true
			c.TLS.CertificateFile, c.TLS.KeyFile = d.PKI.File("client.pem"), d.PKI.File("client.key")
		},
		"a server name": func(c *Config) { c.Servers, c.TLS.ServerName = []string{"ldaps://" + d.Secured}, "localhost" },
	} {
		t.Run(name, func(t *testing.T) {
			c := d.config()
			change(&c)
			s := open(t, c)
			for _, tt := range []struct{ ssin, want string }{
				{alice, "true 71000040001 Example true true true true"},
				{bob, "false  Example false false false false"},
				{nobody, "false   false false false false"},
			} {
				answers, err := s.Resolve(t.Context(), query(tt.ssin, all...), nil)
				if err != nil || told(answers) != tt.want {
					t.Errorf("%q, %v, want %q", told(answers), err, tt.want)
				}
				for i := range answers {
					if err := answers[i].Check(time.Now()); err != nil || answers[i].Source != "directory" {
						t.Errorf("%s: %v, of %q", answers[i].Definition.Name, err, answers[i].Source)
					}
				}
			}
			if err := s.Health(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestValidity: an answer ends with the attributes of the directory that say so, and never later than the time to live.
func TestValidity(t *testing.T) {
	d := startDirectory(t, "")
	c := d.config("ldap://" + d.Plain)
	c.Now = testNow
	for name, tt := range map[string]struct {
		ttl  time.Duration
		at   time.Time
		want string
		ends time.Time
	}{
		"by the directory":    {1000 * time.Hour, testNow(), "true 71000040001", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		"by the time to live": {time.Hour, testNow(), "true 71000040001", testNow().Add(time.Hour)},
		"before it begins":    {10000 * time.Hour, time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC), "false ", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		"after it has ended":  {10000 * time.Hour, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), "false ", testNow().Add(10000 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			c.TTL = tt.ttl
			s := open(t, c)
			q := query(alice, doctor, nihii11)
			q.At = tt.at
			answers, err := s.Resolve(t.Context(), q, nil)
			if err != nil || told(answers) != tt.want {
				t.Fatalf("%q, %v", told(answers), err)
			}
			for i := range answers {
				if !answers[i].NotOnOrAfter.Equal(tt.ends) || !answers[i].RetrievedAt.Equal(testNow()) {
					t.Errorf("ends %v, retrieved %v", answers[i].NotOnOrAfter, answers[i].RetrievedAt)
				}
			}
		})
	}
}

// TestRefusals: what a directory may be or say that is no answer. Each is an error of the source and denies nothing.
func TestRefusals(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, referral)
	away := freeAddress(t)
	for name, tt := range map[string]struct {
		ssin   string
		change func(*Config)
		ask    []*attrs.Definition
		reason attrs.Reason
		why    string
	}{
		"another CA": {alice, func(c *Config) {
			c.Servers, c.TLS.CAFile = []string{"ldaps://" + d.Secured}, d.PKI.File("other-ca.pem")
		}, all, attrs.SourceUnavailable, "unknown authority"},
		"another CA after StartTLS": {alice, func(c *Config) { c.StartTLS, c.TLS.CAFile = true, d.PKI.File("other-ca.pem") }, all, attrs.SourceUnavailable, "unknown authority"},
		"another name": {alice, func(c *Config) {
			c.Servers, c.TLS.ServerName = []string{"ldaps://" + d.Secured}, "directory.example"
		}, all, attrs.SourceUnavailable, "directory.example"},
		"TLS to a plain port":   {alice, func(c *Config) { c.Servers, c.Timeout = []string{"ldaps://" + d.Plain}, 500*time.Millisecond }, all, 0, "connecting"},
		"a wrong password":      {alice, func(c *Config) { c.PasswordFile = d.PKI.File("wrong-password") }, all, attrs.SourceUnavailable, "Invalid Credentials"},
		"nobody to bind as":     {alice, func(c *Config) { c.BindDN = "cn=none," + suffix }, all, attrs.SourceUnavailable, "Invalid Credentials"},
		"a base that is not":    {alice, func(c *Config) { c.BaseDN = "ou=none," + suffix }, all, attrs.SourceUnavailable, "No Such Object"},
		"a base not to be seen": {alice, func(c *Config) { c.BaseDN = "ou=hidden," + suffix }, all, attrs.SourceUnavailable, "No Such Object"},
		"a reference below the base": {alice, func(c *Config) { c.BaseDN = suffix }, []*attrs.Definition{doctor},
			attrs.BadAnswer, "referral"},
		"a base that is elsewhere": {alice, func(c *Config) { c.BaseDN = "ou=elsewhere," + suffix }, all, attrs.BadAnswer, "referral"},
		"several entries":          {twice, nil, []*attrs.Definition{doctor}, attrs.BadAnswer, "more than one entry"},
		"the number with a blank":  {alice + " ", nil, []*attrs.Definition{doctor}, attrs.BadAnswer, "does not have the number"},
		"a value in no list":       {odd, nil, []*attrs.Definition{mandatary}, attrs.BadAnswer, "neither true nor false"},
		"a wrong check digit":      {odd, nil, []*attrs.Definition{nihii11}, attrs.BadAnswer, "not one of its kind"},
		"one bad among good":       {odd, nil, all, attrs.BadAnswer, ""},
		"a group that is hidden": {alice, func(c *Config) { c.Mappings[6].Group = "cn=secret,ou=hidden," + suffix }, []*attrs.Definition{dentist},
			attrs.SourceUnavailable, "No Such Object"},
		"no boolean":                 {alice, func(c *Config) { c.Mappings[0].Attribute = "sn" }, []*attrs.Definition{doctor}, attrs.BadAnswer, "TRUE and FALSE"},
		"no time":                    {alice, func(c *Config) { c.Mappings[0].NotOnOrAfter = "sn" }, []*attrs.Definition{doctor}, attrs.BadAnswer, "GeneralizedTime"},
		"groups that are none":       {alice, func(c *Config) { c.Mappings[5].Attribute = "sn" }, []*attrs.Definition{midwife}, attrs.BadAnswer, "no DN"},
		"by another name":            {alice, func(c *Config) { c.Mappings[2].Attribute = "surname" }, []*attrs.Definition{surname}, attrs.BadAnswer, "name"},
		"an attribute not mapped":    {alice, func(c *Config) { c.Mappings = c.Mappings[:1] }, []*attrs.Definition{surname}, attrs.NoSource, ""},
		"a server that is not there": {alice, func(c *Config) { c.Servers = []string{"ldap://" + away} }, all, attrs.SourceUnavailable, "refused"},
		"more than the limit":        {alice, func(c *Config) { c.MaxBytes = 100 }, all, attrs.SourceUnavailable, "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			c := d.config("ldap://" + d.Plain)
			c.Mappings = slices.Clone(c.Mappings)
			if tt.change != nil {
				tt.change(&c)
			}
			s := open(t, c)
			dst := []attrs.Certified{{Source: "before"}}
			answers, err := s.Resolve(t.Context(), query(tt.ssin, tt.ask...), dst)
			if err == nil || len(answers) != 1 || answers[0].Source != "before" {
				t.Fatalf("%q, %v", told(answers), err)
			}
			if tt.reason != 0 && attrs.ReasonOf(err) != tt.reason || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v, want %v and %q", err, tt.reason, tt.why)
			}
			var e *attrs.Error
			if !errors.As(err, &e) || e.Source != "directory" {
				t.Errorf("%v does not name the source", err)
			}
			discreet(t, err)
		})
	}
}

// discreet demands that an error holds no number and no name of a person, and no secret.
func discreet(t *testing.T, err error) {
	t.Helper()
	for _, personal := range []string{alice, bob, twice, odd, nobody, "cn=alice", "cn=odd", "Example", "71000041001", password} {
		if strings.Contains(err.Error(), personal) {
			t.Errorf("%q in %v", personal, err)
		}
	}
}

// TestPasswordChanges: the password is read again for each new connection.
func TestPasswordChanges(t *testing.T) {
	d := startDirectory(t, "")
	c := d.config("ldap://" + d.Plain)
	c.PasswordFile = d.PKI.File("changing")
	d.PKI.Write(t, "changing", "old")
	s := open(t, c)
	if _, err := s.Resolve(t.Context(), query(alice, doctor), nil); attrs.ReasonOf(err) != attrs.SourceUnavailable || !errors.Is(err, attrs.ErrNotAgain) {
		t.Fatalf("rejected credentials may be tried again: %v", err)
	}
	d.PKI.Write(t, "changing", password+"\n")
	if answers, err := s.Resolve(t.Context(), query(alice, doctor), nil); err != nil || told(answers) != "true" {
		t.Errorf("%q, %v", told(answers), err)
	}
}

// TestClosed: a closed source refuses, and is closed as often as one likes.
func TestClosed(t *testing.T) {
	noLeak(t)
	d := startDirectory(t, "")
	s := open(t, d.config("ldaps://"+d.Secured))
	if _, err := s.Resolve(t.Context(), query(alice, doctor), nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	if _, err := s.Resolve(t.Context(), query(alice, doctor), nil); attrs.ReasonOf(err) != attrs.SourceUnavailable || !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
	if err := s.Health(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
}

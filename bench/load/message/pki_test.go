package message

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
)

// TestPersons: all numbers have right check digits, nobody was born at that date, and no two
// are one.
func TestPersons(t *testing.T) {
	seen := map[string]bool{}
	for i := range persons {
		p := personAt(i)
		if !attrs.ValidSSIN(p.SSIN) || !strings.HasPrefix(p.SSIN, "000000") || !attrs.ValidNIHII11(p.NIHII11) {
			t.Errorf("%d: %+v", i, p)
		}
		if seen[p.SSIN] || seen[p.NIHII11] {
			t.Errorf("%d: a number twice: %+v", i, p)
		}
		seen[p.SSIN], seen[p.NIHII11] = true, true
	}
	if personAt(persons) != personAt(0) {
		t.Error("after the last comes another than the first")
	}
}

// TestPKIAgain: what is loaded is what was made, down to the authorities, whose certificates are
// made again.
func TestPKIAgain(t *testing.T) {
	made := testPKI(t)
	loaded, err := LoadPKI(made.Dir())
	fatal(t, err)
	if made.Fingerprint() != loaded.Fingerprint() || len(made.Fingerprint()) != 64 || loaded.Consumers() != 13 || len(loaded.Profiles()) != len(profiles()) {
		t.Errorf("%s %s, %d consumers", made.Fingerprint(), loaded.Fingerprint(), loaded.Consumers())
	}
	ders, err := certs.ReadCertificates(filepath.Join(made.Dir(), folderPKI, "citizen-ca.pem"))
	fatal(t, err)
	if string(ders[0]) != string(loaded.citizens.DER()) {
		t.Error("the authority is not the one in the folder")
	}
	number := 0
	for i, p := range loaded.Profiles() {
		for range p.Consumers {
			if loaded.consumers[number].profile != i {
				t.Errorf("consumer %d has another profile than %d", number, i)
			}
			number++
		}
	}
	if made.Wire().Issuer != DefaultWire().Issuer {
		t.Error("another wire")
	}
}

// TestCertificates: keys are of the kinds that the profiles say, certificates are all
// different, and cold ones lead to the authorities in the folder and are new each time.
func TestCertificates(t *testing.T) {
	p := testPKI(t)
	pool := func(names ...string) *x509.CertPool {
		pool := x509.NewCertPool()
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(p.Dir(), folderPKI, name+".pem"))
			fatal(t, err)
			pool.AppendCertsFromPEM(text)
		}
		return pool
	}
	options := x509.VerifyOptions{Roots: pool("citizen-root", "ehealth-root"), Intermediates: pool("citizen-ca", "ehealth-ca"),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	seen := map[string]bool{}
	check := func(c *certs.Certificate, key KeyType) {
		t.Helper()
		parsed, err := x509.ParseCertificate(c.Raw())
		fatal(t, err)
		if _, err := parsed.Verify(options); err != nil {
			t.Error(err)
		}
		if keyType(parsed) != key {
			t.Errorf("a key %s instead of %s", keyType(parsed), key)
		}
		if seen[string(c.Raw())] || seen[parsed.Subject.String()] || seen[parsed.SerialNumber.String()] {
			t.Error("a certificate, subject or number twice")
		}
		seen[string(c.Raw())], seen[parsed.Subject.String()], seen[parsed.SerialNumber.String()] = true, true, true
	}
	for _, base := range p.consumers {
		profile := p.Profiles()[base.profile]
		all := []*consumer{base}
		for range 2 {
			cold, err := p.cold(base)
			fatal(t, err)
			all = append(all, cold)
		}
		for _, c := range all {
			check(c.identity, profile.Identity)
			if profile.Holder != "" {
				check(c.holder, profile.Holder)
			} else if c.holder != c.identity {
				t.Error("a holder beside the identity")
			}
			if signs := profile.Holder != "" || profile.AlwaysSignInner; (c.inner != nil) != signs {
				t.Errorf("profile %+v signs inside: %t", profile, c.inner != nil)
			}
		}
	}
}

func keyType(c *x509.Certificate) KeyType {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return KeyType(fmt.Sprintf("RSA-%d", key.N.BitLen()))
	case *ecdsa.PublicKey:
		return KeyType(key.Curve.Params().Name)
	}
	return ""
}

// TestKeys: a bounded number of keys is shared evenly, and identity and holder share none;
// without a bound every certificate has its own.
func TestKeys(t *testing.T) {
	for keys, want := range map[int]int{0: 10, 2: 4} {
		done := 0
		p, err := NewPKI(t.Context(), filepath.Join(t.TempDir(), "new"), PKIConfig{Keys: keys, Progress: func(now, total int) {
			if now != done+1 || total != 9+want+5 { // 9 keys of servers and authorities
				t.Errorf("%d of %d after %d", now, total, done)
			}
			done = now
		}, Profiles: []Profile{{Identity: P256, Holder: P256, Weight: 1, Consumers: 5}}})
		fatal(t, err)
		found := map[string]int{}
		for _, c := range p.consumers {
			found[string(c.identity.RawPublicKey())]++
			found[string(c.holder.RawPublicKey())] += 100
		}
		if len(found) != want {
			t.Errorf("%d different keys instead of %d", len(found), want)
		}
		for _, uses := range found {
			if uses > 3 && uses%100 != 0 {
				t.Error("a key of identity and holder")
			}
		}
		if done != 9+want+5 {
			t.Errorf("%d done", done)
		}
		if people := rows(t, p); len(people) != 1+5*2 {
			t.Errorf("%d rows", len(people))
		}
	}
}

// TestPKIRefused: what makes no PKI is said, and nothing is overwritten.
func TestPKIRefused(t *testing.T) {
	one := Profile{Identity: P256, Weight: 1, Consumers: 1}
	alter := func(change func(*Profile)) []Profile { p := one; change(&p); return []Profile{p} }
	noUnknown := DefaultWire()
	noUnknown.Unknown = noUnknown.Identification[0]
	for name, test := range map[string]struct {
		config PKIConfig
		want   string
	}{
		"no profile":      {PKIConfig{}, "no weight"},
		"no identity":     {PKIConfig{Profiles: alter(func(p *Profile) { p.Identity = "" })}, `no key type ""`},
		"unknown holder":  {PKIConfig{Profiles: alter(func(p *Profile) { p.Holder = "RSA-1024" })}, `no key type "RSA-1024"`},
		"no consumers":    {PKIConfig{Profiles: alter(func(p *Profile) { p.Consumers = 0 })}, "consumers"},
		"too many":        {PKIConfig{Profiles: alter(func(p *Profile) { p.Consumers = maxConsumers + 1 })}, "consumers"},
		"negative weight": {PKIConfig{Profiles: alter(func(p *Profile) { p.Weight = -1 })}, "weight -1"},
		"no weight":       {PKIConfig{Profiles: alter(func(p *Profile) { p.Weight = 0 })}, "no weight"},
		"negative keys":   {PKIConfig{Profiles: []Profile{one}, Keys: -1}, "keys"},
		"no host":         {PKIConfig{Profiles: []Profile{one}, Hosts: []string{}}, "no host"},
		"ends at once":    {PKIConfig{Profiles: []Profile{one}, From: time.Now(), Until: time.Now().Add(-time.Hour)}, "ends before"},
		"known unknown":   {PKIConfig{Profiles: []Profile{one}, Wire: &noUnknown}, "twice"},
		"empty wire":      {PKIConfig{Profiles: []Profile{one}, Wire: &Wire{}}, "no identification"},
	} {
		if p, err := NewPKI(t.Context(), t.TempDir(), test.config); err == nil || p != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewPKI(t.Context(), testPKI(t).Dir(), PKIConfig{Profiles: []Profile{one}}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Error(err)
	}
}

// TestLoadRefused: a folder that holds no PKI, or another than it says, is refused.
func TestLoadRefused(t *testing.T) {
	original, err := os.ReadFile(filepath.Join(testPKI(t).Dir(), fileKept))
	fatal(t, err)
	for name, test := range map[string]struct{ old, new, want string }{
		"version":   {`"version":1`, `"version":2`, "version 2"},
		"cut":       {`}]}`, `}]`, "unexpected end"},
		"consumers": {`"consumers":3`, `"consumers":4`, "not those of the profiles"},
		"fewer":     {`"weight":1,"consumers":1}]`, `"weight":1,"consumers":1},{"identity":"P-256","weight":1,"consumers":1}]`, "not those of the profiles"},
		"key":       {`"identity_key":0`, `"identity_key":99`, "key that is not there"},
		"negative":  {`"holder_key":1`, `"holder_key":-1`, "key that is not there"},
		"authority": {`"authorities":["`, `"authorities":["AAAA","`, "key 1"},
		"wire":      {`"issuer":"urn`, `"issuer":"","was":"urn`, "no issuer"},
	} {
		dir := t.TempDir()
		altered := strings.Replace(string(original), test.old, test.new, 1)
		if altered == string(original) {
			t.Errorf("%s: nothing was altered", name)
		}
		fatal(t, os.WriteFile(filepath.Join(dir, fileKept), []byte(altered), 0o600))
		if _, err := LoadPKI(dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var k kept
	fatal(t, json.Unmarshal(original, &k))
	k.Consumers = append(k.Consumers, k.Consumers[len(k.Consumers)-1])
	more, err := json.Marshal(&k)
	fatal(t, err)
	dir := t.TempDir()
	fatal(t, os.WriteFile(filepath.Join(dir, fileKept), more, 0o600))
	if _, err := LoadPKI(dir); err == nil || !strings.Contains(err.Error(), "more consumers") {
		t.Error(err)
	}
	if _, err := LoadPKI(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestParallel: everything is done once, and after an error nothing new is begun.
func TestParallel(t *testing.T) {
	var done [100]atomic.Int64
	fatal(t, parallel(t.Context(), len(done), nil, func(i int) error { done[i].Add(1); return nil }))
	for i := range done {
		if n := done[i].Load(); n != 1 {
			t.Errorf("%d: %d times", i, n)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := parallel(ended, 1000, nil, func(int) error { t.Error("begun after the end"); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var begun atomic.Int64
	refused := errors.New("refused")
	if err := parallel(t.Context(), 1000, nil, func(int) error { begun.Add(1); return refused }); err != refused || int(begun.Load()) > runtime.GOMAXPROCS(0) {
		t.Errorf("%v after %d", err, begun.Load())
	}
}

package certs_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// signingCertificate issues a certificate of the signer that is valid from the rig's now
// on for some days.
func signingCertificate(t testing.TB, number, days int) *certs.Certificate {
	t.Helper()
	pki := testpki.Load()
	template := minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: fmt.Sprintf("STS %d", number)})
	template.NotBefore, template.NotAfter = testpki.Now(), testpki.Now().AddDate(0, 0, days)
	c, err := certs.ParseCertificate(pki.Issue(pki.EHealthCA, template, pki.STSP256.Key).DER)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const day = 24 * time.Hour

func TestKeySetRefuses(t *testing.T) {
	now := testpki.Now()
	a, b := signingCertificate(t, 1, 365), signingCertificate(t, 2, 365)
	first := certs.ScheduledKey{ID: "a", Certificate: a, Published: now, Activate: now}
	next := certs.ScheduledKey{ID: "b", Certificate: b, Published: now, Activate: now.Add(7 * day)}
	with := func(k certs.ScheduledKey, change func(*certs.ScheduledKey)) certs.ScheduledKey {
		change(&k)
		return k
	}
	tests := []struct {
		name   string
		keys   []certs.ScheduledKey
		reason certs.Reason
	}{
		{"two keys, a week ahead", []certs.ScheduledKey{first, next}, 0},
		{"in any order", []certs.ScheduledKey{next, first}, 0},
		{"one that waits", []certs.ScheduledKey{first, with(next, func(k *certs.ScheduledKey) { k.Activate = time.Time{} })}, 0},
		{"published too late: relying parties would refuse every assertion", []certs.ScheduledKey{first, with(next, func(k *certs.ScheduledKey) { k.Published = now.Add(time.Second) })}, certs.Malformed},
		{"the same, forced", []certs.ScheduledKey{first, with(next, func(k *certs.ScheduledKey) { k.Published, k.Forced = now.Add(time.Second), true })}, 0},
		{"two begin at one moment: two currents", []certs.ScheduledKey{first, with(next, func(k *certs.ScheduledKey) { k.Activate, k.Forced = now, true })}, certs.Malformed},
		{"not valid when it begins", []certs.ScheduledKey{with(first, func(k *certs.ScheduledKey) { k.Activate = now.Add(-time.Second) })}, certs.NotYetValid},
		{"ended when it begins", []certs.ScheduledKey{first, with(next, func(k *certs.ScheduledKey) { k.Activate = now.Add(366 * day) })}, certs.Expired},
		{"no name", []certs.ScheduledKey{with(first, func(k *certs.ScheduledKey) { k.ID = "" })}, certs.Malformed},
		{"a name twice", []certs.ScheduledKey{first, with(next, func(k *certs.ScheduledKey) { k.ID = "a" })}, certs.Malformed},
		{"no certificate", []certs.ScheduledKey{with(first, func(k *certs.ScheduledKey) { k.Certificate = nil })}, certs.Malformed},
		{"a certificate twice", []certs.ScheduledKey{first, with(next, func(k *certs.ScheduledKey) { k.Certificate = a })}, certs.Malformed},
		{"never published", []certs.ScheduledKey{with(first, func(k *certs.ScheduledKey) { k.Published = time.Time{} })}, certs.Malformed},
		{"withdrawn while it signs", []certs.ScheduledKey{with(first, func(k *certs.ScheduledKey) { k.Withdrawn = now.Add(day) }), next}, certs.Malformed},
		{"withdrawn with none after it", []certs.ScheduledKey{with(first, func(k *certs.ScheduledKey) { k.Withdrawn = now.Add(day) })}, certs.Malformed},
		{"withdrawn after it", []certs.ScheduledKey{with(first, func(k *certs.ScheduledKey) { k.Withdrawn = now.Add(7 * day) }), next}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := certs.NewKeySet(certs.KeySetConfig{Keys: tt.keys, PublishAhead: 7 * day, PublishAfter: 31 * day})
			if certs.ReasonOf(err) != tt.reason || (s == nil) != (err != nil) {
				t.Errorf("%v, want %v", err, tt.reason)
			}
		})
	}
	if _, err := certs.NewKeySet(certs.KeySetConfig{PublishAhead: -1}); certs.ReasonOf(err) != certs.Malformed {
		t.Errorf("a negative time: %v", err)
	}
}

// TestKeySetLife follows three keys through their life.
func TestKeySetLife(t *testing.T) {
	now := testpki.Now()
	s, err := certs.NewKeySet(certs.KeySetConfig{PublishAhead: 7 * day, PublishAfter: 2 * day, Keys: []certs.ScheduledKey{
		{ID: "new", Certificate: signingCertificate(t, 3, 365), Published: now},
		{ID: "b", Certificate: signingCertificate(t, 2, 365), Published: now, Activate: now.Add(10 * day)},
		{ID: "a", Certificate: signingCertificate(t, 1, 365), Published: now, Activate: now},
	}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		at        time.Duration
		states    string // new, b, a
		published string
		change    time.Duration // when the next change is; zero is never
	}{
		{-time.Second, "next next next", "a b new", 0},
		{0, "next next current", "a b new", 10 * day},
		{10*day - 1, "next next current", "a b new", 10 * day},
		{10 * day, "next current retired", "b new a", 12 * day},
		{12*day - 1, "next current retired", "b new a", 12 * day},
		{12 * day, "next current gone", "b new", 0},
		{900 * day, "next current gone", "b new", 0}, // long expired, and no other takes its place by itself
	}
	for _, tt := range tests {
		at := now.Add(tt.at)
		var states, published []string
		for i := range s.Keys() {
			states = append(states, s.State(i, at).String())
		}
		for _, k := range s.Published(at) {
			published = append(published, k.ID)
		}
		if got := strings.Join(states, " "); got != tt.states {
			t.Errorf("%v: %s, want %s", tt.at, got, tt.states)
		}
		if got := strings.Join(published, " "); got != tt.published {
			t.Errorf("%v: published %s, want %s", tt.at, got, tt.published)
		}
		if next := s.NextChange(at); tt.at >= 0 && (tt.change == 0) != next.IsZero() || tt.change > 0 && !next.Equal(now.Add(tt.change)) {
			t.Errorf("%v: next change %v", tt.at, next)
		}
	}
	if _, err := s.Current(now.Add(-1)); certs.ReasonOf(err) != certs.NotYetValid {
		t.Errorf("before the first: %v", err)
	}
}

// TestKeySetOneCurrent: whatever the schedule, at every moment from the first activation
// on exactly one key is current, it is among the published, and between two changes that
// NextChange tells nothing changes.
func TestKeySetOneCurrent(t *testing.T) {
	now := testpki.Now()
	var certificates []*certs.Certificate
	for n := range 6 {
		certificates = append(certificates, signingCertificate(t, n, 400))
	}
	rapid.Check(t, func(r *rapid.T) {
		c := certs.KeySetConfig{PublishAfter: time.Duration(rapid.Int64Range(0, int64(40*day)).Draw(r, "after"))}
		n := rapid.IntRange(1, len(certificates)).Draw(r, "keys")
		for i := range n {
			at := now.Add(time.Duration(rapid.IntRange(0, 300).Draw(r, "hour")) * time.Hour)
			c.Keys = append(c.Keys, certs.ScheduledKey{ID: fmt.Sprint(i), Certificate: certificates[i], Published: now, Activate: at})
		}
		s, err := certs.NewKeySet(c)
		if err != nil {
			return // two at one hour
		}
		first := slices.MinFunc(c.Keys, func(a, b certs.ScheduledKey) int { return a.Activate.Compare(b.Activate) }).Activate
		at := now.Add(time.Duration(rapid.Int64Range(0, int64(350*time.Hour)).Draw(r, "at")))
		states := func(at time.Time) (list []certs.KeyState) {
			for i := range s.Keys() {
				list = append(list, s.State(i, at))
			}
			return list
		}
		currents := 0
		for _, state := range states(at) {
			if state == certs.KeyCurrent {
				currents++
			}
		}
		k, err := s.Current(at)
		if want := !at.Before(first); want != (currents == 1) || want != (err == nil) || want != slices.Contains(s.Published(at), k) && want {
			r.Fatalf("%d current at %v, first begins %v: %v", currents, at, first, err)
		}
		if next := s.NextChange(at); !next.IsZero() {
			if slices.Equal(states(at), states(next)) || !slices.Equal(states(at), states(next.Add(-1))) {
				r.Fatalf("%v at %v, %v at %v", states(at), at, states(next), next)
			}
		}
	})
}

// TestMayIssue: certificates that are not for assertions are refused for them.
func TestMayIssue(t *testing.T) {
	pki := testpki.Load()
	issue := func(change func(*minipki.Template)) testpki.Leaf {
		template := minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "STS"})
		change(&template)
		return pki.Issue(pki.EHealthCA, template, pki.STSP256.Key)
	}
	tests := []struct {
		name   string
		change func(*minipki.Template)
		reason certs.Reason
	}{
		{"as the platform's", func(*minipki.Template) {}, 0},
		{"no extended key usage", func(t *minipki.Template) { t.ExtKeyUsage = nil }, 0},
		{"document signing", func(t *minipki.Template) { t.ExtKeyUsage = []string{"1.3.6.1.5.5.7.3.36"} }, 0},
		{"a CA: its key makes certificates", func(t *minipki.Template) { t.IsCA, t.PathLength = true, -1 }, certs.WrongUsage},
		{"key encipherment only", func(t *minipki.Template) { t.KeyUsage = x509.KeyUsageKeyEncipherment }, certs.WrongUsage},
		{"a TLS server only", func(t *minipki.Template) { t.ExtKeyUsage = []string{minipki.ServerAuth} }, certs.WrongUsage},
		{"code signing only", func(t *minipki.Template) { t.ExtKeyUsage = []string{minipki.CodeSigning} }, certs.WrongUsage},
		{"a purpose that nobody knows", func(t *minipki.Template) { t.ExtKeyUsage = []string{"1.2.3.4"} }, certs.WrongUsage},
		{"signed with SHA-1: another certificate of the same digest can be made", func(t *minipki.Template) { t.SignatureAlgorithm = x509.SHA1WithRSA }, certs.WeakSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf := issue(tt.change)
			s, err := certs.NewSigner(leaf.Key, [][]byte{leaf.DER}, testpki.Now())
			if err == nil {
				err = s.MayIssue()
			}
			if certs.ReasonOf(err) != tt.reason {
				t.Errorf("%v, want %v", err, tt.reason)
			}
		})
	}
}

// TestSignerAway: a key that fails is unavailable, and the error says why.
func TestSignerAway(t *testing.T) {
	pki := testpki.Load()
	key := &leavingKey{Signer: pki.STS.Key}
	s, err := certs.NewSigner(key, [][]byte{pki.STS.DER}, testpki.Now())
	if err != nil {
		t.Fatal(err)
	}
	key.gone = errors.New("the token is away")
	if signature, err := s.Sign(nil, make([]byte, 32), nil); certs.ReasonOf(err) != certs.Unavailable || !errors.Is(err, key.gone) || signature != nil {
		t.Errorf("%v", err)
	}
	if _, err := certs.NewSigner(key, [][]byte{pki.STS.DER}, testpki.Now()); certs.ReasonOf(err) != certs.Unavailable {
		t.Errorf("at start: %v", err)
	}
}

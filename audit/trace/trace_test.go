package trace_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/audit"
	"sceau/audit/trace"
)

var start = time.Date(2026, 8, 1, 8, 0, 0, 0, time.UTC)

func key(t testing.TB) audit.Key {
	t.Helper()
	k, err := audit.NewKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func id(n int) audit.ID { return audit.ID{1, 15: byte(n)} }

func sub(name string) audit.Identifier { return audit.Identifier{Type: audit.SubjectType, Value: name} }

// story is a day of an establishment: Dupont fails once with her password, succeeds with her card, is identified to the
// national service and, out of the same session, to a file application; the latter's token is exchanged for an assertion
// and that for another token. Durand is identified beside her, and Personne fails.
func story() []*audit.Event {
	const card = "carte"
	issued := func(kind, name string) audit.Token {
		return audit.Token{Use: audit.Issued, Kind: kind, ID: name, Expires: start.Add(time.Hour)}
	}
	dupont := audit.Sealed{Source: netip.MustParseAddr("192.0.2.17"), Account: "account-dupont"}
	events := []*audit.Event{
		{Operation: audit.OperationAuthentication, Outcome: audit.Refused, Client: "psc", Attempt: "attempt-1", Means: "password", Cause: "not proven", Sealed: audit.Sealed{Source: dupont.Source}},
		{Operation: audit.OperationAuthentication, Outcome: audit.Success, Client: "psc", Attempt: "attempt-1", Session: "s1", Means: card, Methods: []string{"sc", "pin", "mfa"},
			ACR: "eidas2", AuthTime: start.Add(time.Minute), Subject: sub("dupont"), Identity: audit.Party{Kind: card, Identifier: audit.Identifier{Type: "rpps", Value: "10001234567"}, Fingerprint: [32]byte{9}}, Sealed: dupont},
		{Operation: audit.OperationConsent, Outcome: audit.Success, Client: "psc", Attempt: "attempt-1", Session: "s1"},
		{Operation: audit.OperationAuthorization, Outcome: audit.Success, Client: "psc", Attempt: "attempt-1", Session: "s1", Authentication: id(2), Grant: "g1", Scope: "openid", Subject: sub("dupont"),
			Tokens: []audit.Token{{Use: audit.Issued, Kind: "code", Value: "code-1"}}, Sealed: dupont},
		{Operation: audit.OperationToken, Outcome: audit.Success, Client: "psc", Grant: "g1", Authentication: id(2), Subject: sub("dupont"),
			Tokens:     []audit.Token{{Use: audit.Presented, Kind: "code", Value: "code-1"}, issued("access_token", "jti-1"), issued("id_token", "idt-1")},
			Attributes: []audit.Attribute{{Name: "given_name", Disposition: audit.Released}, {Name: "email", Disposition: audit.Omitted}}},
		{Operation: audit.OperationUserinfo, Outcome: audit.Success, Client: "psc", Tokens: []audit.Token{{Use: audit.Presented, Kind: "access_token", ID: "jti-1"}}},
		// Out of the same session, another client.
		{Operation: audit.OperationAuthorization, Outcome: audit.Success, Client: "files", Attempt: "attempt-2", Session: "s1", Authentication: id(2), Grant: "g2", Subject: sub("dupont"),
			Tokens: []audit.Token{{Use: audit.Issued, Kind: "code", Value: "code-2"}}},
		{Operation: audit.OperationToken, Outcome: audit.Success, Client: "files", Grant: "g2", Tokens: []audit.Token{{Use: audit.Presented, Kind: "code", Value: "code-2"}, issued("access_token", "jti-2")}},
		{Operation: audit.OperationExchange, Outcome: audit.Success, Client: "bridge", Tokens: []audit.Token{{Use: audit.SubjectToken, Kind: "access_token", ID: "jti-2"}, issued("saml2", "_saml")}},
		{Operation: audit.OperationExchange, Outcome: audit.Success, Client: "bridge", Tokens: []audit.Token{{Use: audit.SubjectToken, Kind: "saml2", ID: "_saml"}, issued("access_token", "jti-3")}},
		// Another person, at the same time, in the same words where they do not count.
		{Operation: audit.OperationAuthentication, Outcome: audit.Success, Client: "psc", Attempt: "attempt-3", Session: "s2", Means: card, Methods: []string{"sc", "pin", "mfa"}, Subject: sub("durand"), Cause: "s1 g1 jti-1"},
		{Operation: audit.OperationAuthorization, Outcome: audit.Success, Client: "psc", Attempt: "attempt-3", Session: "s2", Authentication: id(11), Grant: "g3", Subject: sub("durand"),
			Tokens: []audit.Token{{Use: audit.Issued, Kind: "code", Value: "code-3"}}},
		{Operation: audit.OperationToken, Outcome: audit.Refused, Code: "invalid_grant", Client: "psc", Grant: "g3", Tokens: []audit.Token{{Use: audit.Presented, Kind: "code", Value: "code-3"}}},
		{Operation: audit.OperationAuthentication, Outcome: audit.Refused, Client: "psc", Attempt: "attempt-4", Means: "password"},
		{Operation: audit.OperationLogout, Outcome: audit.Success, Client: "psc", Session: "s1", Tokens: []audit.Token{{Use: audit.Presented, Kind: "id_token", ID: "idt-1"}}},
		{Operation: audit.OperationSessionEnd, Outcome: audit.Success, Session: "s1", Tokens: []audit.Token{issued("logout_token", "lt-1")}},
	}
	for n, e := range events {
		e.ID, e.Time, e.Service, e.Establishment = id(n+1), start.Add(time.Duration(n)*time.Minute), audit.ServiceOIDC, "hopital"
	}
	return append(events,
		// An assertion of the SAML face, and what it was given for.
		&audit.Event{ID: id(17), Time: start.Add(17 * time.Minute), Service: "saml11", Operation: "attribute-query", Outcome: audit.Success, AssertionID: []byte("_old")},
		&audit.Event{ID: id(18), Time: start.Add(18 * time.Minute), Service: audit.ServiceOIDC, Operation: audit.OperationExchange, Outcome: audit.Success, Client: "bridge",
			Tokens: []audit.Token{{Use: audit.SubjectToken, Kind: "saml1", ID: "_old"}, issued("access_token", "jti-4")}})
}

func journal(t testing.TB, events []*audit.Event) string {
	t.Helper()
	dir := t.TempDir()
	j, err := audit.Open(audit.Config{Dir: dir, Key: key(t), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), MaxFileBytes: 4096,
		Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := j.Record(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shape writes identifications as the numbers of their events.
func shape(all []trace.Identification) string {
	var parts []string
	for _, one := range all {
		var numbers []string
		for _, e := range one.Entries {
			read, _ := audit.ParseID(e.ID)
			numbers = append(numbers, fmt.Sprint(read[15]))
		}
		parts = append(parts, strings.Join(numbers, " "))
	}
	return strings.Join(parts, " | ")
}

func TestFind(t *testing.T) {
	dir := journal(t, story())
	const first, second = "1 2 3 4 5 6 15 16", "1 2 3 7 8 9 10 15 16"
	for _, test := range []struct {
		name   string
		search trace.Search
		want   string
	}{
		{"by the id of a token", trace.Search{TokenID: "jti-1"}, first},
		{"by the ID token", trace.Search{TokenID: "idt-1"}, first},
		{"by the code", trace.Search{Token: "code-1"}, first},
		{"by the grant", trace.Search{Grant: "g1"}, first},
		{"by the end of an exchange", trace.Search{TokenID: "jti-3"}, second},
		{"by the assertion of an exchange", trace.Search{TokenID: "_saml"}, second},
		{"by the session: each client is one", trace.Search{Session: "s1"}, first + " | " + second},
		{"by the person", trace.Search{Pseudonym: key(t).Pseudonym(sub("dupont"))}, first + " | " + second},
		{"by the person in the words of the means", trace.Search{Pseudonym: key(t).Pseudonym(audit.Identifier{Type: "rpps", Value: "10001234567"})}, first + " | " + second},
		{"by the authentication", trace.Search{Authentication: id(2)}, first + " | " + second},
		{"a refused code", trace.Search{Session: "s2"}, "11 12 13"},
		{"a failed authentication", trace.Search{Authentication: id(14)}, "14"},
		{"to an assertion of the SAML face", trace.Search{TokenID: "jti-4"}, "17 18"},
		{"by the logout token", trace.Search{TokenID: "lt-1"}, first + " | " + second},
		{"nobody", trace.Search{Session: "s3"}, ""},
		{"in a time before", trace.Search{Session: "s1", Until: start}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := trace.Find(dir, test.search, func(err error) { t.Error(err) })
			if err != nil {
				t.Fatal(err)
			}
			if shape(got) != test.want {
				t.Errorf("got %q, want %q", shape(got), test.want)
			}
		})
	}
	if _, err := trace.Find(dir, trace.Search{}, nil); err == nil {
		t.Error("nothing was looked for, and found")
	}
}

func TestSummary(t *testing.T) {
	dir := journal(t, story())
	all, err := trace.Find(dir, trace.Search{TokenID: "jti-1"}, nil)
	if err != nil || len(all) != 1 {
		t.Fatal(shape(all), err)
	}
	s := all[0].Summary()
	if s.Client != "psc" || s.Establishment != "hopital" || !slices.Equal(s.Sessions, []string{"s1"}) || !slices.Equal(s.Grants, []string{"g1"}) ||
		s.Authentication != id(2).String() || s.Means != "carte" || !slices.Equal(s.Methods, []string{"sc", "pin", "mfa"}) || s.ACR != "eidas2" ||
		!s.AuthTime.Equal(start.Add(time.Minute)) || !strings.HasPrefix(s.Certificate, "09") || s.Subject != key(t).Pseudonym(sub("dupont")).String() ||
		!slices.Equal(s.Attributes, []string{"given_name"}) || s.Outcome != "success" || !s.Ended.Equal(start.Add(15*time.Minute)) || s.Scope != "openid" {
		t.Errorf("%+v", s)
	}
	refused, err := trace.Find(dir, trace.Search{Session: "s2"}, nil)
	if err != nil || len(refused) != 1 {
		t.Fatal(err)
	}
	if s := refused[0].Summary(); s.Outcome != "success" { // the code left, though it was not redeemed
		t.Errorf("%+v", s)
	}
	failed, err := trace.Find(dir, trace.Search{Authentication: id(14)}, nil)
	if err != nil || len(failed) != 1 {
		t.Fatal(err)
	}
	if s := failed[0].Summary(); s.Outcome != "refused" || s.Means != "" || s.Client != "psc" {
		t.Errorf("%+v", s)
	}
}

func TestReveal(t *testing.T) {
	all, err := trace.Find(journal(t, story()), trace.Search{TokenID: "jti-1"}, nil)
	if err != nil || len(all) != 1 {
		t.Fatal(err)
	}
	got, err := all[0].Reveal(key(t))
	if err != nil || len(got) != 3 || got[id(2).String()].Account != "account-dupont" || got[id(1).String()].Source.String() != "192.0.2.17" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := all[0].Reveal(audit.Key{}); err == nil || got != nil {
		t.Errorf("opened without a key: %v", got)
	}
}

// One unreadable record is told, once, and hides nothing.
func TestUnreadableIsTold(t *testing.T) {
	dir := journal(t, story())
	name := filepath.Join(dir, "journal-00000001.jsonl")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines[2] = []byte("{\"seq\":3, attempt s1 noise jti-1 g1\n")
	if err := os.WriteFile(name, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	told := 0
	all, err := trace.Find(dir, trace.Search{TokenID: "jti-1"}, func(error) { told++ })
	if err != nil || told != 1 || shape(all) != "2 3 4 5 6 15 16" {
		t.Errorf("told %d times: %q, %v", told, shape(all), err)
	}
	if _, err := trace.Find(filepath.Join(dir, "absent"), trace.Search{TokenID: "x"}, nil); err == nil {
		t.Error("no journal, and no error")
	}
}

// Whatever ids clients and tokens have, the join finds them: also those that JSON writes otherwise.
func TestStrangeIDsJoin(t *testing.T) {
	events := story()
	for _, e := range events {
		if e.Grant == "g1" {
			e.Grant = "g \"1\"\\ é\u202e"
		}
	}
	all, err := trace.Find(journal(t, events), trace.Search{TokenID: "idt-1"}, nil)
	if err != nil || shape(all) != "1 2 3 4 5 6 15 16" {
		t.Errorf("%q, %v", shape(all), err)
	}
}

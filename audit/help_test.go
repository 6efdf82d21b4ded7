package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

func testKey(t testing.TB) Key {
	t.Helper()
	key, err := NewKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func testConfig(t testing.TB, files FileSystem) Config {
	t.Helper()
	return Config{FileSystem: files, Key: testKey(t), Logger: quiet(), Now: func() time.Time { return start }}
}

func mustOpen(t testing.TB, c Config) *Journal {
	t.Helper()
	j, err := Open(c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return j
}

// numbered is the id of the n-th event of a test.
func numbered(n int) ID {
	var id ID
	copy(id[:], fmt.Sprintf("%16d", n))
	return id
}

func smallEvent(n int) *Event {
	return &Event{ID: numbered(n), Time: start.Add(time.Duration(n) * time.Second), Service: "saml11", Outcome: Refused, Code: "REQ-01"}
}

// fullEvent has every field, and the shape of a real success.
func fullEvent() *Event {
	return &Event{
		ID: numbered(1), Time: start.Add(123456 * time.Microsecond), Duration: 812 * time.Microsecond,
		Service: "saml11", Operation: "attribute-query", Outcome: Success, Code: "samlp:Success", Stage: "issue", Cause: "none", Remote: RemotePrivate,
		RequestID: []byte("_a1b2"), MessageDigest: sha256.Sum256([]byte("message")), Mode: "session",
		Identity: Party{Kind: "eid", Identifier: Identifier{"ssin", "00000000097"}, Fingerprint: sha256.Sum256([]byte("identity"))},
		Holder:   Party{Kind: "ehealth-organisation", Identifier: Identifier{"cbe", "0809394427"}, Fingerprint: sha256.Sum256([]byte("holder"))},
		Subject:  Identifier{"ssin", "00000000097"},
		Profiles: []string{"APP1", "APP2"},
		Attributes: []Attribute{
			{"urn:be:fgov:person:ssin", "urn:be:fgov:identification-namespace", Released, Affirmed, "doctors", "certificate", Live, time.Time{}},
			{"urn:be:fgov:person:ssin:doctor:boolean", "urn:be:fgov:certified-namespace:ehealth", Released, Denied, "doctors", "registry", Live, time.Time{}},
			{"urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11", "urn:be:fgov:certified-namespace:ehealth", Omitted, Unresolved, "no-nihii", "", Live, time.Time{}},
		},
		AssertionID: []byte("_cafe"), NotBefore: start.Add(-5 * time.Minute), NotOnOrAfter: start.Add(time.Hour),
	}
}

// loginEvent has every field that "oidc" has.
func loginEvent() *Event {
	return &Event{
		ID: numbered(7), Time: start, Duration: 3 * time.Millisecond, Service: ServiceOIDC, Operation: OperationToken, Outcome: Success, Remote: RemotePublic,
		Mode: "private_key_jwt", Client: "pro-sante-connect", Action: "authorization_code",
		Identity:      Party{Kind: "cps", Identifier: Identifier{"rpps", "10001234567"}, Fingerprint: sha256.Sum256([]byte("card"))},
		Holder:        Party{Kind: "tls", Fingerprint: sha256.Sum256([]byte("client"))},
		Subject:       Identifier{SubjectType, "f:hopital:0f8fad5b"},
		Attributes:    []Attribute{{Name: "given_name", Disposition: Released, State: Affirmed}},
		Establishment: "hopital", Attempt: "attempt-secret", Session: "sid-1", Authentication: numbered(6), Means: "carte", Methods: []string{"sc", "pin", "mfa", "hwk"},
		ACR: "eidas2", AuthTime: start.Add(-time.Minute), Credential: "credential-of-dupont", Grant: "grant-1", Scope: "openid scope_all patient/12345678901.read",
		Tokens: []Token{
			{Use: Presented, Kind: "code", Value: "code-secret"},
			{Use: Issued, Kind: "access_token", ID: "jti-1", Expires: start.Add(2 * time.Minute)},
			{Kind: "unused"},
			{Use: SubjectToken, Kind: "saml2", ID: "_a1", Issuer: "urn:other"},
		},
		Sealed: Sealed{Source: netip.MustParseAddr("2001:db8::17"), Account: "0f8fad5b-d9cb", Agent: "Mozilla/5.0 (Dupont)"},
	}
}

func record(t testing.TB, j *Journal, events ...*Event) {
	t.Helper()
	for _, e := range events {
		if err := j.Record(context.Background(), e); err != nil {
			t.Fatalf("Record: %v", err)
		}
	}
}

func mustVerify(t testing.TB, files FileSystem, anchors ...Anchor) Report {
	t.Helper()
	report, err := verify(files, anchors)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return report
}

func mustBeIntact(t testing.TB, files FileSystem, anchors ...Anchor) Report {
	t.Helper()
	report := mustVerify(t, files, anchors...)
	if !report.Intact() {
		t.Fatalf("not intact: %v", report.Findings)
	}
	return report
}

// entries lists all that a query finds; an unreadable line fails the test.
func entries(t testing.TB, files FileSystem, q Query) []*Entry {
	t.Helper()
	var all []*Entry
	for entry, err := range list(files, q) {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		all = append(all, entry)
	}
	return all
}

func hexOf(b [32]byte) string { return hex.EncodeToString(b[:]) }

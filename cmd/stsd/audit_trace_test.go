package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sceau/audit"
	"sceau/oidc/control"
)

// makeLogins is the script command "logins DIR": a journal of the OpenID Connect face with a file for each of three days of August
// 2026. On the first Dupont fails, succeeds and is identified to psc; on the second her token is exchanged; on the third Durand fails.
func makeLogins(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: logins DIR")
	}
	at := time.Date(2026, 8, 1, 8, 0, 0, 0, time.UTC)
	now := at
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	secret := bytes.Repeat([]byte{7}, 32)
	ts.Check(os.WriteFile(dir+"/pseudonym.key", []byte(hex.EncodeToString(secret)), 0o600))
	key, err := audit.NewKey(secret)
	ts.Check(err)
	journal, err := audit.Open(audit.Config{Dir: dir, Key: key, Now: func() time.Time { return now }, MaxFileAge: 24 * time.Hour, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ts.Check(err)
	dupont := audit.Identifier{Type: audit.SubjectType, Value: "f:hopital:dupont"}
	sealed := audit.Sealed{Source: netip.MustParseAddr("192.0.2.17"), Account: "account-dupont"}
	login := audit.ID{1, 15: 2}
	for n, e := range []audit.Event{{
		Operation: audit.OperationAuthentication, Outcome: audit.Refused, Client: "psc", Attempt: "attempt-1", Means: "password", Cause: "not proven", Sealed: audit.Sealed{Source: sealed.Source},
	}, {
		Operation: audit.OperationAuthentication, Outcome: audit.Success, Client: "psc", Attempt: "attempt-1", Session: "sid-1", Means: "carte", Methods: []string{"sc", "pin", "mfa"},
		ACR: "eidas2", AuthTime: at.Add(time.Minute), Subject: dupont, Sealed: sealed,
		Identity: audit.Party{Kind: "carte", Identifier: audit.Identifier{Type: "rpps", Value: "10001234567"}, Fingerprint: [32]byte{9}},
	}, {
		Operation: audit.OperationAuthorization, Outcome: audit.Success, Client: "psc", Attempt: "attempt-1", Session: "sid-1", Authentication: login, Grant: "grant-1", Scope: "openid",
		Subject: dupont, Tokens: []audit.Token{{Use: audit.Issued, Kind: "code", Value: "code-1"}}, Sealed: sealed,
	}, {
		Operation: audit.OperationToken, Outcome: audit.Success, Client: "psc", Mode: "private_key_jwt", Grant: "grant-1", Authentication: login, Subject: dupont,
		Tokens:     []audit.Token{{Use: audit.Presented, Kind: "code", Value: "code-1"}, {Use: audit.Issued, Kind: "access_token", ID: "jti-1", Expires: at.Add(time.Hour)}},
		Attributes: []audit.Attribute{{Name: "given_name", Disposition: audit.Released}},
	}, {
		Operation: audit.OperationExchange, Outcome: audit.Success, Client: "=bridge",
		Tokens: []audit.Token{{Use: audit.SubjectToken, Kind: "access_token", ID: "jti-1"}, {Use: audit.Issued, Kind: "saml2", ID: "_saml-1"}},
	}, {
		Operation: audit.OperationAuthentication, Outcome: audit.Refused, Client: "psc", Attempt: "attempt-2", Means: "carte", Cause: "unsuitable",
	}} {
		now = at.Add(time.Duration(n) * time.Minute)
		if n >= 4 {
			now = now.Add(time.Duration(n-3) * 24 * time.Hour)
		}
		e.ID, e.Time, e.Service, e.Establishment = audit.ID{1, 15: byte(n + 1)}, now, audit.ServiceOIDC, "hopital"
		ts.Check(journal.Record(context.Background(), &e))
	}
	ts.Check(journal.Close())
}

func TestPeriodsAreRead(t *testing.T) {
	for _, test := range []struct {
		text string
		want time.Duration
	}{{"92d", 92 * 24 * time.Hour}, {"2208h", 2208 * time.Hour}, {"0d", 0}, {"0s", 0}} {
		if got, err := parsePeriod(test.text); err != nil || got != test.want {
			t.Errorf("%s: %v, %v", test.text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-1h", "1.5d", "99999d", "soon", "92"} {
		if got, err := parsePeriod(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

// A text from outside is no formula in the spreadsheet of who reads the trace.
func TestTracesHoldNoFormula(t *testing.T) {
	for _, text := range []string{"=1+1", "+1", "-1", "@x", "\tx", "\rx", "=HYPERLINK(\"http://x\")", "\x1b[2J"} {
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		w.Write([]string{cell(text)})
		w.Flush()
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[0][0]; strings.ContainsAny(got[:1], "=+-@\t\r") || strings.ContainsRune(got, 0x1b) {
			t.Errorf("%q stands as %q", text, got)
		}
	}
	if got := cell("carte"); got != "carte" {
		t.Error(got)
	}
}

// A server removes what is older when it starts, and nothing where no retention is configured.
func TestServerKeepsTheTrail(t *testing.T) {
	for _, test := range []struct {
		name      string
		retention time.Duration
		files     int
	}{{"for ever", 0, 4}, {"for a day", 24 * time.Hour, 2}} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Date(2026, 8, 1, 8, 0, 0, 0, time.UTC)
			dir := t.TempDir()
			log := slog.New(slog.NewTextHandler(io.Discard, nil))
			journal, err := audit.Open(audit.Config{Dir: dir, Now: func() time.Time { return now }, MaxFileAge: trailFileAge, Logger: log})
			if err != nil {
				t.Fatal(err)
			}
			defer journal.Close()
			for range 4 {
				if err := journal.Record(context.Background(), &audit.Event{ID: audit.NewID(now), Time: now, Service: audit.ServiceOIDC, Outcome: audit.Success}); err != nil {
					t.Fatal(err)
				}
				now = now.Add(24 * time.Hour)
			}
			now = now.Add(-12 * time.Hour) // in the last of the four files
			s := &system{config: &fileConfig{}, journal: journal, log: log}
			s.config.Audit.Retention.V = period(test.retention)
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			s.keepTrail(ended)
			if report, err := audit.Verify(dir); err != nil || !report.Intact() || report.Files != test.files {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}

// What is configured of a token is its SHA-256, and no two are one.
func TestControlTokens(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		var out bytes.Buffer
		c := controlTokenCommand()
		c.SetOut(&out)
		c.SetArgs(nil)
		if err := c.Execute(); err != nil {
			t.Fatal(err)
		}
		var token, hash string
		if _, err := fmt.Sscanf(out.String(), "token %s\ntoken-hash sha256:%s\n", &token, &hash); err != nil {
			t.Fatal(err, out.String())
		}
		sum := sha256.Sum256([]byte(token))
		if hex.EncodeToString(sum[:]) != hash || len(token) < control.LeastTokenBytes || seen[token] {
			t.Errorf("%s", out.String())
		}
		seen[token] = true
	}
}

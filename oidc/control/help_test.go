package control_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"sceau/audit"
	"sceau/oidc/control"
)

var start = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

const (
	token = "0123456789abcdef0123456789abcdef"
	stray = "fedcba9876543210fedcba9876543210"
)

// kept is a journal in memory, that can refuse.
type kept struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (k *kept) Record(_ context.Context, e *audit.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	k.events = append(k.events, *e)
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func indicators() control.Indicators {
	card := control.Means{Name: "carte", Kind: "certificate", Methods: []string{"sc", "pin", "mfa", "hwk"}, Strength: control.Strength{MultiFactor: true, PhishingResistant: true}}
	password := control.Means{Name: "mot-de-passe", Kind: "password", Methods: []string{"pwd"}}
	return control.Indicators{
		Product: "Sceau", Version: "1.0", Environment: "Production", Configuration: control.Configuration{Digest: control.Digest([]byte("a")), Since: start},
		Retention: control.Seconds(400 * 24 * time.Hour),
		Establishments: []control.Establishment{{
			Name: "hopital", Issuer: "https://fi.example/etab/1", SigningAlgorithms: []string{"RS256", "ES256"}, Means: []control.Means{card, password},
			Clients: []control.Client{{
				ID: "psc", Profile: control.ProfileProSanteConnect, SessionLife: control.Seconds(8 * time.Hour), SessionIdle: control.Seconds(30 * time.Minute),
				MaxAuthenticationAge: control.Seconds(4 * time.Hour), Means: []string{"carte"}, AMRSets: [][]string{{"sc", "pin", "mfa", "hwk"}}, ACRValues: []string{"eidas2"},
				Strength: control.StrengthOf(card), Consent: "terms", Authentication: "client_secret_post", CertificateRequired: true, PKCE: false,
				IDTokenAlgorithm: "RS256", Code: control.Seconds(time.Minute), AccessToken: control.Seconds(2 * time.Minute), IDToken: control.Seconds(2 * time.Minute),
				Scopes: []string{"openid", "email"},
			}, {
				ID: "=fichiers", SessionLife: control.Seconds(12 * time.Hour), MaxAuthenticationAge: control.Seconds(12*time.Hour + 30*time.Second), Strength: control.StrengthOf(card, password),
				Consent: "ask", Authentication: "private_key_jwt", PKCE: true, PushedRequests: true, BoundTokens: true, IDTokenAlgorithm: "ES256",
				Code: control.Seconds(time.Minute), AccessToken: control.Seconds(time.Hour), IDToken: control.Seconds(time.Hour), RefreshToken: control.Seconds(8 * time.Hour),
			}},
		}},
	}
}

func digest(t testing.TB, text string) [32]byte {
	t.Helper()
	d, err := control.TokenDigest(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newConfig(t testing.TB) (control.Config, *kept, *control.Counts) {
	t.Helper()
	journal, counts := new(kept), new(control.Counts)
	counts.Know(indicators())
	return control.Config{Indicators: indicators, Counts: counts, Readers: []control.Reader{{Name: "ans", Token: digest(t, token)}},
		Journal: journal, Log: quiet(), Now: func() time.Time { return start }}, journal, counts
}

func newHandler(t testing.TB, c control.Config) *control.Handler {
	t.Helper()
	h, err := control.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

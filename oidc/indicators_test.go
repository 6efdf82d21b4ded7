package oidc

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"sceau/oidc/client"
	"sceau/oidc/control"
)

// The indicators say what is enforced: by each means a client is reached or not as they say, and its sets are those of the rule (EXI FI 28).
func TestIndicators(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) { c.SessionIdle = 20 * time.Minute }, web(t), psc(t), web(t, func(r *client.Registration) {
		r.ID, r.Session.Methods, r.Session.MaxAuthenticationAge, r.Consent = "either", [][]string{{"sc", "pin", "mfa"}, {"pwd"}}, time.Hour, client.ConsentAsk
	}))
	e := h.Indicators()
	if e.Name != "etab1" || e.Issuer != h.config.Issuer || !slices.Equal(e.SigningAlgorithms, []string{"ES256", "RS256"}) || len(e.Means) != 2 || len(e.Clients) != 3 {
		t.Fatalf("%+v", e)
	}
	strong := control.Strength{MultiFactor: true, PhishingResistant: true}
	if e.Means[0].Strength != strong || e.Means[1].Strength != (control.Strength{}) {
		t.Errorf("means: %+v", e.Means)
	}
	clients := map[string]control.Client{}
	for _, c := range e.Clients {
		clients[c.ID] = c
	}
	if c := clients["psc"]; c.Strength != strong || c.MaxAuthenticationAge != control.Seconds(4*time.Hour) || c.Profile != control.ProfileProSanteConnect ||
		c.IDTokenAlgorithm != "RS256" || c.SessionIdle != control.Seconds(20*time.Minute) || !slices.Equal(c.Means, []string{"card"}) || !reflect.DeepEqual(c.AMRSets, client.PhishingResistant()) {
		t.Errorf("psc: %+v", c)
	}
	if c := clients["either"]; c.Strength != (control.Strength{}) || c.MaxAuthenticationAge != control.Seconds(time.Hour) || c.Consent != "ask" || len(c.Means) != 2 {
		t.Errorf("either: %+v", c)
	}
	if c := clients["web"]; c.Strength != (control.Strength{}) || c.Authentication != "client_secret_basic" || c.IDTokenAlgorithm == "" || !c.PKCE || c.Code != control.Seconds(time.Minute) {
		t.Errorf("web: %+v", c)
	}
	all := control.Indicators{Establishments: []control.Establishment{e}}
	if got := all.Warnings(); len(got) != 0 {
		t.Errorf("departs from the requirements: %q", got)
	}
	// What they say is what happens.
	for _, c := range e.Clients {
		if c.Consent != client.ConsentNone {
			continue
		}
		for _, means := range e.Means {
			b := h.browser()
			if got := led(b, b.login(b.get(h.request("client_id", "web")), means.Name, "alice")); got != "code" {
				t.Fatalf("%s: %s", means.Name, got)
			}
			want := "login_required"
			if slices.Contains(c.Means, means.Name) {
				want = "code"
			}
			if got := led(b, b.get(h.request("client_id", c.ID, "prompt", "none"))); got != want {
				t.Errorf("%s after %s: %s, the indicators say %s", c.ID, means.Name, got, want)
			}
		}
	}
}

package cedar

import (
	"context"
	"strings"
	"testing"
	"time"

	"sceau/policy"
)

func exchangeRequest(change ...func(*policy.ExchangeRequest)) *policy.ExchangeRequest {
	r := &policy.ExchangeRequest{
		Client: "portal", Holder: hospital, Audience: "https://records.example", Direction: "saml1-to-token", From: "saml1", To: "access_token",
		Issuer: "urn:sts", Methods: []string{"hwk", "mfa"}, Scope: []string{"records"}, At: start,
	}
	for _, f := range change {
		f(r)
	}
	return r
}

func TestExchange(t *testing.T) {
	p, _ := examples(t)
	for name, c := range map[string]struct {
		change func(*policy.ExchangeRequest)
		want   string
	}{
		"permitted":        {nil, "+portal-to-records 1h0m0s"},
		"another client":   {func(r *policy.ExchangeRequest) { r.Client = "other" }, "- 0s"},
		"another audience": {func(r *policy.ExchangeRequest) { r.Audience = "https://records.example/" }, "- 0s"},
		"direction":        {func(r *policy.ExchangeRequest) { r.Direction = "token-to-token" }, "- 0s"},
		"amr":              {func(r *policy.ExchangeRequest) { r.Methods = []string{"pwd"} }, "- 0s"},
		"no amr":           {func(r *policy.ExchangeRequest) { r.Methods = nil }, "- 0s"},
		"scope":            {func(r *policy.ExchangeRequest) { r.Scope = []string{"records", "admin"} }, "- 0s"},
		"delegated":        {func(r *policy.ExchangeRequest) { r.Delegated = true }, "- 0s"},
		"forbidden":        {func(r *policy.ExchangeRequest) { r.Holder = stolen }, "-no-exchange-for-lost-software 0s"},
		"capabilities are those of a token": {func(r *policy.ExchangeRequest) {
			r.Client, r.Audience, r.Direction, r.Scope, r.Assurance = "any", "reports", "token-to-token", []string{"reports:read"}, 2
		}, "+report-token 0s"},
		"what is only asked for is no capability": {func(r *policy.ExchangeRequest) {
			r.Client, r.Audience, r.Scope, r.Assurance = "any", "reports", []string{"reports:read"}, 2
		}, "- 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			r := exchangeRequest()
			if c.change != nil {
				c.change(r)
			}
			x, err := p.Exchange(context.Background(), r)
			sign := "-"
			if x.Permitted() {
				sign = "+"
			}
			if got := sign + x.Rule() + " " + x.MaximumValidity.String(); err != nil || got != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
		})
	}
}

// TestExchangeClientIsNoParty: a client that registers as CBE=… would be asked about as that enterprise, and have its roles.
func TestExchangeClientIsNoParty(t *testing.T) {
	p, from := examples(t)
	for _, r := range []*policy.ExchangeRequest{
		exchangeRequest(func(r *policy.ExchangeRequest) { r.Client = "NIHII-HOSPITAL=71000436" }),
		exchangeRequest(func(r *policy.ExchangeRequest) { r.Client = "" }),
		exchangeRequest(func(r *policy.ExchangeRequest) { r.Audience = "" }),
		exchangeRequest(func(r *policy.ExchangeRequest) { r.At = time.Time{} }),
	} {
		if x, err := p.Exchange(context.Background(), r); err == nil || x.Permitted() {
			t.Errorf("%q for %q: %v", r.Client, r.Audience, x)
		}
	}
	if from.asked != 0 {
		t.Error("a source was asked")
	}
	for _, none := range []*Policies{nil, {}} {
		if x, err := none.Exchange(context.Background(), exchangeRequest()); err != nil || x.Permitted() {
			t.Errorf("no policies: %v, %v", x, err)
		}
	}
}

// TestExchangeLongest: permitting more never shortens.
func TestExchangeLongest(t *testing.T) {
	permit := func(id, window string) string {
		return `@id("` + id + `") ` + window + ` permit (principal == Service::"portal", action == Action::"exchange-token", resource);`
	}
	p := load(t, files("a.cedar", permit("a", `@maximum_validity("10m")`)+permit("b", `@maximum_validity("20m")`)), nil)
	if x, err := p.Exchange(context.Background(), exchangeRequest()); err != nil || x.MaximumValidity != 20*time.Minute || x.Rule() != "a b" {
		t.Errorf("%v, %v", x, err)
	}
	_, err := Load(Config{Files: files("a.cedar", permit("a", `@fallback_maximum_validity("10m")`)), Catalogue: p.catalogue})
	if !strings.Contains(problems(err), "fallback mode") {
		t.Errorf("a window of fallback mode: %v", err)
	}
	_, err = Load(Config{Files: files("profiles.yaml", "version: 1\nexchange:\n  - {id: x, effect: deny}\n"), Catalogue: p.catalogue})
	if !strings.Contains(problems(err), "stand in *.cedar") {
		t.Errorf("rules of exchange beside policies: %v", err)
	}
}

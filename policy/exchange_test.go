package policy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/policy"
)

const exchangeRules = `version: 1
exchange:
  - id: portal
    effect: permit
    clients: [portal, other]
    audiences: ["https://records.example"]
    directions: [saml1-to-token, token-to-token]
    to: [access_token]
    methods: [hwk]
    scopes: [records]
    maximum-validity: 30m
  - id: portal-for-others
    effect: permit
    clients: [portal]
    audiences: ["https://records.example"]
    directions: [token-to-token]
    levels: [eidas2, eidas3]
    delegation: "yes"
    maximum-validity: 1h
  - id: closed
    effect: deny
    clients: [other]
    directions: [token-to-token]
`

func TestExchangeRules(t *testing.T) {
	p, err := policy.Load(strings.NewReader(exchangeRules), attrs.EHealth())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	request := func(change func(*policy.ExchangeRequest)) *policy.ExchangeRequest {
		r := &policy.ExchangeRequest{Client: "portal", Audience: "https://records.example", Direction: "saml1-to-token", From: "saml1", To: "access_token",
			Methods: []string{"mfa", "hwk"}, Scope: []string{"records"}, At: at}
		change(r)
		return r
	}
	for name, c := range map[string]struct {
		change func(*policy.ExchangeRequest)
		want   string
	}{
		"permitted":  {func(*policy.ExchangeRequest) {}, "portal 30m0s"},
		"no scope":   {func(r *policy.ExchangeRequest) { r.Scope = nil }, "portal 30m0s"},
		"client":     {func(r *policy.ExchangeRequest) { r.Client = "Portal" }, " 0s"},
		"audience":   {func(r *policy.ExchangeRequest) { r.Audience += "/" }, " 0s"},
		"direction":  {func(r *policy.ExchangeRequest) { r.Direction = "token-to-saml1" }, " 0s"},
		"type":       {func(r *policy.ExchangeRequest) { r.To = "id_token" }, " 0s"},
		"method":     {func(r *policy.ExchangeRequest) { r.Methods = []string{"pwd"} }, " 0s"},
		"scope":      {func(r *policy.ExchangeRequest) { r.Scope = []string{"records", "more"} }, " 0s"},
		"delegation": {func(r *policy.ExchangeRequest) { r.Delegated = true }, " 0s"},
		"denied":     {func(r *policy.ExchangeRequest) { r.Client, r.Direction = "other", "token-to-token" }, "closed 0s"},
		"delegated, by rule": {func(r *policy.ExchangeRequest) {
			r.Direction, r.Delegated, r.Level, r.Scope = "token-to-token", true, "eidas3", nil
		}, "portal-for-others 1h0m0s"},
		"delegated, level": {func(r *policy.ExchangeRequest) {
			r.Direction, r.Delegated, r.Level, r.Scope = "token-to-token", true, "eidas1", nil
		}, " 0s"},
		"the longest of two": {func(r *policy.ExchangeRequest) { r.Direction, r.Level, r.Scope = "token-to-token", "eidas2", nil }, "portal-for-others 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := p.Exchange(context.Background(), request(c.change))
			if got := x.Rule() + " " + x.MaximumValidity.String(); err != nil || got != c.want || x.Permitted() != (x.MaximumValidity > 0) {
				t.Errorf("%q permitted %v, %v; want %q", got, x.Permitted(), err, c.want)
			}
		})
	}
	for name, p := range map[string]*policy.Rules{"nil": nil, "zero": {}} {
		if x, err := p.Exchange(context.Background(), request(func(*policy.ExchangeRequest) {})); err != nil || x.Permitted() {
			t.Errorf("%s rules permit: %v, %v", name, x, err)
		}
	}
	if _, err := p.Exchange(context.Background(), &policy.ExchangeRequest{}); err == nil {
		t.Error("the zero request is decided")
	}
}

func TestExchangeRulesStrict(t *testing.T) {
	for name, c := range map[string]struct{ rule, want string }{
		"no clients":       {`{id: a, effect: permit, audiences: [x], directions: [token-to-token], maximum-validity: 1h}`, "a permit rule must say"},
		"no maximum":       {`{id: a, effect: permit, clients: [c], audiences: [x], directions: [token-to-token]}`, "a permit rule must say"},
		"no such way":      {`{id: a, effect: deny, directions: [saml2-to-token]}`, "is none of"},
		"no such type":     {`{id: a, effect: deny, to: [refresh_token]}`, "is none of"},
		"deny with window": {`{id: a, effect: deny, maximum-validity: 1h}`, "a deny rule has no maximum-validity"},
		"unknown key":      {`{id: a, effect: deny, client: [c]}`, "unknown key"},
		"no effect":        {`{id: a, clients: [c], audiences: [x], directions: [token-to-token], maximum-validity: 1h}`, "no effect"},
		"delegation":       {`{id: a, effect: permit, clients: [c], audiences: [x], directions: [token-to-token], maximum-validity: 1h, delegation: true}`, "quote it"},
		"an id twice":      {"{id: a, effect: deny, clients: [c]}\n  - {id: a, effect: deny, clients: [d]}", "another rule has this id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Load(strings.NewReader("version: 1\nexchange:\n  - "+c.rule+"\n"), attrs.EHealth())
			var e *policy.Error
			if !errors.As(err, &e) || len(e.Problems) != 1 || !strings.Contains(e.Problems[0].Text, c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

package wsp_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsp"
)

// TestRequirements applies the rules of access.
func TestRequirements(t *testing.T) {
	pki := testpki.Load()
	doctorTwice := aliceIssue(pki.AliceEHealth.DER)
	doctorTwice.Attributes = append(doctorTwice.Attributes, doctorTwice.Attributes[1])
	twice := call(t, issue(t, doctorTwice, &pki.STS), pki.AliceEHealth.Key, now)
	both := aliceIssue(pki.AliceEHealth.DER)
	both.Attributes[1].Values = []string{"true", "false"}
	both.Attributes[0].Values = []string{testpki.AliceSSIN, testpki.BobSSIN}
	several := call(t, issue(t, both, &pki.STS), pki.AliceEHealth.Key, now)
	once := aliceCall(t)
	down := errors.New("rule base: " + wsp.ErrNoDecision.Error())
	for name, c := range map[string]struct {
		message []byte
		require wsp.Requirement
		pdp     wsp.PDP
		reason  wsp.Reason
		fault   soap.Fault
	}{
		"holds":            {message: once, require: wsp.Requirement{Designator: doctor, Values: []string{"true"}}},
		"one of":           {message: once, require: wsp.Requirement{Designator: ssin, Values: []string{"x", testpki.AliceSSIN}}},
		"any":              {message: once, require: wsp.Requirement{Designator: ssin, Any: true}},
		"false":            {once, wsp.Requirement{Designator: nurse, Values: []string{"true"}}, nil, wsp.MissingAttribute, notAuthorized},
		"empty":            {once, wsp.Requirement{Designator: nihii, Any: true}, nil, wsp.MissingAttribute, notAuthorized},
		"absent":           {once, wsp.Requirement{Designator: attrs.Designator{Name: "urn:x", Namespace: "urn:y"}, Any: true}, nil, wsp.MissingAttribute, notAuthorized},
		"other namespace":  {once, wsp.Requirement{Designator: attrs.Designator{Name: doctor.Name, Namespace: ssin.Namespace}, Values: []string{"true"}}, nil, wsp.MissingAttribute, notAuthorized},
		"twice":            {twice, wsp.Requirement{Designator: doctor, Values: []string{"true"}}, nil, wsp.MissingAttribute, notAuthorized},
		"true and false":   {several, wsp.Requirement{Designator: doctor, Values: []string{"true"}}, nil, wsp.MissingAttribute, notAuthorized},
		"one of several":   {message: several, require: wsp.Requirement{Designator: ssin, Values: []string{testpki.BobSSIN}}},
		"PDP permits":      {message: once, pdp: decision{}},
		"PDP denies":       {once, wsp.Requirement{}, decision{errors.New("no")}, wsp.Denied, notAuthorized},
		"PDP is down":      {once, wsp.Requirement{}, decision{errors.Join(down, wsp.ErrNoDecision)}, wsp.NoDecision, temporarily},
		"PDP is too late":  {once, wsp.Requirement{}, decision{context.DeadlineExceeded}, wsp.NoDecision, temporarily},
		"attribute before": {once, wsp.Requirement{Designator: nurse, Values: []string{"true"}}, decision{errors.New("asked for nothing")}, wsp.MissingAttribute, notAuthorized},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, func(config *wsp.Config) {
				if c.require.Name != "" {
					config.Require = []wsp.Requirement{c.require}
				}
				config.PDP = c.pdp
			})
			if c.reason == 0 {
				if _, err := g.Admit(c.message, now); err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, g, string(c.message), now, c.reason, c.fault.Code, c.fault.SOA)
		})
	}
}

var (
	notAuthorized = soap.Fault{Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthorized}
	temporarily   = soap.Fault{Code: soap.FaultServer, SOA: soap.SOATemporarily}
)

// decision is a PDP that always answers the same.
type decision struct{ err error }

func (d decision) Decide(_ context.Context, c *wsp.Caller) error {
	if c.IsZero() {
		return errors.New("asked about nobody")
	}
	return d.err
}

// TestNewGuard refuses configurations that would admit nobody, or anybody (attacks.md A8).
func TestNewGuard(t *testing.T) {
	v := trust(t)
	for name, change := range map[string]func(*wsp.Config){
		"empty":              func(c *wsp.Config) { *c = wsp.Config{} },
		"A8 no trust":        func(c *wsp.Config) { c.Certificates = nil },
		"A8 no replay":       func(c *wsp.Config) { c.Replay = nil },
		"A8 no issuer":       func(c *wsp.Config) { c.Issuers = nil },
		"empty issuer":       func(c *wsp.Config) { c.Issuers = []string{""} },
		"empty audience":     func(c *wsp.Config) { c.Audiences = []string{""} },
		"A8 no holder":       func(c *wsp.Config) { c.HolderRoles = []certs.Role{} },
		"STS as holder":      func(c *wsp.Config) { c.HolderRoles = []certs.Role{certs.RoleSTS} },
		"negative skew":      func(c *wsp.Config) { c.Skew = -time.Second },
		"skew of a day":      func(c *wsp.Config) { c.Skew = 24 * time.Hour },
		"messages for ever":  func(c *wsp.Config) { c.Timestamp = soap.TimestampPolicy{MaxLifetime: 1 << 62} },
		"no lifetime":        func(c *wsp.Config) { c.Timestamp.Skew = time.Minute },
		"half the limits":    func(c *wsp.Config) { c.Limits.Bytes = 1000 },
		"negative cap":       func(c *wsp.Config) { c.MaxAttributes = -1 },
		"nameless attribute": func(c *wsp.Config) { c.Require = []wsp.Requirement{{Values: []string{"true"}}} },
		"required but what":  func(c *wsp.Config) { c.Require = []wsp.Requirement{{Designator: doctor}} },
		"any boolean":        func(c *wsp.Config) { c.Require = []wsp.Requirement{{Designator: doctor, Any: true}} },
		"any and values": func(c *wsp.Config) {
			c.Require = []wsp.Requirement{{Designator: ssin, Any: true, Values: []string{"1"}}}
		},
		"required empty text": func(c *wsp.Config) { c.Require = []wsp.Requirement{{Designator: ssin, Values: []string{""}}} },
	} {
		t.Run(name, func(t *testing.T) {
			config := wsp.Config{Certificates: v, Issuers: []string{issuer}, Replay: soap.NewMemoryReplay(1)}
			change(&config)
			if g, err := wsp.NewGuard(config); err == nil || g != nil {
				t.Error("made")
			}
		})
	}
}

package oidc

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"sceau/audit"
	"sceau/internal/testpki"
	"sceau/oidc/client"
	"sceau/oidc/means/upstream"
	"sceau/oidc/page"
	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

// openUpstream starts an establishment whose persons authenticate at another provider, in the shape of Pro Santé Connect.
func openUpstream(t *testing.T) (*house, *rptest.OP) {
	t.Helper()
	var op *rptest.OP
	h := openHouse(t, func(c *Config, _ *client.Options) {
		op = rptest.New(t, rptest.Config{Clock: c.Now, Certificate: true, ResponseIss: true,
			Claims: rptest.Members{"SubjectNameID": "alice", "authMode": "CARD", "SubjectRole": []string{"10^1.2.250.1.213.1.1.5.5"}}})
		op.Lies.IDToken = func(m rptest.Members) { m["auth_time"] = c.Now().Unix(); delete(m, "amr") }
		hospital := testpki.Load().Hospital
		provider, err := rp.New(rp.Config{Issuer: op.Issuer, ClientID: "client", Method: rp.TLSClientAuth, RedirectURI: upstream.RedirectURI(c.Issuer, "psc"), UserInfo: true,
			Roots: op.Roots, Dial: op.Dial, Now: c.Now,
			Certificate: func() (*tls.Certificate, error) {
				return &tls.Certificate{Certificate: [][]byte{hospital.DER}, PrivateKey: hospital.Key}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := upstream.New(upstream.Config{Name: "psc", Label: "Pro Santé Connect", Provider: provider, Identify: upstream.ByClaim("SubjectNameID", "username"),
			Methods: upstream.ProSanteMethods(), Least: []string{"mfa"}})
		if err != nil {
			t.Fatal(err)
		}
		c.Means = append(c.Means, Means{Name: "psc", Kind: page.KindUpstream, Means: m})
	}, web(t))
	return h, op
}

// away begins an attempt and goes to the other provider: its answer is the address to which the browser is sent back.
func (b *browser) away(op *rptest.OP, changed ...string) (back string) {
	b.Helper()
	choice := b.follow(b.get(b.request(changed...)))
	to := b.get(choice.Request.URL.Scheme + "://" + choice.Request.URL.Host + choice.Request.URL.Path + "/m/psc").Header.Get("Location")
	if !strings.HasPrefix(to, op.Authorization) {
		b.Fatalf("led to %q", to)
	}
	return upstream.RedirectURI(b.config.Issuer, "psc") + "?" + op.Authorize(b, to).Encode()
}

// TestUpstream is the road of a login that another provider vouches for.
func TestUpstream(t *testing.T) {
	h, op := openUpstream(t)
	b := h.browser()
	last := b.follow(b.get(b.away(op)))
	u, err := url.Parse(last.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), back) || u.Query().Get("code") == "" {
		t.Fatalf("%d %q", last.StatusCode, last.Header.Get("Location"))
	}
	status, got := h.ask("/token", redeeming(u.Query().Get("code")))
	if status != http.StatusOK {
		t.Fatal(status)
	}
	id := h.claimsOf(got.ID)
	if id["sub"] != "etab1:a1" || !reflect.DeepEqual(id["amr"], []any{"sc", "pin", "mfa", "hwk"}) || id["nonce"] != "no" {
		t.Errorf("%v", id)
	}
	if events := h.trail(audit.OperationAuthentication); len(events) != 1 || events[0].Means != "psc" {
		t.Errorf("%+v", events)
	}
}

// TestUpstreamAnswers: an answer in another browser, one brought twice, and one of a person who said no.
func TestUpstreamAnswers(t *testing.T) {
	h, op := openUpstream(t)
	victim, attacker := h.browser(), h.browser()
	answer := attacker.away(op)
	before := op.Asked("token")
	if last := victim.follow(victim.get(answer)); strings.HasPrefix(last.Header.Get("Location"), back) || op.Asked("token") != before {
		t.Errorf("O8: the attacker's answer logs the victim in: %d %q", last.StatusCode, last.Header.Get("Location"))
	}
	if last := attacker.follow(attacker.get(answer)); !strings.HasPrefix(last.Header.Get("Location"), back) {
		t.Fatalf("the honest one: %d", last.StatusCode)
	}
	if last := attacker.follow(attacker.get(answer)); strings.HasPrefix(last.Header.Get("Location"), back) || op.Asked("token") != before+1 {
		t.Errorf("twice: %d %q", last.StatusCode, last.Header.Get("Location"))
	}
	op.Lies.Response = func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }
	b := h.browser()
	if last := b.follow(b.get(b.away(op))); last.StatusCode != http.StatusOK || !strings.Contains(last.text, "/m/psc") {
		t.Errorf("who said no is not led to the choice: %d", last.StatusCode)
	}
	// Who was refused otherwise is told, and not sent round.
	op.Lies.Response, op.Lies.IDToken = nil, func(m rptest.Members) { m["auth_time"] = h.now().Unix(); m["acr"] = "0"; delete(m, "amr") }
	b = h.browser()
	asked := op.Asked("authorize")
	if last := b.follow(b.get(b.away(op))); last.StatusCode != http.StatusOK || !strings.Contains(last.text, "Pro Santé Connect") || op.Asked("authorize") != asked+1 {
		t.Errorf("who was refused: %d, %d", last.StatusCode, op.Asked("authorize")-asked)
	}
}

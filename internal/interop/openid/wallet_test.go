package openid

import (
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sceau/internal/judge"
)

const vct = "urn:test:professional:1"

// attestation is what the wallet holds, but for its status.
func (w *world) attestation(issuer string, index int) members {
	return members{"do": "issue", "pair": w.pki.path(issuer), "iss": "https://ordre.example", "vct": vct,
		"claims": members{"professional": members{"rpps": "10003456789", "role": "10"}, "given_name": "Alice", "birthdate": "1980-01-01"},
		"frame":  members{"_sd": []string{"given_name", "birthdate"}, "professional": members{"_sd": []string{"rpps", "role"}}},
		"status": members{"uri": w.status + "/lists/1", "idx": index}}
}

// offered is the link for a wallet that a page holds.
func (p *person) offered(a seen) string {
	p.Helper()
	for _, m := range links.FindAllStringSubmatch(a.text, -1) {
		if to := html.UnescapeString(m[1]); strings.HasPrefix(to, "openid4vp://") {
			return to
		}
	}
	p.Fatalf("no link for a wallet at %s: %s", a.Request.URL, a.words())
	return ""
}

// TestWallet: persons log in with a wallet that is not ours, by attestations of an issuer and lists of their status that are not ours either.
func TestWallet(t *testing.T) {
	judge.Require(t, "node")
	w, folder := meet(t), judge.NodeModules(t, "node", "rp.js", "wallet.js")
	node := judge.Require(t, "node")
	rp, wallet := w.program(t, node, filepath.Join(folder, "rp.js")), w.program(t, node, filepath.Join(folder, "wallet.js"))
	lists, err := url.Parse(w.status)
	if err != nil {
		t.Fatal(err)
	}
	w.release(w.status)
	wallet.must(t, members{"do": "lists", "port": lists.Port(), "pair": w.pki.path("ordre"), "server": w.pki.path("server"), "uri": w.status + "/lists/1", "ttl": 1, "statuses": []int{0, 1, 0, 2}})
	r := &relying{id: "rp-basic", method: "client_secret_basic"}
	rp.must(t, r.discover(w))
	begin := func(t *testing.T) (*person, seen) {
		alice := w.person(t, "")
		a, _ := alice.open(text(rp.must(t, members{"do": "begin", "id": r.id, "params": members{"prompt": "login"}}), "url"))
		a, _ = alice.press(a, "/m/wallet")
		return alice, a
	}
	t.Run("whole", func(t *testing.T) {
		wallet.must(t, w.attestation("ordre", 2))
		alice, a := begin(t)
		said := wallet.must(t, members{"do": "present", "link": alice.offered(a)})
		paths, _ := said["paths"].([]any)
		if said["status"] != float64(http.StatusOK) || said["version"] != float64(100) || !slices.Equal(paths, []any{"professional.rpps", "professional.role", "nothing"}) {
			t.Fatalf("%v", said)
		}
		// Somebody else's browser gets nothing out of the address where the wallet is led.
		if b, _ := w.person(t, "").open(text(said, "redirect_uri")); b.StatusCode != http.StatusForbidden {
			t.Errorf("another browser: %s", b.Status)
		}
		b, back := alice.open(text(said, "redirect_uri"))
		done := rp.must(t, members{"do": "finish", "id": r.id, "url": alice.led(b, back).String(), "maxAge": 60})
		claims := inner(done, "claims")
		if amr, _ := claims["amr"].([]any); claims["sub"] != aliceSubject || !slices.Equal(amr, []any{"pop", "mfa", "hwk"}) {
			t.Errorf("%v", claims)
		}
		if again, _ := alice.open(text(said, "redirect_uri")); again.StatusCode == http.StatusOK && strings.Contains(again.text, "code=") {
			t.Error("an answer counts twice")
		}
		if listed, _ := wallet.must(t, members{"do": "listed"})["listed"].([]any); len(listed) == 0 {
			t.Error("nobody asked for the status")
		}
	})
	t.Run("another device", func(t *testing.T) {
		wallet.must(t, w.attestation("ordre", 0))
		alice, a := begin(t)
		b, _ := alice.press(a, "/m/wallet/done")
		if !strings.Contains(b.text, `role="status"`) {
			t.Fatalf("%s: %s", b.Status, b.words())
		}
		drawn := alice.do(alice.request(http.MethodGet, a.Request.URL.String()+"/code.png", nil))
		if drawn.StatusCode != http.StatusOK || drawn.Header.Get("Content-Type") != "image/png" {
			t.Fatal(drawn.Status)
		}
		said := wallet.must(t, members{"do": "present", "link": text(wallet.must(t, members{"do": "scan", "png": base64.StdEncoding.EncodeToString([]byte(drawn.text))}), "text")})
		if said["status"] != float64(http.StatusOK) || said["redirect_uri"] != nil {
			t.Fatalf("%v", said)
		}
		c, back := alice.press(b, "/m/wallet/done")
		done := rp.must(t, members{"do": "finish", "id": r.id, "url": alice.led(c, back).String()})
		if inner(done, "claims")["sub"] != aliceSubject {
			t.Errorf("%v", inner(done, "claims"))
		}
	})
	for _, c := range []struct {
		name   string
		issue  members
		answer members
		want   string // what the person is told
	}{
		{"revoked", w.attestation("ordre", 1), nil, "n’est pas acceptée ici, ou n’est plus valable"},
		{"suspended", w.attestation("ordre", 3), nil, "n’est pas acceptée ici, ou n’est plus valable"},
		{"no such place in the list", w.attestation("ordre", 99), nil, "n’est pas acceptée ici, ou n’est plus valable"},
		{"an issuer that is not named", w.attestation("other-ordre", 0), nil, "n’est pas acceptée ici, ou n’est plus valable"},
		{"somebody without the key", w.attestation("ordre", 0), members{"twisted": true}, "n’a pas permis de vous reconnaître"},
		{"the person said no", w.attestation("ordre", 0), members{"refuse": true}, "Choisissez"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wallet.must(t, c.issue)
			alice, a := begin(t)
			present := members{"do": "present", "link": alice.offered(a)}
			for name, v := range c.answer {
				present[name] = v
			}
			said := wallet.must(t, present)
			b, back := alice.open(text(said, "redirect_uri"))
			if back != nil || b.StatusCode != http.StatusOK || !strings.Contains(b.text, c.want) {
				t.Errorf("led to %v: %s: %s", back, b.Status, b.words())
			}
		})
	}
}

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
)

// TestOCSPKeys: the keys below ocsp, and what is wrong with them, by line.
func TestOCSPKeys(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, text string
		want       *certs.OCSP
		problems   []string // each stands in the text of them all
	}{
		{"left out", "", nil, nil},
		{"the least", "\n      ocsp: {responders: [\"http://ocsp.example/2\"], mode: soft}",
			&certs.OCSP{Responders: []string{"http://ocsp.example/2"}, Mode: certs.OCSPSoft}, nil},
		{"all", "\n      ocsp:\n        responders: [\"http://a.example\", \"https://b.example\"]\n        mode: hard\n        nonce: true\n        wait: 2s\n        max-age: 1h",
			&certs.OCSP{Responders: []string{"http://a.example", "https://b.example"}, Mode: certs.OCSPHard, Nonce: true, Wait: 2 * time.Second, MaxAge: time.Hour}, nil},
		{"nothing after the key", "\n      ocsp:", nil, []string{"x.yaml:4: ocsp: want responders"}},
		{"a list", "\n      ocsp: [\"http://ocsp.example\"]", nil, []string{"x.yaml:4: ocsp: want responders"}},
		{"no mode", "\n      ocsp: {responders: [\"http://ocsp.example\"]}", nil, []string{"x.yaml:4:", "OCSP mode \"\": want soft or hard"}},
		{"a mode that is none", "\n      ocsp:\n        mode: maybe\n        responders: [\"http://ocsp.example\"]", nil, []string{"x.yaml:5:", "\"maybe\""}},
		{"no responder", "\n      ocsp: {mode: soft}", nil, []string{"x.yaml:4:", "no responder"}},
		{"a responder that is none", "\n      ocsp: {mode: soft, responders: [\"ldap://ocsp.example\"]}", nil, []string{"x.yaml:4:", "ldap://ocsp.example"}},
		{"an unknown key", "\n      ocsp:\n        mode: soft\n        responder: x", nil, []string{"x.yaml:6: unknown key \"responder\""}},
		{"a key twice", "\n      ocsp:\n        mode: soft\n        mode: hard", nil, []string{"x.yaml:", "already defined"}},
		{"a duration that is none", "\n      ocsp: {mode: soft, wait: soon, responders: [\"http://ocsp.example\"]}", nil, []string{"x.yaml:4:", "\"soon\" is no duration"}},
		{"a wait under soft", "\n      ocsp: {mode: soft, wait: 1s, responders: [\"http://ocsp.example\"]}", nil, []string{"x.yaml:4:", "only with the mode hard"}},
		{"a signer that is not there", "\n      ocsp: {mode: soft, signers: [none.pem], responders: [\"http://ocsp.example\"]}", nil, []string{"x.yaml:4:", "none.pem"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &problems{file: "x.yaml"}
			text := "trust:\n  authorities:\n    - name: ca" + tt.text + "\n"
			s := &system{config: parseConfig([]byte(text), dir, p)}
			got := s.ocsp(&s.config.Trust.Authorities[0], p)
			if err := p.err(); err == nil != (tt.problems == nil) {
				t.Fatalf("problems: %v", err)
			} else if err != nil {
				for _, want := range tt.problems {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q is not in %v", want, err)
					}
				}
				return
			}
			if (got == nil) != (tt.want == nil) || got != nil && (got.Mode != tt.want.Mode || got.Nonce != tt.want.Nonce || got.Wait != tt.want.Wait ||
				got.MaxAge != tt.want.MaxAge || !slices.Equal(got.Responders, tt.want.Responders)) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestOCSPExample: the example's commented ocsp section is one that is taken.
func TestOCSPExample(t *testing.T) {
	_, after, has := bytes.Cut(exampleConfig, []byte("#      ocsp:\n"))
	if !has {
		t.Fatal("example.yaml has no ocsp section")
	}
	var text strings.Builder
	text.WriteString("trust:\n  authorities:\n    - name: ca\n      ocsp:\n")
	for line := range strings.Lines(string(after)) {
		uncommented, commented := strings.CutPrefix(line, "#")
		if !commented {
			break
		}
		text.WriteString(strings.Replace(uncommented, "signers: [responder.pem]", "", 1))
	}
	p := &problems{file: "example.yaml"}
	s := &system{config: parseConfig([]byte(text.String()), t.TempDir(), p)}
	o := s.ocsp(&s.config.Trust.Authorities[0], p)
	if err := p.err(); err != nil || o == nil || o.Mode != certs.OCSPSoft || len(o.Responders) != 1 {
		t.Errorf("%v, %+v", err, o)
	}
}

// TestOCSPServes: a server with a responder that cannot answer goes on under soft,
// asks it once for many requests, and tells so in its metrics and its log.
func TestOCSPServes(t *testing.T) {
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(minipki.OCSPError(3)) }))
	defer responder.Close()
	v, _ := startDemoServerWith(t, func(_, config string) string {
		changed := strings.Replace(config, "certificate: pki/citizen-ca.pem", "certificate: pki/citizen-ca.pem, ocsp: {mode: soft, responders: [\""+responder.URL+"\"]}", 1)
		if changed == config {
			t.Fatal("the demonstration has another configuration")
		}
		return changed
	})
	ders, err := certs.ReadCertificates(filepath.Join(v.dir, "pki", "alice-eid.pem"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := v.verifier.Parse(ders[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := v.verifier.Identify(certs.RoleIdentity, leaf, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	v.waitLog(t, "OCSP responder gave no answer")
	families, err := v.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "sceau_ocsp_") {
			continue
		}
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				if label.GetName() == "status" {
					name += " " + label.GetValue()
				}
				if label.GetName() == "responder" && label.GetValue() != responder.URL {
					t.Errorf("%s of responder %q", name, label.GetValue())
				}
			}
			got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"sceau_ocsp_answers none": 1, "sceau_ocsp_answers good": 0, "sceau_ocsp_answers revoked": 0, "sceau_ocsp_answers unknown": 0, "sceau_ocsp_answers stale": 0,
		"sceau_ocsp_reachable": 0, "sceau_ocsp_no_room_total": 0,
	} {
		if value, has := got[name]; !has || value != want {
			t.Errorf("%s: %v, want %v", name, value, want)
		}
	}
	// One question; on a machine that is very slow the next after a pause, and never one a request.
	if asked := got["sceau_ocsp_fetches_total"]; asked < 1 || asked > 10 || got["sceau_ocsp_failures_total"] != asked {
		t.Errorf("%v questions, %v failed", asked, got["sceau_ocsp_failures_total"])
	}
}

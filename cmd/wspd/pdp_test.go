package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// unconditional has no requirement: the PDP alone decides.
var unconditional = guarded[:strings.Index(guarded, "require:")] + "audit: {dir: audit}\n"

// TestCedar: policies of a directory decide, and change with a reload.
func TestCedar(t *testing.T) {
	folder := t.TempDir()
	policies := func(text string) {
		for name, content := range map[string]string{
			"p.cedar": text,
			"roles.json": `[{"uid": {"type": "Role", "id": "doctor"}, "attrs": {"attribute": "urn:be:fgov:person:ssin:doctor:boolean"}, "parents": []},
				{"uid": {"type": "Application", "id": "DTW"}, "attrs": {}, "parents": []}]`,
		} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	policies(`@id("doctors") permit (principal in Role::"doctor", action == Action::"enter", resource == Application::"DTW");`)
	r := start(t, unconditional+"pdp: {engine: cedar, directory: '"+folder+"', resource: 'Application::DTW'}\n")
	at := r.service(t)
	if got := send(t, http.MethodPost, at, r.call(t)); got.status != http.StatusOK {
		t.Error(got, r.log)
	}
	if got := send(t, http.MethodPost, at, must(r.pki.message("false"))); !strings.Contains(got.body, "SOA-01002") {
		t.Error(got)
	}
	if e := r.records(t)[1]; e.Outcome != "refused" || e.Stage != "denied" || e.AssertionID != "_1" {
		t.Errorf("%+v", e)
	}
	policies("permit (")
	if err := r.reload(r.path()); err == nil {
		t.Error("taken")
	}
	policies(`@id("none") forbid (principal, action == Action::"enter", resource);`)
	if err := r.reload(r.path()); err != nil {
		t.Fatal(err)
	}
	if got := send(t, http.MethodPost, at, r.call(t)); !strings.Contains(got.body, "SOA-01002") {
		t.Error(got)
	}
}

// TestAuthZEN: a service decides; where it does not, nobody enters.
func TestAuthZEN(t *testing.T) {
	var answer atomic.Pointer[string]
	decisions := listening(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Authorization") != "Bearer s3cret" {
			t.Error(q.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, *answer.Load())
	}))
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, unconditional+"pdp: {engine: authzen, url: '"+decisions+"/x', token-file: '"+token+"', resource: 'Application::DTW'}\n")
	at := r.service(t)
	for text, code := range map[string]string{`{"decision": true}`: "EchoResponse", `{"decision": false}`: "SOA-01002", `{}`: "SOA-02002"} {
		answer.Store(&text)
		if got := send(t, http.MethodPost, at, r.call(t)); !strings.Contains(got.body, code) {
			t.Error(text, got)
		}
	}
}

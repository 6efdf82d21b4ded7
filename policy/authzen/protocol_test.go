package authzen

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sceau/attrs"
	"sceau/audit"
)

const (
	alice  = `"subject": {"type": "user", "id": "alice"}`
	bob    = `"subject": {"type": "user", "id": "bob"}`
	read   = `"action": {"name": "read"}`
	write  = `"action": {"name": "write"}`
	one    = `"resource": {"type": "record", "id": "record-1"}`
	two    = `"resource": {"type": "record", "id": "record-2"}`
	closed = `"resource": {"type": "record", "id": "record-2", "properties": {"status": "archived"}}`
)

// The cases of the working group's certification scenario for the Authorization API 1.0, by their clauses there.
func TestCertification(t *testing.T) {
	s := certification(t)
	for _, c := range []struct {
		clause, body string
		status       int
		want         string
	}{
		{"permit", `{` + alice + `,` + read + `,` + one + `}`, 200, "+"},
		{"deny", `{` + bob + `,` + write + `,` + one + `}`, 200, "-"},
		{"context", `{` + alice + `,` + read + `,` + one + `, "context": {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}}`, 200, "+"},
		{"deny by properties", `{` + alice + `,` + write + `,` + closed + `}`, 200, "-"},
		{"permit by properties", `{"subject": {"type": "user", "id": "bob", "properties": {"role": "admin"}},` + write + `,` + closed + `}`, 200, "+"},
		{"permit by action properties", `{` + alice + `, "action": {"name": "delete", "properties": {"soft": true}},` + one + `}`, 200, "+"},
		{"deny by action properties", `{` + alice + `, "action": {"name": "delete", "properties": {"soft": false}},` + one + `}`, 200, "-"},
		{"additional properties", `{"subject": {"type": "user", "id": "alice", "properties": {"department": "Sales", "role": "manager"}},
			"action": {"name": "read", "properties": {"method": "GET"}}, "resource": {"type": "record", "id": "record-1", "properties": {"status": "active", "owner": "bob"}}}`, 200, "+"},
		{"unknown fields", `{` + alice + `,` + read + `,` + one + `, "foo": "bar", "futureField": {"nested": true}}`, 200, "+"},
		{"no subject", `{` + read + `,` + one + `}`, 400, ""},
		{"no action", `{` + alice + `,` + one + `}`, 400, ""},
		{"no resource", `{` + alice + `,` + read + `}`, 400, ""},
		{"no subject.type", `{"subject": {"id": "alice"},` + read + `,` + one + `}`, 400, ""},
		{"no subject.id", `{"subject": {"type": "user"},` + read + `,` + one + `}`, 400, ""},
		{"no action.name", `{` + alice + `, "action": {},` + one + `}`, 400, ""},
		{"no resource.type", `{` + alice + `,` + read + `, "resource": {"id": "record-1"}}`, 400, ""},
		{"no resource.id", `{` + alice + `,` + read + `, "resource": {"type": "record"}}`, 400, ""},
		{"not JSON", `{` + alice, 400, ""},
		{"empty", ``, 400, ""},
		{"subject is a text", `{"subject": "alice",` + read + `,` + one + `}`, 400, ""},
		{"action.name is a number", `{` + alice + `, "action": {"name": 123},` + one + `}`, 400, ""},

		{"batch", `{` + alice + `,` + read + `, "evaluations": [{` + one + `}, {` + two + `}]}`, 200, "++"},
		{"batch of actions", `{` + bob + `,` + one + `, "evaluations": [{` + read + `}, {` + write + `}]}`, 200, "+-"},
		{"batch by properties", `{` + alice + `,` + write + `, "evaluations": [{` + one + `}, {` + closed + `}]}`, 200, "+-"},
		{"batch of subjects", `{` + write + `,` + closed + `, "evaluations": [{` + alice + `}, {"subject": {"type": "user", "id": "bob", "properties": {"role": "admin"}}}]}`, 200, "-+"},
		{"batch without defaults", `{"evaluations": [{` + alice + `,` + read + `,` + one + `}, {` + bob + `,` + write + `,` + one + `}]}`, 200, "+-"},
		{"batch with parts of defaults", `{` + alice + `,` + write + `, "resource": {"type": "record"}, "evaluations": [{"resource": {"id": "record-1", "properties": {"status": "active"}}}, {` + closed + `}]}`, 200, "+-"},
		{"batch with an error in one", `{` + alice + `,` + read + `, "evaluations": [{` + one + `}, {}]}`, 200, "+-"},
		{"batch without evaluations", `{` + alice + `,` + read + `,` + one + `}`, 200, "+"},
		{"batch with none", `{` + alice + `,` + read + `,` + one + `, "evaluations": []}`, 200, "+"},

		{"execute_all", `{` + bob + `,` + one + `, "options": {"evaluations_semantic": "execute_all", "other": 1}, "evaluations": [{` + write + `}, {` + read + `}, {` + write + `}]}`, 200, "-+-"},
		{"deny_on_first_deny", `{` + bob + `,` + one + `, "options": {"evaluations_semantic": "deny_on_first_deny"}, "evaluations": [{` + read + `}, {` + write + `}, {` + read + `}]}`, 200, "+-"},
		{"deny_on_first_deny, by an error", `{` + bob + `,` + one + `, "options": {"evaluations_semantic": "deny_on_first_deny"}, "evaluations": [{` + read + `}, {}, {` + read + `}]}`, 200, "+-"},
		{"permit_on_first_permit", `{` + bob + `,` + one + `, "options": {"evaluations_semantic": "permit_on_first_permit"}, "evaluations": [{` + write + `}, {` + read + `}, {` + write + `}]}`, 200, "-+"},
		{"another semantic", `{` + bob + `,` + one + `, "options": {"evaluations_semantic": "all"}, "evaluations": [{` + read + `}]}`, 400, ""},
		{"evaluations is an object", `{` + alice + `,` + read + `,` + one + `, "evaluations": {}}`, 400, ""},
		{"an evaluation is a text", `{` + alice + `,` + read + `,` + one + `, "evaluations": ["x"]}`, 400, ""},
	} {
		path := "/access/v1/evaluation"
		if strings.Contains(c.clause, "batch") || strings.Contains(c.body, "evaluations") {
			path += "s"
		}
		status, answer, _ := s.post(t, path, c.body)
		if status != c.status || status == 200 && decided(answer) != c.want {
			t.Errorf("%s: %d %v instead of %d %s", c.clause, status, answer, c.status, c.want)
		}
	}
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"subject", `{"subject": {"type": "user"},` + read + `,` + one + `}`, 200, "alice bob"},
		{"subject", `{"subject": {"type": "user"},` + read + `,` + one + `, "page": {"limit": 1}, "context": {"a": 1}}`, 200, "alice"},
		{"subject", `{"subject": {"type": "user"},` + read + `,` + one + `, "page": {"limit": 2}}`, 200, "alice bob"},
		{"subject", `{"subject": {"type": "user"},` + write + `,` + closed + `}`, 200, "bob"},
		{"subject", `{"subject": {"type": "spaceship"},` + read + `,` + one + `}`, 200, ""},
		{"subject", `{"subject": {"type": "user"},` + one + `}`, 400, ""},
		{"subject", `{"subject": {"type": "user"},` + read + `, "resource": {"type": "record"}}`, 400, ""},
		{"resource", `{` + alice + `,` + read + `, "resource": {"type": "record"}}`, 200, "record-1 record-2"},
		{"resource", `{` + bob + `,` + write + `, "resource": {"type": "record"}}`, 200, "record-2"},
		{"resource", `{` + read + `, "resource": {"type": "record"}}`, 400, ""},
		{"resource", `{"subject": {"type": "user"},` + read + `, "resource": {"type": "record"}}`, 400, ""},
		{"action", `{` + alice + `,` + one + `}`, 200, "read write"},
		{"action", `{"subject": {"type": "user", "id": "bob", "properties": {"role": "admin"}},` + closed + `}`, 200, "read write"},
		{"action", `{"subject": {"type": "user", "id": "nonexistent-user"},` + one + `}`, 200, ""},
		{"action", `{` + alice + `}`, 400, ""},
	} {
		status, answer, _ := s.post(t, "/access/v1/search/"+c.path, c.body)
		if status != c.status || status == 200 && found(answer) != c.want {
			t.Errorf("search/%s %s: %d %v instead of %d %s", c.path, c.body, status, answer, c.status, c.want)
		}
	}
}

// What stands in a body is read in one way only, and costs little.
func TestStrictJSON(t *testing.T) {
	s := certification(t)
	for name, body := range map[string]string{
		"a key twice":                      `{` + alice + `, "subject": {"type": "user", "id": "bob"},` + read + `,` + one + `}`,
		"a key twice, written in two ways": `{` + alice + `, "\u0073ubject": {"type": "user", "id": "bob"},` + read + `,` + one + `}`,
		"a key twice within":               `{"subject": {"type": "user", "id": "alice", "id": "bob"},` + read + `,` + one + `}`,
		"two objects":                      `{` + alice + `,` + read + `,` + one + `} {}`,
		"a list":                           `[{` + alice + `,` + read + `,` + one + `}]`,
		"not UTF-8":                        `{` + alice + `,` + read + `,` + one + ", \"x\": \"\xff\"}",
		"deep":                             `{` + alice + `,` + read + `,` + one + `, "context": ` + strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20) + `}`,
		"a context that is none":           `{` + alice + `,` + read + `,` + one + `, "context": null}`,
		"properties that are none":         `{"subject": {"type": "user", "id": "alice", "properties": []},` + read + `,` + one + `}`,
		"an id too long":                   `{"subject": {"type": "user", "id": "` + strings.Repeat("a", 2000) + `"},` + read + `,` + one + `}`,
		"a property of another type":       `{"subject": {"type": "user", "id": "carol", "properties": {"role": 7}},` + read + `,` + one + `}`,
	} {
		if status, answer, _ := s.post(t, "/access/v1/evaluation", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	if status, _, _ := s.post(t, "/access/v1/evaluation", `{"a": "`+strings.Repeat("a", maxBody)+`"}`); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d", status)
	}
	many := `{` + alice + `,` + read + `, "evaluations": [{` + one + `}` + strings.Repeat(`,{`+one+`}`, maxEvaluations) + `]}`
	if status, _, _ := s.post(t, "/access/v1/evaluations", many); status != http.StatusBadRequest {
		t.Errorf("too many evaluations: %d", status)
	}
}

// Nobody asks who is not named, and nobody about what is not his.
func TestClients(t *testing.T) {
	body := `{` + alice + `,` + read + `,` + one + `}`
	s := serve(t, os.DirFS("testdata/certification"), Resource{"record", "record-1"})
	s.config.Clients = append(s.config.Clients, Client{Name: "by certificate", Certificate: "CN=pep,O=Example", Resources: []Resource{{Type: "record"}}},
		Client{Name: "by both", Token: sha256.Sum256([]byte("second")), Certificate: "CN=both", Resources: []Resource{{Type: "record"}}})
	if err := s.Replace(s.config); err != nil {
		t.Fatal(err)
	}
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", token) }
	}
	certificate := func(name pkix.Name, verified bool) func(*http.Request) {
		return func(r *http.Request) {
			c := &x509.Certificate{Subject: name}
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
			if verified {
				r.TLS.VerifiedChains = [][]*x509.Certificate{{c}}
			}
		}
	}
	none := func(r *http.Request) { r.Header.Del("Authorization") }
	pep := certificate(pkix.Name{CommonName: "pep", Organization: []string{"Example"}}, true)
	parsed := func(sequence ...pkix.AttributeTypeAndValue) (name pkix.Name) {
		var all pkix.RDNSequence
		for _, one := range sequence {
			all = append(all, pkix.RelativeDistinguishedNameSET{one})
		}
		name.FillFromRDNSequence(&all)
		return name
	}
	organisation, mallory, pepName := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "Example"},
		pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "mallory"}, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "pep"}
	for _, c := range []struct {
		name   string
		change []func(*http.Request)
		status int
	}{
		{"its token", nil, 200},
		{"in lower case", []func(*http.Request){bearer("bearer " + token)}, 200},
		{"none", []func(*http.Request){none}, 401},
		{"another", []func(*http.Request){bearer("Bearer other")}, 401},
		{"an empty one", []func(*http.Request){bearer("Bearer ")}, 401},
		{"another scheme", []func(*http.Request){bearer("Basic " + token)}, 401},
		{"its certificate", []func(*http.Request){none, pep}, 200},
		{"its certificate and a token of nobody", []func(*http.Request){bearer("Bearer other"), pep}, 401},
		{"a certificate that was not verified", []func(*http.Request){none, certificate(pkix.Name{CommonName: "pep", Organization: []string{"Example"}}, false)}, 401},
		{"another's certificate", []func(*http.Request){none, certificate(pkix.Name{CommonName: "pep"}, true)}, 401},
		{"its certificate, as one is read", []func(*http.Request){none, certificate(parsed(organisation, pepName), true)}, 200},
		{"its name behind another's", []func(*http.Request){none, certificate(parsed(organisation, mallory, pepName), true)}, 401},
		{"both", []func(*http.Request){bearer("Bearer second"), certificate(pkix.Name{CommonName: "both"}, true)}, 200},
		{"of both the token", []func(*http.Request){bearer("Bearer second")}, 401},
		{"of both the certificate", []func(*http.Request){none, certificate(pkix.Name{CommonName: "both"}, true)}, 401},
	} {
		status, _, header := s.post(t, "/access/v1/evaluation", body, c.change...)
		if status != c.status || (status == 401) != (header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: %d, %q", c.name, status, header.Get("WWW-Authenticate"))
		}
	}
	s.journal.events = nil
	for path, body := range map[string]string{
		"evaluation":      `{` + alice + `,` + read + `,` + two + `}`,
		"search/subject":  `{"subject": {"type": "user"},` + read + `,` + two + `}`,
		"search/action":   `{` + alice + `,` + two + `}`,
		"search/resource": `{` + alice + `,` + read + `, "resource": {"type": "user"}}`,
	} {
		if status, _, _ := s.post(t, "/access/v1/"+path, body); status != http.StatusForbidden {
			t.Errorf("%s of another's resource: %d", path, status)
		}
	}
	if len(s.journal.events) != 4 || s.journal.events[0].Outcome != audit.Fault || s.journal.events[0].Stage != "admit" {
		t.Errorf("records: %+v", s.journal.events)
	}
	if _, answer, _ := s.post(t, "/access/v1/search/resource", `{`+alice+`,`+read+`, "resource": {"type": "record"}}`); found(answer) != "record-1" {
		t.Errorf("a search shows what is not the client's: %v", answer)
	}
	if _, answer, _ := s.post(t, "/access/v1/evaluations", `{`+alice+`,`+read+`, "evaluations": [{`+one+`}, {`+two+`}]}`); decided(answer) != "+-" ||
		!strings.Contains(fmt.Sprint(answer), "403") {
		t.Errorf("of several: %v", answer)
	}
}

func TestRequestID(t *testing.T) {
	s := certification(t)
	id := func(text string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Request-ID", text) }
	}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"evaluation", `{` + alice + `,` + read + `,` + one + `}`, 200}, {"evaluation", `{}`, 400}, {"evaluations", `{`, 400},
		{"search/subject", `{"subject": {"type": "user"},` + read + `,` + one + `}`, 200},
	} {
		status, _, header := s.post(t, "/access/v1/"+c.path, c.body, id("bfe9eb29-ab87"))
		if status != c.status || header.Get("X-Request-ID") != "bfe9eb29-ab87" {
			t.Errorf("%s: %d %v", c.path, status, header)
		}
	}
	if got := string(s.journal.events[0].RequestID); got != "bfe9eb29-ab87" {
		t.Errorf("recorded %q", got)
	}
	if status, _, _ := s.post(t, "/access/v1/evaluation", `{}`, id(strings.Repeat("x", 2000))); status != 400 {
		t.Errorf("a long one: %d", status)
	}
	if status, _, _ := s.post(t, "/access/v1/evaluation", `{`+alice+`,`+read+`,`+one+`}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); status != 400 {
		t.Errorf("another content type: %d", status)
	}
}

// The documents that describe the service name what is there.
func TestDocuments(t *testing.T) {
	s := certification(t)
	get := func(path string) map[string]any {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		var document map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %v", path, w.Code, err)
		}
		return document
	}
	metadata, openapi := get("/.well-known/authzen-configuration"), get("/openapi.json")
	paths := openapi["paths"].(map[string]any)
	if metadata["policy_decision_point"] != "https://pdp.example.com" || len(metadata) != 6 {
		t.Errorf("metadata: %v", metadata)
	}
	for name, value := range metadata {
		path, ok := strings.CutPrefix(value.(string), "https://pdp.example.com")
		if name == "policy_decision_point" {
			continue
		}
		if !ok || paths[path] == nil {
			t.Errorf("%s: %v is not described", name, value)
		}
		if status, _, _ := s.post(t, path, `{}`); status != 400 {
			t.Errorf("%s: %v is not served: %d", name, value, status)
		}
	}
	// Every reference of the document leads somewhere.
	schemas := openapi["components"].(map[string]any)["schemas"].(map[string]any)
	for _, part := range strings.Split(string(openAPIDocument), `"$ref": "#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if schemas[name] == nil {
			t.Errorf("no schema %s", name)
		}
	}
	// It has what a page has, and the bound that there is.
	members := func(schema string) map[string]any {
		return schemas[schema].(map[string]any)["properties"].(map[string]any)
	}
	first := s.page(t, "subject", `{"subject": {"type": "user"},`+read+`,`+one+`}`, `{"limit": 1}`)
	for name := range first.page {
		if members("Page")[name] == nil {
			t.Errorf("%s of a page is not described", name)
		}
	}
	if members("PageRequest")["limit"].(map[string]any)["default"] != float64(maxPage) || len(first.page) != 3 {
		t.Errorf("%v, %v", members("PageRequest"), first.page)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/access/v1/evaluation", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET of an evaluation: %d", w.Code)
	}
}

// Nothing leaves unrecorded, and a source that is silent denies nobody and permits nobody.
func TestFailures(t *testing.T) {
	files := fstest.MapFS{
		"a.cedar": {Data: []byte(`@id("doctors") permit (principal in Role::"doctor", action == Action::"enter", resource);`)},
		"r.json": {Data: []byte(`[{"uid": {"type": "Role", "id": "doctor"}, "attrs": {"attribute": "` + doctorBoolean + `"}, "parents": []},
			{"uid": {"type": "Application", "id": "DTW"}, "attrs": {}, "parents": []}]`)},
	}
	s := serve(t, files, Resource{Type: "Application"})
	const ask = `{"subject": {"type": "Person", "id": "SSIN=00000000097"}, "action": {"name": "enter"}, "resource": {"type": "Application", "id": "DTW"}}`
	status, answer, _ := s.post(t, "/access/v1/evaluation", ask)
	if decided(answer) != "+" || answer["context"].(map[string]any)["until"] != "2026-11-21T21:00:00Z" {
		t.Fatalf("%d %v", status, answer)
	}
	event := s.journal.events[0]
	if event.Client != "pep" || event.Action != "enter" || event.Resource != (audit.Resource{Type: "Application", Name: "DTW"}) || event.Policies != "doctors" ||
		event.Subject != (audit.Identifier{Type: "Person", Value: "SSIN=00000000097"}) || event.Outcome != audit.Success {
		t.Errorf("record: %+v", event)
	}
	if got := answer["context"].(map[string]any)["audit_id"]; got != event.ID.String() {
		t.Errorf("audit_id %v", got)
	}
	s.facts.fail = true
	if status, _, _ := s.post(t, "/access/v1/evaluation", ask); status != 500 {
		t.Errorf("a silent source: %d", status)
	}
	if last := s.journal.events[len(s.journal.events)-1]; last.Outcome != audit.Fault || !strings.Contains(last.Cause, attrs.SourceUnavailable.String()) {
		t.Errorf("record: %+v", last)
	}
	if status, answer, _ := s.post(t, "/access/v1/evaluations", `{"evaluations": [`+ask+`]}`); status != 200 || decided(answer) != "-" || !strings.Contains(fmt.Sprint(answer), "500") {
		t.Errorf("of several: %d %v", status, answer)
	}
	s.facts.fail, s.journal.fail = false, true
	for path, body := range map[string]string{"evaluation": ask, "evaluations": `{"evaluations": [` + ask + `]}`,
		"search/resource": `{"subject": {"type": "Person", "id": "SSIN=00000000097"}, "action": {"name": "enter"}, "resource": {"type": "Application"}}`} {
		if status, _, _ := s.post(t, "/access/v1/"+path, body); status != 500 {
			t.Errorf("%s unrecorded: %d", path, status)
		}
	}
}

// An optional attribute that could not be had is told as that, without values: a client that looks for "true" in them would take it
// for a denial. The trail does not call it released.
func TestOptionalAttributeAway(t *testing.T) {
	s := serve(t, fstest.MapFS{"a.cedar": {Data: []byte(`@id("all") @maximum_validity("1h") permit (principal is Person, action == Action::"release-attribute", resource is Attribute);`)}},
		Resource{Type: "Attribute"})
	s.facts.away = true
	const begin = `{"subject": {"type": "Person", "id": "SSIN=00000000097"}, "action": {"name": "release-attribute"},
		"context": {"mode": "session", "holder": {"kind": "eid", "identifierType": "SSIN", "identifier": "00000000097"}}, "resource": {"type": "Attribute"`
	status, answer, _ := s.post(t, "/access/v1/evaluation", begin+`, "id": "certified:`+doctorBoolean+`"}}`)
	context, _ := answer["context"].(map[string]any)
	told, _ := context["attribute"].(map[string]any)
	if _, values := told["values"]; status != 200 || told["state"] != "unresolved" || values {
		t.Errorf("evaluation: %d %v", status, answer)
	}
	status, answer, _ = s.post(t, "/access/v1/search/resource", begin+`}}`)
	for _, result := range answer["results"].([]any) {
		properties, _ := result.(map[string]any)["properties"].(map[string]any)
		if _, values := properties["values"]; values || properties != nil && properties["state"] != "unresolved" {
			t.Errorf("search: %d %v", status, result)
		}
	}
	recorded := 0
	for _, event := range s.journal.events {
		for _, a := range event.Attributes {
			if recorded++; a.Disposition != audit.Omitted || a.State != audit.Unavailable {
				t.Errorf("record: %+v", a)
			}
		}
	}
	if recorded < 2 {
		t.Errorf("%d attributes recorded", recorded)
	}
}

func TestNewRefuses(t *testing.T) {
	good := certification(t).config
	for name, change := range map[string]func(*Config){
		"no policies": func(c *Config) { c.Policies = nil },
		"no journal":  func(c *Config) { c.Journal = nil },
		"plain HTTP":  func(c *Config) { c.URL = "http://pdp.example.com" },
		"no URL":      func(c *Config) { c.URL = "" },
		"a path":      func(c *Config) { c.URL = "https://pdp.example.com/" },
		"a query":     func(c *Config) { c.URL = "https://pdp.example.com?a" },
		"no client":   func(c *Config) { c.Clients = nil },
		"no name":     func(c *Config) { c.Clients = []Client{{Certificate: "CN=a", Resources: []Resource{{Type: "a"}}}} },
		"no proof":    func(c *Config) { c.Clients = []Client{{Name: "a", Resources: []Resource{{Type: "a"}}}} },
		"no resource": func(c *Config) { c.Clients = []Client{{Name: "a", Certificate: "CN=a"}} },
		"one token of two": func(c *Config) {
			c.Clients = append(c.Clients[:1:1], Client{Name: "b", Token: c.Clients[0].Token, Resources: []Resource{{Type: "a"}}})
		},
		"one name of two": func(c *Config) {
			c.Clients = append(c.Clients[:1:1], Client{Name: "pep", Certificate: "CN=a", Resources: []Resource{{Type: "a"}}})
		},
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	good.Now, good.URL = time.Now, "http://127.0.0.1:8080"
	if _, err := New(good); err != nil {
		t.Errorf("on loopback: %v", err)
	}
	for text, ok := range map[string]bool{"": false, "::a": false, "A::": false, "A": true, "A::b": true, "A::b::c": true} {
		if _, err := ParseResource(text); (err == nil) != ok {
			t.Errorf("resource %q: %v", text, err)
		}
	}
}

// FuzzEvaluation: whatever a client sends, the answer is a decision or an error of the specification, a permit comes from
// a policy, and each decision has its record.
func FuzzEvaluation(f *testing.F) {
	for _, seed := range []string{`{` + alice + `,` + read + `,` + one + `}`, `{` + bob + `,` + write + `,` + closed + `}`,
		`{` + alice + `,` + read + `, "evaluations": [{` + one + `}, {}]}`, `{"subject": {"type": "Person", "id": "SSIN=1"},` + read + `,` + one + `}`,
		`{"subject": {"type": "user"},` + read + `,` + one + `, "page": {"limit": 1, "token": "AAAA", "properties": {}}}`} {
		f.Add(seed)
	}
	s := certification(f)
	f.Fuzz(func(t *testing.T, body string) {
		s.journal.events = nil
		for _, path := range []string{"evaluation", "evaluations", "search/subject", "search/resource", "search/action"} {
			status, answer, _ := s.post(t, "/access/v1/"+path, body)
			switch status {
			case 200:
				if strings.HasPrefix(path, "evaluation") && strings.Contains(decided(answer), "?") {
					t.Errorf("%s: no decision in %v", path, answer)
				}
			case 400, 403, 413:
			default:
				t.Errorf("%s: status %d", path, status)
			}
		}
		for _, e := range s.journal.events {
			if e.Outcome == audit.Success && e.Policies == "" {
				t.Errorf("permitted by nothing: %+v", e)
			}
		}
	})
}

package authzen_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/internal/testpki"
	server "sceau/policy/authzen"
	"sceau/policy/cedar"
	"sceau/saml"
	"sceau/wsp"
	"sceau/wsp/authzen"
	"sceau/wsp/wsptest"
)

const doctor = "urn:be:fgov:person:ssin:doctor:boolean"

var alice = saml.Statement{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification, Values: []string{testpki.AliceSSIN}}

func message(t testing.TB) []byte {
	return wsptest.Call(t, &testpki.Load().AliceEHealth, alice, saml.Statement{Name: doctor, Namespace: attrs.NamespaceCertified, Values: []string{"true"}})
}

var dtw = authzen.Resource{Type: "Application", ID: "DTW"}

// ask lets a guard with a PDP at url judge a message.
func ask(t testing.TB, c authzen.Config) error {
	t.Helper()
	c.Resource = dtw
	pdp, err := authzen.New(c)
	if err != nil {
		t.Fatal(err)
	}
	caller, err := wsptest.Guard(t, func(c *wsp.Config) { c.PDP = pdp }).Admit(message(t), testpki.Now())
	if (err == nil) == caller.IsZero() {
		t.Error("a caller beside a refusal, or none")
	}
	return err
}

// TestAnswers: true admits, false denies, and nothing else is a decision.
func TestAnswers(t *testing.T) {
	const yes = `{"decision": true}`
	for name, c := range map[string]struct {
		status      int
		media, body string
		reason      wsp.Reason
	}{
		"true":                    {200, "application/json", yes, 0},
		"true, and more":          {200, "application/json; charset=utf-8", `{"context": {"decision": false}, "decision": true, "x": [1]}`, 0},
		"false":                   {200, "application/json", `{"decision": false}`, wsp.Denied},
		"of the context only":     {200, "application/json", `{"context": {"decision": true}}`, wsp.NoDecision},
		"both":                    {200, "application/json", `{"decision": false, "decision": true}`, wsp.NoDecision},
		"in another case":         {200, "application/json", `{"Decision": true}`, wsp.NoDecision},
		"a text":                  {200, "application/json", `{"decision": "true"}`, wsp.NoDecision},
		"a number":                {200, "application/json", `{"decision": 1}`, wsp.NoDecision},
		"null":                    {200, "application/json", `{"decision": null}`, wsp.NoDecision},
		"nothing":                 {200, "application/json", ``, wsp.NoDecision},
		"no object":               {200, "application/json", `true`, wsp.NoDecision},
		"a list":                  {200, "application/json", `[` + yes + `]`, wsp.NoDecision},
		"broken off":              {200, "application/json", `{"decision": true`, wsp.NoDecision},
		"something after":         {200, "application/json", yes + yes, wsp.NoDecision},
		"too long":                {200, "application/json", yes + strings.Repeat(" ", 1<<20), wsp.NoDecision},
		"a page":                  {200, "text/html", yes, wsp.NoDecision},
		"who is not known":        {401, "application/json", yes, wsp.NoDecision},
		"not our resource":        {403, "application/json", yes, wsp.NoDecision},
		"created":                 {201, "application/json", yes, wsp.NoDecision},
		"a server that is broken": {500, "application/json", yes, wsp.NoDecision},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.media)
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			}))
			defer s.Close()
			if err := ask(t, authzen.Config{URL: s.URL}); wsp.ReasonOf(err) != c.reason {
				t.Errorf("%v, want %v", err, c.reason)
			}
		})
	}
}

// TestNoAnswer: who does not answer, or sends us elsewhere, decides nothing.
func TestNoAnswer(t *testing.T) {
	release := make(chan struct{})
	yes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"decision": true}`)
	}))
	defer yes.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	elsewhere := httptest.NewServer(http.RedirectHandler(yes.URL, http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, url := range map[string]string{"slow": slow.URL, "elsewhere": elsewhere.URL, "gone": gone.URL} {
		if err := ask(t, authzen.Config{URL: url, Timeout: 50 * time.Millisecond}); wsp.ReasonOf(err) != wsp.NoDecision || !errors.Is(err, wsp.ErrNoDecision) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestQuestion: what the PDP is told, and what it is not.
func TestQuestion(t *testing.T) {
	var got struct {
		Subject, Action, Resource struct {
			Type, ID, Name string
			Properties     map[string]string
		}
		Context struct {
			Holder             map[string]string
			ConfirmationMethod string
			Attributes         map[string][]string
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Context.Attributes = nil
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("Authorization") != "Bearer s3cret" || r.Header.Get("Content-Type") != "application/json" {
			t.Error(err, r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"decision": true}`)
	}))
	defer s.Close()
	for _, attributes := range []bool{false, true} {
		if err := ask(t, authzen.Config{URL: s.URL, Token: "s3cret", Attributes: attributes}); err != nil {
			t.Fatal(err)
		}
		if got.Subject.Type != "Person" || got.Subject.ID != "SSIN="+testpki.AliceSSIN || got.Subject.Properties["kind"] != "ehealth-person" || got.Action.Name != "enter" ||
			got.Action.Properties["operation"] != "Echo" || got.Resource.Type != "Application" || got.Resource.ID != "DTW" || got.Context.ConfirmationMethod != "holder-of-key" || got.Context.Holder["identifierType"] != "SSIN" {
			t.Errorf("%+v", got)
		}
		if values := got.Context.Attributes[attrs.NamespaceCertified+" "+doctor]; (len(values) == 1 && values[0] == "true") != attributes {
			t.Error(got.Context.Attributes)
		}
	}
}

type journal struct{}

func (journal) Record(context.Context, *audit.Event) error { return nil }

// TestOurs asks the decision point of the token service.
func TestOurs(t *testing.T) {
	definition, _ := attrs.EHealth().Find(attrs.Designator{Name: doctor, Namespace: attrs.NamespaceCertified})
	facts, err := attrs.NewStatic("registry", testpki.Now, []attrs.StaticFact{{Subject: attrs.Subject{Type: attrs.SubjectSSIN, Value: testpki.AliceSSIN}, Definition: definition, Fact: attrs.Fact{Value: "true"}}})
	if err != nil {
		t.Fatal(err)
	}
	policies, err := cedar.Load(cedar.Config{Catalogue: attrs.EHealth(), Attributes: facts, Files: fstest.MapFS{
		"p.cedar": {Data: []byte(`@id("doctors") permit (principal in Role::"doctor", action == Action::"enter", resource == Application::"DTW");`)},
		"r.json": {Data: []byte(`[{"uid": {"type": "Role", "id": "doctor"}, "attrs": {"attribute": "` + doctor + `"}, "parents": []},
			{"uid": {"type": "Application", "id": "DTW"}, "attrs": {}, "parents": []}]`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := server.New(server.Config{Policies: policies, Journal: journal{}, Now: testpki.Now, URL: "https://pdp.example.org",
		Clients: []server.Client{{Name: "guard", Token: sha256.Sum256([]byte("s3cret")), Resources: []server.Resource{{Type: "Application", ID: "DTW"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	at := s.URL + "/access/v1/evaluation"
	if err := ask(t, authzen.Config{URL: at, Token: "s3cret"}); err != nil {
		t.Error(err)
	}
	if err := ask(t, authzen.Config{URL: at, Token: "s3cret", Action: "administer"}); wsp.ReasonOf(err) != wsp.Denied {
		t.Error(err)
	}
	if err := ask(t, authzen.Config{URL: at, Token: "another"}); wsp.ReasonOf(err) != wsp.NoDecision {
		t.Error(err)
	}
}

// TestNew: whoever could stand between is not asked.
func TestNew(t *testing.T) {
	for _, c := range []authzen.Config{
		{}, {URL: "https://pdp.example"}, {URL: "http://pdp.example/x", Resource: dtw}, {URL: "https://a:b@pdp.example/x", Resource: dtw},
		{URL: "file:///x", Resource: dtw}, {URL: "https://pdp.example/x", Resource: dtw, Timeout: -1},
	} {
		if _, err := authzen.New(c); err == nil {
			t.Errorf("%+v: taken", c)
		}
	}
	if pdp, err := authzen.New(authzen.Config{URL: "https://pdp.example/x", Resource: dtw}); err != nil || pdp.Decide(context.Background(), nil) == nil {
		t.Error(err, "nobody may enter")
	}
}

func Example() {
	var t testing.T
	decisions := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"decision": false, "context": {"reason": "denied"}}`)
	}))
	defer decisions.Close()
	pdp, err := authzen.New(authzen.Config{
		URL:      decisions.URL + "/access/v1/evaluation",
		Token:    "s3cret",
		Resource: authzen.Resource{Type: "Application", ID: "DTW"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	guard := wsptest.Guard(&t, func(c *wsp.Config) { c.PDP = pdp })
	defer guard.Close()
	_, err = guard.Admit(message(&t), testpki.Now())
	fmt.Println(err)
	fmt.Println(wsp.FaultOf(err).SOA.Text)
	// Output:
	// wsp: denied: authzen: denied
	// Service call not authorized
}

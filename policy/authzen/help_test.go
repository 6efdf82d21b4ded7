package authzen

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy/cedar"
)

var start = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

const token = "s3cret"

// journal keeps events in memory, and can be made to fail.
type journal struct {
	mu     sync.Mutex
	events []audit.Event
	fail   bool
}

func (j *journal) Record(_ context.Context, e *audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail {
		return errors.New("disk full")
	}
	j.events = append(j.events, *e)
	return nil
}

// facts answers, or fails, or is asked for what is optional and cannot be had.
type facts struct {
	*attrs.Static
	fail, away bool
}

func (f *facts) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	if f.fail {
		return dst, &attrs.Error{Reason: attrs.SourceUnavailable, Source: "registry"}
	}
	if f.away {
		for _, d := range q.Definitions {
			dst = append(dst, attrs.Certified{Definition: d, State: attrs.Unresolved, Source: "registry", Failure: &attrs.Error{Reason: attrs.SourceUnavailable, Source: "registry"}})
		}
		return dst, nil
	}
	return f.Static.Resolve(ctx, q, dst)
}

type service struct {
	*Handler
	config  Config
	journal *journal
	facts   *facts
}

const doctorBoolean = "urn:be:fgov:person:ssin:doctor:boolean"

func serve(t testing.TB, files fs.FS, resources ...Resource) *service {
	t.Helper()
	doctor, _ := attrs.EHealth().Find(attrs.Designator{Name: doctorBoolean, Namespace: attrs.NamespaceCertified})
	static, err := attrs.NewStatic("registry", func() time.Time { return start }, []attrs.StaticFact{{
		Subject: attrs.Subject{Type: attrs.SubjectSSIN, Value: "00000000097"}, Definition: doctor,
		Fact: attrs.Fact{Value: "true", NotOnOrAfter: start.Add(time.Hour)}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &service{journal: &journal{}, facts: &facts{Static: static}}
	policies, err := cedar.Load(cedar.Config{Files: files, Catalogue: attrs.EHealth(), Attributes: s.facts})
	if err != nil {
		t.Fatal(err)
	}
	s.config = Config{Policies: policies, URL: "https://pdp.example.com", Journal: s.journal, Now: func() time.Time { return start },
		Clients: []Client{{Name: "pep", Token: sha256.Sum256([]byte(token)), Resources: resources}}}
	if s.Handler, err = New(s.config); err != nil {
		t.Fatal(err)
	}
	return s
}

func certification(t testing.TB) *service {
	return serve(t, os.DirFS("testdata/certification"), Resource{Type: "record"})
}

// asking is a request with a body, and where its answer goes.
func asking(path, body string, change ...func(*http.Request)) (*http.Request, *httptest.ResponseRecorder) {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	for _, c := range change {
		c(r)
	}
	return r, httptest.NewRecorder()
}

// post sends a body and gives the status and the answer.
func (s *service) post(t testing.TB, path, body string, change ...func(*http.Request)) (int, map[string]any, http.Header) {
	t.Helper()
	r, w := asking(path, body, change...)
	s.ServeHTTP(w, r)
	var answer map[string]any
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %v: %s", path, err, w.Body)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: Content-Type %q", path, got)
		}
	} else if w.Body.Len() == 0 {
		t.Errorf("%s: status %d without a word", path, w.Code)
	}
	return w.Code, answer, w.Header()
}

// decided gives the decisions of an answer: "+" or "-" for each.
func decided(answer map[string]any) string {
	sign := func(value any) string {
		if d, ok := value.(map[string]any)["decision"].(bool); ok && d {
			return "+"
		} else if ok {
			return "-"
		}
		return "?"
	}
	list, ok := answer["evaluations"].([]any)
	if !ok {
		return sign(answer)
	}
	var signs string
	for _, item := range list {
		signs += sign(item)
	}
	return signs
}

// found gives the ids, or the names, of a search.
func found(answer map[string]any) string {
	var names []string
	for _, item := range answer["results"].([]any) {
		result := item.(map[string]any)
		for _, key := range []string{"id", "name"} {
			if name, ok := result[key].(string); ok {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, " ")
}

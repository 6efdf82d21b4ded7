package metrics_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/audit"
	"sceau/audit/metrics"
)

// gathered writes every series of a registry as `name{label="value"} value`.
func gathered(t testing.TB, registry *prometheus.Registry) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
			}
			value := metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			all = append(all, fmt.Sprintf("%s{%s} %v", family.GetName(), strings.Join(labels, ","), value))
		}
	}
	slices.Sort(all)
	return all
}

func newMetrics(t testing.TB) (*metrics.Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	m, err := metrics.New(metrics.Config{Registerer: registry, Services: []string{"saml11", "saml11"}, Codes: []string{"REQ-01", "REQ-02"},
		Clients: []string{"psc"}, Means: []string{"carte"}})
	if err != nil {
		t.Fatal(err)
	}
	return m, registry
}

func event() *audit.Event {
	return &audit.Event{Service: "saml11", Outcome: audit.Success, Duration: time.Millisecond, Attributes: []audit.Attribute{
		{Name: "a", Disposition: audit.Released, State: audit.Affirmed},
		{Name: "b", Disposition: audit.Released, State: audit.Affirmed},
		{Name: "c", Disposition: audit.Omitted},
	}}
}

func TestEventsAreCounted(t *testing.T) {
	m, registry := newMetrics(t)
	m.Observe(event(), nil)
	m.Observe(event(), nil)
	m.Observe(&audit.Event{Service: "saml11", Outcome: audit.Refused, Code: "REQ-01"}, nil)
	m.Observe(&audit.Event{Service: "saml11", Outcome: audit.Success}, &audit.Error{Reason: audit.Unwritable})
	m.Observe(&audit.Event{Service: "saml11", Outcome: audit.Success}, fmt.Errorf("another sink's"))
	want := []string{
		`sceau_attributes_total{disposition="omitted",state=""} 2`,
		`sceau_attributes_total{disposition="released",state="affirmed"} 4`,
		`sceau_audit_refusals_total{reason="other"} 1`,
		`sceau_audit_refusals_total{reason="unwritable"} 1`,
		`sceau_request_duration_seconds{outcome="refused",service="saml11"} 1`,
		`sceau_request_duration_seconds{outcome="success",service="saml11"} 4`,
		`sceau_requests_total{code="",outcome="success",service="saml11"} 4`,
		`sceau_requests_total{code="REQ-01",outcome="refused",service="saml11"} 1`,
	}
	if got := gathered(t, registry); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoginsAreCounted(t *testing.T) {
	m, registry := newMetrics(t)
	login := func(operation, client, means string, outcome audit.Outcome) {
		m.Observe(&audit.Event{Service: audit.ServiceOIDC, Operation: operation, Client: client, Means: means, Outcome: outcome}, nil)
	}
	login(audit.OperationAuthentication, "psc", "carte", audit.Success)
	login(audit.OperationAuthentication, "psc", "carte", audit.Success)
	login(audit.OperationAuthentication, "psc", "", audit.Refused)
	login(audit.OperationToken, "psc", "carte", audit.Success) // stands on an authentication and is none
	login(audit.OperationToken, "", "", audit.Refused)
	login("anything", "stranger", "", audit.Fault)
	m.Observe(&audit.Event{Service: "saml11", Operation: audit.OperationAuthentication, Outcome: audit.Success}, nil)
	want := []string{
		`sceau_authentications_total{means="",outcome="refused"} 1`,
		`sceau_authentications_total{means="carte",outcome="success"} 2`,
		`sceau_oidc_events_total{client="",operation="token",outcome="refused"} 1`,
		`sceau_oidc_events_total{client="other",operation="other",outcome="fault"} 1`,
		`sceau_oidc_events_total{client="psc",operation="authentication",outcome="refused"} 1`,
		`sceau_oidc_events_total{client="psc",operation="authentication",outcome="success"} 2`,
		`sceau_oidc_events_total{client="psc",operation="token",outcome="success"} 1`,
	}
	got := slices.DeleteFunc(gathered(t, registry), func(series string) bool { return strings.HasPrefix(series, "sceau_request") })
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Z10: whatever stands in messages, the number of series does not grow with it.
func TestLabelsAreBounded(t *testing.T) {
	m, registry := newMetrics(t)
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for n := range 2000 {
				text := fmt.Sprint(w, n)
				m.Observe(&audit.Event{Service: audit.ServiceOIDC, Operation: text, Client: text, Means: text, Outcome: audit.Outcome(n)}, nil)
				m.Observe(&audit.Event{Service: audit.ServiceOIDC, Operation: audit.OperationAuthentication, Client: text, Means: text, Outcome: audit.Outcome(n)}, nil)
				m.Observe(&audit.Event{Service: text, Code: text, Stage: text, Cause: text, Outcome: audit.Outcome(n), RequestID: []byte(text),
					Attributes: []audit.Attribute{{Name: text, Namespace: text, Rule: text, Source: text, Disposition: audit.Disposition(n), State: audit.State(n)}}}, nil)
			}
		})
	}
	all.Wait()
	if got := gathered(t, registry); len(got) > 4+4+20+2*4+4 {
		t.Errorf("%d series", len(got))
	} else {
		for _, series := range got {
			if strings.Contains(series, "1999") {
				t.Error(series)
			}
		}
	}
}

func TestNamesAreTakenOnce(t *testing.T) {
	_, registry := newMetrics(t)
	if _, err := metrics.New(metrics.Config{Registerer: registry}); err == nil {
		t.Error("registered twice")
	}
	if _, err := metrics.New(metrics.Config{}); err == nil {
		t.Error("registered nowhere")
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	m, _ := newMetrics(t)
	e := event()
	m.Observe(e, nil)
	login := &audit.Event{Service: audit.ServiceOIDC, Operation: audit.OperationAuthentication, Client: "psc", Means: "carte", Outcome: audit.Success}
	m.Observe(login, nil)
	if n := testing.AllocsPerRun(100, func() { m.Observe(e, nil); m.Observe(login, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type fixed audit.Stats

func (f fixed) Stats() audit.Stats { return audit.Stats(f) }

func TestJournalIsCollected(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.Journal(fixed{Events: 1, Failures: 2, Commits: 3, CommitTime: 1500 * time.Millisecond, Bytes: 4, File: 5, Seq: 6, PendingEvents: 7, Failing: true}))
	want := []string{
		"sceau_audit_bytes_total{} 4", "sceau_audit_commit_seconds_total{} 1.5", "sceau_audit_commits_total{} 3", "sceau_audit_events_total{} 1",
		"sceau_audit_failing{} 1", "sceau_audit_failures_total{} 2", "sceau_audit_file{} 5", "sceau_audit_pending_events{} 7", "sceau_audit_sequence{} 6",
	}
	if got := gathered(t, registry); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	var _ metrics.Source = (*audit.Journal)(nil)
}

func BenchmarkObserve(b *testing.B) {
	m, _ := newMetrics(b)
	e := event()
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(e, nil)
	}
}

package metrics

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/audit"
)

// Config says what may stand in labels. All fields but Registerer may be empty.
type Config struct {
	// Registerer is where the metrics are registered. Required.
	Registerer prometheus.Registerer
	// Services and Codes are the values that audit.Event.Service and Code can
	// have. An empty code needs no mention.
	Services, Codes []string
	// Clients and Means are the values that audit.Event.Client and Means can have in events of audit.ServiceOIDC. An empty one needs no mention.
	Clients, Means []string
}

// Metrics counts events. New makes it; it is safe for concurrent use, and once warm it allocates nothing.
type Metrics struct {
	services, codes map[string]int // to an index; 0 is "other"
	serviceNames    []string
	codeNames       []string

	requests   *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	attributes *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	logins     *logins

	// Series by label indices, filled when first counted: a CounterVec would hash its labels on every request.
	request   []atomic.Pointer[prometheus.Counter]
	duration  []atomic.Pointer[prometheus.Observer]
	attribute [dispositions * states]atomic.Pointer[prometheus.Counter]
}

var _ audit.Observer = (*Metrics)(nil)

const (
	outcomes     = int(audit.Fault) + 1
	dispositions = int(audit.Withheld) + 1
	states       = int(audit.Unavailable) + 1
)

// New registers the metrics. The error is the Registerer's.
func New(c Config) (*Metrics, error) {
	if c.Registerer == nil {
		return nil, errors.New("metrics: no Registerer")
	}
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sceau_requests_total", Help: "Requests answered, by service, outcome and code.",
		}, []string{"service", "outcome", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sceau_request_duration_seconds", Help: "Time from the arrival of a request to its audit record.",
			// A request costs from 0.1 ms (P-256) to a few ms (RSA, fsync); beyond it waits for a source or the disk.
			Buckets: []float64{50e-6, 100e-6, 200e-6, 400e-6, 700e-6, 1e-3, 1.5e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10},
		}, []string{"service", "outcome"}),
		attributes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sceau_attributes_total", Help: "Attributes asked for, by what became of them and what the source said.",
		}, []string{"disposition", "state"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sceau_audit_refusals_total", Help: "Events that could not be recorded; nothing was issued for them.",
		}, []string{"reason"}),
	}
	m.services, m.serviceNames = index(c.Services)
	m.codes, m.codeNames = index(append([]string{""}, c.Codes...))
	m.request = make([]atomic.Pointer[prometheus.Counter], len(m.serviceNames)*outcomes*len(m.codeNames))
	m.duration = make([]atomic.Pointer[prometheus.Observer], len(m.serviceNames)*outcomes)
	m.logins = newLogins(c)
	for _, collector := range []prometheus.Collector{m.requests, m.durations, m.attributes, m.refusals, m.logins.events, m.logins.authentications} {
		if err := c.Registerer.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// index numbers distinct names from 1; 0 is for all others.
func index(names []string) (map[string]int, []string) {
	numbers, known := map[string]int{}, []string{"other"}
	for _, name := range names {
		if _, twice := numbers[name]; !twice {
			numbers[name] = len(known)
			known = append(known, name)
		}
	}
	return numbers, known
}

// Observe counts one event. It keeps nothing of e.
func (m *Metrics) Observe(e *audit.Event, err error) {
	service, outcome, code := m.services[e.Service], int(e.Outcome), m.codes[e.Code]
	if outcome >= outcomes {
		outcome = 0
	}
	at := service*outcomes + outcome
	m.requestCounter(at*len(m.codeNames)+code, service, outcome, code).Inc()
	m.durationObserver(at, service, outcome).Observe(e.Duration.Seconds())
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if int(a.Disposition) < dispositions && int(a.State) < states {
			m.attributeCounter(a.Disposition, a.State).Inc()
		}
	}
	if e.Service == audit.ServiceOIDC {
		m.logins.observe(e, outcome)
	}
	if err != nil {
		m.refusals.WithLabelValues(reasonOf(err)).Inc()
	}
}

func (m *Metrics) requestCounter(at, service, outcome, code int) prometheus.Counter {
	if known := m.request[at].Load(); known != nil {
		return *known
	}
	counter := m.requests.WithLabelValues(m.serviceNames[service], audit.Outcome(outcome).String(), m.codeNames[code])
	m.request[at].Store(&counter)
	return counter
}

func (m *Metrics) durationObserver(at, service, outcome int) prometheus.Observer {
	if known := m.duration[at].Load(); known != nil {
		return *known
	}
	observer := m.durations.WithLabelValues(m.serviceNames[service], audit.Outcome(outcome).String())
	m.duration[at].Store(&observer)
	return observer
}

func (m *Metrics) attributeCounter(d audit.Disposition, s audit.State) prometheus.Counter {
	at := int(d)*states + int(s)
	if known := m.attribute[at].Load(); known != nil {
		return *known
	}
	counter := m.attributes.WithLabelValues(d.String(), s.String())
	m.attribute[at].Store(&counter)
	return counter
}

func reasonOf(err error) string {
	var e *audit.Error
	if errors.As(err, &e) {
		return e.Reason.String()
	}
	return "other"
}

package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/audit"
)

// logins counts the events of the OpenID Connect face.
type logins struct {
	operations, clients, means map[string]int // to an index; 0 is "other"
	operationNames             []string
	clientNames, meansNames    []string

	events          *prometheus.CounterVec
	authentications *prometheus.CounterVec

	// Series by label indices, as in Metrics.
	event          []atomic.Pointer[prometheus.Counter]
	authentication []atomic.Pointer[prometheus.Counter]
}

func newLogins(c Config) *logins {
	l := &logins{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sceau_oidc_events_total", Help: "Events of the OpenID Connect face, by operation, client and outcome.",
		}, []string{"operation", "client", "outcome"}),
		authentications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sceau_authentications_total", Help: "Authentications of persons, by means and outcome.",
		}, []string{"means", "outcome"}),
	}
	l.operations, l.operationNames = index(audit.OIDCOperations())
	l.clients, l.clientNames = index(append([]string{""}, c.Clients...))
	l.means, l.meansNames = index(append([]string{""}, c.Means...))
	l.event = make([]atomic.Pointer[prometheus.Counter], len(l.operationNames)*len(l.clientNames)*outcomes)
	l.authentication = make([]atomic.Pointer[prometheus.Counter], len(l.meansNames)*outcomes)
	return l
}

func (l *logins) observe(e *audit.Event, outcome int) {
	operation, client := l.operations[e.Operation], l.clients[e.Client]
	at := &l.event[(operation*len(l.clientNames)+client)*outcomes+outcome]
	counter := at.Load()
	if counter == nil {
		counter = keep(at, l.events.WithLabelValues(l.operationNames[operation], l.clientNames[client], audit.Outcome(outcome).String()))
	}
	(*counter).Inc()
	if e.Operation != audit.OperationAuthentication {
		return
	}
	means := l.means[e.Means]
	at = &l.authentication[means*outcomes+outcome]
	if counter = at.Load(); counter == nil {
		counter = keep(at, l.authentications.WithLabelValues(l.meansNames[means], audit.Outcome(outcome).String()))
	}
	(*counter).Inc()
}

func keep(at *atomic.Pointer[prometheus.Counter], counter prometheus.Counter) *prometheus.Counter {
	at.Store(&counter)
	return &counter
}

package main

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/certs"
	"sceau/soap"
	"sceau/wsp"
)

// service is our name in the trail and in metrics.
const service = "wsp"

// trace records decisions: in the journal, where there is one, and in the metrics.
type trace struct {
	journal *audit.Journal // nil: none
	counted audit.Observer // told by the journal, and by us without one
}

type operationName struct{}

// operation names what is asked of the guard in the trail.
func operation(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), operationName{}, name)))
	})
}

// Record implements wsp.Recorder.
func (t *trace) Record(ctx context.Context, d *wsp.Decision) (string, error) {
	e := audit.Event{ID: audit.NewID(d.At), Time: d.At, Duration: d.Took, Service: service, Outcome: audit.Success, Remote: audit.ClassifyRemote(d.Remote)}
	e.Operation, _ = ctx.Value(operationName{}).(string)
	if d.Err != nil {
		fault := wsp.FaultOf(d.Err)
		e.Outcome, e.Code, e.Stage, e.Cause = audit.Fault, fault.SOA.Code, wsp.ReasonOf(d.Err).String(), d.Err.Error()
		if fault.SOA == soap.SOANotAuthorized {
			e.Outcome = audit.Refused
		}
	}
	if c := d.Caller; !c.IsZero() {
		_, name := c.Operation()
		e.Action, e.Mode, e.MessageDigest, e.AssertionID = name, string(c.Confirmation()), c.MessageDigest(), []byte(c.AssertionID())
		e.NotBefore, e.NotOnOrAfter = c.Validity()
		e.Holder = partyOf(c.Holder())
		if ssin, ok := c.Value(attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification}); ok {
			e.Subject = audit.Identifier{Type: string(certs.SSIN), Value: ssin}
		} else {
			e.Subject = e.Holder.Identifier
		}
	}
	return t.record(ctx, &e)
}

// session records what was decided about a request of a session.
func (t *trace) session(ctx context.Context, s *session, holder certs.Identity, remote netip.Addr, at time.Time, refusal error) (string, error) {
	e := audit.Event{ID: audit.NewID(at), Time: at, Duration: time.Since(at), Service: service, Operation: "auth-request", Outcome: audit.Success, Remote: audit.ClassifyRemote(remote)}
	if refusal != nil {
		e.Outcome, e.Code, e.Stage, e.Cause = audit.Fault, soap.SOANotAuthenticated.Code, "session", refusal.Error()
	} else {
		e.Mode, e.Holder, e.AssertionID, e.RequestID = "session", partyOf(holder), []byte(s.said.Assertion.ID), []byte(s.registered.ID)
		e.Subject = e.Holder.Identifier
	}
	return t.record(ctx, &e)
}

func (t *trace) record(ctx context.Context, e *audit.Event) (string, error) {
	if t.journal == nil {
		t.counted.Observe(e, nil)
		return e.ID.String(), nil
	}
	return e.ID.String(), t.journal.Record(ctx, e)
}

func partyOf(i certs.Identity) audit.Party {
	certificate := i.Certificate()
	if certificate == nil {
		return audit.Party{}
	}
	kind, value := i.Identifier()
	return audit.Party{Kind: i.Kind().String(), Identifier: audit.Identifier{Type: string(kind), Value: value}, Fingerprint: certificate.Fingerprint()}
}

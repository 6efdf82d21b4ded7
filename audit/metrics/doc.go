// Package metrics reads Prometheus metrics from the events that the audit journal
// keeps, so that indicators and trace cannot tell different stories.
//
// [New] gives an [audit.Observer] for audit.Config.Observers; [Journal] gives a collector for
// the journal itself:
//
//	sceau_requests_total{service,outcome,code}           one a request, whatever its end
//	sceau_request_duration_seconds{service,outcome}      histogram
//	sceau_attributes_total{disposition,state}            attributes asked for, by what became of them
//	sceau_audit_refusals_total{reason}                   events that could not be recorded; nothing was issued for them
//
//	sceau_oidc_events_total{operation,client,outcome}    events of the OpenID Connect face
//	sceau_authentications_total{means,outcome}           persons who proved who they are, or did not
//
//	sceau_audit_events_total, _failures_total, _commits_total, _commit_seconds_total, _bytes_total
//	sceau_audit_sequence, _file, _pending_events, _failing
//
// No label takes its value from a message (attacks.md Z10, cardinality): services, codes, clients and means are those of the Config,
// operations those of package audit, and any other is counted as "other". Series come into being when first counted.
package metrics

package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// collectors registers the metrics that are read from the parts at each scrape.
func (s *system) collectors() {
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sceau_replay_entries", Help: "Messages remembered for replay detection.",
	}, func() float64 { return float64(s.replay.Len()) }))
	s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sceau_signer_not_after_seconds", Help: "End of the signing certificate, seconds since 1970.",
	}, func() float64 { return float64(s.service.SignerNotAfter().Unix()) }))
	s.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "sceau_overload_refusals_total", Help: "Requests refused because there were too many; they share audit records.",
	}, func() float64 { return float64(s.overload.total.Load()) }))
	s.metrics.MustRegister(crlCollector{s})
	s.metrics.MustRegister(ocspCollector{s})
	s.metrics.MustRegister(keyCollector{s})
	s.metrics.MustRegister(sourceCollector{s})
	s.metrics.MustRegister(policyCollector{s})
	s.metrics.MustRegister(s.handshake.refused)
}

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
	s.metrics.MustRegister(keyCollector{s})
	s.metrics.MustRegister(s.handshake.refused)
}

// crlCollector tells how the CRLs of each authority stand.
type crlCollector struct{ s *system }

var (
	crlNextUpdate = prometheus.NewDesc("sceau_crl_next_update_seconds", "nextUpdate of the CRL that ends first, seconds since 1970.", []string{"authority"}, nil)
	crlEntries    = prometheus.NewDesc("sceau_crl_entries", "Revoked certificates that are known.", []string{"authority"}, nil)
	crlUsable     = prometheus.NewDesc("sceau_crl_usable", "1 when a certificate that is not listed would pass.", []string{"authority"}, nil)
)

// Describe implements prometheus.Collector.
func (c crlCollector) Describe(out chan<- *prometheus.Desc) {
	out <- crlNextUpdate
	out <- crlEntries
	out <- crlUsable
}

// Collect implements prometheus.Collector.
func (c crlCollector) Collect(out chan<- prometheus.Metric) {
	status := c.s.verifier.Status(c.s.now())
	for i := range status.Authorities {
		a := &status.Authorities[i]
		usable := 0.0
		if a.Usable() {
			usable = 1
		}
		out <- prometheus.MustNewConstMetric(crlUsable, prometheus.GaugeValue, usable, a.Subject)
		out <- prometheus.MustNewConstMetric(crlEntries, prometheus.GaugeValue, float64(a.Entries), a.Subject)
		if !a.NextUpdate.IsZero() {
			out <- prometheus.MustNewConstMetric(crlNextUpdate, prometheus.GaugeValue, float64(a.NextUpdate.Unix()), a.Subject)
		}
	}
}

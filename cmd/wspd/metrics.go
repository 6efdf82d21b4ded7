package main

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/certs"
)

// trustCollector tells at each scrape whether the CRLs of authorities can be used.
type trustCollector struct{ verifier *certs.Verifier }

var crlUsable = prometheus.NewDesc("sceau_crl_usable", "1 when a certificate that is not listed would pass.", []string{"authority"}, nil)

// Describe implements prometheus.Collector.
func (trustCollector) Describe(out chan<- *prometheus.Desc) { out <- crlUsable }

// Collect implements prometheus.Collector. Two authorities of one name are one: usable when both are.
func (c trustCollector) Collect(out chan<- prometheus.Metric) {
	usable := map[string]float64{}
	status := c.verifier.Status(time.Now())
	for i := range status.Authorities {
		a := &status.Authorities[i]
		name := strings.ToValidUTF8(a.Subject, "\uFFFD")
		if _, seen := usable[name]; !seen {
			usable[name] = 1
		}
		if !a.Usable() {
			usable[name] = 0
		}
	}
	for name, value := range usable {
		out <- prometheus.MustNewConstMetric(crlUsable, prometheus.GaugeValue, value, name)
	}
}

package main

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/certs"
)

// crlCollector tells how the CRLs of each authority stand, at each scrape.
type crlCollector struct{ s *system }

func crlDesc(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"authority"}, more...), nil)
}

var (
	crlUsable      = crlDesc("sceau_crl_usable", "1 when a certificate that is not listed would pass.")
	crlState       = crlDesc("sceau_crl_state", "1 for the state of the least fresh CRL: missing, not-yet-valid, late or fresh.", "state", "revocation")
	crlThisUpdate  = crlDesc("sceau_crl_this_update_seconds", "thisUpdate of the CRL that ends first, seconds since 1970.")
	crlNextUpdate  = crlDesc("sceau_crl_next_update_seconds", "nextUpdate of the CRL that ends first, seconds since 1970.")
	crlAge         = crlDesc("sceau_crl_age_seconds", "Time since thisUpdate of the CRL that ends first.")
	crlSoon        = crlDesc("sceau_crl_ends_soon", "1 when the CRL ends within a quarter of its span and the next has not come.")
	crlEntries     = crlDesc("sceau_crl_entries", "Revoked certificates that are known.")
	crlFailures    = crlDesc("sceau_crl_source_failures", "Failed tries to have a CRL from a file or address since the last that succeeded.", "source")
	crlLastSuccess = crlDesc("sceau_crl_source_last_success_seconds", "When a file or address last gave a CRL that was taken or was current, seconds since 1970; 0 for never.", "source")
)

// Describe implements prometheus.Collector.
func (c crlCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{crlUsable, crlState, crlThisUpdate, crlNextUpdate, crlAge, crlSoon, crlEntries, crlFailures, crlLastSuccess} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c crlCollector) Collect(out chan<- prometheus.Metric) {
	status := c.s.verifier.Status(c.s.now())
	names := authorityNames(&status)
	for i := range status.Authorities {
		a, name := &status.Authorities[i], names[i]
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{name}, labels...)...)
		}
		gauge(crlUsable, flag(a.Usable()))
		gauge(crlState, 1, a.State.String(), a.Revocation.String())
		gauge(crlEntries, float64(a.Entries))
		if !a.NextUpdate.IsZero() {
			gauge(crlThisUpdate, float64(a.ThisUpdate.Unix()))
			gauge(crlNextUpdate, float64(a.NextUpdate.Unix()))
			gauge(crlAge, a.Age.Seconds())
			gauge(crlSoon, flag(a.Soon))
		}
		for _, source := range a.Sources {
			last := 0.0
			if !source.LastSuccess.IsZero() {
				last = float64(source.LastSuccess.Unix())
			}
			gauge(crlFailures, float64(source.Failures), label(source.Source))
			gauge(crlLastSuccess, last, label(source.Source))
		}
	}
}

// authorityNames gives what the authorities are called in metrics: their subjects, and where
// several have one, as after a change of key, their fingerprints too. Two metrics of one
// name would fail every scrape.
func authorityNames(status *certs.Status) []string {
	bearers := map[string]int{}
	for i := range status.Authorities {
		bearers[status.Authorities[i].Subject]++
	}
	names := make([]string, len(status.Authorities))
	for i := range status.Authorities {
		a := &status.Authorities[i]
		names[i] = a.Subject
		if bearers[a.Subject] > 1 {
			names[i] += " " + hex.EncodeToString(a.Fingerprint[:8])
		}
	}
	return names
}

// label makes the name of a file a label, which must be UTF-8.
func label(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// noUsableCRL says why certificates of an authority are refused.
func noUsableCRL(a *certs.AuthorityStatus) error {
	if err := a.LastError(); err != nil {
		return fmt.Errorf("no usable CRL of %s (%s): %w", a.Subject, a.State, err)
	}
	return fmt.Errorf("no usable CRL of %s (%s)", a.Subject, a.State)
}

package main

import (
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"sceau/certs"
)

// ocspKeys are the keys below ocsp of an authority.
type ocspKeys struct {
	Responders []value[string] `yaml:"responders"`
	Mode       value[string]   `yaml:"mode"`
	Nonce      value[bool]     `yaml:"nonce"`
	Wait       value[duration] `yaml:"wait"`
	MaxAge     value[duration] `yaml:"max-age"`
	Signers    []value[string] `yaml:"signers"`
}

// readOCSPKeys decodes the node. Unknown keys are found by hand: a node's own
// decoder lets them pass.
func readOCSPKeys(n *yaml.Node, p *problems) (c ocspKeys, ok bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		p.add(n.Line, "ocsp: want responders and mode below it")
		return c, false
	}
	known := []string{"responders", "mode", "nonce", "wait", "max-age", "signers"}
	ok = true
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(known, key.Value) {
			p.add(key.Line, "unknown key %q", key.Value)
			ok = false
		}
	}
	err := n.Decode(&c)
	var wrong *yaml.TypeError
	switch {
	case errors.As(err, &wrong):
		p.addTypes(wrong)
	case err != nil:
		p.add(n.Line, "ocsp: %v", err)
	}
	return c, ok && err == nil
}

// ocsp reads the key ocsp of an authority; nil without it. The certificates of
// signers are held against the authority when the trust is made.
func (s *system) ocsp(a *authorityConfig, p *problems) *certs.OCSP {
	if a.OCSP.IsZero() {
		return nil
	}
	c, ok := readOCSPKeys(&a.OCSP, p)
	if !ok {
		return nil
	}
	o := &certs.OCSP{Nonce: c.Nonce.V, Wait: time.Duration(c.Wait.V), MaxAge: time.Duration(c.MaxAge.V)}
	var err error
	if o.Mode, err = certs.ParseOCSPMode(c.Mode.V); err != nil {
		p.add(max(c.Mode.Line, a.OCSP.Line), "authority %s: %v", a.Name.V, err)
		return nil
	}
	for _, r := range c.Responders {
		o.Responders = append(o.Responders, r.V)
	}
	for _, file := range c.Signers {
		ders, err := certs.ReadCertificates(s.config.path(file))
		if err != nil {
			p.add(file.Line, "authority %s: signers: %v", a.Name.V, err)
		}
		o.Signers = append(o.Signers, ders...)
	}
	if err := o.Check(); err != nil {
		p.add(a.OCSP.Line, "authority %s: %v", a.Name.V, err)
	}
	return o
}

// ocspCollector tells how the OCSP of each authority stands.
type ocspCollector struct{ s *system }

var (
	ocspAnswers = prometheus.NewDesc("sceau_ocsp_answers",
		"Certificates that are kept, by what their answer says: good, revoked, unknown, stale, or none yet.", []string{"authority", "status"}, nil)
	ocspNoRoom = prometheus.NewDesc("sceau_ocsp_no_room_total",
		"How often a certificate was turned away because the most were kept already.", []string{"authority"}, nil)
	ocspFetches = prometheus.NewDesc("sceau_ocsp_fetches_total",
		"Questions to a responder.", []string{"authority", "responder"}, nil)
	ocspFailures = prometheus.NewDesc("sceau_ocsp_failures_total",
		"Questions to a responder that brought no answer that could be proven.", []string{"authority", "responder"}, nil)
	ocspLastSuccess = prometheus.NewDesc("sceau_ocsp_last_success_seconds",
		"When a responder last gave an answer, seconds since 1970.", []string{"authority", "responder"}, nil)
	ocspReachable = prometheus.NewDesc("sceau_ocsp_reachable",
		"0 while a responder is left in peace because it could not be reached.", []string{"authority", "responder"}, nil)
)

// Describe implements prometheus.Collector.
func (c ocspCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ocspAnswers, ocspNoRoom, ocspFetches, ocspFailures, ocspLastSuccess, ocspReachable} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c ocspCollector) Collect(out chan<- prometheus.Metric) {
	status := c.s.verifier.Status(c.s.now())
	names := authorityNames(&status)
	for i := range status.Authorities {
		authority, o := names[i], status.Authorities[i].OCSP
		if o == nil {
			continue
		}
		for _, one := range []struct {
			status string
			count  int
		}{{"good", o.Good}, {"revoked", o.Revoked}, {"unknown", o.Unknown}, {"stale", o.Stale}, {"none", o.Waiting}} {
			out <- prometheus.MustNewConstMetric(ocspAnswers, prometheus.GaugeValue, float64(one.count), authority, one.status)
		}
		out <- prometheus.MustNewConstMetric(ocspNoRoom, prometheus.CounterValue, float64(o.NoRoom), authority)
		for j := range o.Responders {
			collectResponder(out, authority, &o.Responders[j])
		}
	}
}

func collectResponder(out chan<- prometheus.Metric, authority string, r *certs.ResponderStatus) {
	reachable := 1.0
	if r.BackingOff {
		reachable = 0
	}
	out <- prometheus.MustNewConstMetric(ocspReachable, prometheus.GaugeValue, reachable, authority, r.Address)
	out <- prometheus.MustNewConstMetric(ocspFetches, prometheus.CounterValue, float64(r.Fetches), authority, r.Address)
	out <- prometheus.MustNewConstMetric(ocspFailures, prometheus.CounterValue, float64(r.Failures), authority, r.Address)
	if !r.LastSuccess.IsZero() {
		out <- prometheus.MustNewConstMetric(ocspLastSuccess, prometheus.GaugeValue, float64(r.LastSuccess.Unix()), authority, r.Address)
	}
}

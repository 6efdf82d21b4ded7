package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// keyCollector tells how the signing keys stand.
type keyCollector struct{ s *system }

var (
	keyInfo        = prometheus.NewDesc("sceau_signing_key_info", "1 for each signing key that is known, by its state; active is the one that signs.", []string{"key", "state", "algorithm", "active"}, nil)
	keyNotAfter    = prometheus.NewDesc("sceau_signing_key_not_after_seconds", "End of the certificate of each signing key, seconds since 1970.", []string{"key"}, nil)
	keyActivate    = prometheus.NewDesc("sceau_signing_key_activate_seconds", "When each scheduled signing key begins to sign, seconds since 1970.", []string{"key"}, nil)
	keyOverdue     = prometheus.NewDesc("sceau_signing_key_overdue", "1 when the key whose turn it is cannot sign and the one before it goes on.", nil, nil)
	keyTokenUp     = prometheus.NewDesc("sceau_signing_token_up", "1 when the token of a signing key signs.", []string{"key"}, nil)
	keyTokenLosses = prometheus.NewDesc("sceau_signing_token_losses_total", "How often the token of a signing key was lost.", []string{"key"}, nil)
	keyTokenStuck  = prometheus.NewDesc("sceau_signing_token_stuck_calls", "Calls that the module of a token has not come back from.", []string{"key"}, nil)
)

// Describe implements prometheus.Collector.
func (c keyCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{keyInfo, keyNotAfter, keyActivate, keyOverdue, keyTokenUp, keyTokenLosses, keyTokenStuck} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c keyCollector) Collect(out chan<- prometheus.Metric) {
	s := c.s
	s.mu.RLock()
	keyring, active, overdue := s.keys, s.active, s.rollover.overdue
	s.mu.RUnlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	truth := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	gauge(keyOverdue, truth(overdue != nil))
	now := s.now()
	keys := keyring.set.Keys()
	for i := range keys {
		k := &keys[i]
		gauge(keyInfo, 1, k.ID, keyring.set.State(i, now).String(), algorithmOf(k.Certificate.PublicKey()), fmt.Sprint(k.ID == active))
		gauge(keyNotAfter, float64(k.Certificate.NotAfter().Unix()), k.ID)
		if !k.Activate.IsZero() {
			gauge(keyActivate, float64(k.Activate.Unix()), k.ID)
		}
		if token := keyring.tokens[k.ID]; token != nil {
			health := token.Health()
			gauge(keyTokenUp, truth(health.Err == nil), k.ID)
			gauge(keyTokenStuck, float64(health.Stuck), k.ID)
			out <- prometheus.MustNewConstMetric(keyTokenLosses, prometheus.CounterValue, float64(health.Losses), k.ID)
		} else if keyring.away[k.ID] != nil {
			gauge(keyTokenUp, 0, k.ID)
		}
	}
}

// algorithmOf names the kind and size of a key.
func algorithmOf(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name
	}
	return fmt.Sprintf("%T", key)
}

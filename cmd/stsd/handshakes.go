package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// errWithdrawn ends an open connection whose client a reload no longer admits.
var errWithdrawn = errors.New("the client's authority was withdrawn")

// handshakes counts the TLS handshakes that failed, by reason, and logs them with
// nothing of the client's: neither address nor certificate.
type handshakes struct {
	refused *prometheus.CounterVec
	log     *slog.Logger
	now     func() time.Time

	mu    sync.Mutex
	quiet map[string]*quiet // by reason
}

// quiet is what was not logged yet of a reason.
type quiet struct {
	until time.Time
	count int
}

// handshakeLogInterval is how often one reason is logged: a stranger can fail as often as
// he likes.
const handshakeLogInterval = time.Minute

func newHandshakes(log *slog.Logger, now func() time.Time) *handshakes {
	h := &handshakes{log: log, now: now, quiet: map[string]*quiet{}, refused: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sceau_tls_refused_total", Help: "TLS connections that ended in their handshake, or by a reload that withdrew an authority.",
	}, []string{"reason"})}
	for _, reason := range handshakeReasons {
		h.refused.WithLabelValues(reason)
	}
	return h
}

// record counts a failure and logs it, unless its reason was logged a moment ago.
func (h *handshakes) record(err error) {
	reason := handshakeReason(err)
	h.refused.WithLabelValues(reason).Inc()
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.quiet[reason]
	if q == nil {
		q = new(quiet)
		h.quiet[reason] = q
	}
	q.count++
	if now := h.now(); !now.Before(q.until) {
		h.log.Info("TLS connection refused", "reason", reason, "count", q.count)
		q.until, q.count = now.Add(handshakeLogInterval), 0
	}
}

var handshakeReasons = []string{
	"no_certificate", "unknown_authority", "expired", "certificate", "withdrawn", "alert", "not_tls", "timeout", "closed", "protocol",
}

// handshakeReason gives the kind of a failed handshake: one of handshakeReasons.
func handshakeReason(err error) string {
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificateReason(certificate)
	}
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" {
		return "alert" // the client did not want our certificate, or anything else
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "not_tls"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "timeout"
	}
	switch {
	case errors.Is(err, errWithdrawn):
		return "withdrawn"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
		return "closed"
	case strings.Contains(err.Error(), "didn't provide a certificate"): // crypto/tls has no type for it
		return "no_certificate"
	}
	return "protocol"
}

func certificateReason(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "unknown_authority"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "expired"
	}
	return "certificate"
}

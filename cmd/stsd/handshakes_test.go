package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestHandshakeReason(t *testing.T) {
	refused := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	tests := []struct {
		err  error
		want string
	}{
		{refused(x509.UnknownAuthorityError{}), "unknown_authority"},
		{refused(x509.CertificateInvalidError{Reason: x509.Expired}), "expired"},
		{refused(x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}), "certificate"},
		{refused(errors.New("something new")), "certificate"},
		{errWithdrawn, "withdrawn"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, "alert"},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "not_tls"},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "timeout"},
		{io.EOF, "closed"},
		{fmt.Errorf("tls: %w", io.ErrUnexpectedEOF), "closed"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "closed"},
		{net.ErrClosed, "closed"},
		{errors.New("tls: client didn't provide a certificate"), "no_certificate"},
		{errors.New("tls: no cipher suite supported by both client and server"), "protocol"},
	}
	for _, test := range tests {
		got := handshakeReason(test.err)
		if got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
		if !slices.Contains(handshakeReasons, got) {
			t.Errorf("%s is counted from its first time only", got)
		}
	}
}

// TestHandshakeLog: a stranger who fails all the time fills no disk: each reason has a
// line a minute, with the number of failures since the last.
func TestHandshakeLog(t *testing.T) {
	at := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	log := &lockedBuffer{}
	h := newHandshakes(slog.New(slog.NewTextHandler(log, nil)), func() time.Time { return at })
	for range 3 {
		h.record(io.EOF)
	}
	h.record(errWithdrawn)
	at = at.Add(handshakeLogInterval - 1)
	h.record(io.EOF)
	at = at.Add(1)
	h.record(io.EOF)
	var said []string
	for line := range strings.Lines(log.String()) {
		_, words, _ := strings.Cut(strings.TrimSpace(line), "refused\" ")
		said = append(said, words)
	}
	want := []string{"reason=closed count=1", "reason=withdrawn count=1", "reason=closed count=4"}
	if !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

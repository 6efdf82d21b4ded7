package drive

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/valyala/fasthttp"
)

// timedOut reports whether an exchange failed because its deadline passed.
func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// errnos are the refusals of the system that have a name of their own.
var errnos = []struct {
	errno syscall.Errno
	cause string
}{
	{syscall.ECONNREFUSED, "connection refused"},
	{syscall.ECONNRESET, "connection reset"},
	{syscall.EPIPE, "connection closed while writing"},
	{syscall.EADDRNOTAVAIL, "no free local port"},
	{syscall.EMFILE, "too many open files"},
	{syscall.ENFILE, "too many open files of the system"},
	{syscall.EHOSTUNREACH, "host unreachable"},
	{syscall.ENETUNREACH, "network unreachable"},
}

// cause names why an exchange had no answer, in few and fixed words.
func cause(err error) string {
	for _, e := range errnos {
		if errors.Is(err, e.errno) {
			return e.cause
		}
	}
	var (
		record    tls.RecordHeaderError
		untrusted *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		name      *net.DNSError
		small     *fasthttp.ErrSmallBuffer
	)
	switch {
	case errors.Is(err, errSurplus):
		return errSurplus.Error()
	case errors.Is(err, io.EOF):
		return "closed without an answer"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "closed within the answer"
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return "answer too large"
	case errors.As(err, &small):
		return "header of the answer too large"
	case errors.As(err, &record):
		return "tls: no TLS record"
	case errors.As(err, &untrusted), errors.As(err, &authority):
		return "tls: certificate of the server is not trusted"
	case errors.As(err, &name):
		return "name of the host not found"
	}
	return causeOnNetwork(err)
}

// causeOnNetwork tells an error of the network from one of HTTP.
func causeOnNetwork(err error) string {
	var operation *net.OpError
	if !errors.As(err, &operation) {
		return "ill-formed HTTP"
	}
	if operation.Op == "remote error" || operation.Op == "local error" {
		return operation.Err.Error() // one of the alerts of TLS
	}
	return "network: " + operation.Op
}

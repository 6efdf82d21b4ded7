package ldapsource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"sceau/attrs"
)

// A failure is why one server gave no answer. Its text holds nothing that the directory or the caller said: messages of
// servers repeat names of entries and filters.
type failure struct {
	server   string
	doing    string
	err      error
	bad      bool // the server did answer, what cannot be
	final    bool // another server is not asked
	rejected bool // the credentials were
}

func (f *failure) Error() string { return f.server + ": " + f.doing + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Is says of rejected credentials that they must not be tried again.
func (f *failure) Is(target error) bool { return f.rejected && target == attrs.ErrNotAgain }

// ErrSeveral says that more than one entry was found where one was wanted.
var ErrSeveral = errors.New("more than one entry")

var (
	errReferral = errors.New("a referral to another server, which is not followed")
	errBusy     = errors.New("all connections are taken")
	errClosed   = errors.New("the source is closed")
)

// explain makes a failure of an error of the library, whose text is kept only as far as it is known to hold no data.
func explain(server, doing string, err error) *failure {
	f := &failure{server: server, doing: doing}
	if known := (*failure)(nil); errors.As(err, &known) {
		return known
	}
	var result *ldap.Error
	switch isResult := errors.As(err, &result); {
	case isResult && result.ResultCode < ldap.ErrorNetwork:
		f.err = fmt.Errorf("result %d, %s", result.ResultCode, ldap.LDAPResultCodeMap[result.ResultCode])
		switch result.ResultCode {
		case ldap.LDAPResultSizeLimitExceeded:
			f.err, f.bad, f.final = ErrSeveral, true, true
		case ldap.LDAPResultReferral:
			f.err, f.bad, f.final = errReferral, true, true
		case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication:
			f.final, f.rejected = true, true // they are the same everywhere, and each try counts towards locking the account
		case ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultInvalidDNSyntax:
			f.final = true // the data are the same everywhere
		}
	case errors.Is(err, ldap.ErrSizeLimitExceeded):
		f.err, f.bad, f.final = ErrSeveral, true, true
	default:
		f.err = plain(err)
	}
	return f
}

// plain keeps the text of errors of the network and of TLS.
func plain(err error) error {
	var network net.Error
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &network), errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &record), errors.As(err, &unknown),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, errBusy), errors.Is(err, errClosed), errors.Is(err, errTooMuch):
		return err
	}
	text := err.Error() // the library turns errors of the network into text
	for _, known := range []string{"unable to read LDAP response packet", "unable to send request", "ldap: connection closed",
		"ldap: response channel closed", "TLS handshake failed", "ldap: already encrypted"} {
		if strings.Contains(text, known) {
			return errors.New(text)
		}
	}
	return errors.New("an answer that could not be read")
}

// refused makes the error of the source.
func (s *access) refused(ctx context.Context, d *attrs.Definition, err error) *attrs.Error {
	e := attrs.Unavailable(ctx, s.config.ID, err)
	if ctx.Err() == nil && isBad(err) {
		e.Reason = attrs.BadAnswer
	}
	if d != nil {
		e.Attribute = d.Name
	}
	return e
}

// isBad says whether the last of the servers that were asked answered what cannot be.
func isBad(err error) bool {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		errs := all.Unwrap()
		return isBad(errs[len(errs)-1])
	}
	var f *failure
	return errors.As(err, &f) && f.bad
}

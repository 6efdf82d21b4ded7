package httpsource

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An answer is what the service said about one subject.
type answer struct {
	document *node         // nil: the service does not know the subject
	fresh    time.Duration // how long it said that the answer is good; zero: it did not say
}

// A badAnswer is an answer that cannot be one: the service is there, and another try would bring the same.
type badAnswer struct{ error }

func bad(format string, args ...any) error { return badAnswer{fmt.Errorf(format, args...)} }

func (b badAnswer) Unwrap() error { return b.error }

// exchange sends one request and reads its answer. The error holds neither address nor body, which name the subject.
func (s *Source) exchange(ctx context.Context, t *template, numbers []string) (*answer, error) {
	address, err := t.address(numbers)
	if err != nil {
		return nil, err
	}
	request, err := s.request(ctx, s.config.Method, address, t.content(numbers))
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, plain(err)
	}
	defer response.Body.Close()
	found := slices.Contains(s.config.Success, response.StatusCode)
	switch {
	case !found && !slices.Contains(s.config.NotFound, response.StatusCode):
		return nil, fmt.Errorf("status %d", response.StatusCode)
	case !found && s.notFoundAt == nil:
		return s.heed(&answer{}, response.Header)
	}
	document, err := s.readBody(response)
	if err != nil {
		return nil, err
	}
	switch {
	case !found:
		if err := s.checkNotFound(document); err != nil {
			return nil, err
		}
		document = nil
	case document.kind != object && document.kind != array: // in null everything optional would be missing, and denied
		return nil, bad("a JSON text that is neither object nor array")
	}
	return s.heed(&answer{document: document}, response.Header)
}

// request makes a request of the source.
func (s *Source) request(ctx context.Context, method, address string, body []byte) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, errSubject // the error would repeat the address
	}
	request.Header.Set("Accept", strings.Join(s.config.ContentTypes, ", "))
	request.Header.Set("Accept-Encoding", "identity") // what is not compressed does not burst
	request.Header.Set("User-Agent", "sceau")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if s.token != nil {
		text, err := s.token.read()
		if err != nil {
			return nil, fmt.Errorf("bearer token: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+text)
	}
	return request, nil
}

// readBody reads the body of an answer, which must be one JSON text.
func (s *Source) readBody(response *http.Response) (*node, error) {
	if encoding := response.Header.Values("Content-Encoding"); response.Uncompressed || len(encoding) > 1 || len(encoding) == 1 && encoding[0] != "identity" {
		return nil, bad("a body that is encoded")
	}
	if !s.isJSON(response.Header.Values("Content-Type")) {
		return nil, bad("a body that is not %s", strings.Join(s.config.ContentTypes, " or "))
	}
	if response.ContentLength > s.config.MaxBytes {
		return nil, bad("a body of more than %d bytes", s.config.MaxBytes)
	}
	octets, err := io.ReadAll(io.LimitReader(response.Body, s.config.MaxBytes+1))
	switch {
	case err != nil: // also if less came than was announced
		return nil, plain(err)
	case int64(len(octets)) > s.config.MaxBytes:
		return nil, bad("a body of more than %d bytes", s.config.MaxBytes)
	}
	document, err := parseJSON(octets, s.config.MaxDepth)
	if err != nil {
		return nil, badAnswer{err}
	}
	return document, nil
}

// isJSON judges the Content-Type: one, configured, and if it names a charset the one that JSON has (RFC 8259 section 8.1).
func (s *Source) isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	kind, parameters, err := mime.ParseMediaType(values[0])
	charset, has := parameters["charset"]
	return err == nil && slices.Contains(s.config.ContentTypes, kind) && (!has || strings.EqualFold(charset, "utf-8"))
}

// checkNotFound demands that it is the service that does not know the subject, and no gateway that does not know the service.
func (s *Source) checkNotFound(document *node) error {
	found, missing, err := s.notFoundAt.find(document)
	if err != nil || missing || len(found) != 1 || found[0].kind != text || !slices.Contains(s.config.NotFoundIs, found[0].text) {
		return bad("not found, but not said as configured")
	}
	return nil
}

// heed reads how long the service says that its answer is good.
func (s *Source) heed(a *answer, header http.Header) (*answer, error) {
	if !s.config.CacheControl {
		return a, nil
	}
	for _, directive := range strings.Split(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		age := header.Get("Age")
		if age == "" {
			age = "0"
		}
		most, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
		spent, wrong := strconv.ParseUint(age, 10, 31)
		if err != nil || wrong != nil || most <= spent {
			return nil, bad("its max-age is none or has run out")
		}
		if left := time.Duration(most-spent) * time.Second; a.fresh == 0 || left < a.fresh {
			a.fresh = left
		}
	}
	return a, nil
}

// plain takes the address off an error, and keeps the text of errors of the network and of TLS alone: others quote what the
// server sent.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var network net.Error
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.As(err, &network), errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &record), errors.As(err, &unknown),
		errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return errors.New("the exchange failed")
}

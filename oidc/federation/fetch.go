package federation

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sceau/oidc/internal/outside"
)

// fetcher asks others. Addresses come out of statements of strangers, so it goes to public addresses over verified TLS only, or to
// networks that the configuration names, and never where an answer redirects it.
type fetcher struct {
	client   *http.Client
	networks outside.Networks
	limits   Limits
}

func newFetcher(c Config, limits Limits) *fetcher {
	f := &fetcher{networks: c.Networks, limits: limits}
	dialer := &net.Dialer{Timeout: limits.Time}
	var proxy func(*http.Request) (*url.URL, error)
	if c.Proxy != nil {
		proxy = http.ProxyURL(c.Proxy) // all goes to it, and only it is connected to
	} else {
		dialer.Control = f.networks.Control
	}
	f.client = &http.Client{
		Transport: &http.Transport{
			Proxy:                  proxy,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConns:           32,
			IdleConnTimeout:        time.Minute,
			TLSHandshakeTimeout:    limits.Time,
			ResponseHeaderTimeout:  limits.Time,
			DisableCompression:     true, // a small answer cannot become a large one
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return f
}

// A budget is what one resolution may still do.
type budget struct {
	statements, octets atomic.Int64
}

func (f *fetcher) budget() *budget {
	var b budget
	b.statements.Store(int64(f.limits.Statements))
	b.octets.Store(int64(f.limits.Statements) * int64(f.limits.Size) / 4)
	return &b
}

// get asks an address and returns its answer of a media type.
func (f *fetcher) get(ctx context.Context, b *budget, address, mediaType string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", &Error{Reason: BadIdentifier, Cause: err}
	}
	return f.ask(r, b, mediaType)
}

func (f *fetcher) post(ctx context.Context, b *budget, address string, form url.Values, mediaType string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", &Error{Reason: BadIdentifier, Cause: err}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return f.ask(r, b, mediaType)
}

func (f *fetcher) ask(r *http.Request, b *budget, mediaType string) (string, error) {
	if !endpoint(r.URL.String()) {
		return "", &Error{Reason: BadIdentifier, Cause: errors.New("not https")}
	}
	if a, err := netip.ParseAddr(r.URL.Hostname()); err == nil && !f.networks.Admit(a) {
		return "", &Error{Reason: Unreachable, Cause: outside.ErrForbidden}
	}
	if b.statements.Add(-1) < 0 {
		return "", refuse(Limit, "", "more than %d statements", f.limits.Statements)
	}
	r.Header.Set("Accept", mediaType)
	answer, err := f.client.Do(r)
	if err != nil {
		return "", &Error{Reason: Unreachable, Cause: plainError(err)}
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", &Error{Reason: Unreachable, Cause: status(answer.StatusCode)}
	}
	// The media type is the standard's (8.1.2, 9): an answer that something else was meant to give, a file that somebody may
	// upload, is no statement.
	if t, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil || t != mediaType {
		return "", refuse(Unreachable, "", "media type %.60q, want %s", t, mediaType)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(f.limits.Size)+1))
	switch {
	case err != nil:
		return "", &Error{Reason: Unreachable, Cause: plainError(err)}
	case len(body) > f.limits.Size || b.octets.Add(-int64(len(body))) < 0:
		return "", refuse(Limit, "", "an answer of more than %d octets, or all answers together", f.limits.Size)
	}
	return strings.TrimSpace(string(body)), nil
}

// A status is that of an answer which is none.
type status int

func (s status) Error() string { return fmt.Sprintf("status %d", int(s)) }

// plainError drops the address with its query from errors of net/http.
func plainError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func withSub(address, sub string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("address: %w", err)
	}
	q := u.Query()
	q.Set("sub", sub)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

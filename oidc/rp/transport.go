package rp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

const (
	patience       = 15 * time.Second // for one exchange with the provider, from the first octet to the last
	maxBody        = 512 << 10        // octets of a response; less than where oauth2 cuts
	maxHeaders     = 64 << 10
	maxTokenOctets = 64 << 10 // of a JWT
)

// client makes the HTTP client of the back channel.
func (p *Provider) client() *http.Client {
	settings := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.c.Roots, Time: p.c.Now}
	if certificate := p.c.Certificate; certificate != nil {
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate() }
	}
	return &http.Client{
		Timeout: patience,
		// A redirect would carry the code, the secret or the token to whom the provider, or who speaks in its place, names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &guarded{hosts: p.hosts, next: &http.Transport{
			Proxy: p.c.Proxy, DialContext: p.c.Dial, TLSClientConfig: settings, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: patience, ResponseHeaderTimeout: patience, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: maxHeaders, MaxIdleConnsPerHost: 16, MaxConnsPerHost: 64,
			DisableCompression: true, // a small answer stays a small answer
		}},
	}
}

// guarded lets through what goes to a configured host over TLS, and bounds what comes back.
type guarded struct {
	hosts []string
	next  http.RoundTripper
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := allowed(r.URL.String(), g.hosts); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, refuse(Misconfigured, "%w", err)
	}
	answer, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.ContentLength > maxBody {
		answer.Body.Close()
		return nil, errTooLarge
	}
	answer.Body = &bounded{of: answer.Body, left: maxBody}
	return answer, nil
}

var errTooLarge = fmt.Errorf("an answer of more than %d octets", maxBody)

// bounded is a body that ends in an error, not in a cut, when it is too long.
type bounded struct {
	of   io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.of.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

func (b *bounded) Close() error { return b.of.Close() }

// failed makes the error of an exchange that did not come to an answer. What net/http says repeats the address, with its query;
// only the cause is kept.
func failed(what string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		err = e
	}
	return refuse(Unavailable, "%s: %w", what, err)
}

// ask sends a GET and gives the body of a 200 and its media type, which is one of those accepted.
func (p *Provider) ask(ctx context.Context, address, accept string, header http.Header) ([]byte, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", refuse(Misconfigured, "no address")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Accept", accept)
	answer, err := p.http.Do(r)
	if err != nil {
		return nil, "", failed(r.URL.Path, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, "", failed(r.URL.Path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, "", refuse(Unavailable, "%s: status %d", r.URL.Path, answer.StatusCode)
	}
	media, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil {
		return nil, "", refuse(Unavailable, "%s: no media type", r.URL.Path)
	}
	return body, media, nil
}

package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// IntrospectionConfig says how a provider is asked (RFC 7662).
type IntrospectionConfig struct {
	// URL is the introspection endpoint, https. No address out of a token is ever contacted.
	URL string
	// ClientID and Secret are ours at the provider, in Basic (RFC 6749 section 2.3.1). Secret may be empty where the certificate authenticates us.
	ClientID, Secret string
	// TLS has the roots of the provider and the client certificate that it wants (PSC: IGC-Santé ORG AUTH_CLI). Required, with roots: the
	// authorities of the machine are not asked.
	TLS *tls.Config
	// Timeout of one question, wholly; zero is five seconds.
	Timeout time.Duration
}

// Introspection is an Introspector over HTTPS. NewIntrospection makes it. Nothing that it learns is kept: a token that was active a moment ago may
// have been revoked.
type Introspection struct {
	config IntrospectionConfig
	client http.Client
}

// NewIntrospection checks a configuration.
func NewIntrospection(c IntrospectionConfig) (*Introspection, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("bridge: introspection: the URL is not an https one")
	}
	if c.TLS == nil || c.TLS.RootCAs == nil || c.TLS.InsecureSkipVerify {
		return nil, errors.New("bridge: introspection: no roots of the provider")
	}
	if c.ClientID == "" || c.Secret == "" && len(c.TLS.Certificates) == 0 && c.TLS.GetClientCertificate == nil {
		return nil, errors.New("bridge: introspection: nothing authenticates us")
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	config := c.TLS.Clone()
	if config.MinVersion < tls.VersionTLS12 {
		config.MinVersion = tls.VersionTLS12
	}
	i := &Introspection{config: c}
	i.client = http.Client{
		Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
			ResponseHeaderTimeout: c.Timeout, MaxResponseHeaderBytes: 64 << 10},
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       c.Timeout,
	}
	return i, nil
}

// Close lets go of idle connections.
func (i *Introspection) Close() { i.client.CloseIdleConnections() }

// maxIntrospection bounds an answer.
const maxIntrospection = 256 << 10

// Introspect implements Introspector. An answer that is not one of RFC 7662 is an outage: it says neither yes nor no.
func (i *Introspection) Introspect(ctx context.Context, token string, now time.Time) (*Token, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if i.config.Secret == "" {
		form.Set("client_id", i.config.ClientID)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.config.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if i.config.Secret != "" {
		request.SetBasicAuth(url.QueryEscape(i.config.ClientID), url.QueryEscape(i.config.Secret))
	}
	response, err := i.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("introspection: status %d", response.StatusCode)
	}
	if media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, errors.New("introspection: an answer that is not JSON")
	}
	octets, err := io.ReadAll(io.LimitReader(response.Body, maxIntrospection+1))
	if err != nil {
		return nil, err
	}
	if len(octets) > maxIntrospection {
		return nil, errors.New("introspection: an answer that is too large")
	}
	return readIntrospection(octets)
}

func readIntrospection(octets []byte) (*Token, error) {
	var members map[string]any
	if err := json.Unmarshal(octets, &members); err != nil {
		return nil, errors.New("introspection: an answer that is not an object")
	}
	active, ok := members["active"].(bool)
	if !ok {
		return nil, errors.New("introspection: an answer that does not say whether the token is active")
	}
	if !active {
		return nil, fmt.Errorf("%w: its provider says so", ErrToken)
	}
	t, err := tokenOf(members)
	if err != nil {
		return nil, fmt.Errorf("introspection: %w", err)
	}
	t.Type = AccessToken
	return t, nil
}

package wsc

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"sceau/certs"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// The two SOAP actions of the platform's STS (wire document 1.1).
const (
	ActionRequestSecurityToken = "urn:be:fgov:ehealth:sts:protocol:v1:RequestSecurityToken"
	ActionRequestSecureToken   = "urn:be:fgov:ehealth:sts:protocol:v1:RequestSecureToken" // of the older service
)

// DefaultIssuer is the Issuer of the platform's assertions.
const DefaultIssuer = "urn:be:fgov:ehealth:sts:1_0"

// Config says how a Client works. Every field has a usable zero value but Trust,
// without which no token is asked.
type Config struct {
	// Trust identifies the certificates that may sign assertions (certs.RoleSTS). A
	// Client that only calls services and looks at clocks needs none.
	Trust *certs.Verifier
	// Issuer is the only Issuer of assertions that is believed; empty is
	// DefaultIssuer.
	Issuer string
	// Signature says which algorithms the signature of an assertion may use; zero is
	// xmlsec.DefaultPolicy: SHA-2.
	Signature xmlsec.Policy
	// Skew is how far our clock and the STS's may differ; zero is five minutes,
	// negative none.
	Skew time.Duration
	// MessageLifetime is from Created to Expires of our messages; zero is 60 seconds,
	// as the platform's connector has it.
	MessageLifetime time.Duration
	// AlwaysSignInner has the samlp:Request signed also where identity and holder are
	// one certificate.
	AlwaysSignInner bool
	// Action is the SOAPAction of a token request; empty is
	// ActionRequestSecurityToken.
	Action string

	// Transport carries the requests; nil is one of our own: TLS 1.2 or later, the
	// proxy of the environment, Roots (nil: the system's) as the authorities of
	// servers. Roots goes with no other Transport.
	Transport http.RoundTripper
	Roots     *x509.CertPool
	// Plain admits http:// to other machines than this one. What people are and may
	// then travels in clear.
	Plain bool
	// Timeout of one exchange, wholly; zero is 30 seconds.
	Timeout time.Duration
	// MaxAnswer is the greatest answer in bytes; zero is 1 MiB.
	MaxAnswer int

	// UserAgent is sent for tracing, tokens of the form Name/1.2.3 (wire document
	// 1.4); empty is "Sceau/devel". From is an e-mail address for the same; may be
	// empty.
	UserAgent, From string

	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// NewID gives unique, unguessable identifiers of name characters (SAML 1.1 core
	// 1.2.3); nil is 128 random bits in hexadecimal.
	NewID func() string
}

// A Client asks STSs for tokens and calls services with them. NewClient makes it.
type Client struct {
	config Config
	http   *http.Client
	limits xmltext.Limits
}

var (
	userAgentForm = regexp.MustCompile(`^[a-zA-Z0-9]+/[0-9a-zA-Z._-]+( [a-zA-Z0-9]+/[0-9a-zA-Z._-]+)*$`)
	fromForm      = regexp.MustCompile(`^[!-?A-~]+@[!-?A-~]+$`)
)

// NewClient makes a Client, or reports everything that is wrong with the
// configuration.
func NewClient(config Config) (*Client, error) {
	c := &Client{config: config.withDefaults()}
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, refuse(BadConfig, what))
		}
	}
	need(c.config.MessageLifetime > 0 && c.config.Timeout > 0 && c.config.MaxAnswer > 0, "negative limit")
	need(config.Transport == nil || config.Roots == nil, "Roots beside a Transport, which would not know them")
	need(userAgentForm.MatchString(c.config.UserAgent), "UserAgent is not of the form Name/version")
	need(c.config.From == "" || fromForm.MatchString(c.config.From), "From is not an e-mail address")
	need(!strings.ContainsFunc(c.config.Action, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' }), "Action is not a URI")
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport: c.config.Transport,
		Timeout:   c.config.Timeout,
		// A redirect would carry a signed message to a place that nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.limits = xmltext.DefaultLimits()
	c.limits.Bytes = c.config.MaxAnswer
	return c, nil
}

// withDefaults fills what zero stands for.
func (c Config) withDefaults() Config {
	if c.Issuer == "" {
		c.Issuer = DefaultIssuer
	}
	if c.Signature == (xmlsec.Policy{}) {
		c.Signature = xmlsec.DefaultPolicy()
	}
	if c.Skew == 0 {
		c.Skew = 5 * time.Minute
	}
	c.Skew = max(c.Skew, 0)
	if c.MessageLifetime == 0 {
		c.MessageLifetime = time.Minute
	}
	if c.Action == "" {
		c.Action = ActionRequestSecurityToken
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = 1 << 20
	}
	if c.UserAgent == "" {
		c.UserAgent = "Sceau/devel"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = randomID
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots, Time: c.Now},
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   8,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: c.Timeout,
			DisableCompression:    true, // no decompression, no bombs (attacks.md Z6)
		}
	}
	return c
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, crypto/rand
	return hex.EncodeToString(b[:])
}

// endpoint reads an address: https, or plain http to this machine.
func (c *Client) endpoint(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, refuse(BadEndpoint, "not an https address")
	}
	if u.User != nil || u.Fragment != "" {
		return nil, refuse(BadEndpoint, "an address with a password or fragment")
	}
	if u.Scheme == "http" && !c.config.Plain && !loopback(u.Hostname()) {
		return nil, refuse(BadEndpoint, "plain http to another machine")
	}
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

package main

import (
	"errors"
	"net"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sceau/audit"
)

// maxSession bounds sessions: for so long nothing is asked again but the certificate.
const maxSession = time.Hour

var (
	operationKey = regexp.MustCompile(`^\{[^{}]*\}[^{}\s]+$`)
	actionText   = regexp.MustCompile(`^[!#-\[\]-~]*$`) // visible ASCII that needs no escape between quotes
	headerName   = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

// checkFaces finds what is wrong with what admitted messages lead to.
func (c *config) checkFaces(wrong func(string, ...any)) {
	if c.Upstream != nil {
		c.Upstream.check(wrong)
		if c.Upstream.Timeout >= c.Limits.WriteTimeout {
			wrong("upstream.timeout: not shorter than limits.write-timeout; a client would learn nothing of it")
		}
	}
	if c.PDP != nil {
		c.PDP.check(wrong)
	}
	if k := c.Caller; k != nil {
		if len(k.Keys) == 0 {
			wrong("caller.keys: none that signs")
		}
		if k.Issuer == "" || k.Audience == "" || k.Issuer == k.Audience {
			wrong("caller: issuer and audience must be said, and differ")
		}
		if !guardHeader(k.Header) {
			wrong("caller.header: not a name of a header that may be set")
		}
		if time.Duration(k.Lifetime) > 10*time.Minute {
			wrong("caller.lifetime: longer than 10m")
		}
		if c.Upstream != nil && slices.ContainsFunc(c.Upstream.Headers, func(h string) bool { return strings.EqualFold(h, k.Header) }) {
			wrong("upstream.headers: %s is what tells the service who calls, and callers could write it", k.Header)
		}
	}
	for name, action := range c.Actions {
		if !operationKey.MatchString(name) || !actionText.MatchString(action) {
			wrong("actions: not {namespace}name: action")
		}
	}
	c.checkAuthorizer(wrong)
	if a := c.Audit; a != nil {
		if a.Dir.path == "" {
			wrong("audit.dir: missing")
		}
		if _, err := durability(a.Durability); err != nil {
			wrong("audit.durability: not sync or relaxed and a duration")
		}
	}
}

func (c *config) checkAuthorizer(wrong func(string, ...any)) {
	a := c.Authorizer
	if a == nil {
		return
	}
	if _, _, err := net.SplitHostPort(a.Address); err != nil {
		wrong("authorizer.address: not host:port")
	} else if a.TLS == nil && !loopback(a.Address) {
		wrong("authorizer: what it is told is believed; on another address than loopback it needs tls with client-authorities")
	}
	if t := a.TLS; t != nil && (t.Certificate.path == "" || t.Key.path == "" || len(t.ClientAuthorities) == 0) {
		wrong("authorizer.tls: needs certificate, key and client-authorities")
	}
	if !a.ExtAuthz && a.Session == nil {
		wrong("authorizer: neither ext-authz nor session")
	}
	if s := a.Session; s != nil {
		if c.Caller == nil {
			wrong("authorizer.session: needs caller, whose keys sign its tokens")
		}
		if time.Duration(s.Lifetime) > maxSession {
			wrong("authorizer.session.lifetime: longer than %v", maxSession)
		}
		if !guardHeader(s.CertificateHeader) {
			wrong("authorizer.session.certificate-header: not a name of a header")
		}
	}
}

func (u *upstreamConfig) check(wrong func(string, ...any)) {
	at, err := url.Parse(u.URL)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.User != nil || at.Fragment != "" {
		wrong("upstream.url: not http://… or https://…")
	}
	if u.Forward != forwardBody && u.Forward != forwardMessage {
		wrong("upstream.forward: not body or message")
	}
	for _, h := range u.Headers {
		if !guardHeader(h) {
			wrong("upstream.headers: %q is not a name of a header that may be passed on", h)
		}
	}
	if (u.Certificate.path == "") != (u.Key.path == "") {
		wrong("upstream: client-certificate and client-key need each other")
	}
}

// guardHeader reports whether a header may be passed on or set: a name, and none that HTTP itself or SOAP reads.
func guardHeader(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection",
		"Soapaction", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return false
	}
	return headerName.MatchString(name)
}

// durability reads sync, or relaxed and a duration.
func durability(text string) (audit.Durability, error) {
	mode, interval, relaxed := strings.Cut(text, " ")
	switch {
	case mode == "sync" && !relaxed:
		return audit.Durability{}, nil
	case mode == "relaxed" && relaxed:
		d, err := time.ParseDuration(interval)
		if err == nil && d > 0 {
			return audit.Relaxed(d), nil
		}
	}
	return audit.Durability{}, errors.New("neither sync nor relaxed and a duration")
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// config is the configuration file; example.yaml is its manual.
type config struct {
	Listen struct {
		Address string `yaml:"address"`
		Path    string `yaml:"path"`
		TLS     *struct {
			Certificate file `yaml:"certificate"`
			Key         file `yaml:"key"`
		} `yaml:"tls"`
		PlainAnywhere bool `yaml:"plain-anywhere"`
	} `yaml:"listen"`
	Admin *struct {
		Address string `yaml:"address"`
	} `yaml:"admin"`
	Upstream   *upstreamConfig   `yaml:"upstream"`
	Caller     *callerConfig     `yaml:"caller"`
	Authorizer *authorizerConfig `yaml:"authorizer"`
	Actions    map[string]string `yaml:"actions"`
	Audit      *struct {
		Dir        file   `yaml:"dir"`
		Durability string `yaml:"durability"`
	} `yaml:"audit"`
	Limits struct {
		MessageBytes  int      `yaml:"message-bytes"`
		HeaderBytes   int      `yaml:"header-bytes"`
		HeaderTimeout duration `yaml:"header-timeout"`
		ReadTimeout   duration `yaml:"read-timeout"`
		WriteTimeout  duration `yaml:"write-timeout"`
		IdleTimeout   duration `yaml:"idle-timeout"`
		Concurrent    int      `yaml:"concurrent"`
		Stop          duration `yaml:"stop"`
	} `yaml:"limits"`
	Environment string   `yaml:"environment"`
	Issuers     []string `yaml:"issuers"`
	Audiences   []string `yaml:"audiences"`
	Skew        duration `yaml:"skew"`
	Timestamp   struct {
		MaxLifetime duration `yaml:"max-lifetime"`
		Skew        duration `yaml:"skew"`
	} `yaml:"timestamp"`
	STS struct {
		Pinned        []file      `yaml:"pinned"`
		Subjects      []string    `yaml:"subjects"`
		Roots         []authority `yaml:"roots"`
		Intermediates []authority `yaml:"intermediates"`
	} `yaml:"sts"`
	Holders []holders `yaml:"holders"`
	CRL     struct {
		Files   []file   `yaml:"files"`
		Refresh duration `yaml:"refresh"`
		Cache   file     `yaml:"cache"`
		Offline bool     `yaml:"offline"`
	} `yaml:"crl"`
	SHA1 struct {
		Messages   bool `yaml:"messages"`
		Assertions bool `yaml:"assertions"`
	} `yaml:"sha1"`
	ProtectTokens bool `yaml:"protect-tokens"`
	SenderVouches []struct {
		Type        string `yaml:"type"`
		Identifier  string `yaml:"identifier"`
		Application string `yaml:"application"`
	} `yaml:"sender-vouches"`
	Require []struct {
		Name      string   `yaml:"name"`
		Namespace string   `yaml:"namespace"`
		Values    []string `yaml:"values"`
		Any       bool     `yaml:"any"`
	} `yaml:"require"`
	PDP                      *pdpConfig `yaml:"pdp"`
	ReplayCapacity           int        `yaml:"replay-capacity"`
	AssertionMemoryMegabytes int64      `yaml:"assertion-memory-megabytes"`
	Log                      struct {
		Format string     `yaml:"format"`
		Level  slog.Level `yaml:"level"`
	} `yaml:"log"`

	folder string // paths are relative to it
}

// upstreamConfig says to which service admitted messages go.
type upstreamConfig struct {
	URL         string   `yaml:"url"`
	Forward     string   `yaml:"forward"`
	Headers     []string `yaml:"headers"`
	Timeout     duration `yaml:"timeout"`
	WSDL        file     `yaml:"wsdl"`
	Authorities []file   `yaml:"authorities"`
	Certificate file     `yaml:"client-certificate"`
	Key         file     `yaml:"client-key"`
}

// callerConfig says how the service learns who called.
type callerConfig struct {
	Header     string   `yaml:"header"`
	Keys       []file   `yaml:"keys"`
	Issuer     string   `yaml:"issuer"`
	Audience   string   `yaml:"audience"`
	Lifetime   duration `yaml:"lifetime"`
	Attributes []string `yaml:"attributes"`
}

// passes says whether the service is told of an attribute.
func (c *callerConfig) passes(name string) bool {
	return len(c.Attributes) == 0 || slices.Contains(c.Attributes, name)
}

// pdpConfig says who decides after the requirements.
type pdpConfig struct {
	Engine       string   `yaml:"engine"`
	Action       string   `yaml:"action"`
	Resource     string   `yaml:"resource"`
	Directory    file     `yaml:"directory"`
	AbsentIsNone bool     `yaml:"absent-is-none"`
	URL          string   `yaml:"url"`
	Token        file     `yaml:"token-file"`
	Authorities  []file   `yaml:"authorities"`
	Certificate  file     `yaml:"client-certificate"`
	Key          file     `yaml:"client-key"`
	Timeout      duration `yaml:"timeout"`
	Attributes   bool     `yaml:"attributes"`
}

// authorizerConfig says how other proxies ask.
type authorizerConfig struct {
	Address string `yaml:"address"`
	TLS     *struct {
		Certificate       file   `yaml:"certificate"`
		Key               file   `yaml:"key"`
		ClientAuthorities []file `yaml:"client-authorities"`
	} `yaml:"tls"`
	ExtAuthz bool `yaml:"ext-authz"`
	Session  *struct {
		Lifetime          duration `yaml:"lifetime"`
		CertificateHeader string   `yaml:"certificate-header"`
	} `yaml:"session"`
}

type holders struct {
	Kind          string      `yaml:"kind"`
	Roots         []authority `yaml:"roots"`
	Intermediates []authority `yaml:"intermediates"`
}

type authority struct {
	Certificate        file     `yaml:"certificate"`
	Revocation         string   `yaml:"revocation"`
	DistributionPoints []string `yaml:"distribution-points"`
	CRLSigners         []file   `yaml:"crl-signers"`
	// OCSP is a node, so that a key with nothing after it is told from one that is not
	// there: only the latter asks nobody.
	OCSP yaml.Node `yaml:"ocsp"`
}

// ocspKeys are the keys below ocsp of an authority.
type ocspKeys struct {
	Responders []string `yaml:"responders"`
	Mode       string   `yaml:"mode"`
	Nonce      bool     `yaml:"nonce"`
	Wait       duration `yaml:"wait"`
	MaxAge     duration `yaml:"max-age"`
	Signers    []file   `yaml:"signers"`
}

// file is a path, with the line at which it stands.
type file struct {
	path string
	line int
}

func (f *file) UnmarshalYAML(n *yaml.Node) error {
	f.line = n.Line
	return n.Decode(&f.path)
}

// wrong says at which line a file is named that is wrong.
func (f file) wrong(err error) error { return fmt.Errorf("line %d: %w", f.line, err) }

// duration is written 90s, 5m, 1h.
type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || parsed < 0 {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no duration such as 90s", n.Line, n.Value)}}
	}
	*d = duration(parsed)
	return nil
}

// defaults is what stands in example.yaml for keys that are left out.
func defaults() *config {
	c := &config{}
	c.Listen.Path = "/"
	c.Limits.MessageBytes, c.Limits.HeaderBytes, c.Limits.Concurrent = 1<<20, 16<<10, 256
	c.Limits.HeaderTimeout = duration(5 * time.Second)
	c.Limits.ReadTimeout, c.Limits.WriteTimeout = duration(15*time.Second), duration(15*time.Second)
	c.Limits.IdleTimeout, c.Limits.Stop = duration(time.Minute), duration(10*time.Second)
	c.Timestamp.MaxLifetime, c.Timestamp.Skew = duration(10*time.Minute), duration(time.Minute)
	c.ReplayCapacity, c.AssertionMemoryMegabytes = 1_000_000, 16
	c.Log.Format = "text"
	return c
}

// fill fills what stands below keys that may be left out whole.
func (c *config) fill() {
	if u := c.Upstream; u != nil {
		orText(&u.Forward, forwardBody)
		orDuration(&u.Timeout, 10*time.Second)
		if u.Headers == nil {
			u.Headers = slices.Clone(passedHeaders)
		}
	}
	if k := c.Caller; k != nil {
		orText(&k.Header, "Sceau-Caller")
		orDuration(&k.Lifetime, time.Minute)
	}
	if a := c.Authorizer; a != nil && a.Session != nil {
		orDuration(&a.Session.Lifetime, 5*time.Minute)
		orText(&a.Session.CertificateHeader, "Sceau-Client-Certificate")
	}
	if c.Audit != nil {
		orText(&c.Audit.Durability, "sync")
	}
}

func orText(s *string, preset string) {
	if *s == "" {
		*s = preset
	}
}

func orDuration(d *duration, preset time.Duration) {
	if *d == 0 {
		*d = duration(preset)
	}
}

// The values of upstream.forward.
const (
	forwardBody    = "body"
	forwardMessage = "message"
)

// passedHeaders are the headers of requests that reach the service unless upstream.headers says otherwise: none of them says
// who calls or what is to be done.
var passedHeaders = []string{"Accept", "Accept-Encoding", "Accept-Language", "User-Agent", "From", "X-Correlationid", "Traceparent", "Tracestate"}

// maxConfig bounds a configuration file.
const maxConfig = 1 << 20

func readConfig(path string) (*config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfig {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, maxConfig)
	}
	c, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", path, err)
	}
	c.folder = filepath.Dir(path)
	return c, nil
}

func parseConfig(text []byte) (*config, error) {
	c := defaults()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	c.fill()
	return c, c.check()
}

var servicePath = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)

var environments = []string{"", "Development", "Test", "Integration", "Acceptation", "Simulation", "Production"}

// check finds what is wrong with the values by themselves; build finds the rest.
func (c *config) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Listen.Address); err != nil {
		wrong("listen.address: not host:port")
	} else if c.Listen.TLS == nil && !c.Listen.PlainAnywhere && !loopback(c.Listen.Address) {
		wrong("listen: plain HTTP on another address than loopback; give listen.tls, or say plain-anywhere: true")
	}
	if !servicePath.MatchString(c.Listen.Path) {
		wrong("listen.path: not / and letters, digits, or one of . _ ~ - /")
	}
	if c.Listen.TLS != nil && (c.Listen.TLS.Certificate.path == "" || c.Listen.TLS.Key.path == "") {
		wrong("listen.tls: needs certificate and key")
	}
	if c.Admin != nil {
		if _, _, err := net.SplitHostPort(c.Admin.Address); err != nil {
			wrong("admin.address: not host:port")
		}
	}
	c.checkFaces(wrong)
	l := &c.Limits
	if min(l.MessageBytes, l.HeaderBytes, l.Concurrent) <= 0 ||
		min(l.HeaderTimeout, l.ReadTimeout, l.WriteTimeout, l.IdleTimeout, l.Stop) <= 0 {
		wrong("limits: every limit must be greater than zero")
	}
	if !slices.Contains(environments, c.Environment) {
		wrong("environment: not one of %s", strings.Join(environments[1:], ", "))
	}
	for i, h := range c.Holders {
		if h.Kind != "ehealth" && h.Kind != "eid" {
			wrong("holders[%d].kind: not ehealth or eid", i)
		}
	}
	if len(c.Holders) == 0 {
		wrong("holders: nobody could call")
	}
	if c.ReplayCapacity <= 0 {
		wrong("replay-capacity: nothing would be admitted")
	}
	if c.AssertionMemoryMegabytes < 0 {
		wrong("assertion-memory-megabytes: negative")
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		wrong("log.format: not text or json")
	}
	return errors.Join(errs...)
}

// loopback reports whether a listener on the address can be reached from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// warnings tells what a configuration leaves open, though it is in order.
func (c *config) warnings() []string {
	var w []string
	if c.SHA1.Messages {
		w = append(w, "sha1.messages: SHA-1 is admitted in the signatures of messages")
	}
	if c.SHA1.Assertions {
		w = append(w, "sha1.assertions: SHA-1 is admitted in the signatures of assertions")
	}
	if c.Listen.TLS == nil && c.Listen.PlainAnywhere {
		w = append(w, "listen.plain-anywhere: assertions cross the network in clear")
	}
	if c.Upstream == nil && c.Authorizer == nil {
		w = append(w, "upstream: none; callers are answered by the echo service")
	}
	if c.Upstream != nil && c.Upstream.Forward == forwardMessage {
		w = append(w, "upstream.forward: header blocks that nobody signed reach the service")
	}
	if c.Upstream != nil && c.Caller == nil {
		w = append(w, "caller: the service is not told who calls")
	}
	if c.Audit == nil {
		w = append(w, "audit: decisions leave no trace but the log")
	}
	if len(c.Require) == 0 {
		w = append(w, "require: every holder of an assertion is admitted, whatever its attributes")
	}
	all := append(append([]authority(nil), c.STS.Roots...), c.STS.Intermediates...)
	for _, h := range c.Holders {
		all = append(append(all, h.Roots...), h.Intermediates...)
	}
	for _, a := range all {
		if strings.TrimSpace(a.Revocation) == "off" {
			w = append(w, fmt.Sprintf("line %d: revocation is off for what %s issued", a.Certificate.line, a.Certificate.path))
		}
	}
	return w
}

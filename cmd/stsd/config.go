package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed example.yaml
var exampleConfig []byte

// A value is a scalar of the configuration file with the line it stands on.
type value[T any] struct {
	V    T
	Line int
}

func (v *value[T]) UnmarshalYAML(n *yaml.Node) error {
	v.Line = n.Line
	return n.Decode(&v.V)
}

// or returns the value, or d where the file says nothing.
func (v value[T]) or(d T) T {
	if v.Line == 0 {
		return d
	}
	return v.V
}

// A duration is written as Go writes one.
type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := time.ParseDuration(n.Value)
	if err != nil || parsed < 0 {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no duration such as 90s or 10m", n.Line, n.Value)}}
	}
	*d = duration(parsed)
	return nil
}

// fileConfig is the configuration file; example.yaml is its manual.
type fileConfig struct {
	Listen      []listenerConfig `yaml:"listen"`
	Admin       value[string]    `yaml:"admin"`
	Issuer      value[string]    `yaml:"issuer"`
	Environment value[string]    `yaml:"environment"`
	PublicURL   value[string]    `yaml:"public-url"`
	Signing     struct {
		Key            value[string] `yaml:"key"`
		Certificate    value[string] `yaml:"certificate"`
		PKCS12         value[string] `yaml:"pkcs12"`
		PassphraseFile value[string] `yaml:"passphrase-file"`
		Engine         value[string] `yaml:"engine"`
		Library        value[string] `yaml:"library"`

		Dir          value[string]   `yaml:"dir"`
		PublishAhead value[duration] `yaml:"publish-ahead"`
		PublishAfter value[duration] `yaml:"publish-after"`
		WarnBefore   value[duration] `yaml:"warn-before"`
		Token        struct {
			Sessions       value[int]      `yaml:"sessions"`
			Waiting        value[int]      `yaml:"waiting"`
			Timeout        value[duration] `yaml:"timeout"`
			HealthInterval value[duration] `yaml:"health-interval"`
		} `yaml:"token"`
	} `yaml:"signing"`
	Trust struct {
		Authorities []authorityConfig `yaml:"authorities"`
		Profiles    []profileConfig   `yaml:"profiles"`
		CRLFiles    []value[string]   `yaml:"crl-files"`
		CRLRefresh  value[duration]   `yaml:"crl-refresh"`
		CRLMaxBytes value[int64]      `yaml:"crl-max-bytes"`
		CRLCache    value[string]     `yaml:"crl-cache"`
		CRLOffline  value[bool]       `yaml:"crl-offline"`
	} `yaml:"trust"`
	SHA1 struct {
		Header value[bool] `yaml:"header"`
		Inner  value[bool] `yaml:"inner"`
	} `yaml:"sha1"`
	Messages struct {
		MaxBytes       value[int]      `yaml:"max-bytes"`
		MaxDepth       value[int]      `yaml:"max-depth"`
		MaxAttributes  value[int]      `yaml:"max-attributes"`
		MaxLifetime    value[duration] `yaml:"max-lifetime"`
		ClockSkew      value[duration] `yaml:"clock-skew"`
		ReplayCapacity value[int]      `yaml:"replay-capacity"`
		ClientNames    []value[string] `yaml:"client-names"`
		AcceptClaimed  []value[string] `yaml:"accept-claimed"`
	} `yaml:"messages"`
	Assertions struct {
		BackDate value[duration] `yaml:"back-date"`
	} `yaml:"assertions"`
	Registry registryConfig `yaml:"registry"`
	// Sources, read by readEntries, stand in the place of Registry, and Resolver, read by resolverConfig, has what is
	// said of all of them.
	Sources     yaml.Node          `yaml:"sources"`
	Resolver    yaml.Node          `yaml:"resolver"`
	Definitions []definitionConfig `yaml:"definitions"`
	Policy      policyConfig       `yaml:"policy"`
	Decisions   decisionsConfig    `yaml:"decisions"`
	// OIDC names the configuration file of the OpenID Connect face.
	OIDC  value[string] `yaml:"oidc"`
	Audit struct {
		Dir        value[string] `yaml:"dir"`
		Durability value[string] `yaml:"durability"`
		Retention  value[period] `yaml:"retention"`
	} `yaml:"audit"`
	Limits struct {
		ReadTimeout    value[duration] `yaml:"read-timeout"`
		WriteTimeout   value[duration] `yaml:"write-timeout"`
		IdleTimeout    value[duration] `yaml:"idle-timeout"`
		MaxConnections value[int]      `yaml:"max-connections"`
		MaxPerAddress  value[int]      `yaml:"max-per-address"`
		MaxInFlight    value[int]      `yaml:"max-in-flight"`
		MaxAtWork      value[int]      `yaml:"max-at-work"`
		MaxWait        value[duration] `yaml:"max-wait"`
		MaxLargeBodies value[int]      `yaml:"max-large-bodies"`
		StopTimeout    value[duration] `yaml:"stop-timeout"`
	} `yaml:"limits"`
	// TestClock fixes the clock, for messages made at another time. It is refused
	// unless every listener is on loopback, and said loudly.
	TestClock value[time.Time] `yaml:"test-clock"`

	dir   string
	text  []byte    // of the file
	since time.Time // when it was written
}

type registryConfig struct {
	File         value[string]   `yaml:"file"`
	Budget       value[duration] `yaml:"budget"`
	CacheEntries value[int64]    `yaml:"cache-entries"`
	CacheTTL     value[duration] `yaml:"cache-ttl"`
}

// same says whether two registries are one, wherever they stand in the file.
func (c *registryConfig) same(other *registryConfig) bool {
	return c.File.V == other.File.V && c.Budget.V == other.Budget.V && c.CacheEntries.V == other.CacheEntries.V && c.CacheTTL.V == other.CacheTTL.V
}

type listenerConfig struct {
	Address     value[string] `yaml:"address"`
	Certificate value[string] `yaml:"certificate"`
	Key         value[string] `yaml:"key"`
	// ClientAuthorities is a list of files. It is a node, so that a key with nothing after
	// it is told from one that is not there: only the latter asks clients for nothing.
	ClientAuthorities yaml.Node `yaml:"client-authorities"`
}

type authorityConfig struct {
	Name               value[string]   `yaml:"name"`
	Certificate        value[string]   `yaml:"certificate"`
	Revocation         value[string]   `yaml:"revocation"`
	DistributionPoints []value[string] `yaml:"distribution-points"`
	CRLSigners         []value[string] `yaml:"crl-signers"`
	// OCSP is read by ocspKeys. It is a node, so that a key with nothing after it is told
	// from one that is not there: only the latter asks nobody.
	OCSP yaml.Node `yaml:"ocsp"`
}

type profileConfig struct {
	Name            value[string]   `yaml:"name"`
	Kind            value[string]   `yaml:"kind"`
	Role            value[string]   `yaml:"role"`
	Roots           []value[string] `yaml:"roots"`
	Intermediates   []value[string] `yaml:"intermediates"`
	Issuers         []value[string] `yaml:"issuers"`
	Subjects        []value[string] `yaml:"subjects"`
	SubjectPatterns []value[string] `yaml:"subject-patterns"`
	KeyUsage        []value[string] `yaml:"key-usage"`
	ExtKeyUsage     []value[string] `yaml:"ext-key-usage"`
	Policies        []value[string] `yaml:"policies"`
	AnyPolicy       value[bool]     `yaml:"any-policy"`
	ExplicitPolicy  value[bool]     `yaml:"explicit-policy"`
	KeyAlgorithms   []value[string] `yaml:"key-algorithms"`
	MinRSABits      value[int]      `yaml:"min-rsa-bits"`
	TestCards       value[bool]     `yaml:"test-cards"`
}

// unknownKey is how the decoder speaks of a key that the file should not have.
var unknownKey = regexp.MustCompile(`^field (\S+) not found in type .*$`)

// problems gathers everything that is wrong with a configuration, by line.
type problems struct {
	file string
	list []problem
}

type problem struct {
	line int
	text string
}

// add notes a problem; line 0 means the file as a whole.
func (p *problems) add(line int, format string, args ...any) {
	p.list = append(p.list, problem{line, fmt.Sprintf(format, args...)})
}

// addTypes notes what the decoder found wrong, by line.
func (p *problems) addTypes(wrong *yaml.TypeError) {
	for _, text := range wrong.Errors {
		line := 0
		if _, err := fmt.Sscanf(text, "line %d:", &line); err == nil {
			text = strings.TrimPrefix(text, fmt.Sprintf("line %d: ", line))
		}
		p.add(line, "%s", unknownKey.ReplaceAllString(text, `unknown key "$1"`))
	}
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	sort.SliceStable(p.list, func(i, j int) bool { return p.list[i].line < p.list[j].line })
	var b strings.Builder
	fmt.Fprintf(&b, "%d problem", len(p.list))
	if len(p.list) > 1 {
		b.WriteString("s")
	}
	b.WriteString(" in the configuration")
	for _, one := range p.list {
		b.WriteString("\n  " + p.file)
		if one.line > 0 {
			fmt.Fprintf(&b, ":%d", one.line)
		}
		b.WriteString(": " + strings.ReplaceAll(one.text, "\n", "\n    "))
	}
	return errors.New(b.String())
}

// readConfig reads a configuration file: its syntax, its keys and the form of its
// values. All that is wrong with them goes to p.
func readConfig(path string, p *problems) *fileConfig {
	text, err := os.ReadFile(path)
	if err != nil {
		p.add(0, "%v", err)
		return nil
	}
	c := parseConfig(text, filepath.Dir(path), p)
	if c != nil {
		c.text = text
		if info, err := os.Stat(path); err == nil {
			c.since = info.ModTime().UTC().Truncate(time.Second)
		}
	}
	return c
}

func parseConfig(text []byte, dir string, p *problems) *fileConfig {
	c := &fileConfig{dir: dir}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(c)
	var wrong *yaml.TypeError
	switch {
	case errors.As(err, &wrong):
		p.addTypes(wrong)
	case errors.Is(err, io.EOF):
		p.add(0, "the file is empty")
	case err != nil:
		p.add(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil // nothing can be said of what was not read
	}
	if err == nil && decoder.Decode(new(yaml.Node)) == nil {
		p.add(0, "a second document in the file")
	}
	return c
}

// path makes a path of the file relative to its folder.
func (c *fileConfig) path(v value[string]) string {
	if v.V == "" || filepath.IsAbs(v.V) {
		return v.V
	}
	return filepath.Join(c.dir, v.V)
}

// library is signing.library: a path like the others when it has a slash, otherwise a
// name for the system's loader.
func (c *fileConfig) library() string {
	if v := c.Signing.Library; strings.ContainsRune(v.V, '/') {
		return c.path(v)
	}
	return c.Signing.Library.V
}

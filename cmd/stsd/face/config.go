package face

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

// Example is the commented configuration file: its manual.
//
//go:embed example.yaml
var Example []byte

// A Config is the configuration file of the face; example.yaml is its manual. Read makes it.
type Config struct {
	Listen  Listener    `yaml:"listen"`
	Secure  Listener    `yaml:"secure"`
	Store   StoreConfig `yaml:"store"`
	Control struct {
		Tokens []string `yaml:"token-hashes"`
	} `yaml:"control"`
	BackChannel struct {
		Allow []string `yaml:"allow"`
		CA    []string `yaml:"ca"`
	} `yaml:"back-channel"`
	Establishments []Establishment `yaml:"establishments"`

	dir string
}

// A Listener takes TLS connections.
type Listener struct {
	Address     string `yaml:"address"`
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// Authorities are those of the certificates that browsers offer, of Secure alone.
	Authorities []string `yaml:"authorities"`
}

// A StoreConfig says where sessions and grants are kept.
type StoreConfig struct {
	Kind     string `yaml:"kind"`
	MaxBytes int    `yaml:"max-bytes"`
}

// An Establishment is one issuer.
type Establishment struct {
	Tenant       string            `yaml:"tenant"`
	Issuer       string            `yaml:"issuer"`
	SecureIssuer string            `yaml:"secure-issuer"`
	Names        map[string]string `yaml:"names"`
	Sandbox      bool              `yaml:"sandbox"`
	Support      struct {
		URL       string `yaml:"url"`
		Telephone string `yaml:"telephone"`
		Email     string `yaml:"email"`
	} `yaml:"support"`
	MailDomains []string `yaml:"mail-domains"`
	Keys        []struct {
		File      string    `yaml:"file"`
		Algorithm string    `yaml:"algorithm"`
		From      time.Time `yaml:"from"`
		Until     time.Time `yaml:"until"`
	} `yaml:"keys"`
	Clients       string         `yaml:"clients"`
	SecretKeyFile string         `yaml:"secret-key-file"`
	Accounts      AccountsConfig `yaml:"accounts"`
	Means         []MeansConfig  `yaml:"means"`
	Lifetimes     struct {
		AccessToken   Duration `yaml:"access-token"`
		IDToken       Duration `yaml:"id-token"`
		RefreshToken  Duration `yaml:"refresh-token"`
		Code          Duration `yaml:"code"`
		Attempt       Duration `yaml:"attempt"`
		PushedRequest Duration `yaml:"pushed-request"`
		Session       Duration `yaml:"session"`
		Idle          Duration `yaml:"idle"`
	} `yaml:"lifetimes"`
}

// An AccountsConfig says who the persons of an establishment are: in a directory, or invented.
type AccountsConfig struct {
	People    string           `yaml:"people"`
	Directory *DirectoryConfig `yaml:"directory"`
}

// A DirectoryConfig is a directory of persons.
type DirectoryConfig struct {
	Servers      []string `yaml:"servers"`
	StartTLS     bool     `yaml:"starttls"`
	CA           string   `yaml:"ca"`
	ServerName   string   `yaml:"server-name"`
	BindDN       string   `yaml:"bind-dn"`
	PasswordFile string   `yaml:"password-file"`
	Base         string   `yaml:"base"`
	Scope        string   `yaml:"scope"`
	Filter       string   `yaml:"filter"`
	Username     string   `yaml:"username"`
	ID           string   `yaml:"id"`
	Names        struct {
		Given   string `yaml:"given"`
		Family  string `yaml:"family"`
		Display string `yaml:"display"`
		Email   string `yaml:"email"`
	} `yaml:"names"`
	Groups        string            `yaml:"groups"`
	EmailVerified bool              `yaml:"email-verified"`
	Identifiers   map[string]string `yaml:"identifiers"`
	Code          string            `yaml:"code"`
	Seal          []string          `yaml:"seal"`
}

// A MeansConfig is one means. Which keys count its kind says.
type MeansConfig struct {
	Name   string            `yaml:"name"`
	Kind   string            `yaml:"kind"`
	Labels map[string]string `yaml:"labels"`
	Cards  []string          `yaml:"cards"`

	// certificate
	Role       string              `yaml:"role"`
	References map[string][]string `yaml:"references"`
	MaxAge     Duration            `yaml:"max-age"`
	// password
	Second string `yaml:"second-factor"`
}

// A Duration is written as Go writes one.
type Duration time.Duration

// UnmarshalYAML reads one.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := time.ParseDuration(n.Value)
	if err != nil || parsed <= 0 {
		return fmt.Errorf("line %d: %q is no duration such as 90s or 4h", n.Line, n.Value)
	}
	*d = Duration(parsed)
	return nil
}

// Read reads a configuration file. An unknown key, a key that stands twice and a second document are refused.
func Read(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &Config{dir: filepath.Dir(path)}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document", path)
	}
	return c, nil
}

// path makes a path of the file relative to its folder.
func (c *Config) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

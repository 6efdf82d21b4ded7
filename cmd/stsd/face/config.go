package face

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/oidc/client"
)

// Example is the commented configuration file: its manual.
//
//go:embed example.yaml
var Example []byte

// A Config is the configuration file of the face; example.yaml is its manual. Read makes it.
type Config struct {
	Listen  Listener     `yaml:"listen"`
	Secure  Listener     `yaml:"secure"`
	Limits  LimitsConfig `yaml:"limits"`
	Store   StoreConfig  `yaml:"store"`
	Control struct {
		Readers []struct {
			Name        string `yaml:"name"`
			TokenHash   string `yaml:"token-hash"`
			Certificate string `yaml:"certificate"`
		} `yaml:"readers"`
		Least     uint64 `yaml:"least"`
		PerMinute int    `yaml:"per-minute"`
	} `yaml:"control"`
	BackChannel struct {
		Allow []string `yaml:"allow"`
		CA    []string `yaml:"ca"`
	} `yaml:"back-channel"`
	Establishments []Establishment `yaml:"establishments"`

	dir   string
	texts [][]byte
}

// Texts are those of the file and of the files of clients, and of keys and policies of a federation, that it names, which determine the policies in force.
func (c *Config) Texts() [][]byte { return c.texts }

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
	Kind             string `yaml:"kind"`
	MaxBytes         int    `yaml:"max-bytes"`     // memory
	File             string `yaml:"file"`          // sqlite
	DSN              string `yaml:"dsn"`           // postgresql
	Address          string `yaml:"address"`       // redis
	Username         string `yaml:"username"`      // redis
	Database         int    `yaml:"database"`      // redis
	Prefix           string `yaml:"prefix"`        // redis
	CA               string `yaml:"ca"`            // redis
	ServerName       string `yaml:"server-name"`   // redis
	PasswordFile     string `yaml:"password-file"` // postgresql, redis
	UnverifiedServer bool   `yaml:"unverified-server"`
	Connections      int    `yaml:"connections"`
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
	// Credentials is the database of passkeys and of secrets of one-time codes.
	Credentials *struct {
		File         string   `yaml:"file"`
		DSN          string   `yaml:"dsn"`
		PasswordFile string   `yaml:"password-file"`
		Seal         []string `yaml:"seal"`
	} `yaml:"credentials"`
	Exchange   *ExchangeConfig   `yaml:"exchange"`
	Federation *FederationConfig `yaml:"federation"`
	Lifetimes  struct {
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

	// certificate, assertion
	Role       string              `yaml:"role"`
	References map[string][]string `yaml:"references"`
	MaxAge     Duration            `yaml:"max-age"`
	// password
	Second string `yaml:"second-factor"`
	// passkey
	Domain       string   `yaml:"domain"`
	HardwareOnly bool     `yaml:"hardware-only"`
	Models       []string `yaml:"models"`
	Verification []string `yaml:"verification"`
	// kerberos
	Keytab    string   `yaml:"keytab"`
	Service   string   `yaml:"service"`
	Realms    []string `yaml:"realms"`
	Usernames bool     `yaml:"usernames"`
	Beside    []string `yaml:"beside"`
	// upstream
	Upstream *UpstreamConfig `yaml:"provider"`
	// wallet
	Wallet *WalletConfig `yaml:"wallet"`
	// assertion
	Issuers []string          `yaml:"issuers"`
	Persons map[string]string `yaml:"persons"`
}

// An UpstreamConfig is an OpenID provider of others.
type UpstreamConfig struct {
	// ProSanteConnect is "bas" or "production", in the place of issuer, hosts, scopes and acr.
	ProSanteConnect string   `yaml:"pro-sante-connect"`
	Issuer          string   `yaml:"issuer"`
	Discovery       string   `yaml:"discovery"`
	Hosts           []string `yaml:"hosts"`
	ClientID        string   `yaml:"client-id"`
	Method          string   `yaml:"method"`
	SecretFile      string   `yaml:"secret-file"`
	Certificate     string   `yaml:"certificate"`
	Key             string   `yaml:"key"`
	SigningKey      string   `yaml:"signing-key"`
	SigningKeyID    string   `yaml:"signing-key-id"`
	CA              []string `yaml:"ca"`
	Scopes          []string `yaml:"scopes"`
	ACR             []string `yaml:"acr"`
	MaxAge          Duration `yaml:"max-age"`
	UserInfo        bool     `yaml:"userinfo"`
	// Identify is "sub", "prosante", or the type of identifier for each claim: {claim: type}.
	Identify       string   `yaml:"identify"`
	Claim          string   `yaml:"claim"`
	Least          []string `yaml:"least"`
	Reauthenticate bool     `yaml:"reauthenticate"`
	Methods        []struct {
		ACR        []string `yaml:"acr"`
		AMR        []string `yaml:"amr"`
		Claim      string   `yaml:"claim"`
		Value      string   `yaml:"value"`
		References []string `yaml:"references"`
	} `yaml:"methods"`
}

// An ExchangeConfig says which tokens are exchanged for which (docs/bridge.md).
type ExchangeConfig struct {
	HolderRoles     []string `yaml:"holder-roles"`
	Issuers         []string `yaml:"issuers"`
	Audiences       []string `yaml:"audiences"`
	Issuer          string   `yaml:"issuer"`
	BackDate        Duration `yaml:"back-date"`
	Skew            Duration `yaml:"skew"`
	MaximumValidity Duration `yaml:"maximum-validity"`
	MaximumAge      Duration `yaml:"maximum-age"`
	Actors          int      `yaml:"actors"`
	Target          string   `yaml:"target"`
	Claims          []struct {
		Name       string `yaml:"name"`
		Attribute  string `yaml:"attribute"`
		Namespace  string `yaml:"namespace"`
		Scope      string `yaml:"scope"`
		Identifier string `yaml:"identifier"`
	} `yaml:"claims"`
	Certified map[string][]string `yaml:"certified"`
	Upstreams []struct {
		Issuer        string              `yaml:"issuer"`
		Introspection string              `yaml:"introspection"`
		ClientID      string              `yaml:"client-id"`
		SecretFile    string              `yaml:"secret-file"`
		Certificate   string              `yaml:"certificate"`
		Key           string              `yaml:"key"`
		CA            []string            `yaml:"ca"`
		Parties       map[string][]string `yaml:"parties"`
		Lifetime      Duration            `yaml:"lifetime"`
		Confirmed     bool                `yaml:"confirmed"`
		Levels        []string            `yaml:"levels"`
		References    map[string][]string `yaml:"references"`
		Claims        []string            `yaml:"claims"`
		ActorClaims   []string            `yaml:"actor-claims"`
	} `yaml:"upstreams"`
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
	c.texts = [][]byte{text}
	for i := range c.Establishments {
		names := []string{c.Establishments[i].Clients}
		if f := c.Establishments[i].Federation; f != nil {
			names = append(names, f.determining()...)
		}
		for _, name := range names {
			if text, err := os.ReadFile(c.path(name)); err == nil { // that it cannot be read is told where it is used
				c.texts = append(c.texts, text)
			}
		}
	}
	return c, nil
}

// Names are those of the clients and of the means of all establishments, for metrics. What cannot be read has none.
func (c *Config) Names() (clients, means []string) {
	for i := range c.Establishments {
		for _, m := range c.Establishments[i].Means {
			means = append(means, m.Name)
		}
		text, err := os.ReadFile(c.path(c.Establishments[i].Clients))
		if err != nil {
			continue
		}
		registrations, err := client.Read(text)
		if err != nil {
			continue
		}
		for _, r := range registrations {
			clients = append(clients, r.ID)
		}
	}
	slices.Sort(clients)
	slices.Sort(means)
	return slices.Compact(clients), slices.Compact(means)
}

// path makes a path of the file relative to its folder.
func (c *Config) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// only refuses keys of a part of the file that do not count where they stand: who wrote one believes that it does.
func only(part any, where string, keys ...string) error {
	v := reflect.ValueOf(part).Elem()
	var errs []error
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("yaml"); !v.Field(i).IsZero() && !slices.Contains(keys, key) {
			errs = append(errs, fmt.Errorf("%s does not count for %s", key, where))
		}
	}
	return errors.Join(errs...)
}

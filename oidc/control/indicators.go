package control

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// ProfileProSanteConnect is the Profile of Pro Santé Connect as a client.
const ProfileProSanteConnect = "pro-sante-connect"

// LeastRetention is how long the trail of identifications to Pro Santé Connect is kept at least: three months (EXI FI 36), the longest of which
// have 92 days.
const LeastRetention = 92 * 24 * time.Hour

// MostAuthenticationAge is how old an explicit authentication may be when a person is identified to Pro Santé Connect (EXI FI 25).
const MostAuthenticationAge = 4 * time.Hour

// CheckRetention says what is wrong with the retention of the audit trail, zero for ever, of a server with clients of these profiles.
func CheckRetention(retention time.Duration, profiles []string) error {
	if retention == 0 || retention >= LeastRetention {
		return nil
	}
	for _, profile := range profiles {
		if profile == ProfileProSanteConnect {
			return fmt.Errorf("a client of the profile %s needs the audit trail for %d days at least (EXI FI 36), and it is kept for %v",
				ProfileProSanteConnect, LeastRetention/(24*time.Hour), retention)
		}
	}
	return nil
}

// Seconds is a duration in whole seconds, as programs read it.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(int64(time.Duration(s) / time.Second))
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var n int64
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	*s = Seconds(time.Duration(n) * time.Second)
	return nil
}

// Indicators are the policies in force. All of it is configuration: no secret, and no person.
type Indicators struct {
	// Product and Version are the program, Environment is what the configuration calls it.
	Product     string `json:"product"`
	Version     string `json:"version"`
	Environment string `json:"environment,omitempty"`
	// Configuration is the digest of the configuration in force, and since when it is.
	Configuration Configuration `json:"configuration"`
	// Retention is how long the audit trail is kept, in seconds; zero is for ever.
	Retention      Seconds         `json:"auditRetention"`
	Establishments []Establishment `json:"establishments"`
}

// A Configuration is named by the SHA-256 of all that determines it, in hex.
type Configuration struct {
	Digest string    `json:"digest"`
	Since  time.Time `json:"since"`
}

// An Establishment is an issuer (EXI FI 22).
type Establishment struct {
	// Name is the tenant (tid).
	Name              string   `json:"name"`
	Issuer            string   `json:"issuer"`
	SigningAlgorithms []string `json:"signingAlgorithms"`
	Means             []Means  `json:"means"`
	Clients           []Client `json:"clients"`
}

// A Means is a means of authentication that is enabled (MIE).
type Means struct {
	Name string `json:"name"`
	// Kind is "certificate", "passkey", "directory", "kerberos", "assertion", "upstream" or "wallet".
	Kind string `json:"kind"`
	// Methods are the amr of whoever succeeds by it (RFC 8176), at least.
	Methods  []string `json:"amr"`
	Strength Strength `json:"strength"`
}

// Strength is what an authentication withstands.
type Strength struct {
	MultiFactor       bool `json:"multiFactor"`
	PhishingResistant bool `json:"phishingResistant"`
}

// A Client is the policy of one relying party.
type Client struct {
	ID      string `json:"id"`
	Profile string `json:"profile,omitempty"`

	// SessionLife is how long a session of a person lasts at most, SessionIdle how long unused. MaxAuthenticationAge is how old
	// the explicit authentication may be (EXI FI 25).
	SessionLife          Seconds `json:"sessionLife"`
	SessionIdle          Seconds `json:"sessionIdle,omitzero"`
	MaxAuthenticationAge Seconds `json:"maxAuthenticationAge"`

	// Means are the names of those that the client admits; AMRSets the sets of amr of which a session needs one, none for any. ACRValues
	// are those it may ask for. Strength is what every authentication that is admitted has.
	Means     []string   `json:"means"`
	AMRSets   [][]string `json:"amrSets"`
	ACRValues []string   `json:"acrValues"`
	Strength  Strength   `json:"strength"`

	// Consent is "none", "ask" or "terms".
	Consent string `json:"consent"`

	// Authentication is how the client itself authenticates, and whether it needs a certificate besides (EXI FI 17 and 18).
	Authentication      string `json:"clientAuthentication"`
	CertificateRequired bool   `json:"certificateRequired"`
	PKCE                bool   `json:"pkceRequired"`
	PushedRequests      bool   `json:"pushedRequestsRequired"`
	BoundTokens         bool   `json:"certificateBoundTokens"`
	IDTokenAlgorithm    string `json:"idTokenAlgorithm"`

	Code         Seconds  `json:"codeLife"`
	AccessToken  Seconds  `json:"accessTokenLife"`
	IDToken      Seconds  `json:"idTokenLife"`
	RefreshToken Seconds  `json:"refreshTokenLife"` // zero: none are given
	Scopes       []string `json:"scopes"`
}

// Warnings says what in the indicators contradicts the requirements of Pro Santé Connect, for the clients of its profile.
func (i *Indicators) Warnings() []string {
	var all []string
	for _, e := range i.Establishments {
		for _, c := range e.Clients {
			if c.Profile != ProfileProSanteConnect {
				continue
			}
			say := func(format string, args ...any) {
				all = append(all, e.Name+", "+c.ID+": "+fmt.Sprintf(format, args...))
			}
			if c.MaxAuthenticationAge == 0 || time.Duration(c.MaxAuthenticationAge) > MostAuthenticationAge {
				say("an authentication may be older than four hours (EXI FI 25)")
			}
			if !c.Strength.PhishingResistant || !c.Strength.MultiFactor {
				say("not every means admitted has two factors and resists phishing (EXI FI 24)")
			}
			if len(c.AMRSets) == 0 {
				say("no amr set is demanded (EXI FI 20 and 24)")
			}
			if err := CheckRetention(time.Duration(i.Retention), []string{c.Profile}); err != nil {
				say("%v", err)
			}
		}
	}
	return all
}

// StrengthOf is what all of several means have: of none, nothing.
func StrengthOf(means ...Means) Strength {
	if len(means) == 0 {
		return Strength{}
	}
	all := Strength{true, true}
	for _, m := range means {
		all.MultiFactor = all.MultiFactor && m.Strength.MultiFactor
		all.PhishingResistant = all.PhishingResistant && m.Strength.PhishingResistant
	}
	return all
}

// Digest names a configuration by all that determines it: the texts of its files, in order.
func Digest(texts ...[]byte) string {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%d:", len(text)) // no two lists of texts are one
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Filled gives the indicators without nil lists, which JSON would write as null.
func (i Indicators) Filled() Indicators {
	list := func(to *[]string) {
		if *to == nil {
			*to = []string{}
		}
	}
	establishments := make([]Establishment, len(i.Establishments))
	for n, e := range i.Establishments {
		list(&e.SigningAlgorithms)
		e.Means = append([]Means{}, e.Means...)
		for k := range e.Means {
			list(&e.Means[k].Methods)
		}
		e.Clients = append([]Client{}, e.Clients...)
		for k := range e.Clients {
			c := &e.Clients[k]
			list(&c.Means)
			list(&c.ACRValues)
			list(&c.Scopes)
			if c.AMRSets == nil {
				c.AMRSets = [][]string{}
			}
		}
		establishments[n] = e
	}
	i.Establishments = establishments
	return i
}

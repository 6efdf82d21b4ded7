package bridge

import (
	"errors"
	"slices"

	"sceau/saml"
)

// Methods says how the references of RFC 8176 (amr) and the authentication methods of SAML 1.1 (core 7.1) are said in each other's words.
// A word that says less is chosen where none says the same; none that says more ever is. docs/bridge.md has the table.
type Methods struct {
	// ToSAML is read from the top: the first row whose references all happened.
	ToSAML []MethodRow
	// FromSAML gives the references of a method; of one that is not in it nothing is known.
	FromSAML map[string][]string
}

// A MethodRow says by which method references are called. No references is every authentication.
type MethodRow struct {
	References []string
	Method     string
}

// UpstreamReferences gives the references of a token of Pro Santé Connect, which has an acr and no amr: of its levels two factors are known, and
// not which (upstream.ProSanteMethods says the same of a login).
func UpstreamReferences() map[string][]string {
	return map[string][]string{"eidas1": {"mfa"}, "eidas2": {"mfa"}, "eidas3": {"mfa"}}
}

// Methods of SAML 2.0 which SAML 1.1 has no word for: AuthenticationMethod is any URI (core 2.4.3).
const (
	methodMobile   = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered" // as the ANS writes of an e-CPS
	methodTimeSync = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"
)

// DefaultMethods gives the table of docs/bridge.md.
func DefaultMethods() *Methods {
	return &Methods{
		ToSAML: []MethodRow{
			{[]string{"sc"}, saml.MethodHardwareToken},
			{[]string{"hwk"}, saml.MethodHardwareToken},
			{[]string{"swk", "mfa"}, methodMobile},
			{[]string{"otp"}, methodTimeSync},
			{[]string{"swk"}, saml.MethodX509PKI},
			{[]string{"wia"}, saml.MethodKerberos},
			{[]string{"pwd"}, saml.MethodPassword},
			{nil, saml.MethodUnspecified},
		},
		FromSAML: map[string][]string{
			saml.MethodHardwareToken: {"hwk"},
			methodMobile:             {"swk", "mfa"},
			methodTimeSync:           {"otp"},
			saml.MethodX509PKI:       {"swk"},
			saml.MethodTLSClient:     {"swk"},
			saml.MethodSignature:     {"swk"},
			saml.MethodKerberos:      {"wia"},
			saml.MethodPassword:      {"pwd"},
			saml.MethodSRP:           {"pwd"},
		},
	}
}

// SAML gives the method of references.
func (m *Methods) SAML(references []string) string {
	for i := range m.ToSAML {
		all := true
		for _, r := range m.ToSAML[i].References {
			all = all && slices.Contains(references, r)
		}
		if all {
			return m.ToSAML[i].Method
		}
	}
	return saml.MethodUnspecified
}

// References gives those of a method, nil where nothing is known.
func (m *Methods) References(method string) []string { return slices.Clone(m.FromSAML[method]) }

func (m *Methods) check() error {
	for i := range m.ToSAML {
		if m.ToSAML[i].Method == "" || !visible(m.ToSAML[i].Method) {
			return errors.New("a row of Methods without method")
		}
	}
	for method, references := range m.FromSAML {
		if method == "" || len(references) == 0 {
			return errors.New("a method of Methods without references")
		}
	}
	return nil
}

// assurance gives the level of eIDAS that an acr says, 0 where it says none.
func assurance(level string) int {
	switch level {
	case "eidas1", "http://eidas.europa.eu/LoA/low":
		return 1
	case "eidas2", "http://eidas.europa.eu/LoA/substantial":
		return 2
	case "eidas3", "http://eidas.europa.eu/LoA/high":
		return 3
	}
	return 0
}

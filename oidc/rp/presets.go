package rp

// Names of the environments of Pro Santé Connect.
const (
	Sandbox    = "bas" // bac à sable
	Production = "production"
)

// ProSanteConnect gives the configuration of Pro Santé Connect in an environment: where it is, what is asked and what must come.
// Our own part is left to say: ClientID, Method with what it needs, Certificate, RedirectURI and Roots. The discovery document lies
// at an address of its own, and the browser is sent to another host than that of the issuer.
func ProSanteConnect(environment string) (Config, error) {
	hosts, ok := map[string]struct{ issuer, wallet string }{
		Sandbox:    {"auth.bas.psc.esante.gouv.fr", "wallet.bas.psc.esante.gouv.fr"},
		Production: {"auth.esw.esante.gouv.fr", "wallet.esw.esante.gouv.fr"},
	}[environment]
	if !ok {
		return Config{}, refuse(Misconfigured, "no environment %q of Pro Santé Connect", environment)
	}
	issuer := "https://" + hosts.issuer + "/auth/realms/esante-wallet"
	return Config{
		Issuer:    issuer,
		Discovery: issuer + "/.well-known/wallet-openid-configuration",
		Hosts:     []string{hosts.wallet},
		Scopes:    []string{"scope_all"},
		Policy:    Policy{ACR: []string{"eidas1"}, AcceptACR: []string{"eidas2", "eidas3"}, RequireAuthTime: true},
		UserInfo:  true,
		// Integrations of others have a switch for it: the state of a logout does not always come back.
		LogoutStateMayBeDropped: true,
		HintClaim:               "SubjectNameID",
	}, nil
}

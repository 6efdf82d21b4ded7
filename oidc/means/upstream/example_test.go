package upstream_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"sceau/internal/testpki"
	"sceau/oidc/means/upstream"
	"sceau/oidc/rp"
)

// Pro Santé Connect's sandbox as a means of an establishment.
func ExampleNew() {
	hospital, roots := testpki.Load().Hospital, x509.NewCertPool()

	c, err := rp.ProSanteConnect(rp.Sandbox)
	if err != nil {
		panic(err)
	}
	c.ClientID, c.Method = "sceau", rp.TLSClientAuth
	c.Certificate = func() (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{hospital.DER}, PrivateKey: hospital.Key}, nil
	}
	c.RedirectURI = upstream.RedirectURI("https://sceau.example/etab/010000000", "psc")
	c.Roots = roots
	provider, err := rp.New(c)
	if err != nil {
		panic(err)
	}
	means, err := upstream.New(upstream.Config{Name: "psc", Label: "Pro Santé Connect", Provider: provider,
		Identify: upstream.ByProSante, Attributes: upstream.ProSanteAttributes,
		Methods: upstream.ProSanteMethods(), Least: []string{"mfa"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(provider.Issuer())
	fmt.Println(provider.RedirectURI())
	fmt.Println(means.References())
	// Output:
	// https://auth.bas.psc.esante.gouv.fr/auth/realms/esante-wallet
	// https://sceau.example/etab/010000000/upstream/psc/callback
	// [mfa]
}

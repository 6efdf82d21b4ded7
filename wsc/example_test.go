package wsc_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/wsc"
)

// A doctor's session: a token is asked for, and a service called with it.
func Example() {
	ctx, now := context.Background(), time.Now()
	identity, err := certs.LoadSigner(certs.KeyConfig{Key: "eid.pem", At: now})
	if err != nil {
		return
	}
	holder, err := certs.LoadSigner(certs.KeyConfig{PKCS12: "software.p12", PassphraseFile: "passphrase", At: now})
	if err != nil {
		return
	}
	credentials, err := wsc.NewCredentials(wsc.ModeSession, identity, holder)
	if err != nil {
		return
	}

	// Whose assertions are believed: the certificate of the STS, pinned.
	pinned, err := certs.ReadCertificates("sts.pem")
	if err != nil {
		return
	}
	issuer := certs.TokenIssuer()
	issuer.Pinned = pinned
	verifier, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{issuer}})
	if err != nil {
		return
	}
	defer verifier.Close()
	client, err := wsc.NewClient(wsc.Config{Trust: verifier})
	if err != nil {
		return
	}
	defer client.Close()

	isDoctor := attrs.Designator{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: attrs.NamespaceCertified}
	token, err := client.Token(ctx, "https://sts.example/IAM/Saml11TokenService/v1", credentials,
		&wsc.Request{Attributes: []attrs.Designator{isDoctor}, Validity: 12 * time.Hour})
	var refused *wsc.StatusError
	if errors.As(err, &refused) {
		fmt.Println("refused:", refused.Message, refused.AuditID)
	}
	if err != nil || !token.Affirms(isDoctor) {
		return
	}
	answer, err := client.Call(ctx, "https://service.example/", "urn:example:Ask", token, []byte(`<Ask xmlns="urn:example"/>`))
	var fault *wsc.Fault
	if errors.As(err, &fault) {
		fmt.Println("fault:", fault.SOACode, fault.ID)
	}
	fmt.Printf("%s\n", answer)
}

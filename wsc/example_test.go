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

// A session: the token is renewed in time, kept encrypted for the next program, and asked
// without the card while that is away.
func ExampleSession() {
	var client *wsc.Client // as above
	var withCard, withoutCard *wsc.Credentials
	key, err := wsc.ReadStoreKey("store.key")
	if err != nil {
		return
	}
	store, err := wsc.OpenStore("session", key)
	if err != nil {
		return
	}
	session, err := wsc.NewSession(wsc.SessionConfig{
		Client:      client,
		Endpoints:   []string{"https://sts.example/IAM/Saml11TokenService/v1", "https://sts2.example/IAM/Saml11TokenService/v1"},
		Credentials: []*wsc.Credentials{withCard, withoutCard},
		Request:     wsc.Request{Attributes: []attrs.Designator{{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: attrs.NamespaceCertified}}},
		Store:       store,
		Notify:      func(e wsc.SessionEvent) { fmt.Println(e.Kind, e.Endpoint, e.Err) },
	})
	if err != nil {
		return
	}
	defer session.Close()
	answer, err := session.Call(context.Background(), []string{"https://service.example/"}, "urn:example:Ask", []byte(`<Ask xmlns="urn:example"/>`))
	if wsc.ReasonOf(err) == wsc.ClockOff {
		fmt.Println("set the clock:", err)
	}
	fmt.Printf("%s\n", answer)
}

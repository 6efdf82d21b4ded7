package interop

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/soap"
	"sceau/wsc"
	"sceau/wsp"
)

// TestGo: our own packages, as docs/consumers.md and docs/providers.md show them.
func TestGo(t *testing.T) {
	apart(t)
	w := meet(t)
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			answer, err := goConsumer(t.Context(), w.sts[kind], w.wsp, w.pki.path("alice-eid", kind), w.pki.path("alice-ehealth", kind), w.pki.path("sts", kind)+".pem")
			if err != nil || !bytes.Contains(answer, []byte(">true<")) {
				t.Errorf("%v: %s", err, answer)
			}
			handler, done, err := goProvider(w.pki.path("sts", kind)+".pem", w.file("pki/ehealth-ca.pem"), w.file("pki/crl"))
			if err != nil {
				t.Fatal(err)
			}
			defer done()
			server := httptest.NewServer(handler)
			defer server.Close()
			w.ours(t, server.URL, kind)
		})
	}
}

// goConsumer asks for a token and calls a service with it.
func goConsumer(ctx context.Context, stsURL, serviceURL, eid, software, stsCertificate string) ([]byte, error) {
	identity, err := certs.LoadSigner(certs.KeyConfig{Key: eid + ".key", Certificate: eid + ".pem", At: time.Now()})
	if err != nil {
		return nil, err
	}
	holder, err := certs.LoadSigner(certs.KeyConfig{Key: software + ".key", Certificate: software + ".pem", At: time.Now()})
	if err != nil {
		return nil, err
	}
	credentials, err := wsc.NewCredentials(wsc.ModeSession, identity, holder)
	if err != nil {
		return nil, err
	}
	issuer := certs.TokenIssuer()
	if issuer.Pinned, err = certs.ReadCertificates(stsCertificate); err != nil {
		return nil, err
	}
	trust, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{issuer}})
	if err != nil {
		return nil, err
	}
	defer trust.Close()
	client, err := wsc.NewClient(wsc.Config{Trust: trust})
	if err != nil {
		return nil, err
	}
	defer client.Close()

	doctor := attrs.Designator{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: attrs.NamespaceCertified}
	token, err := client.Token(ctx, stsURL, credentials, &wsc.Request{Attributes: []attrs.Designator{doctor}, Validity: 8 * time.Hour})
	if err != nil {
		return nil, err // *wsc.StatusError: a REQ code; *wsc.Fault: a SOAP fault
	}
	return client.Call(ctx, serviceURL, "urn:sceau:interop:Ask", token, []byte(`<t:Ask xmlns:t="urn:sceau:interop">doctor?</t:Ask>`))
}

// goProvider is a guarded service.
func goProvider(stsCertificate, authority, crls string) (http.Handler, func(), error) {
	issuer := certs.TokenIssuer()
	var err error
	if issuer.Pinned, err = certs.ReadCertificates(stsCertificate); err != nil {
		return nil, nil, err
	}
	roots, err := certs.ReadCertificates(authority)
	if err != nil {
		return nil, nil, err
	}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{Certificate: roots[0]}}
	trust, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{issuer, holder}, CRL: certs.CRLConfig{Files: []string{crls}}})
	if err != nil {
		return nil, nil, err
	}
	doctor := attrs.Designator{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: attrs.NamespaceCertified}
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: trust,
		Issuers:      []string{"urn:be:fgov:ehealth:sts:1_0"},
		Replay:       soap.NewMemoryReplay(100_000),
		Require:      []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}},
	})
	if err != nil {
		trust.Close()
		return nil, nil, err
	}
	handler := guard.Handler(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		caller := wsp.CallerFrom(r.Context())
		isDoctor, _ := caller.Bool(doctor)
		out.Header().Set("Content-Type", "text/xml; charset=utf-8")
		fmt.Fprintf(out, `<soapenv:Envelope xmlns:soapenv="%s"><soapenv:Body><s:Answer xmlns:s="urn:sceau:interop">%t</s:Answer></soapenv:Body></soapenv:Envelope>`,
			soap.NamespaceEnvelope, isDoctor)
	}))
	return handler, func() { guard.Close(); trust.Close() }, nil
}

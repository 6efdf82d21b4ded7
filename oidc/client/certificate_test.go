package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/client"
)

// verifier trusts eHealth certificates of organisations as clients.
func verifier(tb testing.TB) *certs.Verifier {
	tb.Helper()
	config := certstest.Config(tb)
	pki := testpki.Load()
	p := certs.EHealthPlatform(certs.RoleHolder)
	p.Role = certs.RoleClient
	p.Roots, p.Intermediates = []*certs.Authority{{Certificate: pki.EHealthRoot.DER()}}, []*certs.Authority{{Certificate: pki.EHealthCA.DER()}}
	config.Profiles = []certs.Profile{p}
	v, err := certs.NewVerifier(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(v.Close)
	return v
}

// san is a critical-less subjectAltName of all four forms.
func san(tb testing.TB, dns, uri, mail string, ip net.IP) pkix.Extension {
	tb.Helper()
	var names []asn1.RawValue
	for tag, octets := range map[int][]byte{1: []byte(mail), 2: []byte(dns), 6: []byte(uri), 7: ip} {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: octets})
	}
	value, err := asn1.Marshal(names)
	if err != nil {
		tb.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

// A party calls a token endpoint over real TLS. It hands on what Authenticate says.
type party struct {
	server *httptest.Server
	tokens atomic.Bool // it answers as a token endpoint does
}

func serve(tb testing.TB, r *client.Registry) *party {
	tb.Helper()
	pki := testpki.Load()
	p := &party{}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		at := map[string]client.Endpoint{"/token": client.Token, "/par": client.PAR, "/introspect": client.Introspection, "/revoke": client.Revocation}[request.URL.Path]
		c, a, err := r.Authenticate(request, at)
		if err != nil {
			w.Header().Set("X-Reason", client.ReasonOf(err).String())
			err.(*client.Error).Write(w)
			return
		}
		w.Header().Set("X-Thumbprint", a.Thumbprint())
		w.Header().Set("X-Kind", a.Identity().Kind().String())
		said := c.ID() + " by " + string(a.Method())
		if p.tokens.Load() {
			w.Header().Set("Content-Type", "application/json")
			said = `{"access_token":"` + base64.RawURLEncoding.EncodeToString([]byte(said)) + `","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`
		}
		io.WriteString(w, said)
	}))
	p.server.TLS = &tls.Config{
		ClientAuth:   tls.RequestClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{pki.Server.DER}, PrivateKey: pki.Server.Key}},
	}
	p.server.StartTLS()
	tb.Cleanup(p.server.Close)
	return p
}

// call posts a form with a certificate, or without one, and gives the answer.
func (p *party) call(tb testing.TB, path string, leaf *testpki.Leaf, header string, pairs ...string) (said string, answer http.Header) {
	tb.Helper()
	roots := x509.NewCertPool()
	root, err := x509.ParseCertificate(testpki.Load().EHealthRoot.DER())
	if err != nil {
		tb.Fatal(err)
	}
	roots.AddCert(root)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	if leaf != nil {
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.DER}, PrivateKey: leaf.Key}}
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	request, err := http.NewRequest(http.MethodPost, p.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		tb.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if header != "" {
		request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(header)))
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return response.Header.Get("X-Reason"), response.Header
	}
	return string(body), response.Header
}

func byTLS(s client.SubjectRegistration) func(*client.Registration) {
	return func(r *client.Registration) { r.Authentication.Certificate = s }
}

// TestCertificates: client certificates over real TLS, by every method that has one, and who is refused.
func TestCertificates(t *testing.T) {
	pki := testpki.Load()
	organisation := client.SubjectRegistration{SubjectDN: subjectOf(t, &pki.Organisation)}
	secret, stored := newSecret(t, nil)
	named := minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.OrganisationCBE, Name: "EXAMPLE"})
	named.Extra = append(named.Extra, san(t, "App.example", "https://app.example/id", "ops@App.example", net.IP{192, 0, 2, 7}))
	withSAN := pki.Issue(pki.EHealthCA, named, pki.OtherKey())
	renewed := pki.Issue(pki.EHealthCA, minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.OrganisationCBE, Name: "EXAMPLE"}), pki.OtherKey())
	stranger := pki.Issue(pki.StrangerCA, minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.OrganisationCBE, Name: "EXAMPLE"}), pki.OtherKey())

	o := options()
	o.Certificates = verifier(t)
	with := func(key *testpki.Leaf) client.KeySet {
		return keySet(t, jwk(t, key.Key, "x5c", func(k *jose.JSONWebKey) { k.Certificates = []*x509.Certificate{key.X509()} }))
	}
	print := certstest.Parse(t, certstest.Verifier(t), pki.BobEHealth.DER).Fingerprint()
	r := registry(t, o,
		registration("dn", client.TLS, byTLS(organisation)),
		registration("dn-reversed", client.TLS, byTLS(client.SubjectRegistration{SubjectDN: reversed(organisation.SubjectDN)})),
		registration("bound", client.TLS, byTLS(organisation), func(r *client.Registration) { r.CertificateBoundAccessTokens = true }),
		registration("dns", client.TLS, byTLS(client.SubjectRegistration{SANDNS: "app.EXAMPLE"})),
		registration("uri", client.TLS, byTLS(client.SubjectRegistration{SANURI: "https://app.example/id"})),
		registration("ip", client.TLS, byTLS(client.SubjectRegistration{SANIP: "192.0.2.7"})),
		registration("mail", client.TLS, byTLS(client.SubjectRegistration{SANEmail: "ops@app.example"})),
		registration("other-mail", client.TLS, byTLS(client.SubjectRegistration{SANEmail: "Ops@app.example"})),
		registration("revoked", client.TLS, byTLS(client.SubjectRegistration{SubjectDN: subjectOf(t, &pki.RevokedEHealth)})),
		registration("expired", client.TLS, byTLS(client.SubjectRegistration{SubjectDN: subjectOf(t, &pki.ExpiredEHealth)})),
		registration("both", client.SecretBasic, withSecret(stored), byTLS(organisation), func(r *client.Registration) { r.Authentication.RequireCertificate = true }),
		registration("both-post", client.SecretPost, withSecret(stored), byTLS(organisation), func(r *client.Registration) { r.Authentication.RequireCertificate = true }),
		registration("secret", client.SecretBasic, withSecret(stored)),
		registration("secret-bound", client.SecretBasic, withSecret(stored), func(r *client.Registration) { r.CertificateBoundAccessTokens = true }),
		registration("public", client.None),
		registration("x5c", client.SelfSignedTLS, withKeys(with(&pki.AliceEHealth))),
		registration("x5t", client.SelfSignedTLS, withKeys(keySet(t, jwk(t, pki.BobEHealth.Key, "x5t", func(k *jose.JSONWebKey) { k.CertificateThumbprintSHA256 = print[:] })))),
		registration("key", client.SelfSignedTLS, withKeys(keySet(t, jwk(t, pki.OtherKey(), "key")))),
		registration("key-expired", client.SelfSignedTLS, withKeys(keySet(t, jwk(t, pki.ExpiredEHealth.Key, "key")))),
	)
	p := serve(t, r)
	for _, c := range []struct {
		name, path, header, id string
		leaf                   *testpki.Leaf
		more                   []string
		want                   string
		kind                   string // of the identity, where one was proven
	}{
		{name: "by its name", id: "dn", leaf: &pki.Organisation, want: "dn by tls_client_auth", kind: "ehealth-organisation"},
		{name: "by its name, reversed", id: "dn-reversed", leaf: &pki.Organisation, want: "dn-reversed by tls_client_auth", kind: "ehealth-organisation"},
		{name: "bound", id: "bound", leaf: &pki.Organisation, want: "bound by tls_client_auth", kind: "ehealth-organisation"},
		{name: "a host", id: "dns", leaf: &withSAN, want: "dns by tls_client_auth", kind: "ehealth-organisation"},
		{name: "a URI", id: "uri", leaf: &withSAN, want: "uri by tls_client_auth", kind: "ehealth-organisation"},
		{name: "an address", id: "ip", leaf: &withSAN, want: "ip by tls_client_auth", kind: "ehealth-organisation"},
		{name: "a mailbox", id: "mail", leaf: &withSAN, want: "mail by tls_client_auth", kind: "ehealth-organisation"},
		{name: "at PAR", path: "/par", id: "dn", leaf: &pki.Organisation, want: "dn by tls_client_auth", kind: "ehealth-organisation"},

		// O6: the certificate of another, of nobody, of no authority of ours.
		{name: "none", id: "dn", want: "no certificate"},
		{name: "another application's", id: "dn", leaf: &pki.Application, want: "wrong subject"},
		{name: "another person's", id: "dn", leaf: &pki.BobEHealth, want: "wrong subject"},
		{name: "a host of another", id: "dns", leaf: &pki.Organisation, want: "wrong subject"},
		{name: "a URI of another", id: "uri", leaf: &pki.Organisation, want: "wrong subject"},
		{name: "an address of another", id: "ip", leaf: &pki.Organisation, want: "wrong subject"},
		{name: "another mailbox", id: "other-mail", leaf: &withSAN, want: "wrong subject"},
		{name: "the same names by a stranger", id: "dn", leaf: &stranger, want: "refused certificate"},
		{name: "of a role that it has not", id: "dn", leaf: &pki.AliceEID, want: "refused certificate"},
		{name: "revoked", id: "revoked", leaf: &pki.RevokedEHealth, want: "refused certificate"},
		{name: "expired", id: "expired", leaf: &pki.ExpiredEHealth, want: "refused certificate"},
		{name: "nobody", id: "nobody", leaf: &pki.Organisation, want: "unknown client"},
		{name: "no client_id", leaf: &pki.Organisation, want: "no credentials"},
		{name: "a secret beside it", id: "dn", leaf: &pki.Organisation, more: []string{"client_secret", secret}, want: "wrong method"},
		{name: "Basic with a certificate for TLS", header: "dn:" + secret, leaf: &pki.Organisation, want: "wrong method"},

		// EXI FI 17 and 18: a secret and a certificate.
		{name: "both", header: "both:" + secret, leaf: &pki.Organisation, want: "both by client_secret_basic", kind: "ehealth-organisation"},
		{name: "both by post", id: "both-post", leaf: &pki.Organisation, more: []string{"client_secret", secret}, want: "both-post by client_secret_post", kind: "ehealth-organisation"},
		{name: "both at PAR without certificate", path: "/par", header: "both:" + secret, want: "no certificate"},
		{name: "both without certificate", header: "both:" + secret, want: "no certificate"},
		{name: "both without secret", id: "both", leaf: &pki.Organisation, want: "no credentials"},
		{name: "both with a wrong secret", header: "both:x" + secret, leaf: &pki.Organisation, want: "wrong secret"},
		{name: "both with another's certificate", header: "both:" + secret, leaf: &pki.Application, want: "wrong subject"},
		{name: "both with a stranger's", header: "both:" + secret, leaf: &stranger, want: "refused certificate"},

		// A certificate that no method asks for is presented, and proves nothing but its key.
		{name: "a secret, and a certificate", header: "secret:" + secret, leaf: &pki.AliceEID, want: "secret by client_secret_basic"},
		{name: "public, and a certificate", id: "public", leaf: &pki.Organisation, want: "public by none"},
		{name: "to be bound", header: "secret-bound:" + secret, leaf: &stranger, want: "secret-bound by client_secret_basic"},
		{name: "to be bound, without", header: "secret-bound:" + secret, want: "no certificate"},
		{name: "to be bound, where nothing is", path: "/revoke", header: "secret-bound:" + secret, want: "secret-bound by client_secret_basic"},

		// RFC 8705 section 2.2.
		{name: "x5c", id: "x5c", leaf: &pki.AliceEHealth, want: "x5c by self_signed_tls_client_auth"},
		{name: "x5t", id: "x5t", leaf: &pki.BobEHealth, want: "x5t by self_signed_tls_client_auth"},
		{name: "key", id: "key", leaf: &renewed, want: "key by self_signed_tls_client_auth"},
		{name: "key in another certificate", id: "key", leaf: &stranger, want: "key by self_signed_tls_client_auth"},
		{name: "x5c of another", id: "x5c", leaf: &pki.BobEHealth, want: "wrong subject"},
		{name: "x5t of another", id: "x5t", leaf: &pki.AliceEHealth, want: "wrong subject"},
		{name: "key of another", id: "key", leaf: &pki.Organisation, want: "wrong subject"},
		{name: "x5c without", id: "x5c", want: "no certificate"},
		{name: "key, expired", id: "key-expired", leaf: &pki.ExpiredEHealth, want: "refused certificate"},

		{name: "introspection that is not allowed", path: "/introspect", id: "dn", leaf: &pki.Organisation, want: "not allowed"},
		{name: "no endpoint", path: "/other", id: "dn", leaf: &pki.Organisation, want: "not allowed"},
	} {
		t.Run("O6 "+c.name, func(t *testing.T) {
			path := c.path
			if path == "" {
				path = "/token"
			}
			pairs := c.more
			if c.id != "" {
				pairs = append([]string{"client_id", c.id}, pairs...)
			}
			got, answer := p.call(t, path, c.leaf, c.header, pairs...)
			if got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			if !strings.Contains(got, " by ") {
				return
			}
			if c.kind == "" {
				c.kind = certs.Nobody.String()
			}
			if k := answer.Get("X-Kind"); k != c.kind {
				t.Errorf("identity %q, want %q", k, c.kind)
			}
			want := ""
			if c.leaf != nil {
				print := certstest.Parse(t, certstest.Verifier(t), c.leaf.DER).Fingerprint()
				want = base64.RawURLEncoding.EncodeToString(print[:])
			}
			if print := answer.Get("X-Thumbprint"); print != want {
				t.Errorf("thumbprint %q, want %q", print, want)
			}
		})
	}
}

// subjectOf writes the name of a certificate, as certs does.
func subjectOf(tb testing.TB, leaf *testpki.Leaf) string {
	tb.Helper()
	c, err := certs.ParseCertificate(leaf.DER)
	if err != nil {
		tb.Fatal(err)
	}
	return c.Subject().String()
}

// reversed writes a name in the other order, one without a comma in a value.
func reversed(dn string) string {
	parts := strings.Split(dn, ", ")
	slices.Reverse(parts)
	return strings.Join(parts, ",")
}

// TestO6Headers: a header that says which certificate it was is no certificate.
func TestO6Headers(t *testing.T) {
	pki := testpki.Load()
	o := options()
	o.Certificates = verifier(t)
	r := registry(t, o, registration("dn", client.TLS, byTLS(client.SubjectRegistration{SubjectDN: subjectOf(t, &pki.Organisation)})))
	request := post("client_id", "dn")
	for _, name := range []string{"X-Client-Cert", "X-SSL-Client-Cert", "Ssl-Client-Cert", "X-Forwarded-Client-Cert", "Client-Cert"} {
		request.Header.Set(name, string(pki.Organisation.CertificatePEM()))
	}
	if got := authenticate(t, r, request, client.Token); got != "no certificate, invalid_client" {
		t.Error(got)
	}
	// But for a function of the operator's, who vouches for it.
	o.PeerCertificates = func(*http.Request) [][]byte { return [][]byte{pki.Organisation.DER} }
	r = registry(t, o, registration("dn", client.TLS, byTLS(client.SubjectRegistration{SubjectDN: subjectOf(t, &pki.Organisation)})))
	if got := authenticate(t, r, post("client_id", "dn"), client.Token); got != "dn by tls_client_auth" {
		t.Error(got)
	}
	// What it gives is judged like any other.
	for name, ders := range map[string][][]byte{"empty": {{}}, "no certificate": {[]byte("x")}, "more behind": {append(append([]byte{}, pki.Organisation.DER...), 0)},
		"no certificate above it": {pki.Organisation.DER, []byte("x")}, "too many": {pki.Organisation.DER, pki.EHealthCA.DER(), pki.EHealthCA.DER(), pki.EHealthCA.DER(), pki.EHealthCA.DER(), pki.EHealthCA.DER()}} {
		o.PeerCertificates = func(*http.Request) [][]byte { return ders }
		r = registry(t, o, registration("dn", client.TLS, byTLS(client.SubjectRegistration{SubjectDN: subjectOf(t, &pki.Organisation)})))
		if got := authenticate(t, r, post("client_id", "dn"), client.Token); got != "refused certificate, invalid_client" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

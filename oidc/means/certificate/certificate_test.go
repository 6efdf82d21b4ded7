package certificate

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// cps is an invented IGC-Santé with a card.
type cps struct {
	root, ca *minipki.Authority
	card     testpki.Leaf
}

func newCPS(t *testing.T) cps {
	t.Helper()
	key := func() crypto.Signer {
		k, err := minipki.GenerateKey(minipki.P256)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	name := []string{"C", "FR", "O", "ASIP-SANTE", "OU", "0002 187512751", "OU", "IGC-SANTE", "CN"}
	root, err := minipki.NewRoot(minipki.CA(minipki.DN(append(name, "AC RACINE IGC-SANTE FORT")...), testpki.NotBefore(), testpki.NotAfter()), key())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := root.Subordinate(minipki.CA(minipki.DN(append(name, "AC IGC-SANTE FORT PERSONNES")...), testpki.NotBefore(), testpki.NotAfter()), key())
	if err != nil {
		t.Fatal(err)
	}
	return cps{root, ca, testpki.Load().Issue(ca, minipki.Template{
		Subject:  minipki.DN("C", "FR", "2.5.4.12", "Médecin", "SN", "EXEMPLE", "+GN", "ZOE", "+CN", "899700000005"),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []string{minipki.ClientAuth},
	}, key())}
}

func newMeans(t *testing.T, c cps) *Means {
	t.Helper()
	config := certstest.Config(t)
	for i := range config.Profiles[:2] { // eID and eHealth
		config.Profiles[i].Role = certs.RolePerson
	}
	professional := certs.IGCSanteProfessional()
	off := certs.Revocation{Mode: certs.Off}
	professional.Roots = []*certs.Authority{{Certificate: c.root.DER(), Revocation: off}}
	professional.Intermediates = []*certs.Authority{{Certificate: c.ca.DER(), Revocation: off}}
	silent := certs.TokenIssuer() // what it admits proves nothing that was said
	silent.Name, silent.Role, silent.Pinned = "silent", certs.RolePerson, [][]byte{testpki.Load().Server.DER}
	named := silent
	named.Name, named.Pinned = "service", [][]byte{testpki.Load().STS.DER}
	config.Profiles = append(config.Profiles, professional, silent, named)
	config.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	v, err := certs.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	m, err := New(Config{Verifier: v, References: map[string][]string{"Belgian eID": Card(), "CPS": Card(), "eHealth": Software(), "service": Card()}, Cards: []string{"eID", "CPS"}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type pages struct{ shown any }

func (p *pages) Write(w http.ResponseWriter, _ *http.Request, status int, page any) {
	p.shown = page
	w.WriteHeader(status)
}

// A site is the listener for certificates, and the attempt of one browser.
type site struct {
	*httptest.Server
	m *Means

	mu      sync.Mutex
	a       authn.Attempt
	p       pages
	proof   *authn.Proof
	err     error
	elapsed time.Duration // since the connections began
	resumed bool
}

func newSite(t *testing.T, m *Means, http2 bool, settings func(*tls.Config)) *site {
	t.Helper()
	s := &site{m: m}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.a.URL, s.a.SecureURL, s.a.ReturnURL, s.a.Now, s.a.Pages = "https://op.example/a/1/card", s.URL+"/a/1/card", "/a/1", testpki.Now().Add(s.elapsed), &s.p
		s.resumed = r.TLS != nil && r.TLS.DidResume
		s.proof, s.err = s.m.Serve(w, r, &s.a)
		if s.proof != nil || s.err != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	pki := testpki.Load()
	base := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{pki.Server.DER}, PrivateKey: pki.Server.Key}}}
	c, err := TLS(base)
	if err != nil {
		t.Fatal(err)
	}
	if settings != nil {
		settings(c)
	}
	s.TLS, s.EnableHTTP2 = c, http2
	connections := &Connections{Now: testpki.Now}
	s.Config.ConnContext = connections.Context
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// client is a browser with a certificate, or none.
func (s *site) client(shown ...testpki.Leaf) *http.Client {
	c := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	if len(shown) > 0 {
		pair := tls.Certificate{PrivateKey: shown[0].Key}
		for _, l := range shown {
			pair.Certificate = append(pair.Certificate, l.DER)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: s.EnableHTTP2}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s *site) get(t *testing.T, c *http.Client) *http.Response {
	t.Helper()
	s.p.shown = nil
	response, err := c.Get(s.URL + "/a/1/card")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response
}

// TestCertificates is over TLS, with HTTP/1.1 and HTTP/2: who is who, by what, and why others are not.
func TestCertificates(t *testing.T) {
	pki, card := testpki.Load(), newCPS(t)
	m := newMeans(t, card)
	thief := pki.AliceEID // her certificate with a key that is not hers: TLS does not let him in
	for _, http2 := range []bool{false, true} {
		s := newSite(t, m, http2, nil)
		for name, tt := range map[string]struct {
			leaf       testpki.Leaf
			want       authn.Identifier
			references []string
			fault      page.CertificateFault
			reason     certs.Reason
		}{
			"eID":                {pki.AliceEID, authn.Identifier{Type: "ssin", Value: testpki.AliceSSIN}, Card(), 0, 0},
			"eID, P-384":         {pki.FrankEID, authn.Identifier{Type: "ssin", Value: testpki.FrankSSIN}, Card(), 0, 0},
			"eHealth":            {pki.AliceEHealth, authn.Identifier{Type: "ssin", Value: testpki.AliceSSIN}, Software(), 0, 0},
			"CPS":                {card.card, authn.Identifier{Type: "rpps", Value: "99700000005"}, Card(), 0, 0},
			"revoked":            {pki.RevokedEID, authn.Identifier{}, nil, page.CertificateRevoked, certs.Revoked},
			"expired":            {pki.ExpiredEID, authn.Identifier{}, nil, page.CertificateExpired, certs.Expired},
			"not yet valid":      {pki.FutureEID, authn.Identifier{}, nil, page.CertificateExpired, certs.NotYetValid},
			"of a stranger":      {pki.StrangerEID, authn.Identifier{}, nil, page.CertificateForeign, certs.UntrustedIssuer},
			"a hospital":         {pki.Hospital, authn.Identifier{}, nil, page.CertificateForeign, 0},
			"an organisation":    {pki.Organisation, authn.Identifier{}, nil, page.CertificateForeign, 0},
			"proves nothing":     {pki.Server, authn.Identifier{}, nil, page.CertificateForeign, 0},
			"of no person":       {pki.STSP256, authn.Identifier{}, nil, page.CertificateForeign, 0},
			"a server's, pinned": {pki.STS, authn.Identifier{}, nil, page.CertificateForeign, 0},
		} {
			s.a.State, s.elapsed = nil, 20*time.Second
			response := s.get(t, s.client(tt.leaf))
			if (response.ProtoMajor == 2) != http2 {
				t.Fatalf("%s: %s", name, response.Proto)
			}
			if tt.references != nil {
				if s.err != nil || s.proof == nil || s.proof.Identifier != tt.want || !slices.Equal(s.proof.References, tt.references) ||
					!s.proof.Time.Equal(testpki.Now()) || string(s.proof.Certificate) != string(tt.leaf.DER) || len(s.proof.Credential) != hex.EncodedLen(32) {
					t.Errorf("%s: %+v, %v", name, s.proof, s.err)
				}
				continue
			}
			var refusal *authn.Refusal
			if !errors.As(s.err, &refusal) || refusal.Reason != authn.Unsuitable || s.proof != nil || tt.reason != 0 && certs.ReasonOf(refusal.Cause) != tt.reason {
				t.Errorf("%s: %+v, %v", name, s.proof, s.err)
			}
			if !http2 && !response.Close {
				t.Errorf("%s: the connection stays, and the next try would show the same", name)
			}
			// At the other address the page says it, once.
			for _, want := range []page.CertificateFault{tt.fault, 0} {
				m.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", s.a.URL, nil), &s.a)
				if shown, ok := s.p.shown.(page.Certificate); !ok || shown.Fault != want || shown.Secure != s.a.SecureURL {
					t.Errorf("%s: %+v", name, s.p.shown)
				}
			}
		}
		s.a.State = nil
		if response, err := s.client(testpki.Leaf{DER: thief.DER, Key: pki.BobEID.Key}).Get(s.URL); err == nil {
			t.Errorf("a certificate without its key: %s", response.Status)
		}
		s.proof = nil
		if s.get(t, s.client(card.card)); s.proof == nil || !slices.Equal(s.proof.Attributes["SubjectNameID"], []string{"899700000005"}) {
			t.Errorf("%+v", s.proof)
		}
		if s.get(t, s.client(pki.AliceEID, pki.BobEID, pki.FrankEID, pki.AliceEHealth, pki.BobEHealth, pki.Hospital)); certs.ReasonOf(s.err) != certs.TooManyCertificates {
			t.Errorf("six certificates: %v", s.err)
		}
	}
}

// TestNone: a browser without a card is told so, and its next try is a new connection.
func TestNone(t *testing.T) {
	s := newSite(t, newMeans(t, newCPS(t)), false, nil)
	response := s.get(t, s.client())
	if shown, ok := s.p.shown.(page.Certificate); !ok || shown.Fault != page.CertificateNone || s.proof != nil || s.err != nil || !response.Close {
		t.Errorf("%+v, %v, %+v", s.proof, s.err, s.p.shown)
	}
}

// TestOldConnection: a PIN of hours ago is no explicit authentication of now. The browser is led to a new connection, and one
// that makes none is refused.
func TestOldConnection(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		s := newSite(t, newMeans(t, newCPS(t)), http2, nil)
		c := s.client(testpki.Load().AliceEID)
		s.elapsed = time.Minute
		if s.get(t, c); s.proof == nil || !s.proof.Time.Equal(testpki.Now()) {
			t.Fatalf("%v", s.err)
		}
		s.elapsed = time.Minute + time.Second
		for range mostAgain {
			response := s.get(t, c)
			if s.proof != nil || s.err != nil || response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != s.a.SecureURL || !http2 && !response.Close {
				t.Errorf("%+v, %v, %v", s.proof, s.err, response.Status)
			}
		}
		s.get(t, c)
		var refusal *authn.Refusal
		if !errors.As(s.err, &refusal) || refusal.Reason != authn.Unsuitable {
			t.Errorf("%+v, %v", s.proof, s.err)
		}
		s.elapsed, s.a.NotBefore = time.Second, testpki.Now().Add(time.Second)
		if response := s.get(t, c); s.proof != nil || s.err != nil || response.StatusCode != http.StatusSeeOther {
			t.Errorf("older than the client takes: %+v, %v", s.proof, s.err)
		}
		s.a.NotBefore = time.Time{}
		// A clock that went back makes nobody younger than now.
		s.elapsed = -time.Minute
		if s.get(t, c); s.proof == nil || !s.proof.Time.Equal(testpki.Now().Add(-time.Minute)) {
			t.Errorf("%+v, %v", s.proof, s.err)
		}
	}
}

// TestResumption: a session that is resumed signed nothing. Our settings resume none; where others do it proves nobody.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tickets := range []bool{false, true} {
			s := newSite(t, newMeans(t, newCPS(t)), false, func(c *tls.Config) {
				c.MaxVersion, c.SessionTicketsDisabled = version, !tickets
			})
			c := s.client(testpki.Load().AliceEID)
			if s.get(t, c); s.proof == nil || s.resumed {
				t.Fatalf("%v", s.err)
			}
			response := s.get(t, c) // a new connection: the first was closed
			if s.resumed != tickets {
				t.Fatalf("TLS %x, tickets %t: resumed %t", version, tickets, s.resumed)
			}
			if tickets && (s.proof != nil || s.err != nil || response.StatusCode != http.StatusSeeOther) || !tickets && s.proof == nil {
				t.Errorf("TLS %x, tickets %t: %+v, %v, %s", version, tickets, s.proof, s.err, response.Status)
			}
		}
	}
}

// TestOtherListener: a certificate that was shown to another listener, which may ask for one for other ends, proves nobody.
func TestOtherListener(t *testing.T) {
	pki := testpki.Load()
	m := newMeans(t, newCPS(t))
	r := httptest.NewRequest("GET", "https://op.example/a/1/card", nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{pki.AliceEID.X509()}, HandshakeComplete: true}
	p := &pages{}
	a := &authn.Attempt{SecureURL: "https://op.example:8443/a/1/card", Now: testpki.Now(), Pages: p, Refused: &authn.Refusal{Reason: authn.Unsuitable}}
	proof, err := m.Serve(httptest.NewRecorder(), r, a)
	if shown, ok := p.shown.(page.Certificate); !ok || proof != nil || err != nil || shown.Refused != authn.Unsuitable || shown.Fault != 0 {
		t.Errorf("%+v, %v, %+v", proof, err, p.shown)
	}
	r = r.WithContext((&Connections{Now: testpki.Now}).Context(context.Background(), nil))
	for _, method := range []string{"HEAD", "POST", "PUT"} {
		r.Method = method
		if proof, err := m.Serve(httptest.NewRecorder(), r, a); proof != nil || err != nil {
			t.Errorf("%s: %+v, %v", method, proof, err)
		}
	}
	r.Method, a.State = "GET", []byte("{")
	if proof, err := m.Serve(httptest.NewRecorder(), r, a); proof != nil || err == nil {
		t.Errorf("a broken state: %+v, %v", proof, err)
	}
}

// TestOutage: where it cannot be known whether a card was revoked, that is no fault of its holder.
func TestOutage(t *testing.T) {
	config := certstest.Config(t)
	config.CRL.Files = nil
	v, err := certs.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	m, err := New(Config{Verifier: v, Role: certs.RoleIdentity, References: map[string][]string{"Belgian eID": Card()}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, m, false, nil)
	s.get(t, s.client(testpki.Load().AliceEID))
	var refusal *authn.Refusal
	if s.proof != nil || certs.ReasonOf(s.err) != certs.RevocationUnknown || errors.As(s.err, &refusal) {
		t.Errorf("%+v, %v", s.proof, s.err)
	}
}

func TestNew(t *testing.T) {
	v := certstest.Verifier(t)
	right := Config{Verifier: v, Role: certs.RoleIdentity, References: map[string][]string{"Belgian eID": Card()}}
	for name, change := range map[string]func(*Config){
		"no verifier":            func(c *Config) { c.Verifier = nil },
		"a role nobody serves":   func(c *Config) { c.Role = "" },
		"no profile":             func(c *Config) { c.References = nil },
		"a profile that is mute": func(c *Config) { c.References = map[string][]string{"Belgian eID": {}} },
		"a negative time":        func(c *Config) { c.MaxAge = -1 },
	} {
		c := right
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, tt := range map[string]struct {
		references map[string][]string
		want       []string
	}{
		"cards":              {map[string][]string{"a": Card(), "b": Card()}, Card()},
		"cards and software": {map[string][]string{"a": Card(), "b": Software()}, []string{}},
		"a little in common": {map[string][]string{"a": {"hwk", "pin"}, "b": {"hwk"}}, []string{"hwk"}},
	} {
		c := right
		c.References = tt.references
		m, err := New(c)
		if err != nil || !slices.Equal(m.References(), tt.want) {
			t.Errorf("%s: %v, %v", name, m.References(), err)
		}
	}
	if _, err := TLS(&tls.Config{}, []byte("no certificate")); err == nil {
		t.Error("an authority that is none")
	}
	c, err := TLS(&tls.Config{MinVersion: tls.VersionTLS13}, testpki.Load().CitizenCA.DER())
	if err != nil || c.ClientCAs == nil || c.MinVersion != tls.VersionTLS13 || c.ClientAuth != tls.RequestClientCert || !c.SessionTicketsDisabled {
		t.Errorf("%+v, %v", c, err)
	}
}

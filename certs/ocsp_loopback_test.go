package certs_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestOCSPHostileServer (K1): whatever a responder does on its connection, a
// certificate that the CRL lists stays refused, one that needs an answer is not
// passed, and one for which the CRL suffices is not held up.
func TestOCSPHostileServer(t *testing.T) {
	pki := testpki.Load()
	ca := pki.CitizenCA
	redirected := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer redirected.Close()
	good := func(w http.ResponseWriter, r *http.Request) []byte {
		der, err := ca.OCSP(statement(readInquiry(t, r), testpki.Now(), minipki.OCSPGood))
		if err != nil {
			t.Error(err)
		}
		return der
	}
	for _, tt := range []struct {
		name   string
		serve  http.HandlerFunc
		reason certs.Reason
	}{
		{"404", http.NotFound, certs.Unavailable},
		{"500 with a good answer", func(w http.ResponseWriter, r *http.Request) {
			der := good(w, r)
			w.WriteHeader(500)
			w.Write(der)
		}, certs.Unavailable},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, redirected.URL, http.StatusTemporaryRedirect)
		}, certs.Unavailable},
		{"page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>maintenance</html>") }, certs.Malformed},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, certs.Malformed},
		{"2 GB said", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2147483648")
			w.WriteHeader(200)
		}, certs.TooLarge},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, certs.TooLarge},
		{"compressed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"))
		}, certs.Malformed},
		{"hangs", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, certs.Unavailable},
		{"hangs in the middle", func(w http.ResponseWriter, r *http.Request) {
			w.Write(good(w, r)[:100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, certs.Unavailable},
		{"hangs, trickling a good answer", func(w http.ResponseWriter, r *http.Request) {
			for _, octet := range good(w, r) {
				w.Write([]byte{octet})
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(5 * time.Millisecond): // some 600 octets: it would take seconds
				}
			}
		}, certs.Unavailable},
		{"resets", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		}, certs.Unavailable},
	} {
		for _, mode := range []certs.OCSPMode{certs.OCSPSoft, certs.OCSPHard} {
			t.Run(tt.name+", "+mode.String(), func(t *testing.T) {
				server := httptest.NewServer(tt.serve)
				defer server.Close()
				c := asking(ca, certs.Revocation{}, testpki.Now, nil, certs.OCSP{Mode: mode, Responders: []string{server.URL}})
				c.OCSP.Transport = nil
				c.CRL.Files = []string{files(t, sign(t, ca, list(pki.BobEID.DER)))}
				if strings.HasPrefix(tt.name, "hangs") {
					c.OCSP.Timeout = 200 * time.Millisecond
				}
				v := newVerifier(t, c)
				defer v.Close()
				want := map[certs.OCSPMode]certs.Reason{certs.OCSPHard: certs.RevocationUnknown}[mode]
				check := func() {
					t.Helper()
					if _, reason := asks(t, v, pki.AliceEID.DER, testpki.Now()); reason != want {
						t.Fatalf("Alice: %v, want %v", reason, want)
					}
					if _, reason := asks(t, v, pki.BobEID.DER, testpki.Now()); reason != certs.Revoked {
						t.Fatalf("Bob, revoked: %v", reason)
					}
				}
				check()
				var s *certs.OCSPStatus
				for range 2000 {
					if s = v.Status(testpki.Now()).Authorities[0].OCSP; s.Responders[0].Failures > 0 {
						break
					}
					time.Sleep(5 * time.Millisecond)
					check()
				}
				check()
				if r := s.Responders[0]; certs.ReasonOf(r.LastError) != tt.reason || s.Good != 0 {
					t.Errorf("%v, want %v; %+v", r.LastError, tt.reason, s)
				}
			})
		}
	}
}

// TestOCSPConfiguredAddressOnly (K3): the responder that a certificate names is
// not asked. Whoever made the certificate would choose whom we contact.
func TestOCSPConfiguredAddressOnly(t *testing.T) {
	pki := testpki.Load()
	named := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the address in a certificate was contacted") }))
	defer named.Close()
	url := []byte(named.URL)
	method := []byte("\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01")
	location := append([]byte{0x86, byte(len(url))}, url...)
	access := append([]byte{0x30, byte(len(method) + len(location))}, append(method, location...)...)
	template := alice()
	template.Extra = append(template.Extra, extension(false, string(append([]byte{0x30, byte(len(access))}, access...)), 1, 3, 6, 1, 5, 5, 7, 1, 1))
	der := issue(t, pki.CitizenCA, template, pki.OtherKeyP256().Public())
	if leaf, err := certs.ParseCertificate(der); err != nil || len(leaf.X509().OCSPServer) != 1 || leaf.X509().OCSPServer[0] != named.URL {
		t.Fatal("the certificate names no responder")
	}
	var asked bytes.Buffer
	configured := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		der, err := pki.CitizenCA.OCSP(statement(readInquiry(t, r), testpki.Now(), minipki.OCSPGood))
		if err != nil {
			t.Error(err)
		}
		asked.WriteString(r.URL.Path)
		w.Write(der)
	}))
	defer configured.Close()
	c := asking(pki.CitizenCA, off, testpki.Now, nil, certs.OCSP{Mode: certs.OCSPHard, Wait: 10 * time.Second, Responders: []string{configured.URL + "/2"}})
	c.OCSP.Transport = nil
	v := newVerifier(t, c)
	defer v.Close()
	if _, reason := asks(t, v, der, testpki.Now()); reason != 0 || asked.String() != "/2" {
		t.Errorf("%v, asked %q", reason, asked.String())
	}
}

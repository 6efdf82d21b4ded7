package control_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sceau/oidc/control"
)

func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A reader is known by the certificate that he shows in TLS, and proves by it that he holds its key; one with the same name is nobody.
func TestCertificateOverTLS(t *testing.T) {
	reader, namesake := certificate(t, "ANS"), certificate(t, "ANS")
	c, _, _ := newConfig(t)
	c.Readers = []control.Reader{{Name: "ans", Certificate: sha256.Sum256(reader.Certificate[0])}}
	server := httptest.NewUnstartedServer(newHandler(t, c))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	for _, test := range []struct {
		name string
		show []tls.Certificate
		want int
	}{
		{"the reader's", []tls.Certificate{reader}, http.StatusOK},
		{"a namesake's", []tls.Certificate{namesake}, http.StatusUnauthorized},
		{"the reader's behind another", []tls.Certificate{{Certificate: [][]byte{namesake.Certificate[0], reader.Certificate[0]}, PrivateKey: namesake.PrivateKey}}, http.StatusUnauthorized},
		{"none", nil, http.StatusUnauthorized},
	} {
		t.Run(test.name, func(t *testing.T) {
			transport := server.Client().Transport.(*http.Transport).Clone()
			transport.TLSClientConfig.Certificates = test.show
			t.Cleanup(transport.CloseIdleConnections)
			answer, err := (&http.Client{Transport: transport}).Get(server.URL + control.PathPolicy)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != test.want {
				t.Errorf("%s", answer.Status)
			}
		})
	}
}

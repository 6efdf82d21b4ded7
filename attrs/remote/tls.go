package remote

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// maxPEMBytes bounds a file of certificates.
const maxPEMBytes = 1 << 20

// TLS says how to speak TLS to a server.
type TLS struct {
	CAFile string // PEM: the authorities under which the server's certificate must stand

	// ServerName must stand in the server's certificate. Empty: the host that is connected to.
	ServerName string

	// CertificateFile and KeyFile are PEM, for servers that demand a certificate of their clients; both or neither.
	CertificateFile, KeyFile string
}

// Given says whether anything is configured.
func (t TLS) Given() bool { return t != TLS{} }

// Config reads the files and gives the settings of a client. The clock judges certificates. TLS 1.2 is the least.
func (t TLS) Config(now func() time.Time) (*tls.Config, error) {
	if t.CAFile == "" {
		return nil, errors.New("no file of certification authorities")
	}
	roots, err := readAuthorities(t.CAFile)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: t.ServerName, Time: now}
	if (t.CertificateFile == "") != (t.KeyFile == "") {
		return nil, errors.New("certificate and key go together")
	}
	if t.CertificateFile != "" {
		load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(t.CertificateFile, t.KeyFile)
			return &pair, err
		}
		if _, err := load(nil); err != nil {
			return nil, err
		}
		c.GetClientCertificate = load // at each handshake: it may have been renewed
	}
	return c, nil
}

func readAuthorities(file string) (*x509.CertPool, error) {
	text, err := readFile(file, maxPEMBytes)
	if err != nil {
		return nil, err
	}
	pool, found := x509.NewCertPool(), false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s: a block of type %q among the certificates", file, block.Type)
		}
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		pool.AddCert(authority)
		found = true
	}
	if !found {
		return nil, fmt.Errorf("%s: no certificate in it", file)
	}
	return pool, nil
}

// Loopback says whether the host is this machine, by its name or as a literal address. Names are not looked up: what a
// resolver says today it may not say tomorrow.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

package sqlsource

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
)

// A server is believed for its certificate: another CA's, or another name's, would be anybody who answers in its place.
func TestTLS(t *testing.T) {
	s := pg(t)
	s.Schema(t, "tls", pgCertified, insert("('"+alice+"','"+doctor+"','true',null,null)"))
	dir := t.TempDir()
	good, key := selfSigned(t, net.ParseIP("127.0.0.1"))
	other, _ := selfSigned(t, net.ParseIP("127.0.0.1"))
	for name, octets := range map[string][]byte{"ca.pem": good, "other.pem": other} {
		write(t, filepath.Join(dir, name), octets)
	}
	data := filepath.Join(s.Dir, "data")
	for name, octets := range map[string][]byte{"server.crt": good, "server.key": key} {
		write(t, filepath.Join(data, name), octets)
		if s.Owner != nil {
			if err := os.Chown(filepath.Join(data, name), int(s.Owner.Credential.Uid), int(s.Owner.Credential.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Exec(t, "alter system set ssl = on", "select pg_reload_conf()", "select pg_sleep(0.1)")
	defer s.Exec(t, "alter system reset ssl", "select pg_reload_conf()")

	for _, tt := range []struct{ name, host, ca, want string }{
		{"proven", "127.0.0.1", "ca.pem", "affirmed"},
		{"by another CA", "127.0.0.1", "other.pem", "source unavailable: source hr: failed to connect"},
		{"of another name", "localhost", "ca.pem", "source unavailable: source hr: failed to connect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := s.config("tls", long("$1"))
			c.Postgres.DSN = "host=" + tt.host + " port=" + s.Port + " user=reader dbname=postgres search_path=tls sslmode=verify-full sslrootcert=" + filepath.Join(dir, tt.ca)
			c.Postgres.Channel = "tls"
			b := open(t, c)
			if got := b.ask(t, alice, doctor); !strings.HasPrefix(got, tt.want) {
				t.Error(got)
			}
			if tt.want == "affirmed" {
				b.untilEpoch(t, "connected", true, 0)
			} else if _, ok := b.Epoch(); ok {
				t.Error("it listens to a server that is not proven")
			} else if err := b.Health(t.Context()); attrs.ReasonOf(err) != attrs.SourceUnavailable {
				t.Error(err)
			}
		})
	}
}

func selfSigned(t *testing.T, ip net.IP) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "db"}, IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

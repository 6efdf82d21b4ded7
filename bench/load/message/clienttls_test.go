package message

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
)

// TestClientTLS: TLS 1.3 is asked for; an older server is reached when the caller says so, for one configuration and no other.
func TestClientTLS(t *testing.T) {
	p := testPKI(t)
	path := filepath.Join(p.Dir(), folderPKI, "tls-server")
	own, err := tls.LoadX509KeyPair(path+".pem", path+".key")
	fatal(t, err)
	lowered, err := p.ClientTLS(false)
	fatal(t, err)
	lowered.MinVersion = tls.VersionTLS12
	usual, err := p.ClientTLS(true)
	fatal(t, err)
	for _, test := range []struct {
		name   string
		client *tls.Config
		newest uint16 // of the server
		want   uint16 // 0: none
	}{
		{"usual", usual, tls.VersionTLS13, tls.VersionTLS13},
		{"usual, older server", usual, tls.VersionTLS12, 0},
		{"lowered, older server", lowered, tls.VersionTLS12, tls.VersionTLS12},
		{"lowered", lowered, tls.VersionTLS13, tls.VersionTLS13},
	} {
		near, far := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{own}, MaxVersion: test.newest})
			defer far.Close()
			if server.Handshake() == nil {
				server.Write([]byte("a")) // so that the tickets of TLS 1.3 are read, too
			}
		}()
		config := test.client.Clone()
		config.ServerName = "localhost"
		client := tls.Client(near, config)
		err := client.Handshake()
		if err == nil {
			_, err = client.Read(make([]byte, 1))
		}
		near.Close()
		<-ended
		if (err == nil) != (test.want != 0) || err == nil && client.ConnectionState().Version != test.want {
			t.Errorf("%s: version %x, %v", test.name, client.ConnectionState().Version, err)
		}
	}
}

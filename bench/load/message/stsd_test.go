package message

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/bench/load/measure"
)

// program builds stsd, once.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared.dir, "stsd")
	out, err := exec.Command("go", "build", "-o", path, "sceau/cmd/stsd").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return path, err
})

// freeAddress returns a loopback address that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(t, err)
	defer l.Close()
	return l.Addr().String()
}

// serve runs stsd on a PKI, until the test ends, and returns when it is ready.
func serve(t *testing.T, p *PKI, o ServerOptions) {
	t.Helper()
	stsd, err := program()
	fatal(t, err)
	text, err := p.ServerConfig(o)
	fatal(t, err)
	config := filepath.Join(p.Dir(), fileServer)
	fatal(t, os.WriteFile(config, []byte(text), 0o600))
	fatal(t, os.RemoveAll(filepath.Join(p.Dir(), "audit")))
	out, err := exec.Command(stsd, "registry", "import", filepath.Join(p.Dir(), fileRegistry), "--db", filepath.Join(p.Dir(), "registry.db"), "--replace").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var log bytes.Buffer
	ctx, stop := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, stsd, "serve", "--config", config)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.Stdout, server.Stderr = &log, &log
	fatal(t, server.Start())
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Logf("%s\n%s", text, log.String())
		}
	})
	for {
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("stsd ended: %v\n%s\n%s", err, text, log.String())
		case <-time.After(20 * time.Millisecond):
		}
		response, err := http.Get("http://" + o.Admin + "/healthz/ready")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
	}
}

// post sends a shot over HTTP.
func post(t *testing.T, client *http.Client, url string, shot *measure.Shot) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(shot.Body))
	fatal(t, err)
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	request.Header.Set("SOAPAction", `"`+shot.Action+`"`)
	response, err := client.Do(request)
	fatal(t, err)
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	fatal(t, err)
	return response.StatusCode, body
}

// TestServer: the program itself, set up by the files of a PKI alone, answers every kind of message
// rightly, over plain HTTP, TLS and mutual TLS, with either key, live and prepared.
func TestServer(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs stsd")
	}
	testPKI(t) // makes the folder
	p, err := longPKI()
	fatal(t, err)
	for _, test := range []struct {
		ServerOptions
		pad int // near to the greatest body that stsd takes, 256 KiB
	}{
		{ServerOptions{SigningKey: RSA2048}, 250_000},
		{ServerOptions{SigningKey: P256, TLS: ServerTLS, Durability: "relaxed 1s"}, 0},
		{ServerOptions{TLS: MutualTLS}, 0},
	} {
		t.Run(string(test.TLS), func(t *testing.T) {
			o := test.ServerOptions
			o.Address, o.Admin, o.TestClock = freeAddress(t), freeAddress(t), start
			serve(t, p, o)
			client, scheme := &http.Client{}, "http"
			if o.TLS != "" {
				config, err := p.ClientTLS(o.TLS == MutualTLS)
				fatal(t, err)
				client.Transport, scheme = &http.Transport{TLSClientConfig: fixed(config)}, "https"
				if o.TLS == MutualTLS {
					config, err := p.ClientTLS(false)
					fatal(t, err)
					stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: fixed(config)}}
					if response, err := stranger.Get("https://" + o.Address + "/"); err == nil {
						response.Body.Close()
						t.Error("a stranger without certificate is let in")
					}
				}
				defer client.CloseIdleConnections()
			}
			ring := NewRing(16, time.Hour)
			checker := newChecker(t, CheckerConfig{PKI: p, Sample: 1, Clock: start, Replay: ring})
			maker := MakerConfig{PKI: p, Mix: everything(), Seed: 5, Clock: start, Replay: ring, Pad: test.pad}
			path, _ := prepared(t, func(c *PrepareConfig) { c.Maker = maker })
			file := open(t, path, FileConfig{PKI: p, Replay: ring})
			if found := file.Header().Pad; found != test.pad {
				t.Errorf("the file says it is padded to %d", found)
			}
			for _, source := range []interface {
				Next(time.Time, *measure.Shot) error
			}{newMaker(t, maker), file} {
				seen := map[measure.Kind]bool{}
				for range 40 {
					var shot measure.Shot
					fatal(t, source.Next(time.Now(), &shot))
					if len(shot.Body) < test.pad {
						t.Errorf("%s: %d bytes", shot.Kind, len(shot.Body))
					}
					status, answer := post(t, client, scheme+"://"+o.Address+"/IAM/Saml11TokenService/v1", &shot)
					if v := checker.Check(&shot, status, answer); v.Class != measure.Right {
						t.Fatalf("%s: %+v\n%s", shot.Kind, v, answer)
					}
					seen[shot.Kind] = true
				}
				if len(seen) != len(measure.Kinds()) {
					t.Errorf("only %v", seen)
				}
			}
		})
	}
}

// fixed makes the client believe that it is start.
func fixed(config *tls.Config) *tls.Config {
	config.Time = at(start)
	return config
}

// TestServerConfig: what options say stands in the configuration, and what cannot be served is
// refused.
func TestServerConfig(t *testing.T) {
	p := testPKI(t)
	o := ServerOptions{Address: "127.0.0.1:1", Admin: "127.0.0.1:2", SigningKey: P256, TLS: MutualTLS, TestClock: start, Durability: "relaxed 1s"}
	text, err := p.ServerConfig(o)
	fatal(t, err)
	var tree map[string]any
	fatal(t, yaml.Unmarshal([]byte(text), &tree))
	for path, want := range map[string]string{
		"listen": "[map[address:127.0.0.1:1 certificate:pki/tls-server.pem client-authorities:[pki/tls-ca.pem] key:pki/tls-server.key]]",
		"admin":  "127.0.0.1:2", "public-url": "https://127.0.0.1:1", "issuer": DefaultWire().Issuer,
		"signing": "map[certificate:pki/sts-p256.pem key:pki/sts-p256.key]", "audit": "map[dir:audit durability:relaxed 1s]",
		"test-clock": start.String(),
	} {
		if found := fmt.Sprint(tree[path]); found != want {
			t.Errorf("%s: %s instead of %s", path, found, want)
		}
	}
	written, err := os.ReadFile(filepath.Join(p.Dir(), fileServer))
	if err != nil || !strings.Contains(string(written), `address: "127.0.0.1:8080"`) {
		t.Errorf("%v\n%s", err, written)
	}
	for name, change := range map[string]func(*ServerOptions){
		"no address": func(o *ServerOptions) { o.Address = "" },
		"key":        func(o *ServerOptions) { o.SigningKey = P384 },
		"TLS":        func(o *ServerOptions) { o.TLS = "some" },
	} {
		altered := o
		change(&altered)
		if text, err := p.ServerConfig(altered); err == nil || text != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sceau/audit"
	"sceau/internal/minipki"
)

// A served is a running server of a demonstration folder.
type served struct {
	*system
	dir, path, url string
	hangup         chan os.Signal
	log            *lockedBuffer
	stop           func() error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startDemoServer(t *testing.T) (*served, *demo) {
	t.Helper()
	return startDemoServerWith(t, func(_, config string) string { return config })
}

// startDemoServerWith starts a server of a demonstration folder after change has seen
// the folder and changed the configuration.
func startDemoServerWith(t *testing.T, change func(dir, config string) string) (*served, *demo) {
	t.Helper()
	d := &demo{dir: t.TempDir(), out: io.Discard}
	if err := d.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	admin := freeAddress(t)
	v := &served{dir: d.dir, path: filepath.Join(d.dir, "stsd.yaml"), hangup: make(chan os.Signal, 1), log: &lockedBuffer{}}
	if err := os.WriteFile(v.path, []byte(change(d.dir, demoConfig(address, admin))), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &problems{file: v.path}
	v.system = build(readConfig(v.path, p), p, slog.New(slog.NewTextHandler(v.log, nil)))
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- v.serve(ctx, v.hangup, v.path, func([]string) { close(started) }) }()
	<-started
	v.url = "http://" + address + pathQuery
	v.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		v.close()
		return err
	})
	t.Cleanup(func() {
		if err := v.stop(); err != nil {
			t.Error(err)
		}
	})
	d.system = v.system
	return v, d
}

func (v *served) waitLog(t *testing.T, text string) {
	t.Helper()
	for range 500 {
		if strings.Contains(v.log.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the log never said %q:\n%s", text, v.log.String())
}

// TestReload: a SIGHUP takes a new signing key, and a broken configuration leaves
// everything as it was.
func TestReload(t *testing.T) {
	v, _ := startDemoServer(t)
	before := metadataOf(t, v.url)

	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(v.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("stsd.yaml", append(config, "nonsense: true\n"...))
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "reload refused")
	if after := metadataOf(t, v.url); after != before {
		t.Error("a refused reload changed something")
	}

	// A new key under the same authority.
	key, err := minipki.GenerateKey(minipki.P256)
	if err != nil {
		t.Fatal(err)
	}
	old, err := x509.ParseCertificate(v.signer.Certificate().Raw())
	if err != nil {
		t.Fatal(err)
	}
	root, err := minipki.NewRoot(minipki.CA(minipki.DN("C", "BE", "CN", "Other"), old.NotBefore, old.NotAfter), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := root.Issue(minipki.EHealth(minipki.Holder{Type: "CBE", Value: stsCBE, Name: "NEXT", Application: "SCEAU"}), key.Public())
	if err != nil {
		t.Fatal(err)
	}
	text, err := minipki.KeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	write("pki/sts.pem", minipki.CertificatePEM(der))
	write("pki/sts.key", text)
	write("stsd.yaml", config)
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "msg=reloaded")
	if after := metadataOf(t, v.url); after == before {
		t.Error("the reload did not take the new key")
	}
}

func metadataOf(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(strings.TrimSuffix(url, pathQuery) + pathMetadata)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
	return string(body)
}

// TestGracefulStop: a stop under load loses no answer: every request is answered
// whole, or its connection was never taken.
func TestGracefulStop(t *testing.T) {
	v, d := startDemoServer(t)
	var messages [][]byte
	for range 64 {
		message, err := d.forged()
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, message)
		time.Sleep(time.Millisecond)
	}
	var wait sync.WaitGroup
	problems := make(chan error, len(messages))
	answered := make(chan struct{}, len(messages))
	for _, message := range messages {
		wait.Go(func() {
			response, err := http.Post(v.url, "text/xml; charset=utf-8", bytes.NewReader(message))
			if err != nil {
				return // not taken, or closed before the request was read
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || !bytes.Contains(body, []byte("REQ-01")) || !bytes.HasSuffix(body, []byte("</soapenv:Envelope>")) {
				problems <- fmt.Errorf("answer cut short: %v %s", err, body)
			}
			answered <- struct{}{}
		})
	}
	<-answered
	if err := v.stop(); err != nil {
		t.Error(err)
	}
	wait.Wait()
	close(problems)
	for err := range problems {
		t.Error(err)
	}
	t.Logf("%d of %d answered", len(answered)+1, len(messages))
}

// TestTransportRefusals: what HTTP refuses has its record too, under the id that the
// answer bears.
func TestTransportRefusals(t *testing.T) {
	v, _ := startDemoServer(t)
	response, err := http.Post(v.url, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusUnsupportedMediaType {
		t.Fatal(response.Status, err)
	}
	id, err := audit.ParseID(response.Header.Get("X-CorrelationID"))
	if err != nil || !bytes.Contains(body, []byte(`Id="`+id.String()+`"`)) || !bytes.Contains(body, []byte("<soa:Environment>Test<")) {
		t.Fatalf("%v %s", err, body)
	}
	records := 0
	for entry, err := range audit.List(filepath.Join(v.dir, "audit"), audit.Query{ID: id}) {
		if err != nil || entry.Stage != "transport" || entry.Outcome != "fault" {
			t.Errorf("%+v %v", entry, err)
		}
		records++
	}
	if records != 1 {
		t.Errorf("%d records", records)
	}
}

// TestFaces: what a server answers besides queries.
func TestFaces(t *testing.T) {
	v, _ := startDemoServer(t)
	base := strings.TrimSuffix(v.url, pathQuery)
	admin := "http://" + v.config.Admin.V
	for _, c := range []struct {
		method, url string
		status      int
		holds       string
	}{
		{"OPTIONS", base + "/", 200, ""},
		{"OPTIONS", v.url, 200, ""},
		{"GET", v.url + "?wsdl", 200, "Saml11TokenServiceSOAP11"},
		{"GET", base + pathLegacy + "?wsdl", 200, "RequestSecurityToken"},
		{"GET", base + pathMetadata, 200, "AttributeAuthorityDescriptor"},
		{"GET", v.url, 405, ""},
		{"GET", base + "/elsewhere", 404, ""},
		{"GET", base + "/metrics", 404, ""},
		{"GET", admin + "/healthz/live", 200, "alive"},
		{"GET", admin + "/healthz/ready", 200, "ready"},
		{"GET", admin + "/metrics", 200, "sceau_crl_usable"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != c.status || !strings.Contains(string(body), c.holds) {
			t.Errorf("%s %s: %s %.300s", c.method, c.url, response.Status, body)
		}
		if at, err := http.ParseTime(response.Header.Get("Date")); err != nil || time.Since(at) > time.Minute {
			t.Errorf("%s %s: Date %q", c.method, c.url, response.Header.Get("Date"))
		}
	}
}

// TestReloadFromRegistryToSources: a registry becomes one of several sources, once, however often the server is told to reload.
func TestReloadFromRegistryToSources(t *testing.T) {
	v, d := startDemoServer(t)
	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(config, []byte("registry:\n  file: registry.db\n"), []byte("sources:\n  - {id: other, kind: registry, file: registry.db}\n"), 1)
	if bytes.Equal(changed, config) {
		t.Fatal("the configuration has no registry")
	}
	for i, text := range [][]byte{changed, changed, config, config} {
		if err := os.WriteFile(v.path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := v.reload(v.path); err != nil {
			t.Error(err)
		}
		if got := strings.Count(v.log.String(), "all of them were opened anew"); got != 1+i/2 {
			t.Errorf("after %d reloads they were opened %d times:\n%s", i+1, got, v.log.String())
		}
		if wrong := v.token(t, d, "alice", doctorBoolean); wrong != "" {
			t.Errorf("after %d reloads: %s", i+1, wrong)
		}
	}
}

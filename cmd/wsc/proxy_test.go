package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A running is the program at work in this process.
type running struct {
	url   string
	end   func() int // ends it and gives its status
	mu    sync.Mutex
	notes bytes.Buffer // standard error
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notes.Write(p)
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notes.String()
}

// startProxy runs wsc proxy and waits until it listens.
func startProxy(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	r := &running{}
	status := make(chan int, 1)
	go func() {
		code := run(ctx, append([]string{"proxy", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), in, r)
		in.Close()
		status <- code
	}()
	r.end = sync.OnceValue(func() int { cancel(); return <-status })
	t.Cleanup(func() { r.end() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("it ended with %d: %s", r.end(), r.text())
	}
	r.url = strings.TrimPrefix(strings.TrimSpace(line), "listening on ")
	return r
}

// as are the flags that say who asks.
func (w *world) as(more ...string) []string {
	in := func(name string) string { return filepath.Join(w.dir, name) }
	return append([]string{"--sts", w.env["STS"], "--identity", in("alice-eid.pem"), "--holder", in("alice-ehealth.pem"), "--trust", in("sts.crt"), "--app", "APP2"}, more...)
}

const plain = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><To xmlns="urn:w">x</To></s:Header><s:Body><q:Ask xmlns:q="urn:example:demo">Who am I?</q:Ask></s:Body></s:Envelope>`

func send(t *testing.T, url, message string, change func(*http.Request)) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	request.Header.Set("SOAPAction", `"urn:example:Ask"`)
	if change != nil {
		change(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// An old client reaches a guarded service through the proxy, with one token for all its
// messages.
func TestProxy(t *testing.T) {
	w := newWorld(t)
	before := goleak.IgnoreCurrent()
	store := filepath.Join(t.TempDir(), "session")
	r := startProxy(t, w.as("--to", w.env["SERVICE"], "--to", "/dead="+w.env["DEAD"], "--to", "/two="+w.env["DEAD"], "--to", "/two="+w.env["SERVICE"],
		"--to", "/page="+w.env["PAGE"], "--store", store, "--store-passphrase-file", filepath.Join(w.dir, "passphrase"))...)
	var all sync.WaitGroup
	for _, path := range []string{"", "/any/path", "/two", "/two"} {
		all.Go(func() {
			if status, body := send(t, r.url+path, plain, nil); status != 200 || !strings.Contains(body, "EchoResponse") || !strings.Contains(body, "00000000097") || !strings.Contains(body, "Who am I?") {
				t.Errorf("%s: %d %s", path, status, body)
			}
		})
	}
	all.Wait()
	if n := strings.Count(r.text(), "token renewed"); n != 1 {
		t.Errorf("%d tokens", n)
	}
	for _, test := range []struct {
		name, path, message string
		code                string
	}{
		{"no service", "/dead", plain, "SOA-02002"},
		{"an error page", "/page", plain, "SOA-02002"},
		{"no SOAP", "", "<a/>", "SOA-03001"},
		{"a security header", "", strings.Replace(plain, `<To xmlns="urn:w">x</To>`, `<o:Security xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"/>`, 1), "SOA-03001"},
	} {
		status, body := send(t, r.url+test.path, test.message, nil)
		if status != 500 || !strings.Contains(body, test.code) {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
		_, id, _ := strings.Cut(body, ` Id="`)
		if id, _, _ = strings.Cut(id, `"`); id == "" || !strings.Contains(r.text(), "id="+id) {
			t.Errorf("%s: the log does not name %q", test.name, id)
		}
	}
	if code := r.end(); code != 0 {
		t.Errorf("status %d: %s", code, r.text())
	}
	if text := r.text(); strings.Contains(text, "00000000097") || strings.Contains(text, "Alice") {
		t.Errorf("a person is named in the log: %s", text)
	}

	// The next program has the token from the store.
	again := startProxy(t, w.as("--to", w.env["SERVICE"], "--store", store, "--store-passphrase-file", filepath.Join(w.dir, "passphrase"))...)
	if status, _ := send(t, again.url, plain, nil); status != 200 || strings.Contains(again.text(), "token renewed") || !strings.Contains(again.text(), "token of the store") {
		t.Errorf("%d %s", status, again.text())
	}
	again.end()
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, before)
}

// Who is no client of this machine is refused before anything is signed.
func TestProxyRefuses(t *testing.T) {
	w := newWorld(t)
	w.file("secret", []byte("open sesame\n"))
	r := startProxy(t, w.as("--to", "/service="+w.env["SERVICE"], "--password-file", filepath.Join(w.dir, "secret"))...)
	good := func(r *http.Request) { r.SetBasicAuth("anybody", "open sesame") }
	with := func(change func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) { good(r); change(r) }
	}
	header := func(name, value string) func(*http.Request) {
		return with(func(r *http.Request) { r.Header.Set(name, value) })
	}
	for _, test := range []struct {
		name, path string
		change     func(*http.Request)
		want       int
	}{
		{"no password", "/service", nil, 401},
		{"another password", "/service", func(r *http.Request) { r.SetBasicAuth("anybody", "open") }, 401},
		{"a page in a browser", "/service", header("Origin", "https://page.example"), 403},
		{"a page of our own origin", "/service", header("Sec-Fetch-Site", "same-origin"), 403},
		{"a name that was made to mean us", "/service", with(func(r *http.Request) { r.Host = "page.example" }), 403},
		{"a name that looks like ours", "/service", with(func(r *http.Request) { r.Host = "localhost.page.example:80" }), 403},
		{"what a form can send", "/service", header("Content-Type", "text/plain"), 415},
		{"SOAP 1.2", "/service", header("Content-Type", "application/soap+xml"), 415},
		{"parts", "/service", header("Content-Type", "multipart/related; type=\"application/xop+xml\""), 415},
		{"GET", "/service", with(func(r *http.Request) { r.Method = "GET" }), 405},
		{"the question before a request of another origin", "/service", with(func(r *http.Request) { r.Method = "OPTIONS" }), 405},
		{"another path", "/", good, 404},
		{"a path below", "/service/x", good, 404},
	} {
		if status, body := send(t, r.url+test.path, plain, test.change); status != test.want {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
	}
	if strings.Contains(r.text(), "token") {
		t.Errorf("a token was asked: %s", r.text())
	}
	if status, body := send(t, r.url+"/service", strings.Repeat(" ", maxProxied+1), good); status != 413 {
		t.Errorf("too large: %d %s", status, body)
	}
	if status, body := send(t, r.url+"/service", plain, good); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

func TestProxyUsage(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.dir, name) }
	w.file("empty", nil)
	for _, test := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"nothing", nil, exitUsage, "--to is missing"},
		{"beyond this machine", w.as("--to", w.env["SERVICE"], "--listen", "0.0.0.0:0"), exitUsage, "reaches beyond this machine"},
		{"beyond this machine, by name", w.as("--to", w.env["SERVICE"], "--listen", ":0"), exitUsage, "reaches beyond this machine"},
		{"exposed without password", w.as("--to", w.env["SERVICE"], "--listen", "0.0.0.0:0", "--expose"), exitUsage, "--expose wants --password-file"},
		{"empty password", w.as("--to", w.env["SERVICE"], "--password-file", in("empty")), exitUsage, "is empty"},
		{"no URL", w.as("--to", "service"), exitUsage, "no URL"},
		{"a path alone", w.as("--to", "/service"), exitUsage, "neither URL nor /PATH=URL"},
		{"a store without key", w.as("--to", w.env["SERVICE"], "--store", in("s")), exitUsage, "--store wants"},
		{"a key without store", w.as("--to", w.env["SERVICE"], "--store-key", in("passphrase")), exitUsage, "without --store"},
		{"a key that is none", w.as("--to", w.env["SERVICE"], "--store", in("s"), "--store-key", in("passphrase")), exitInput, "hexadecimal digits"},
		{"renewal", w.as("--to", w.env["SERVICE"], "--renewal", "never"), exitUsage, "sliding-window or on-expiry"},
		{"a fallback that is an eID", w.as("--to", w.env["SERVICE"], "--fallback", in("alice-eid.pem")), exitInput, "--fallback: credentials: mode fallback wants eHealth certificates"},
	} {
		var out, notes bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		code := run(ctx, append([]string{"proxy"}, test.args...), strings.NewReader(""), &out, &notes)
		cancel()
		if code != test.want || !strings.Contains(notes.String(), test.says) {
			t.Errorf("%s: status %d, %s", test.name, code, notes.String())
		}
	}
	if _, err := os.Stat(in("s")); err == nil {
		t.Error("a store was made")
	}
}

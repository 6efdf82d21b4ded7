package face

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/oidc/means/store"
)

// TestPerAddress: whoever holds as many connections as an address may gets no more at that listener, and one that ends makes room. The other
// listener counts for itself, and a proxy, behind which many are, is none that holds them.
func TestPerAddress(t *testing.T) {
	for _, c := range []struct {
		name, limits string
		of           int // connections that are let in
	}{
		{"of an address", "limits: {max-per-address: 2}", 2},
		{"of all", "limits: {max-connections: 2, max-per-address: 9}", 2},
		{"of a proxy", `limits: {max-per-address: 2, proxies: ["127.0.0.0/8"]}`, 5},
		{"of all, by proxies", `limits: {max-connections: 3, max-per-address: 2, proxies: [127.0.0.1]}`, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, ended, roots := serving(t, files(t), strings.Replace(good, "control:\n", c.limits+"\ncontrol:\n", 1))
			for _, address := range f.Addresses() {
				var in []*tls.Conn
				for range 5 {
					if one := connected(t, address, roots); one != nil {
						in = append(in, one)
					}
				}
				if len(in) != c.of {
					t.Fatalf("%d of 5 were let in", len(in))
				}
				if c.of == 5 {
					for _, one := range in {
						one.Close()
					}
					continue
				}
				// What has begun goes on, and what ends makes room: the server has read the end when it has answered it.
				for _, one := range in {
					if _, err := io.WriteString(one, "GET /etab/1/jwks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
						t.Fatal(err)
					}
					if text, err := io.ReadAll(one); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 ") {
						t.Fatalf("%v: %.80s", err, text)
					}
				}
				again := connected(t, address, roots)
				for again == nil { // it reads the end of ours before it gives the place back
					again = connected(t, address, roots)
				}
				again.Close()
			}
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			if err := f.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// connected is a connection that the face let in, nil where it closed it.
func connected(t *testing.T, address string, roots *x509.CertPool) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		return nil
	}
	return c
}

// TestPerAddressHTTP2: requests of one connection are no connections.
func TestPerAddressHTTP2(t *testing.T) {
	f, ended, roots := serving(t, files(t), strings.Replace(good, "control:\n", "limits: {max-per-address: 1}\ncontrol:\n", 1))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, ForceAttemptHTTP2: true}
	for range 5 {
		a, err := (&http.Client{Transport: transport}).Get(f.Addresses()[0] + "/etab/1/jwks")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, a.Body); err != nil || a.StatusCode != http.StatusOK || a.ProtoMajor != 2 {
			t.Errorf("%s %s %v", a.Proto, a.Status, err)
		}
		a.Body.Close()
	}
	transport.CloseIdleConnections()
	end(t, f, ended)
}

// TestLimitsReplaced: limits count from a restart on, and wrong ones are told before it.
func TestLimitsReplaced(t *testing.T) {
	dir := files(t)
	c, err := read(t, dir, good)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(c, shared(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for text, want := range map[string][]string{
		"limits: {proxies: [10.1.0.5]}":    {"the limits of the OpenID Connect face"},
		"limits: {}":                       nil,
		"limits: {max-per-address: 1024}":  {"the limits of the OpenID Connect face"},
		"limits: {max-connections: 16384}": {"the limits of the OpenID Connect face"},
	} {
		next, err := read(t, dir, strings.Replace(good, "control:\n", text+"\ncontrol:\n", 1))
		if err != nil {
			t.Fatal(err)
		}
		if restart, err := f.Replace(next); err != nil || !slices.Equal(restart, want) {
			t.Errorf("%s: %v %v", text, restart, err)
		}
	}
	wrong, err := read(t, dir, strings.Replace(good, "control:\n", "limits: {proxies: [everybody]}\ncontrol:\n", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Replace(wrong); err == nil {
		t.Error("proxies that are none are taken")
	}
}

// TestStrangers: logins that nobody finishes have a bound of one address over all establishments, which is none of a proxy and outlives what
// a configuration replaces.
func TestStrangers(t *testing.T) {
	dir := files(t)
	two := strings.Replace(good, "control:\n", "limits: {max-strangers: 65536, proxies: [10.1.0.5]}\ncontrol:\n", 1)
	_, one, _ := strings.Cut(good, "establishments:\n")
	two += strings.NewReplacer("etab1", "etab2", "etab/1", "etab/2", "credentials.db", "second.db").Replace(one)
	if err := store.Init(t.Context(), store.Config{File: filepath.Join(dir, "second.db"), Establishment: "etab2"}); err != nil {
		t.Fatal(err)
	}
	c, err := read(t, dir, two)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(c, shared(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := func(establishment, from string) bool {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "https://localhost:9443/etab/"+establishment+"/authorize?client_id=web&response_type=code&scope=openid&redirect_uri=https://client.example/cb&code_challenge=dBjftJeZ4CVP-mBxMEkR9Xp9RBLcWfpfpy3bqTxhxCw&code_challenge_method=S256", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		f.serveHTTP(w, r)
		if w.Code != http.StatusSeeOther && w.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d %.300s", w.Code, w.Body)
		}
		return w.Code == http.StatusSeeOther
	}
	n := 0
	for begin("1", "203.0.113.7:1") {
		n++
	}
	if n == 0 || n > 10 {
		t.Errorf("one began %d", n)
	}
	if begin("2", "203.0.113.7:1") {
		t.Error("another establishment has other room")
	}
	if !begin("2", "203.0.113.8:1") {
		t.Error("there is no room for another address")
	}
	if _, err := f.Replace(c); err != nil {
		t.Fatal(err)
	}
	if begin("1", "203.0.113.7:1") {
		t.Error("a configuration that is read anew makes room")
	}
	for n = 0; begin("1", "10.1.0.5:1"); n++ {
	}
	if n < 10 {
		t.Errorf("a proxy began %d", n)
	}
}

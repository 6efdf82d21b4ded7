package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/internal/judge"
	"sceau/internal/minipki"
)

// nginx starts Debian's nginx on loopback with the examples of testdata/nginx, and stops it when the test ends. places are the
// addresses that the examples name.
func nginx(t *testing.T, r *running, places map[string]string) {
	t.Helper()
	program := judge.Require(t, "nginx")
	var servers strings.Builder
	for _, name := range []string{"proxy.conf", "auth_request.conf"} {
		text, err := os.ReadFile(filepath.Join("testdata", "nginx", name))
		if err != nil {
			t.Fatal(err)
		}
		servers.WriteString(os.Expand(string(text), func(name string) string {
			if place, ok := places[name]; ok {
				return place
			}
			return "$" + name // nginx's own
		}))
	}
	config := "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n" +
		"client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;\n" + servers.String() + "}\n"
	if err := os.WriteFile(filepath.Join(r.folder, "nginx.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, "-p", r.folder, "-c", filepath.Join(r.folder, "nginx.conf"), "-e", "stderr")
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	said := &lockedBuffer{}
	command.Stderr = said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { command.Wait(); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	for range 200 {
		if connection, err := net.Dial("tcp", places["NGINX_AUTH"]); err == nil {
			connection.Close()
			return
		}
		select {
		case <-ended:
			t.Fatal("nginx ended: ", said)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("nginx does not listen: ", said)
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// consumer is a client over TLS, with the certificate of a key where one is given.
func (p *testPKI) consumer(certificate *tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(minipki.CertificatePEM(p.ca.DER()))
	settings := &tls.Config{RootCAs: pool}
	if certificate != nil {
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}}
}

func ask(t *testing.T, client *http.Client, method, url string, message []byte, headers ...string) answerOf {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answerOf{response.StatusCode, response.Header, string(body)}
}

// TestNginx: the two ways in which nginx and the guard stand before a service, admitted and refused.
func TestNginx(t *testing.T) {
	u := &upstream{}
	service := listening(t, u)
	r := start(t, proxyConfig(service, "")+"authorizer: {address: '127.0.0.1:0', session: {}}\n")
	bare := func(url string) string { return strings.TrimPrefix(url, "http://") }
	places := map[string]string{
		"NGINX_PROXY": free(t), "NGINX_AUTH": free(t), "SERVICE": bare(service), "WSPD": bare(r.service(t)), "AUTHORIZER": bare(r.authorizer(t)),
	}
	nginx(t, r, places)
	alice := r.pki.consumer(&tls.Certificate{Certificate: [][]byte{r.pki.holder}, PrivateKey: r.pki.holderKey})
	stranger := r.pki.consumer(&tls.Certificate{Certificate: [][]byte{r.pki.sts}, PrivateKey: r.pki.stsKey})
	nobody := r.pki.consumer(nil)

	t.Run("proxy", func(t *testing.T) {
		at := fmt.Sprintf("https://%s/service", places["NGINX_PROXY"])
		message := r.call(t)
		if got := ask(t, nobody, http.MethodPost, at, message, "Sceau-Caller", "spoofed"); got.status != http.StatusOK || got.body != "served" {
			t.Fatal(got, r.log)
		}
		q, _ := u.last(t)
		if _, said := r.verified(t, q.Header.Get("Sceau-Caller"), callerType, time.Now()); said.Holder.Identifier != "00000000097" {
			t.Error(said)
		}
		asked := u.asked()
		for name, message := range map[string][]byte{"R1 again": message, "no doctor": must(r.pki.message("false")), "not SOAP": []byte("hello")} {
			if got := ask(t, nobody, http.MethodPost, at, message); got.status != http.StatusInternalServerError || !strings.Contains(got.body, "SOA-0") {
				t.Error(name, got)
			}
		}
		if u.asked() != asked {
			t.Error("a refused message reached the service")
		}
	})

	t.Run("auth_request", func(t *testing.T) {
		at := fmt.Sprintf("https://%s", places["NGINX_AUTH"])
		got := ask(t, alice, http.MethodPost, at+"/session", r.call(t))
		_, rest, ok := strings.Cut(got.body, `"access_token":"`)
		token, _, ok2 := strings.Cut(rest, `"`)
		if got.status != http.StatusOK || !ok || !ok2 {
			t.Fatal(got, r.log)
		}
		got = ask(t, alice, http.MethodPost, at+"/protected/x", []byte("any body"), "Authorization", "Bearer "+token, "Sceau-Caller", "spoofed")
		if got.status != http.StatusOK || got.body != "served" {
			t.Fatal(got, r.log)
		}
		q, body := u.last(t)
		if body != "any body" || q.Header.Get("Authorization") != "" || len(q.Header["Sceau-Caller"]) != 1 {
			t.Error(q.Header, body)
		}
		if _, said := r.verified(t, q.Header.Get("Sceau-Caller"), callerType, time.Now()); said.Confirmation.X5T != thumbprintOf(r.pki.holder) {
			t.Error(said)
		}
		asked := u.asked()
		certificate := escaped(r.pki.holder)
		for name, c := range map[string]struct {
			client *http.Client
			token  string
		}{
			"H1 stolen token, another's TLS": {stranger, token}, "H1 stolen token, no TLS certificate": {nobody, token},
			"no token": {alice, ""}, "a token of no one": {alice, "x.y.z"},
		} {
			got := ask(t, c.client, http.MethodPost, at+"/protected/x", nil, "Authorization", "Bearer "+c.token, "Sceau-Client-Certificate", certificate)
			if got.status != http.StatusUnauthorized {
				t.Error(name, got)
			}
		}
		// A certificate is no secret: who shows Alice's without her key does not get through the handshake.
		thief := r.pki.consumer(&tls.Certificate{Certificate: [][]byte{r.pki.holder}, PrivateKey: r.pki.stsKey})
		q2, err := http.NewRequest(http.MethodGet, at+"/protected/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		q2.Header.Set("Authorization", "Bearer "+token)
		if response, err := thief.Do(q2); err == nil {
			response.Body.Close()
			t.Error("H1 the certificate without its key:", response.Status)
		}
		if got := ask(t, alice, http.MethodGet, at+"/_auth", nil); got.status != http.StatusNotFound {
			t.Error("the question is not nginx's alone:", got)
		}
		if u.asked() != asked {
			t.Error("a refused request reached the service")
		}
	})
}

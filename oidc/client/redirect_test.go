package client_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/oidc/client"
)

func redirects(kind string, uris ...string) func(*client.Registration) {
	return func(r *client.Registration) { r.ApplicationType, r.RedirectURIs = kind, uris }
}

// TestO3Registered: which addresses may be registered.
func TestO3Registered(t *testing.T) {
	for _, c := range []struct {
		uri         string
		web, native bool
	}{
		{"https://app.example/cb", true, true},
		{"https://app.example", true, true},
		{"https://app.example:8443/cb?tenant=1", true, true},
		{"https://xn--mnchen-3ya.example/cb", true, true},
		{"https://[2001:db8::1]/cb", true, true},
		{"http://127.0.0.1/cb", false, true},
		{"http://127.0.0.1:8080/cb", false, true},
		{"http://[::1]/cb", false, true},
		{"http://localhost:3000/cb", false, true},

		{"", false, false},
		{"app.example/cb", false, false},
		{"/cb", false, false},
		{"//app.example/cb", false, false},
		{"https:/app.example/cb", false, false},
		{"https:app.example/cb", false, false},
		{"https:///cb", false, false},
		{"https://:443/cb", false, false},
		{"https://app.example:/cb", false, false},
		{"http://app.example/cb", false, false},
		{"http://127.0.0.2/cb", false, false},
		{"http://127.0.0.1.example/cb", false, false},
		{"http://localhost.example/cb", false, false},
		{"http://0.0.0.0/cb", false, false},
		{"http://2130706433/cb", false, false},
		{"http://[::ffff:127.0.0.1]/cb", false, false},
		{"http://[::1%25lo]/cb", false, false},
		{"https://app.example/cb#", false, false},
		{"https://app.example/cb#a", false, false},
		{"https://user@app.example/cb", false, false},
		{"https://user:word@app.example/cb", false, false},
		{"https://app.example@evil.example/cb", false, false},
		{"https://*.example/cb", false, false},
		{"https://app.example/*", false, false},
		{"https://APP.example/cb", false, false},
		{"HTTPS://app.example/cb", false, false},
		{"https://münchen.example/cb", false, false},
		{"https://app.example/cb\u202e", false, false},
		{"https://app.example\\@evil.example/cb", false, false},
		{"https://app.example/\\evil", false, false},
		{"https://app.example/a b", false, false},
		{"https://app.example/a\tb", false, false},
		{"https://app.example/a\nb", false, false},
		{" https://app.example/cb", false, false},
		{"https://app.example/cb ", false, false},
		{"https://app.example/../cb", false, false},
		{"https://app.example/a/./cb", false, false},
		{"https://app.example/%2e%2e/cb", false, false},
		{"https://app.example/%zz", false, false},
		{"https://app%2eexample/cb", false, false},
		{"javascript:alert(1)", false, false},
		{"javascript://app.example/%0aalert(1)", false, false},
		{"data:text/html,x", false, false},
		{"vbscript:x", false, false},
		{"file:///etc/passwd", false, false},
		{"ftp://app.example/", false, false},
		{"com.example.app:/cb", false, false},
		{"com.example.app://cb", false, false},
		{"urn:ietf:wg:oauth:2.0:oob", false, false},
		{"https://app.example/" + strings.Repeat("a", 2048), false, false},
	} {
		for kind, want := range map[string]bool{"web": c.web, "native": c.native} {
			_, err := client.New([]client.Registration{registration("app", client.None, redirects(kind, c.uri))}, options())
			if (err == nil) != want {
				t.Errorf("%s %q: %v", kind, c.uri, err)
			}
			if err != nil && !strings.Contains(err.Error(), "client app: redirect-uris: ") {
				t.Errorf("%q: an error without client and key: %v", c.uri, err)
			}
		}
	}
}

// TestO3Requested: what a request may say, octet for octet.
func TestO3Requested(t *testing.T) {
	r := registry(t, options(),
		registration("web", client.None, redirects("web", "https://app.example/cb", "https://app.example/cb2?x=1"), func(r *client.Registration) {
			r.PostLogoutRedirectURIs = []string{"https://app.example/bye"}
		}),
		registration("native", client.None, redirects("native", "http://127.0.0.1/cb", "http://[::1]/cb?a=b", "http://127.0.0.1:7000/fixed", "http://localhost/cb", "https://app.example/cb")))
	for _, c := range []struct {
		client, uri string
		want        bool
	}{
		{"web", "https://app.example/cb", true},
		{"web", "https://app.example/cb2?x=1", true},
		{"web", "", false},
		{"web", "https://app.example/cb/", false},
		{"web", "https://app.example/cb?x", false},
		{"web", "https://app.example/cb#", false},
		{"web", "https://app.example/CB", false},
		{"web", "https://app.example:443/cb", false},
		{"web", "https://app.example/%63b", false},
		{"web", "https://app.example/cb2?x=1&y=2", false},
		{"web", "https://app.example/cb/../../evil", false},
		{"web", "https://app.example.evil.example/cb", false},
		{"web", "https://evil.example/?https://app.example/cb", false},
		{"web", "http://app.example/cb", false},
		{"web", "https://app.example/bye", false},
		{"native", "http://127.0.0.1/cb", true},
		{"native", "http://127.0.0.1:51004/cb", true},
		{"native", "http://[::1]:1/cb?a=b", true},
		{"native", "http://127.0.0.1:65535/cb", true},
		{"native", "http://127.0.0.1:65536/cb", false},
		{"native", "http://127.0.0.1:0/cb", false},
		{"native", "http://127.0.0.1:080/cb", false},
		{"native", "http://127.0.0.1:/cb", false},
		{"native", "http://127.0.0.1:80a/cb", false},
		{"native", "http://127.0.0.1:80@evil.example/cb", false},
		{"native", "http://127.0.0.1:80/cb2", false},
		{"native", "http://127.0.0.1:123456/cb", false},
		{"native", "http://127.0.0.1:7001/fixed", false},
		{"native", "http://127.0.0.2:80/cb", false},
		{"native", "http://localhost:80/cb", false},
		{"native", "http://localhost/cb", true},
		{"native", "https://app.example:444/cb", false},
	} {
		if got := r.Client(c.client).AllowsRedirect(c.uri); got != c.want {
			t.Errorf("%s %q: %v", c.client, c.uri, got)
		}
	}
	if c := r.Client("web"); !c.AllowsPostLogoutRedirect("https://app.example/bye") || c.AllowsPostLogoutRedirect("https://app.example/cb") || c.AllowsPostLogoutRedirect("") {
		t.Error("post-logout-redirect-uris")
	}
	if c := r.Client("native"); c.AllowsPostLogoutRedirect("") || c.AllowsPostLogoutRedirect("http://127.0.0.1/cb") {
		t.Error("post-logout-redirect-uris that are not registered")
	}
}

// TestO3Property: whatever is allowed is registered, or differs from what is by a port on a loopback address of a native client;
// and what a browser makes of it has the host of one that is registered.
func TestO3Property(t *testing.T) {
	registered := []string{"https://app.example/cb", "https://app.example/a?b=c", "http://127.0.0.1/cb", "http://[::1]/x"}
	web := registry(t, options(), registration("app", client.None, redirects("web", registered[:2]...))).Client("app")
	native := registry(t, options(), registration("app", client.None, redirects("native", registered...))).Client("app")
	pieces := []string{"", "/", ":", "@", "?", "#", "\\", "..", "%2f", ":80", ":8080", ":65536", ":0", "evil.example", "a", "\t", "//", "cb", "x", "é"}
	rapid.Check(t, func(t *rapid.T) {
		uri := rapid.SampledFrom(registered).Draw(t, "registered")
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			from := rapid.IntRange(0, len(uri)).Draw(t, "from")
			to := min(len(uri), from+rapid.IntRange(0, 3).Draw(t, "cut"))
			uri = uri[:from] + rapid.SampledFrom(pieces).Draw(t, "piece") + uri[to:]
		}
		if got := web.AllowsRedirect(uri); got != slices.Contains(registered[:2], uri) {
			t.Fatalf("web %q: %v", uri, got)
		}
		if !native.AllowsRedirect(uri) {
			if slices.Contains(registered, uri) {
				t.Fatalf("native %q is refused", uri)
			}
			return
		}
		if slices.Contains(registered, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.Port() == "" || u.User != nil || u.Fragment != "" {
			t.Fatalf("native %q is allowed", uri)
		}
		without := strings.Replace(uri, ":"+u.Port()+"/", "/", 1)
		if !slices.Contains(registered[2:], without) {
			t.Fatalf("native %q is allowed, and %q is not registered", uri, without)
		}
	})
}

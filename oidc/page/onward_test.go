package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sceau/oidc/page"
)

func TestUnchained(t *testing.T) {
	set := newSet(t)
	tests := []struct {
		name, method, location string
		status                 int
		refresh                string // where the page leads; empty where the answer stays what it was
	}{
		{"to the application", "POST", "https://rp.example/cb?code=1", 303, "0; url=https://rp.example/cb?code=1"},
		{"to the application, by another status", "POST", "https://rp.example/cb", 307, "0; url=https://rp.example/cb"},
		{"to a native application", "POST", "org.example.app:/cb", 302, "0; url=org.example.app:/cb"},
		{"without its scheme", "POST", "//rp.example/cb", 302, "error"},
		{"to a script", "POST", "javascript:alert(1)", 302, "error"},
		{"among our pages", "POST", "/etab/1/next", 303, ""},
		{"among our pages, at length", "POST", "https://sceau.example/etab/1/next", 303, ""},
		{"not after a form", "GET", "https://rp.example/cb?code=1", 302, ""},
		{"no redirect", "POST", "https://rp.example/made", 201, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "https://sceau.example/etab/1/decide", nil)
			w := httptest.NewRecorder()
			u := page.Unchained(w, r, set.For(r, "fr", view))
			u.Header().Set("Location", test.location)
			u.WriteHeader(test.status)
			if n, err := u.Write([]byte("body of the redirect")); n != 20 || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			body := w.Body.String()
			switch test.refresh {
			case "":
				if w.Code != test.status || w.Header().Get("Location") != test.location || body != "body of the redirect" {
					t.Errorf("%d %v %q", w.Code, w.Header(), body)
				}
				return
			case "error":
				if w.Code != 500 || w.Header().Get("Refresh") != "" || strings.Contains(body, test.location) {
					t.Errorf("%d %v %q", w.Code, w.Header(), body)
				}
			default:
				if w.Code != 200 || w.Header().Get("Refresh") != test.refresh {
					t.Errorf("%d %v", w.Code, w.Header())
				}
			}
			if w.Header().Get("Location") != "" || strings.Contains(body, "body of the redirect") || !strings.HasSuffix(body, "</html>\n") {
				t.Errorf("%v %q", w.Header(), body)
			}
		})
	}
	r := httptest.NewRequest("POST", "/", nil)
	w := httptest.NewRecorder()
	u := page.Unchained(w, r, set.For(r, "fr", view))
	if _, err := u.Write([]byte("plain")); err != nil || w.Code != 200 || w.Body.String() != "plain" {
		t.Errorf("without a status: %d %q %v", w.Code, w.Body, err)
	}
	u.Header().Set("Location", "https://rp.example/")
	u.WriteHeader(http.StatusFound) // too late, as without us
	if w.Body.String() != "plain" {
		t.Errorf("after the answer: %q", w.Body)
	}
}

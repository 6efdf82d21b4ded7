package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// from asks the house from an address.
func (h *house) from(address, method, to string, form url.Values, change ...func(*http.Request)) *httptest.ResponseRecorder {
	h.Helper()
	r := httptest.NewRequest(method, to, strings.NewReader(form.Encode()))
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(address), 40000).String()
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.Provider.ServeHTTP(w, r)
	return w
}

// begin begins an attempt from an address, and says whether there was room.
func (h *house) begin(address string, changed ...string) bool {
	h.Helper()
	w := h.from(address, http.MethodGet, h.request(changed...), nil)
	if w.Code != http.StatusSeeOther && w.Code != http.StatusServiceUnavailable {
		h.Fatalf("%d %.300s", w.Code, w.Body)
	}
	return w.Code == http.StatusSeeOther
}

// TestKeptRequest: what is kept of a request is about as long as the request, which is no longer as a form than as an address. 256 KiB of
// < in a form would have been kept as a megabyte and a half.
func TestKeptRequest(t *testing.T) {
	h := openHouse(t, nil, web(t))
	store := h.config.Store.(*MemoryStore)
	form := must(url.Parse(h.request())).Query()
	for range 60 {
		form.Add("resource", "https://api.example/"+strings.Repeat("x", 4000))
	}
	if w := h.from("203.0.113.7", http.MethodPost, h.config.Issuer+"/authorize", form); w.Code != http.StatusBadRequest || store.size != 0 {
		t.Errorf("%d, and %d octets are kept", w.Code, store.size)
	}
	for _, c := range []string{"<", ">", "&", "é", "x"} {
		before := store.size
		text := strings.Repeat(c, 4000/len(c))
		if !h.begin("203.0.113.7", "state", text) {
			t.Fatal("refused")
		}
		if kept := store.size - before; kept > 4000+1000 {
			t.Errorf("4000 octets of %s are kept in %d", c, kept)
		}
		form := must(url.Parse(h.request("state", text))).Query()
		if w := h.from("203.0.113.7", http.MethodGet, h.config.Issuer+"/authorize?"+form.Encode()+"&prompt=none", nil); !strings.Contains(w.Header().Get("Location"), url.Values{"state": {text}}.Encode()) {
			t.Errorf("the state of %s came back as another", c)
		}
	}
}

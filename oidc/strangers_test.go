package oidc

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/audit"
	"sceau/internal/network"
	"sceau/oidc/client"
)

// begins begins attempts until there is no room, and gives their number.
func (h *house) begins(address string, changed ...string) (n int) {
	h.Helper()
	for h.begin(address, changed...) {
		if n++; n > 10_000 {
			h.Fatal("there is room without end")
		}
	}
	return n
}

func public(r *client.Registration) {
	r.ID, r.Authentication, r.IntrospectionAllowed = "public", client.AuthenticationRegistration{Method: client.None}, false
}

// TestStrangersFillNothing: a stranger, or many, who begin attempt after attempt would have filled the store of everybody: no login, no
// code and no refreshed token for anyone until theirs had ended, and then again.
func TestStrangersFillNothing(t *testing.T) {
	const size = 1 << 20
	store := NewMemoryStore(size, nil)
	h := openHouse(t, func(c *Config, _ *client.Options) { c.Store = store }, web(t), web(t, public))
	b := h.browser()
	_, got := h.ask("/token", redeeming(b.login(b.get(h.request("scope", "openid offline_access")), "card", "alice").answered(t).Get("code")))
	if got.Refresh == "" {
		t.Fatalf("%+v", got)
	}
	serves := func(who string) {
		t.Helper()
		again := b.get(h.request("scope", "openid offline_access")).answered(t)
		status, got := h.ask("/token", redeeming(again.Get("code")))
		if status != http.StatusOK || got.Refresh == "" {
			t.Errorf("beside %s: a code: %d %+v", who, status, got)
		}
		if status, got := h.ask("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}); status != http.StatusOK || got.Access == "" {
			t.Errorf("beside %s: a refresh: %d %+v", who, status, got)
		}
		if store.size > size/2 {
			t.Errorf("beside %s: %d of %d octets are taken", who, store.size, size)
		}
	}
	large := strings.Repeat("<", 4000)
	flood := func(n int, address func(i int) string) (refused int) {
		t.Helper()
		for i := range n {
			var w *httptest.ResponseRecorder
			switch i % 3 {
			case 0:
				w = h.from(address(i), http.MethodGet, h.request(), nil)
			case 1:
				w = h.from(address(i), http.MethodPost, h.config.Issuer+"/authorize", must(url.Parse(h.request("state", large, "nonce", large))).Query())
			default:
				w = h.from(address(i), http.MethodPost, h.config.Issuer+"/par", must(url.Parse(h.request("client_id", "public"))).Query())
			}
			if w.Code == http.StatusServiceUnavailable {
				refused++
			}
		}
		return refused
	}
	if flood(1500, func(int) string { return "203.0.113.7" }) == 0 {
		t.Error("one was not refused")
	}
	serves("one")
	for range 20 { // who comes from elsewhere logs in
		if status, got := h.ask("/token", redeeming(h.code())); status != http.StatusOK || got.Access == "" {
			t.Errorf("a login: %d %+v", status, got)
		}
	}
	if flood(1500, func(i int) string { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}).String() }) == 0 {
		t.Error("many were not refused")
	}
	serves("many")
}

// TestStrangersRefused: whoever is refused reads why, as a person or as a client, and it stands in the trail; the log has no address.
func TestStrangersRefused(t *testing.T) {
	own := key(t)
	signs := func(r *client.Registration) {
		r.ID, r.RequestObjectAlgorithm = "signs", "ES256"
		r.JWKS = client.KeySet(must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: own.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})))
	}
	var mu sync.Mutex
	var log bytes.Buffer
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.Log = slog.New(slog.NewTextHandler(writing(func(p []byte) { mu.Lock(); defer mu.Unlock(); log.Write(p) }), nil))
		c.Strangers = must(strangersOf(c.Store, StrangersConfig{Octets: 100, Log: c.Log})) // for nobody
	}, web(t), web(t, public), web(t, signs))
	const address = "203.0.113.7"
	in := func(language string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Accept-Language", language) }
	}
	query := func(changed ...string) url.Values { return must(url.Parse(h.request(changed...))).Query() }
	object := sign(t, jose.ES256, own, map[jose.HeaderKey]any{"kid": "k"}, map[string]any{"iss": "signs", "aud": h.config.Issuer,
		"exp": time.Now().Add(time.Minute).Unix(), "jti": random(), "client_id": "signs", "response_type": "code", "redirect_uri": back, "scope": "openid"})
	for _, c := range []struct {
		name, method, path string
		form               url.Values
		change             func(*http.Request)
		want               string
	}{
		{"in French", http.MethodGet, "/authorize", query(), in("fr"), "Le service est momentanément indisponible."},
		{"in Dutch", http.MethodGet, "/authorize", query(), in("nl"), "De dienst is tijdelijk niet beschikbaar."},
		{"in German", http.MethodGet, "/authorize", query(), in("de"), "Der Dienst ist vorübergehend nicht verfügbar."},
		{"in English", http.MethodGet, "/authorize", query(), in("en"), "The service is temporarily unavailable."},
		{"by a form", http.MethodPost, "/authorize", query(), in("en"), "The service is temporarily unavailable."},
		{"a request object", http.MethodGet, "/authorize", parameters("client_id", "signs", "request", object), in("en"), "The service is temporarily unavailable."},
		{"pushed by a public client", http.MethodPost, "/par", query("client_id", "public"), nil, `{"error":"temporarily_unavailable"}`},
		{"pushed by a client with a secret", http.MethodPost, "/par", query(), func(r *http.Request) { r.SetBasicAuth("web", webSecret) }, `{"error":"temporarily_unavailable"}`},
		{"pushed as a request object", http.MethodPost, "/par", parameters("client_id", "signs", "request", object), func(r *http.Request) { r.SetBasicAuth("signs", webSecret) }, `{"error":"temporarily_unavailable"}`},
	} {
		before := len(h.trail(audit.OperationAuthorization))
		to, form := h.config.Issuer+c.path, c.form
		if c.method == http.MethodGet {
			to, form = to+"?"+form.Encode(), nil
		}
		change := []func(*http.Request){c.change}
		if c.change == nil {
			change = nil
		}
		w := h.from(address, c.method, to, form, change...)
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %.400s", c.name, w.Code, w.Body)
		}
		events := h.trail(audit.OperationAuthorization)[before:]
		if len(events) != 1 || events[0].Outcome != audit.Refused || events[0].Code != "temporarily_unavailable" || events[0].Cause != errAllStrangers.Error() ||
			events[0].Sealed.Source.String() != address {
			t.Errorf("%s: in the trail: %+v", c.name, events)
		}
	}
	if store := h.config.Store.(*MemoryStore); len(store.entries) != 0 {
		t.Errorf("who was refused keeps something: %v", slices.Collect(maps.Keys(store.entries)))
	}
	mu.Lock()
	defer mu.Unlock()
	if text := log.String(); strings.Contains(text, address) || strings.Count(text, "logins are refused") != 1 {
		t.Errorf("the log says: %s", text)
	}
}

// strangersOf makes the bound of a store, which tells nobody.
func strangersOf(s Store, c StrangersConfig) (*Strangers, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return NewStrangers(s, c)
}

type writing func([]byte)

func (w writing) Write(p []byte) (int, error) { w(p); return len(p), nil }

// TestStrangersParts: who has how much, of what is free.
func TestStrangersParts(t *testing.T) {
	room := func(octets int, proxies ...string) *house {
		return openHouse(t, func(c *Config, _ *client.Options) {
			k := StrangersConfig{Octets: octets}
			for _, p := range proxies {
				k.Proxies = append(k.Proxies, must(network.Parse(p)))
			}
			c.Strangers = must(strangersOf(c.Store, k))
		}, web(t), web(t, public))
	}
	const octets = 1 << 20
	t.Run("one", func(t *testing.T) {
		h := room(octets)
		n := h.begins("203.0.113.7")
		if n == 0 || h.config.Strangers.total > octets/part {
			t.Errorf("one began %d, which keep %d octets", n, h.config.Strangers.total)
		}
		if h.begins("::ffff:203.0.113.7") != 0 {
			t.Error("one address is two in two ways of writing it")
		}
		if h.begins("203.0.113.8") < n/2 {
			t.Error("there is no room for another")
		}
	})
	t.Run("a network of IPv6", func(t *testing.T) {
		h := room(octets)
		h.begins("2001:db8:1:2::1")
		if n := h.begins("2001:db8:1:2:ffff::9"); n != 0 {
			t.Errorf("the same subscriber, by another of his addresses, began %d more", n)
		}
		if h.begins("2001:db8:1:3::1") == 0 {
			t.Error("there is no room for another")
		}
	})
	t.Run("many", func(t *testing.T) {
		h := room(octets)
		first := 0
		for i := range 30 {
			n := h.begins(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String())
			if first = max(first, n); i == 29 && n > first/2 {
				t.Errorf("the last of thirty began %d, the first %d", n, first)
			}
		}
		if !h.begin("203.0.113.7") {
			t.Error("thirty addresses leave no room for another")
		}
	})
	t.Run("a proxy", func(t *testing.T) {
		h := room(octets, "10.1.0.0/24")
		n := h.begins("10.1.0.5")
		if h.config.Strangers.total < octets*9/10 || h.config.Strangers.total > octets {
			t.Errorf("a proxy began %d, which keep %d octets of %d", n, h.config.Strangers.total, octets)
		}
		if len(h.trail(audit.OperationAuthorization)) != 1 || h.trail(audit.OperationAuthorization)[0].Cause != errAllStrangers.Error() {
			t.Errorf("%+v", h.trail(audit.OperationAuthorization))
		}
	})
	t.Run("large requests", func(t *testing.T) {
		h := room(octets)
		few := h.begins("203.0.113.7", "state", strings.Repeat("s", 4000))
		if many := h.begins("203.0.113.8"); few == 0 || many < 2*few {
			t.Errorf("%d large requests, %d small ones", few, many)
		}
	})
	t.Run("what is pushed", func(t *testing.T) {
		h := room(octets)
		push := func(address, id string, change ...func(*http.Request)) bool {
			w := h.from(address, http.MethodPost, h.config.Issuer+"/par", must(url.Parse(h.request("client_id", id))).Query(), change...)
			if w.Code != http.StatusCreated && w.Code != http.StatusServiceUnavailable {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			return w.Code == http.StatusCreated
		}
		secret := func(r *http.Request) { r.SetBasicAuth("web", webSecret) }
		for push("203.0.113.7", "public") {
		}
		if h.begin("203.0.113.7") {
			t.Error("what was pushed by a public client does not count for the address")
		}
		if !push("203.0.113.7", "web", secret) {
			t.Error("a client that proves who it is counts for the address")
		}
		for push("203.0.113.9", "web", secret) {
		}
		if push("203.0.113.10", "web", secret) {
			t.Error("a client that proves who it is has another part at another address")
		}
		if !h.begin("203.0.113.9") {
			t.Error("what such a client pushed counts for the address")
		}
	})
}

// TestStrangersGoOn: what began goes on when there is no room for another, whatever the means keeps of it; what was finished, given up or has
// ended makes room.
func TestStrangersGoOn(t *testing.T) {
	var mu sync.Mutex
	offset := time.Duration(0)
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.Strangers = must(strangersOf(c.Store, StrangersConfig{Octets: 1 << 18, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(offset) }}))
	}, web(t))
	s := h.config.Strangers
	b := h.browser()
	first, second := b.get(h.request()), b.get(h.request())
	h.begins("127.0.0.1") // from which the browser comes
	if got := led(b, b.login(first, "card", "alice")); got != "code" {
		t.Errorf("a login that had begun: %s", got)
	}
	if !h.begin("127.0.0.1") || h.begin("127.0.0.1") {
		t.Error("a login that is finished makes room for one")
	}
	page := b.follow(second)
	b.post(strings.TrimSuffix(second.Header.Get("Location"), "/")+"/cancel", url.Values{"token": {hidden(page.text, "token")}})
	if !h.begin("127.0.0.1") || h.begin("127.0.0.1") {
		t.Error("one that was given up makes room for one")
	}
	if got := led(b, b.get(h.request("prompt", "none"))); got != "code" {
		t.Errorf("who has a session: %s", got)
	}
	mu.Lock()
	offset = 14 * time.Minute
	mu.Unlock()
	if h.begin("127.0.0.1") {
		t.Error("there is room before anything has ended")
	}
	mu.Lock()
	offset = 16 * time.Minute
	mu.Unlock()
	if !h.begin("127.0.0.1") || len(s.kept) != 1 || len(s.by) != 1 || len(s.ends) != 1 {
		t.Errorf("when all has ended %d are kept, %d ends", len(s.kept), len(s.ends))
	}
}

// TestStrangersPushed: what a client pushed counts, from when a browser comes with it, for the browser.
func TestStrangersPushed(t *testing.T) {
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.Strangers = must(strangersOf(c.Store, StrangersConfig{Octets: 1 << 20}))
	}, web(t))
	s := h.config.Strangers
	to := h.push()
	if len(s.by) != 1 || s.by[stranger{client: "etab1/web"}] == 0 {
		t.Fatalf("%v", s.by)
	}
	if w := h.from("203.0.113.7", http.MethodGet, to, nil); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if len(s.by) != 1 || s.by[stranger{network: netip.MustParsePrefix("203.0.113.7/32")}] == 0 || len(s.kept) != 1 {
		t.Errorf("%v", s.by)
	}
}

// TestStrangersObjects: the identifier of a request object counts for its client, and is kept for as long as the object may be taken: for an
// hour, a page that has a client make them would have kept six times as many.
func TestStrangersObjects(t *testing.T) {
	own := key(t)
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.Strangers = must(strangersOf(c.Store, StrangersConfig{}))
	}, web(t, func(r *client.Registration) {
		r.RequestObjectAlgorithm = "ES256"
		r.JWKS = client.KeySet(must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: own.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})))
	}))
	end := time.Now().Add(5 * time.Minute).Truncate(time.Second)
	object := sign(t, jose.ES256, own, map[jose.HeaderKey]any{"kid": "k"}, map[string]any{"iss": "web", "aud": h.config.Issuer, "exp": end.Unix(), "jti": "1",
		"client_id": "web", "response_type": "code", "redirect_uri": back, "scope": "openid", "prompt": "none", "code_challenge": challenge(), "code_challenge_method": "S256"})
	to := h.config.Issuer + "/authorize?" + parameters("client_id", "web", "request", object).Encode()
	if w := h.from("203.0.113.7", http.MethodGet, to, nil); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := h.from("203.0.113.8", http.MethodGet, to, nil); w.Code != http.StatusBadRequest {
		t.Errorf("again: %d", w.Code)
	}
	store, s := h.config.Store.(*MemoryStore), h.config.Strangers
	key := h.state.key("jti", "web\x001")
	if e, ok := store.entries[key]; !ok || !e.until.Equal(end.Add(time.Minute)) || len(store.entries) != 1 {
		t.Errorf("until %v in %d", e.until.Sub(end), len(store.entries))
	}
	if len(s.by) != 1 || s.by[stranger{client: "etab1/web"}] != store.size || !s.kept[key].until.Equal(end.Add(time.Minute)) {
		t.Errorf("%v", s.by)
	}
}

// TestStrangersReplicas: an attempt goes on at a replica that did not begin it and has room for nobody.
func TestStrangersReplicas(t *testing.T) {
	h := openHouse(t, nil, web(t))
	b := h.browser()
	a := b.get(h.request())
	other := h.config
	other.Strangers = must(strangersOf(other.Store, StrangersConfig{Octets: 1}))
	h.Provider = must(New(other))
	if h.begin("127.0.0.1") {
		t.Error("it has room")
	}
	if got := led(b, b.login(a, "card", "alice")); got != "code" {
		t.Error(got)
	}
}

// TestStrangersStoreFails: what could not be written is not counted.
func TestStrangersStoreFails(t *testing.T) {
	f := &faulty{Store: NewMemoryStore(1<<20, nil)}
	h := openHouse(t, func(c *Config, _ *client.Options) {
		c.Store, c.Strangers = f, must(strangersOf(f, StrangersConfig{}))
	}, web(t))
	f.arm(1, true, false)
	if h.begin("203.0.113.7") {
		t.Fatal("the store does not fail")
	}
	if s := h.config.Strangers; len(s.kept) != 0 || s.total != 0 {
		t.Errorf("%d are counted", len(s.kept))
	}
}

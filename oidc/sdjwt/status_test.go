package sdjwt

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/oidc/internal/strictjson"
	"sceau/oidc/sdjwt/sdjwttest"
)

// lister serves a status list, in which anything may be altered.
type lister struct {
	t              testing.TB
	key            *ecdsa.PrivateKey
	now            time.Time
	header, claims map[string]any
	answer         func(w http.ResponseWriter, token string) // nil: as it should be
	asked          atomic.Int32
	server         *httptest.Server
	lists          *StatusLists
}

// pack packs statuses of one bit, as they stand in octets.
func pack(t testing.TB, octets []byte) string {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(octets); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b.Bytes())
}

func newLister(t testing.TB, change func(*StatusConfig)) *lister {
	t.Helper()
	l := &lister{t: t, key: sdjwttest.NewKey(t), now: now}
	l.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		token := sdjwttest.Sign(t, l.header, l.claims, l.key)
		if l.answer != nil {
			l.answer(w, token)
			return
		}
		if r.Header.Get("Accept") != "application/statuslist+jwt" || r.Header.Get("Authorization") != "" {
			t.Errorf("%v", r.Header)
		}
		w.Header().Set("Content-Type", "application/statuslist+jwt")
		w.Write([]byte(token))
	}))
	t.Cleanup(l.server.Close)
	l.header = map[string]any{"alg": "ES256", "typ": "statuslist+jwt", "kid": "lists"}
	l.claims = map[string]any{"sub": l.uri(), "iat": now.Unix() - 60, "exp": now.Unix() + 3600, "ttl": 60,
		"status_list": map[string]any{"bits": 1, "lst": pack(t, []byte{0xb9, 0xa3})}} // the example of the draft (4.1)
	w := &sdjwttest.Wallet{T: t, Issuer: l.key}
	keys := w.Keys()
	keys.Keys[0].KeyID = "lists"
	c := StatusConfig{Addresses: []string{l.server.URL + "/lists/"}, Client: l.server.Client(), Keys: keys, Now: func() time.Time { return l.now }}
	if change != nil {
		change(&c)
	}
	var err error
	if l.lists, err = NewStatusLists(c); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lister) uri() string { return l.server.URL + "/lists/1" }

// TestStatusLists: the statuses of the example of the draft, and how long they are kept.
func TestStatusLists(t *testing.T) {
	l := newLister(t, nil)
	for i, want := range []int{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1} {
		if err := l.lists.Status(t.Context(), l.uri(), i); errors.Is(err, ErrRevoked) != (want == 1) || err != nil && want == 0 {
			t.Errorf("%d: %v, want %d", i, err, want)
		}
	}
	for _, i := range []int{16, 1 << 30, -1} {
		if err := l.lists.Status(t.Context(), l.uri(), i); err == nil || errors.Is(err, ErrRevoked) {
			t.Errorf("%d, which is not there: %v", i, err)
		}
	}
	if n := l.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	// ttl: after that, another is fetched; while it cannot be, nobody says that nothing is revoked.
	l.now = now.Add(time.Minute)
	l.answer = func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusServiceUnavailable) }
	if err := l.lists.Status(t.Context(), l.uri(), 1); err == nil || errors.Is(err, ErrRevoked) {
		t.Errorf("a list that was kept too long: %v", err)
	}
	asked := l.asked.Load()
	if err := l.lists.Status(t.Context(), l.uri(), 1); err == nil || l.asked.Load() != asked {
		t.Errorf("what failed just now is asked for again: %v", err)
	}
	l.now = l.now.Add(failedLife)
	l.answer = nil
	l.claims["status_list"] = map[string]any{"bits": 1, "lst": pack(t, []byte{0xff, 0xff})}
	if err := l.lists.Status(t.Context(), l.uri(), 1); !errors.Is(err, ErrRevoked) {
		t.Errorf("what was revoked since: %v", err)
	}
	// Several bits: every status but VALID refuses, those that nobody knows too.
	l = newLister(t, nil)
	l.claims["status_list"] = map[string]any{"bits": 2, "lst": pack(t, []byte{0xc9, 0x44, 0xf9})} // 4.2: 1 2 0 3, 0 1 0 1, 1 2 3 3
	for i, want := range []int{1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3} {
		if err := l.lists.Status(t.Context(), l.uri(), i); errors.Is(err, ErrRevoked) != (want != 0) {
			t.Errorf("%d: %v, want %d", i, err, want)
		}
	}
	// The configuration bounds what a list says of itself.
	l = newLister(t, func(c *StatusConfig) { c.MaxAge = 10 * time.Second })
	l.claims["ttl"] = 86400
	for i, at := range []time.Duration{0, 9 * time.Second, 10 * time.Second} {
		l.now = now.Add(at)
		if err := l.lists.Status(t.Context(), l.uri(), 1); err != nil || l.asked.Load() != []int32{1, 1, 2}[i] {
			t.Errorf("after %v: asked %d times, %v", at, l.asked.Load(), err)
		}
	}
	// Of all who ask at once, one goes.
	l = newLister(t, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := l.lists.Status(context.Background(), l.uri(), 1); err != nil {
				t.Error(err)
			}
		})
	}
	if all.Wait(); l.asked.Load() != 1 {
		t.Errorf("asked %d times at once", l.asked.Load())
	}
}

// TestStatusListAttacks: each alters one thing in a list that otherwise holds; none says that anything is valid, or revoked.
func TestStatusListAttacks(t *testing.T) {
	claim := func(name string, v any) func(*lister) { return func(l *lister) { l.claims[name] = v } }
	said := func(bits, lst any) func(*lister) {
		return claim("status_list", map[string]any{"bits": bits, "lst": lst})
	}
	for name, do := range map[string]func(*lister){
		"another key":                 func(l *lister) { l.key = sdjwttest.NewKey(l.t) },
		"another kid":                 func(l *lister) { l.header["kid"] = "other" },
		"alg none":                    func(l *lister) { l.header["alg"] = "none" },
		"another token":               func(l *lister) { l.header["typ"] = "JWT" },
		"the list of another address": claim("sub", "https://other.example/lists/1"), "of no address": claim("sub", nil),
		"expired": claim("exp", now.Unix()), "exp as text": claim("exp", "2099"), "from the future": claim("iat", now.Unix()+120), "no iat": claim("iat", nil),
		"ttl of zero": claim("ttl", 0), "ttl as text": claim("ttl", "60"), "no list": claim("status_list", nil), "three bits": said(3, pack(t, []byte{0, 0})),
		"bits as text": said("1", pack(t, []byte{0, 0})), "not base64url": said(1, "+/+/"), "not packed": said(1, "AAAA"), "cut": said(1, pack(t, []byte{0, 0})[:8]),
		"a bomb": said(1, pack(t, make([]byte, maxUnzip+1))),
		"an answer of another type": func(l *lister) {
			l.answer = func(w http.ResponseWriter, token string) { w.Write([]byte(token)) }
		},
		"led elsewhere": func(l *lister) {
			l.answer = func(w http.ResponseWriter, _ string) {
				if l.asked.Load() > 1 { // where it would be led, all is as it should be
					w.Header().Set("Content-Type", "application/statuslist+jwt")
					w.Write([]byte(sdjwttest.Sign(l.t, l.header, l.claims, l.key)))
					return
				}
				w.Header().Set("Location", "/lists/2")
				w.WriteHeader(http.StatusFound)
			}
		},
		"no end": func(l *lister) {
			l.answer = func(w http.ResponseWriter, token string) {
				w.Header().Set("Content-Type", "application/statuslist+jwt")
				w.Write([]byte(token + strings.Repeat(" ", maxList)))
			}
		},
		"a certificate, where keys are trusted": func(l *lister) {
			l.header["x5c"] = []string{base64.StdEncoding.EncodeToString(l.server.Certificate().Raw)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLister(t, nil)
			do(l)
			if err := l.lists.Status(t.Context(), l.uri(), 1); err == nil || errors.Is(err, ErrRevoked) {
				t.Errorf("%v", err)
			}
		})
	}
	l := newLister(t, nil)
	for _, uri := range []string{
		"https://other.example/lists/1", l.server.URL + "/other/1", l.server.URL + "/lists/../other", l.server.URL + "/lists/%2e%2e/other", l.server.URL + "@evil.test/lists/1", "http" + strings.TrimPrefix(l.uri(), "https"),
		l.server.URL + "/lists/..", l.server.URL + "/lists/..?x", "", "file:///etc/passwd",
	} {
		if err := l.lists.Status(t.Context(), uri, 1); err == nil || l.asked.Load() != 0 {
			t.Errorf("%q was asked: %v", uri, err)
		}
	}
}

// TestStatusListsTogether: one who goes away neither waits for a list nor stops it for others; and of many lists those stay that fit.
func TestStatusListsTogether(t *testing.T) {
	l := newLister(t, nil)
	goOn := make(chan struct{})
	l.answer = func(w http.ResponseWriter, token string) {
		<-goOn
		w.Header().Set("Content-Type", "application/statuslist+jwt")
		w.Write([]byte(token))
	}
	gone, leave := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.lists.Status(gone, l.uri(), 1) }()
	for l.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) { // while the list is still on its way
		t.Error(err)
	}
	go func() { ended <- l.lists.Status(context.Background(), l.uri(), 1) }()
	close(goOn)
	if err := <-ended; err != nil || l.asked.Load() != 1 {
		t.Errorf("asked %d times, %v", l.asked.Load(), err)
	}
	s := l.lists
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range maxLists + 10 {
		s.keep("x"+strconv.Itoa(i), &list{data: make([]byte, 1000), until: now.Add(time.Hour + time.Duration(i))})
	}
	if s.kept[l.uri()] != nil || s.kept["x"+strconv.Itoa(maxLists+9)] == nil || len(s.kept) != maxLists || s.size != maxLists*1000 {
		t.Errorf("%d lists of %d octets are kept", len(s.kept), s.size)
	}
	s.keep("large", &list{data: make([]byte, maxKept-1500), until: now.Add(2 * time.Hour)})
	if s.kept["large"] == nil || s.size > maxKept {
		t.Errorf("%d octets are kept", s.size)
	}
}

// TestStatusListPath: who signs with a certificate is asked about by his path and the address of the list.
func TestStatusListPath(t *testing.T) {
	said := errors.New("not he")
	l := newLister(t, nil)
	l.lists.c.Keys = KeySet{}
	l.lists.c.Path = func(path []*x509.Certificate, list string, at time.Time) error {
		if list != l.uri() || !at.Equal(l.now) || len(path) != 1 {
			t.Errorf("asked about %s", list)
		}
		return said
	}
	l.header["x5c"] = []string{base64.StdEncoding.EncodeToString(l.server.Certificate().Raw)}
	if err := l.lists.Status(t.Context(), l.uri(), 1); reasonOf(err) != Untrusted {
		t.Error(err)
	}
	said = nil // he may, and did not
	l.now = now.Add(failedLife)
	if err := l.lists.Status(t.Context(), l.uri(), 1); reasonOf(err) != BadAlgorithm && reasonOf(err) != BadSignature {
		t.Error(err)
	}
}

func TestStatusConfig(t *testing.T) {
	whole := StatusConfig{Addresses: []string{"https://status.example/"}, Client: http.DefaultClient, Keys: KeySet{Keys: (&sdjwttest.Wallet{Issuer: sdjwttest.NewKey(t)}).Keys().Keys}}
	if _, err := NewStatusLists(whole); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*StatusConfig){
		"no address": func(c *StatusConfig) { c.Addresses = nil }, "http": func(c *StatusConfig) { c.Addresses = []string{"http://status.example/"} }, "no slash at the end": func(c *StatusConfig) { c.Addresses = []string{"https://status.example/lists"} }, "somebody in it": func(c *StatusConfig) { c.Addresses = []string{"https://a@status.example/"} },
		"an age below zero": func(c *StatusConfig) { c.MaxAge = -1 }, "a host alone": func(c *StatusConfig) { c.Addresses = []string{"https://status.example"} },
		"a query": func(c *StatusConfig) { c.Addresses = []string{"https://status.example/?"} }, "nobody fetches": func(c *StatusConfig) { c.Client = nil }, "nobody is believed": func(c *StatusConfig) { c.Keys = KeySet{} },
	} {
		c := whole
		change(&c)
		if _, err := NewStatusLists(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, text := range map[string]string{"no JSON": "x", "no keys": `{"keys":[]}`, "twice": `{"keys":[],"keys":[]}`, "a secret": `{"keys":[{"kty":"oct","k":"AAAA"}]}`} {
		if set, err := ParseKeys([]byte(text)); err == nil || len(set.Keys) > 0 {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzStatusList: whatever is packed, a place is in the list or it is not.
func FuzzStatusList(f *testing.F) {
	f.Add(`{"bits":1,"lst":"`+pack(f, []byte{0xb9, 0xa3})+`"}`, 3)
	f.Add(`{"bits":8,"lst":""}`, 0)
	f.Fuzz(func(t *testing.T, text string, index int) {
		o, err := strictjson.Object([]byte(text))
		if err != nil {
			return
		}
		bits, data, err := unpack(any(o))
		if err != nil {
			return
		}
		l := &list{bits: bits, data: data}
		if value, ok := l.at(index); !ok && value != 0 || ok && (index < 0 || index >= len(data)*8/int(bits)) {
			t.Fatalf("%d of %d bits at %d: %d %v", len(data), bits, index, value, ok)
		}
	})
}

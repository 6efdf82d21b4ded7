package federation

import (
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
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

	"sceau/oidc/internal/outside"
)

func hmacSHA256(t testing.TB, k *ecdsa.PrivateKey, input string) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha256.New, der)
	m.Write([]byte(input))
	return m.Sum(nil)
}

func TestZeroTrustsNobody(t *testing.T) {
	if _, err := NewResolver(Config{}); err == nil {
		t.Error("a resolver without anchors")
	}
	if _, err := NewResolver(Config{Anchors: map[string]jose.JSONWebKeySet{anchorID: {}}}); err == nil {
		t.Error("an anchor without keys")
	}
	if _, err := NewResolver(Config{Anchors: map[string]jose.JSONWebKeySet{"http://anchor.example.com": set(publicKey(newKey(t), "k"))}}); err == nil {
		t.Error("an anchor without TLS")
	}
	if _, err := NewResolver(Config{Anchors: map[string]jose.JSONWebKeySet{anchorID: set(jose.JSONWebKey{Key: []byte("secret"), KeyID: "k"})}}); err == nil {
		t.Error("an anchor with a secret")
	}
	if out, err := (Policy{}).Apply(Metadata{"t": {"p": "v"}}); err != nil || out["t"]["p"] != "v" {
		t.Error("the zero policy demands something")
	}
}

func TestChains(t *testing.T) {
	for length := range 5 {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			w := newWorld(t)
			w.add(anchorID)
			up := anchorID
			for i := range length - 1 {
				id := fmt.Sprintf("https://i%d.example.com", i)
				w.add(id, up)
				up = id
			}
			id := anchorID
			if length > 0 {
				id = rpID
				w.add(id, up)
			} else {
				w.nodes[anchorID].metadata["openid_relying_party"] = map[string]any{"client_name": "anchor"}
			}
			r := w.resolver(nil, anchorID)
			v, err := r.Resolve(t.Context(), id, relyingParty)
			if err != nil {
				t.Fatal(err)
			}
			statements := length + 2 // the subject, one about each below the anchor, the anchor
			if length == 0 {
				statements = 1
			}
			if len(v.Chain) != statements || v.Anchor != anchorID || v.Metadata[relyingParty]["client_name"] == nil {
				t.Fatalf("%d statements, anchor %s, metadata %v", len(v.Chain), v.Anchor, v.Metadata)
			}
			if length == 0 {
				return
			}
			// The chain that was found holds when it is sent, with its anchor and without, and nothing is fetched.
			asked := w.count()
			for _, tokens := range [][]string{v.Chain, v.Chain[:len(v.Chain)-1]} {
				sent, err := r.ResolveChain(t.Context(), id, relyingParty, tokens)
				if err != nil || sent.Anchor != anchorID || !slices.Equal(sent.Chain, tokens) {
					t.Fatalf("as sent: %v", err)
				}
			}
			if w.count() != asked {
				t.Error("a sent chain was fetched")
			}
		})
	}
}

// TestShortest: of two ways to an anchor the shorter is taken, whatever the order of hints.
func TestShortest(t *testing.T) {
	w, _, _, _, rp := line(t)
	direct := "https://direct.example.com"
	w.add(direct, anchorID)
	w.nodes[direct].about[rpID] = map[string]any{}
	rp.hints = []string{lowerID, direct}
	v, err := w.resolver(nil, anchorID).Resolve(t.Context(), rpID, relyingParty)
	if err != nil || len(v.Chain) != 4 {
		t.Fatalf("%v: %d statements", err, len(v.Chain))
	}
	// And where the shorter does not hold, the longer is.
	w.nodes[direct].about[rpID] = map[string]any{"exp": now.Unix() - 1}
	v, err = w.resolver(nil, anchorID).Resolve(t.Context(), rpID, relyingParty)
	if err != nil || len(v.Chain) != 5 {
		t.Fatalf("%v", err)
	}
}

func TestExpiry(t *testing.T) {
	w, _, upper, _, _ := line(t)
	upper.about[lowerID]["exp"] = now.Unix() + 600
	v, err := w.resolver(nil, anchorID).Resolve(t.Context(), rpID, relyingParty)
	if err != nil || !v.ExpiresAt.Equal(now.Add(10*time.Minute)) {
		t.Fatalf("%v: %v, want the earliest end of the chain", err, v)
	}
	v, err = w.resolver(func(c *Config) { c.Limits.Lifetime = time.Minute }, anchorID).Resolve(t.Context(), rpID, relyingParty)
	if err != nil || !v.ExpiresAt.Equal(now.Add(time.Minute)) {
		t.Fatalf("%v: want the limit of the configuration", err)
	}
}

func TestKept(t *testing.T) {
	w, _, _, lower, _ := line(t)
	at := now
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	r := w.resolver(func(c *Config) { c.Now = clock }, anchorID)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := r.Resolve(context.Background(), rpID, relyingParty); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if w.count() != 7 {
		t.Errorf("%d questions for 20 who ask the same, want 7", w.count())
	}
	// Whoever was struck off is so once what is kept has ended.
	delete(lower.about, rpID)
	if _, err := r.Resolve(t.Context(), rpID, relyingParty); err != nil {
		t.Error("kept:", err)
	}
	mu.Lock()
	at = now.Add(59 * time.Minute)
	mu.Unlock()
	if _, ok := r.Kept(rpID, relyingParty); !ok {
		t.Error("not kept until its end")
	}
	mu.Lock()
	at = now.Add(61 * time.Minute)
	mu.Unlock()
	if _, ok := r.Kept(rpID, relyingParty); ok {
		t.Error("kept beyond its end")
	}
	if _, err := r.Resolve(t.Context(), rpID, relyingParty); err == nil {
		t.Error("resolved beyond its end")
	}
	asked := w.count()
	if _, err := r.Resolve(t.Context(), rpID, relyingParty); err == nil || w.count() != asked {
		t.Error("a failure is asked again at once")
	}
}

func TestKeptIsBounded(t *testing.T) {
	w, _, _, _, _ := line(t)
	r := w.resolver(func(c *Config) { c.Limits.Kept = 5 }, anchorID)
	for i := range 40 {
		if _, err := r.Resolve(t.Context(), fmt.Sprintf("https://nobody%d.example.com", i), relyingParty); err == nil {
			t.Fatal("resolved")
		}
	}
	if len(r.kept.entries) > 5 {
		t.Errorf("%d entries", len(r.kept.entries))
	}
}

// TestBusy: strangers who name themselves cannot have more resolutions under way than there are places.
func TestBusy(t *testing.T) {
	w, _, _, _, _ := line(t)
	hold, release := make(chan struct{}), make(chan struct{})
	w.serve["https://slow.example.com"+wellKnown] = func(http.ResponseWriter, *http.Request) { close(hold); <-release }
	r := w.resolver(func(c *Config) { c.Limits.Concurrent = 1 }, anchorID)
	done := make(chan error, 1)
	go func() {
		_, err := r.Resolve(context.Background(), "https://slow.example.com", relyingParty)
		done <- err
	}()
	<-hold
	_, err := r.Resolve(t.Context(), rpID, relyingParty)
	wantReason(t, err, Busy)
	close(release)
	wantReason(t, <-done, Unreachable)
	if _, err := r.Resolve(t.Context(), rpID, relyingParty); err != nil {
		t.Error("afterwards:", err)
	}
}

// TestGivingUp: who asks and gives up does not take the answer from the others.
func TestGivingUp(t *testing.T) {
	w, _, _, _, rp := line(t)
	hold, release := make(chan struct{}), make(chan struct{})
	w.serve[rpID+wellKnown] = func(rw http.ResponseWriter, _ *http.Request) {
		close(hold)
		<-release
		rw.Header().Set("Content-Type", mediaStatement)
		_, _ = rw.Write([]byte(rp.configuration()))
	}
	r := w.resolver(func(c *Config) { c.Limits.Left = time.Hour }, anchorID)
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() {
		_, err := r.Resolve(ctx, rpID, relyingParty)
		gone <- err
	}()
	<-hold
	cancel()
	wantReason(t, <-gone, Unreachable)
	close(release)
	if _, err := r.Resolve(t.Context(), rpID, relyingParty); err != nil {
		t.Error(err)
	}
}

// TestAddresses: no address that a stranger names leads into our own networks. Which addresses do is judged in oidc/internal/outside:
// what admitted ::10.0.0.1 here and not there had the weaker of two rules decide.
func TestAddresses(t *testing.T) {
	w := newWorld(t)
	id := w.srv.URL // https://127.0.0.1:…
	w.nodes[anchorID] = w.add(anchorID)
	for _, networks := range [][]netip.Prefix{nil, {netip.MustParsePrefix("10.0.0.0/8")}} {
		r, err := NewResolver(Config{Anchors: map[string]jose.JSONWebKeySet{anchorID: w.nodes[anchorID].jwks()}, Roots: w.roots, Networks: networks})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Resolve(t.Context(), id, relyingParty)
		wantReason(t, err, Unreachable)
		if w.count() != 0 || !errors.Is(err, outside.ErrForbidden) {
			t.Fatalf("contacted: %v", err)
		}
	}
	r, err := NewResolver(Config{Anchors: map[string]jose.JSONWebKeySet{anchorID: w.nodes[anchorID].jwks()}, Roots: w.roots,
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), id, relyingParty); w.count() != 1 {
		t.Fatalf("a network that the configuration admits was not contacted: %v", err)
	}
	r.fetcher.client.CloseIdleConnections()
	for _, a := range []string{"::10.0.0.1", "::127.0.0.1", "::169.254.169.254", "::ffff:0:10.0.0.1", "4000::1", "5f00::1", "fe00::1"} {
		if _, err := r.Resolve(t.Context(), "https://["+netip.MustParseAddr(a).String()+"]", relyingParty); !errors.Is(err, outside.ErrForbidden) {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// TestProxy: through a proxy everything goes to it, and addresses in identifiers are judged still.
func TestProxy(t *testing.T) {
	w, _, _, _, _ := line(t)
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host)
		mu.Unlock()
		up, err := net.Dial("tcp", w.srv.Listener.Addr().String())
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer up.Close()
		rw.WriteHeader(http.StatusOK)
		down, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer down.Close()
		go func() { _, _ = io.Copy(up, buffered); _ = up.(*net.TCPConn).CloseWrite() }()
		_, _ = io.Copy(down, up)
	}))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewResolver(Config{Anchors: map[string]jose.JSONWebKeySet{anchorID: w.nodes[anchorID].jwks()}, Roots: w.roots, Proxy: address,
		Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.fetcher.client.CloseIdleConnections)
	if _, err := r.Resolve(t.Context(), rpID, relyingParty); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	if len(asked) == 0 || !slices.Contains(asked, "CONNECT rp.chu.example.com:443") {
		t.Errorf("not through the proxy: %v", asked)
	}
	n := len(asked)
	mu.Unlock()
	_, err = r.Resolve(t.Context(), "https://169.254.169.254", relyingParty)
	wantReason(t, err, Unreachable)
	mu.Lock()
	if len(asked) != n {
		t.Errorf("the proxy was asked for an address that is not public: %v", asked[n:])
	}
	mu.Unlock()
}

func TestIdentifiers(t *testing.T) {
	good := []string{"https://a.example.com", "https://a.example.com/", "https://a.example.com:8443/x/y", "https://[2001:db8::1]/x"}
	bad := []string{"", "a.example.com", "http://a.example.com", "HTTPS://a.example.com", "https://A.example.com", "https://a.example.com?x", "https://a.example.com/?",
		"https://a.example.com#f", "https://u@a.example.com", "https://a.example.com.", "https://", "https:///x", "https://a.example.com/../b", "https://a.example.com//b",
		"https://a.example.com/%2e%2e/b", "https://a.example.com/a b", "https://a..example.com", "https://.example.com", "https://a.example.com:", "https://é.example.com",
		"https://a.example.com\\b", "https://[fe80::1%25eth0]/", "https:a.example.com", "https://a.example.com/" + strings.Repeat("x", 2000)}
	for _, id := range good {
		if _, err := identified(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range bad {
		if _, err := identified(id); reasonOf(err) != BadIdentifier {
			t.Errorf("%q: %v", id, err)
		}
	}
	if configurationURL("https://a.example.com/") != "https://a.example.com/.well-known/openid-federation" {
		t.Error("a trailing slash is not removed")
	}
}

func TestErrors(t *testing.T) {
	for r := Malformed; r <= Fault; r++ {
		if r.String() == "unknown" || r.String() == "none" {
			t.Errorf("reason %d has no text", r)
		}
	}
	if Reason(200).String() != "unknown" || len(reasonTexts) != int(Fault)+1 {
		t.Error("texts of reasons")
	}
	inner := errors.New("inner")
	e := &Error{Reason: Unreachable, Entity: anchorID, Cause: inner}
	if !errors.Is(e, inner) || !e.Temporary() || (&Error{Reason: BadSignature}).Temporary() || e.Code() != "temporarily_unavailable" {
		t.Error("an error does not say what it is")
	}
}

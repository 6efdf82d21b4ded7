package kerberos

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/spnego"
	"github.com/jcmturner/gokrb5/v8/types"

	"sceau/oidc/authn"
	"sceau/oidc/page"
)

type pages struct{ shown any }

func (p *pages) Write(w http.ResponseWriter, _ *http.Request, status int, page any) {
	p.shown = page
	w.WriteHeader(status)
}

func (k *kdc) means(t *testing.T, change func(*Config)) *Means {
	t.Helper()
	c := Config{Keytab: k.file("keytab"), Service: service, Realms: []string{realm}}
	if change != nil {
		change(&c)
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// token asks the centre for a ticket of a service and makes what a browser would send.
func token(t *testing.T, c *client.Client, service string) []byte {
	t.Helper()
	s := spnego.SPNEGOClient(c, service)
	made, err := s.InitSecContext()
	if err != nil {
		t.Fatal(err)
	}
	octets, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

// forged makes a token whose authenticator says what a person's machine likes, in a real ticket.
func forged(t *testing.T, c *client.Client, change func(*types.Authenticator)) []byte {
	t.Helper()
	ticket, key, err := c.GetServiceTicket(service)
	if err != nil {
		t.Fatal(err)
	}
	made, err := spnego.NewKRB5TokenAPREQ(c, ticket, key, []int{gssapi.ContextFlagInteg}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := types.NewAuthenticator(c.Credentials.Domain(), c.Credentials.CName())
	if err != nil {
		t.Fatal(err)
	}
	change(&a)
	if made.APReq, err = messages.NewAPReq(ticket, key, a); err != nil {
		t.Fatal(err)
	}
	octets, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

func serve(t *testing.T, m *Means, a *authn.Attempt, method string, header ...string) (*authn.Proof, *httptest.ResponseRecorder, any, error) {
	t.Helper()
	p := &pages{}
	a.URL, a.ReturnURL, a.Pages = "/a/1/kerberos", "/a/1", p
	if a.Now.IsZero() {
		a.Now = time.Now()
	}
	r := httptest.NewRequest(method, a.URL, nil)
	for _, h := range header {
		r.Header.Add("Authorization", h)
	}
	w := httptest.NewRecorder()
	proof, err := m.Serve(w, r, a)
	return proof, w, p.shown, err
}

func present(t *testing.T, m *Means, token []byte) (*authn.Proof, error) {
	t.Helper()
	proof, _, _, err := serve(t, m, &authn.Attempt{}, "GET", "Negotiate "+base64.StdEncoding.EncodeToString(token))
	return proof, err
}

func refusedFor(err error, why string) bool {
	var r *authn.Refusal
	return errors.As(err, &r) && r.Reason == authn.NotProven && strings.Contains(err.Error(), why) && !strings.Contains(err.Error(), "alice")
}

// TestKerberos is against the key distribution centre of MIT.
func TestKerberos(t *testing.T) {
	k := startKDC(t, realm)
	before := time.Now().Add(-time.Second)
	alice := k.client(t, "alice", "alices")
	after := time.Now().Add(time.Second)
	m := k.means(t, nil)

	right := token(t, alice, service)
	proof, err := present(t, m, right)
	if err != nil || proof.Identifier != (authn.Identifier{Type: "principal", Value: "alice@" + realm}) || !slices.Equal(proof.References, []string{"wia"}) ||
		proof.Time.Before(before) || proof.Time.After(after) || len(proof.Credential) != 64 {
		t.Fatalf("%+v, %v", proof, err)
	}
	if _, err := present(t, m, right); !refusedFor(err, "was used") {
		t.Errorf("a replay: %v", err)
	}
	shared := new(seen)
	together := func(c *Config) { c.Seen = shared }
	once := token(t, alice, service)
	if _, err := present(t, k.means(t, together), once); err != nil {
		t.Error(err)
	}
	if _, err := present(t, k.means(t, together), once); !refusedFor(err, "was used") {
		t.Errorf("a replay to another means that shares what was seen: %v", err)
	}
	m2 := k.means(t, func(c *Config) { c.Usernames, c.References = true, []string{"sc", "pin"} })
	proof, err = present(t, m2, token(t, alice, service))
	if err != nil || proof.Identifier != (authn.Identifier{Type: "username", Value: "alice"}) || !slices.Equal(proof.References, []string{"wia", "sc", "pin"}) {
		t.Errorf("%+v, %v", proof, err)
	}
	// What is behind SPNEGO alone, as some send it.
	raw := forged(t, alice, func(*types.Authenticator) {})
	if proof, err := present(t, m, raw); err != nil || proof.Identifier.Value != "alice@"+realm {
		t.Errorf("%+v, %v", proof, err)
	}

	machine, other := k.client(t, "WORKSTATION$", "machines"), k.client(t, "host/elsewhere", "services")
	for name, tt := range map[string]struct {
		m     *Means
		token []byte
		why   string
	}{
		"a machine":                              {m, token(t, machine, service), "a machine"},
		"a service":                              {m, token(t, other, service), "no person"},
		"another service of the keytab":          {m, token(t, alice, "HTTP/other"), "does not hold"},
		"another realm":                          {k.means(t, func(c *Config) { c.Realms = []string{"AUTRE.EXAMPLE"} }), token(t, alice, service), "realm that is not taken"},
		"a realm that the machine made up":       {k.means(t, func(c *Config) { c.Realms = []string{"AUTRE.EXAMPLE"} }), forged(t, alice, func(a *types.Authenticator) { a.CRealm = "AUTRE.EXAMPLE" }), "another realm than the ticket"},
		"the same, where the real one is taken":  {m, forged(t, alice, func(a *types.Authenticator) { a.CRealm = "AUTRE.EXAMPLE" }), "another realm than the ticket"},
		"a name that the machine made up":        {m, forged(t, alice, func(a *types.Authenticator) { a.CName.NameString = []string{"bob"} }), "does not hold"},
		"of before":                              {m, forged(t, alice, func(a *types.Authenticator) { a.CTime = a.CTime.Add(-6 * time.Minute) }), "does not hold"},
		"of later":                               {m, forged(t, alice, func(a *types.Authenticator) { a.CTime = a.CTime.Add(6 * time.Minute) }), "does not hold"},
		"NTLM":                                   {m, []byte("NTLMSSP\x00\x01\x00\x00\x00"), "NTLM"},
		"nothing":                                {m, nil, "cannot be read"},
		"no token":                               {m, []byte("hello"), "cannot be read"},
		"half of one":                            {m, right[:len(right)/2], "cannot be read"},
		"more than the largest":                  {m, make([]byte, maxToken), "more than"},
		"its ticket for the centre, to nobody":   {m, withoutService(t, alice), ""},
		"an authenticator of another's session":  {m, spliced(t, alice, machine), "does not hold"},
		"one octet of the ticket is another one": {m, flipped(token(t, alice, service)), ""},
	} {
		if proof, err := present(t, tt.m, tt.token); proof != nil || !refusedFor(err, tt.why) {
			t.Errorf("%s: %+v, %v", name, proof, err)
		}
	}

	// A session of long ago says so, whatever asks now: the policy of the client judges it (EXI FI 25).
	proof, _, _, err = serve(t, m, &authn.Attempt{Now: time.Now().Add(3 * time.Hour)}, "GET", "Negotiate "+base64.StdEncoding.EncodeToString(token(t, alice, service)))
	if err != nil || proof.Time.After(after) {
		t.Errorf("%+v, %v", proof, err)
	}
	_, _, _, err = serve(t, m, &authn.Attempt{NotBefore: time.Now().Add(time.Minute)}, "GET", "Negotiate "+base64.StdEncoding.EncodeToString(token(t, alice, service)))
	var refusal *authn.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != authn.Unsuitable {
		t.Errorf("an older session than the client takes: %v", err)
	}
	if _, _, _, err := serve(t, m, &authn.Attempt{Now: time.Now().Add(-time.Hour)}, "GET", "Negotiate "+base64.StdEncoding.EncodeToString(token(t, alice, service))); !refusedFor(err, "future") {
		t.Errorf("a session of the future: %v", err)
	}
}

func flipped(token []byte) []byte {
	token[len(token)/2] ^= 1
	return token
}

// spliced is the ticket of one with the authenticator of another.
func spliced(t *testing.T, a, b *client.Client) []byte {
	t.Helper()
	ticket, key, err := a.GetServiceTicket(service)
	if err != nil {
		t.Fatal(err)
	}
	_, otherKey, err := b.GetServiceTicket(service)
	if err != nil {
		t.Fatal(err)
	}
	made, err := spnego.NewKRB5TokenAPREQ(a, ticket, key, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	authenticator, err := types.NewAuthenticator(a.Credentials.Domain(), a.Credentials.CName())
	if err != nil {
		t.Fatal(err)
	}
	if made.APReq, err = messages.NewAPReq(ticket, otherKey, authenticator); err != nil {
		t.Fatal(err)
	}
	octets, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

// withoutService is a token whose ticket is for no service at all: a list of names that is empty.
func withoutService(t *testing.T, c *client.Client) []byte {
	t.Helper()
	ticket, key, err := c.GetServiceTicket(service)
	if err != nil {
		t.Fatal(err)
	}
	made, err := spnego.NewKRB5TokenAPREQ(c, ticket, key, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	made.APReq.Ticket.SName.NameString = nil
	octets, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

// TestCurl has another implementation on the side of the browser: kinit and curl, over HTTP.
func TestCurl(t *testing.T) {
	k := startKDC(t, realm)
	kinit, curl := external(t, "kinit"), external(t, "curl")
	m := k.means(t, nil)
	var proof *authn.Proof
	var refusal error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &pages{}
		proof, refusal = m.Serve(w, r, &authn.Attempt{URL: "/", Pages: p, Now: time.Now()})
		if refusal != nil {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	url := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/"
	ask := func() string {
		return k.run(t, curl, "-sS", "--resolve", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/")+":127.0.0.1", "-o", k.file("out"), "-w", "%{http_code}", "--negotiate", "-u", ":", url)
	}
	if got := ask(); got != "401" || proof != nil {
		t.Errorf("without a ticket: %s, %+v", got, proof)
	}
	k.runWith(t, "alices\n", kinit, "alice")
	if got := ask(); got != "200" || proof == nil || proof.Identifier.Value != "alice@"+realm {
		t.Errorf("%s, %+v, %v", got, proof, refusal)
	}
}

// TestChallenge is what a browser without a ticket sees.
func TestChallenge(t *testing.T) {
	m := &Means{config: Config{Realms: []string{realm}, Skew: mostSkew}}
	for name, headers := range map[string][]string{
		"nothing": nil, "another scheme": {"Basic YTpi"}, "two": {"Negotiate YQ==", "Negotiate YQ=="},
	} {
		proof, w, shown, err := serve(t, m, &authn.Attempt{}, "GET", headers...)
		if want := (page.Kerberos{Retry: "/a/1/kerberos", Return: "/a/1"}); proof != nil || err != nil || w.Code != http.StatusUnauthorized ||
			w.Header().Get("WWW-Authenticate") != "Negotiate" || shown != want {
			t.Errorf("%s: %+v, %v, %d, %+v", name, proof, err, w.Code, shown)
		}
	}
	// Who was refused is told so, and not asked again at once: a browser would answer the same for ever.
	proof, w, shown, err := serve(t, m, &authn.Attempt{Refused: &authn.Refusal{Reason: authn.NotProven}}, "GET", "Negotiate YQ==")
	if p, ok := shown.(page.Kerberos); !ok || p.Refused != authn.NotProven || proof != nil || err != nil || w.Code != http.StatusOK || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("%+v, %v, %d, %+v", proof, err, w.Code, shown)
	}
	if _, _, _, err := serve(t, m, &authn.Attempt{}, "GET", "negotiate  !"); !refusedFor(err, "not base64") {
		t.Errorf("%v", err)
	}
	if proof, w, _, err := serve(t, m, &authn.Attempt{}, "POST"); proof != nil || err != nil || w.Code != http.StatusMethodNotAllowed {
		t.Errorf("%+v, %v", proof, err)
	}
}

func TestNew(t *testing.T) {
	k := startKDC(t, realm)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no keytab":             func(c *Config) { c.Keytab = "" },
		"an empty one":          func(c *Config) { c.Keytab = empty },
		"no keytab at all":      func(c *Config) { c.Keytab = k.conf },
		"no service":            func(c *Config) { c.Service = "" },
		"another service":       func(c *Config) { c.Service = "host/localhost" },
		"a service with realm":  func(c *Config) { c.Service = service + "@" + realm },
		"not in the keytab":     func(c *Config) { c.Service = "HTTP/elsewhere" },
		"no realm":              func(c *Config) { c.Realms = nil },
		"an empty realm":        func(c *Config) { c.Realms = []string{""} },
		"names of two realms":   func(c *Config) { c.Usernames, c.Realms = true, []string{"A", "B"} },
		"a clock that is wrong": func(c *Config) { c.Skew = time.Hour },
		"a negative skew":       func(c *Config) { c.Skew = -1 },
	} {
		c := Config{Keytab: k.file("keytab"), Service: service, Realms: []string{realm}}
		change(&c)
		if m, err := New(c); err == nil || m != nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestSeen(t *testing.T) {
	var s seen
	now := time.Now()
	key := func(i int) (k [32]byte) {
		k[0], k[1], k[2] = byte(i), byte(i>>8), byte(i>>16)
		return k
	}
	for i := range maxSeen {
		if fresh, err := s.Add(key(i), now, time.Minute); !fresh || err != nil {
			t.Fatal(i, err)
		}
	}
	if fresh, err := s.Add(key(maxSeen), now, time.Minute); fresh || err == nil {
		t.Errorf("without room: %t, %v", fresh, err)
	}
	if fresh, _ := s.Add(key(0), now.Add(time.Minute), time.Minute); fresh {
		t.Error("forgotten too early")
	}
	if fresh, err := s.Add(key(maxSeen), now.Add(time.Minute+1), time.Minute); !fresh || err != nil || len(s.till) != 1 {
		t.Errorf("%t, %v, %d remembered", fresh, err, len(s.till))
	}
}

// sample makes tokens of a ticket that a centre could have made, raw and in SPNEGO.
func sample(tb testing.TB) (raw, wrapped []byte) {
	tb.Helper()
	keys := keytab.New()
	now := time.Now()
	if err := keys.AddEntry(service, realm, "the key of the samples", now, 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		tb.Fatal(err)
	}
	who := types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, "alice")
	ticket, key, err := messages.NewTicket(who, realm, types.NewPrincipalName(nametype.KRB_NT_SRV_INST, service), realm, types.NewKrbFlags(), keys,
		etypeID.AES256_CTS_HMAC_SHA1_96, 1, now, now, now.Add(time.Hour), now.Add(time.Hour))
	if err != nil {
		tb.Fatal(err)
	}
	c := client.NewWithPassword("alice", realm, "", config.New())
	made, err := spnego.NewKRB5TokenAPREQ(c, ticket, key, nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if raw, err = made.Marshal(); err != nil {
		tb.Fatal(err)
	}
	outer := spnego.SPNEGOToken{Init: true, NegTokenInit: spnego.NegTokenInit{MechTypes: []asn1.ObjectIdentifier{gssapi.OIDKRB5.OID()}, MechTokenBytes: raw}}
	if wrapped, err = outer.Marshal(); err != nil {
		tb.Fatal(err)
	}
	return raw, wrapped
}

// TestSample: the samples of the fuzz test are tickets, or it would fuzz nothing.
func TestSample(t *testing.T) {
	raw, wrapped := sample(t)
	for _, token := range [][]byte{raw, wrapped} {
		if request, err := parse(token); err != nil || request.APReq.Ticket.SName.PrincipalNameString() != service {
			t.Errorf("%v", err)
		}
	}
}

// FuzzParse: what a stranger sends ends in a refusal or a request, whatever the library makes of it.
func FuzzParse(f *testing.F) {
	f.Add([]byte("NTLMSSP\x00"))
	f.Add([]byte{0x60, 0x06, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02})
	f.Add([]byte{0x60, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01, 0x00})
	raw, wrapped := sample(f)
	f.Add(raw)
	f.Add(wrapped)
	// Its keys are not those of the samples.
	keys := keytab.New()
	if err := keys.AddEntry(service, realm, "another key", time.Now(), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
		f.Fatal(err)
	}
	m := &Means{config: Config{Realms: []string{realm}, Skew: mostSkew}, keys: keys, service: types.NewPrincipalName(nametype.KRB_NT_SRV_INST, service)}
	f.Fuzz(func(t *testing.T, octets []byte) {
		request, err := parse(octets)
		if (request == nil) == (err == nil) {
			t.Fatal("a request and an error, or neither")
		}
		var r *authn.Refusal
		if err != nil && !errors.As(err, &r) {
			t.Fatalf("an outage: %v", err)
		}
		if request != nil {
			if proof, err := m.verify(request, "192.0.2.1:1", time.Now()); proof != nil || err == nil {
				t.Fatal("it proves somebody without a key")
			}
		}
	})
}
